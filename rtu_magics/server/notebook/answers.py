"""What becomes of a change, told to whoever asked for it and to everybody who follows the notebook.

A reply and the change itself if it counts; a reply and the reason if it does not. Whoever waits in
the server gets a result or an exception instead of frames.
"""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from ...errors import SquashError
from ..store.deltas import StoredDelta
from ..wire.connection import Connection, broadcast
from ..wire.frames import Envelope, error_frame, message
from .chain import NotStored, Staged
from .jobs import Submission

__all__ = ["Answers"]

_STORE_FAILED = "the server could not store the change ({}); try again when that is solved"
_TAKEN = "another change with the same id was accepted before"


class Answers:
    """Answers the changes of one notebook.

    Parameters
    ----------
    channel
        The notebook's.
    subscribers
        Who follows it, as it changes.
    on_nothing
        Called with the id of a change by which nothing begins: it is refused, or known already.
    """

    def __init__(
        self,
        channel: str,
        subscribers: dict[Connection, None],
        on_nothing: Callable[[UUID], object] = lambda _: None,
    ) -> None:
        self._channel, self._subscribers = channel, subscribers
        self._on_nothing = on_nothing

    def accepted(self, job: Submission, one: Staged) -> None:
        """Tell of a change that is stored."""
        job.accepted = True
        envelope = Envelope(self._channel, job.transaction_id)
        if job.connection is not None:
            job.connection.send(envelope.message("new_delta_reply", '{"success":true}'))
        event = envelope.message("new_delta_event", one.body)
        broadcast(self._subscribers, event)
        if job.connection is not None and job.connection not in self._subscribers:
            job.connection.send(event)

    def settled(self, job: Submission, one: Staged) -> None:
        """Let whoever awaits a change that was accepted go on."""
        if job.done is not None and not job.done.done():
            job.done.set_result(one.delta)

    def known(self, job: Submission, stored: StoredDelta | None, *, same: bool) -> None:
        """Tell of a change that comes a second time.

        Parameters
        ----------
        stored
            What the store has under its id, None if nothing.
        same
            Whether that is this change.
        """
        if not same or stored is None:
            self.refused(job, _TAKEN)
            return
        self._on_nothing(job.delta.id)
        if job.connection is not None:
            self._reply(job, '{"success":true}')
            body = stored.body or _spent(job)
            event = message(self._channel, "new_delta_event", body, job.transaction_id)
            job.connection.send(event)

    def refused(self, job: Submission, cause: str) -> None:
        """Tell why a change will not do, now or later."""
        job.refused = cause
        self._reject(job, cause, SquashError)

    def not_stored(self, job: Submission, trouble: str) -> None:
        """Tell that a change could not be stored now; it may be later."""
        self._reject(job, _STORE_FAILED.format(trouble), NotStored)

    def _reject(self, job: Submission, cause: str, error: type[SquashError]) -> None:
        self._on_nothing(job.delta.id)
        if job.connection is not None:
            self._reply(job, '{"success":false}')
            job.connection.send(
                error_frame(self._channel, "delta_rejected", cause, job.transaction_id)
            )
        if job.done is not None and not job.done.done():
            job.done.set_exception(error(cause))

    def _reply(self, job: Submission, data: str) -> None:
        assert job.connection is not None
        job.connection.send(message(self._channel, "new_delta_reply", data, job.transaction_id))


def _spent(job: Submission) -> str:
    """Return a delta that has left the chain, so that whoever waits for it learns that it counts.

    Whoever retries it that late has loaded the notebook anew, with what it did. As its own parent
    it cannot be taken for the chain's next.
    """
    told = {"parent_delta_id": job.delta.id, "created_by_id": job.author}
    return job.delta.model_copy(update=told).model_dump_json()
