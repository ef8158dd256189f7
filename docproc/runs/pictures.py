"""Pictures for people: the page with its readings, and the sheet that shows every step for one field."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageDraw, ImageFont, PngImagePlugin

from docproc.readers.ctc import best_texts, each_reader
from docproc.readers.e13b import PrintedResult
from docproc.readers.handwriting import HandwrittenResult, lattice_opinion, line_frames
from docproc.readers.lattice.cuts import candidate_box
from docproc.readers.read import FieldResult
from docproc.types import MICR_SYMBOLS, NOT_A_DIGIT, Gray, Row, Scores

Color = tuple[int, int, int]
Picture = Image.Image
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

WIDTH = 1180  # px, width of a sheet
PAD = 16
INK: Color = (28, 32, 38)
QUIET: Color = (110, 118, 128)
PAPER: Color = (255, 255, 255)
GREEN: Color = (24, 128, 72)
AMBER: Color = (190, 112, 0)
RED: Color = (190, 40, 40)
STATUS: dict[str, Color] = {"ok": GREEN, "review": AMBER, "blank": QUIET, "error": RED}
# Neighbors differ; distinguishable for people with red-green color blindness (P. Tol's bright scheme).
PIECES: tuple[Color, ...] = (
    (68, 119, 170),
    (238, 102, 119),
    (34, 136, 51),
    (204, 187, 68),
    (102, 204, 238),
    (170, 51, 119),
)


MICR_NAMES = dict(zip(MICR_SYMBOLS[10:], ("transit", "amount", "on-us", "dash"), strict=True))  # fonts lack the symbols


def png(picture: Picture, command: str) -> bytes:
    """A picture as PNG, with the docproc command that drew it in its metadata."""
    note = PngImagePlugin.PngInfo()
    note.add_text("Software", f"docproc {command};")
    data = io.BytesIO()
    picture.save(data, "PNG", pnginfo=note)
    return data.getvalue()


def explain_sheet(result: FieldResult, row: Row) -> Picture:
    """One picture that shows how a field was read: the crop, every step, the confidence."""
    steps = _printed_steps(result) if isinstance(result, PrintedResult) else _handwritten_steps(result)
    return stack([heading(row), *(_step(title, picture) for title, picture in steps)])


def _printed_steps(result: PrintedResult) -> list[tuple[str, Picture | None]]:
    crop = ("1  The field as scanned", _enlarge(result.prepared.crop))
    if not result.prepared.inked:
        return [crop, ("2  No line was found", None)]
    others = _listed(result.reading.alternatives[:3])
    return [
        crop,
        ("2  The line, laid out level and at one height, with what was read", _micr(result)),
        (f"3  Other readings with their share, digits alone: {others}", None),
    ]


def _handwritten_steps(result: HandwrittenResult) -> list[tuple[str, Picture | None]]:
    lattice, reading = result.prepared.lattice, result.reading
    crop = ("1  The field as scanned; boxes are the digits that were chosen", _crop_with_boxes(result))
    if lattice.blank:
        return [crop, ("2  No ink that could be a digit was found", None)]
    shown = _candidates_to_show(result)
    hidden = len(lattice.candidates) - len(shown)
    more = f"; the {hidden} least likely are not shown" if hidden else ""
    return [
        crop,
        ("2  The ink: light flattened, lines erased, one height, slant taken out", _enlarge(255 - lattice.ink)),
        (f"3  The pieces ({lattice.pieces}): where digits may touch, cuts are proposed", _pieces(result)),
        (
            f"4  The candidates ({len(lattice.candidates)}) at 28x28 with their two best scores; framed: on the path{more}",
            _candidate_grid(result, shown),
        ),
        ("5  The path of the reading" if reading.path else "5  The lattice has no path to this reading", _path(result)),
        (f"6  The line, read without cutting: {_listed(best_texts(line_frames(result.opinions))[:3])}", _line(result)),
        (f"7  Other readings with their share when the readers vote: {_listed(reading.alternatives)}", None),
    ]


def _listed(texts: Sequence[tuple[str, float]]) -> str:
    return ", ".join(f"{text or 'nothing'} ({share:.1%})" for text, share in texts) or "none"


def digit_sheet(
    title: str, glyph: NDArray[np.uint8], drawn: NDArray[np.uint8] | None, probabilities: Sequence[float]
) -> Picture:
    """A picture of one digit, (28, 28) uint8: the network's input, the decoder's reconstruction, and the probabilities."""
    shown = [("what the network was shown", glyph)] + ([] if drawn is None else [("drawn from what it saw", drawn)])
    picture = Image.new("RGB", (WIDTH - 2 * PAD, 152), PAPER)
    draw = ImageDraw.Draw(picture)
    for k, (name, one) in enumerate(shown):
        picture.paste(_glyph(one, 112), (k * 200, 4))
        draw.text((k * 200, 122), name, fill=QUIET, font=_font(13))
    left, best = 430, int(np.argmax(probabilities))
    for digit, share in enumerate(probabilities):
        color = GREEN if digit == best else QUIET
        top = 15 * digit
        draw.text((left, top), str(digit), fill=color, font=_font(13))
        draw.rectangle((left + 16, top + 3, left + 17 + round(400 * share), top + 11), fill=color)
        draw.text((left + 430, top), f"{share:.2%}", fill=color, font=_font(13))
    return _step(title, picture)


def page_overlay(gray: Gray, rows: Sequence[Row], width: int = WIDTH) -> Picture:
    """The page with a box around every field and its reading next to it; the color shows whether a person should look."""
    scale = min(1.0, width / gray.shape[1])
    small = cv2.resize(gray, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    picture = Image.fromarray(small).convert("RGB")
    draw = ImageDraw.Draw(picture)
    font = _font(15)
    for row in rows:
        if row.left is None or row.top is None or row.width is None or row.height is None:
            continue
        color = STATUS[row.status]
        left, top = row.left * scale, row.top * scale
        right, bottom = left + row.width * scale, top + row.height * scale
        draw.rectangle((left - 2, top - 2, right + 2, bottom + 2), outline=color, width=2)
        # Rounded down: 99.9 % must not become 100 %.
        sure = "" if row.confidence is None or not row.text else f"  {int(row.confidence * 100)}%"
        label = f"{row.text or row.status}{sure}"
        box = draw.textbbox((0, 0), label, font=font)
        tall = box[3] + 5
        # Below the box: above it, most forms have the field's label.
        y = bottom + 3 if bottom + 3 + tall <= picture.height else top - tall - 2
        x = max(0, min(left - 2, picture.width - box[2] - 10))
        draw.rectangle((x, y, x + box[2] + 8, y + tall), fill=color)
        draw.text((x + 4, y + 1), label, fill=PAPER, font=font)
    return picture


@dataclass(frozen=True, slots=True, eq=False)
class Outline:
    """A field, or a mark, of a form as it lies on a picture."""

    label: str
    color: Color
    corners: NDArray[np.float64]  # (4, 2) float64 px, clockwise from the corner that is upper left on the form
    walls: NDArray[np.float64]  # (n, 2, 2) float64 px, both ends of the lines between the cells of a comb


def form_overlay(gray: Gray, heading: str, outlines: Sequence[Outline]) -> Picture:
    """The picture with outlines, enlarged by a whole factor if it is small; `heading` is in a band above it."""
    enlarge = max(1, -(-1000 // gray.shape[1]))
    picture = Image.fromarray(gray).convert("RGB")
    if enlarge > 1:
        picture = picture.resize((gray.shape[1] * enlarge, gray.shape[0] * enlarge), Image.Resampling.BICUBIC)
    size = max(16, round(picture.width / 75))
    tint = Image.new("RGB", picture.size, PAPER)
    drawn = ImageDraw.Draw(tint)
    for one in outlines:
        drawn.polygon(_points(one.corners * enlarge), fill=_tinted(one.color))
    picture = ImageChops.multiply(picture, tint)
    draw, font = ImageDraw.Draw(picture), _font(size)
    thick = max(2, size // 9)
    for one in outlines:
        for wall in one.walls * enlarge:
            draw.line(_points(wall), fill=one.color, width=max(1, thick // 2))
        corners = _points(one.corners * enlarge)
        draw.line([*corners, corners[0]], fill=one.color, width=thick)
    for one in outlines:
        if one.label:
            _tag(draw, picture.size, one.corners * enlarge, one, font)
    whole = Image.new("RGB", (picture.width, picture.height + 2 * size), PAPER)
    ImageDraw.Draw(whole).text((size // 2, size // 3), heading, fill=INK, font=font)
    whole.paste(picture, (0, 2 * size))
    return whole


def _points(places: NDArray[np.float64]) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in places]


def _tinted(color: Color) -> Color:
    red, green, blue = (round(255 - 0.22 * (255 - part)) for part in color)
    return red, green, blue


def _tag(
    draw: ImageDraw.ImageDraw, size: tuple[int, int], corners: NDArray[np.float64], one: Outline,
    font: Font,
) -> None:  # fmt: skip
    """The label below its outline: above it, most forms have the field's label."""
    _, _, wide, down = (float(v) for v in draw.textbbox((0, 0), one.label, font=font))
    tall = down + 6
    x = float(np.clip(corners[:, 0].min(), 0, max(0, size[0] - wide - 10)))
    below = float(corners[:, 1].max()) + 4
    y = below if below + tall <= size[1] else max(0.0, float(corners[:, 1].min()) - tall - 4)
    draw.rectangle((x, y, x + wide + 10, y + tall), fill=one.color)
    draw.text((x + 5, y), one.label, fill=PAPER, font=font)


