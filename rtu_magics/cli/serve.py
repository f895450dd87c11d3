"""``rtu-magics serve``: the server in the foreground."""

from __future__ import annotations

import json
import os
import signal
import ssl
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import EmbeddedServerError, TargetError
from ..foreign import shown

if TYPE_CHECKING:
    from ..embedded import EmbeddedServer

__all__ = ["serve"]

_ENDING = 15.0  # seconds in which a server ends that nobody needs any more


def serve(
    target: str,
    *,
    host: str,
    port: int,
    token: str | None,
    as_json: bool,
    base_url: str = "/",
    certfile: str = "",
    keyfile: str = "",
    new: bool = False,
) -> int:
    """Serve a notebook or a directory until told to stop; returns the exit status.

    Parameters
    ----------
    target
        A directory, or a notebook.
    host, port
        Where to listen; port 0 takes a free one.
    token
        What makes a client an owner; ``RTU_SERVER_TOKEN`` or a random one by default.
    as_json
        Whether to print one line of JSON when ready, and nothing else.
    base_url
        Path prefix of all addresses.
    certfile, keyfile
        For TLS: the certificate and its key, in PEM.
    new
        Whether a notebook that is missing is made.

    Raises
    ------
    TargetError
        There is no such thing to serve, or the port is none.
    EmbeddedServerError
        A server runs for this directory already.
    """
    from ..embedded import find_server

    root, notebook = _split(target, new)
    if not 0 <= port <= 65535:
        raise TargetError(f"{port} is no port; give one from 1 to 65535, or 0 for a free one")
    running = find_server(root)
    if running is not None and running.leased:
        running = _wait_for_the_end(root, running)
    if running is not None:
        raise EmbeddedServerError(
            f"a server already runs for {running.root_dir} (process {running.pid}): connect with "
            f"%rtu_connect {target if notebook else 'NOTEBOOK.ipynb'}, or end it first: one that a "
            f"notebook started ends shortly after %rtu_disconnect --all there, another one with "
            f"kill {running.pid}"
        )

    refused = threading.Event()

    def announce(info: dict[str, Any]) -> None:
        if not _announce(info, notebook, as_json, host):
            refused.set()
            os.kill(os.getpid(), signal.SIGTERM)

    def ready(info: dict[str, Any]) -> None:
        # The loop that calls this has to answer the request that follows.
        threading.Thread(target=announce, args=(info,), daemon=True).start()

    from ..server.process.launch import TOKEN_ENV
    from ..server.process.launch import serve as run

    token = os.environ.pop(TOKEN_ENV, None) or token
    status = run(
        root,
        host=host,
        port=port,
        token=token,
        base_url=base_url,
        certfile=certfile,
        keyfile=keyfile,
        ready=ready,
    )
    return status or int(refused.is_set())


def _wait_for_the_end(root: Path, running: EmbeddedServer) -> EmbeddedServer | None:
    """Wait a moment for a server that was started for notebooks; returns one that runs on.

    It outlives the last of them a little, and who shares writes this command right after.
    """
    from ..embedded import find_server

    print(
        f"waiting for the server that a notebook started (process {running.pid}) to end …",
        file=sys.stderr,
        flush=True,
    )
    end = time.monotonic() + _ENDING
    found: EmbeddedServer | None = running
    while found is not None and time.monotonic() < end:
        time.sleep(0.2)
        found = find_server(root)
    return found


def _split(target: str, new: bool) -> tuple[Path, str | None]:
    """Return the directory to serve, and the notebook in it if one is meant."""
    from ..session.names import check_name, no_such_notebook

    check_name(target)
    path = Path(os.path.expanduser(target))
    if path.is_dir():
        return path.resolve(), None
    if path.suffix != ".ipynb":
        what = (
            "is not a notebook: its name has to end in .ipynb"
            if path.exists()
            else ("does not exist; name a directory, or a notebook")
        )
        raise TargetError(f"{target} {what}")
    if not path.parent.is_dir():
        raise TargetError(f"the directory {path.parent} does not exist; create it first")
    if not (new or path.exists()):
        raise TargetError(str(no_such_notebook(path.absolute())).replace(" (new=True)", ""))
    return path.resolve().parent, path.name


def _announce(info: dict[str, Any], notebook: str | None, as_json: bool, host: str) -> bool:
    """Say that the server is ready; returns whether the notebook could be opened."""
    try:
        if notebook is not None:
            file_id = _open(info, notebook)
            info = {**info, "file_id": file_id, "link": f"{info['url']}rtu/f/{file_id}"}
    except OSError as exc:
        print(
            shown(f"rtu-magics: cannot open {notebook}: {_reason(exc)}"),
            file=sys.stderr,
            flush=True,
        )
        return False
    if as_json:
        print(json.dumps(info), flush=True)
        return True
    print("\n".join(_words(info, notebook, host)), flush=True)
    return True


def _words(info: dict[str, Any], notebook: str | None, host: str) -> list[str]:
    """Return what to say: first what may be handed on, and last what may not."""
    from ..server.wire.outside_view import for_others

    what = f"Serving {notebook or 'the notebooks'} in {info['root_dir']}."
    lines = [shown(what), ""]
    mine = for_others(info.get("link", f"{info['url']}tree/NOTEBOOK.ipynb"), host)
    if notebook is not None:
        invite = _invite(info)
        where = f"{mine}?invite={invite['token']}"
        lines += ["For others, to read along (a viewer's link, good for 7 days):", ""]
        lines += ["    %load_ext rtu_magics", f"    %rtu_connect {where}", ""]
        lines += [
            shown(f"To let them run or edit: rtu-magics share {notebook} --role contributor"),
            f"To take the link back: %rtu_revoke {invite['id'][:8]}",
            "",
        ]
    else:
        lines += ["To let others in: rtu-magics share NOTEBOOK.ipynb prints a link for them.", ""]
    lines += ["Yours only, since whoever has it may change and run everything:", ""]
    lines += ["    %load_ext rtu_magics", f"    %rtu_connect {mine}?token={info['token']}", ""]
    return [*lines, "Ctrl-C ends the server."]


def _invite(info: dict[str, Any]) -> dict[str, Any]:
    path = f"/v1/files/{info['file_id']}/invites"
    return _ask(info, path, {"role": "viewer", "name": "read along"})


def _open(info: dict[str, Any], notebook: str) -> str:
    return str(_ask(info, "/v1/files/open", {"path": notebook, "create": True})["id"])


def _ask(info: dict[str, Any], path: str, body: dict[str, Any]) -> dict[str, Any]:
    """Make a request of this process's own server."""
    request = urllib.request.Request(
        f"{info['api_url']}{path}",
        data=json.dumps(body).encode(),
        headers={
            "Authorization": f"Bearer {info['token']}",
            "Content-Type": "application/json",
        },
    )
    # This process asks itself, maybe by another name than that of its certificate.
    itself = ssl.create_default_context()
    itself.check_hostname = False
    itself.verify_mode = ssl.CERT_NONE
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=itself)
    )
    with opener.open(request, timeout=30) as response:
        found: dict[str, Any] = json.load(response)
        return found


def _reason(exc: OSError) -> str:
    if isinstance(exc, urllib.error.HTTPError):
        try:
            return str(json.load(exc)["message"])
        except (ValueError, KeyError, TypeError):
            return f"status {exc.code}"
    return str(exc)
