"""Read the fields of a page: handwriting, and the print on checks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from docproc.readers import MICR, e13b, handwriting
from docproc.readers.e13b import Printed, PrintedResult
from docproc.readers.handwriting import Handwritten, HandwrittenResult
from docproc.readers.model import Model
from docproc.types import Field, Gray

Prepared = Handwritten | Printed
FieldResult = HandwrittenResult | PrintedResult


def prepare_field(field: Field, crop: Gray, framed: Gray | None = None) -> Prepared:
    """Find the writing in the crop of a field, (height, width) uint8, and prepare it for the networks.

    If the print of the form was removed from the crop, `framed` is the crop with it, of the same size.
    """
    return e13b.prepare(field, crop) if field.kind == MICR else handwriting.prepare(field, crop, framed)


def recognize(prepared: Sequence[Prepared], model: Model) -> list[FieldResult]:
    """Read many fields; each network is called once."""
    printed = [item for item in prepared if isinstance(item, Printed)]
    lines = iter(e13b.read_all(printed, model.micr, model.calibrations[MICR]))
    written = iter(handwriting.read_all([item for item in prepared if isinstance(item, Handwritten)], model))
    return [next(lines) if isinstance(item, Printed) else next(written) for item in prepared]


def read_as(result: FieldResult, field: Field, model: Model) -> FieldResult:
    """The same ink read as another field, which may have other rules."""
    if isinstance(result, PrintedResult):
        return replace(result, prepared=replace(result.prepared, field=field))
    return handwriting.read_as(result, field, model)
