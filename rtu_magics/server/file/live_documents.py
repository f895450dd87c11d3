"""The notebooks that are open as live documents in this very Jupyter Server.

Read from what jupyter-collaboration (its server half, ``jupyter_server_ydoc``) keeps of them; it
has no interface for that question. What does not look as expected counts as no room.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

__all__ = ["notebook_rooms", "paths_of_rooms"]

logger = logging.getLogger(__name__)


def paths_of_rooms(settings: Mapping[str, Any], apps: Mapping[str, Iterable[Any]]) -> set[str]:
    """Return the paths below the server's root of the documents that are open.

    Parameters
    ----------
    settings
        Of the web application: its ``file_id_manager`` knows where documents lie.
    apps
        The server's extensions, by name.
    """
    ids = settings.get("file_id_manager")
    found: set[str] = set()
    if ids is None:
        return found
    for room_id in _room_ids(apps):
        kind, _, rest = room_id.partition(":")
        if kind not in ("json", "text"):
            continue  # of awareness alone, or a fork of another one
        try:
            path = ids.get_path(rest.partition(":")[2])
        except Exception as exc:  # somebody else's database
            logger.debug("cannot tell where %s lies: %s", room_id, exc)
            continue
        if path:
            found.add(_relative(str(path), settings))
    return found


def notebook_rooms(
    settings: Mapping[str, Any], apps: Mapping[str, Iterable[Any]]
) -> dict[str, Any]:
    """Return the rooms in which notebooks are open, as jupyter-collaboration has them, by path.

    Parameters
    ----------
    settings, apps
        As in `paths_of_rooms`.
    """
    ids = settings.get("file_id_manager")
    found: dict[str, Any] = {}
    if ids is None:
        return found
    for app in apps.get("jupyter_server_ydoc", ()):
        rooms = getattr(getattr(app, "ywebsocket_server", None), "rooms", {})
        for room_id, room in list(rooms.items()):
            form, _, rest = str(room_id).partition(":")
            kind, _, file_id = rest.partition(":")
            if (form, kind) != ("json", "notebook"):
                continue
            try:
                path = ids.get_path(file_id)
            except Exception as exc:  # somebody else's database
                logger.debug("cannot tell where %s lies: %s", room_id, exc)
                continue
            if path:
                found[_relative(str(path), settings)] = room
    return found


def _room_ids(apps: Mapping[str, Iterable[Any]]) -> list[str]:
    found: list[str] = []
    for app in apps.get("jupyter_server_ydoc", ()):
        rooms = getattr(getattr(app, "ywebsocket_server", None), "rooms", {})
        found += [str(room_id) for room_id in list(rooms)]
    for app in apps.get("jupyter_server_documents", ()):
        manager = getattr(app, "yroom_manager", None) or getattr(app, "settings", {}).get(
            "yroom_manager"
        )
        found += [str(room_id) for room_id in list(getattr(manager, "_rooms_by_id", {}))]
    return found


def _relative(path: str, settings: Mapping[str, Any]) -> str:
    """Return a path below the root; some managers of ids give it whole."""
    root = settings.get("server_root_dir")
    if os.path.isabs(path) and root:
        base = Path(os.path.realpath(os.path.expanduser(str(root))))
        try:
            return Path(os.path.realpath(path)).relative_to(base).as_posix()
        except ValueError:
            return path
    return path.lstrip("/")
