"""Two people edit one cell."""

import pytest

from rtu_magics.document import apply_patch, make_patch, merge_text
from rtu_magics.errors import PatchFailed

BASE = "import numpy as np\n\nx = np.arange(10)\nprint(x)\n"


def test_edits_at_different_places_are_both_kept() -> None:
    mine = BASE.replace("arange(10)", "arange(20)")
    theirs = "# theirs\n" + BASE.replace("print(x)", "print(x.sum())")
    merged = merge_text(BASE, mine, theirs)
    assert merged == "# theirs\nimport numpy as np\n\nx = np.arange(20)\nprint(x.sum())\n"


def test_the_same_edit_twice_is_one_edit() -> None:
    mine = BASE + "done\n"
    assert merge_text(BASE, mine, mine) == mine


def test_edits_of_the_same_place_are_a_conflict() -> None:
    with pytest.raises(PatchFailed):
        merge_text("the quick brown fox jumps", "the slow brown fox jumps", "Ω" * 40)


def test_a_text_that_misleads_the_library_still_gets_a_patch_that_works() -> None:
    for old, new in [
        ("\x01\x02\x03\x04" * 3, "\x01\x02\x03\x04" * 2 + "x"),
        ("abab" * 50, "abab" * 49 + "ba" + "ab" * 3),
    ]:
        assert apply_patch(old, make_patch(old, new)) == new


@pytest.mark.parametrize(
    ("base", "mine", "theirs", "merged"),
    [
        ("", "abc", "abcd", "abcd"),
        ("", "abcd", "abc", "abcd"),
        ("x = 1\n", "x = 1\ny = 2\n", "x = 1\ny = 2\nz = 3\n", "x = 1\ny = 2\nz = 3\n"),
        ("f()", "f(a)", "f(a, b)", "f(a, b)"),
        ("f()", "f(a, b)", "f(a)", "f(a, b)"),
        ("aa", "aaa", "aaaa", "aaaa"),
    ],
)
def test_what_both_have_typed_stands_there_once(base, mine, theirs, merged):
    assert merge_text(base, mine, theirs) == merged
