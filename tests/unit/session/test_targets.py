"""What can be connected to, and what is said about everything else."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from rtu_magics.errors import AuthenticationFailed, TargetError
from rtu_magics.session.endpoint.target import (
    LocalTarget,
    RemoteTarget,
    find_token,
    mask,
    parse_target,
)

ID = UUID("0b3c7c1e-5a7c-4c7b-9f0e-3a1b2c3d4e5f")


@pytest.mark.parametrize(
    ("url", "base", "path", "token"),
    [
        ("http://h:8888/lab/tree/a.ipynb", "http://h:8888", "a.ipynb", None),
        ("http://h:8888/lab/tree/d/a%20b.ipynb?token=t", "http://h:8888", "d/a b.ipynb", "t"),
        ("https://h/user/ann/lab/tree/a.ipynb#x", "https://h/user/ann", "a.ipynb", None),
        ("http://h/lab/workspaces/w/tree/a.ipynb", "http://h", "a.ipynb", None),
        ("http://h/notebooks/d/a.ipynb", "http://h", "d/a.ipynb", None),
        ("http://h/base/tree/a.ipynb", "http://h/base", "a.ipynb", None),
        ("http://h/doc/tree/a.ipynb", "http://h", "a.ipynb", None),
        ("http://h/tree/notebooks/a.ipynb", "http://h", "notebooks/a.ipynb", None),
        ("http://u:p@h/tree/a.ipynb", "http://h", "a.ipynb", None),
    ],
)
def test_notebook_urls(url: str, base: str, path: str, token: str | None) -> None:
    assert parse_target(url) == RemoteTarget(base, path=path, token=token)
    target = parse_target(url)
    assert isinstance(target, RemoteTarget)
    assert target.token == token
    assert target.api_url == f"{base}/rtu/api"


def test_share_links() -> None:
    target = parse_target(f"https://hub/x/rtu/f/{ID}?invite=j")
    assert isinstance(target, RemoteTarget)
    assert (target.base_url, target.file_id, target.path) == ("https://hub/x", ID, None)
    assert target.token == "j"
    assert "invite" not in repr(target)
    assert "'j'" not in repr(target)


@pytest.mark.parametrize(
    ("target", "line"),
    [
        (
            "ftp://h/a.ipynb",
            "ftp://h/a.ipynb is not a web address: it has to begin with http:// or https://",
        ),
        (
            "http://h:99999/tree/a.ipynb",
            "http://h:99999/tree/a.ipynb is no URL: Port out of range 0-65535",
        ),
        (
            "http://h:8888/?token=abc",
            "http://h:8888/?token=*** names no notebook; the URL of one looks like "
            "…/rtu/f/<id>, …/lab/tree/<path>, …/notebooks/<path> or …/tree/<path>",
        ),
        (
            "http:///lab/tree/a.ipynb",
            "http:///lab/tree/a.ipynb names no server: write http://HOST:PORT/lab/tree/PATH.ipynb",
        ),
        (
            "http://h/lab/tree/data.csv",
            "http://h/lab/tree/data.csv: 'data.csv' is no notebook; open a notebook there and "
            "copy its address",
        ),
        (
            "http://h/lab/tree",
            "http://h/lab/tree: that is the list of files; open a notebook there and copy its "
            "address",
        ),
        (
            "http://h/rtu/f/12",
            "'12' is not a notebook's id; copy the link again, it ends in /rtu/f/ and "
            "36 characters",
        ),
    ],
)
def test_bad_urls(target: str, line: str) -> None:
    with pytest.raises(TargetError) as info:
        parse_target(target)
    assert str(info.value) == line


def test_local_paths(tmp_path: Path) -> None:
    (tmp_path / "old.ipynb").write_text("{}")
    assert parse_target("old.ipynb", tmp_path) == LocalTarget(tmp_path / "old.ipynb", create=False)
    assert parse_target("new.ipynb", tmp_path) == LocalTarget(tmp_path / "new.ipynb", create=True)
    assert parse_target(str(tmp_path / "new.ipynb")).create  # type: ignore[union-attr]


def test_scratch(tmp_path: Path) -> None:
    scratch = tmp_path / "rtu_scratch.ipynb"
    assert parse_target(None, tmp_path) == LocalTarget(scratch, create=True, scratch=True)
    scratch.write_text("{}")
    assert parse_target(" ", tmp_path) == LocalTarget(scratch, create=False, scratch=True)


@pytest.mark.parametrize(
    ("target", "line"),
    [
        ("d", "d is a directory; name a notebook in it, for example d/rtu_scratch.ipynb"),
        ("data.csv", "data.csv is not a notebook: its name has to end in .ipynb"),
        (
            "nope",
            "nope does not exist; the name of a new notebook ends in .ipynb, and a URL begins "
            "with http:// or https://",
        ),
        ("no/a.ipynb", "the directory {root}/no does not exist; create it first"),
        (
            "lesson",
            "lesson does not exist; did you mean lesson.ipynb? Else: the name of a new notebook "
            "ends in .ipynb, and a URL begins with http:// or https://",
        ),
        (
            "weak1/hw.ipynb",
            "the directory {root}/weak1 does not exist; did you mean week1/hw.ipynb? Else: create "
            "it first",
        ),
    ],
)
def test_bad_paths(tmp_path: Path, target: str, line: str) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "week1").mkdir()
    for name in ("data.csv", "lesson.ipynb", "week1/hw.ipynb"):
        (tmp_path / name).write_text("1")
    with pytest.raises(TargetError) as info:
        parse_target(target, tmp_path)
    assert str(info.value) == line.format(root=tmp_path)


def test_token_order(monkeypatch: pytest.MonkeyPatch) -> None:
    target = RemoteTarget("http://h", path="a.ipynb", token="url")
    bare = RemoteTarget("http://h", path="a.ipynb")
    monkeypatch.setenv("RTU_TOKEN", "env")
    assert find_token("given", target) == "given"
    assert find_token(None, target) == "url"
    assert find_token(None, bare) == "env"
    monkeypatch.delenv("RTU_TOKEN")
    asked: list[str] = []
    assert find_token(None, bare, lambda prompt: (asked.append(prompt), " typed ")[1]) == "typed"
    assert asked == ["token for http://h: "]


class Keyring:
    """Stands in for the package of that name."""

    def __init__(self, kept: str | Exception | None) -> None:
        self.kept = kept
        self.asked: list[tuple[str, str]] = []

    def get_password(self, service: str, user: str) -> str | None:
        self.asked.append((service, user))
        if isinstance(self.kept, Exception):
            raise self.kept
        return self.kept


def test_the_keyring_comes_before_the_question(monkeypatch: pytest.MonkeyPatch) -> None:
    bare = RemoteTarget("http://h", path="a.ipynb")
    monkeypatch.delenv("RTU_TOKEN", raising=False)
    keyring = Keyring("kept\n")
    monkeypatch.setitem(sys.modules, "keyring", keyring)
    assert find_token(None, bare, lambda prompt: "typed") == "kept"
    assert keyring.asked == [("rtu_magics", "http://h")]
    assert find_token("given", bare) == "given"
    assert len(keyring.asked) == 1
    for nothing in (None, "", RuntimeError("locked")):
        monkeypatch.setitem(sys.modules, "keyring", Keyring(nothing))
        assert find_token(None, bare, lambda prompt: "typed") == "typed"
    monkeypatch.setitem(sys.modules, "keyring", None)  # not installed
    assert find_token(None, bare, lambda prompt: "typed") == "typed"


def test_no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RTU_TOKEN", raising=False)
    with pytest.raises(AuthenticationFailed) as info:
        find_token(None, RemoteTarget("http://h"), lambda _: "")
    assert str(info.value) == (
        "http://h needs a token: set the environment variable RTU_TOKEN or give --token"
    )


def test_mask() -> None:
    assert mask("x?token=s3cret&invite=e.y.J z") == "x?token=***&invite=*** z"


@pytest.mark.parametrize(
    ("url", "base", "path"),
    [
        ("http://h/lab/tree/RTC:d/a.ipynb", "http://h", "d/a.ipynb"),
        ("http://h/lab/tree/RTC%3Aa.ipynb?reset", "http://h", "a.ipynb"),
        ("http://h/lab/workspaces/auto-1/tree/RTC:a.ipynb?token=t#L1", "http://h", "a.ipynb"),
        ("http://h/nbclassic/notebooks/d/a.ipynb", "http://h", "d/a.ipynb"),
        ("http://h/base/nbclassic/tree/a.ipynb", "http://h/base", "a.ipynb"),
        ("http://h/edit/a.ipynb", "http://h", "a.ipynb"),
        ("http://h/files/d/a.ipynb", "http://h", "d/a.ipynb"),
        ("http://h/voila/render/a.ipynb", "http://h", "a.ipynb"),
        ("http://h/api/contents/a.ipynb", "http://h", "a.ipynb"),
        ("http://h/doc/workspaces/w/tree/a.ipynb", "http://h", "a.ipynb"),
        ("https://hub/hub/user/ann/lab/tree/a.ipynb", "https://hub/user/ann", "a.ipynb"),
        ("https://hub/user/tree/lab/tree/a.ipynb", "https://hub/user/tree", "a.ipynb"),
    ],
)
def test_addresses_that_browsers_show(url: str, base: str, path: str) -> None:
    target = parse_target(url)
    assert isinstance(target, RemoteTarget)
    assert (target.base_url, target.path) == (base, path)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("lessn", "lesson.ipynb"),
        ("lesson.ipnyb", "lesson.ipynb"),
        ("Lesson.ipy", "lesson.ipynb"),
        ("week1/hw", "week1/hw.ipynb"),
        ("./week1/hv.ipyn", "week1/hw.ipynb"),
        ("wek1/hw.ipynb", "week1/hw.ipynb"),
        ("{root}/lessn", "{root}/lesson.ipynb"),
    ],
)
def test_which_path_was_meant(tmp_path: Path, typed: str, meant: str) -> None:
    (tmp_path / "week1").mkdir()
    for name in ("lesson.ipynb", "week1/hw.ipynb"):
        (tmp_path / name).write_text("1")
    with pytest.raises(TargetError) as info:
        parse_target(typed.format(root=tmp_path), tmp_path)
    assert f"; did you mean {meant.format(root=tmp_path)}? Else: " in str(info.value)


def test_a_path_object(tmp_path: Path) -> None:
    path = tmp_path / "a.ipynb"
    assert parse_target(path) == LocalTarget(path, create=True)


@pytest.mark.parametrize("target", [5, b"a.ipynb", ["a.ipynb"]])
def test_what_is_no_text(target: Any) -> None:
    with pytest.raises(TargetError, match="names no notebook: give its path or its URL as text"):
        parse_target(target)


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("https://hub/user-redirect/lab/tree/a.ipynb", "copy the address that it leads to"),
        ("https://hub/hub/user-redirect/lab/tree/a.ipynb", "copy the address that it leads to"),
        ("http://h/lab", "that is the list of files"),
        ("http://h/lab/workspaces/w", "that is the list of files"),
        ("lab.example:8888/lab/tree/a.ipynb", "did you mean http://lab.example:8888/lab/tree/a"),
        ("https:/h/tree/a.ipynb", "did you mean https://h/tree/a.ipynb?"),
        ("file://elsewhere/a.ipynb", "on another machine"),
        ("http:/h:8888/week1/a.ipynb", "a URL begins with http:// or https://"),
        ("http://h:8888/week1/a.ipynb", "did you mean http://h:8888/lab/tree/week1/a.ipynb?"),
        ("a\x07.ipynb", "control characters"),
        ("a\u2028b.ipynb", "control characters"),
        ("x" * 250 + ".ipynb", "a name of 256 bytes"),
        ("~nobody_here/a.ipynb", "nobody on this machine is called 'nobody_here'"),
        ("é" * 130 + ".ipynb", "a name of 266 bytes"),
    ],
)
def test_what_people_type(tmp_path: Path, target: str, words: str) -> None:
    with pytest.raises(TargetError) as info:
        parse_target(target, tmp_path)
    assert words in str(info.value)
    assert "\n" not in str(info.value)


@pytest.mark.parametrize(
    "name",
    [
        "a\\b.ipynb",
        "~home.ipynb",
        " lead.ipynb",
        "-x.ipynb",
        "50%25 off.ipynb",
        "x" * 240 + ".ipynb",
    ],
)
def test_odd_names_that_are_there(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("{}")
    assert parse_target(name, tmp_path) == LocalTarget(tmp_path / name, create=False)


def test_file_urls(tmp_path: Path) -> None:
    (tmp_path / "two words.ipynb").write_text("{}")
    url = (tmp_path / "two words.ipynb").as_uri()
    assert parse_target(url) == LocalTarget(tmp_path / "two words.ipynb", create=False)


def test_an_address_may_be_longer_than_a_name() -> None:
    token = ".".join(["a" * 150] * 3)
    found = parse_target(f" http://lab.example/rtu/f/{UUID(int=1)}?invite={token}")
    assert isinstance(found, RemoteTarget)
    assert found.token == token
