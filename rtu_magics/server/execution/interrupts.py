"""Ending runs: one's own, whatever runs, or everybody's, by role.

Whoever may run cells may end what they asked for, what waits of it included. What somebody else
asked for is ended by those who may change the notebook, whose own code could do as much; an
executor runs what is there and leaves the others' runs alone. Everybody's requests at once are the
owner's.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from ...models import EndReason
from ..access.people import Action, People, Person, authorise
from ..kernel.notebook_kernel import NotebookKernel
from .executor import Executor

__all__ = ["Ended", "Interrupts", "NotYours"]


class NotYours(Exception):
    """What runs is somebody else's; the message is one line, with the next step."""


@dataclass(frozen=True, slots=True)
class Ended:
    """What became of it.

    Attributes
    ----------
    withdrawn
        How many cells will not run.
    interrupted
        Whether the kernel was interrupted.
    message
        All of it in one line.
    """

    withdrawn: int
    interrupted: bool
    message: str


@dataclass(frozen=True, slots=True)
class Interrupts:
    """Ends what runs in one notebook.

    Parameters
    ----------
    file_id
        The notebook.
    executor, kernel
        What runs its cells, and on what.
    people
        Whose names are told.
    """

    file_id: UUID
    executor: Executor
    kernel: NotebookKernel
    people: People

    async def interrupt(self, person: Person) -> None:
        """Interrupt what runs.

        Raises
        ------
        NotYours
            It is somebody else's, and the person may only run cells.
        """
        whose = self._other(person)
        if whose and not authorise(person, Action.EDIT, self.file_id):
            raise NotYours(
                f"a cell of {whose} runs, which only they, a contributor or an owner may "
                "interrupt; %rtu_kernel interrupt ends what waits of yours"
            )
        await self._interrupt()

    async def end_runs(self, person: Person, *, everybody: bool = False) -> Ended:
        """End the whole of somebody's requests, what runs and what waits, or of everybody's.

        If they have none, what runs is interrupted, as far as they may.

        Raises
        ------
        NotYours
            There is nothing of theirs, or everybody's was asked for, and they may not.
        """
        if everybody and not authorise(person, Action.MANAGE, self.file_id):
            raise NotYours("only an owner may end everybody's runs; without --all, yours are ended")
        name = person.user.display_name
        cause = f"not run: {name} ended {'all runs' if everybody else 'the run'}"
        withdrawn = self.executor.withdraw(
            None if everybody else person.id, cause, EndReason.INTERRUPTED
        )
        whose = self._other(person)
        if everybody or not whose:
            sent = await self._interrupt(everybody=everybody)
            what = "interrupt sent" if sent else "what ran has just ended"
            return Ended(withdrawn, sent, f"{what}{_and_waiting(withdrawn)}")
        if withdrawn:
            line = f"{_cells(withdrawn)} of yours will not run; the cell that runs is {whose}'s"
            return Ended(withdrawn, False, line)
        await self.interrupt(person)
        return Ended(0, True, f"interrupt sent; the cell was {whose}'s")

    async def _interrupt(self, *, everybody: bool = False) -> bool:
        """Interrupt what runs, and not what somebody else's turn has brought meanwhile."""
        author = self.executor.running_for
        return await self.kernel.interrupt(
            lambda: everybody or author is None or self.executor.running_for in (author, None)
        )

    def _other(self, person: Person) -> str:
        """Return who else's cell runs, "" if nobody's does."""
        author = self.executor.running_for
        if author is None or author == person.id:
            return ""
        other = self.people.find(author)
        return other.user.display_name if other is not None else "somebody else"


def _and_waiting(withdrawn: int) -> str:
    return f"; {_cells(withdrawn)} that waited will not run" if withdrawn else ""


def _cells(count: int) -> str:
    return "1 cell" if count == 1 else f"{count} cells"
