"""Much text from one run: its beginning and its end are shown, and all of it stands in a file.

A cell that prints a hundred megabytes would fill the store, the notebook's file and every front end
with it. Of what goes beyond the limit only the end is kept, and now and then a glimpse while it
goes on; a line says how much was left out there, with a link to the file.
"""

from __future__ import annotations

import contextlib
import logging
import re
import time
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import BinaryIO
from uuid import UUID

from ..wire.frames import LINK_BASE

__all__ = ["DEFAULT_LIMIT", "LongText", "LongTexts", "Texts", "without_link"]

logger = logging.getLogger(__name__)

DEFAULT_LIMIT = 1_500_000
"""Characters of text that are shown of one run before some of it is left out."""

_TAIL = 10_000  # characters of the end
_GLIMPSE = 2_000  # characters that are shown while it goes on, this often:
_GLIMPSE_EVERY = 10.0  # seconds
_BETWEEN = 500  # characters before something that is not text
_MAX_FILE = 4_000_000_000  # bytes, of one run
_MAX_FILES = 10_000_000_000  # bytes, of all: the oldest give way

_LINK = re.compile(re.escape("; all of it: " + LINK_BASE) + r"[^\s\]]*")

Texts = list[tuple[str, str]]
"""Pieces of text, each with the name of its stream."""


def without_link(text: str) -> str:
    """Return text without the links to files, which only hold while the server is there."""
    return _LINK.sub("", text) if LINK_BASE in text else text


