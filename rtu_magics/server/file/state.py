"""What is to be done about one notebook's file: events in, effects out.

Pure: no clock (every event says when it happened), no files, no tasks. `FileState` is the whole
memory; `handle` is the only function that changes it. What makes a write wait:

========== ============================================================================
clean      the file holds what the room holds
dirty      it does not yet; a write is due
failing    something went wrong (reading, writing, rendering); it is tried again, ever more slowly
missing    somebody deleted it, all of it saved; it comes back with the next edit or by saving
foreign    what is there was read and is no notebook; only saving replaces it (it is kept aside)
held       another program owns the file at the moment; ours is written when it lets go
read-only  the system does not let this server write it; tried again when its permissions change
========== ============================================================================

An error is never taken for content: a file that cannot be *read* is `failing`, never `foreign`.
A change counts as on disk only when a write of it, or of a later one, has succeeded. Whoever
deletes a file deletes what it holds, and no edit that it does not hold yet: then it is written
again, once a rename in several steps would be over.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

from .events import (
    Allowed,
    Changed,
    Denied,
    Due,
    Effect,
    Event,
    Failed,
    Found,
    Held,
    KeepVersion,
    NotNotebook,
    Released,
    Renamed,
    SaveAsked,
    SetTimer,
    ShowState,
    Tell,
    Vanished,
    Write,
    Wrote,
)
from .failure import Failure

__all__ = ["Condition", "Failure", "FileState", "handle", "may_write"]

WRITE_AFTER = 0.7  # seconds of quiet after a change
WRITE_AT_LATEST = 3.0
RETRY_AFTER = 1.0  # seconds after the first failure, doubled with each one that follows
RETRY_AT_LATEST = 5.0
BACK_AFTER = 3.0  # seconds that a file is gone before it is written again: it may lie elsewhere
RENDER_AT_LATEST = 60.0  # it costs as much as a write and only a change of the notebook helps

Condition = Literal["clean", "dirty", "failing", "missing", "foreign", "held", "read-only"]


@dataclass(frozen=True, slots=True)
class FileState:
    """All that is remembered about what is to be done with a file.

    Attributes
    ----------
    name
        Of the file, for sentences.
    generation
        Of the room's content: one more with each change.
    written
        The generation that the file holds.
    changed_at
        When the first change was made that the file does not hold, in seconds.
    write_at
        When the next attempt is due, None if none is.
    failure
        What goes wrong at present.
    content
        ``missing`` or ``foreign`` where the file is not to be touched, and why.
    wanted
        Whether what the file does not hold is somebody's edit, and no output alone.
    gone_at
        When it was first seen that the file is not there, None while it is.
    held, denied
        Why another program owns the file, and why the system refuses; empty where not.
    since
        When it got into the condition that it is in.
    """

    name: str = "the notebook"
    generation: int = 0
    written: int = 0
    changed_at: float = 0.0
    write_at: float | None = None
    failure: Failure | None = None
    content: Literal["", "missing", "foreign"] = ""
    content_reason: str = ""
    wanted: bool = False
    gone_at: float | None = None
    held: str = ""
    denied: str = ""
    since: float = 0.0

    @property
    def unsaved(self) -> bool:
        """Whether the room has changes that the file does not hold."""
        return self.generation != self.written

    @property
    def condition(self) -> Condition:
        """The one word for it, the gravest first."""
        if self.held:
            return "held"
        if self.content:
            return self.content
        if self.denied:
            return "read-only"
        if self.failure is not None:
            return "failing"
        return "dirty" if self.unsaved else "clean"

    @property
    def reason(self) -> str:
        """Why it is not simply clean or dirty: one line for people that says what to do."""
        if self.held:
            if ";" in self.held:  # it says itself what becomes of edits
                return self.held
            return f"{self.held}; edits are kept in the database and written when it lets go"
        if self.content == "missing":
            return f"{self.name} was deleted on disk; save it, or edit on, to write it again"
        if self.content == "foreign":
            return (
                f"{self.name} on disk is no notebook any more ({self.content_reason}); the "
                "notebook lives on here, save it to write it again"
            )
        if self.denied:
            return (
                f"{self.name} is read-only ({self.denied}): edits are kept, not saved to the file"
            )
        if self.failure is not None:
            return (
                f"{self.name} {self.failure.words} ({self.failure.reason}); nothing is "
                "lost, it is tried again until it works"
            )
        return ""


_Step = tuple[FileState, list[Effect]]


def handle(state: FileState, event: Event) -> _Step:
    """Return the state after an event, and what is to be done.

    Parameters
    ----------
    state
        As it was.
    event
        What happened. Times never go backwards; those that do count as the time known.

    Examples
    --------
    >>> state, effects = handle(FileState(), Changed(10.0))
    >>> state.condition, effects
    ('dirty', [SetTimer(at=10.7)])
    >>> state, effects = handle(state, Failed(10.8, "write", "No space left on device"))
    >>> state.condition, state.unsaved, effects[0]
    ('failing', True, SetTimer(at=11.8))
    """
    after, effects = _HANDLERS[type(event)](state, event)
    if after.condition != state.condition:
        after = replace(after, since=event.now)
    told = (after.condition, after.reason)
    if told != (state.condition, state.reason) and not (_quiet(state) and _quiet(after)):
        effects.append(ShowState())
    return after, effects


def may_write(state: FileState) -> bool:
    """Return whether nothing but an error stands in the way of a write."""
    return not (state.content or state.held or state.denied)


def _quiet(state: FileState) -> bool:
    return state.condition in ("clean", "dirty")


def _due(state: FileState, at: float) -> _Step:
    return replace(state, write_at=at), [SetTimer(at)]


def _again(state: FileState, now: float) -> _Step:
    """Have what is unsaved written soon, and what could not be read looked at again."""
    if not may_write(state):
        return state, []
    if state.unsaved:
        return _due(replace(state, failure=None), _not_before(state, now))
    return (state, []) if state.failure is None else _due(state, now)


def _not_before(state: FileState, at: float) -> float:
    return at if state.gone_at is None else max(at, state.gone_at + BACK_AFTER)


def _changed(state: FileState, event: Changed) -> _Step:
    first = event.now if not state.unsaved else state.changed_at
    wanted = event.revive or (state.unsaved and state.wanted)
    state = replace(state, generation=state.generation + 1, changed_at=first, wanted=wanted)
    if state.content == "missing" and event.revive:  # somebody works on: the file comes back
        state = replace(state, content="", content_reason="")
    known = state.failure
    waits = known is not None and known.doing != "render" and state.write_at is not None
    if not may_write(state) or waits:
        return state, []
    at = min(event.now + WRITE_AFTER, first + WRITE_AT_LATEST)
    return _due(state, _not_before(state, max(at, event.now)))


def _tick(state: FileState, event: Due) -> _Step:
    if state.write_at is None or event.now < state.write_at:
        return state, [SetTimer(state.write_at)]
    state = replace(state, write_at=None)
    reading = state.failure is not None and state.failure.doing in ("read", "store")
    if not may_write(state) and not reading:
        return replace(state, failure=None), []  # what stands in the way is the graver reason
    return state, [Write()] if state.unsaved or state.failure is not None else []


def _wrote(state: FileState, event: Wrote) -> _Step:
    effects: list[Effect] = []
    if state.failure is not None:
        effects.append(_healed(state))
    written = max(state.written, event.generation)
    state = replace(state, written=written, failure=None, gone_at=None)
    if not state.unsaved:
        return replace(state, write_at=None), [SetTimer(None), *effects]
    after, more = _due(replace(state, changed_at=event.now), event.now + WRITE_AFTER)
    return after, [*more, *effects]


def _failed(state: FileState, event: Failed) -> _Step:
    known = state.failure
    tries = known.tries + 1 if known is not None else 1
    latest = RENDER_AT_LATEST if event.doing == "render" else RETRY_AT_LATEST
    wait = min(latest, RETRY_AFTER * 2.0 ** min(tries - 1, 16))
    at = event.now + wait
    since = known.since if known is not None else event.now
    failure = Failure(event.doing, event.reason, since, tries, at)
    after = replace(state, failure=failure, write_at=at)
    effects: list[Effect] = [SetTimer(at)]
    if known is None or (known.doing, known.reason) != (event.doing, event.reason):
        # Once, however often it is tried.
        effects.append(Tell(replace(after, content="", held="", denied="").reason))
    return after, effects


def _found(state: FileState, event: Found) -> _Step:
    effects: list[Effect] = []
    state = replace(state, gone_at=None)
    if state.content:
        effects.append(Tell(f"{state.name} is a notebook again", error=False))
        state = replace(state, content="", content_reason="")
    known = state.failure
    if known is not None and (known.doing in ("read", "store") or not state.unsaved):
        effects.append(_healed(state))
        state = replace(state, failure=None, write_at=None)
    if state.unsaved and may_write(state):
        at = state.write_at if state.write_at is not None else event.now + WRITE_AFTER
        state, more = _due(state, at)
        return state, [*more, *effects]
    return state, effects


def _vanished(state: FileState, event: Vanished) -> _Step:
    if state.content == "missing":
        return state, []
    name = f"{state.name} was deleted on disk"
    first = state.gone_at is None
    state = replace(state, gone_at=event.now if first else state.gone_at, failure=None)
    if not (state.unsaved and state.wanted):
        after = replace(state, content="missing", content_reason="", write_at=None)
        return after, _lost(name, after)
    text = f"{name} while it had edits that it did not hold; it is written again"
    effects: list[Effect] = [Tell(text)] if first else []
    state = replace(state, content="", content_reason="")
    if not may_write(state):
        return state, effects
    at = event.now if state.write_at is None else state.write_at
    after, more = _due(state, _not_before(state, at))
    return after, [*more, *effects]


def _not_notebook(state: FileState, event: NotNotebook) -> _Step:
    after = replace(
        state,
        content="foreign",
        content_reason=event.reason,
        failure=None,
        write_at=None,
        gone_at=None,
    )
    if state.content == "foreign":
        return after, []
    name = f"{state.name} on disk is no notebook any more ({event.reason})"
    return after, _lost(name, after)


def _lost(name: str, state: FileState) -> list[Effect]:
    text = f"{name}; the notebook lives on here, save it to write it again"
    return [SetTimer(None), Tell(text), KeepVersion(name)]


def _save_asked(state: FileState, event: SaveAsked) -> _Step:
    if state.content and not state.held:
        # What lies there has been put aside: the room's content is wanted in any case.
        state = replace(
            state,
            content="",
            content_reason="",
            generation=state.generation + (not state.unsaved),
            changed_at=state.changed_at if state.unsaved else event.now,
            wanted=True,
        )
    return replace(state, write_at=None), [SetTimer(None)]


def _held(state: FileState, event: Held) -> _Step:
    if state.held == event.reason:
        return state, []
    after = replace(state, held=event.reason, write_at=None)
    effects: list[Effect] = [SetTimer(None), Tell(f"{state.name}: {after.reason}")]
    if not state.held:
        effects.append(KeepVersion(f"Before {event.reason}"))
    return after, effects


def _released(state: FileState, event: Released) -> _Step:
    if not state.held:
        return state, []
    after, effects = _again(replace(state, held=""), event.now)
    news = f"{state.name}: the other program has let go of the file; it is written again"
    return after, [*effects, Tell(news, error=False)]


def _denied(state: FileState, event: Denied) -> _Step:
    if state.denied == event.reason:
        return state, []
    after = replace(state, denied=event.reason, failure=None, write_at=None)
    return after, [SetTimer(None), Tell(replace(after, content="", held="").reason)]


def _allowed(state: FileState, event: Allowed) -> _Step:
    if not state.denied:
        return state, []
    after, effects = _again(replace(state, denied=""), event.now)
    return after, [*effects, Tell(f"{state.name} may be written again", error=False)]


def _renamed(state: FileState, event: Renamed) -> _Step:
    return replace(state, name=event.name), []


def _healed(state: FileState) -> Tell:
    assert state.failure is not None
    verb = "read" if state.failure.doing in ("read", "store") else "written"
    return Tell(f"{state.name} is {verb} again", error=False)


_HANDLERS: dict[type, Callable[[FileState, Any], _Step]] = {
    Changed: _changed,
    Due: _tick,
    Wrote: _wrote,
    Failed: _failed,
    Found: _found,
    Vanished: _vanished,
    NotNotebook: _not_notebook,
    SaveAsked: _save_asked,
    Held: _held,
    Released: _released,
    Denied: _denied,
    Allowed: _allowed,
    Renamed: _renamed,
}