# ---------------------------------------------------------------------------------------------------- the steps


def heading(row: Row) -> Picture:
    """What the table says about a field: text, status, confidence, value and reason."""
    said: str = row.status
    if row.confidence is not None and row.text:
        said += f"  confidence {row.confidence:.2%}"
    # The font has no E-13B symbols; they are named below the line.
    if row.text and row.value != row.text:
        said += "  no value" if not row.value else f"  value {row.value}" if row.value.isascii() else ""
    changed = f"changed by: {row.changed_by}" if row.changed_by else ""
    where = "  ".join(part for part in (f"{row.document}, page {row.page}, field {row.field}", row.reason, changed) if part)
    large, middle, small = _font(34), _font(20), _font(15)
    title, room = row.text or "no digits", WIDTH - 2 * PAD
    blank = ImageDraw.Draw(Image.new("RGB", (1, 1)))
    length = blank.textlength(title, font=large) + 24
    beside = length + blank.textlength(said, font=middle) <= room
    x = PAD + length if beside else PAD
    y = 14.0 if beside else 52.0
    lines = _wrapped(where, small, WIDTH - PAD - x)
    picture = Image.new("RGB", (WIDTH, round(y) + 26 + 19 * len(lines) + 12), PAPER)
    draw = ImageDraw.Draw(picture)
    draw.text((PAD, 10), title, fill=INK, font=_fitting(title, 34, room))
    draw.text((x, y), said, fill=STATUS[row.status], font=_fitting(said, 20, room))
    for number, line in enumerate(lines):
        draw.text((x, y + 28 + 19 * number), line, fill=QUIET, font=small)
    return picture


