"""Read pictures of one digit each with a network of single digits."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from docproc.learn.evaluation.digit_images import load_digit
from docproc.runs.pictures import digit_sheet, stack
from docproc.runs.tables import shown_name, write_whole
from docproc.types import NOT_A_DIGIT, Glyphs
from docproc.weights.opening import DigitReader


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a network reads in one picture."""

    image: str
    digit: int
    probabilities: tuple[float, ...]  # of the ten digits, given that it is one
    a_digit: float  # 0..1, the probability that it is one
    glyph: Glyphs  # (28, 28) what the network was shown


def predict(images: Sequence[Path], reader: DigitReader) -> list[Prediction]:
    """Read pictures of one digit each, of any size, dark on light or light on dark.

    Raises BadInput if one cannot be opened or shows nothing.
    """
    glyphs = np.stack([load_digit(path) for path in images])
    scores = reader.recognizer.recognize(glyphs).astype(np.float64)
    ten = scores[:, :NOT_A_DIGIT] / np.maximum(scores[:, :NOT_A_DIGIT].sum(axis=1, keepdims=True), 1e-12)
    return [
        Prediction(shown_name(str(path)), int(own.argmax()), tuple(map(float, own)), float(1 - none), glyph)
        for path, own, none, glyph in zip(images, ten, scores[:, NOT_A_DIGIT], glyphs, strict=True)
    ]


def draw_predictions(predictions: Sequence[Prediction], reader: DigitReader, target: Path) -> None:
    """Write a picture (PNG) of what the network was shown, and, if the model has a decoder, of what it saw there."""
    glyphs = np.stack([one.glyph for one in predictions])
    drawn = reader.decoder.reconstruct(glyphs) if reader.decoder else None
    sheets = [
        digit_sheet(f"{one.image}: {one.digit}", one.glyph, None if drawn is None else drawn[k], one.probabilities)
        for k, one in enumerate(predictions)
    ]
    data = io.BytesIO()
    stack(sheets).save(data, "PNG")
    write_whole(target, lambda file: file.write(data.getvalue()))
