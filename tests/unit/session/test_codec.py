"""Packing plain data: what comes out is what went in, or it is refused in one line."""

from __future__ import annotations

import datetime
import math
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtu_magics.session.transfer.codec import Refused, pack, unpack

atoms = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(min_value=2**1999, max_value=2**2001),
    st.floats(),
    st.complex_numbers(allow_nan=False),
    st.text(st.characters(exclude_categories=())),
    st.binary(),
)
keys = st.one_of(st.text(), st.integers(), st.tuples(st.text(), st.booleans()), st.none())
plain = st.recursive(
    atoms,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.tuples(inner, inner),
        st.dictionaries(keys, inner, max_size=4),
        st.frozensets(keys, max_size=4),
        st.sets(st.integers(), max_size=4),
    ),
    max_leaves=20,
)


def there_and_back(value: Any) -> Any:
    return unpack(*pack(value))


def same(one: Any, other: Any) -> bool:
    """Equal, of the same types all the way down, and with the same signs and NaNs."""
    if type(one) is not type(other):
        return False
    if isinstance(one, float):
        return repr(one) == repr(other)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return same(list(one.items()), list(other.items()))
    return bool(one == other)


@given(plain)
def test_plain_values_come_back(value: Any) -> None:
    assert same(there_and_back(value), value)


def test_numbers_at_the_edge() -> None:
    back = there_and_back([2**100_000, -(2**100_000), -0.0, math.inf, math.nan, 5e-324])
    assert back[:2] == [2**100_000, -(2**100_000)]
    assert repr(back[2:]) == "[-0.0, inf, nan, 5e-324]"


def test_a_dict_that_looks_like_a_mark() -> None:
    value = {"\x00rtu": "set", "v": [1]}
    assert there_and_back(value) == value


@pytest.mark.parametrize(
    "array",
    [
        np.arange(12.0).reshape(3, 4).T,
        np.zeros((0, 3), "int8"),
        np.array(3),
        np.array(["ü", "longer"]),
        np.array(["2020-01-01", "NaT"], "M8[ns]"),
        np.zeros(2, [("a", "<i4"), ("b", ">f8", (2,))]),
        np.array([1, 2], ">u2"),
        np.array([True, False])[::-1],
    ],
    ids=lambda array: str(array.dtype),
)
def test_arrays_come_back(array: Any) -> None:
    back = there_and_back(array)
    assert type(back) is np.ndarray
    assert back.dtype == array.dtype
    assert back.shape == array.shape
    assert back.tobytes() == array.tobytes()
    assert np.isfortran(back) == np.isfortran(array)


def test_numpy_scalars_stay_scalars() -> None:
    assert repr(there_and_back(np.float32(1.5))) == repr(np.float32(1.5))


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame({"a": [1, 2], "b": ["x", None]}, index=["r", "s"]),
        pd.DataFrame({"t": pd.date_range("2020", periods=2, tz="Europe/Prague")}),
        pd.DataFrame({"c": pd.Categorical(["x", "y"], ordered=True), "i": pd.array([1, None])}),
        pd.DataFrame(),
        pd.DataFrame([[1, 2]], columns=pd.MultiIndex.from_tuples([("a", 1), ("b", 2)])),
        pd.DataFrame({"a": [1.5]}, index=pd.MultiIndex.from_tuples([(1, "x")], names=["n", None])),
        pd.DataFrame({"d": pd.to_timedelta(["1 day"])}),
        pd.DataFrame({"a": pd.Series(["x", None], dtype=object), "n": pd.Series([1, 2])}),
        pd.DataFrame({"a": [None, datetime.date(2020, 1, 1)]}, dtype=object),
        pd.DataFrame({"a": [1]}, index=pd.Index(["r"], dtype=object, name="i")),
        pd.DataFrame([[1, "x"]], columns=pd.Index(["a", "b"], dtype=object)),
        pd.DataFrame({"b": ["x"]}, index=pd.Index(["r"], name="b")),
        pd.DataFrame({"s": ["x", None], "i": [1, None]}).convert_dtypes(dtype_backend="pyarrow"),
        pd.DataFrame(
            {("l", 1): pd.array([[1], None], pd.ArrowDtype(pa.list_(pa.int64()))), ("i", 2): [1, 2]}
        ),
    ],
    ids=range(14),
)
def test_frames_come_back(frame: Any) -> None:
    pd.testing.assert_frame_equal(there_and_back(frame), frame, check_exact=True)


def test_text_of_an_older_pandas_becomes_what_text_is_here() -> None:
    kind, payload = pack(pd.DataFrame({"a": pd.Series(["x", None], dtype=object)}))
    ours = f'"pandas_version": "{pd.__version__}"'
    theirs = ours.replace(pd.__version__, "2" + pd.__version__[1:])
    back = unpack(kind, payload.replace(ours.encode(), theirs.encode()))
    pd.testing.assert_frame_equal(back, pd.DataFrame({"a": ["x", None]}))


@pytest.mark.parametrize("name", [None, "s", 7, ("a", 1)])
def test_series_come_back_with_their_names(name: Any) -> None:
    series = pd.Series([1, 2], name=name, index=[5, 6])
    back = there_and_back(series)
    pd.testing.assert_series_equal(back, series, check_exact=True)
    assert back.name == name


def test_arrow_tables_come_back() -> None:
    table = pa.table({"a": [1, None], "b": [[1], [2, 3]]}, metadata={"k": "v"})
    batch = table.to_batches()[0]
    assert there_and_back(table).equals(table, check_metadata=True)
    assert there_and_back(batch).equals(batch)
    assert there_and_back(batch.slice(0, 0)).equals(batch.slice(0, 0))


def _ring() -> list[Any]:
    ring: list[Any] = []
    ring.append([ring])
    return ring


