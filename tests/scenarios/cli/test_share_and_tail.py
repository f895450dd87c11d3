"""``rtu-magics share`` and ``tail``, as processes against a server that runs."""

from __future__ import annotations

import json
import os
import queue
import re
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from rtu_magics.cli import main
from rtu_magics.cli.tail import masked
from rtu_magics.client import APIClient

from ...helpers.cli import COMMAND
from ...helpers.server import RunningServer, running_server, start_server

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with running_server(tmp_path_factory.mktemp("served")) as running:
        (running.root / "lesson.ipynb").write_text(
            json.dumps({"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
        )
        yield running


def command(*args: str, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *args],
        cwd=cwd,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )


def url(server: RunningServer) -> str:
    return f"{server.url}tree/lesson.ipynb"


class Follower:
    """A running ``rtu-magics tail``."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.lines: queue.Queue[str] = queue.Queue()
        self.said: queue.Queue[str] = queue.Queue()
        for stream, lines in ((process.stdout, self.lines), (process.stderr, self.said)):
            assert stream is not None
            threading.Thread(target=self._read, args=(stream, lines), daemon=True).start()

    @staticmethod
    def _read(stream: Iterator[str], lines: queue.Queue[str]) -> None:
        for line in stream:
            lines.put(line.rstrip("\n"))

    def line(self, text: str, of: queue.Queue[str] | None = None) -> str:
        """Wait for a line that holds a text."""
        while True:
            line = (of or self.lines).get(timeout=90)
            if text in line:
                return line


@contextmanager
def tail(*args: str, cwd: Path, **env: str) -> Iterator[Follower]:
    process = subprocess.Popen(
        [*COMMAND, "tail", *args],
        cwd=cwd,
        env={**os.environ, **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield Follower(process)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(60)
        for stream in (process.stdout, process.stderr):
            assert stream is not None
            stream.close()


async def edit(server: RunningServer, source: str) -> None:
    async with APIClient(server.token, server.api_url) as api:
        client = await api.connect_realtime(await api.open_file("lesson.ipynb"))
        await client.add_cell(source)
        await client.shutdown(now=True)


def test_share_prints_a_link_that_lets_in(server: RunningServer, tmp_path: Path) -> None:
    done = command(
        "share", url(server), "--role", "executor", "--expires", "2h", "--name", "Ann",
        cwd=tmp_path, RTU_TOKEN=server.token,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    link = done.stdout.strip()
    assert re.fullmatch(rf"{server.url}rtu/f/[\w-]{{36}}\?invite=[\w-]+\.[\w-]+\.[\w-]+", link)
    assert "whoever has this link is an executor there until 20" in done.stderr
    with tail(link, cwd=tmp_path) as following:
        assert "following lesson.ipynb" in following.line("following", following.said)
        assert '"first_name": "Ann"' in following.line("authenticate_reply")


async def test_tail_shows_every_message_and_ends_on_an_interrupt(
    server: RunningServer, tmp_path: Path
) -> None:
    with tail(url(server), cwd=tmp_path, RTU_TOKEN=server.token) as following:
        assert "Ctrl-C ends" in following.line("following", following.said)
        await edit(server, "six = 6")
        line = following.line("new_delta_event")
        assert re.match(r"\d\d:\d\d:\d\d\.\d{3}  files   new_delta_event  +nb_cells add ", line)
        assert "six = 6" in line
        following.process.send_signal(signal.SIGINT)
        assert following.process.wait(20) == 0
        assert following.said.empty()


async def test_tail_filters(server: RunningServer, tmp_path: Path) -> None:
    arguments = ("--channel", "files", "--event", "*delta*", "--full")
    with tail(url(server), *arguments, cwd=tmp_path, RTU_TOKEN=server.token) as following:
        following.line("following", following.said)
        await edit(server, "seven = 7")
        first = json.loads(following.lines.get(timeout=90))
        assert first["event"] == "new_delta_event"
        assert first["data"]["properties"]["cell"]["source"] == "seven = 7"


def test_tail_says_when_it_reconnects(tmp_path: Path) -> None:
    (tmp_path / "lesson.ipynb").write_text(
        '{"cells":[],"metadata":{},"nbformat":4,"nbformat_minor":5}'
    )
    server = start_server(tmp_path)
    with tail(url(server), cwd=tmp_path, RTU_TOKEN=server.token) as following:
        try:
            following.line("following", following.said)
        finally:
            server.stop()
        following.line("reconnecting", following.said)
        again = start_server(tmp_path, token=server.token, port=int(server.url.split(":")[2][:-1]))
        try:
            following.line("following lesson.ipynb again", following.said)
        finally:
            again.stop()


@pytest.mark.parametrize(
    ("args", "line"),
    [
        (("tail", "missing.ipynb"), "no server runs for missing.ipynb; start one with: rtu-magics"),
        (("tail", "ftp://x/y"), "ftp://x/y is not a web address"),
        (("tail", "http://127.0.0.1:9/tree/a.ipynb"), "nothing listens at 127.0.0.1:9"),
        (("share", "URL", "--token", "wrong"), "does not accept the token"),
        (("share", "URL", "--expires", "soon"), "'soon' is no duration"),
        (("tail", "URL2"), "has no notebook missing.ipynb"),
    ],
)
def test_what_is_wrong_is_one_line(
    server: RunningServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    args: tuple[str, ...],
    line: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RTU_TOKEN", server.token)
    places = {"URL": url(server), "URL2": f"{server.url}tree/missing.ipynb"}
    assert main([places.get(arg, arg) for arg in args]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("rtu-magics: ")
    assert line in printed.err
    assert printed.err.count("\n") == 1


def test_secrets_are_masked() -> None:
    jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"
    data = {
        "token": "abc",
        "presigned_url": "http://h/rtu/api/v1/x?expires=12&sig=abc-_=",
        "deep": [{"link": f"http://h/rtu/f/1?invite={jwt}"}, f"said {jwt} aloud"],
        "source": "token = 5",
        "password": False,
    }
    assert masked(data) == {
        "token": "***",
        "presigned_url": "http://h/rtu/api/v1/x?expires=12&sig=***",
        "deep": [{"link": "http://h/rtu/f/1?invite=***"}, "said *** aloud"],
        "source": "token = 5",
        "password": False,
    }
