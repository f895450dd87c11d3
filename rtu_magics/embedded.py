"""The server on this machine: found or started, and kept by a lease.

Kernels on one machine share the server of a directory. Who finds none starts one: a child process
in a process group of its own, so that an interrupt of this kernel does not reach it. A lock settles
who starts it; the operating system drops the lock when its holder dies, so a stale one cannot be.
Everyone who uses the server holds a lease, and it ends shortly after the last lease.

Standard library only: this module knows the server by its command line and two REST calls.
"""

from __future__ import annotations

import atexit
import contextlib
import http.client
import json
import os
import secrets
import stat
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .errors import EmbeddedServerError

__all__ = ["STATE_DIR", "EmbeddedServer", "Lease", "find_or_start", "find_server", "open_server"]

STATE_DIR = ".rtu_magics"
"""Directory below the served one that holds the server's database, log and address."""

START_TIMEOUT = 30.0  # seconds until the ready line must have come
GOING_TIMEOUT = 6.0  # seconds that a server which is ending gets before the next one starts
PROBE_TIMEOUT = 3.0  # seconds for an answer on the loopback interface

_COMPLAINT = "rtu_magics: "  # begins the line of a server that refuses to start

# Settings of the Jupyter Server that started *this* kernel. A server started here must not take
# them for its own (its port, its token, the process that its kernels watch).
_FOREIGN_ENV = ("JPY_", "JUPYTER_TOKEN", "JUPYTER_PORT", "JUPYTER_IP", "JUPYTER_SERVER_")

Say = Callable[[str], object]


def _quiet(_line: str) -> None:
    """Say nothing."""


@dataclass(frozen=True)
class EmbeddedServer:
    """A running server on this machine.

    Attributes
    ----------
    url
        Its base URL, ``http://127.0.0.1:<port>/``.
    token
        What it accepts as an owner's token.
    pid
        Its process.
    root_dir
        The directory it serves.
    started
        Whether this call started it.
    """

    url: str
    token: str = field(repr=False)
    pid: int
    root_dir: Path
    started: bool = False

    @property
    def api_url(self) -> str:
        """The base URL of its REST API."""
        return f"{self.url.rstrip('/')}/rtu/api"


def _call(server: EmbeddedServer, method: str, path: str, body: Any = None) -> Any:
    """Make one REST call; never through a proxy, the server is on this machine."""
    request = urllib.request.Request(
        f"{server.api_url}{path}",
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={
            "Authorization": f"Bearer {server.token}",
            "Content-Type": "application/json",
        },
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=PROBE_TIMEOUT) as response:
        content = response.read()
    return json.loads(content) if content else None


