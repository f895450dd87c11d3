"""What pages did in a live document: found as deltas with authors, and kept until it is stored."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from ...document import NotebookBuilder
from ...models import FileDeltaBase, parse_notebook
from ..ports import LiveNotebook
from .authors import Authors, client_of
from .document import LiveDocument
from .from_live import Changes, changes_in, mend_ids, set_rest
from .past import Past
from .touched import Touched

__all__ = ["Pages"]


class Pages:
    """The pages that have one notebook open.

    Parameters
    ----------
    notebook, live
        The notebook, and the document that pages change.
    authors
        Who is who in the document.
    past
        What our clients changed lately.
    """

    def __init__(
        self, notebook: LiveNotebook, live: LiveDocument, authors: Authors, past: Past
    ) -> None:
        self._notebook, self._live = notebook, live
        self._authors, self._past = authors, past
        self._writers: dict[str, int | None] = {}  # who touched what, by cell
        self._found = Changes()

    def heard(self, event: Any) -> None:
        """Note who made a transaction; what it touched has just been noted."""
        client = client_of(event.update)
        for cell_id in self._live.touched.cells | self._live.touched.outputs:
            self._writers.setdefault(cell_id, client)

    def author_of(self, cell_id: str) -> UUID:
        """Return who changed a cell since it was last stored."""
        return self._authors.of(self._writers.get(cell_id))

    def find(self) -> list[tuple[FileDeltaBase, UUID]]:
        """Return what is not stored yet, as deltas with their authors.

        What no delta can say is made in the notebook at once, which begins its chain anew.

        Raises
        ------
        Exception
            It cannot be told, or not be stored.
        """
        touched = self._live.touched
        if touched.order:
            builder = self._notebook.chain.builder
            touched.cells.update(mend_ids(self._live, builder, self._past))
        found = self._compare(touched)
        if found.rest:
            self._begin_anew(found)
            found = self._compare(touched)
        self._found = found
        return [(delta, self._author(delta)) for delta in found.deltas]

    def taken(self) -> Changes:
        """Note that what was found is stored; returns it."""
        found, self._found = self._found, Changes()
        left = self._live.touched.outputs
        self._live.touched = Touched(outputs=left)
        self._writers = {one: self._writers[one] for one in left & set(self._writers)}
        return found

    def _compare(self, touched: Touched) -> Changes:
        notebook = self._notebook
        builder = notebook.chain.builder
        return changes_in(notebook.file_id, self._live, touched, builder, self._past)

    def _begin_anew(self, found: Changes) -> None:
        """Change what no delta can: what was is kept as a version."""
        chain = self._notebook.chain
        builder = NotebookBuilder(parse_notebook(chain.builder.dumps()))
        set_rest(builder, found)
        what = "attachments or parts that are no edits" if found.parts else "removed metadata"
        cell_id = next((one[0] for one in (*found.parts, *found.removed) if one[0]), None)
        author = self.author_of(cell_id or "")
        before = f"Before JupyterLab's page changed {what}"
        chain.begin_epoch(builder, reason="outside", before=before, author=author)
        self._notebook.tell_inconsistent(f"a page of JupyterLab changed {what}")

    def _author(self, delta: FileDeltaBase) -> UUID:
        cell_id = delta.resource_id
        if delta.delta_type == "nb_cells":
            cell_id = str(delta.properties.id)
        return self.author_of(cell_id)
