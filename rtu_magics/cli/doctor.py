"""``rtu-magics doctor``: is this installation fit for use, and if not, what has to be done."""

from __future__ import annotations

import enum
import importlib.metadata
import importlib.util
import json
import os
import re
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..foreign import shown
from ..mounts import network_file_system

__all__ = ["CHECKS", "Finding", "Grade", "doctor"]

_ENOUGH_DISK = 100 * 1024 * 1024  # bytes
_PROBE_TIMEOUT = 20.0  # seconds for another Python to say what it has
_THIS_PYTHON = ("python", "python3", f"python3.{sys.version_info[1]}")
"""What Jupyter takes for its own interpreter in a kernelspec."""


class Grade(enum.Enum):
    """How a check ended."""

    GOOD = "ok"
    NOTE = "note"  # works, but something is worth knowing
    BAD = "BAD"


@dataclass(frozen=True)
class Finding:
    """What one check found.

    Attributes
    ----------
    grade
        How it ended.
    what
        What was found, in one line.
    todo
        What to do about it; empty where there is nothing.
    """

    grade: Grade
    what: str
    todo: str = ""


def good(what: str) -> Finding:
    """Return a finding that all is well."""
    return Finding(Grade.GOOD, what)


def note(what: str, todo: str) -> Finding:
    """Return a finding that something works but is worth knowing."""
    return Finding(Grade.NOTE, what, todo)


def bad(what: str, todo: str) -> Finding:
    """Return a finding that something does not work."""
    return Finding(Grade.BAD, what, todo)


Check = Callable[[Path], Iterator[Finding]]


def python(_: Path) -> Iterator[Finding]:
    """Check the interpreter."""
    version = ".".join(str(part) for part in sys.version_info[:3])
    yield good(f"Python {version} ({sys.executable})")


def packages(_: Path) -> Iterator[Finding]:
    """Check that every package is there, and new enough."""
    try:
        from packaging.requirements import InvalidRequirement, Requirement
    except ImportError:
        yield bad("the package packaging is missing", "run: pip install -U rtu_magics")
        return
    try:
        ours = importlib.metadata.distribution("rtu_magics")
    except importlib.metadata.PackageNotFoundError:
        yield bad(
            "rtu_magics can be imported but is not installed",
            "run: pip install rtu_magics (or pip install -e . in its source)",
        )
        return
    wrong = []
    count = 0
    for line in ours.requires or []:
        try:
            requirement = Requirement(line)
        except InvalidRequirement:
            continue
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        count += 1
        try:
            found = importlib.metadata.version(requirement.name)
        except importlib.metadata.PackageNotFoundError:
            wrong.append((f"{requirement.name} is missing", requirement))
            continue
        if not requirement.specifier.contains(found, prereleases=True):
            wrong.append(
                (f"{requirement.name} {found} is not {requirement.specifier}", requirement)
            )
    for what, requirement in wrong:
        yield bad(what, f"run: pip install -U '{requirement.name}{requirement.specifier}'")
    if not wrong:
        yield good(f"rtu_magics {ours.version} and the {count} packages it needs")


def jupyter_extension(_: Path) -> Iterator[Finding]:
    """Check whether Jupyter servers of this environment load our extension."""
    from jupyter_core.paths import jupyter_config_path

    enabled: bool | None = None
    where = ""
    for directory in reversed(jupyter_config_path()):  # the last word has the first
        folder = Path(directory)
        candidates = [folder / "jupyter_server_config.json"]
        candidates += sorted((folder / "jupyter_server_config.d").glob("*.json"))
        for path in candidates:
            said = _extensions_of(path).get("rtu_magics.server")
            if isinstance(said, bool):
                enabled, where = said, str(path)
    if enabled:
        yield good(f"Jupyter servers load the extension ({where})")
    elif enabled is None:
        yield note(
            "Jupyter servers do not load the extension",
            "for use inside JupyterLab run: jupyter server extension enable rtu_magics.server",
        )
    else:
        yield note(
            f"the extension is switched off for Jupyter servers ({where})",
            "for use inside JupyterLab run: jupyter server extension enable rtu_magics.server",
        )


