"""Draw the samples: checks and forms that nobody filled in, in a handwriting of our own.

    python scripts/build_samples.py [FOLDER]

Everything is drawn from pen strokes and lines; the same seed gives the same pages. Each folder but `bank_checks` contains its
template, and `expected.csv` has the text of every field, and its value if that differs.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from docproc.learn.composing.e13b import draw_line
from docproc.learn.composing.strokes import MARKS, Pen, draw, draw_digit

DPI = 300
SEED = 7
FORM = (1800, 1200)  # px, a card of 6 x 4 inches
CHECK = (1800, 825)  # px, 6 x 2.75 inches

Paper = NDArray[np.float32]  # (height, width) float32, 0 black .. 255 white
Box = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Hand:
    """One person's writing."""

    pen: Pen
    slant: float  # tangent of the angle
    tightness: float  # gap between digits in digit heights; negative: they touch
    styles: tuple[int, ...]
    darkness: float  # gray level of the ink

    @staticmethod
    def any(rng: np.random.Generator, tightness: float | None = None) -> Hand:
        pen = Pen(float(rng.uniform(0.06, 0.11)), float(rng.uniform(0.01, 0.028)), float(rng.uniform(0.9, 1.15)))
        gap = float(rng.uniform(0.06, 0.2)) if tightness is None else tightness
        return Hand(pen, float(rng.normal(0.1, 0.1)), gap, tuple(rng.integers(0, 99, 10)), float(rng.uniform(20, 80)))


@dataclass(frozen=True, slots=True)
class Slot:
    """A field of a form: how it is printed and what its template contains."""

    name: str
    label: str
    box: Box  # as in the template, with room around the printed frame
    kind: str  # comb, string, amount
    digits: int | tuple[int, int]
    ticked: bool = False  # a comb whose walls are only ticks at the bottom


Value = Callable[[np.random.Generator, Mapping[str, str]], str]  # what is written, given the fields before


# ------------------------------------------------------------------------------------------------------ the forms


def _number(low: int, high: int, width: int = 0) -> Value:
    return lambda rng, _: str(int(rng.integers(low, high + 1))).zfill(width)


def _sum(*names: str) -> Value:
    return lambda _, before: str(sum(int(before[name]) for name in names))


def _date(rng: np.random.Generator, _: Mapping[str, str]) -> str:
    return f"{int(rng.integers(1, 29)):02d}{int(rng.integers(1, 13)):02d}{int(rng.integers(2023, 2027))}"


def _amount(rng: np.random.Generator, _: Mapping[str, str]) -> str:
    return str(int(np.exp(rng.uniform(np.log(20), np.log(60_000)))))


SURVEY_RULES = """
[[rule]]
name = "all persons"
sum = ["men", "women", "children"]
equals = "persons"
"""

SURVEY: Sequence[tuple[Slot, Value]] = (
    (Slot("household_id", "Household number", (150, 270, 760, 116), "comb", 8), _number(0, 99_999_999, 8)),
    (Slot("interviewer", "Interviewer", (1120, 270, 400, 116), "comb", 4), _number(0, 9_999, 4)),
    (Slot("men", "Men", (150, 520, 220, 116), "comb", 2), _number(0, 12)),
    (Slot("women", "Women", (560, 520, 220, 116), "comb", 2), _number(0, 12)),
    (Slot("children", "Children", (970, 520, 220, 116), "comb", 2), _number(0, 12)),
    (Slot("persons", "All persons", (1380, 520, 220, 116), "comb", 2), _sum("men", "women", "children")),
    (Slot("income", "Income per month", (150, 780, 620, 130), "string", (1, 7)), _number(500, 95_000)),
    (Slot("rooms", "Rooms", (970, 780, 260, 130), "string", (1, 2)), _number(1, 12)),
)

