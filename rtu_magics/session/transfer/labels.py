"""What pandas tables know beside their values, which Arrow does not carry.

Shipped to the remote kernel as text together with `codec`, in the same namespace: it uses nothing
but what it is given. Facts are plain JSON.
"""

from __future__ import annotations

from typing import Any

__all__ = ["compare_kinds", "facts_of", "lost_facts", "with_facts"]


def facts_of(frame: Any) -> dict[str, Any]:
    """Return the steps (freq) of a table's labels, and which of them are a plain range."""
    return {"index": _axis_facts(frame.index), "columns": _axis_facts(frame.columns)}


def with_facts(frame: Any, facts: dict[str, Any]) -> None:
    """Give a table's labels what they knew.

    Raises
    ------
    ValueError
        The labels cannot know it.
    """
    frame.index = _with_axis_facts(frame.index, facts["index"])
    frame.columns = _with_axis_facts(frame.columns, facts["columns"])


def lost_facts(frame: Any, back: Any) -> str:
    """Return what of a table's labels has not come back, in words; empty when all has."""
    for name in ("index", "columns"):
        mine, other = getattr(frame, name), getattr(back, name)
        if type(mine) is not type(other):
            return f"its {name} would become a {type(other).__name__}"
        steps = zip(_levels(mine), _levels(other), strict=True)
        for level, found in steps:
            if _step(level) != _step(found):
                what = f"the freq {_step(level)!r} of its {name}"
                return f"{what} would be lost; .freq = None takes it off"
    return ""


def _levels(axis: Any) -> list[Any]:
    return list(axis.levels) if hasattr(axis, "levels") else [axis]


def _step(level: Any) -> Any:
    timed = type(level).__name__ in ("DatetimeIndex", "TimedeltaIndex")
    return level.freq if timed else None  # a PeriodIndex has it in its dtype


def _axis_facts(axis: Any) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    if type(axis).__name__ == "RangeIndex":
        facts["range"] = [axis.start, axis.stop, axis.step]
    steps = [_step(level) for level in _levels(axis)]
    if any(step is not None for step in steps):
        facts["freq"] = [None if step is None else step.freqstr for step in steps]
    return facts


def _with_axis_facts(axis: Any, facts: dict[str, Any]) -> Any:
    if "range" in facts and type(axis).__name__ != "RangeIndex":
        pandas = __import__("pandas")
        return pandas.RangeIndex(*facts["range"], name=axis.name)
    if "freq" not in facts:
        return axis
    levels = [
        level if step is None else _stepping(level, step)
        for level, step in zip(_levels(axis), facts["freq"], strict=True)
    ]
    return axis.set_levels(levels) if hasattr(axis, "levels") else levels[0]


def _stepping(level: Any, step: str) -> Any:
    level = level.copy()
    try:
        level.freq = step
    except ValueError:
        raise ValueError(f"the freq {step!r} would be lost; .freq = None takes it off") from None
    return level


def compare_kinds(frame: Any, back: Any) -> None:
    """Compare the types in columns of objects: to pandas before 3 a list equals an array."""
    for n in (n for n, dtype in enumerate(frame.dtypes) if str(dtype) == "object"):
        kinds, others = (_kinds(side.iloc[:, n].dropna()) for side in (frame, back))
        if kinds != others:
            raise AssertionError(f"{kinds} in {frame.columns[n]!r} would become {others}")


def _kinds(items: Any) -> str:
    dicts = {f"dict of {_kinds(item.values())}" for item in items if type(item) is dict}
    others = {kind.__name__ for kind in map(type, items) if kind is not dict}
    return ", ".join(sorted(dicts | others))
