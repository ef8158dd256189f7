"""Draw the README's pictures from the samples: `docs/page.png` and `docs/explain.png`."""

from __future__ import annotations

from pathlib import Path

from docproc.files import Document, open_pages
from docproc.layouts import open_layout
from docproc.modelfiles import open_reader
from docproc.options import Limits
from docproc.pipeline import prepare, recognize, tabulate
from docproc.runs.pictures import explain_sheet, page_overlay
from docproc.types import Page

PROJECT = Path(__file__).parent.parent


def main() -> None:
    """Read one form and one check, and draw how."""
    reader = open_reader("onnx")
    threshold = reader.calibration.threshold(0.01)
    for source, field, target in (
        ("samples/survey/form_2.jpg", None, "docs/page.png"),
        ("samples/checks/check_03.jpg", "amount", "docs/explain.png"),
    ):
        path = PROJECT / source
        page = next(open_pages(Document(path.name, path), Limits()))
        assert isinstance(page, Page)
        fields = open_layout("auto", (str(path.parent),)).locate(page, str(path.parent))
        results = recognize(prepare(page, [f for f in fields if field in (None, f.name)]), reader)
        rows = tabulate(page, results, threshold)
        picture = explain_sheet(results[0], rows[0]) if field else page_overlay(page.gray, rows, 900)
        picture.quantize(64).save(PROJECT / target, optimize=True)


if __name__ == "__main__":
    main()
