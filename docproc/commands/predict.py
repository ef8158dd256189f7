"""Read pictures of one digit each with a network for single digits."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from docproc.errors import BadUsage, OutputExists
from docproc.learn.evaluation.digit_images import load_digit
from docproc.runs.pictures import digit_sheet, stack
from docproc.runs.tables import shown_name, write_whole
from docproc.types import NOT_A_DIGIT, Glyphs
from docproc.weights.opening import DigitModel, open_digit_model


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a network reads in one picture."""

    image: str
    digit: int
    probabilities: tuple[float, ...]  # of the ten digits, given that it is a digit
    a_digit: float  # 0..1, the probability that it is a digit
    glyph: Glyphs  # (28, 28), the network's input


def predict_pictures(
    images: Sequence[Path], model: Path | None, backend: str, picture: Path | None, *, overwrite: bool
) -> list[Prediction]:
    """Read pictures of one digit each with `model` (None: the shipped one), and draw what it saw to `picture` (PNG).

    Raises BadUsage for a picture of another format, OutputExists, and what `predict` and `open_digit_model` raise.
    """
    if picture and picture.suffix.lower() != ".png":
        raise BadUsage(f"the picture is a PNG: {picture} should end in .png")
    if picture and picture.exists() and not overwrite:
        raise OutputExists(f"{picture} already exists; use --overwrite to replace it, or give another name")
    reader = open_digit_model(backend, model)
    found = predict(images, reader)
    if picture:
        draw_predictions(found, reader, picture)
    return found


def predict(images: Sequence[Path], reader: DigitModel) -> list[Prediction]:
    """Read pictures of one digit each, of any size, dark on light or light on dark.

    Raises BadInput if one cannot be opened or shows nothing, BadUsage for a folder.
    """
    glyphs = np.stack([load_digit(path) for path in images])
    scores = reader.recognizer.recognize(glyphs).astype(np.float64)
    ten = scores[:, :NOT_A_DIGIT] / np.maximum(scores[:, :NOT_A_DIGIT].sum(axis=1, keepdims=True), 1e-12)
    return [
        Prediction(shown_name(str(path)), int(own.argmax()), tuple(map(float, own)), float(1 - none), glyph)
        for path, own, none, glyph in zip(images, ten, scores[:, NOT_A_DIGIT], glyphs, strict=True)
    ]


def draw_predictions(predictions: Sequence[Prediction], reader: DigitModel, target: Path) -> None:
    """Write a picture (PNG) of the network's input, and, if the model has a decoder, of its reconstruction."""
    glyphs = np.stack([one.glyph for one in predictions])
    drawn = reader.decoder.reconstruct(glyphs) if reader.decoder else None
    sheets = [
        digit_sheet(f"{one.image}: {one.digit}", one.glyph, None if drawn is None else drawn[k], one.probabilities)
        for k, one in enumerate(predictions)
    ]
    data = io.BytesIO()
    stack(sheets).save(data, "PNG")
    write_whole(target, lambda file: file.write(data.getvalue()))
