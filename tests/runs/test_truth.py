"""Tables that people write, read back."""

from __future__ import annotations

from pathlib import Path

import pytest

from docproc.errors import BadInput, BadUsage, MissingPart
from docproc.files import Document
from docproc.runs.editing import rewrite_table
from docproc.runs.journal import Journal, Outcome, journal_path
from docproc.runs.tables import export_table
from docproc.runs.truth import read_results, read_truth
from docproc.types import Row, Status
from tests.runs.test_editing import key, read_again


def row(document: str, text: str, status: Status = "ok") -> Row:
    return Row(document, 1, "amount", text, text, 0.5, status, "", "", "", "", 0, 0, 9, 9, None, "abc")


LOST = Row("c.png", 1, "", "", "", None, "error", "empty: no", "", "", "", None, None, None, None)
ROWS = [row("a.png", "0123"), row("b.png", "7"), LOST]


def needs(name: str) -> None:
    """Skips where the library for such a table is not installed."""
    library = {".xlsx": "openpyxl", ".parquet": "pyarrow.parquet"}.get(Path(name).suffix)
    if library:
        pytest.importorskip(library)


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".xlsx", ".parquet"])
def test_a_run_reads_its_own_table(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"t{suffix}"
    needs(path.name)
    export_table(path, lambda: ROWS, wide=False)
    for found in (read_results(path), read_truth(path)):
        assert [(one["document"], int(one["page"]), one["field"], one["text"]) for one in found] == [
            ("a.png", 1, "amount", "0123"), ("b.png", 1, "amount", "7"),
        ]  # fmt: skip
    assert [float(one["confidence"]) for one in read_results(path)] == [0.5, 0.5]
    assert read_results(path)[0]["run"] == "abc"


def test_a_journal_is_read_where_the_table_is_wide(tmp_path: Path) -> None:
    out = tmp_path / "t.csv"
    with Journal.open(out) as journal:
        documents = [Document(one.document, tmp_path / one.document) for one in ROWS]
        journal.plan([(document, "x") for document in documents])
        for document, one in zip(documents, ROWS, strict=True):
            journal.finish(document, Outcome((one,), "0"))
    export_table(out, lambda: ROWS, wide=True)
    assert [one["text"] for one in read_results(out)] == ["0123", "7"]
    assert read_results(out) == read_results(tmp_path / "t.csv.docproc")
    (tmp_path / "t.csv.docproc").unlink()
    with pytest.raises(BadInput, match="no column field and no text"):
        read_results(out)


def test_what_people_keyed_is_the_truth_and_not_what_was_read(tmp_path: Path) -> None:
    out, other = tmp_path / "t.csv", tmp_path / "x" / "t.csv"
    read_again(out)
    assert len(read_truth(journal_path(out))) == 3  # as before there were edits
    key(out, "a.png", "120")
    key(out, "b.png", "77")
    key(out, "c.png", "501")  # breaks a rule, and waits
    rewrite_table(out)
    other.parent.mkdir()
    other.write_bytes(out.read_bytes())
    for truth in (out, journal_path(out), other):
        assert [(one["document"], one["text"]) for one in read_truth(truth)] == [("a.png", "120"), ("b.png", "77")]
    for results in (out, journal_path(out)):
        assert [(one["text"], one["status"]) for one in read_results(results)] == [("120", "review")] * 3
    with pytest.raises(BadInput, match="has what people keyed in place of what was read"):
        read_results(other)


def test_a_table_from_a_spreadsheet(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes("\ufeffdocument;page;field;text\r\na.png;1;amount; 12 \r\n".encode())
    assert read_truth(tmp_path / "t.csv") == [{"document": "a.png", "page": "1", "field": "amount", "text": "12"}]
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    book.active.append(["document", "page", "field", "text", None])
    book.active.append(["a.png", 1, "amount", 1200, None])
    book.active.append([None, None, None, None, None])
    book.active.append(["b.png", 2.0, "amount", "0034", "?"])
    book.save(tmp_path / "t.xlsx")
    assert [(one["page"], one["text"]) for one in read_truth(tmp_path / "t.xlsx")] == [("1", "1200"), ("2", "0034")]


def test_a_page_may_be_left_out_and_a_value_stand_for_the_text(tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text('{"document": "a", "field": "x", "value": "12.50"}\n\n')
    assert read_truth(tmp_path / "t.jsonl") == [{"document": "a", "field": "x", "value": "12.50"}]


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("t.csv", "", "no rows"),
        ("t.csv", "document,field,text\n", "no rows"),
        ("t.csv", "name,field,text\na,b,c\n", "no column document; there are name, field, text"),
        ("t.csv", "document,field\na,b\n", "neither a column text nor value"),
        ("t.csv", "document,page,field,text\na,one,b,c\nb,,b,c\nc,2.5,b,c", "row 2: the page 'one' is no number; row 4"),
        ("t.csv", "document,field,text,confidence\na,b,c,sure\n", "the confidence 'sure' is no number from 0 to 1"),
        ("t.jsonl", "[1]\n", "is no JSONL table: a line is no object"),
        ("t.jsonl", "{", "is no JSONL table"),
        ("t.xlsx", "no workbook", "is no XLSX table"),
        ("t.parquet", "no table", "is no PARQUET table"),
        ("t.csv", b"document,field,text\n\xff,b,c\n", "is no CSV table"),
    ],
)
def test_what_is_wrong_with_a_table_is_told(tmp_path: Path, name: str, content: str | bytes, told: str) -> None:
    needs(name)
    (tmp_path / name).write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(BadInput, match=told.replace(".", r"\.")):
        read_truth(tmp_path / name)


def test_what_is_no_table(tmp_path: Path) -> None:
    with pytest.raises(BadUsage, match=r"these end in \.csv"):
        read_truth(tmp_path / "t.doc")
    with pytest.raises(BadInput, match="cannot read"):
        read_truth(tmp_path / "t.csv")
    with pytest.raises(BadInput, match="there is no journal"):
        read_results(tmp_path / "t.csv.docproc")


def test_without_openpyxl_it_is_said_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "openpyxl", None)
    (tmp_path / "t.xlsx").touch()
    with pytest.raises(MissingPart, match=r"pip install openpyxl"):
        read_truth(tmp_path / "t.xlsx")
