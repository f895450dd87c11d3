"""Who hears of what: the verbs of `RTUClient` that register callbacks.

Each takes the client as its first argument, and is a method there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar
from uuid import UUID

from ..models import BaseRTUResponse, FileDeltaBase
from .callbacks import DeltaCallback
from .follower import Follower
from .manager import RTUManager
from .notices import ConnectionState

__all__ = [
    "register_connection_callback",
    "register_delta_callback",
    "register_rtu_event_callback",
    "register_transaction_id_callback",
]

R = TypeVar("R", bound=BaseRTUResponse)
D = TypeVar("D", bound=FileDeltaBase)


class ListeningClient(Protocol):
    """What callbacks need of the client."""

    manager: RTUManager
    follower: Follower
    connection: ConnectionState


def register_rtu_event_callback(
    client: ListeningClient, rtu_event: type[R], fn: Callable[[R], Any]
) -> Callable[[], None]:
    """Await ``fn(msg)`` for every message that is an instance of `rtu_event`.

    Calls of one registration run one after the other; what they raise is logged. A plain
    function is called at once and must not block. Returns a function that deregisters.
    """
    return client.manager.callbacks.on_class(rtu_event, fn)


def register_transaction_id_callback(
    client: ListeningClient, transaction_id: UUID, fn: Callable[[Any], Any]
) -> Callable[[], None]:
    """Await ``fn(msg)`` for every message of one transaction; returns what deregisters it."""
    return client.manager.callbacks.on_transaction(transaction_id, fn)


def register_delta_callback(
    client: ListeningClient, delta_class: type[D], fn: Callable[[D], Any]
) -> DeltaCallback:
    """Await ``fn(delta)`` after each delta of a class (or subclass) was squashed.

    Calls of one registration run in the order of the chain; all registrations run side by side,
    and one that raises is logged and stops nothing. The handle stands in the client's
    `delta_callbacks` until it is removed there.
    """
    callback = DeltaCallback(delta_class, fn)
    client.follower.delta_callbacks.append(callback)
    return callback


def register_connection_callback(
    client: ListeningClient, fn: Callable[[str, str], Any]
) -> Callable[[], None]:
    """Call ``fn(state, detail)`` at every change of the connection's state.

    Parameters
    ----------
    fn
        A plain function that does not block. `state` is the client's `connection_state`; `detail`
        says why, in one line, or is empty.

    Returns
    -------
    A function that deregisters.
    """
    return client.connection.register(fn)
