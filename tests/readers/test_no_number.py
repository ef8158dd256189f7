"""What people write that is no plain number, read by the shipped networks: none is accepted as one, none is lost."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

import docproc
from docproc.readers.ink import FAINT
from docproc.types import Gray, Row
from tests.conftest import draw_comb, draw_digits_into, draw_field

PAPER, PEN = 240, 30


def printed(text: str, height: int = 40) -> Gray:
    """`text` in the font that comes with Pillow."""
    font = ImageFont.load_default(height * 1.4)
    width = round(font.getlength(text)) + 60
    picture = Image.new("L", (width, height * 3), PAPER)
    ImageDraw.Draw(picture).text((30, height * 0.6), text, font=font, fill=PEN)
    return np.asarray(picture, np.uint8)


def scrawled(text: str) -> Gray:
    """`text` with letters, as by hand."""
    gray = np.full((110, 60 + 34 * len(text)), PAPER, np.uint8)
    cv2.putText(gray, text, (25, 75), cv2.FONT_HERSHEY_SCRIPT_SIMPLEX, 1.7, PEN, 3, cv2.LINE_AA)
    return gray


def framed(width: int, height: int, thick: int, level: int = 90) -> Gray:
    gray = np.full((height, width), PAPER, np.uint8)
    cv2.rectangle(gray, (3, 3), (width - 4, height - 4), level, thick)
    return gray


def struck(text: str, beside: str = "", lines: int = 1) -> Gray:
    """A number with lines through it, and perhaps another beside it."""
    void = draw_field(text)
    for k in range(lines):
        y = void.shape[0] // 2 + 9 * k - 2
        cv2.line(void, (8, y + 3), (void.shape[1] - 8, y - 2), PEN, 4, cv2.LINE_AA)
    return void if not beside else np.hstack([void, draw_field(beside)])


def struck_with_another_above(text: str, place: int, another: str) -> Gray:
    low = draw_field(text)
    gray = np.vstack([np.full((30, low.shape[1]), PAPER, np.uint8), low])
    left = _left_of(low, place)
    cv2.line(gray, (left - 4, gray.shape[0] - 18), (left + 24, gray.shape[0] - 66), PEN, 4, cv2.LINE_AA)
    draw_digits_into(gray, another, left + 12, 24, height=28)
    return gray


def overwritten(text: str, place: int, another: str) -> Gray:
    gray, over = draw_field(text, gap=14), draw_field(another, width=0.16)
    left = _left_of(gray, place) - 16
    part = gray[:, left : left + over.shape[1]]
    np.minimum(part, over[:, : part.shape[1]], out=part)
    return gray


def _left_of(gray: Gray, place: int) -> int:
    """Where a digit of a drawn number begins."""
    columns = np.flatnonzero((gray < 128).any(axis=0)).tolist()
    starts = [columns[0], *(after for before, after in pairwise(columns) if after - before > 3)]
    return int(starts[place])


@dataclass(frozen=True)
class Folder:
    """Pictures of fields, read at once."""

    rows: Mapping[str, Row]

    def accepted(self) -> dict[str, str]:
        return {name: row.value for name, row in self.rows.items() if row.status == "ok"}

    def blank(self) -> list[str]:
        return [name for name, row in self.rows.items() if row.status == "blank"]


def read(folder: Path, pictures: Mapping[str, Gray], layout: str = "digits") -> Folder:
    for name, gray in pictures.items():
        assert cv2.imwrite(str(folder / f"{name}.png"), gray)
    return Folder({Path(row.document).stem: row for row in docproc.read(folder, layout=layout)})


def names(texts: Iterable[str]) -> dict[str, str]:
    return {f"{k:02}": text for k, text in enumerate(texts)}


NEGATIVE = ("-264", "(264)", "264-", "-1500", "(20076)")


@pytest.mark.parametrize("layout", ["digits", "amount"])
def test_a_debt_is_never_accepted_as_a_credit(tmp_path: Path, layout: str) -> None:
    marks = [text for text in NEGATIVE if layout == "digits" or not text.endswith("-")]  # 264- fills an amount's field
    done = read(tmp_path, {name: draw_field(text) for name, text in names(marks).items()}, layout)
    signed = {name: text for name, text in names(marks).items() if layout == "amount" or text[0] == "("}
    assert not signed.keys() & done.accepted().keys()
    assert not done.blank()


@pytest.mark.parametrize("draw", [draw_field, printed], ids=["written", "printed"])
def test_two_numbers_are_never_accepted_as_one(tmp_path: Path, draw: Callable[[str], Gray]) -> None:
    done = read(
        tmp_path, {name: draw(text) for name, text in names(["3/4", "12-15", "120/80", "7/10", "24/365", "5/6", "1/2"]).items()}
    )
    assert not done.accepted()
    assert not done.blank()


def test_a_measurement_is_never_accepted_without_its_point(tmp_path: Path) -> None:
    pictures = {name: printed(text) for name, text in names(["37.2", "0.075", "611.032", "98.6", "28.4"]).items()}
    done = read(tmp_path, pictures)
    assert not done.accepted()
    assert not done.blank()


def test_a_measurement_is_read_with_its_point(tmp_path: Path) -> None:
    texts = names(["37.2", "0.075", "611.032", "98.6", "-3.15"])
    done = read(tmp_path, {name: printed(text) for name, text in texts.items()}, "decimal")
    assert {name: row.value for name, row in done.rows.items()} == texts


def test_what_was_struck_out_is_never_accepted(tmp_path: Path) -> None:
    pictures = {
        "void": struck("1250"), "void_twice": struck("873", lines=2), "short": struck("64"),
        "rewritten": struck("1250", "1350"), "rewritten_like": struck("873", "878"), "rewritten_short": struck("64", "58"),
        "above": struck_with_another_above("8735", 0, "9"), "above_inside": struck_with_another_above("6475", 2, "3"),
        "overwritten": overwritten("1750", 1, "3"), "overwritten_last": overwritten("6417", 3, "4"),
    }  # fmt: skip
    done = read(tmp_path, pictures)
    meant = {"rewritten": "1350", "rewritten_like": "878", "rewritten_short": "58"}
    meant |= {"overwritten": "1350", "overwritten_last": "6414"}
    assert done.accepted().items() <= meant.items()
    assert not done.blank()


@pytest.mark.parametrize("draw", [scrawled, printed], ids=["written", "printed"])
def test_a_word_is_never_accepted_as_a_number(tmp_path: Path, draw: Callable[[str], Gray]) -> None:
    words = names(["no", "nil", "none", "N/A", "USD", "void", "Total", "same", "absent", "?"])
    done = read(tmp_path, {name: draw(text) for name, text in words.items()})
    assert not done.accepted()
    assert not done.blank()


@pytest.mark.parametrize("draw", [scrawled, printed], ids=["written", "printed"])
def test_a_unit_is_never_accepted_as_digits(tmp_path: Path, draw: Callable[[str], Gray]) -> None:
    texts = names(["72 kg", "150 lb", "3 hrs", "370 ml", "85 cm", "15 USD"])
    done = read(tmp_path, {name: draw(text) for name, text in texts.items()})
    numbers = {name: text.split()[0] for name, text in texts.items()}
    assert done.accepted().items() <= numbers.items()
    assert not done.blank()


def test_a_currency_sign_is_never_accepted_as_a_digit(tmp_path: Path) -> None:
    texts = names(["$36,873.46", "€120.50", "£89.00", "$5.99"])
    done = read(tmp_path, {name: printed(text) for name, text in texts.items()}, "amount")
    assert done.accepted().items() <= {name: text[1:].replace(",", "") for name, text in texts.items()}.items()
    assert not done.blank()


def test_an_empty_box_is_never_accepted_as_1(tmp_path: Path) -> None:
    pictures = {f"frame_{thick}": framed(220, 84, thick) for thick in (1, 2, 4, 7)}
    pictures |= {f"tall_{thick}": framed(60, 90, thick) for thick in (1, 3, 6)}
    half = framed(200, 80, 4)
    half[:, 100:] = PAPER  # one side and half of the rules
    wall = np.full((80, 160), PAPER, np.uint8)
    wall[:, 8:13] = 60
    pictures |= {"half": half, "wall": wall, "comb": draw_comb("    "), "paper": np.full((80, 200), PAPER, np.uint8)}
    done = read(tmp_path, pictures)
    assert not done.accepted()
    assert len(done.blank()) >= 0.9 * len(pictures)


def test_a_mark_alone_is_neither_a_number_nor_nothing(tmp_path: Path) -> None:
    pictures = {"dash": draw_field("-"), "two": draw_field("=="), "star": draw_field("*"), "cross": draw_field("x")}
    tick = np.full((90, 120), PAPER, np.uint8)
    cv2.polylines(tick, [np.array([(35, 50), (50, 70), (85, 15)], np.int32)], False, PEN, 5, cv2.LINE_AA)
    scribble = np.full((90, 220), PAPER, np.uint8)
    zigzag = [(20 + 6 * k, 25 if k % 2 else 65) for k in range(30)]
    cv2.polylines(scribble, [np.array(zigzag, np.int32)], False, PEN, 4, cv2.LINE_AA)
    done = read(tmp_path, pictures | {"tick": tick, "scribble": scribble})
    assert not done.accepted()
    assert not done.blank()


def test_a_stamp_is_never_accepted_as_0(tmp_path: Path) -> None:
    pictures = {}
    for k, word in enumerate(("PAID", "COPY", "BANK", "VOID")):
        stamp = np.full((120, 220), PAPER, np.uint8)
        cv2.ellipse(stamp, (110, 60), (95, 48), 0, 0, 360, 60, 3, cv2.LINE_AA)
        cv2.putText(stamp, word, (60, 70), cv2.FONT_HERSHEY_SIMPLEX, 1.0 + 0.1 * k, 60, 2, cv2.LINE_AA)
        pictures[word] = stamp
    done = read(tmp_path, pictures)
    assert not done.accepted()
    assert not done.blank()


def test_a_slash_alone_is_never_accepted_as_1(tmp_path: Path) -> None:
    pictures = {}
    for lean in (35, 50, 70):
        field = np.full((100, 160), PAPER, np.uint8)
        cv2.line(field, (80 - lean // 2, 85), (80 + lean // 2, 15), PEN, 4, cv2.LINE_AA)
        pictures[f"lean_{lean}"] = field
    done = read(tmp_path, pictures)
    assert not done.accepted()
    assert not done.blank()


def test_slashes_alone_are_never_accepted_as_1s(tmp_path: Path) -> None:
    pictures = {}
    for count in (2, 3):
        field = np.full((100, 80 + 60 * count), PAPER, np.uint8)
        for k in range(count):
            cv2.line(field, (50 + 60 * k, 85), (68 + 60 * k, 15), PEN, 4, cv2.LINE_AA)
        pictures[f"strokes_{count}"] = field
    done = read(tmp_path, pictures)
    assert not done.accepted()
    assert not done.blank()


def test_a_small_number_in_a_high_box_is_not_lost(tmp_path: Path) -> None:
    pictures = {}
    for height in (20, 28, 40, 60):
        box = np.full((300, 500), PAPER, np.uint8)
        small = draw_field("2748", height=height, gap=max(3, height // 6))
        box[140 : 140 + small.shape[0], 60 : 60 + small.shape[1]] = small
        pictures[f"h{height}"] = box
    done = read(tmp_path, pictures)
    assert {name: row.text for name, row in done.rows.items()} == dict.fromkeys(pictures, "2748")


def test_a_digit_on_a_rule_keeps_its_foot(tmp_path: Path) -> None:
    texts = names(["192", "77", "4719", "1107", "971"])
    pictures = {}
    for name, text in texts.items():
        gray = draw_field(text)
        bottom = int(np.flatnonzero((gray < 128).any(axis=1))[-1])
        gray[bottom - 1 : bottom + 2] = np.minimum(gray[bottom - 1 : bottom + 2], 110)
        pictures[name] = gray
    done = read(tmp_path, pictures)
    assert done.accepted().items() <= texts.items()
    assert sum(row.text == texts[name] for name, row in done.rows.items()) >= 4


def test_faint_writing_is_put_before_a_person(tmp_path: Path) -> None:
    grain = np.random.default_rng(0).normal(0, 1.5, (200, 600))
    texts = names(["192", "2748", "60", "3195"])
    pictures = {name: draw_field(text, level=PAPER - 20) for name, text in texts.items()}
    pictures = {name: (own + grain[: own.shape[0], : own.shape[1]]).astype(np.uint8) for name, own in pictures.items()}
    done = read(tmp_path, pictures)
    assert not done.accepted()
    assert not done.blank()
    assert {name: row.text for name, row in done.rows.items()} == texts
    assert all(FAINT in row.reason for row in done.rows.values())
