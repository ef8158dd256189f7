"""What is drawn for people: nothing of it may be lost at an edge."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from docproc.runs.pictures import PAD, WIDTH, Picture, _font, _step, _wrapped, heading
from docproc.types import Row, Status

REASON = "confidence 0.8780, 0.9301 needed at 1 %; the date may be stale; " * 6


def row(text: str = "1407", value: str = "1407", status: Status = "review", reason: str = "", changed_by: str = "") -> Row:
    return Row("scan.png", 1, "amount", text, value, 0.5, status, reason, changed_by, "", "", 0, 0, 9, 9)


def margin(picture: Picture) -> int:
    """The darkest pixel at the right edge, where nothing is drawn."""
    return int(np.asarray(picture.convert("L"))[4:, WIDTH - PAD + 2 :].min())


def test_long_texts_are_wrapped_and_not_cut_off() -> None:
    for picture in (
        heading(row(reason=REASON)),
        heading(row(text="8" * 60, value="7" * 60, reason=REASON)),
        heading(row(changed_by="must be a date (MDY) from 1900 to 2099, was read as 311412026 " * 3)),
        _step("7  Other readings: " + ", ".join(f"{k}12345 (0.1%)" for k in range(60)), None),
    ):
        assert picture.width == WIDTH
        assert margin(picture) > 250
    assert heading(row(reason=REASON)).height > heading(row()).height + 19


def test_a_heading_tells_value_and_change() -> None:
    def ink(picture: Picture) -> int:
        return int((np.asarray(picture.convert("L")) < 200).sum())

    plain = ink(heading(row()))
    for other in (row(value="14.07"), row(value=""), row(changed_by="check digit")):
        assert ink(heading(other)) > plain + 50
    # Nothing dangles where there is no text.
    assert ink(heading(row(text="", value="", status="blank"))) == ink(heading(row(text="", value="1", status="blank")))


@given(st.text(alphabet="abc 1,", max_size=60), st.integers(30, 200))
def test_wrapping_loses_no_word(text: str, width: int) -> None:
    lines = _wrapped(text, _font(15), width)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert all(_font(15).getlength(line) <= width for line in lines)
