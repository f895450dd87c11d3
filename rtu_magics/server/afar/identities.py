"""Which file of another server a copy is of: a path may have another notebook tomorrow."""

from __future__ import annotations

import json
from pathlib import Path

from ..file.io import write_atomically

__all__ = ["Identities"]


class Identities:
    """The ids that another server gives the files of which there are copies here, by path.

    Parameters
    ----------
    place
        Where they are kept, in JSON; made if need be.
    url
        That server, noted beside them.
    """

    def __init__(self, place: Path, url: str) -> None:
        self._place, self._url = place, url
        self._ids: dict[str, str] = {}
        try:
            found = json.loads(place.read_text(encoding="utf-8"))["files"]
            self._ids = {str(path): str(file_id) for path, file_id in found.items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            pass  # none yet, or half of it: they are learnt again
        self._write()

    def of(self, path: str) -> str | None:
        """Return the id of the file that a path's copy is of, None if that is not known."""
        return self._ids.get(path)

    def note(self, path: str, file_id: str) -> None:
        """Note which file a path's copy is of."""
        if self._ids.get(path) != file_id:
            self._ids[path] = file_id
            self._write()

    def moved(self, path: str, to: str) -> None:
        """Note that a copy lies under another path now."""
        file_id = self._ids.pop(path, None)
        if file_id is not None:
            self._ids[to] = file_id
            self._write()

    def _write(self) -> None:
        content = json.dumps({"url": self._url, "files": self._ids}, indent=1)
        write_atomically(self._place, content.encode())