class LongText:
    """The text of one run.

    Parameters
    ----------
    path
        Where all of it is written, once something is left out.
    link
        Where it can be fetched.
    limit
        Characters that are shown before anything is left out.
    shown
        Returns all text so far, to begin the file with.
    make_space
        Called before a file is begun.
    clock
        Seconds; for tests.
    """

    def __init__(
        self,
        path: Path,
        link: str,
        limit: int,
        *,
        shown: Callable[[], Iterable[str]],
        make_space: Callable[[], object] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._file: BinaryIO | None = None
        self._path = path
        self._link = link
        self._limit = limit
        self._shown = shown
        self._make_space = make_space
        self._clock = clock
        self._free = limit
        self._left_out = False
        self._tail: deque[tuple[str, str]] = deque()
        self._tail_size = self._hidden = 0
        self._since = 0.0
        self._size = 0
        self._complete = True

    def __del__(self) -> None:
        self._close()  # a run that was given up with the server

    @property
    def hides(self) -> bool:
        """Whether there is text that has not been shown."""
        return bool(self._hidden)

    def take(self, name: str, text: str) -> Texts:
        """Take a piece of a stream; returns what is to be shown now."""
        if not self._left_out and len(text) <= self._free:
            self._free -= len(text)
            return [(name, text)]
        shown: Texts = []
        if not self._left_out:
            self._left_out, self._since = True, self._clock()
            fits, self._free = self._free, 0
            self._open()
            self._write(text)
            if fits:
                shown.append((name, text[:fits]))
            text = text[fits:]
        else:
            self._write(text)
        self._hide(name, text)
        if self._clock() - self._since >= _GLIMPSE_EVERY:
            self._since = self._clock()
            shown += self._reveal(_GLIMPSE)
        return shown

    def between(self) -> Texts:
        """Return what is to be shown before something that is not text."""
        return self._reveal(_BETWEEN)

    def finish(self) -> Texts:
        """Return what is to be shown when no more text is expected; more may come all the same."""
        shown = self._reveal(_TAIL)
        self._close()
        return shown

    def start_again(self) -> None:
        """Begin to count again: what was shown is cleared, or will be with the next output."""
        self._close()
        self._free, self._left_out, self._size = self._limit, False, 0

    def _hide(self, name: str, text: str) -> None:
        self._hidden += len(text)
        text = text[-_TAIL:]
        self._tail.append((name, text))
        self._tail_size += len(text)
        while self._tail_size - len(self._tail[0][1]) >= _TAIL:
            self._tail_size -= len(self._tail.popleft()[1])

    def _reveal(self, most: int) -> Texts:
        """Return the end of what is hidden, below a line that says how much still is."""
        if not self._hidden:
            return []
        kept: deque[tuple[str, str]] = deque()
        left = most
        while self._tail and left > 0:
            name, text = self._tail.pop()
            kept.appendleft((name, text[-left:]))
            left -= len(text)
        hidden = self._hidden - sum(len(text) for _, text in kept)
        if hidden and kept:
            # From the beginning of a line, if one begins soon.
            name, text = kept[0]
            cut = text.find("\n", 0, most // 4) + 1
            kept[0] = (name, text[cut:])
            hidden += cut
        name = kept[0][0] if kept else "stdout"
        self._tail.clear()
        self._tail_size = self._hidden = 0
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.flush()
        line = [(name, f"\n{self._line(hidden)}\n")] if hidden else []
        return [*line, *((name, text) for name, text in kept if text)]

    def _line(self, hidden: int) -> str:
        if self._complete:
            return f"[… {hidden:,} characters left out here; all of it: {self._link}]"
        if self._size:
            return (
                f"[… {hidden:,} characters left out here; the first {self._size:,} bytes of all "
                f"of it: {self._link}]"
            )
        return f"[… {hidden:,} characters left out here; they could not be kept]"

    def _open(self) -> None:
        self._make_space()
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._file = self._path.open("wb", buffering=1 << 20)
            self._size, self._complete = 0, True
        except OSError as exc:
            logger.warning("long output cannot be kept: %s", exc)
            self._complete = False
            return
        for text in self._shown():
            self._write(text)

    def _open_again(self) -> None:
        """Go on with the file: text came although the run had ended."""
        try:
            if self._path.stat().st_size == self._size:
                self._file = self._path.open("ab")
        except OSError:
            self._file = None
        if self._file is None:  # it gave way to others, or to that of a later run
            self._complete, self._size = False, 0

    def _write(self, text: str) -> None:
        if self._file is None and self._size and self._complete:
            self._open_again()
        if self._file is None:
            return
        data = text.encode("utf-8", "surrogatepass")
        try:
            if self._size + len(data) > _MAX_FILE:
                raise OSError("it is too long")
            self._file.write(data)
            self._size += len(data)
        except OSError as exc:
            logger.warning("long output is not kept any more: %s", exc)
            self._complete = False
            self._close()

    def _close(self) -> None:
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.close()
            self._file = None


class LongTexts:
    """The files with the long texts of a server.

    Parameters
    ----------
    directory
        Where they are.
    link
        From the id of a collection to a link to its file.
    limit
        See `LongText`.
    """

    def __init__(
        self, directory: Path, link: Callable[[UUID], str], limit: int = DEFAULT_LIMIT
    ) -> None:
        self._directory = directory
        self._link = link
        self.limit = limit

    def path(self, collection_id: UUID) -> Path:
        """Return where the text of a collection is, if it is a long one."""
        return self._directory / f"{collection_id}.txt"

    def new(self, collection_id: UUID, shown: Callable[[], Iterable[str]]) -> LongText:
        """Return the text of a run that begins."""
        path = self.path(collection_id)
        return LongText(
            path, self._link(collection_id), self.limit, shown=shown, make_space=self.sweep
        )

    def remove(self, collection_id: UUID) -> None:
        """Delete a file, if there is one."""
        with contextlib.suppress(OSError):
            self.path(collection_id).unlink(missing_ok=True)

    def sweep(self, most: int = _MAX_FILES) -> None:
        """Delete the oldest files if all together are too large."""
        try:
            found = [(p.stat().st_mtime, p.stat().st_size, p) for p in self._directory.iterdir()]
        except OSError:
            return
        size = sum(each for _, each, _ in found)
        for _, each, path in sorted(found):
            if size <= most:
                return
            with contextlib.suppress(OSError):
                path.unlink()
                size -= each
