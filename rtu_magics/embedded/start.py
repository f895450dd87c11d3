"""Starting the server of a directory, once, whoever asks for it at the same time."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from ..errors import EmbeddedServerError
from .directory_lock import is_locked, locked
from .leases import Lease
from .neighbours import join_neighbour
from .registry import STATE_DIR, EmbeddedServer, find_server, log_path, process_ended, read_address

__all__ = ["Afar", "find_or_start", "open_server"]

START_TIMEOUT = 30.0  # seconds until the ready line must have come
GOING_TIMEOUT = 6.0  # seconds that a server which is ending gets before the next one starts

FREE_TIMEOUT = 15.0  # seconds until a directory that is let go must be free

AFAR_MARK = "afar.json"  # in the state directory, where the notebooks live elsewhere

_HELD = 75  # what a server's process ends with when another one has the directory
_COMPLAINT = "rtu_magics: "  # begins the line of a server that refuses to start

# Settings of the Jupyter Server that started *this* kernel. A server started here must not take
# them for its own (its port, its token, the process that its kernels watch).
_FOREIGN_ENV = ("JPY_", "JUPYTER_TOKEN", "JUPYTER_PORT", "JUPYTER_IP", "JUPYTER_SERVER_")

Say = Callable[[str], object]


@dataclass(frozen=True)
class Afar:
    """The server that the notebooks of a directory live on; what lies there are copies.

    Attributes
    ----------
    url, token
        Its base URL without a slash at the end, and its token.
    cafile
        The certificate of an authority to trust besides the usual ones, in PEM.
    """

    url: str
    token: str = field(repr=False)
    cafile: str | None = None


class _Held(EmbeddedServerError):
    """The directory has a server still, though none that can be found."""


def _quiet(_line: str) -> None:
    """Say nothing."""


def find_or_start(
    root_dir: str | os.PathLike[str], say: Say = _quiet, afar: Afar | None = None
) -> EmbeddedServer:
    """Find the live server of a directory, or start one.

    Parameters
    ----------
    root_dir
        The directory to serve.
    say
        Called with a line of text for each thing that happens.
    afar
        Where its notebooks live, if it is elsewhere.

    Raises
    ------
    EmbeddedServerError
        It did not start, or the directory cannot be written to.
    """
    root = Path(root_dir).resolve()
    found = find_server(root)
    if found is not None:
        return found
    if afar is None:
        found = join_neighbour(root, say)
        if found is not None:
            return found
        _check_free_above(root)
    state = root / STATE_DIR
    if afar is None and os.path.exists(state / AFAR_MARK):  # not so if it is another user's
        raise EmbeddedServerError(
            f"{root} holds copies of notebooks on another server; connect to their address there"
        )
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
    with lock, locked(lock):
        found = find_server(root)
        if found is not None:
            return found
        previous = read_address(state)
        if previous is not None:
            _wait_gone(previous.pid)
        return _start_once_free(root, state, say, afar)


def _check_free_above(root: Path) -> None:
    """Let no server of ours serve what one above serves that cannot be found.

    Raises
    ------
    EmbeddedServerError
        There is one.
    """
    for folder in root.parents:
        until = time.monotonic() + FREE_TIMEOUT
        while is_locked(folder / STATE_DIR / "rtu.lock"):
            if time.monotonic() > until:
                raise EmbeddedServerError(
                    f"{folder} is served by a server of rtu_magics, notebooks in {root} among "
                    "them, and it cannot be reached from here; connect to its URL, or stop it"
                )
            time.sleep(0.2)  # it may be about to end


def _start_once_free(root: Path, state: Path, say: Say, afar: Afar | None) -> EmbeddedServer:
    """Start a server, also where one that ends has taken its address away and not yet let go."""
    until = time.monotonic() + FREE_TIMEOUT
    say(f"starting a server for {afar.url if afar else root} …")
    while True:
        try:
            return _start(root, state, say, afar)
        except _Held as exc:
            found = find_server(root)
            if found is not None:
                return found
            if time.monotonic() > until:
                raise EmbeddedServerError(str(exc)) from None
            time.sleep(0.3)


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
    root_dir: str | os.PathLike[str],
    say: Say = _quiet,
    name: str = "",
    afar: Afar | None = None,
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
    afar
        Where its notebooks live, if it is elsewhere.

    Raises
    ------
    EmbeddedServerError
        It did not start, or does not give a lease.
    """
    why: Exception | None = None
    for _ in range(3):  # it may have been about to end when it was found
        server = find_or_start(root_dir, say, afar)
        if afar is not None:
            server = replace(server, afar=afar.url)
        try:
            return server, Lease(server, name)
        except (OSError, ValueError, KeyError, TypeError) as exc:
            why = exc
            time.sleep(0.2)
    raise EmbeddedServerError(
        f"the server for {root_dir} gives no lease ({why}); see {log_path(Path(root_dir))}"
    )


def _wait_gone(pid: int) -> None:
    """Give a server that is just ending the time to write its last words.

    Two servers on one database would be two truths. After the time is up the number surely belongs
    to another process.
    """
    if sys.platform == "win32":
        return
    deadline = time.monotonic() + GOING_TIMEOUT
    while time.monotonic() < deadline and not process_ended(pid):
        time.sleep(0.05)


def _last_line(log: Path, start: int) -> str:
    """Return the last line that the server logged since `start` (bytes)."""
    try:
        with log.open("rb") as file:
            file.seek(start)
            lines = file.read().decode(errors="replace").split("\n")
    except OSError:
        return ""
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


def _child_env(token: str, afar: Afar | None) -> dict[str, str]:
    env = {k: v for k, v in os.environ.items() if not k.startswith(_FOREIGN_ENV)}
    env["RTU_SERVER_TOKEN"] = token  # not in the arguments, which every user can read
    if afar is not None:
        env["RTU_AFAR_TOKEN"] = afar.token
        if afar.cafile is not None:
            env["SSL_CERT_FILE"] = os.path.abspath(os.path.expanduser(afar.cafile))
    return env


def _start(root: Path, state: Path, say: Say, afar: Afar | None) -> EmbeddedServer:
    began = time.monotonic()
    token = secrets.token_hex(32)
    log = log_path(root)
    ready = state / f"ready-{secrets.token_hex(4)}"
    command = [sys.executable, "-m", "rtu_magics.server"]
    command += ["--root-dir", str(root), "--port", "0", "--lease"]
    command += ["--afar", afar.url] if afar is not None else []
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
                env=_child_env(token, afar),
                start_new_session=True,
            )
        _reap(process)
        address = _wait_ready(process, ready, root, log, log_start)
    except OSError as exc:
        raise EmbeddedServerError(f"cannot start a server for {root}: {exc}") from None
    finally:
        with contextlib.suppress(OSError):
            ready.unlink()
    server = EmbeddedServer(address["url"], token, process.pid, root, started=True, leased=True)
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
        kind = _Held if process.returncode == _HELD else EmbeddedServerError
        raise kind(said[len(_COMPLAINT) :])
    raise EmbeddedServerError(
        f"the server for {root} ended at once (code {process.returncode}); "
        f"its log is {log}{_quoted(said)}"
    )


def _quoted(line: str) -> str:
    return f", last line: {line[:200]}" if line else ""
