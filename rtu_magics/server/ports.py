"""What the parts of an open notebook ask of it: small interfaces, so that no part holds the room.

The one thing that fulfils them is `room.Room`; a test of one part needs no more than these.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar
from uuid import UUID

from ..models import FileDeltaBase
from .notebook.chain import Chain
from .store import AnyConnection
from .wire.connection import Connection

__all__ = ["Audience", "LiveDocuments", "LiveNotebook", "Log", "OpenNotebook", "OpenRoom", "Twin"]

_T = TypeVar("_T")


class Audience(Protocol):
    """Who follows a notebook, and what they are sent."""

    @property
    def file_id(self) -> UUID:
        """The notebook."""

    @property
    def channel(self) -> str:
        """Its channel of the files, ``files/<file-id>``."""

    @property
    def kernel_channel(self) -> str:
        """Its channel of the kernels."""

    @property
    def subscribers(self) -> dict[Connection, None]:
        """Who follows the notebook."""

    @property
    def kernel_subscribers(self) -> dict[Connection, None]:
        """Who follows its kernel alone."""

    def kernel_receivers(self) -> dict[Connection, None]:
        """Return who is sent what concerns the kernel, each connection once."""

    def send(self, event: str, data: Any, transaction_id: UUID | None = None) -> None:
        """Send an event on the files channel to everybody who follows the notebook."""

    def tell_inconsistent(self, reason: str) -> None:
        """Tell everybody to load the current version."""


class Log(Protocol):
    """A notebook's content, and the one way to change it: in order, stored before it is told."""

    @property
    def file_id(self) -> UUID:
        """The notebook."""

    @property
    def chain(self) -> Chain:
        """Its deltas and what they yield."""

    async def apply(
        self,
        delta: FileDeltaBase,
        author: UUID,
        also: Callable[[AnyConnection], None] | None = None,
    ) -> FileDeltaBase:
        """Append a delta of the server's own; see `room.Room.apply`."""

    async def exclusively(self, work: Callable[[], _T], *, overtakes: bool = False) -> _T:
        """Run a function in the writer, after what arrived before; it may not await."""

    def changed(self, *, revive: bool = True) -> None:
        """Note that the notebook's file is to be written again.

        `revive` says whether a file that was deleted comes back for it.
        """


class LiveNotebook(Audience, Log, Protocol):
    """Both: what changes a notebook and tells those who follow it."""


class OpenNotebook(LiveNotebook, Protocol):
    """The same, with its place."""

    @property
    def path(self) -> str:
        """Where it lies below the server's root."""


class OpenRoom(Protocol):
    """A notebook that is open here, with the parts that a live document is put beside."""

    @property
    def file_id(self) -> UUID:
        """The notebook."""

    @property
    def path(self) -> str:
        """Where it lies below the server's root."""

    @property
    def disk(self) -> Any:
        """Its file."""

    @property
    def executor(self) -> Any:
        """What runs its cells."""

    @property
    def presence(self) -> Any:
        """Who is in it."""


class LiveDocuments(Protocol):
    """Knows the live documents on which notebooks stand."""

    def can(self, path: str) -> bool:
        """Whether a notebook's file is left to a live document, now or in a moment."""

    async def provide(self, path: str) -> None:
        """Have a file here before it is opened, where it comes from elsewhere."""

    async def look(self, notebook: Any) -> None:
        """Put a notebook on its live document if there is one; part from one that is gone."""

    async def close(self, notebook: Any) -> None:
        """Part from a notebook's live document for good: the notebook is closed."""


class Twin(Protocol):
    """What stands beside a notebook and holds the same: a live document of JupyterLab.

    A notebook's writer calls it, and awaits nothing meanwhile.
    """

    def changes(self) -> list[tuple[FileDeltaBase, UUID]]:
        """Return what others did there, with the authors; the same until it is `took`."""

    def took(self, refused: str, stored: bool) -> None:
        """Note what became of the changes: `refused` says why one was, `stored` if all are."""

    def settle(self, deltas: Sequence[FileDeltaBase]) -> None:
        """Make there what was stored here; without deltas, whatever else has changed."""

    def outputs_changed(self) -> None:
        """Show there soon what runs put out since."""
