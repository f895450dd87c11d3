"""Starting a server of our own: a Jupyter Server with this extension and little else.

One JSON line on stdout says when it accepts connections and where; everything else goes to stderr.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import secrets
import ssl
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ...foreign import shown

__all__ = ["AFAR_TOKEN_ENV", "TOKEN_ENV", "main", "serve"]

TOKEN_ENV = "RTU_SERVER_TOKEN"
AFAR_TOKEN_ENV = "RTU_AFAR_TOKEN"
HELD = 75  # the process ends with this where another server has the directory (EX_TEMPFAIL)

Ready = dict[str, Any]

_END_WITHIN = float(os.environ.get("RTU_END_WITHIN") or 30.0)  # seconds from SIGTERM to the end


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code.

    Parameters
    ----------
    argv
        Arguments, those of the process by default.
    """
    parser = argparse.ArgumentParser(
        prog="python -m rtu_magics.server",
        allow_abbrev=False,
        description="Serve the notebooks below a directory live.",
        epilog=f"The token is taken from {TOKEN_ENV} when that is set, so that it shows nowhere.",
    )
    parser.add_argument("--root-dir", default=".", help="the directory to serve")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--token", help="who knows it owns the server; random by default")
    parser.add_argument("--base-url", default="/", help="path prefix of all routes")
    parser.add_argument("--certfile", default="", help="TLS: the certificate, in PEM")
    parser.add_argument("--keyfile", default="", help="TLS: its key, if not in the same file")
    parser.add_argument(
        "--lease", action="store_true", help="end shortly after the last lease has gone"
    )
    parser.add_argument(
        "--afar",
        default="",
        metavar="URL",
        help="a Jupyter Server with live collaboration on which the notebooks live; its token is "
        f"taken from {AFAR_TOKEN_ENV}",
    )
    arguments = parser.parse_args(argv)

    def ready(info: Ready) -> None:
        sys.stdout.write(json.dumps(info) + "\n")
        sys.stdout.flush()
        # Kernels inherit this descriptor; what they print there must not reach whoever reads it.
        os.dup2(2, 1)

    return serve(
        Path(arguments.root_dir),
        host=arguments.host,
        port=arguments.port,
        token=os.environ.pop(TOKEN_ENV, None) or arguments.token,
        base_url=arguments.base_url,
        lease=arguments.lease,
        certfile=arguments.certfile,
        keyfile=arguments.keyfile,
        afar=arguments.afar.rstrip("/"),
        afar_token=os.environ.pop(AFAR_TOKEN_ENV, ""),
        ready=ready,
    )


