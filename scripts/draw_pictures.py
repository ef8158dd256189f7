"""Draw the README's pictures from the samples: `docs/page.png` and `docs/explain.png`."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from docproc.fields.layouts import open_layout
from docproc.files import Document, open_pages
from docproc.options import Limits
from docproc.pipeline import place, read_placed, tabulate
from docproc.runs.pictures import explain_sheet, page_overlay
from docproc.types import Page
from docproc.weights.opening import open_reader

PROJECT = Path(__file__).parent.parent


def main() -> None:
    """Read one form and one check, and draw how."""
    reader = open_reader("onnx")
    accept = reader.accepts(0.01)
    for source, field, target in (
        ("samples/survey/form_2.jpg", None, "docs/page.png"),
        ("samples/checks/check_03.jpg", "amount", "docs/explain.png"),
    ):
        path = PROJECT / source
        page = next(open_pages(Document(path.name, path), Limits()))
        assert isinstance(page, Page)
        placed = place(page, partial(open_layout("auto", (str(path.parent),)).locate, folder=str(path.parent)))
        results = [r for r in read_placed(placed, reader) if field in (None, r.prepared.field.name)]
        rows = tabulate(placed, results, accept)
        picture = explain_sheet(results[0], rows[0]) if field else page_overlay(page.gray, rows, 900)
        picture.quantize(64).save(PROJECT / target, optimize=True)


if __name__ == "__main__":
    main()
