"""The size of a picture from its first bytes, and what the standing mirror does with it."""

from __future__ import annotations

import base64
import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtu_magics import models as m
from rtu_magics.widgets.mirror.static_page import static_html
from rtu_magics.widgets.picture_size import pixels

from ...scenarios.widgets.test_mirror_pictures import png
from .mirror.test_state import make_session

FORMATS = ["png", "gif", "jpeg", "webp"]


def picture(kind: str, width: int, height: int, **more: Any) -> str:
    image = pytest.importorskip("PIL.Image")  # comes with matplotlib
    out = io.BytesIO()
    image.new("RGB", (width, height)).save(out, kind, **more)
    return base64.b64encode(out.getvalue()).decode()


@pytest.mark.parametrize("kind", FORMATS)
def test_real_pictures(kind: str) -> None:
    assert pixels(picture(kind, 37, 21)) == 37 * 21


def test_other_kinds_of_the_same_formats() -> None:
    assert pixels(picture("webp", 37, 21, lossless=True)) == 37 * 21
    assert pixels(picture("jpeg", 37, 21, progressive=True)) == 37 * 21


@given(st.sampled_from(FORMATS), st.integers(0, 200), st.binary(max_size=30))
def test_whatever_the_bytes_are_there_is_an_answer(kind: str, cut: int, more: bytes) -> None:
    data = base64.b64decode(picture(kind, 5, 5))[:cut] + more
    found = pixels(base64.b64encode(data).decode())
    assert found is None or found > 0


def test_a_standing_mirror_leaves_out_a_picture_that_unfolds() -> None:
    outputs = [
        m.DisplayDataOutput(data={"image/png": data, "text/plain": text}, metadata={})
        for data, text in ((png(64, 48), "small"), (png(8_000, 8_000), "large"), ("QUJD", "none"))
    ]
    cell = m.CodeCell(id="a", source="x", outputs=outputs)
    page = static_html(make_session(0, cells=[cell]))
    assert page.count("<img") == 1
    assert "large" in page
    assert "none" in page
