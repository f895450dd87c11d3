"""Whether a notebook is nothing but its file to this Jupyter Server.

This server reads and writes the file itself. Where Jupyter's contents manager does more with a
notebook than that (pairs it with a text file, keeps it elsewhere, runs hooks when it is saved),
both would part: then nobody is let in, with the reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jupyter_core.utils import ensure_async

from .regular import open_regular

__all__ = ["pairing_of", "partner_of", "why_not_plain"]

_PLAIN = ("jupyter_server.", "notebook.", "jupyterhub.", "rtu_magics.")
_CHANGES = ("get", "save", "_save_notebook", "_read_notebook", "_get_os_path")
_TEXT = (".py", ".md", ".Rmd", ".qmd", ".R", ".r", ".jl", ".js", ".ts", ".sh", ".scala", ".cpp")


async def why_not_plain(manager: Any, path: str, file: Path, metadata: Mapping[str, Any]) -> str:
    """Return what else than its file a notebook is here, and what to do; "" if nothing.

    Parameters
    ----------
    manager
        Jupyter's contents manager, None if there is none to ask.
    path, file
        The notebook, below the root and on disk.
    metadata
        The notebook's own.
    """
    partner = partner_of(file, metadata)
    if partner:
        return (
            f"{path} is paired with {partner} by jupytext, which would fall behind it; unpair it "
            '(jupytext --set-formats ipynb, or "Unpair Notebook" in JupyterLab), then connect again'
        )
    if manager is None:
        return ""
    other = next((cls for cls in type(manager).__mro__ if _does_more(cls)), None)
    if other is not None and "jupytext" in f"{other.__module__}.{other.__qualname__}".lower():
        formats = await _jupytext_formats(manager, path)
        if not formats:
            return ""
        return (
            f"{path} is paired by this server's jupytext settings ({formats}), and its text would "
            "fall behind it; take it out of them, then connect again"
        )
    if other is not None or not hasattr(manager, "_get_os_path"):
        name = type(manager).__name__ if other is None else other.__name__
        return (
            f"this server keeps notebooks by {name}, which does more than read and write files; "
            "serve the folder by itself (rtu-magics serve), or set c.ServerApp."
            "contents_manager_class to Jupyter's own"
        )
    names = ("pre_save_hook", "post_save_hook", "_pre_save_hooks", "_post_save_hooks")
    hooks = [name for name in names if getattr(manager, name, None)]
    if hooks:
        return (
            f"this server runs {hooks[0].strip('_')} whenever Jupyter saves a notebook, which what "
            "is saved live would pass by; serve the folder by itself (rtu-magics serve), or take "
            "the hook out of the configuration"
        )
    return ""


def pairing_of(path: str, file: Path, metadata: Mapping[str, Any]) -> str:
    """Return which pair a notebook says it is of, as a sentence's beginning; "" if of none.

    That can change while it is open: a page of JupyterLab pairs with one click.

    Parameters
    ----------
    path, file, metadata
        As in `why_not_plain`.
    """
    jupytext = metadata.get("jupytext")
    if not isinstance(jupytext, Mapping) or not jupytext.get("formats"):
        return ""
    partner = partner_of(file, metadata)
    unpair = "jupytext --set-formats ipynb unpairs it"
    return f"{path} is paired with {partner} by jupytext ({unpair})" if partner else ""


def partner_of(file: Path, metadata: Mapping[str, Any]) -> str:
    """Return the text file that jupytext keeps in step with a notebook, "" if there is none.

    Parameters
    ----------
    file
        The notebook on disk; its neighbours are looked at.
    metadata
        The notebook's own, with ``jupytext.formats`` where it is paired by itself.
    """
    jupytext = metadata.get("jupytext")
    formats = jupytext.get("formats") if isinstance(jupytext, Mapping) else None
    for one in str(formats or "").split(","):
        name = one.split(":")[0].strip()
        if "/" in name:  # in another folder
            if not name.endswith("ipynb"):
                return name
        elif name and name != "ipynb":
            extension = f".{name.rpartition('.')[2]}"
            found = file.with_name(f"{file.stem}{extension}")
            if found.exists():
                return found.name
    for extension in _TEXT:
        found = file.with_name(f"{file.stem}{extension}")
        try:
            with open_regular(found) as text:
                head = text.read(4096)
        except OSError:
            continue
        if b"jupytext:" in head and b"formats:" in head and b"ipynb" in head:
            return found.name
    return ""


def _does_more(cls: type) -> bool:
    return not cls.__module__.startswith(_PLAIN) and any(name in vars(cls) for name in _CHANGES)


async def _jupytext_formats(manager: Any, path: str) -> str:
    """Return how jupytext's configuration pairs a notebook, "" if it does not."""
    try:
        config = await ensure_async(manager.get_config(path))
        formats = None if config is None else config.default_formats(path)
    except Exception as exc:  # of another version, or with a mistake in it: better not by chance
        return f"which cannot be read: {type(exc).__name__}"
    if isinstance(formats, Mapping):
        return ", ".join(map(str, formats)) if len(formats) > 1 else ""
    return str(formats) if "," in str(formats or "") else ""
