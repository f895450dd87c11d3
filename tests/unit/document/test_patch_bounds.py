"""What a text patch may cost: splices any number, searches so many, and everybody decides alike."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtu_magics.document import NotebookBuilder, apply_patch, make_patch, merge_text
from rtu_magics.document import fuzzy as module
from rtu_magics.document.patch import _splice, _unquote, parse_patch
from rtu_magics.errors import PatchFailed
from rtu_magics.models import CellContentsUpdate, CodeCell, Notebook

from .strategies import by_library, drifted, fitting, tampered

_random = random.Random(7)
WORDS = "".join(_random.choice("abcdefghij ") for _ in range(800_000))
HUNK = 24
FILE = UUID("12345678-9abc-def0-1234-56789abcdef0")


def hunk_at(text: str, place: int, wrong: int = 0) -> str:
    """Return a hunk that changes eight characters, some of which are not what it says."""
    old = text[place : place + HUNK]
    old = old[:9] + "Z" * wrong + old[9 + wrong :]
    span = f"{place + 1},{HUNK}"
    return f"@@ -{span} +{span} @@\n {old[:8]}\n-{old[8:16]}\n+ABCDEFGH\n {old[16:]}\n"


def patch_of(text: str, count: int, wrong: int = 0) -> str:
    return "".join(hunk_at(text, 50 * number, wrong) for number in range(count))


def python_calls(work: Callable[[], Any]) -> int:
    """Count the calls of Python functions, which depend on no clock."""
    calls = 0

    def count(frame: Any, event: str, argument: Any) -> None:
        nonlocal calls
        calls += event == "call"

    sys.setprofile(count)
    try:
        work()
    except PatchFailed:
        pass
    finally:
        sys.setprofile(None)
    return calls


def test_any_number_of_hunks_that_fit_are_spliced() -> None:
    patch = patch_of(WORDS, 3_900)
    patched = _splice(WORDS, parse_patch(patch))
    assert patched is not None
    assert apply_patch(WORDS, patch, bounded=True) == patched
    assert patched.count("ABCDEFGH") == 3_900


def test_neighbours_that_share_context_are_spliced_at_once() -> None:
    text = WORDS[:100_000]
    patch = "".join(hunk_at(text, place) for place in range(0, 99_000, 20))
    patched = _splice(text, parse_patch(patch))
    assert patched is not None
    assert patched.count("ABCDEFGH") == 4_950
    few = "".join(hunk_at(text, place) for place in range(0, 2_000, 20))
    assert apply_patch(text, few) == by_library(text, few)


@given(st.lists(st.integers(8, 40), min_size=2, max_size=12), st.data())
def test_wherever_neighbours_meet_it_is_as_the_library_has_it(
    steps: list[int], data: st.DataObject
) -> None:
    """Each hunk is made for the text as those before it left it, over some of what they wrote."""
    before = text = WORDS[:600]
    patch, place = "", 0
    for step in steps:
        old = text[place : place + HUNK]
        written = data.draw(st.text("xyz", max_size=12))
        new = f"{old[:8]}{written}{old[16:]}"
        added = f"+{written}\n" if written else ""
        patch += f"@@ -{place + 1},{HUNK} +{place + 1},{len(new)} @@\n {old[:8]}\n-{old[8:16]}\n"
        patch += f"{added} {old[16:]}\n"
        text = text[:place] + new + text[place + HUNK :]
        place += step
    assert _splice(before, parse_patch(patch)) == text
    assert by_library(before, patch) in (text, None)


@given(
    st.lists(
        st.one_of(
            st.binary(min_size=1, max_size=4).map(lambda b: "".join(f"%{byte:02X}" for byte in b)),
            st.sampled_from(["=", "=3D", "\r", "_", "%25", "%e2%82", "ö", "日", "%", "%4", "x"]),
            st.text(max_size=3),
        ),
        max_size=20,
    )
)
def test_many_escapes_are_what_few_are(parts: list[str]) -> None:
    text = "".join(parts).replace("\n", "") * 300
    assert _unquote(text) == unquote(text)


FITS = patch_of(WORDS, 3_500)
DEAR = {
    "hunks that are not quite there": (WORDS, patch_of(WORDS, 15_000, wrong=3)),
    "some hundred in a short text": (WORDS[:20_000], patch_of(WORDS[:20_000], 300, wrong=4)),
    "one not quite there after many that fit": (WORDS, FITS + hunk_at(WORDS, 700_000, wrong=3)),
    "hunks in the wrong order": (
        WORDS,
        "".join(hunk_at(WORDS, 50 * number) for number in reversed(range(15_000))),
    ),
    "repeated text": (
        "ab" * 10_000,
        "".join(
            f"@@ -{1 + 40 * n},24 +{1 + 40 * n},24 @@\n abababab\n-ccabbabb\n+X\n abababab\n"
            for n in range(300)
        ),
    ),
    "empty lines without end": (WORDS, "@@ -1,0 +1,0 @@\n" + "+\n" * 430_000),
    "headers without hunks": (WORDS, "@@ -1 +1 @@\n" * 70_000),
    "a deleted block that has become another": (
        f"xxxx{WORDS[:400_000]}yyyy",
        f"@@ -1,400008 +1,8 @@\n xxxx\n-{WORDS[:40]}{WORDS[400_040:799_960]}"
        f"{WORDS[399_960:400_000]}\n yyyy\n",
    ),
}
# A call of Python's is well below a microsecond; taking a patch of a megabyte apart is most of it.
MOST_CALLS = 600_000


@pytest.mark.parametrize("case", DEAR)
def test_what_costs_too_much_is_refused_with_the_reason(case: str) -> None:
    text, patch = DEAR[case]
    with pytest.raises(PatchFailed, match=r"edit again|replace the text"):
        apply_patch(text, patch, bounded=True)
    assert python_calls(lambda: apply_patch(text, patch, bounded=True)) < MOST_CALLS


def test_it_is_a_refusal_of_the_delta_and_the_notebook_stays() -> None:
    text, patch = DEAR["some hundred in a short text"]
    builder = NotebookBuilder(Notebook(cells=[CodeCell(id="a", source=text)]))
    delta = CellContentsUpdate(file_id=FILE, resource_id="a", properties={"patch": patch})
    with pytest.raises(PatchFailed, match="changed too much"):
        builder.apply_delta(delta, strict=True)
    assert builder.get_cell("a")[1].source == text
    # What entered a chain before there was a bound is squashed as ever.
    builder.apply_delta(delta)
    assert builder.get_cell("a")[1].source == by_library(text, patch) != text


def test_what_people_do_to_one_text_at_the_same_time_is_within_the_bound() -> None:
    lines = [WORDS[40 * n : 40 * n + 40] for n in range(400)]
    mine = [line.upper() if n % 10 == 0 else line for n, line in enumerate(lines)]
    theirs = ["# new", *(line + " # x" if n % 10 == 1 else line for n, line in enumerate(lines))]
    both = merge_text("\n".join(lines), "\n".join(mine), "\n".join(theirs))
    assert both.count(" # x") == 40
    assert all(line in both for line in mine)
    # A block goes in which somebody else has changed a little.
    block = WORDS[:100_000]
    start, changed = (
        f"start\n{block}\nend of it\n",
        f"start\n{block[:500]}!{block[500:]}\nend of it\n",
    )
    assert merge_text(start, "start\nend of it\n", changed) == "start\nend of it\n"


@settings(deadline=None, max_examples=400)
@given(st.one_of(fitting(), drifted(), tampered()), st.integers(0, 3_000))
def test_whatever_the_bound_accepts_is_what_the_library_makes_of_it(
    case: tuple[str, str], steps: int
) -> None:
    text, patch = case
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(module, "MOST_STEPS", steps)
        try:
            found = apply_patch(text, patch, bounded=True)
        except PatchFailed as exc:
            if "changed too much" not in str(exc):
                assert by_library(text, patch) is None
            return
    assert found == by_library(text, patch) == apply_patch(text, patch)


def test_a_patch_for_long_texts_is_made_in_bounded_time_and_says_the_same() -> None:
    old, new = WORDS[:60_000], WORDS[300_000:360_000]
    assert apply_patch(old, make_patch(old, new), bounded=True) == new
