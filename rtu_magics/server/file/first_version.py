"""What the store is told of a notebook that it does not know yet."""

from __future__ import annotations

from dataclasses import dataclass

from ...document import built, normalise_notebook
from ...models import NIL_UUID, Notebook
from ..notebook.still import Still
from ..process.slices import at_once, joined
from .format import DiskBase, dumps, hash_of
from .io import read_notebook

__all__ = ["FirstVersion"]


@dataclass(frozen=True, slots=True)
class FirstVersion:
    """Version 0 of a notebook and what its file holds; making one takes a while if it is large.

    Attributes
    ----------
    body
        The version, in parts.
    disk_hash, base
        Of the file; see `format`.
    """

    body: list[bytes]
    disk_hash: str
    base: str

    @classmethod
    def of_file(cls, content: bytes) -> FirstVersion:
        """Sum up what a file holds.

        Raises
        ------
        InvalidMessage
            It is no notebook.
        """
        return cls._of(read_notebook(content), content)

    @classmethod
    def of_upload(cls, content: bytes) -> tuple[FirstVersion, bytes]:
        """Sum up what was uploaded; returns that and the bytes of its file.

        Raises
        ------
        InvalidMessage
            It is no notebook.
        """
        notebook = normalise_notebook(content)
        on_disk = dumps(notebook)
        return cls._of(notebook, on_disk), on_disk

    @classmethod
    def _of(cls, notebook: Notebook, content: bytes) -> FirstVersion:
        still = Still(at_once(built(notebook)), 0, 0, NIL_UUID)
        body = at_once(joined(still.pieces()))
        return cls(body, hash_of(content), DiskBase.of(notebook).dumps())
