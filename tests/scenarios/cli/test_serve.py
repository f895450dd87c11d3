"""``rtu-magics serve``, from its ready line to its end."""

import re
import subprocess
from pathlib import Path

import httpx
import pytest

import rtu_magics
from rtu_magics.errors import PermissionDenied

from ...helpers.cli import COMMAND, ready_line, serving

pytestmark = pytest.mark.server


def fails(*args: str, cwd: Path) -> str:
    done = subprocess.run(
        [*COMMAND, "serve", *args], cwd=cwd, capture_output=True, text=True, timeout=90, check=False
    )
    assert done.returncode != 0
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    return done.stderr


def test_json_line_names_everything_a_client_needs(tmp_path: Path) -> None:
    with serving("--json", cwd=tmp_path, RTU_SERVER_TOKEN="secret") as process:
        info = ready_line(process)
        assert info["token"] == "secret"
        assert info["pid"] == process.pid
        answer = httpx.get(
            f"{info['api_url']}/info", headers={"Authorization": "Bearer secret"}, trust_env=False
        )
        assert answer.json()["space_id"] == info["space_id"]
        assert httpx.get(f"{info['api_url']}/info", trust_env=False).status_code == 401


def test_space_and_project_are_the_same_every_time(tmp_path: Path) -> None:
    seen = []
    for _ in range(2):
        with serving("--json", cwd=tmp_path) as process:
            info = ready_line(process)
            seen.append((info["space_id"], info["project_id"]))
    assert seen[0] == seen[1]


def test_a_notebook_that_is_missing_is_created_and_linked(tmp_path: Path) -> None:
    with serving("new.ipynb", "--new", "--json", cwd=tmp_path) as process:
        info = ready_line(process)
        assert (tmp_path / "new.ipynb").exists()
        assert info["link"].endswith(f"/rtu/f/{info['file_id']}")


def test_people_are_told_what_to_type(tmp_path: Path) -> None:
    with serving("lesson.ipynb", "--new", cwd=tmp_path, RTU_SERVER_TOKEN="secret") as process:
        assert process.stdout is not None
        text = "".join(iter(process.stdout.readline, "Ctrl-C ends the server.\n"))
        others, yours = re.findall(r"%rtu_connect (http://127\.0\.0\.1:\S+)", text)
        assert yours.endswith("?token=secret")
        assert text.index("Yours only") < text.index("secret")
        assert "secret" not in others
        assert "viewer" in text[: text.index(others)]
        session = rtu_magics.connect(others)
        try:
            assert session.role == "viewer"
            with pytest.raises(PermissionDenied, match="you are a viewer here"):
                session.add("x = 1")
        finally:
            session.close()


def test_a_directory_s_owner_is_told_how_to_let_others_in(tmp_path: Path) -> None:
    with serving(cwd=tmp_path, RTU_SERVER_TOKEN="secret") as process:
        assert process.stdout is not None
        text = "".join(iter(process.stdout.readline, "Ctrl-C ends the server.\n"))
        assert "rtu-magics share NOTEBOOK.ipynb" in text[: text.index("Yours only")]
        assert text.count("secret") == 1


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["missing"], "missing does not exist; name a directory, or a notebook"),
        (["data.csv"], "data.csv is not a notebook: its name has to end in .ipynb"),
        (["no/where.ipynb"], "the directory no does not exist; create it first"),
        (["--port", "99999"], "99999 is no port; give one from 1 to 65535"),
    ],
)
def test_wrong_arguments_get_one_line(tmp_path: Path, args: list[str], says: str) -> None:
    (tmp_path / "data.csv").write_text("a,b")
    error = fails(*args, cwd=tmp_path)
    assert says in error
    assert error.count("\n") == 1


def test_a_file_that_is_no_notebook_ends_the_server_with_one_line(tmp_path: Path) -> None:
    (tmp_path / "broken.ipynb").write_text("not json")
    error = fails("broken.ipynb", "--json", cwd=tmp_path)
    assert "cannot open broken.ipynb" in error


def test_a_second_server_for_the_same_directory_is_refused(tmp_path: Path) -> None:
    with serving("--json", cwd=tmp_path) as process:
        ready_line(process)
        error = fails("--json", cwd=tmp_path)
        assert "already" in error


def test_a_taken_port_is_said_in_one_line(tmp_path: Path) -> None:
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
    with serving("--json", cwd=tmp_path / "one") as process:
        port = str(ready_line(process)["url"].rstrip("/").rpartition(":")[2])
        error = fails("--port", port, cwd=tmp_path / "other")
        assert f"127.0.0.1:{port}" in error


def test_what_share_advises_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a server that a notebook started: leave it, serve for others, share from there."""
    monkeypatch.chdir(tmp_path)
    session = rtu_magics.connect("lesson.ipynb", new=True, say=lambda _: None)
    assert session.lease is not None
    assert session.lease.server.leased
    session.add("kept = 1")
    session.close()
    # At once, as one types it; what addresses others get is `outside_view`'s business.
    with serving(".", "--host", "127.0.0.1", cwd=tmp_path) as process:
        assert process.stdout is not None
        "".join(iter(process.stdout.readline, "Ctrl-C ends the server.\n"))
        with rtu_magics.connect("lesson.ipynb", say=lambda _: None) as again:
            assert again.lease is not None
            assert not again.lease.server.leased
            url = again.share("contributor", name="Ann").url
            assert url is not None
            with rtu_magics.connect(url, name="ann", say=lambda _: None) as ann:
                assert [view.cell.source for view in ann.cells()] == ["kept = 1"]
                assert ann.role == "contributor"


def test_a_server_that_is_used_is_not_waited_for_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with rtu_magics.connect("lesson.ipynb", new=True, say=lambda _: None):
        said = fails(".", cwd=tmp_path)
    assert "waiting for the server that a notebook started" in said
    assert "a server already runs" in said.splitlines()[-1]
