"""Texts, edits and patches as people and programs make them, and worse."""

from __future__ import annotations

from diff_match_patch import diff_match_patch
from hypothesis import strategies as st

LIBRARY = diff_match_patch()

# What offsets and escapes trip over: astral characters, combining marks, joiners, both line ends,
# the escape sign, the characters that the library pads with, separators that look like newlines.
TRICKY = [
    *"ab (=\n",
    "\r\n",
    "\t",
    "%",
    "%0A",
    "+",
    "-",
    "@",
    "é",
    "e\u0301",
    "ж",
    "中",
    "😀",
    "👩\u200d🔬",
    "\U0001f1e9\U0001f1ea",
    "\u2028",
    "\x85",
    "\x00",
    "\x01",
    "\x02\x03",
    "\x01\x02\x03\x04",
    "\x04",
]
LINES = [
    "import numpy as np\n",
    "for i in range(10):\r\n",
    "    print(i)\n",
    "    print(i)\n",
    "x = np.linspace(0, 1, 100)\n",
    "# 😀 naïve e\u0301tude\n",
    "assert x.shape == (100,), 'no'\n",
    "y = " + "1 + " * 60 + "1\n",
    "\n",
]

pieces = st.one_of(st.sampled_from(TRICKY), st.sampled_from(LINES), st.text(max_size=8))
long_lines = st.builds(
    lambda unit, count: unit * count, st.sampled_from(["ab", "x😀", "lorem ipsum "]), st.just(400)
)
texts = st.one_of(
    st.lists(pieces, max_size=14).map("".join),
    st.lists(st.one_of(pieces, long_lines), min_size=1, max_size=3).map("".join),
)


@st.composite
def edited(draw: st.DrawFn, text: str, most: int = 3) -> str:
    """Return the text after a few insertions, deletions and replacements."""
    for _ in range(draw(st.integers(1, most))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.sampled_from([0, 0, 1, 3, 30, 90])))
        text = text[:start] + draw(pieces) + text[end:]
    return text


def by_library(text: str, patch: str) -> str | None:
    """Return what the library makes of it, None if it fails or leaves out a hunk."""
    try:
        patched, applied = LIBRARY.patch_apply(LIBRARY.patch_fromText(patch), text)
    except Exception:
        return None
    return str(patched) if all(applied) else None


def library_patch(old: str, new: str) -> str:
    return str(LIBRARY.patch_toText(LIBRARY.patch_make(old, new)))


@st.composite
def fitting(draw: st.DrawFn) -> tuple[str, str]:
    """Return a text and a patch that was made for it."""
    text = draw(texts)
    return text, library_patch(text, draw(edited(text)))


@st.composite
def drifted(draw: st.DrawFn) -> tuple[str, str]:
    """Return a text and a patch that was made for an earlier state of it."""
    base = draw(texts)
    patch = library_patch(base, draw(edited(base)))
    return draw(edited(base, most=5)), patch


@st.composite
def tampered(draw: st.DrawFn) -> tuple[str, str]:
    """Return a text and hunks whose headers and context may lie."""
    text = draw(texts)
    hunks = []
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(text)))
        cuts = sorted(draw(st.lists(st.integers(start, len(text)), min_size=2, max_size=2)))
        before, deleted, after = (
            text[start : cuts[0]],
            text[cuts[0] : cuts[1]],
            text[cuts[1] : cuts[1] + draw(st.sampled_from([0, 2, 4, 40]))],
        )
        diffs = [(0, before), (-1, deleted), (1, draw(pieces)), (0, after)]
        keep_empty = draw(st.booleans())
        hunk = LIBRARY.patch_make("", "x")[0]
        hunk.diffs = [d for d in diffs if d[1] or keep_empty]
        shift = draw(st.sampled_from([0, 0, 0, 1, 7, 600]))
        hunk.start1 = hunk.start2 = start + shift
        hunk.length1 = draw(st.sampled_from([len(before + deleted + after), 0, 1, 31, 33]))
        hunk.length2 = draw(st.sampled_from([1, 5, 40]))
        hunks.append(hunk)
    return text, str(LIBRARY.patch_toText(hunks))


patch_lines = st.one_of(
    st.builds(
        "@@ -{}{} +{}{} @@".format,
        st.integers(0, 40),
        st.sampled_from(["", ",0", ",1", ",5", ",99", "5"]),
        st.integers(0, 40),
        st.sampled_from(["", ",0", ",2", ",50"]),
    ),
    st.builds(lambda sign, text: sign + text, st.sampled_from(" +-"), st.sampled_from(TRICKY)),
    st.sampled_from(["", "%", "+%F0%9F", "-%ED%A0%80", "@@", "?x", " %zz", "@@ -1 +1 @@ "]),
)
scribbles = st.lists(patch_lines, max_size=8).map("\n".join)
"""Patch texts, most of them no patches."""
