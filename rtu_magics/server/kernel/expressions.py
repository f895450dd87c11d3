"""The one expression that a request of ours may ask a kernel to evaluate. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["EXPRESSION", "expression_in", "value_in"]

EXPRESSION = "value"
"""The name of the one expression that a request of ours asks a kernel to evaluate."""


def value_in(message: Mapping[str, Any]) -> str | None:
    """Return the value that a kernel answered with, None if it has none."""
    found = expression_in(message["content"])
    text = (found.get("data") or {}).get("text/plain")
    return text if isinstance(text, str) else None


def expression_in(content: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what a kernel answered about an expression: data, or an error; empty if nothing."""
    found: Mapping[str, Any] = (content.get("user_expressions") or {}).get(EXPRESSION) or {}
    return found