def _fitting(text: str, size: int, width: float) -> Font:
    """The font of this size, or a smaller one, in which the text is no wider than `width` px."""
    wide = _font(size).getlength(text)
    return _font(size if wide <= width else max(6, int(size * width / wide)))


def _wrapped(text: str, font: Font, width: float) -> list[str]:
    """Text wrapped to lines no wider than `width` px; a word that is wider than that is broken."""
    lines = [""]
    for word in text.split(" "):
        if font.getlength(f"{lines[-1]} {word}") <= width:
            lines[-1] += f" {word}" if lines[-1] else word
            continue
        if lines[-1]:
            lines.append("")
        for character in word:
            if font.getlength(lines[-1] + character) > width:
                lines.append("")
            lines[-1] += character
    return lines


def _crop_with_boxes(result: HandwrittenResult) -> Picture:
    crop, lattice, reading = result.prepared.crop, result.prepared.lattice, result.reading
    scale = _fit(crop.shape)
    big = cv2.resize(crop, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    picture = Image.fromarray(big).convert("RGB")
    draw = ImageDraw.Draw(picture)
    for digit, index in zip(reading.text, reading.path, strict=bool(reading.path)):
        box = candidate_box(lattice, index)
        corners = (box.left * scale, box.top * scale, box.right * scale, box.bottom * scale)
        draw.rectangle(corners, outline=GREEN, width=2)
        draw.text((corners[0] + 3, corners[1] + 1), digit, fill=GREEN, font=_font(16))
    return picture


def _scores(result: HandwrittenResult) -> Scores:
    return lattice_opinion(result.opinions).scores


def _pieces(result: HandwrittenResult) -> Picture:
    labels = result.prepared.lattice.labels
    palette = np.array([PAPER, *PIECES], np.uint8)
    index = np.where(labels > 0, (labels - 1) % len(PIECES) + 1, 0)
    return _enlarge(palette[index], smooth=False)


def _candidates_to_show(result: HandwrittenResult, most: int = 60) -> list[int]:
    """The path and the most likely other candidates, in the order of the lattice."""
    scores = _scores(result)
    likely = sorted(range(len(scores)), key=lambda k: (k not in result.reading.path, float(scores[k, NOT_A_DIGIT])))
    return sorted(likely[:most])


def _candidate_grid(result: HandwrittenResult, shown: Sequence[int]) -> Picture:
    scores = _scores(result)
    cell, columns = (94, 104), 12
    rows = (len(shown) + columns - 1) // columns
    picture = Image.new("RGB", (columns * cell[0], rows * cell[1]), PAPER)
    draw = ImageDraw.Draw(picture)
    for place, k in enumerate(shown):
        x, y = place % columns * cell[0], place // columns * cell[1]
        chosen = k in result.reading.path
        picture.paste(_glyph(result.prepared.cut.glyphs[k], 56), (x + 18, y + 6))
        if chosen:
            draw.rectangle((x + 14, y + 2, x + 77, y + 65), outline=GREEN, width=3)
        best = np.argsort(-scores[k], kind="stable")[:2]
        for line, label in enumerate(best):
            name = "no digit" if label == NOT_A_DIGIT else str(label)
            text = f"{name} {scores[k, label]:.0%}"
            draw.text((x + 14, y + 68 + 16 * line), text, fill=GREEN if chosen and line == 0 else QUIET, font=_font(13))
    return picture


def _path(result: HandwrittenResult) -> Picture:
    reading, scores = result.reading, _scores(result)
    if not reading.path:
        return Image.new("RGB", (10, 10), PAPER)
    wide, tall, columns = 84, 100, (WIDTH - 2 * PAD) // 84
    rows = -(-len(reading.path) // columns)
    picture = Image.new("RGB", (min(columns, len(reading.path)) * wide, rows * tall), PAPER)
    draw = ImageDraw.Draw(picture)
    for place, (digit, k) in enumerate(zip(reading.text, reading.path, strict=True)):
        x, y = place % columns * wide, place // columns * tall
        picture.paste(_glyph(result.prepared.cut.glyphs[k], 56), (x + 4, y + 2))
        draw.text((x + 8, y + 60), digit, fill=INK, font=_font(26))
        share = scores[k, int(digit)] / max(1e-9, 1 - scores[k, NOT_A_DIGIT])
        draw.text((x + 30, y + 70), f"{share:.1%}", fill=QUIET, font=_font(13))
    return picture


def _line(result: HandwrittenResult) -> Picture:
    """The line, with the most confident digits of its frames below."""
    line, frames = result.prepared.views["line"], each_reader(line_frames(result.opinions))[0]
    if not line.shape[1]:
        return Image.new("RGB", (10, 10), PAPER)
    scale = min(4.0, (WIDTH - 2 * PAD) / line.shape[1])
    big = cv2.resize(255 - line, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    picture = Image.new("RGB", (big.shape[1], big.shape[0] + 40), PAPER)
    picture.paste(Image.fromarray(big).convert("RGB"), (0, 0))
    draw = ImageDraw.Draw(picture)
    step = big.shape[1] / max(1, len(frames))
    best = frames.argmax(axis=1)
    for k in range(len(frames)):
        # One label per run of frames, at its start.
        if best[k] != NOT_A_DIGIT and (k == 0 or best[k - 1] != best[k]):
            draw.text((k * step, big.shape[0]), str(best[k]), fill=INK, font=_font(18))
            draw.text((k * step, big.shape[0] + 22), f"{np.exp(frames[k, best[k]]):.0%}", fill=QUIET, font=_font(11))
    return picture


def _micr(result: PrintedResult) -> Picture:
    """The strip of an E-13B line, with its characters below."""
    line, reading = result.prepared.strip.line, result.reading
    scale = min(4.0, (WIDTH - 2 * PAD) / line.shape[1])
    big = cv2.resize(255 - line, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    picture = Image.new("RGB", (big.shape[1], big.shape[0] + 24), PAPER)
    picture.paste(Image.fromarray(big).convert("RGB"), (0, 0))
    draw = ImageDraw.Draw(picture)
    for center, name in zip(reading.centers, reading.value, strict=True):
        shown = MICR_NAMES.get(name, name)
        draw.text((center * scale, big.shape[0]), shown, fill=INK, font=_font(16 if name in "0123456789" else 11), anchor="ma")
    return picture


def _glyph(glyph: NDArray[np.uint8], side: int) -> Picture:
    return Image.fromarray(glyph).resize((side, side), Image.Resampling.NEAREST).convert("RGB")


def _enlarge(array: NDArray[np.uint8], smooth: bool = True) -> Picture:
    scale = _fit(array.shape)
    how = cv2.INTER_CUBIC if smooth else cv2.INTER_NEAREST
    big = cv2.resize(array, None, fx=scale, fy=scale, interpolation=how)
    return Image.fromarray(big).convert("RGB")


def _fit(shape: tuple[int, ...]) -> float:
    return min((WIDTH - 2 * PAD) / shape[1], 150 / shape[0])


def _step(title: str, picture: Picture | None) -> Picture:
    lines = _wrapped(title, _font(15), WIDTH - 2 * PAD)
    top = 13 + 19 * len(lines)
    step = Image.new("RGB", (WIDTH, top - 2 + (picture.height + 12 if picture else 0)), PAPER)
    draw = ImageDraw.Draw(step)
    draw.line((PAD, 2, WIDTH - PAD, 2), fill=(225, 228, 232))
    for number, line in enumerate(lines):
        draw.text((PAD, 7 + 19 * number), line, fill=INK, font=_font(15))
    if picture:
        step.paste(picture, (PAD, top))
    return step


def stack(parts: Sequence[Picture]) -> Picture:
    """Pictures stacked vertically on white."""
    width = max(part.width for part in parts)
    sheet = Image.new("RGB", (width, sum(part.height for part in parts) + 8), PAPER)
    y = 0
    for part in parts:
        sheet.paste(part, (0, y))
        y += part.height
    return sheet


def _font(size: int) -> Font:
    return ImageFont.load_default(size)
