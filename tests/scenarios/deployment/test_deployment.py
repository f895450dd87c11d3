"""A server behind a path prefix, behind TLS with an authority of one's own, behind nginx."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import rtu_magics
from rtu_magics.errors import RTUError
from rtu_magics.session import Session, sessions, stop_background

from ...helpers.cli import COMMAND, ready_line, serving
from ...helpers.needs import needed
from ...helpers.server import running_server
from .certificates import Certificates, make
from .proxy import nginx

pytestmark = [pytest.mark.server]

SCRIPT = Path(__file__)


@pytest.fixture(autouse=True)
def _nothing_left(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("RTU_TOKEN", raising=False)
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    yield
    for session in list(sessions):
        session.close()
    stop_background()


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    needed("openssl")
    return make(tmp_path_factory.mktemp("certificates"))


def connect(url: str, **options: str) -> Session:
    return rtu_magics.connect(url, say=lambda _: None, **options)


def works(session: Session, base: str, cafile: str | None = None) -> None:
    """Check everything that an address goes into: REST, websocket, links, invitations."""
    cell = session.add("print('x' * 10)\n6 * 7")
    session.run(cell.id)
    assert [o.content.raw for o in session.outputs(cell.id)] == ["xxxxxxxxxx\n", "42"]
    big = session.add("from IPython.display import HTML\nHTML('y' * 1_200_000)")
    session.run(big.id)
    (output,) = session.outputs(big.id)
    assert output.links is not None
    (link,) = output.links.values()
    assert link.startswith(base)
    assert session.fetch(output.links) == {"text/html": "y" * 1_200_000}
    invite = session.share(name="Ann")
    assert invite.url is not None
    assert invite.url.startswith(f"{base}/rtu/f/{session.file.id}?invite=")
    options = {} if cafile is None else {"cafile": cafile}
    guest = connect(invite.url, name="guest", **options)
    assert guest.role == "viewer"
    assert [view.cell.source for view in guest.cells()] == [cell.source, big.source]
    guest.close()
    session.kernel_stop()


@pytest.mark.kernel
def test_a_path_prefix(tmp_path: Path) -> None:
    with running_server(tmp_path, "--base-url", "/team/notes") as server:
        assert server.url.endswith("/team/notes/")
        (tmp_path / "lesson.ipynb").write_text(
            '{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}'
        )
        with connect(f"{server.url}tree/lesson.ipynb", token=server.token) as session:
            works(session, server.url.rstrip("/"))
        # The directory's own clients find it there, too.
        with connect(str(tmp_path / "lesson.ipynb")) as local:
            assert local.server_url == server.url.rstrip("/")


@pytest.mark.kernel
def test_tls_with_an_authority_of_ones_own(
    tmp_path: Path, certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = [
        "lesson.ipynb", "--new", "--json",
        "--certfile", str(certificates.certificate), "--keyfile", str(certificates.key),
    ]  # fmt: skip
    with serving(*arguments, cwd=tmp_path) as process:
        server = ready_line(process)
        link, token = server["link"], server["token"]
        assert link.startswith("https://127.0.0.1:")
        with pytest.raises(RTUError) as caught:
            connect(link, token=token)
        where = link.split("/")[2]
        assert str(caught.value) == (
            f"this machine does not trust the certificate of {where}: give that of its authority "
            "with --cafile, or in SSL_CERT_FILE"
        )
        authority = str(certificates.authority)
        with connect(link, token=token, cafile=authority) as session:
            works(session, server["url"].rstrip("/"), authority)
        monkeypatch.setenv("SSL_CERT_FILE", authority)
        with connect(link, token=token) as session:
            assert len(session.cells()) == 2
        shared = subprocess.run(
            [*COMMAND, "share", link],
            env={**os.environ, "RTU_TOKEN": token},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert shared.stdout.startswith(f"{link}?invite="), shared.stderr


def test_a_certificate_for_another_name(tmp_path: Path, certificates: Certificates) -> None:
    other = make(tmp_path, "DNS:lab.example")
    arguments = ("--certfile", str(other.certificate), "--keyfile", str(other.key))
    with running_server(tmp_path, *arguments) as server:
        with pytest.raises(RTUError, match="is not for that name: connect by the server's proper"):
            connect(f"{server.url}tree/a.ipynb", token=server.token, cafile=str(other.authority))


@pytest.mark.parametrize(
    ("cafile", "line"),
    [
        ("missing.pem", "the certificate missing.pem cannot be read (No such file or directory)"),
        (str(SCRIPT), "holds no certificate; give the authority's, in PEM"),
    ],
)
def test_authorities_that_are_none(cafile: str, line: str) -> None:
    with pytest.raises(RTUError) as caught:
        connect("https://127.0.0.1:9/tree/a.ipynb", token="t", cafile=cafile)
    assert line in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--certfile", "missing.pem"], "missing.pem cannot be read; check its path and rights"),
        (["--keyfile", "missing.pem"], "a key without a certificate; give --certfile as well"),
        (["--certfile", str(SCRIPT)], "and its key do not fit together"),
    ],
)
def test_what_is_no_certificate(tmp_path: Path, arguments: list[str], line: str) -> None:
    ran = subprocess.run(
        [*COMMAND, "serve", *arguments],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert ran.returncode == 1
    assert line in ran.stderr
    assert ran.stderr.count("\n") == 1


@pytest.mark.kernel
@pytest.mark.parametrize("kept", [True, False], ids=["prefix-kept", "prefix-taken-off"])
def test_behind_nginx(tmp_path: Path, certificates: Certificates, kept: bool) -> None:
    """With TLS and a path of its own, which the server knows, or which only the proxy knows."""
    needed("nginx")
    front = tmp_path / "front"
    front.mkdir()
    served = tmp_path / "served"
    served.mkdir()
    (served / "lesson.ipynb").write_text(
        '{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}'
    )
    with running_server(served, *(["--base-url", "/notes/"] if kept else [])) as server:
        origin = server.url.removesuffix("notes/").rstrip("/")
        upstream = origin if kept else f"{origin}/"
        more = "" if kept else "proxy_set_header X-Forwarded-Prefix /notes;"
        authority = str(certificates.authority)
        with nginx(front, certificates, "/notes/", upstream, more) as url:
            with connect(
                f"{url}tree/lesson.ipynb", token=server.token, cafile=authority
            ) as session:
                works(session, url.rstrip("/"), authority)
