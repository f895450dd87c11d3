"""What the log says about messages: enough to follow them, no tokens, no text of cells."""

from __future__ import annotations

import logging

from ..models import BaseRTURequest, BaseRTUResponse, NewDeltaRequest

__all__ = ["MessageLog"]

_KINDS = 200  # how many kinds of complaints are kept apart


class MessageLog:
    """Writes lines about messages to a logger."""

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger
        self._complained: set[str] = set()

    def complain(self, kind: str, text: str) -> None:
        """Warn, once per kind."""
        if kind not in self._complained and len(self._complained) < _KINDS:
            self._complained.add(kind)
            self._logger.warning("%s (said once)", text)

    def trace(self, did: str, message: BaseRTURequest | BaseRTUResponse) -> None:
        """Note at debug level that a message was sent or received."""
        if not self._logger.isEnabledFor(logging.DEBUG):
            return
        delta = message.data.delta if isinstance(message, NewDeltaRequest) else message.data
        kind = getattr(delta, "delta_type", None)
        self._logger.debug(
            "%s %s%s, transaction %s, channel %s",
            did,
            message.event,
            f" ({kind}/{delta.delta_action})" if kind else "",
            message.transaction_id,
            message.channel,
        )
