"""Whether a notebook that its owner trusts still is trusted once this server has written it.

Jupyter signs what its owner saves, by nbformat's notary, and shows scripts in the outputs of a
signed file. Here others may have run cells, too. So a file is signed anew only if it was signed
before (looked up when it is written: it may have been trusted a moment ago), and if every output
that could do harm was in it then or came from runs that an owner asked for since. What was not
trusted never becomes so by this.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
from nbformat.reader import reads

from ...document.plain import whole
from .format import hash_of
from .regular import read_regular

__all__ = ["Notary", "output_keys", "stays_trusted"]

logger = logging.getLogger(__name__)

_HARMLESS = ("stream", "error")  # what nbformat's notary lets pass in cells that nobody trusts
_convert: Callable[[Any, int], Any] = nbformat.convert
_reads: Callable[[str], Any] = reads
_AT_LATEST = 5.0  # seconds that a write waits; the signature holds whenever it comes


def stays_trusted(before: Set[str], after: Mapping[str, str], own: Set[str]) -> bool:
    """Return whether a trusted file stays trusted with other outputs.

    Parameters
    ----------
    before
        Keys of the outputs that it held; see `output_keys`.
    after
        The key of each cell's outputs from now on, by cell id.
    own
        Ids of the cells whose outputs came from owners' runs alone.

    Examples
    --------
    >>> stays_trusted({"k1"}, {"a": "k1", "b": "k2", "c": ""}, {"b"})
    True
    >>> stays_trusted({"k1"}, {"a": "k1", "b": "k2"}, set())
    False
    """
    return all(not key or key in before or cell in own for cell, key in after.items())


def output_keys(cells: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return a key of each cell's outputs, "" where they could do no harm.

    Parameters
    ----------
    cells
        As nbformat reads them.
    """
    return [_key(cell.get("outputs") or []) for cell in cells]