def serve(
    root_dir: Path,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    token: str | None = None,
    base_url: str = "/",
    lease: bool = False,
    certfile: str = "",
    keyfile: str = "",
    afar: str = "",
    afar_token: str = "",
    ready: Callable[[Ready], None] = lambda info: None,
) -> int:
    """Run a server until it is told to stop; returns the exit code.

    Parameters
    ----------
    root_dir
        The directory whose notebooks are served.
    host, port
        Where to listen; port 0 takes a free one.
    token
        Who knows it owns the server; random by default.
    base_url
        Path prefix of all routes.
    lease
        Whether to end shortly after the last lease has gone.
    certfile, keyfile
        For TLS: the certificate and its key, in PEM.
    afar, afar_token
        The base URL of the Jupyter Server on which the notebooks live, if they live elsewhere, and
        its token.
    ready
        Called once connections are accepted, with ``url``, ``api_url``, ``rtu_url``, ``token``,
        ``space_id``, ``project_id``, ``pid`` and ``root_dir``.
    """
    root = Path(os.path.realpath(root_dir))
    if not root.is_dir():
        return _complain(f"{root_dir} is no directory; give one that exists")
    wrong = _why_no_tls(certfile, keyfile)
    if wrong:
        return _complain(wrong)
    # jsonschema imports it if it is there, which takes longer than all the rest; without it only
    # the format of IRIs goes unchecked.
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]

    # What happens to notebooks belongs into the log; of the libraries only what went wrong.
    logging.basicConfig(level=logging.WARNING)
    logging.getLogger("rtu_magics.server").setLevel(logging.INFO)
    from .shortage import ShortageFilter, wait_out_shortages

    shortage = ShortageFilter()
    for handler in logging.getLogger().handlers:
        handler.setFormatter(_Text("%(asctime)s %(levelname)s %(message)s"))
        handler.addFilter(shortage)

    from ..limits.settings import WrongLimit
    from ..store import StoreError
    from .address import listening_port
    from .directory_lock import DirectoryHeld
    from .last_resort import end_within
    from .own_app import OwnServerApp, make_config

    token = token or secrets.token_hex(32)
    app = OwnServerApp.instance(
        config=make_config(
            root,
            host=host,
            port=port,
            token=token,
            base_url=base_url,
            lease=lease,
            certfile=certfile,
            keyfile=keyfile,
            afar=afar,
            afar_token=afar_token,
        ),
        jpserver_extensions={"rtu_magics.server": True},
    )
    try:
        app.initialize(argv=[], find_extensions=False)
    except DirectoryHeld as exc:
        _complain(str(exc))
        return HELD
    except (StoreError, WrongLimit) as exc:
        return _complain(str(exc))
    except OSError as exc:
        return _complain(f"cannot listen on {host}:{port} ({exc.strerror or exc}); try port 0")
    except SystemExit as exc:
        # ServerApp ends the process itself when no port is free, after having logged it.
        _complain(f"cannot listen on {host}:{port}; choose another port or 0 for a free one")
        return int(exc.code or 1) if isinstance(exc.code, int) else 1
    service = app.web_app.settings.get("rtu_service")
    if service is None:
        return _complain("the server's extension did not load; see the lines above")

    def say_ready() -> None:
        shown = "127.0.0.1" if host in ("0.0.0.0", "::", "") else host
        shown = f"[{shown}]" if ":" in shown else shown
        origin = f"{shown}:{listening_port(app)}"
        prefix = service.api_prefix
        secure = "s" if certfile else ""
        ready(
            {
                "url": f"http{secure}://{origin}{app.base_url}",
                "api_url": f"http{secure}://{origin}{prefix}",
                "rtu_url": f"ws{secure}://{origin}{prefix}/v1/rtu",
                "token": token,
                "space_id": str(service.database.space_id),
                "project_id": str(service.database.project_id),
                "pid": os.getpid(),
                "root_dir": str(root),
            }
        )

    _hurry_requests(app, service.limits)
    # tornado says nowhere else which sockets a server listens on.
    wait_out_shortages(app.io_loop, lambda: getattr(app.http_server, "_sockets", {}))
    end_within(_END_WITHIN, lambda: _kernel_processes(app.kernel_manager))
    app.io_loop.add_callback(say_ready)
    app.start()
    # Not lost: what was acknowledged is in the database. But the file is not what people saw.
    left = app.web_app.settings.get("rtu_not_on_disk") or []
    for line in left:
        _complain(f"{line}; start the server again and open it to have it written")
    return int(bool(left))


def _hurry_requests(app: Any, limits: Any) -> None:
    """Drop connections on which a request comes to no end."""
    params = getattr(app.http_server, "conn_params", None)
    if params is not None:  # tornado's; the arguments that set it are Jupyter Server's to give
        params.header_timeout = limits.request_within
        params.body_timeout = limits.body_within


def _kernel_processes(kernels: Any) -> list[int]:
    """Return the ids of the processes of the kernels that a kernel manager started."""
    managers = [kernels.get_kernel(kernel_id) for kernel_id in kernels.list_kernel_ids()]
    found = [getattr(getattr(one, "provisioner", None), "pid", None) for one in managers]
    return [pid for pid in found if isinstance(pid, int)]


def _why_no_tls(certfile: str, keyfile: str) -> str:
    """Return what is wrong with a certificate and its key, in one line; empty if nothing is."""
    if not certfile:
        return "a key without a certificate; give --certfile as well" if keyfile else ""
    for path in filter(None, (certfile, keyfile)):
        if not os.access(path, os.R_OK):
            return f"{path} cannot be read; check its path and rights"
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certfile, keyfile or None)
    except (ssl.SSLError, OSError) as exc:
        return (
            f"{certfile} and its key do not fit together ({exc}); give the certificate with "
            "--certfile and its key with --keyfile, both in PEM"
        )
    return ""


class _Text(logging.Formatter):
    """A log may name what others named: as text, since somebody reads it in a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        """Return a record as text."""
        return shown(super().format(record), lines=True)


def _complain(message: str) -> int:
    sys.stderr.write(f"rtu_magics: {message}\n")
    sys.stderr.flush()
    return 1
