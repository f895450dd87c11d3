"""Invitations and people as text. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from ...foreign import shown
from .notebook import table

if TYPE_CHECKING:
    from ...models import FilePerson, Invite

__all__ = ["ago", "invite_table", "people_table", "until"]


def ago(when: datetime | None, now: datetime) -> str:
    """Return how long ago something was.

    Examples
    --------
    >>> from datetime import timezone
    >>> noon = datetime(2026, 4, 1, 12, tzinfo=timezone.utc)
    >>> ago(noon, noon + timedelta(minutes=5)), ago(None, noon)
    ('5 min ago', 'never')
    """
    if when is None:
        return "never"
    length = max(now - when, timedelta(0))
    return "just now" if length < timedelta(seconds=10) else f"{_length(length)} ago"


def until(when: datetime, now: datetime) -> str:
    """Return how long it is until something.

    Examples
    --------
    >>> from datetime import timezone
    >>> noon = datetime(2026, 4, 1, 12, tzinfo=timezone.utc)
    >>> until(noon + timedelta(days=7), noon)
    'in 7 days'
    """
    # A link of two hours that was made a moment ago lasts two hours, not one and 59 minutes.
    return f"in {_length(when - now + timedelta(seconds=30))}"


def _length(length: timedelta) -> str:
    seconds = length.total_seconds()
    for unit, name in ((86_400, "day"), (3600, "hour"), (60, "min"), (1, "s")):
        if seconds >= unit * (2 if name in ("day", "hour") else 1):
            count = int(seconds // unit)
            return f"{count} {name}{'s' if name in ('day', 'hour') else ''}"
    return "0 s"


def invite_table(invites: Sequence[Invite], now: datetime) -> str:
    """Return invitations as a table, without their secrets."""
    if not invites:
        return "nobody is invited; %rtu_share makes a link"
    rows = []
    for invite in invites:
        state = invite.state
        if state == "open":
            state = f"expires {until(invite.expires_at, now)}"
        made = ago(invite.created_at, now)
        rows.append([str(invite.id)[:8], shown(invite.name or ""), invite.role, state, made])
    return table(["id", "name", "role", "link", "made"], rows)


def people_table(
    people: Sequence[FilePerson], me: object, label: Callable[[str], str], now: datetime
) -> str:
    """Return people as a table.

    Parameters
    ----------
    people
        The people.
    me
        The user id of whoever reads it.
    label
        Returns how to show a cell by its id.
    now
        The time.
    """
    rows = []
    for person in people:
        where = ""
        if person.online:
            cell_id = person.cell_id_selected
            where = f"cell {label(cell_id)}" if cell_id else "here"
            if person.in_page:
                where += " in JupyterLab"
            if person.connections > 1:
                where += f" (in {person.connections} places)"
        else:
            where = "not here yet"
            if person.last_seen is not None:
                where = f"away, seen {ago(person.last_seen, now)}"
        name = shown(person.name) + (" (you)" if person.user_id == me else "")
        rows.append([name, person.role, where])
    return table(["name", "role", "where"], rows)
