"""Roles and what they allow; pure tables and words."""

from __future__ import annotations

import enum

__all__ = ["COMMENTER_NOTE", "Action", "Role", "granted", "may", "refusal", "role_of_level"]


class Role(str, enum.Enum):
    """What somebody is in a notebook; each may do all that those before it may."""

    VIEWER = "viewer"
    EXECUTOR = "executor"
    CONTRIBUTOR = "contributor"
    OWNER = "owner"


class Action(str, enum.Enum):
    """What somebody wants to do."""

    READ = "read"
    EXECUTE = "execute"
    EDIT = "edit"
    MANAGE = "manage"  # share, rename, delete, restore
    ADMINISTER = "administer"  # what concerns the whole server; no role of a notebook allows it


_MAY: dict[Role, frozenset[Action]] = {
    Role.VIEWER: frozenset({Action.READ}),
    Role.EXECUTOR: frozenset({Action.READ, Action.EXECUTE}),
    Role.CONTRIBUTOR: frozenset({Action.READ, Action.EXECUTE, Action.EDIT}),
    Role.OWNER: frozenset({Action.READ, Action.EXECUTE, Action.EDIT, Action.MANAGE}),
}

_WORDS = {
    Action.READ: ("to read", Role.VIEWER),
    Action.EXECUTE: ("to run cells", Role.EXECUTOR),
    Action.EDIT: ("to edit", Role.CONTRIBUTOR),
    Action.MANAGE: ("to share, rename, restore or delete", Role.OWNER),
}

_GRANTS = {
    Role.VIEWER: "read",
    Role.EXECUTOR: "read and run cells",
    Role.CONTRIBUTOR: "edit and run cells",
    Role.OWNER: "edit, run, share, rename, restore and delete",
}

COMMENTER_NOTE = "there are no comments here yet, so a commenter is a viewer"


def may(role: Role | None, action: Action) -> bool:
    """Return whether a role allows something; None is no role at all."""
    return role is not None and action in _MAY[role]


def refusal(role: Role | None, action: Action) -> str:
    """Return why somebody may not do something and what they can do, in one line.

    Examples
    --------
    >>> refusal(Role.VIEWER, Action.EDIT)
    'you are a viewer here; to edit, ask an owner to make you a contributor'
    """
    if action is Action.ADMINISTER:
        return "only the owner of the server may do that; ask them, or use the server's own token"
    words, needed = _WORDS[action]
    are = f"you are {_with_article(role)} here" if role else "this is not shared with you"
    return f"{are}; {words}, ask an owner to make you {_with_article(needed)}"


def granted(role: Role) -> str:
    """Return what somebody is told whose role has become another one.

    Examples
    --------
    >>> granted(Role.EXECUTOR)
    'you are an executor here now: you may read and run cells'
    """
    return f"you are {_with_article(role)} here now: you may {_GRANTS[role]}"


def _with_article(role: Role) -> str:
    return f"{'an' if role.value[0] in 'eo' else 'a'} {role.value}"


def role_of_level(level: str) -> Role | None:
    """Return the role for an access level of the REST API, None for what is none.

    Examples
    --------
    >>> role_of_level("role:executor").value, role_of_level("role:commenter").value
    ('executor', 'viewer')
    """
    name = level.removeprefix("role:")
    if name == "commenter":
        return Role.VIEWER
    try:
        return Role(name)
    except ValueError:
        return None
