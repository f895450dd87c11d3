"""Plain data as bytes and back, never as a pickle: reading what is packed here runs no code.

The same text runs on both sides: `verbs` sends it to the remote kernel, where this package need
not be installed. So it uses the standard library only, and NumPy, pandas and pyarrow where they are
there, in whatever version.

===============  =======================================================================
kind             what is packed, and as what
===============  =======================================================================
plain            None, bool, int, float, complex, str, bytes, and lists, tuples, sets,
                 frozensets and dicts of them: JSON, in which what JSON does not know is marked
numpy            an array, or a scalar: the ``.npy`` format
pandas           a DataFrame or a Series: an Arrow stream
arrow            a Table or a RecordBatch of pyarrow: an Arrow stream
===============  =======================================================================
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import linecache
import sys
import time
from typing import Any

if __package__:  # in the remote kernel its text stands before this
    from .labels import compare_kinds, facts_of, lost_facts, with_facts

__all__ = ["MIMETYPE", "Refused", "checksum", "pack", "serve", "unpack"]

MIMETYPE = "application/vnd.rtu.transfer+json"
_FACTS = b"rtu_facts"
_MARK = "\x00rtu"
_BIG = 2000  # bits; Python limits how many decimal digits it reads
_STALE = 600.0  # seconds after which what nobody fetched is dropped


class Refused(Exception):
    """The value cannot be packed or unpacked; the message says why in one line."""


def checksum(payload: bytes) -> str:
    """Return the SHA-256 of some bytes in hexadecimal digits."""
    return hashlib.sha256(payload).hexdigest()


def pack(value: Any) -> tuple[str, bytes]:
    r"""Return the kind of a value and the bytes that it travels as.

    Raises
    ------
    Refused
        It is of another kind, or would not come out as it went in.

    Examples
    --------
    >>> pack([1, (2.5, None)])
    ('plain', b'[1,{"\\u0000rtu":"tuple","v":[2.5,null]}]')
    """
    library = type(value).__module__.partition(".")[0]
    if library == "numpy":
        return _pack_numpy(value)
    if library == "pandas":
        return _pack_pandas(value)
    if library == "pyarrow":
        return _pack_arrow(value)
    try:
        plain = _plain(value, "", ())
        return "plain", json.dumps(plain, separators=(",", ":")).encode("ascii")
    except RecursionError:
        raise Refused("it is nested too deeply") from None


def unpack(kind: str, payload: bytes) -> Any:
    """Return the value that was packed.

    Raises
    ------
    Refused
        A library that it needs is missing, or the bytes are none of that kind.
    """
    try:
        if kind == "plain":
            return _value(json.loads(payload))
        if kind.startswith("numpy"):
            array = _library("numpy").load(io.BytesIO(payload), allow_pickle=False)
            return array[()] if kind == "numpy.scalar" else array
        if kind.startswith(("pandas", "arrow")):
            return _unpack_arrow(kind, payload)
    except RecursionError:
        raise Refused("it is nested too deeply") from None
    except (Refused, MemoryError):
        raise
    except Exception as exc:  # whatever the libraries raise, in whatever version
        raise Refused(f"it cannot be read there: {_line(exc)}") from exc
    raise Refused(f"data of the kind {kind!r} is not known here; are both sides up to date?")


# Plain values


def _plain(value: Any, where: str, outer: tuple[int, ...]) -> Any:
    kind = type(value)
    if value is None or kind in (bool, str, float):
        return value
    if kind is int:
        return value if value.bit_length() <= _BIG else {_MARK: "int", "v": hex(value)}
    if kind is complex:
        return {_MARK: "complex", "v": [value.real, value.imag]}
    if kind in (bytes, bytearray):
        return {_MARK: kind.__name__, "v": base64.b64encode(value).decode("ascii")}
    if kind not in (list, tuple, set, frozenset, dict):
        raise Refused(_no(value, where))
    if id(value) in outer:
        raise Refused(f"it holds itself at {where or 'its top'}")
    outer = (*outer, id(value))
    if kind is dict:
        if all(type(key) is str for key in value) and _MARK not in value:
            return {key: _plain(item, f"{where}[{key!r}]", outer) for key, item in value.items()}
        pairs = [
            [_plain(key, f"{where}, key {key!r}", outer), _plain(item, f"{where}[{key!r}]", outer)]
            for key, item in value.items()
        ]
        return {_MARK: "dict", "v": pairs}
    items = [_plain(item, f"{where}[{n}]", outer) for n, item in enumerate(value)]
    return items if kind is list else {_MARK: kind.__name__, "v": items}


def _value(plain: Any) -> Any:
    if isinstance(plain, list):
        return [_value(item) for item in plain]
    if not isinstance(plain, dict):
        return plain
    if _MARK not in plain:
        return {key: _value(item) for key, item in plain.items()}
    kind, held = plain[_MARK], plain["v"]
    if kind == "int":
        return int(held, 16)
    if kind == "complex":
        return complex(*held)
    if kind in ("bytes", "bytearray"):
        return {"bytes": bytes, "bytearray": bytearray}[kind](base64.b64decode(held))
    if kind == "dict":
        return {_value(key): _value(item) for key, item in held}
    makers = {"tuple": tuple, "set": set, "frozenset": frozenset}
    return makers[kind](_value(item) for item in held)


def _no(value: Any, where: str) -> str:
    kind = type(value)
    name = kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"
    found = f"it holds a {name} at {where}" if where else f"it is a {name}"
    return (
        f"{found}, which cannot be copied; what can: plain values (numbers, text, bytes, lists, "
        "dicts …), and by themselves NumPy arrays, pandas and Arrow tables"
    )


# Arrays and tables


def _library(name: str) -> Any:
    try:
        return __import__(name)
    except ImportError:
        raise Refused(f"{name} is not installed there") from None


def _pack_numpy(value: Any) -> tuple[str, bytes]:
    numpy = sys.modules["numpy"]
    scalar = isinstance(value, numpy.generic)
    if not (scalar or type(value) is numpy.ndarray):
        name = f"{type(value).__module__}.{type(value).__name__}"
        raise Refused(f"it is a {name}; numpy.asarray makes it a plain array, which can be copied")
    if value.dtype.hasobject:
        raise Refused(
            "it is an array of Python objects; .tolist() makes it a list, .astype(…) plain numbers"
        )
    buffer = io.BytesIO()
    try:
        numpy.save(buffer, value, allow_pickle=False)
    except ValueError as exc:
        raise Refused(f"NumPy cannot write it without pickle: {_line(exc)}") from None
    return "numpy.scalar" if scalar else "numpy", buffer.getvalue()


def _pack_pandas(value: Any) -> tuple[str, bytes]:
    pandas: Any = sys.modules["pandas"]
    kind = type(value)
    if kind not in (pandas.DataFrame, pandas.Series):
        raise Refused(f"it is a pandas {kind.__name__}; a DataFrame or a Series can be copied")
    try:
        pyarrow = _library("pyarrow")
    except Refused:
        raise Refused(
            "a pandas table travels as Arrow, and pyarrow is not installed where it is; "
            "pip install pyarrow"
        ) from None
    try:
        if kind is pandas.Series:
            name, frame = value.name, value.to_frame("values")
            label = f"pandas.Series {json.dumps(_plain(name, ' its name', ()))}"
        else:
            label, frame = "pandas", value.copy(deep=False)
        facts = {**facts_of(frame), "attrs": _plain(value.attrs, " its attrs", ())}
        frame.attrs = {}
        table = pyarrow.Table.from_pandas(frame)
        known = {**(table.schema.metadata or {}), _FACTS: json.dumps(facts).encode()}
        payload = _stream(pyarrow, table.replace_schema_metadata(known))
        back = _unpack_arrow(label, payload)
        compare = getattr(
            pandas.testing, f"assert_{kind.__name__.lower().replace('data', '')}_equal"
        )
        compare(back, value, check_exact=True, check_freq=True)
        back_frame = back if label == "pandas" else back.to_frame("values")
        compare_kinds(frame, back_frame)
        lost = lost_facts(frame, back_frame) or ("" if back.attrs == value.attrs else "its attrs")
        if lost:
            raise AssertionError(lost)
    except AssertionError as exc:
        raise Refused(f"it would not come back from Arrow as it is: {_line(exc)}") from None
    except (Refused, MemoryError):
        raise
    except Exception as exc:  # whatever the libraries raise, in whatever version
        raise Refused(f"Arrow cannot hold it: {_line(exc)}") from None
    return label, payload


def _pack_arrow(value: Any) -> tuple[str, bytes]:
    pyarrow = _library("pyarrow")
    if type(value) is pyarrow.Table:
        return "arrow", _stream(pyarrow, value)
    if type(value) is pyarrow.RecordBatch:
        return "arrow.RecordBatch", _stream(pyarrow, pyarrow.Table.from_batches([value]))
    raise Refused(f"it is a pyarrow {type(value).__name__}; a Table or a RecordBatch can be copied")


def _stream(pyarrow: Any, table: Any) -> bytes:
    __import__("pyarrow.ipc")
    sink = pyarrow.BufferOutputStream()
    with pyarrow.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue().to_pybytes())


def _unpack_arrow(kind: str, payload: bytes) -> Any:
    pyarrow = _library("pyarrow")
    __import__("pyarrow.ipc")
    table = pyarrow.ipc.open_stream(payload).read_all()
    if kind == "arrow":
        return table
    if kind == "arrow.RecordBatch":
        batches = table.combine_chunks().to_batches()
        return batches[0] if batches else pyarrow.RecordBatch.from_pylist([], schema=table.schema)
    frame = _frame(table)
    facts = json.loads((table.schema.metadata or {}).get(_FACTS, b"null"))
    if facts is not None:
        with_facts(frame, facts)
        frame.attrs = _value(facts["attrs"])
    if kind == "pandas":
        return frame
    series = frame["values"]
    series.attrs = frame.attrs
    series.name = _value(json.loads(kind.partition(" ")[2]))
    return series


def _frame(table: Any) -> Any:
    """Return a table as a DataFrame of the dtypes that it was made of.

    pandas knows not all names of the dtypes that hold Arrow's own types. pandas 3 reads all text as
    its dtype for text, also what was of the dtype object; but what an older pandas wrote as objects
    is what that one has for text, and becomes what this one has.
    """
    pandas, nulls = _library("pandas"), _library("pyarrow").nulls(len(table))
    about = table.schema.pandas_metadata or {"columns": [], "index_columns": []}
    old = about.get("pandas_version", "0").partition(".")[0] in ("0", "1", "2")
    dtypes = {column["field_name"]: column for column in about["columns"]}
    indexes = [name for name in about["index_columns"] if isinstance(name, str)]
    columns = [name for name in table.column_names if name not in indexes]
    arrow = {}
    for name in columns if hasattr(pandas, "ArrowDtype") else ():
        if name in dtypes and dtypes[name]["numpy_type"].endswith("[pyarrow]"):
            arrow[name] = table[name]
            dtypes[name]["numpy_type"] = "object"
            table = table.set_column(table.column_names.index(name), name, nulls)
    if arrow:
        known = {**table.schema.metadata, b"pandas": json.dumps(about)}
        table = table.replace_schema_metadata(known)
    frame = table.to_pandas()

    def was_object(column: Any, dtype: Any) -> bool:
        return not old and column["numpy_type"] == "object" and str(dtype) == "str"

    for n, name in enumerate(columns):
        if name in arrow:
            frame.isetitem(n, pandas.arrays.ArrowExtensionArray(arrow[name]))
        elif name in dtypes and was_object(dtypes[name], frame.dtypes.iloc[n]):
            frame.isetitem(n, frame.iloc[:, n].astype(object))
    if len(indexes) == 1 and was_object(dtypes[indexes[0]], frame.index.dtype):
        frame.index = frame.index.astype(object)
    labels = about.get("column_indexes", [])
    if len(labels) == 1 and was_object(labels[0], frame.columns.dtype):
        frame.columns = frame.columns.astype(object)
    return frame


def _line(exc: BaseException) -> str:
    lines = [" ".join(line.split()) for line in str(exc).splitlines()]
    text = "; ".join(line for line in lines if line)
    return (text or type(exc).__name__)[:200]


_held: dict[str, Any] = {}  # on the remote side, as all below


def serve(call: dict[str, Any]) -> None:
    """Answer one call of the other side with displays of `MIMETYPE`; runs in the remote kernel."""
    _forget_source()
    try:
        answers = _OPERATIONS[call["op"]](call)
    except Refused as exc:
        answers = [{"refused": str(exc)}]
    except MemoryError:
        answers = [{"refused": "the remote kernel has no memory left for it"}]
    from IPython import display

    show: Any = display.display
    for answer in answers:
        show({MIMETYPE: answer}, raw=True)


def _forget_source() -> None:
    """Let go of the text of the code that calls: kernels keep each for tracebacks, data and all."""
    frame = sys._getframe(2)
    while frame is not None and frame.f_code.co_name in ("<module>", "<cell line: 1>"):
        linecache.cache.pop(frame.f_code.co_filename, None)
        if frame.f_back is None:
            break
        frame = frame.f_back


def _names() -> dict[str, Any]:
    from IPython import get_ipython

    names: dict[str, Any] = get_ipython().user_ns
    return names


def _offer(call: dict[str, Any]) -> list[dict[str, Any]]:
    for key in [key for key, (when, _) in _held.items() if time.time() - when > _STALE]:
        del _held[key]
    names = _names()
    if call["name"] not in names:
        return [{"unknown": True}]
    kind, payload = pack(names[call["name"]])
    if len(payload) <= call["limit"]:
        _held[call["id"]] = (time.time(), payload)
    return [{"kind": kind, "size": len(payload), "sha256": checksum(payload)}]


def _part(call: dict[str, Any]) -> list[dict[str, Any]]:
    if call["id"] not in _held:
        raise Refused("the remote kernel was restarted meanwhile; try again")
    payload, step = _held[call["id"]][1], call["step"]
    answers = []
    for start in range(call["start"], min(call["stop"], len(payload)), step):
        piece = payload[start : min(start + step, call["stop"])]
        answers.append({"start": start, "data": base64.b64encode(piece).decode("ascii")})
    if call["stop"] >= len(payload):
        del _held[call["id"]]
    return answers


def _take(call: dict[str, Any]) -> list[dict[str, Any]]:
    pieces = _held.setdefault(call["id"], (time.time(), []))[1]
    if len(pieces) != call["n"]:
        raise Refused("the remote kernel was restarted meanwhile; try again")
    pieces.append(base64.b64decode(call["data"]))
    if not call["last"]:
        return [{"taken": call["n"]}]
    payload = b"".join(_held.pop(call["id"])[1])
    if checksum(payload) != call["sha256"]:
        raise Refused("it was damaged on the way (its checksum is wrong); try again")
    value, names = unpack(call["kind"], payload), _names()
    replaced = type(names[call["name"]]).__name__ if call["name"] in names else None
    names[call["name"]] = value
    return [{"replaced": replaced}]


def _drop(call: dict[str, Any]) -> list[dict[str, Any]]:
    _held.pop(call["id"], None)
    return [{"dropped": True}]


_OPERATIONS = {"offer": _offer, "part": _part, "take": _take, "drop": _drop}
