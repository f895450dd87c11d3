"""The command ``rtu-magics``.

Everything heavy is imported by the subcommand that needs it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from .._version import __version__
from ..errors import RTUError

__all__ = ["main"]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="rtu-magics",
        description="Mirror, edit and execute a remote collaborative notebook, live.",
    )
    parser.add_argument("--version", action="version", version=f"rtu-magics {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)

    serve = commands.add_parser(
        "serve",
        help="serve a notebook or a directory of notebooks until Ctrl-C",
        description="Serve a notebook or a directory of notebooks until Ctrl-C.",
    )
    serve.add_argument(
        "target",
        nargs="?",
        default=".",
        metavar="NOTEBOOK|DIR",
        help="what to serve; a notebook that does not exist is created (default: this directory)",
    )
    serve.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    serve.add_argument("--port", type=int, default=0, help="port to listen on; 0: any free one")
    serve.add_argument(
        "--token",
        help="what clients must present; better in the environment variable RTU_SERVER_TOKEN, "
        "since a command line can be seen by others (default: a random one)",
    )
    serve.add_argument(
        "--json", action="store_true", help="one line of JSON on stdout when ready, nothing else"
    )

    demo = commands.add_parser(
        "demo",
        help="see it work: a server, a real kernel and two people in one notebook",
        description="Run a demonstration; exits 0 only if every output was right.",
    )
    demo.add_argument(
        "--directory",
        default="rtu_demo",
        help="where the demo's notebook is left behind (default: %(default)s)",
    )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status.

    Parameters
    ----------
    argv
        The arguments; those of the process by default.
    """
    args = _parser().parse_args(argv)
    try:
        if args.command == "serve":
            from .serve import serve

            return serve(
                args.target, host=args.host, port=args.port, token=args.token, as_json=args.json
            )
        from .demo import demo

        return demo(args.directory)
    except RTUError as exc:
        print(f"rtu-magics: {exc}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
