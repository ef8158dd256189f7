"""Draw the README's pictures from the samples: `docs/page.png` and `docs/explain.png`."""

from __future__ import annotations

from pathlib import Path

from docproc.files import Document, open_pages
from docproc.forms import locator, open_layout
from docproc.options import Limits
from docproc.pipeline import read_page
from docproc.runs.pictures import explain_sheet, page_overlay
from docproc.types import Page
from docproc.weights.opening import open_model

PROJECT = Path(__file__).parent.parent


def main() -> None:
    """Read one form and one check, and draw how they were read."""
    model = open_model("onnx")
    accept = model.accepts(0.01)
    for source, field, target in (
        ("samples/survey/form_2.jpg", None, "docs/page.png"),
        ("samples/checks/check_03.jpg", "amount", "docs/explain.png"),
    ):
        path = PROJECT / source
        page = next(open_pages(Document(path.name, path), Limits()))
        assert isinstance(page, Page)
        read = read_page(page, locator(open_layout("auto", (str(path.parent),)), str(path.parent)), model, accept)
        results = [result for result in read.results if field in (None, result.prepared.field.name)]
        rows = [row for row in read.rows if field in (None, row.field)]
        picture = explain_sheet(results[0], rows[0]) if field else page_overlay(page.gray, rows, 900)
        picture.quantize(64).save(PROJECT / target, optimize=True)


if __name__ == "__main__":
    main()
