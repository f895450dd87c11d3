"""Showing outputs in one cell from any thread and at any time.

What another thread prints would land in whichever cell ran last, so every message says which cell
it belongs to. Front ends keep listening to a cell that is done.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from ...foreign import shown
from .display_ids import display_ids
from .replay import Replay

if TYPE_CHECKING:
    from ...session import Session

__all__ = ["PinnedPublisher", "PinnedReplay"]


class PinnedPublisher:
    """Publishes for one cell from any thread, through the kernel's own session.

    Parameters
    ----------
    shell
        The shell of a kernel, while it runs the cell.
    """

    def __init__(self, shell: Any) -> None:
        self._kernel = shell.kernel
        publisher = shell.display_pub
        # What captures the cell's output has none, and lets go of it when the cell is done.
        parent = getattr(publisher, "parent_header", None) or shell.get_parent()
        self._parent = dict(parent)  # of the request that runs this cell

    def send(self, kind: str, content: dict[str, Any], topic: bytes = b"display_data") -> None:
        """Send a message to whoever shows the cell."""
        kernel = self._kernel
        kernel.session.send(kernel.iopub_socket, kind, content, parent=self._parent, ident=topic)

    def publish(
        self,
        data: dict[str, Any],
        metadata: dict[str, Any] | None = None,
        *,
        transient: dict[str, Any] | None = None,
        update: bool = False,
    ) -> None:
        """Display something, or what takes the place of something displayed."""
        content = {"data": data, "metadata": metadata or {}, "transient": transient or {}}
        self.send("update_display_data" if update else "display_data", content)

    def clear_output(self, wait: bool = False) -> None:
        """Clear the cell's outputs."""
        self.send("clear_output", {"wait": wait})


class PinnedReplay(Replay):
    """Shows the outputs of a run in one cell, from any thread; text piles up until `push`.

    Parameters
    ----------
    publisher
        Publishes for the cell.
    session
        Where the run is.
    owns_cell, mark
        As for `Replay`.
    """

    def __init__(
        self,
        publisher: PinnedPublisher,
        session: Session,
        *,
        owns_cell: bool,
        mark: str | None = None,
    ) -> None:
        super().__init__(
            SimpleNamespace(display_pub=publisher),
            display_ids(session),
            owns_cell=owns_cell,
            fetch=session.fetch,
            trusts=lambda: session.trusts_outputs,
            mark=mark,
        )
        self._in_terminal = False
        self._publisher = publisher
        self._pending: tuple[str, list[str]] = ("stdout", [])

    def begin(self) -> None:
        """Show the mark, if there is to be one."""
        if self.mark is not None:
            self._write("stdout", f"{shown(self.mark)}\n")

    def push(self) -> None:
        """Send the text that has piled up."""
        name, texts = self._pending
        if texts:
            self._pending = (name, [])
            content = {"name": name, "text": "".join(texts)}
            self._publisher.send("stream", content, f"stream.{name}".encode())

    def _write(self, name: str, text: str) -> None:
        if name != self._pending[0]:
            self.push()
            self._pending = (name, [])
        self._pending[1].append(text)

    def _clear(self, *, wait: bool) -> None:
        self._pending[1].clear()
        self._publisher.clear_output(wait=wait)
        self.begin()

    def _publish(self, *args: Any, **kwargs: Any) -> None:
        self.push()
        super()._publish(*args, **kwargs)
