"""What the parser finds reaches the function of the subcommand, under its parameters' names."""

from __future__ import annotations

import inspect
from importlib import import_module
from typing import Any

import pytest

from rtu_magics.cli import main

ALL = {
    "serve": (
        "a.ipynb --host 0.0.0.0 --port 80 --token T --base-url /b/ --certfile c --keyfile k --json "
        "--new",
        {
            "target": "a.ipynb",
            "host": "0.0.0.0",
            "port": 80,
            "token": "T",
            "base_url": "/b/",
            "certfile": "c",
            "keyfile": "k",
            "as_json": True,
            "new": True,
        },
    ),
    "share": (
        "a.ipynb --token T --cafile c --role executor --expires 2h --name Ann",
        {
            "target": "a.ipynb",
            "token": "T",
            "cafile": "c",
            "role": "executor",
            "expires": "2h",
            "name": "Ann",
        },
    ),
    "tail": (
        "a.ipynb --token T --cafile c --channel files --channel system --event x --full",
        {
            "target": "a.ipynb",
            "token": "T",
            "cafile": "c",
            "channels": ["files", "system"],
            "events": ["x"],
            "full": True,
        },
    ),
    "doctor": ("here", {"directory": "here"}),
    "demo": ("--directory there", {"directory": "there"}),
}


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("given", ["everything", "nothing"])
def test_arguments_reach_the_function(
    name: str, given: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    line, expected = ALL[name]
    if given == "nothing":
        line = "a.ipynb" if name in ("share", "tail") else ""
    module = import_module(f"rtu_magics.cli.{name}")
    signature = inspect.signature(getattr(module, name))
    found: dict[str, Any] = {}

    def function(**options: Any) -> int:
        found.update(signature.bind(**options).arguments)
        return 7

    monkeypatch.setattr(module, name, function)
    assert main([name, *line.split()]) == 7
    assert found.keys() == expected.keys()
    if given == "everything":
        assert found == expected


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        ("serve --ho 0.0.0.0", "--host"),
        ("share a.ipynb --exp 3d", "--expires"),
        ("tail a.ipynb -full", "--full"),
        ("tail a.ipynb --chan files", "--channel"),
        ("demo --dir x", "--directory"),
    ],
)
def test_half_an_option_is_none(line: str, meant: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(line.split())
    assert caught.value.code == 2
    assert capsys.readouterr().err.endswith(f"(did you mean {meant}?)\n")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("serve a.ipynb –new", "–new begins with a typographic dash; write --new"),
        ("share a.ipynb —role viewer", "—role begins with a typographic dash; write --role"),
        ("share a.ipynb --name x “Ann", '“ is a typographic quote; write straight ones: "Ann"'),
    ],
)
def test_typographic_characters(line: str, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(line.split())
    assert caught.value.code == 2
    assert capsys.readouterr().err.splitlines()[-1].endswith(f"error: {words}")


@pytest.mark.parametrize("command", ["share", "tail"])
def test_a_dead_host_is_told_before_a_token_is_missed(
    command: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RTU_TOKEN", raising=False)
    assert main([command, "http://127.0.0.1:9/lab/tree/a.ipynb"]) != 0
    assert capsys.readouterr().err == (
        "rtu-magics: nothing listens at 127.0.0.1:9: is the server running, and is the port "
        "right?\n"
    )
