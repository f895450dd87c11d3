"""The command ``rtu-magics``.

Everything heavy is imported by the subcommand that needs it: the function of its name in the module
of its name, which takes what the parser found as keyword arguments.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any, NoReturn

from .._version import __version__
from ..errors import RTUError
from ..options import meant

__all__ = ["main"]


class _Parser(argparse.ArgumentParser):
    """A parser, and those of its commands, that takes no half of an option's name."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "allow_abbrev": False})

    def refuse(self, words: Sequence[str]) -> NoReturn:
        """End with what was too much, and what may have been meant."""
        from ..ipython.typography import slip

        known = [option for action in self._actions for option in action.option_strings]
        spoiled = next(filter(None, (slip(word, known, places=False) for word in words)), None)
        if spoiled is not None:
            self.error(spoiled)
        given = next((word for word in words if word.startswith("-")), "")
        option = meant(given, known)
        hint = "" if option is None else f" (did you mean {option}?)"
        self.error(f"unrecognized arguments: {' '.join(words)}{hint}")


def _parser() -> tuple[_Parser, dict[str, _Parser]]:
    parser = _Parser(
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
        help="what to serve (default: this directory)",
    )
    serve.add_argument("--new", action="store_true", help="make the notebook if it does not exist")
    serve.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    serve.add_argument("--port", type=int, default=0, help="port to listen on; 0: any free one")
    serve.add_argument(
        "--token",
        help="what clients must present; better in the environment variable RTU_SERVER_TOKEN, "
        "since a command line can be seen by others (default: a random one)",
    )
    serve.add_argument(
        "--base-url", default="/", metavar="PATH", help="prefix of all addresses, as behind a proxy"
    )
    serve.add_argument("--certfile", default="", metavar="PEM", help="TLS: the certificate")
    serve.add_argument("--keyfile", default="", metavar="PEM", help="TLS: its key")
    serve.add_argument(
        "--json",
        dest="as_json",
        action="store_true",
        help="one line of JSON on stdout when ready, nothing else",
    )

    share = commands.add_parser(
        "share",
        help="print a link that lets somebody into a notebook",
        description="Print a link that lets somebody into a notebook, with a role.",
    )
    _add_target(share)
    share.add_argument(
        "--role", choices=("viewer", "executor", "contributor", "owner"), default="viewer"
    )
    share.add_argument("--expires", metavar="D", help="how long it is good for: 2h, 3d (7d)")
    share.add_argument("--name", metavar="N", help="what the person is called in the notebook")

    tail = commands.add_parser(
        "tail",
        help="print every RTU message of a notebook as it comes",
        description="Print every RTU message of a notebook as it comes, secrets masked.",
    )
    _add_target(tail)
    tail.add_argument(
        "--channel",
        dest="channels",
        action="append",
        default=[],
        choices=("files", "kernels", "system"),
        help="only of this kind of channel; may be repeated",
    )
    tail.add_argument(
        "--event",
        dest="events",
        action="append",
        default=[],
        metavar="NAME",
        help="only this event, such as new_delta_event or '*_state_*'; may be repeated",
    )
    tail.add_argument("--full", action="store_true", help="whole messages, as JSON")

    doctor = commands.add_parser(
        "doctor",
        help="check this installation and say what is wrong",
        description="Check this installation; exits 0 if it can be used.",
    )
    doctor.add_argument(
        "directory", nargs="?", default=".", metavar="DIR", help="where notebooks are to be served"
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
    return parser, commands.choices


def _add_target(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "target",
        metavar="FILE|URL",
        help="a notebook that is being served: its file, or its address",
    )
    parser.add_argument(
        "--token",
        help="the server's token, for a URL; better in the environment variable RTU_TOKEN",
    )
    parser.add_argument(
        "--cafile",
        metavar="PEM",
        help="certificate of an authority to trust besides the usual ones",
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status.

    Parameters
    ----------
    argv
        The arguments; those of the process by default.
    """
    parser, commands = _parser()
    args, rest = parser.parse_known_args(argv)
    options = vars(args)
    command = options.pop("command")
    if rest:
        commands[command].refuse(rest)
    try:
        status: int = getattr(import_module(f".{command}", __package__), command)(**options)
    except RTUError as exc:
        print(f"rtu-magics: {exc}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return status
