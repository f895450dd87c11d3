"""Text patches: what fits is spliced, what drifted is found, what conflicts is refused."""

import pytest
from diff_match_patch import diff_match_patch

from rtu_magics.document import apply_patch, make_patch
from rtu_magics.document.patch import _splice, parse_patch
from rtu_magics.errors import PatchFailed, SquashError

LIBRARY = diff_match_patch()


def by_library(text: str, patch: str) -> str:
    patched, applied = LIBRARY.patch_apply(LIBRARY.patch_fromText(patch), text)
    assert all(applied)
    return str(patched)


def assert_spliced(text: str, patch: str, expected: str) -> None:
    assert _splice(text, parse_patch(patch)) == expected
    assert by_library(text, patch) == expected
    assert apply_patch(text, patch) == expected


def assert_searched(text: str, patch: str, expected: str) -> None:
    assert _splice(text, parse_patch(patch)) is None
    assert by_library(text, patch) == expected
    assert apply_patch(text, patch) == expected


def test_an_empty_patch_changes_nothing() -> None:
    assert apply_patch("x = 1", "") == "x = 1"
    assert apply_patch("", "") == ""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("", "x"),
        ("x", ""),
        ("x = 1", "x = 2"),
        ("a", "a\n"),
        ("x = 1\ny = 2\n", "x = 1\ny = 20\nz = 3\n"),
        ("print('a')\r\n", "print('b')\r\n"),
        ("😀 = 1", "😀😀 = 1"),
        ("e\u0301tude", "e\u0301tudes"),
        ("100 %", "100 %%0A"),
        ("start " * 30 + "end", "start " * 10 + "middle " * 20 + "end"),
        ("a" * 5000 + "b" + "a" * 5000, "a" * 5000 + "c" + "a" * 5000),
        ("def f():\n" + "    pass\n" * 40, "def g():\n" + "    pass\n" * 39 + "    return\n"),
    ],
)
def test_a_patch_for_this_very_text_is_spliced(old: str, new: str) -> None:
    assert_spliced(old, make_patch(old, new), new)


def test_offsets_count_code_points() -> None:
    # By UTF-16 the place would be 10, by UTF-8 20.
    assert_spliced("😀😀😀😀😀 = 1", "@@ -5,5 +5,5 @@\n 😀 = \n-1\n+2\n", "😀😀😀😀😀 = 2")


def test_a_patch_follows_text_that_moved() -> None:
    patch = make_patch("a = 1\nb = 2\nc = 3\n", "a = 1\nb = 22\nc = 3\n")
    assert_searched(
        "# a new first line\na = 1\nb = 2\nc = 3\n",
        patch,
        "# a new first line\na = 1\nb = 22\nc = 3\n",
    )


def test_too_little_context_is_fine_only_at_the_ends_of_the_text() -> None:
    append = "@@ -1,2 +1,3 @@\n ab\n+c\n"
    assert_spliced("ab", append, "abc")
    assert_searched("abX", append, "abXc")  # the end of the text weighs more


def test_a_text_that_holds_the_padding_characters_goes_to_the_library() -> None:
    patch = "@@ -0,0 +1 @@\n+x\n"
    assert_searched("\x01\x02\x03\x04", patch, by_library("\x01\x02\x03\x04", patch))


def test_a_hunk_that_changes_nothing_goes_to_the_library() -> None:
    assert_searched("abcdef", "@@ -1,4 +1,4 @@\n abcd\n", "abcdef")


def test_a_hunk_that_does_not_apply_is_named_and_nothing_is_applied() -> None:
    far_apart = "start = 1\n" + "filler = 0\n" * 30 + "final = 2\n"
    patch = make_patch(far_apart, far_apart.replace("= 1", "= 10").replace("= 2", "= 20"))
    assert len(parse_patch(patch)) == 2
    conflict = far_apart.replace("final = 2\n", "@@@@@@@@@@@@")
    with pytest.raises(PatchFailed, match=r"^hunk 2 of the text patch does not apply") as caught:
        apply_patch(conflict, patch)
    assert caught.value.hunk == 2
    assert isinstance(caught.value, SquashError)
    assert "\n" not in str(caught.value)


def test_a_hunk_is_named_by_its_own_number_even_when_hunks_are_cut_into_pieces() -> None:
    first = "".join(f"{n} " for n in range(100))
    gap = "unchanged text in between, with enough words to keep hunks apart "
    old = first + gap + "zebra" + gap
    new = "".join(f"{n}. " for n in range(100)) + gap + "giraffe" + gap
    patch = make_patch(old, new)
    hunks = parse_patch(patch)
    assert len(hunks) == 2
    assert hunks[0].length1 > 32  # the library cuts it
    with pytest.raises(PatchFailed) as caught:
        apply_patch(first + "Ω" * 200, patch)
    assert caught.value.hunk == 2


@pytest.mark.parametrize(
    "patch",
    [
        "not a patch",
        "\n@@ -1 +1 @@",
        "@@ -1 +1 @@ trailing",
        "@@ -1 @@\n-a\n+b\n",
        "@@ -1,1 +1,1 @@\n?a\n",
        "@@ -a +1 @@\n",
        "@@ -" + "9" * 5000 + " +1 @@\n+a\n",
    ],
)
def test_what_is_no_patch_is_refused_in_one_line(patch: str) -> None:
    with pytest.raises(PatchFailed, match="not a text patch") as caught:
        apply_patch("a", patch)
    assert caught.value.hunk == 0
    assert "\n" not in str(caught.value)


def test_a_patch_that_makes_the_library_stumble_is_refused() -> None:
    # Hunks without a change disappear while the library walks over them.
    nothing = "@@ -1,40 +1,40 @@\n " + "a" * 40 + "\n"
    with pytest.raises(IndexError):
        by_library("a" * 40, nothing * 2)
    with pytest.raises(PatchFailed, match="malformed"):
        apply_patch("a" * 40, nothing * 2)
