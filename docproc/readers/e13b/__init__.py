"""Reads a line of E-13B, the print at the bottom of checks. A separate method: no segmentation, and no vote."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from docproc.backends.form import Form
from docproc.readers.confidence import Calibration, confidence
from docproc.readers.e13b.locate import micr_line
from docproc.readers.e13b.parts import digits_of
from docproc.readers.e13b.search import GOES_ON, decode, evidence, goes_on
from docproc.types import LINE_HEIGHT, MICR_CLASSES, Field, Frames, Gray, LineRecognizer, MicrLine, MicrReading

FORM = Form("MICR", (LINE_HEIGHT, None), (None, MICR_CLASSES))  # to logits

MAX_ALTERNATIVES = 10  # other readings kept [guess]


@dataclass(frozen=True, slots=True)
class Printed:
    """A line of E-13B, ready for its network."""

    field: Field
    crop: Gray
    strip: MicrLine

    @property
    def inked(self) -> bool:
        """Whether there is ink of a plausible size for a line."""
        return bool(self.strip.line.shape[1])


@dataclass(frozen=True, slots=True)
class PrintedResult:
    """A line that was read, with all intermediate values."""

    prepared: Printed
    frames: Frames
    reading: MicrReading
    doubt: str = ""  # why it should not be trusted, whatever was read
    printed: str = ""  # the check number as read elsewhere on the check


def prepare(field: Field, crop: Gray) -> Printed:
    """Find the line in a crop, level it and scale it to one height."""
    return Printed(field, crop, micr_line(crop))


def read_all(lines: Sequence[Printed], recognizer: LineRecognizer, calibration: Calibration) -> list[PrintedResult]:
    """Read many lines; the network is called once."""
    frames = recognizer.recognize([item.strip.line for item in lines])
    return [PrintedResult(item, own, read(item, own, calibration)) for item, own in zip(lines, frames, strict=True)]


def read(printed: Printed, frames: Frames, calibration: Calibration) -> MicrReading:
    """The most likely line and the probability that it is right."""
    if not printed.inked:
        return MicrReading("", 0.0)
    found, line = decode(frames), printed.strip.line
    text = digits_of(found.value)
    if not text:
        return MicrReading("", 0.0)
    sure = confidence(evidence(found, frames, line), calibration)
    others = tuple((digits_of(value), share) for value, share in found.shares[1 : MAX_ALTERNATIVES + 1])
    remark = GOES_ON if goes_on(found, line) else ""
    was = digits_of(found.read)
    return MicrReading(
        text, sure, (), others, remark, found.changed_by, was, value=found.value, centers=found.centers, value_read=found.read
    )
