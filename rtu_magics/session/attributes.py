"""What a session shows of its parts: one line for each attribute, and where it lies."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from .. import models as m
from .context import Context, Say
from .events import Person
from .held import Held, Seen
from .hub import EventHub
from .ops.kernel import Kernel

if TYPE_CHECKING:
    from ..client import APIClient, RTUClient
    from ..embedded import Lease

__all__ = ["Attributes"]


class Attributes:
    """The attributes of a `Session` beside its parts, which set and hold them.

    Attributes
    ----------
    context, kernel
        See `Session`.
    """

    context: Context
    kernel: Kernel

    name = Held[str]("context.name", "What ``-s NAME`` says to the magics.")
    client: Held[RTUClient] = Held(
        "context.client", "The asynchronous client; its methods belong on ``background().loop``."
    )
    api: Held[APIClient] = Held("context.api", "The asynchronous REST client.")
    server_url = Held[str]("context.server_url", "The server's address.")
    lease: Held[Lease | None] = Held(
        "context.lease", "What keeps a server of this machine running; None for another one."
    )
    say: Held[Say] = Held("context.say", "Called with a line of text for each thing that happens.")
    tell: Held[Say] = Held(
        "context.tell", "The same, for what matters also where one wants to hear little."
    )
    hub = Held[EventHub]("context.hub", "Every event of the notebook, for whoever subscribes.")
    opened_at = Held[float]("context.opened_at", "When it was opened, in seconds since 1970.")
    seen: Held[dict[str, str]] = Held(
        "context.seen",
        "By cell id, the source that the user last saw: what an edit of theirs is based on.",
    )
    trust_outputs: Held[bool | None] = Held(
        "context.trust_outputs",
        "Whether its outputs are trusted; None where nobody said so, see `trusts_outputs`.",
    )
    trusts_outputs = Seen[bool](
        "context.trusts_outputs",
        "Whether outputs may run scripts in the reader's page, by HTML. While `trust_outputs` is "
        "None, those of one's own servers may, and those of others may not.",
    )
    last_touched: Held[str | None] = Held(
        "context.refs.last_touched",
        "The cell that ``.`` names, and in which others see this user; set it on the loop.",
    )

    file = Held[m.File]("context.known.file", "The notebook's file on the server.")
    path = Seen[str]("context.known.path", "The notebook's path below the server's directory.")
    root: Held[Path | None] = Held(
        "context.known.root", "The directory on this machine that the embedded server serves."
    )
    local_path: Seen[Path | None] = Seen(
        "context.known.local_path",
        "The notebook's path on this machine, for one of the embedded server.",
    )
    file_state: Held[m.FileStateData | None] = Held(
        "context.known.file_state", "Whether the file holds the notebook, as last heard."
    )
    file_trouble = Seen[str](
        "context.known.file_trouble",
        "What keeps the notebook from its file, in one line; empty if nothing does.",
    )
    cell_states: Held[dict[str, m.CellState]] = Held(
        "context.known.cell_states", "By cell id, the state of each cell that has one."
    )
    edited_by: Held[dict[str, UUID | None]] = Held(
        "context.known.edited_by", "By cell id, who else changed a cell last."
    )
    kernel_session: Held[m.KernelStatusUpdate | None] = Held(
        "context.known.kernel", "The kernel's state as last heard; None if none was started."
    )
    people: Held[dict[UUID, Person]] = Held(
        "context.known.people", "Who has the notebook open, by user id."
    )
    role: Held[str | None] = Held(
        "context.known.role",
        "What the user may do: ``viewer``, ``executor``, ``contributor``, ``owner``.",
    )
    known_kernels: Held[tuple[str, ...]] = Held(
        "context.known.kernels", "The names of the installed kernels, as last heard."
    )
    known_invites: Held[list[str]] = Held(
        "context.known.invites", "The open invitations, as last heard, by name or else by id."
    )
    known_versions: Held[list[str]] = Held(
        "context.known.versions", "The saved versions, as last heard, by number and by name."
    )
    known_cells: Held[list[str]] = Held(
        "context.known.cells", "The short ids of the cells, as tab completion last saw them."
    )

    open = Seen[bool](
        "context.open", "Whether it can be used: not closed, and not given up by its client."
    )
    refused = Seen[str](
        "context.refused", "Why the server ended this session, empty if it did not."
    )
    connection = Seen[str](
        "context.connection", "``connecting``, ``live``, ``reconnecting`` or ``closed``."
    )
    server_ended = Seen[bool](
        "context.server_ended", "Whether the server on this machine that keeps it has ended."
    )
    kernel_alive = Seen[bool]("kernel.alive", "Whether a kernel runs or is about to.")
    kernel_ready = Seen[bool]("kernel.ready", "Whether a kernel takes executions.")
    kernel_culled = Seen[bool](
        "kernel.culled",
        "Whether the last kernel was ended for idleness, and none has run since.",
    )
    culled_words = Seen[str](
        "kernel.culled_words", "What people are told of a kernel that was culled."
    )