METER: Sequence[tuple[Slot, Value]] = (
    (Slot("customer", "Customer number", (150, 270, 940, 116), "comb", 10, ticked=True), _number(0, 9_999_999_999, 10)),
    (Slot("reading", "Meter reading, kWh", (150, 540, 760, 140), "string", (3, 6)), _number(1_000, 999_999)),
    (Slot("previous", "Reading of last year", (1030, 540, 620, 140), "string", (3, 6)), _number(1_000, 999_999)),
    (Slot("date", "Date (day month year)", (150, 840, 760, 116), "comb", 8), _date),
    (Slot("reader", "Reader", (1120, 840, 320, 116), "comb", 3, ticked=True), _number(0, 999, 3)),
)

CHECKS: Sequence[tuple[Slot, Value]] = (
    (Slot("date", "DATE", (1230, 60, 500, 86), "comb", 8), _date),
    (Slot("amount", "$", (1290, 300, 440, 100), "amount", (1, 7)), _amount),
)


# ---------------------------------------------------------------------------------------------------- the drawing


def paper(size: tuple[int, int], rng: np.random.Generator, guilloche: bool = False) -> Paper:
    """Paper with a tint, uneven light and fiber, and a check's fine wavy lines."""
    width, height = size
    page = np.full((height, width), float(rng.uniform(226, 246)), np.float32)
    light = rng.normal(0, 5, (3, 4)).astype(np.float32)
    page += cv2.resize(light, (width, height), interpolation=cv2.INTER_CUBIC)
    fiber = rng.normal(0, 2.4, (height // 2, width // 2)).astype(np.float32)
    page += cv2.resize(fiber, (width, height), interpolation=cv2.INTER_LINEAR)
    if guilloche:
        y, x = np.mgrid[0:height, 0:width].astype(np.float32)
        wave = np.sin((y + 22 * np.sin(x / 97) + 9 * np.sin(x / 31 + y / 53)) * (2 * np.pi / 17))
        page -= 14 * np.clip(wave * 3 - 2, 0, 1)
    return page


def ink(page: Paper, mark: NDArray[np.uint8], left: float, top: float, level: float) -> None:
    """Put a drawn mark on the page."""
    x, y = round(left), round(top)
    x0, y0 = max(0, x), max(0, y)
    x1, y1 = min(page.shape[1], x + mark.shape[1]), min(page.shape[0], y + mark.shape[0])
    if x1 <= x0 or y1 <= y0:
        return
    strength = mark[y0 - y : y1 - y, x0 - x : x1 - x].astype(np.float32) / 255
    part = page[y0:y1, x0:x1]
    part[:] = np.minimum(part, part * (1 - strength) + level * strength)


def lean(mark: NDArray[np.uint8], slant: float) -> NDArray[np.uint8]:
    """Shear a mark to the right by `slant`."""
    height, width = mark.shape
    reach = abs(slant) * height
    matrix = np.array([[1.0, -slant, reach / 2 + slant * height / 2], [0.0, 1.0, 0.0]])
    return np.asarray(cv2.warpAffine(mark, matrix, (int(np.ceil(width + reach)), height)), np.uint8)


def write_string(page: Paper, text: str, box: Box, height: float, hand: Hand, rng: np.random.Generator) -> float:
    """Write a string of digits and marks into a box, as wide as the hand makes it; returns where it ends."""
    x, base = box[0] + 0.06 * box[2] + rng.uniform(0, 0.1) * box[2], box[1] + box[3] / 2 + height / 2
    for place, character in enumerate(text):
        if character in ".,":
            mark, row = draw([[(0.0, 0.96), (0.01, 1.0 if character == "." else 1.16)]], height, hand.pen, rng)
        elif character.isdigit():
            size = height * float(np.clip(rng.normal(1, 0.04), 0.9, 1.1))
            mark, row = draw_digit(int(character), size, hand.pen, rng, hand.styles[int(character)])
        else:
            mark, row = draw(MARKS[character][0], height, hand.pen, rng)
        mark = lean(mark, hand.slant)
        if place:
            x += hand.tightness * height * float(rng.uniform(0.7, 1.3))
        ink(page, mark, x, base - row, hand.darkness)
        x += mark.shape[1] - 4
    return x


def write_cells(page: Paper, text: str, frame: Box, cells: int, hand: Hand, rng: np.random.Generator) -> None:
    """Write one digit into each of the last cells of a comb."""
    pitch = frame[2] / cells
    for place, character in enumerate(text):
        height = frame[3] * float(np.clip(rng.normal(0.66, 0.04), 0.55, 0.76))
        mark, row = draw_digit(int(character), height, hand.pen, rng, hand.styles[int(character)])
        mark = lean(mark, hand.slant)
        cell = cells - len(text) + place
        x = frame[0] + pitch * (cell + 0.5) - mark.shape[1] / 2 + rng.normal(0, 0.04) * pitch
        ink(page, mark, x, frame[1] + frame[3] / 2 - row + height / 2 + rng.normal(0, 0.03) * height, hand.darkness)


def printed_frame(slot: Slot) -> Box:
    """The frame as printed: inside the template's box, leaving room for skew."""
    left, top, width, height = slot.box
    return left + 12, top + 12, width - 24, height - 24


def print_form(page: Paper, title: str, slots: Sequence[Slot]) -> None:
    """The blank form: title, labels, frames and combs."""
    canvas = Image.fromarray(np.zeros(page.shape, np.uint8))
    pen = ImageDraw.Draw(canvas)
    pen.text((150, 90), title, fill=255, font=ImageFont.load_default(52))
    pen.line((150, 168, page.shape[1] - 150, 168), fill=255, width=4)
    for slot in slots:
        left, top, width, height = printed_frame(slot)
        pen.text((left, top - 46), slot.label, fill=255, font=ImageFont.load_default(30))
        _print_frame(pen, slot, (left, top, width, height))
    ink(page, np.array(canvas), 0, 0, 70)


def print_check(page: Paper, slots: Sequence[Slot], number: int) -> None:
    """A check that no bank will honor."""
    canvas = Image.fromarray(np.zeros(page.shape, np.uint8))
    pen = ImageDraw.Draw(canvas)
    pen.text((80, 50), "BANK OF SAMPLES", fill=255, font=ImageFont.load_default(44))
    pen.text((80, 110), "Paper Street, Drawnville", fill=255, font=ImageFont.load_default(26))
    pen.text((80, 220), "PAY TO THE", fill=255, font=ImageFont.load_default(22))
    pen.text((80, 248), "ORDER OF", fill=255, font=ImageFont.load_default(22))
    pen.line((220, 372, 1240, 372), fill=255, width=3)
    pen.line((80, 480, 1480, 480), fill=255, width=3)
    pen.text((1500, 450), "DOLLARS", fill=255, font=ImageFont.load_default(28))
    pen.line((1080, 690, 1720, 690), fill=255, width=3)
    pen.text((80, 650), f"MEMO  specimen {number}", fill=255, font=ImageFont.load_default(26))
    pen.rectangle((10, 10, page.shape[1] - 11, page.shape[0] - 11), outline=255, width=3)
    for slot in slots:
        frame = printed_frame(slot)
        pen.text((frame[0] - (44 if slot.kind == "amount" else 96), frame[1] + 14), slot.label, fill=255,
                 font=ImageFont.load_default(46 if slot.kind == "amount" else 28))  # fmt: skip
        _print_frame(pen, slot, frame)
    ink(page, np.array(canvas), 0, 0, 60)


def _print_frame(pen: ImageDraw.ImageDraw, slot: Slot, frame: Box) -> None:
    left, top, width, height = frame
    if slot.kind == "string":
        pen.line((left, top + height, left + width, top + height), fill=255, width=3)
        return
    pen.rectangle((left, top, left + width, top + height), outline=255, width=3)
    if slot.kind == "comb":
        cells = slot.digits if isinstance(slot.digits, int) else slot.digits[1]
        for k in range(1, cells):
            x = left + round(width * k / cells)
            pen.line((x, top + (round(0.72 * height) if slot.ticked else 0), x, top + height), fill=255, width=3)


def fill(page: Paper, slot: Slot, text: str, hand: Hand, rng: np.random.Generator) -> None:
    """Write one field."""
    frame = printed_frame(slot)
    if slot.kind == "comb":
        cells = slot.digits if isinstance(slot.digits, int) else slot.digits[1]
        write_cells(page, text, frame, cells, hand, rng)
    else:
        height = frame[3] * float(rng.uniform(0.56, 0.68))
        written = text
        if slot.kind == "amount":
            written = f"{int(text):,}" if rng.random() < 0.5 else text
            written += str(rng.choice(["", "", "/-", "-", "="]))
        write_string(page, written, frame, height, hand, rng)


def scan(page: Paper, rng: np.random.Generator, degrees: float) -> NDArray[np.uint8]:
    """Scan the page, lying slightly askew on the glass."""
    height, width = page.shape
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1.0)
    turned = cv2.warpAffine(page, turn, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    blurred = cv2.GaussianBlur(turned, (0, 0), float(rng.uniform(0.5, 0.9)))
    return np.asarray(np.clip(blurred + rng.normal(0, 1.2, blurred.shape), 0, 255), np.uint8)


# --------------------------------------------------------------------------------------------- checks of any bank


@dataclass(frozen=True, slots=True)
class Specimen:
    """A check as filled in; only its number and its MICR line are printed in digits."""

    file: str
    number: str
    date: str  # as written
    iso: str
    amount: str  # as written; "^" raises and underlines what follows
    value: str
    micr: str  # as printed, with spaces
    parts: tuple[str, str, str, str]  # its routing number, account, check number and encoded amount
    framed: bool  # a frame is printed around the amount; otherwise there is only a line under it
    turn: int = 0  # half turns
    degrees: float = 0.2


SPECIMENS = (
    Specimen("check_1.jpg", "1042", "11/20/2026", "2026-11-20", "1,234.56", "1234.56",
             "⑆991234561⑆ 000123456789⑈ 1042", ("991234561", "000123456789", "1042", ""), framed=True),
    Specimen("check_2.jpg", "215", "3/14/2026", "2026-03-14", "850.00", "850.00",
             "⑆990045670⑆ 7715550123⑈ 0215", ("990045670", "7715550123", "0215", ""), framed=False, degrees=-1.5),
    Specimen("check_3.png", "1043", "10-31-2026", "2026-10-31", "72^50", "72.50",
             "⑆991234561⑆ 000123456789⑈ 1043", ("991234561", "000123456789", "1043", ""), framed=True, turn=1),
    Specimen("check_4.jpg", "008816", "7/28/26", "2026-07-28", "12,900.00", "12900.00",
             "⑈008816⑈ ⑆990045670⑆ 4410022887⑈", ("990045670", "4410022887", "008816", ""), framed=True, degrees=3.0),
    Specimen("check_5_bw.tif", "360", "12/19/2026", "2026-12-19", "45.07", "45.07",
             "⑆998877662⑆ 20045⑉881⑈ 0360  ⑇0000004507⑇", ("998877662", "20045⑉881", "0360", "45.07"),
             framed=False),
)  # fmt: skip


def print_bank_check(page: Paper, specimen: Specimen) -> None:
    """What is printed on a US-style check of a nonexistent bank."""
    canvas = Image.fromarray(np.zeros(page.shape, np.uint8))
    pen = ImageDraw.Draw(canvas)

    def say(x: float, y: float, text: str, size: float) -> None:
        pen.text((x, y), text, fill=255, font=ImageFont.load_default(size))

    say(80, 48, "PAT SAMPLE", 34)
    say(80, 90, "12 Paper Street, Drawnville", 26)
    say(1560, 44, specimen.number, 46)
    say(1105, 176, "DATE", 24)
    pen.line((1180, 206, 1600, 206), fill=255, width=3)
    say(80, 272, "PAY TO THE", 22)
    say(80, 298, "ORDER OF", 22)
    pen.line((220, 330, 1270, 330), fill=255, width=3)
    say(1296, 268, "$", 62)
    if specimen.framed:
        pen.rectangle((1345, 248, 1720, 336), outline=255, width=3)
    else:
        pen.line((1345, 330, 1720, 330), fill=255, width=3)
    pen.line((80, 440, 1480, 440), fill=255, width=3)
    say(1500, 412, "DOLLARS", 28)
    say(80, 520, "SAMPLE BANK", 36)
    say(80, 564, "for trying docproc, not for payment", 22)
    say(80, 640, "MEMO", 22)
    pen.line((160, 664, 800, 664), fill=255, width=3)
    pen.line((1000, 664, 1700, 664), fill=255, width=3)
    pen.rectangle((8, 8, page.shape[1] - 9, page.shape[0] - 9), outline=255, width=3)
    ink(page, np.array(canvas), 0, 0, 60)
    line = draw_line(specimen.micr, DPI)
    # The bottom of the line is 3/16 inch above the edge of the check.
    ink(page, np.asarray(255 - line, np.uint8), 110, page.shape[0] - round(DPI * 3 / 16) - line.shape[0], 35)


def scribble(page: Paper, left: float, base: float, width: float, height: float, hand: Hand, rng: np.random.Generator) -> None:
    """Meaningless writing: the loops of a name."""
    x, points = 0.0, []
    while x < width / height:
        points += [(x, 0.95), (x + rng.uniform(0.1, 0.25), rng.uniform(-0.1, 0.6)), (x + rng.uniform(0.0, 0.3), 0.9)]
        x += rng.uniform(0.18, 0.5)
    mark, row = draw([points], height, hand.pen, rng)
    ink(page, lean(mark, hand.slant), left, base - row, hand.darkness)


def fill_bank_check(page: Paper, specimen: Specimen, hand: Hand, rng: np.random.Generator) -> None:
    """Fill in a check by hand."""
    write_string(page, specimen.date, (1190, 136, 300, 70), min(46, 400 / len(specimen.date)), hand, rng)
    whole, _, cents = specimen.amount.partition("^")
    end = write_string(page, whole, (1350, 250, 200, 84), min(50, 320 / len(whole)), hand, rng)
    if cents:
        write_string(page, cents, (round(end), 222, 100, 84), 28, hand, rng)
        mark, row = draw([[(0.0, 0.5), (2.2, 0.45)]], 28, hand.pen, rng)
        ink(page, mark, end + 10, 300 - row, hand.darkness)
    scribble(page, 260, 322, 640, 46, hand, rng)
    scribble(page, 120, 432, 900, 44, hand, rng)
    scribble(page, 1080, 656, 420, 70, hand, rng)


def _digits(text: str) -> str:
    return "".join(c for c in text if c.isdigit())


def build_bank_checks(folder: Path) -> list[tuple[str, int, str, str, str]]:
    """Draw the checks that are read without a template; returns their contents."""
    folder.mkdir(parents=True, exist_ok=True)
    expected = []
    for number, specimen in enumerate(SPECIMENS):
        rng = np.random.default_rng([SEED, 78, number])
        hand = Hand.any(rng)
        page = paper(CHECK, rng, guilloche=number % 2 == 0)
        print_bank_check(page, specimen)
        fill_bank_check(page, specimen, hand, rng)
        picture = np.rot90(scan(page, rng, specimen.degrees), 2 * specimen.turn)
        save([np.ascontiguousarray(picture)], folder / specimen.file, bilevel=specimen.file.endswith("bw.tif"))
        micr = specimen.micr.replace(" ", "")
        name = f"{folder.name}/{specimen.file}"
        expected += [
            (name, 1, "amount", _digits(specimen.amount), specimen.value),
            (name, 1, "date", _digits(specimen.date), specimen.iso),
            (name, 1, "micr", _digits(micr), micr),
        ]
        routing, account, check, encoded = specimen.parts
        expected += [
            (name, 1, "routing", routing, ""),
            (name, 1, "account", _digits(account), account),
            (name, 1, "check_number", check, ""),
        ]
        if encoded:
            expected.append((name, 1, "encoded_amount", _digits(encoded).zfill(10), encoded))
    return expected


# ------------------------------------------------------------------------------------------------------- the files


def template_text(name: str, size: tuple[int, int], slots: Sequence[Slot], blank: str = "") -> str:
    """The TOML of a form's template; with the picture of the `blank` form, its boxes are the printed frames."""
    page = f'reference = "{blank}"' if blank else f"size = [{size[0]}, {size[1]}]  # pixels, at 300 dpi"
    lines = ["schema_version = 1", f'name = "{name}"', "", "[page]", page]
    for slot in slots:
        digits = slot.digits if isinstance(slot.digits, int) else list(slot.digits)
        box = list(printed_frame(slot) if blank else slot.box)
        lines += ["", "[[field]]", f'name = "{slot.name}"', f"box = {box}", f'kind = "{slot.kind}"']
        lines.append(f"digits = {digits}")
    return "\n".join(lines) + "\n"


def save(pages: Sequence[NDArray[np.uint8]], path: Path, bilevel: bool = False) -> None:
    """One page or several, in the format of the suffix."""
    images = [Image.fromarray(page) for page in pages]
    first, rest = images[0], images[1:]
    if path.suffix == ".jpg":
        first.save(path, quality=72, dpi=(DPI, DPI))
    elif path.suffix == ".png":
        # Sixteen levels: a scanner's "document" setting, and a third of the size.
        first.point(lambda v: v // 16 * 17).save(path, optimize=True, dpi=(DPI, DPI))
    elif path.suffix == ".tif":
        if bilevel:
            images = [image.point(lambda v: 255 if v > 150 else 0).convert("1") for image in images]
            first, rest = images[0], images[1:]
        first.save(path, save_all=True, append_images=rest, compression="group4" if bilevel else "jpeg", dpi=(DPI, DPI))
    else:
        first.save(path, save_all=True, append_images=rest, resolution=DPI, quality=72)


def build(folder: Path) -> None:
    """Draw every sample into `folder`."""
    expected: list[tuple[str, int, str, str, str]] = []

    def make(
        kind: str, title: str, entries: Sequence[tuple[Slot, Value]], size: tuple[int, int], files: Sequence[tuple[str, int]],
        blank: str = "", rules: str = "",
    ) -> None:  # fmt: skip
        place = folder / kind
        place.mkdir(parents=True, exist_ok=True)
        slots = [slot for slot, _ in entries]
        (place / "template.toml").write_text(template_text(title, size, slots, blank) + rules, encoding="utf-8")
        if blank:
            page = np.full(size[::-1], 255, np.float32)
            print_form(page, title.title(), slots)
            save([np.asarray(page, np.uint8)], place / blank)
        number = 0
        for name, count in files:
            pages = []
            for page_number in range(1, count + 1):
                number += 1
                rng = np.random.default_rng([SEED, len(kind), sum(map(ord, kind)), number])
                tightness = float(rng.uniform(-0.07, 0.0)) if number % 3 == 0 else None
                hand = Hand.any(rng, tightness)
                page = paper(size, rng, guilloche=kind == "checks")
                if kind == "checks":
                    print_check(page, slots, number)
                else:
                    print_form(page, title.title(), slots)
                written: dict[str, str] = {}
                for slot, value in entries:
                    text = written[slot.name] = value(rng, written)
                    fill(page, slot, text, hand, rng)
                    expected.append((f"{kind}/{name}", page_number, slot.name, text, ""))
                pages.append(scan(page, rng, float(np.clip(rng.normal(0, 0.22), -0.4, 0.4))))
            save(pages, place / name, bilevel=name.endswith("bw.tif"))

    make("checks", "specimen check", CHECKS, CHECK, [
        *((f"check_{k:02d}.jpg", 1) for k in range(1, 8)), ("check_08.png", 1), ("check_09.png", 1), ("lockbox_bw.tif", 3),
    ])  # fmt: skip
    make("survey", "household survey", SURVEY, FORM, [
        ("form_1.jpg", 1), ("form_2.jpg", 1), ("form_3.png", 1), ("batch.tif", 3),
    ], "blank.png", SURVEY_RULES)  # fmt: skip
    make("meters", "meter card", METER, FORM, [("card_1.jpg", 1), ("card_2.jpg", 1), ("card_3.png", 1), ("route.pdf", 3)])

    expected += build_bank_checks(folder / "bank_checks")

    with open(folder / "expected.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("document", "page", "field", "text", "value"))
        writer.writerows(expected)


if __name__ == "__main__":
    build(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent.parent / "samples")
