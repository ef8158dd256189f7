"""Reads a whole field as `line` does, from the same strip, with one network of six times the weights.

Networks of another size make other mistakes. What this one says of a text is heard beside what the others say of it, with a
weight of its own.
"""

from __future__ import annotations

from docproc.backends.form import Form
from docproc.readers import line as narrow
from docproc.readers.line import TextOpinion
from docproc.readers.line.band import line
from docproc.types import LINE_CLASSES, LINE_HEIGHT, Field, FieldInk, Frames, Line

FORM = Form("wide", (LINE_HEIGHT, None), (None, LINE_CLASSES))  # to logits
score, fitted = narrow.score, narrow.fitted


def view(ink: FieldInk, field: Field) -> Line | None:
    """The strip of a free field; in a comb the cells tell more."""
    return None if field.cells else line(ink)


def opinion(view: Line, frames: Frames, digits: tuple[int, int] | None, fitted: None) -> TextOpinion:
    """See `voter.Voter.opinion`."""
    return TextOpinion(frames)
