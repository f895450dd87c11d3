"""One patch on a long text, against the library's own reading and applying of it."""

from __future__ import annotations

import random
from collections.abc import Iterator

from diff_match_patch import diff_match_patch

from rtu_magics.document import apply_patch, make_patch
from rtu_magics.errors import PatchFailed

from ..harness import Bench, Row, timed


def rows(bench: Bench) -> Iterator[Row]:
    library = diff_match_patch()
    rng = random.Random(1)
    for size in (1_000, 10_000, 100_000):
        words = ["alpha", "beta", "=", "(x)", "\n    ", "gamma", "1.5"]
        text = " ".join(rng.choice(words) for _ in range(size // 3))[:size]
        middle = size // 2
        typed = text[:middle] + "one more word " + text[middle:]
        lines = text.split("\n")
        renamed = "\n".join(
            line.replace("alpha", "omega") if number % 9 == 0 else line
            for number, line in enumerate(lines)
        )
        for what, new in (("one word", typed), ("many places", renamed)):
            patch = make_patch(text, new)

            def by_library(text: str = text, patch: str = patch) -> str:
                return str(library.patch_apply(library.patch_fromText(patch), text)[0])

            def by_us(text: str = text, patch: str = patch) -> str:
                return apply_patch(text, patch)

            assert by_us() == by_library() == new
            number = 200 if what == "one word" else max(1, 2_000 // size)
            repeat = bench.repeat(15)
            yield Row(
                f"text patch, {size // 1000} kB, {what}",
                "diff-match-patch",
                timed(by_library, repeat=repeat, number=number),
                timed(by_us, repeat=repeat, number=number),
            )
    yield from _dear(bench, library)


def _dear(bench: Bench, library: diff_match_patch) -> Iterator[Row]:
    """A patch whose hunks are all a little off, as the server decides about it."""
    rng = random.Random(1)
    text = "".join(rng.choice("abcdefghij ") for _ in range(20_000))
    hunks = []
    for at in range(0, 18_000, 60):
        old = f"{text[at : at + 9]}ZZZZ{text[at + 13 : at + 24]}"
        span = f"{at + 1},24"
        hunks.append(f"@@ -{span} +{span} @@\n {old[:8]}\n-{old[8:16]}\n+ABCDEFGH\n {old[16:]}\n")
    patch = "".join(hunks)

    def by_library() -> None:
        library.patch_apply(library.patch_fromText(patch), text)

    def by_us() -> None:
        try:
            apply_patch(text, patch, bounded=True)
        except PatchFailed:
            return
        raise AssertionError("it was not refused")

    yield Row(
        f"refusing {len(hunks)} hunks that are not quite there",
        "applying them",
        timed(by_library, repeat=bench.repeat(3)),
        timed(by_us, repeat=bench.repeat(9)),
    )