def _key(outputs: Sequence[Any]) -> str:
    if all(isinstance(o, Mapping) and o.get("output_type") in _HARMLESS for o in outputs):
        return ""
    return hashlib.sha256(json.dumps(outputs, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class _File:
    """What a file's content comes to: its hash, its signature, its outputs."""

    hash: str
    signature: str
    outputs: tuple[str, ...]


class Notary:
    """Signs notebooks as the Jupyter Server does that this one is part of.

    All of it happens on a thread of its own: signatures lie in a database that others lock.

    Parameters
    ----------
    contents
        Returns Jupyter's contents manager, whose notary's settings count; None if there is none.
    """

    def __init__(self, contents: Callable[[], Any]) -> None:
        self._contents = contents
        self._thread = ThreadPoolExecutor(1, "rtu-notary")
        self._notary: Any = None
        self._written: dict[Path, _File] = {}
        self._told = ""

    async def carry_over(
        self, path: Path, known_hash: str | None, content: bytes, ids: Sequence[str], own: Set[str]
    ) -> None:
        """Sign what a file is to hold, if what it holds is signed and nothing speaks against it.

        Never raises: a notebook that cannot be signed is written all the same.

        Parameters
        ----------
        path
            The file, as it is before it is written.
        known_hash
            Of what it was when last read or written here; anything else is not looked at.
        content
            What it is to hold.
        ids
            Those of the cells in it, in order.
        own
            As in `stays_trusted`.
        """
        manager = self._contents()
        if manager is None or known_hash is None:
            return
        try:
            notary = manager.notary  # here: it belongs to the thread that asks for it first
            arguments = (notary, path, known_hash, content)
            done = self._thread.submit(self._carry_over, *arguments, ids=list(ids), own=own)
            await asyncio.wait([asyncio.wrap_future(done)], timeout=_AT_LATEST)
        except Exception as exc:
            self._cannot(path, exc)

    async def vouch(
        self,
        path: Path,
        known_hash: str | None,
        vouched: Set[str],
        ids: Sequence[str],
        own: Set[str],
    ) -> None:
        """Sign a file that somebody saved who trusts it, if it holds nothing that they did not see.

        Never raises, as `carry_over`.

        Parameters
        ----------
        path, known_hash
            The file, and the hash of what was written to it.
        vouched
            Keys of the outputs that they had; see `output_keys`.
        ids, own
            As in `carry_over`.
        """
        manager = self._contents()
        if manager is None or known_hash is None:
            return
        try:
            arguments = (manager.notary, path, known_hash, vouched)
            done = self._thread.submit(self._vouch, *arguments, ids=list(ids), own=own)
            await asyncio.wait([asyncio.wrap_future(done)], timeout=_AT_LATEST)
        except Exception as exc:
            self._cannot(path, exc)

    def close(self) -> None:
        """Sign nothing more."""
        self._thread.submit(self._end)
        self._thread.shutdown(wait=False)

    # On the thread

    def _carry_over(
        self, theirs: Any, path: Path, known: str, content: bytes, *, ids: list[str], own: Set[str]
    ) -> None:
        try:
            notary = self._open(theirs)
            before = self._before(notary, path, known)
            if before is None or not notary.store.check_signature(
                before.signature, notary.algorithm
            ):
                return
            after = _summed_up(notary, content)
            if len(after.outputs) != len(ids):
                return
            if not stays_trusted(
                set(before.outputs), dict(zip(ids, after.outputs, strict=True)), own
            ):
                logger.info("%s is not trusted any more: it has outputs of others' runs", path.name)
                return
            notary.store.store_signature(after.signature, notary.algorithm)
            self._written[path] = after
        except Exception as exc:  # whatever is wrong with signatures, the notebook is written
            self._cannot(path, exc)

    def _vouch(
        self,
        theirs: Any,
        path: Path,
        known: str,
        vouched: Set[str],
        *,
        ids: list[str],
        own: Set[str],
    ) -> None:
        try:
            notary, content = self._open(theirs), read_regular(path)
            found = _summed_up(notary, content)
            keys = output_keys(whole(_convert(_reads(content.decode("utf-8-sig")), 4).cells))
            alike = found.hash == known and len(keys) == len(ids)
            if alike and stays_trusted(vouched, dict(zip(ids, keys, strict=True)), own):
                notary.store.store_signature(found.signature, notary.algorithm)
                self._written[path] = found
        except Exception as exc:
            self._cannot(path, exc)

    def _before(self, notary: Any, path: Path, known: str) -> _File | None:
        last = self._written.pop(path, None)
        if last is not None and last.hash == known:
            return last
        try:
            content = read_regular(path)
        except FileNotFoundError:
            return None
        return _summed_up(notary, content) if hash_of(content) == known else None

    def _open(self, theirs: Any) -> Any:
        """Return a notary for this thread: SQLite's connections are not shared between threads."""
        if self._notary is None:
            if not hasattr(theirs.store, "db_file"):
                return theirs  # it keeps signatures in memory, or by some other means
            file = Path(theirs.db_file)
            if file.exists():
                # nbformat puts a database aside that it cannot open, for whatever reason.
                file.open("rb").close()
            self._notary = type(theirs)(parent=theirs.parent)
        return self._notary

    def _end(self) -> None:
        close = getattr(self._notary, "close", None)  # nbformat 5.11 and newer
        if close is not None:
            close()

    def _cannot(self, path: Path, exc: Exception) -> None:
        text = f"{path.name} cannot be signed as trusted: {str(exc) or type(exc).__name__}"
        if text != self._told:
            self._told = text
            logger.warning("%s; it is saved, trust it again once that is mended", text)


def _summed_up(notary: Any, content: bytes) -> _File:
    """Sum up a file as Jupyter reads it, without checking it against the format."""
    notebook = _convert(_reads(content.decode("utf-8-sig")), 4)
    keys = tuple(output_keys(notebook.cells))
    return _File(hash_of(content), notary.compute_signature(notebook), keys)
