"""What the store is told of a notebook that it does not know yet."""

from __future__ import annotations

from dataclasses import dataclass

from ...document import NotebookBuilder, normalise_notebook
from ...models import Notebook
from .format import DiskBase, dumps, hash_of
from .io import read_notebook

__all__ = ["FirstVersion"]


@dataclass(frozen=True, slots=True)
class FirstVersion:
    """Version 0 of a notebook and what its file holds; making one takes a while if it is large.

    Attributes
    ----------
    body
        The version.
    disk_hash, base
        Of the file; see `format`.
    """

    body: bytes
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
        body = NotebookBuilder(notebook).dumps()
        return cls(body, hash_of(content), DiskBase.of(notebook).dumps())
