"""What is shown of much text, and what stands in the file."""

from __future__ import annotations

from pathlib import Path

import pytest

from rtu_magics.server.outputs.truncation import LongText, LongTexts, Texts, without_link
from rtu_magics.server.outputs.wire_form import STREAM_PIECE, pieces
from rtu_magics.server.wire.frames import LINK_BASE

LIMIT = 20_000


class Shown:
    """The text of one run as it is shown, with a clock that the test sets."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.now = 0.0
        self.texts: Texts = []
        self.long = LongText(
            path,
            "LINK",
            LIMIT,
            shown=lambda: [text for _, text in self.texts],
            clock=lambda: self.now,
        )

    def print(self, text: str, name: str = "stdout") -> None:
        self.texts += self.long.take(name, text)

    def finish(self) -> str:
        self.texts += self.long.finish()
        return self.text

    @property
    def text(self) -> str:
        return "".join(text for _, text in self.texts)


@pytest.fixture
def shown(tmp_path: Path) -> Shown:
    return Shown(tmp_path / "outputs" / "x.txt")


def test_short_text_leaves_no_file(shown: Shown) -> None:
    shown.print("a" * LIMIT)
    assert shown.finish() == "a" * LIMIT
    assert not shown.path.exists()


def test_the_middle_is_left_out(shown: Shown) -> None:
    lines = [f"line {n}\n" for n in range(10_000)]
    for line in lines:
        shown.print(line)
    text = shown.finish()
    whole = "".join(lines)
    head, _, rest = text.partition("\n[… ")
    count, _, tail = rest.partition(" characters left out here; all of it: LINK]\n")
    assert len(head) == LIMIT
    assert whole.startswith(head)
    assert whole.endswith(tail)
    assert tail.startswith("line ")
    assert len(head) + int(count.replace(",", "")) + len(tail) == len(whole)
    assert shown.path.read_text() == whole


def test_a_little_too_much_is_shown_whole(shown: Shown) -> None:
    shown.print("a" * (LIMIT - 10))
    shown.print("b" * 2_000)
    assert shown.finish() == "a" * (LIMIT - 10) + "b" * 2_000


def test_one_enormous_line(shown: Shown) -> None:
    shown.print("x" * 1_000_000)
    assert shown.finish() == (
        "x" * LIMIT + "\n[… 970,000 characters left out here; all of it: LINK]\n" + "x" * 10_000
    )


def test_both_streams_keep_their_order_and_names(shown: Shown) -> None:
    shown.print("x" * 50_000)
    shown.print("out\n")
    shown.print("err\n", "stderr")
    shown.print("last\n")
    shown.finish()
    assert shown.texts[-3:] == [("stdout", "out\n"), ("stderr", "err\n"), ("stdout", "last\n")]
    assert shown.path.read_text().endswith("xout\nerr\nlast\n")


def test_a_glimpse_while_it_goes_on(shown: Shown) -> None:
    shown.print("x" * LIMIT)
    for n in range(1000):
        shown.print(f"step {n}\n")
    before = len(shown.text)
    shown.now = 10.5
    shown.print("step 1000\n")
    assert shown.text.endswith("step 999\nstep 1000\n")
    assert before < len(shown.text) < before + 2_200
    shown.print("step 1001\n")
    assert shown.text.endswith("step 1000\n")
    assert shown.finish().endswith("step 1000\nstep 1001\n")


def test_between_other_outputs(shown: Shown) -> None:
    shown.print("x" * LIMIT + "before\n" * 1000)
    shown.texts += shown.long.between()
    assert shown.text.endswith("before\nbefore\n")
    assert shown.long.between() == []


def test_cleared_text_counts_no_more(shown: Shown) -> None:
    shown.print("x" * 2 * LIMIT)
    shown.texts += shown.long.between()
    shown.texts.clear()
    shown.long.start_again()
    shown.print("y" * LIMIT)
    assert shown.text == "y" * LIMIT
    shown.print("z" * LIMIT)
    shown.finish()
    assert shown.path.read_text() == "y" * LIMIT + "z" * LIMIT


def test_where_nothing_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "outputs").write_text("in the way")
    shown = Shown(tmp_path / "outputs" / "x.txt")
    shown.print("x" * 3 * LIMIT)
    assert "30,000 characters left out here; they could not be kept]" in shown.finish()


def test_the_oldest_files_give_way(tmp_path: Path) -> None:
    import os

    texts = LongTexts(tmp_path, str)
    for n in range(4):
        path = tmp_path / f"{n}.txt"
        path.write_bytes(bytes(100))
        os.utime(path, (n, n))
    texts.sweep(most=250)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["2.txt", "3.txt"]


def test_no_event_cuts_a_link() -> None:
    link = f"[all of it: {LINK_BASE}/a/b?sig=1]"
    for shift in range(len(LINK_BASE) + 2):
        text = "x" * (STREAM_PIECE - shift) + link + "y" * STREAM_PIECE
        parts = list(pieces(text))
        assert "".join(parts) == text
        assert all(len(part) <= STREAM_PIECE for part in parts)
        assert sum(LINK_BASE in part for part in parts) == 1


def test_no_link_in_files() -> None:
    line = f"[… 5 characters left out here; all of it: {LINK_BASE}/a?sig=x]"
    assert without_link(line) == "[… 5 characters left out here]"
