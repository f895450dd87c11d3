"""The other notebooks of a session's server, and this one's file; see the verbs of `Session`."""

from __future__ import annotations

import posixpath
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ...errors import FileUnknown, TargetError
from ..context import Context
from ..names import check_text

if TYPE_CHECKING:
    from ...models import File, FileStateData

__all__ = ["new_notebook", "notebooks", "rename", "save", "state", "target"]


async def notebooks(context: Context) -> list[File]:
    """Return the notebooks of the server, by path."""
    return sorted(await context.api.list_notebooks(), key=lambda file: file.path)


async def new_notebook(context: Context, path: str) -> File:
    """Make an empty notebook on the server."""
    _check(path)
    try:
        found = await context.api.open_file(path)
    except FileUnknown:
        return await context.api.open_file(path, create=True)
    raise TargetError(
        f"there is a notebook {found.path} already; %rtu_connect "
        f"{target(context, found.path)} opens it"
    )


def target(context: Context, path: str) -> str:
    """Return what ``%rtu_connect`` takes for a notebook of the server."""
    root = context.known.root
    if root is None:
        return f"{context.lives_at}/lab/tree/{quote(path)}"
    found = root / path
    here = Path.cwd().resolve()
    shown = str(found.relative_to(here) if here in found.parents else found)
    return f'"{shown}"' if " " in shown else shown


async def rename(context: Context, path: str) -> str:
    """Give the notebook another path; returns the new one."""
    _check(path)
    context.known.renaming_to = posixpath.normpath(path)
    context.known.file = await context.api.rename_file(context.file_id, path)
    return context.known.path


async def save(context: Context) -> str:
    """Have the notebook written to its file now; returns the path."""
    saved: Any = await context.api.save_file(context.file_id)
    return str(saved["path"]) if isinstance(saved, dict) else context.known.path


async def state(context: Context) -> FileStateData:
    """Return whether the file holds the notebook now."""
    return await context.api.get_file_state(context.file_id)


def _check(path: str) -> None:
    check_text(path, "a notebook's path")
    if not path.endswith(".ipynb"):
        raise TargetError(f"the name of a notebook ends in .ipynb, and {path!r} does not")
