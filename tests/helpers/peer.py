"""The environment of the third-party client, which cannot share ours."""

from __future__ import annotations

import os

from .environments import python_of

PINS = [
    "noteable-origami==2.0.0",
    "sending==0.3.0",
    "websockets==13.1",
    "pydantic>=2.4",
    "httpx==0.28.1",
    "diff-match-patch==20200713",
]


def peer_python() -> str:
    """Return the peer's interpreter: the given one, or one that is made once and kept.

    Raises
    ------
    OSError, subprocess.SubprocessError
        The environment cannot be made.
    """
    return python_of("peer", PINS)


def peer_environ() -> dict[str, str]:
    """Return the environment variables for the peer: ours, without what would lead it astray."""
    foreign = ("NOTEABLE_", "PYTHON", "VIRTUAL_ENV")
    return {key: value for key, value in os.environ.items() if not key.startswith(foreign)}
