"""Where digits stand, in the journal: what is kept comes back, and nothing where it is not known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from docproc.files import Document
from docproc.runs.journal import Journal, Outcome
from docproc.runs.places import course, packed, quarters, unpacked
from docproc.types import Box, Digit, Row

ROW = Row("a.png", 1, "id", "17", "17", 0.5, "review", "", "", "", "", 100, 200, 60, 40)
DIGITS = (Digit("1", 0.987, Box(95, 201, 12, 38)), Digit("7", 0.5, Box(140, 199, 20, 40)))

PX = st.integers(0, 20000)


@given(st.text("0123456789", min_size=1, max_size=9), st.data())
def test_what_is_packed_comes_back(text: str, data: st.DataObject) -> None:
    left, top = data.draw(PX), data.draw(PX)
    digits = tuple(
        Digit(one, data.draw(st.floats(0, 1)), Box(data.draw(PX), data.draw(PX), data.draw(PX), data.draw(PX))) for one in text
    )
    kept = packed(replace(ROW, text=text, left=left, top=top, digits=digits))
    assert kept is not None
    assert len(kept) == 10 * len(text)
    found = unpacked(text, left, top, kept)
    assert [(one.text, one.box) for one in found] == [(one.text, one.box) for one in digits]
    assert all(abs(a.confidence - b.confidence) < 1e-5 for a, b in zip(found, digits, strict=True))


def test_nothing_is_kept_where_a_place_is_not_known() -> None:
    assert packed(ROW) is None  # read without
    for digits in (DIGITS[:1], (DIGITS[0], replace(DIGITS[1], box=None)), (DIGITS[0], replace(DIGITS[1], text="4")),
                   (DIGITS[0], replace(DIGITS[1], box=Box(70000, 0, 1, 1)))):  # fmt: skip
        assert packed(replace(ROW, digits=digits)) is None
    assert packed(replace(ROW, text="", digits=())) is None
    assert unpacked("177", 0, 0, packed(replace(ROW, digits=DIGITS)) or b"") == ()


def test_the_journal_tells_where_digits_stand_when_it_is_asked(tmp_path: Path) -> None:
    out, document = tmp_path / "t.csv", Document("a.png", Path("a.png"))
    with Journal.open(out) as journal:
        journal.plan([(document, "one")])
        journal.finish(document, Outcome((replace(ROW, digits=DIGITS), replace(ROW, field="b")), "a" * 64))
    with Journal.look(out) as journal:
        plain = [state.row for state in journal.fields()]
        told = [state.row for state in journal.fields(digits=True)]
    assert [row.digits for row in plain] == [(), ()]
    assert [[(one.text, one.box) for one in row.digits] for row in told] == [[(one.text, one.box) for one in DIGITS], []]


def test_the_digits_of_a_page_tell_how_it_has_to_be_turned() -> None:
    page = np.zeros((100, 100), np.uint8)
    page[10:20, 10:20], page[12:22, 70:80] = 1, 7
    for turns in range(4):
        stored = np.rot90(page, -turns)  # clockwise
        boxes = [Box(int(at[1]), int(at[0]), 10, 10) for level in (1, 7) for at in [np.argwhere(stored == level).min(axis=0)]]
        digits = tuple(replace(digit, box=box) for digit, box in zip(DIGITS, boxes, strict=True))
        assert quarters(*course(replace(ROW, digits=digits))) == turns
    assert course(replace(ROW, digits=DIGITS[:1])) == (0, 0)
    assert quarters(0, 0) == 0