def _extensions_of(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        extensions = found["ServerApp"]["jpserver_extensions"]
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return extensions if isinstance(extensions, dict) else {}


def kernels(_: Path) -> Iterator[Finding]:
    """Check that the kernels that are listed can be started."""
    from jupyter_client.kernelspec import KernelSpecManager

    specs: dict[str, Any] = KernelSpecManager().get_all_specs()
    usable = []
    for name, entry in sorted(specs.items()):
        argv = entry["spec"].get("argv") or [""]
        program = sys.executable if argv[0] in _THIS_PYTHON else argv[0]
        if shutil.which(program) is None:
            yield note(
                f"the kernel {name} starts {program!r}, which is not there",
                f"remove it with: jupyter kernelspec remove {name} (or install what it needs)",
            )
            continue
        usable.append(name)
        if entry["spec"].get("language") == "python" and not _same_python(program):
            yield from _other_python(name, program)
    if usable:
        yield good(f"kernels: {', '.join(usable)}")
    else:
        yield bad("no kernel is installed", "run: python -m ipykernel install --user")


def _same_python(program: str) -> bool:
    found = shutil.which(program)
    return found is None or Path(found).resolve() == Path(sys.executable).resolve()


def _other_python(name: str, program: str) -> Iterator[Finding]:
    """Say when the magics are missing in a kernel that people may open a notebook with."""
    try:
        probe = subprocess.run(
            [program, "-c", "import rtu_magics"],
            capture_output=True,
            timeout=_PROBE_TIMEOUT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return
    if probe.returncode:
        yield note(
            f"the kernel {name} runs another Python, which has no rtu_magics",
            f"to use the magics in it run: {program} -m pip install rtu_magics",
        )


def state_directory(directory: Path) -> Iterator[Finding]:
    """Check that a server can keep its state where notebooks are."""
    if not directory.is_dir():
        yield bad(f"{directory} is no directory", "name one that exists: rtu-magics doctor DIR")
        return
    state = directory / ".rtu_magics"
    place = state if state.is_dir() else directory
    try:
        with tempfile.TemporaryDirectory(prefix="rtu-doctor-", dir=place) as scratch:
            connection = sqlite3.connect(Path(scratch) / "probe.db")
            try:
                mode = connection.execute("PRAGMA journal_mode=WAL").fetchone()[0]
                connection.execute("CREATE TABLE probe (x)")
                connection.commit()
            finally:
                connection.close()
    except (OSError, sqlite3.Error) as exc:
        yield bad(
            f"nothing can be kept in {place} ({exc})",
            "see to its owner and rights, or serve another directory",
        )
        return
    network = network_file_system(place)
    wanted = os.environ.get("RTU_DATABASE_DIR", "")
    if network and not wanted:
        yield note(
            f"{place} lies on a network file system ({network}): the database is kept there the "
            "slower, safe way",
            "set RTU_DATABASE_DIR, or c.RTUMagicsServer.database_dir, to a folder on a local disk",
        )
    elif wanted and network_file_system(wanted):
        yield note(
            f"RTU_DATABASE_DIR ({wanted}) lies on a network file system, too",
            "name a folder on a local disk",
        )
    elif str(mode).lower() != "wal":
        yield note(
            f"the file system of {place} does not allow SQLite's write-ahead log",
            "it works, slower; a local disk is better than a network one",
        )
    else:
        yield good(f"state can be kept in {place}")
    free = shutil.disk_usage(place).free
    if free < _ENOUGH_DISK:
        yield bad(
            f"only {free // 2**20} MB are free in {place}", "free some, or serve another directory"
        )
    for name in ("rtu.db", "invite.key", "server.json"):
        path = state / name
        if path.exists() and not os.access(path, os.R_OK | os.W_OK):
            yield bad(f"{path} belongs to somebody else", f"run as its owner, or remove {state}")


def who_writes(directory: Path) -> Iterator[Finding]:
    """Name the servers that write notebooks there."""
    from .writers import writers

    for what, todo in writers(directory):
        yield note(what, todo) if todo else good(what)


def port(_: Path) -> Iterator[Finding]:
    """Check that a port of this machine can be listened on and reached."""
    try:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            with socket.create_connection(listener.getsockname()[:2], timeout=5):
                yield good("ports of 127.0.0.1 can be listened on and reached")
    except OSError as exc:
        yield bad(
            f"no port of 127.0.0.1 can be used ({exc})",
            "see to the firewall or the container's network",
        )


def surroundings(_: Path) -> Iterator[Finding]:
    """Check the environment variables that reach into connections."""
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        value = os.environ.get(name)
        if value and not Path(value).exists():
            yield bad(f"{name} names {value}, which is not there", f"correct it, or unset {name}")
    proxy = os.environ.get("HTTPS_PROXY") or os.environ.get("https_proxy")
    if proxy:
        shown = re.sub(r"//[^@/]*@", "//***@", proxy)
        yield note(
            f"connections to the outside go through {shown}", "it must let websockets through"
        )
    for name in ("RTU_API_URL", "NOTEABLE_RTU_URL"):
        if os.environ.get(name):
            yield note(f"{name} is set", "the asynchronous client uses it when given no address")


def server(_: Path) -> Iterator[Finding]:
    """Start the embedded server for good, run ``1 + 1`` on a kernel, end it."""
    from ..errors import RTUError
    from ..session import connect, stop_background

    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="rtu-doctor-") as scratch:
        log = Path(scratch) / ".rtu_magics" / "server.log"
        try:
            with connect(
                str(Path(scratch) / "probe.ipynb"), say=lambda _: None, new=True
            ) as session:
                started = time.monotonic()
                yield good(f"the embedded server starts ({started - began:.1f} s)")
                cell = session.add("1 + 1")
                session.run(cell.id)
                found = [
                    output.content.raw
                    for output in session.outputs(cell.id)
                    if output.content is not None
                ]
                if found == ["2"]:
                    took = time.monotonic() - started
                    yield good(f"a remote kernel says that 1 + 1 is 2 ({took:.1f} s)")
                else:
                    yield bad(f"1 + 1 gave {found}", "please report it")
                session.kernel_stop()
        except RTUError as exc:
            yield bad(str(exc), _last_words(log))
        finally:
            stop_background()


def _last_words(log: Path) -> str:
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    except OSError:
        lines = []
    return f"the server's log ends: {lines[-1][:200]}" if lines else "the server left no log"


CHECKS: tuple[Check, ...] = (
    python,
    packages,
    jupyter_extension,
    kernels,
    state_directory,
    who_writes,
    port,
    surroundings,
    server,
)


def doctor(directory: str, checks: tuple[Check, ...] = CHECKS) -> int:
    """Run every check, print what each finds; returns the exit status.

    Parameters
    ----------
    directory
        Where notebooks are to be served.
    checks
        What to check.

    Returns
    -------
    int
        0 if everything that is needed works, 1 if not.
    """
    failed = 0
    for check in checks:
        try:
            for finding in check(Path(directory).expanduser().resolve()):
                _show(finding)
                failed += finding.grade is Grade.BAD
        except Exception as exc:
            what = " ".join(str(exc).split())[:200]
            _show(bad(f"the check of {check.__name__} failed: {type(exc).__name__}: {what}", ""))
            failed += 1
    print(
        f"{failed} {'thing has' if failed == 1 else 'things have'} to be put right"
        if failed
        else "all good"
    )
    return int(failed > 0)


def _show(finding: Finding) -> None:
    print(f"{finding.grade.value:<5} {shown(finding.what)}", flush=True)
    if finding.todo:
        print(f"      → {shown(finding.todo)}", flush=True)
