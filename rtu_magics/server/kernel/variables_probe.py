"""What a Python kernel is asked to run to tell its variables.

This file's text is sent to the kernel, so it needs nothing but the standard library and runs on
every Python that a kernel may have. It never calls code of the objects that it looks at: no
``repr``, no attributes, no ``len`` of anything but Python's own types and those of libraries that
are loaded already, each checked to be exactly that type.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

MAX_VARIABLES = 1000
MAX_SECONDS = 0.5
MAX_NAME = 200
MAX_PREVIEW = 160
MAX_ITEMS = 6
MAX_DEPTH = 3
MAX_BITS = 512  # longer whole numbers take their time to be written, or refuse it

_QUALNAME = type.__dict__["__qualname__"].__get__
_MODULE = type.__dict__["__module__"].__get__
_SIZED = (str, bytes, bytearray, list, tuple, dict, set, frozenset, range)
_OPEN: dict[type, tuple[str, str]] = {
    list: ("[", "]"),
    tuple: ("(", ")"),
    set: ("{", "}"),
    frozenset: ("{", "}"),
}


def type_name(cls: type) -> str:
    """Return a class's name with its module, without asking its metaclass."""
    try:
        name = str.__str__(_QUALNAME(cls))
        module = _MODULE(cls)
    except Exception:
        return "?"
    if type(module) is not str or module in ("builtins", "__main__"):
        return name[:MAX_NAME]
    return (module + "." + name)[:MAX_NAME]


def library(name: str) -> Any:
    """Return a library if it is loaded; nothing is ever imported."""
    return sys.modules.get(name)


def preview(value: Any, depth: int = 0) -> str:
    """Return the beginning of how a value looks, for Python's own types."""
    cls = type(value)
    if value is None or cls in (bool, float, complex, range):
        return repr(value)
    if cls is int:
        bits = value.bit_length()
        return repr(value) if bits <= MAX_BITS else "a number of " + str(bits) + " bits"
    if cls in (str, bytes, bytearray):
        shown = repr(value[:MAX_PREVIEW])
        return shown if len(value) <= MAX_PREVIEW else shown + "…"
    if cls in (list, tuple, set, frozenset):
        return _items(value, cls, depth)
    if cls is dict:
        return _pairs(value, depth)
    numpy = library("numpy")
    exactly = None if numpy is None else numpy.__dict__.get(_QUALNAME(cls))
    if exactly is cls and issubclass(cls, numpy.generic):
        return preview(value.item(), depth)
    return "<" + type_name(cls) + ">"


def _first(value: Any) -> list[Any]:
    found: list[Any] = []
    for item in value:
        found.append(item)
        if len(found) == MAX_ITEMS:
            break
    return found


def _items(value: Any, cls: type, depth: int) -> str:
    left, right = _OPEN[cls]
    if depth >= MAX_DEPTH and value:
        return left + "…" + right
    shown = [preview(item, depth + 1) for item in _first(value)]
    if len(value) > MAX_ITEMS:
        shown.append("…")
    elif cls is tuple and len(value) == 1:
        shown.append("")
    return left + ", ".join(shown).rstrip(" ") + right


def _pairs(value: dict[Any, Any], depth: int) -> str:
    if depth >= MAX_DEPTH and value:
        return "{…}"
    pairs = _first(value.items())
    shown = [preview(key, depth + 1) + ": " + preview(item, depth + 1) for key, item in pairs]
    if len(value) > MAX_ITEMS:
        shown.append("…")
    return "{" + ", ".join(shown) + "}"


def from_numpy(numpy: Any, value: Any) -> tuple[list[int], int, str]:
    """Return shape, bytes and preview of an array."""
    text = ""
    if value.dtype.kind in "biufc":
        text = "[" + ", ".join(preview(item.item()) for item in value.flat[:MAX_ITEMS])
        text += ", …]" if value.size > MAX_ITEMS else "]"
    return list(value.shape), int(value.nbytes), str(value.dtype) + " " + text


def from_pandas(pandas: Any, value: Any) -> tuple[list[int], int, str]:
    """Return shape, bytes and preview of a table or a column."""
    if type(value) is pandas.DataFrame:
        size = int(value.memory_usage(index=True, deep=False).sum())
        names = [preview(name) for name in list(value.columns[:MAX_ITEMS])]
        more = ", …" if value.shape[1] > MAX_ITEMS else ""
        return list(value.shape), size, "columns " + ", ".join(names) + more
    size = int(value.memory_usage(deep=False))
    kind = str(value.dtype)
    text = ""
    if kind.startswith(("int", "float", "uint", "bool", "datetime64", "object", "str")):
        items = (
            value.iloc[:MAX_ITEMS] if type(value) is pandas.Series else value[:MAX_ITEMS]
        ).tolist()
        text = ", ".join(preview(item) for item in items)
    return (
        list(value.shape),
        size,
        kind + " [" + text + ("]" if len(value) <= MAX_ITEMS else ", …]"),
    )


def from_polars(polars: Any, value: Any) -> tuple[list[int], int, str]:
    """Return shape, bytes and preview of a table or a column."""
    if type(value) is polars.DataFrame:
        names = [preview(name) for name in value.columns[:MAX_ITEMS]]
        return list(value.shape), int(value.estimated_size()), "columns " + ", ".join(names)
    return [len(value)], int(value.estimated_size()), str(value.dtype)


def from_torch(torch: Any, value: Any) -> tuple[list[int], int, str]:
    """Return shape, bytes and kind of a tensor; its values may lie on another device."""
    size = int(value.numel() * value.element_size())
    return list(value.shape), size, str(value.dtype) + " on " + str(value.device)


_KNOWN = (
    ("numpy", ("ndarray",), from_numpy),
    ("pandas", ("DataFrame", "Series", "Index", "RangeIndex"), from_pandas),
    ("polars", ("DataFrame", "Series"), from_polars),
    ("torch", ("Tensor",), from_torch),
)


def describe(name: str, value: Any) -> dict[str, Any]:
    """Return what is told of one variable."""
    cls = type(value)
    shape: list[int] | None = None
    size: int | None = None
    text = ""
    try:
        for module_name, names, look in _KNOWN:
            module = library(module_name)
            if module is None:
                continue
            if any(module.__dict__.get(one) is cls for one in names):
                shape, size, text = look(module, value)
                break
        else:
            text = preview(value)
            if cls in _SIZED:
                shape = [len(value)]
            size = object.__sizeof__(value) if cls not in _SIZED else sys.getsizeof(value)
    except Exception:  # a library that is half loaded, or has changed
        text = text or "<" + type_name(cls) + ">"
    if len(text) > MAX_PREVIEW:
        text = text[:MAX_PREVIEW] + "…"
    return {
        "name": name[:MAX_NAME],
        "type": type_name(cls),
        "shape": shape,
        "size_bytes": size,
        "preview": text,
    }


def answer(namespace: dict[str, Any]) -> str:
    """Return the variables of a namespace as JSON."""
    hidden: dict[str, Any] = {}
    ipython = library("IPython")
    if ipython is not None:
        hidden = getattr(ipython.get_ipython(), "user_ns_hidden", None) or {}
    missing, module_type = object(), type(sys)
    ends_at = time.monotonic() + MAX_SECONDS
    found: list[dict[str, Any]] = []
    total = 0
    for name, value in list(namespace.items()):
        if type(name) is not str or name.startswith("_") or type(value) is module_type:
            continue
        if hidden.get(name, missing) is value:
            continue
        total += 1
        if len(found) < MAX_VARIABLES and time.monotonic() < ends_at:
            found.append(describe(name, value))
    return json.dumps({"variables": found, "total": total})
