"""A notebook's own kernel connects to that notebook: nothing waits for itself."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from jupyter_client.blocking import BlockingKernelClient

from rtu_magics.embedded.registry import read_address

from ...helpers.fork_server import run_module
from ...helpers.server import free_port

pytestmark = [pytest.mark.server, pytest.mark.kernel, pytest.mark.timeout(240)]


class Own:
    """A kernel that a Jupyter Server started for ``me.ipynb``, as a front end does."""

    def __init__(self, root: Path, port: int, runtime: Path) -> None:
        self.root = root
        headers = {"Authorization": "token secret"}
        body = {"path": "me.ipynb", "name": "me.ipynb", "type": "notebook"}
        body |= {"kernel": {"name": "python3"}}  # type: ignore[dict-item]
        answer = httpx.post(
            f"http://127.0.0.1:{port}/api/sessions", headers=headers, json=body, timeout=60
        )
        kernel_id = answer.json()["kernel"]["id"]
        self.client = BlockingKernelClient()
        self.client.load_connection_file(str(runtime / f"kernel-{kernel_id}.json"))
        self.client.start_channels()
        for attempt in range(60):  # a kernel that starts under load misses heartbeats
            try:
                self.client.wait_for_ready(timeout=60)
                break
            except RuntimeError:
                assert attempt < 59, "the kernel does not start"
                time.sleep(0.5)

    def run(self, code: str) -> str:
        """Run a cell, which must not wait for itself; returns what it printed and raised."""
        said = []

        def take(message: dict) -> None:  # type: ignore[type-arg]
            content = message["content"]
            said.append(content.get("text") or "".join(content.get("traceback", [])))

        self.client.execute_interactive(code, output_hook=take, timeout=60, allow_stdin=False)
        return "".join(said)


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Own]:
    home = tmp_path_factory.mktemp("own")
    root, runtime, port = home / "work", home / "runtime", free_port()
    root.mkdir()
    (root / "me.ipynb").write_text(
        '{"cells": [{"cell_type": "code", "id": "one", "source": "1", "metadata": {}, "outputs": '
        '[], "execution_count": null}], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}'
    )
    for name in ("other", "third"):
        (root / f"{name}.ipynb").write_text(
            '{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}'
        )
    command = ["--no-browser", "--allow-root"]
    command += [f"--port={port}", "--ServerApp.port_retries=0", "--IdentityProvider.token=secret"]
    env = {k: v for k, v in os.environ.items() if not k.startswith("RTU_")}
    env |= {"JUPYTER_RUNTIME_DIR": str(runtime), "IPYTHONDIR": str(home / "ipython")}
    with (home / "log").open("wb") as log:
        process = run_module("jupyter_server", *command, cwd=root, env=env, log=log)
    try:
        for _ in range(600):
            if read_address(root / ".rtu_magics") is not None:
                break
            time.sleep(0.1)
        found = Own(root, port, runtime)
        yield found
        found.client.stop_channels()
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)


def test_every_verb_that_would_wait_says_so_at_once(own: Own) -> None:
    said = own.run("%load_ext rtu_magics\n%rtu_connect me.ipynb --no-widget")
    assert "note: it runs on this very kernel" in said
    for cell in (
        "%rtu_exec one",
        "%rtu_exec --all",
        "%rtu_exec one --bg",
        "x = %rtu_exec one",
        "%%rtu_exec\n2",
        "%%rtu_exec --scratch\n2",
        "%%rtu_exec --bg\n2",
        "%%rtu_add --run\n2",
        "%rtu_remote on",
        "x = 1\n%rtu_push x",
        "%rtu_get x",
        "%rtu_vars",
        "%rtu_kernel start",
        "%rtu_kernel restart",
        "%rtu_kernel stop",
        "%rtu_kernel restart --name python3",
        "import rtu_magics\nrtu_magics.connect('me.ipynb').run('one')",
    ):
        said = own.run(cell)
        assert "KernelError: me.ipynb runs on this very kernel" in said, (cell, said)
        assert "rtu_magics/" not in said
    assert "me.ipynb" in own.run("%rtu_cells\n%rtu_sessions")  # and it works on
    assert own.run("print('alive')") == "alive\n"


def test_another_notebook_of_the_same_server_is_another_kernel(own: Own) -> None:
    said = own.run("%load_ext rtu_magics\n%rtu_connect other.ipynb --no-widget")
    assert "very kernel" not in said
    assert "42" in own.run("%%rtu_exec -s other\nprint(6 * 7)")


def test_by_its_address_and_by_an_invitation(own: Own) -> None:
    own.run("%load_ext rtu_magics\n%rtu_connect me.ipynb --no-widget")
    own.run("%rtu_share -s me --role executor -o link -q")
    own.run("%rtu_connect {link} -s guest --no-widget")
    said = own.run("%rtu_exec one -s guest")
    assert "KernelError: me.ipynb runs on this very kernel" in said


def _connect(*names: str) -> str:
    lines = [f"%rtu_connect {name}.ipynb -s {name} --no-widget" for name in names]
    return "\n".join(["%load_ext rtu_magics", *lines])


def _remote(name: str, code: str, flags: str = "--scratch") -> str:
    """Return code that runs code in the kernel of a notebook and waits for it."""
    return f"get_ipython().run_cell_magic('rtu_exec', '-s {name} {flags}', {code!r})"


def test_kernels_that_would_wait_for_one_another_say_so(own: Own) -> None:
    own.run(_connect("other", "third"))
    own.run(_remote("other", _connect("me", "third")))
    own.run(_remote("third", _connect("me", "other")))
    circle = "this notebook's kernel waits for the kernel that asks"
    for code in (
        _remote("other", _remote("me", "1")),
        _remote("other", _remote("me", "1", "")),
        _remote("other", _remote("third", _remote("me", "1"))),
        _remote("other", _remote("third", _remote("other", "1"))),
    ):
        said = own.run(code)
        assert circle in said, said
        assert "rtu_magics/" not in said
    # Where nobody waits it is no circle.
    assert "3" in own.run(_remote("other", _remote("third", "print(3)")))
    said = own.run(_remote("other", _remote("me", "print(4)", "--scratch --bg -o later")))
    assert circle not in said
    assert "True" in own.run(_remote("other", "print(later.wait(30))"))