def _deep() -> list[Any]:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    return deep


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (lambda: 1, "it is a function, which cannot be copied"),
        ([{"a": (1, np.float64(1))}], "it holds a numpy.float64 at [0]['a'][1]"),
        (datetime.date(2020, 1, 1), "it is a datetime.date, which cannot be copied"),
        (_ring(), "it holds itself at [0][0]"),
        (_deep(), "it is nested too deeply"),
        (np.array([object()]), "it is an array of Python objects"),
        (np.zeros(1, [("a", object)]), "it is an array of Python objects"),
        (np.ma.array([1], mask=[True]), "it is a numpy.ma.MaskedArray"),
        (pd.DataFrame({"a": [1, "x"]}), "Arrow cannot hold it: "),
        (pd.DataFrame({"a": [[1], [2]]}), "it would not come back from Arrow as it is: "),
        (pd.Series([b"x", bytearray(b"y")]), "it would not come back from Arrow as it is: "),
        (pd.Series([{"a": [1]}]), "it would not come back from Arrow as it is: dict of list"),
        (pd.Index([1]), "it is a pandas Index"),
        (pa.array([1]), "it is a pyarrow Int64Array"),
    ],
    ids=range(14),
)
def test_refused(value: Any, why: str) -> None:
    with pytest.raises(Refused) as refused:
        pack(value)
    assert str(refused.value).startswith(why)
    assert "\n" not in str(refused.value)


def test_nothing_is_ever_unpickled() -> None:
    with pytest.raises(Refused):
        unpack("numpy", b"\x80\x04K\x01.")
    with pytest.raises(Refused, match="is not known here"):
        unpack("pickle", b"")
    with pytest.raises(Refused):
        unpack("plain", b'{"\\u0000rtu":"eval","v":1}')


days = pd.date_range("2024-03-30", periods=4, freq="D")
zoned = pd.date_range("2024-10-26", periods=4, freq="12h", tz="Europe/Berlin", name="when")
products = pd.MultiIndex.from_product([days[:2], ["x", "y"]], names=["t", None])

LABELLED: dict[str, Any] = {
    "days": pd.DataFrame({"a": range(4)}, index=days),
    "hours in a zone": pd.DataFrame({"a": range(4)}, index=zoned),
    "business days": pd.Series(range(4), index=pd.bdate_range("2024", periods=4), name=("a", 1)),
    "month ends": pd.Series(range(4), index=pd.date_range("2024", periods=4, freq="ME")),
    "durations": pd.DataFrame({"a": range(4)}, index=pd.timedelta_range("1h", periods=4)),
    "periods": pd.DataFrame({"a": range(4)}, index=pd.period_range("2024", periods=4, freq="Q")),
    "steps of a level": pd.DataFrame({"a": range(4)}, index=products),
    "days as columns": pd.DataFrame([range(4)], columns=days),
    "a range": pd.DataFrame({"a": range(3)}, index=pd.RangeIndex(2, 8, 2, name="r")),
    "columns without names": pd.DataFrame(np.zeros((2, 3))),
    "nothing": pd.DataFrame(),
    "labels only": pd.DataFrame(index=[1, 2]),
    "an order of categories": pd.DataFrame(
        {"a": pd.Categorical(["x", None], categories=["y", "x", "z"], ordered=True)},
        index=pd.CategoricalIndex(["p", "q"], categories=["q", "p"], ordered=True),
    ),
    "names of columns": pd.DataFrame(
        [[1, 2]], columns=pd.MultiIndex.from_tuples([("a", 1), ("b", 2)], names=["p", None])
    ),
    "kinds of arrays": pd.DataFrame(
        {
            "a": pd.array([1, None], dtype="Int8"),
            "b": pd.array(["x", None], dtype="string"),
            "c": pd.array([1.5, None], dtype="double[pyarrow]"),
            "d": pd.interval_range(0, 2),
        }
    ),
}
LABELLED["attrs"] = pd.DataFrame({"a": [1]})
LABELLED["attrs"].attrs = {"unit": ("m", 1), 3: {"x"}}
LABELLED["attrs of a series"] = pd.Series([1])
LABELLED["attrs of a series"].attrs = {"n": float("inf")}


@pytest.mark.parametrize("name", LABELLED)
def test_tables_keep_what_their_labels_know(name: str) -> None:
    value = LABELLED[name]
    back = there_and_back(value)
    compare = pd.testing.assert_frame_equal
    if isinstance(value, pd.Series):
        value, back = value.to_frame(), back.to_frame()
        assert value.columns.tolist() == back.columns.tolist()
    compare(back, value, check_freq=True, check_index_type="exact", check_column_type="exact")
    for mine, other in ((value.index, back.index), (value.columns, back.columns)):
        assert type(mine) is type(other)
        assert getattr(mine, "freq", None) == getattr(other, "freq", None)
        levels = [getattr(axis, "levels", []) for axis in (mine, other)]
        for level, found in zip(*levels, strict=True):
            assert getattr(level, "freq", None) == getattr(found, "freq", None)
    assert back.attrs == LABELLED[name].attrs
    assert same(list(back.attrs.items()), list(value.attrs.items()))


def test_what_labels_cannot_keep_is_refused_in_one_line() -> None:
    holiday = pd.offsets.CustomBusinessDay(holidays=["2024-01-02"])
    index = pd.date_range("2024", periods=3, freq=holiday)
    frame = pd.DataFrame({"a": range(3)}, index=index)
    with pytest.raises(Refused, match=r"the freq .* would be lost") as caught:
        pack(frame)
    assert "\n" not in str(caught.value)
    frame.index.freq = None
    assert there_and_back(frame).index.freq is None
    frame.attrs = {"x": object()}
    with pytest.raises(Refused, match=r"attrs"):
        pack(frame)