def _read_address(state: Path) -> EmbeddedServer | None:
    try:
        found = json.loads((state / "server.json").read_text(encoding="utf-8"))
        return EmbeddedServer(
            url=str(found["url"]),
            token=str(found["token"]),
            pid=int(found["pid"]),
            root_dir=Path(found["root_dir"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None  # none, not ours to read, or half a file: as good as none


def _answers(server: EmbeddedServer) -> bool:
    """Whether this very server is there; raise if something is but does not answer."""
    try:
        info = _call(server, "GET", "/info")
    except urllib.error.HTTPError:
        return False  # another program took over the port
    except (TimeoutError, urllib.error.URLError) as exc:
        if isinstance(exc, TimeoutError) or isinstance(exc.reason, TimeoutError):
            raise EmbeddedServerError(
                f"the server for {server.root_dir} (process {server.pid}) does not answer; "
                f"end that process and connect again"
            ) from None
        return False
    except (OSError, ValueError):
        return False
    return (
        isinstance(info, dict)
        and info.get("name") == "rtu_magics"
        and info.get("pid") == server.pid
    )


def find_server(directory: str | os.PathLike[str]) -> EmbeddedServer | None:
    """Find a live server of a directory or of one above it.

    Parameters
    ----------
    directory
        Where to begin.

    Raises
    ------
    EmbeddedServerError
        A server is there and does not answer.
    """
    here = Path(directory).resolve()
    for folder in (here, *here.parents):
        server = _read_address(folder / STATE_DIR)
        if server is not None and _answers(server):
            return server
    return None


def find_or_start(root_dir: str | os.PathLike[str], say: Say = _quiet) -> EmbeddedServer:
    """Find the live server of a directory, or start one.

    Parameters
    ----------
    root_dir
        The directory to serve.
    say
        Called with a line of text for each thing that happens.

    Raises
    ------
    EmbeddedServerError
        It did not start, or the directory cannot be written to.
    """
    root = Path(root_dir).resolve()
    found = find_server(root)
    if found is not None:
        return found
    state = root / STATE_DIR
    try:
        state.mkdir(mode=0o700, exist_ok=True)
        ignore = state / ".gitignore"
        if not ignore.exists():  # a token must not be committed by accident
            ignore.write_text("*\n", encoding="utf-8")
        lock = (state / "server.lock").open("a+b")
    except OSError as exc:
        owner = _other_owner(state)
        if owner is not None:
            raise EmbeddedServerError(
                f"{root} is served by {owner}, whose server you cannot use; ask {owner} for the "
                f"URL of the notebook, or work on a copy in a directory of your own"
            ) from None
        raise EmbeddedServerError(
            f"cannot write to {root} ({exc.strerror}); connect to a notebook in a directory that "
            f"you can write to, or to the URL of a running server"
        ) from None
    with lock, _locked(lock):
        found = find_server(root)
        if found is not None:
            return found
        previous = _read_address(state)
        if previous is not None:
            _wait_gone(previous.pid)
        return _start(root, state, say)


def _other_owner(state: Path) -> str | None:
    """Return the name of the user who owns the state directory, None if it is nobody else."""
    try:
        found = state.stat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid == os.geteuid():
            return None
    except (OSError, AttributeError):  # or Windows, where files have no such owner
        return None
    try:
        return state.owner()
    except (KeyError, OSError, NotImplementedError):
        return f"another user ({found.st_uid})"


def open_server(
    root_dir: str | os.PathLike[str], say: Say = _quiet, name: str = ""
) -> tuple[EmbeddedServer, Lease]:
    """Find or start the server of a directory and take a lease on it.

    Parameters
    ----------
    root_dir
        The directory to serve.
    say
        Called with a line of text for each thing that happens.
    name
        Who holds the lease, for the server's log.

    Raises
    ------
    EmbeddedServerError
        It did not start, or does not give a lease.
    """
    why: Exception | None = None
    for _ in range(3):  # it may have been about to end when it was found
        server = find_or_start(root_dir, say)
        try:
            return server, Lease(server, name)
        except (OSError, ValueError, KeyError, TypeError) as exc:
            why = exc
            time.sleep(0.2)
    raise EmbeddedServerError(
        f"the server for {root_dir} gives no lease ({why}); see {_log_path(Path(root_dir))}"
    )


class Lease:
    """Keeps the server alive while held; released at the end of the process at the latest.

    Parameters
    ----------
    server
        The server.
    name
        Who holds it, for the server's log.
    """

    def __init__(self, server: EmbeddedServer, name: str = "") -> None:
        self.server = server
        answer = _call(server, "POST", "/v1/leases", {"pid": os.getpid(), "name": name})
        self.id = str(answer["lease_id"])
        self._pid = os.getpid()
        self._released = False
        atexit.register(self._at_exit)

    def _at_exit(self) -> None:
        self.release(returning=_restarts())

    def release(self, returning: bool = False) -> None:
        """Give the lease back; a second call does nothing.

        Parameters
        ----------
        returning
            Whether this program comes back, so that the server should wait for a while.
        """
        # A forked child has a copy of this object, but the lease is its parent's.
        if self._released or self._pid != os.getpid():
            return
        self._released = True
        atexit.unregister(self._at_exit)
        # When it cannot be given back the server is gone, or sees that this process is.
        with contextlib.suppress(OSError, ValueError, http.client.HTTPException):
            query = "?returning=1" if returning else ""
            _call(self.server, "DELETE", f"/v1/leases/{self.id}{query}")


def _restarts() -> bool:
    """Return whether this process ends because it is a Jupyter kernel that is being restarted."""
    ipykernel = sys.modules.get("ipykernel.kernelapp")
    app = getattr(getattr(ipykernel, "IPKernelApp", None), "_instance", None)
    asked: Any = getattr(getattr(app, "kernel", None), "_shutdown_message", None)
    try:
        return bool(asked["content"]["restart"])
    except (KeyError, TypeError):
        return False


@contextlib.contextmanager
def _locked(file: Any) -> Iterator[None]:
    """Hold an exclusive lock on an open file, waiting for whoever has it."""
    if sys.platform == "win32":
        import msvcrt

        while True:
            file.seek(0)
            try:
                msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
                break
            except OSError:
                time.sleep(0.05)
        try:
            yield
        finally:
            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)
    else:
        import fcntl

        while True:  # not one blocking call: Ctrl-C has to get through
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                time.sleep(0.05)
            except OSError:
                break  # a file system without locks: the second look is all there is
        try:
            yield
        finally:
            with contextlib.suppress(OSError):
                fcntl.flock(file, fcntl.LOCK_UN)


def _wait_gone(pid: int) -> None:
    """Give a server that is just ending the time to write its last words.

    Two servers on one database would be two truths. After the time is up the number surely belongs
    to another process.
    """
    if sys.platform == "win32":
        return  # os.kill(pid, 0) ends the process there
    deadline = time.monotonic() + GOING_TIMEOUT
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
            status = Path(f"/proc/{pid}/stat")
            if status.exists() and status.read_text().rpartition(")")[2].split()[0] == "Z":
                return
        except OSError:
            return
        time.sleep(0.05)


def _log_path(root: Path) -> Path:
    return root / STATE_DIR / "server.log"


def _last_line(log: Path, start: int) -> str:
    """Return the last line that the server logged since `start` (bytes)."""
    try:
        with log.open("rb") as file:
            file.seek(start)
            lines = file.read().decode(errors="replace").split("\n")
    except OSError:
        return ""
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


def _child_env(token: str) -> dict[str, str]:
    env = {k: v for k, v in os.environ.items() if not k.startswith(_FOREIGN_ENV)}
    env["RTU_SERVER_TOKEN"] = token  # not in the arguments, which every user can read
    return env


def _start(root: Path, state: Path, say: Say) -> EmbeddedServer:
    say(f"starting a server for {root} …")
    began = time.monotonic()
    token = secrets.token_urlsafe(32)
    log = _log_path(root)
    ready = state / f"ready-{secrets.token_hex(4)}"
    command = [sys.executable, "-m", "rtu_magics.server"]
    command += ["--root-dir", str(root), "--port", "0", "--lease"]
    try:
        with log.open("ab") as err, ready.open("wb") as out:
            os.chmod(log, 0o600)
            os.chmod(ready, 0o600)  # the ready line holds the token
            log_start = err.tell()
            # The ready line goes through a file: a pipe would break when this process ends. The
            # working directory comes first on the child's path, so it is one without modules.
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                cwd=state,
                env=_child_env(token),
                start_new_session=True,
            )
        _reap(process)
        address = _wait_ready(process, ready, root, log, log_start)
    except OSError as exc:
        raise EmbeddedServerError(f"cannot start a server for {root}: {exc}") from None
    finally:
        with contextlib.suppress(OSError):
            ready.unlink()
    server = EmbeddedServer(address["url"], token, process.pid, root, started=True)
    say(f"server ready in {time.monotonic() - began:.1f} s")
    return server


def _reap(process: subprocess.Popen[bytes]) -> None:
    """Collect the child's status when it ends, whenever that is; it would stay a zombie."""
    threading.Thread(target=process.wait, name="rtu-reaper", daemon=True).start()


def _wait_ready(
    process: subprocess.Popen[bytes], ready: Path, root: Path, log: Path, log_start: int
) -> dict[str, str]:
    deadline = time.monotonic() + START_TIMEOUT
    try:
        while time.monotonic() < deadline:
            ended = process.returncode is not None
            for line in ready.read_bytes().splitlines(keepends=True):
                if line.startswith(b"{") and line.endswith(b"\n"):
                    with contextlib.suppress(ValueError):
                        found = json.loads(line)
                        if isinstance(found, dict) and isinstance(found.get("url"), str):
                            return found
            if ended:
                break
            time.sleep(0.01)
        else:
            raise EmbeddedServerError(
                f"the server for {root} was not ready after {START_TIMEOUT:.0f} s; "
                f"its log is {log}{_quoted(_last_line(log, log_start))}"
            )
    except BaseException:
        with contextlib.suppress(OSError):
            process.terminate()
        raise
    said = _last_line(log, log_start)
    if said.startswith(_COMPLAINT):  # it says itself what is wrong and what to do
        raise EmbeddedServerError(said[len(_COMPLAINT) :])
    raise EmbeddedServerError(
        f"the server for {root} ended at once (code {process.returncode}); "
        f"its log is {log}{_quoted(said)}"
    )


def _quoted(line: str) -> str:
    return f", last line: {line[:200]}" if line else ""
