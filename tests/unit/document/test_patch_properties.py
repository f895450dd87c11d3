"""Our text patching is diff-match-patch's, whatever the text and the patch."""

from collections import Counter

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from rtu_magics.document import apply_patch, make_patch, merge_text
from rtu_magics.document.patch import _splice, parse_patch
from rtu_magics.errors import PatchFailed

from .strategies import LIBRARY, by_library, drifted, edited, fitting, scribbles, tampered, texts

thorough = settings(deadline=None, max_examples=600, suppress_health_check=[HealthCheck.too_slow])


def by_us(text: str, patch: str) -> str | None:
    try:
        return apply_patch(text, patch)
    except PatchFailed:
        return None


def test_the_fast_path_and_the_fallback_both_give_what_the_library_gives() -> None:
    counts: Counter[str] = Counter()

    @thorough
    @given(st.one_of(fitting(), fitting(), fitting(), drifted(), drifted(), tampered()))
    @example(("ab", "@@ -1,2 +1,3 @@\n ab\n+c\n"))
    @example(("\x01\x02\x03\x04", "@@ -0,0 +1 @@\n+x\n"))
    @example(("\x01\x02\x03\x04ab", "@@ -1,2 +1,3 @@\n+c\n ab\n"))
    @example(("abcd", "@@ -1,4 +1,4 @@\n abcd\n"))
    @example(("", "@@ -0,0 +0,0 @@\n+\n"))
    def check(case: tuple[str, str]) -> None:
        text, patch = case
        if patch:
            fast = _splice(text, parse_patch(patch)) is not None
            counts["fast path" if fast else "fallback"] += 1
        expected = by_library(text, patch)
        counts["refused"] += expected is None
        assert by_us(text, patch) == expected

    check()
    total = counts["fast path"] + counts["fallback"]
    print(f"\ntext patches: {dict(counts)} of {total}")
    assert counts["fast path"] >= 0.3 * total
    assert counts["fallback"] >= 0.3 * total
    assert counts["refused"] > 0


@thorough
@given(scribbles)
@example("@@ -1 +1 @@")
@example("@@ -12 +0,0 @@\n\n\n+a")
def test_our_parser_is_the_librarys(patch: str) -> None:
    try:
        expected = [
            (p.start1, p.length1, p.start2, p.length2, p.diffs)
            for p in LIBRARY.patch_fromText(patch)
        ]
    except ValueError:
        expected = None
    try:
        found = [tuple(hunk) for hunk in parse_patch(patch)]
    except PatchFailed:
        found = None
    assert found == expected


@thorough
@given(scribbles, texts)
def test_even_scribbles_end_as_the_library_ends_them(patch: str, text: str) -> None:
    assert by_us(text, patch) == by_library(text, patch)


@settings(thorough, max_examples=300)
@given(st.data())
def test_a_patch_made_for_a_text_gives_the_new_text(data: st.DataObject) -> None:
    old = data.draw(texts)
    new = data.draw(st.one_of(edited(old), texts))
    patch = make_patch(old, new)
    assert apply_patch(old, patch) == new
    assert by_library(old, patch) == new
    assert (patch == "") == (old == new)


@settings(thorough, max_examples=200)
@given(st.data())
def test_a_merge_with_an_unchanged_side_is_the_other_side(data: st.DataObject) -> None:
    base = data.draw(texts)
    mine = data.draw(edited(base))
    assert merge_text(base, mine, base) == mine
    assert merge_text(base, base, mine) == mine
    assert merge_text(base, mine, mine) == mine
