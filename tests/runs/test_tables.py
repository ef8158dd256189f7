from __future__ import annotations

import csv
import errno
import io
import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from docproc.errors import BadUsage, CannotWrite
from docproc.runs.tables import (
    COLUMNS,
    DUPLICATE_OF,
    FORMULA_STARTS,
    GONE,
    check_output,
    export_table,
    long_table,
    number_fields,
    safe_name,
    shown_name,
    wide_table,
    write_table,
)
from docproc.runs.truth import read_results
from docproc.types import Row, Status


def row(
    document: str = "a.png", field: str = "id", text: str = "007", status: Status = "ok", page: int = 1, reason: str = ""
) -> Row:
    return Row(document, page, field, text, text, 0.98765, status, reason, "", "", "", 1, 2, 3, 4, None, "run")


def read(path: Path) -> list[dict[str, str]]:
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_the_columns_are_the_promised_ones() -> None:
    promised = (
        "document page field text value confidence status reason changed_by read keyed left top width height residual run"
    )
    assert " ".join(COLUMNS) == promised


def test_leading_zeros_stay(tmp_path: Path) -> None:
    write_table(tmp_path / "t.csv", *long_table([row(text="00000000"), row(text="00123")]))
    assert [r["text"] for r in read(tmp_path / "t.csv")] == ["00000000", "00123"]


def test_pandas_reads_what_was_written(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    write_table(tmp_path / "t.csv", *long_table([row(text="0042")]))
    frame = pandas.read_csv(tmp_path / "t.csv", dtype=str, keep_default_na=False)
    assert frame.text[0] == "0042"


def test_json_lines_hold_the_same(tmp_path: Path) -> None:
    write_table(tmp_path / "t.jsonl", *long_table([row(text="0042")]))
    record = json.loads((tmp_path / "t.jsonl").read_text(encoding="utf-8"))
    assert (record["text"], record["left"], record["confidence"]) == ("0042", 1, 0.98765)


@pytest.mark.parametrize(
    "name", ["=1+1.png", "+a.png", "-a.png", "@a.png", "\ta.png", "\ra.png", "a\nb.png", "\udcff.png", "\x1b[31m.png"]
)
def test_no_name_starts_a_formula_or_a_new_line(tmp_path: Path, name: str) -> None:
    write_table(tmp_path / "t.csv", *long_table([row(document=name, reason="=cmd()")]))
    lines = (tmp_path / "t.csv").read_bytes().splitlines()
    assert len(lines) == 2
    for cell in next(csv.reader(io.StringIO(lines[1].decode("utf-8")))):
        assert not cell.startswith(FORMULA_STARTS)
        assert cell.isprintable()


def test_names_stay_apart_and_usable() -> None:
    assert safe_name("=1+1.png") == "./=1+1.png"
    assert safe_name("scans/a.png") == "scans/a.png"
    assert safe_name("a\nb") != safe_name("ab")


def test_a_message_cannot_be_turned_around() -> None:
    assert safe_name("\u202egnp.exe.png") == "\u202egnp.exe.png"
    assert shown_name("\u202egnp.exe.png") == "\\u202egnp.exe.png"


def test_the_wide_table_has_a_row_a_page(tmp_path: Path) -> None:
    rows = [row(field="id"), row(field="age", text="3", status="review"), row(page=2, field="id", text="008"),
            row(document="b.png", field="", text="", status="error", reason="empty: the file is empty")]  # fmt: skip
    write_table(tmp_path / "t.csv", *wide_table(lambda: rows))
    one, two, three = read(tmp_path / "t.csv")
    assert (one["document"], one["page"], one["id"], one["age"], one["status"], one["review"]) == (
        "a.png",
        "1",
        "007",
        "3",
        "review",
        "age",
    )
    assert (two["page"], two["id"], two["age"], two["status"]) == ("2", "008", "", "ok")
    assert (three["status"], three["reason"]) == ("error", "empty: the file is empty")


def test_the_wide_table_says_why_fields_wait_for_review(tmp_path: Path) -> None:
    twin = f"{DUPLICATE_OF}a.png; {GONE}"
    rows = [row(field="id", reason=f"the scan is faint; {twin}"), row(field="age", status="review", reason=f"two 1s; {twin}"),
            row(field="men", status="review", reason=f"no digit; cut off; {twin}"), row(page=2, field="id", reason="faint"),
            row(page=3, field="id", status="review", reason="cut off"), row(page=4, reason=twin),
            row(page=5, status="review", reason=twin)]  # fmt: skip
    write_table(tmp_path / "t.csv", *wide_table(lambda: rows))
    assert [page["reason"] for page in read(tmp_path / "t.csv")] == [
        f"age: two 1s; men: no digit; cut off; {twin}", "", "id: cut off", twin, twin,
    ]  # fmt: skip


def test_the_wide_table_has_values_and_texts_only_where_asked(tmp_path: Path) -> None:
    rows = [replace(row(field="amount", text="123456"), value="1234.56"), replace(row(field="total", text="99"), value="")]
    export_table(tmp_path / "w.csv", lambda: rows, wide=True)
    export_table(tmp_path / "t.csv", lambda: rows, wide=True, texts=True)
    assert [(r["amount"], r["total"]) for r in read(tmp_path / "w.csv")] == [("1234.56", "")]
    assert [(r["amount"], r["total"]) for r in read(tmp_path / "t.csv")] == [("123456", "99")]


def test_negative_numbers_are_numbers_and_no_formulas(tmp_path: Path) -> None:
    rows = [replace(row(), left=-3, top=-12, value="-264.27", reason="-1+cmd()")]
    write_table(tmp_path / "t.csv", *long_table(rows))
    (cells,) = read(tmp_path / "t.csv")
    assert (cells["left"], cells["top"], cells["value"], cells["reason"]) == ("-3", "-12", "-264.27", "'-1+cmd()")


def test_output_is_checked_before_the_work(tmp_path: Path) -> None:
    there = tmp_path / "t.csv"
    there.write_text("mine")
    check_output(there)
    assert there.read_text() == "mine"
    with pytest.raises(BadUsage, match=r"\.csv, \.jsonl, \.xlsx, \.parquet"):
        check_output(tmp_path / "t.doc")
    with pytest.raises(CannotWrite, match="no such folder"):
        check_output(tmp_path / "nowhere" / "t.csv")
    (tmp_path / "d.csv").mkdir()
    with pytest.raises(CannotWrite, match="is a folder"):
        check_output(tmp_path / "d.csv")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_device_is_no_table() -> None:
    with pytest.raises(CannotWrite, match="no regular file"):
        check_output(Path("/dev/full"))


def test_a_table_that_another_program_holds_is_written_beside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there = tmp_path / "t.csv"
    there.write_text("mine")
    move = os.replace

    def refuse(source: Path, target: Path) -> None:
        if target == there:
            raise PermissionError(13, "held by another program")
        move(source, target)

    monkeypatch.setattr("os.replace", refuse)
    with pytest.raises(CannotWrite, match=r"held by another program.*t\.new\.csv"):
        write_table(there, *long_table([row(text="0042")]))
    assert there.read_text() == "mine"
    assert [r["text"] for r in read(tmp_path / "t.new.csv")] == ["0042"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["t.csv", "t.new.csv"]
    # A person may have worked in that one by now.
    (tmp_path / "t.new.csv").write_text("mine too")
    with pytest.raises(CannotWrite, match=r"t\.new2\.csv"):
        write_table(there, *long_table([row(text="0042")]))
    assert (tmp_path / "t.new.csv").read_text() == "mine too"


def test_a_full_disk_leaves_the_old_table_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there = tmp_path / "t.csv"
    there.write_text("mine")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(CannotWrite, match=r"No space left on device .*make room"):
        write_table(there, *long_table([row()]))
    assert there.read_text() == "mine"
    assert [p.name for p in tmp_path.iterdir()] == ["t.csv"]


def test_a_workbook_holds_digits_as_texts(tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    rows = [row(text="00123"), row(document="=1+1.png", text="00000000", reason="=cmd()"), row(text="12345678901234567890")]
    write_table(tmp_path / "t.xlsx", *long_table(rows))
    sheet = openpyxl.load_workbook(tmp_path / "t.xlsx").active
    cells = [list(line) for line in sheet.iter_rows()]
    assert [cell.value for cell in cells[0]] == list(COLUMNS)
    texts = [line[COLUMNS.index("text")] for line in cells[1:]]
    assert [cell.value for cell in texts] == ["00123", "00000000", "12345678901234567890"]
    numbers = {"page", "confidence", "left", "top", "width", "height"}
    for name, *column in zip(*cells, strict=True):
        assert {cell.data_type for cell in column if cell.value is not None} <= {"n" if name.value in numbers else "s"}


def test_a_workbook_is_one_that_a_person_can_work_with(tmp_path: Path) -> None:
    """A filter, a head that stays, columns wide enough, amounts that add up, and what is doubtful in color."""
    openpyxl = pytest.importorskip("openpyxl")
    amounts = [replace(row(field="amount", text=text), value=value) for text, value in (("850", "8.50"), ("1200", "1200"))]
    rows = [*amounts, replace(row(field="day"), value="2026-11-20"), row(field="id", text="007", status="review")]
    rows.append(replace(row(document="a_rather_long_name_of_a_scan.png", field="temperature"), value="-36.6"))
    export_table(tmp_path / "t.xlsx", lambda: rows, wide=False)
    sheet = openpyxl.load_workbook(tmp_path / "t.xlsx").active
    assert sheet.freeze_panes == "A2"
    assert sheet.auto_filter.ref == f"A1:{sheet.cell(6, len(COLUMNS)).coordinate}"
    assert sheet.column_dimensions["A"].width > 30
    values = [sheet.cell(line, COLUMNS.index("value") + 1) for line in range(2, 7)]
    assert [cell.value for cell in values] == [8.5, 1200, "2026-11-20", "007", -36.6]
    assert [cell.number_format for cell in values] == ["0.00", "0", "@", "@", "0.0"]
    assert sheet.cell(2, COLUMNS.index("confidence") + 1).value == 0.9877
    colors = [sheet.cell(line, column).fill.fgColor.rgb for line in range(1, 7) for column in (1, 5)]
    assert [color != "00000000" for color in colors] == [False] * 8 + [True] * 2 + [False] * 2
    # It is read again as it would be from a CSV.
    export_table(tmp_path / "t.csv", lambda: rows, wide=False)
    assert list(read_results(tmp_path / "t.xlsx")) == list(read_results(tmp_path / "t.csv"))

    export_table(tmp_path / "w.xlsx", lambda: rows, wide=True)
    sheet = openpyxl.load_workbook(tmp_path / "w.xlsx").active
    cells = {cell.value: sheet.cell(2, cell.column) for cell in sheet[1]}
    assert (cells["amount"].value, cells["id"].value) == (1200, "007")
    assert {name for name, cell in cells.items() if cell.fill.fgColor.rgb != "00000000"} == {"status", "review", "id"}
    export_table(tmp_path / "w.xlsx", lambda: rows, wide=True, texts=True)
    sheet = openpyxl.load_workbook(tmp_path / "w.xlsx").active
    assert {cell.data_type for cell in sheet[2] if cell.column > 2 and cell.value is not None} == {"s"}


@pytest.mark.parametrize(
    ("values", "numeric"),
    [
        (["1.50", "2"], True), (["1.50", ""], True), (["1.50", "12345678901234567890"], False), (["1.50", "007"], False),
        (["1", "2"], False), (["2026-11-20"], False), ([""], False),
    ],
)  # fmt: skip
def test_all_values_of_a_field_are_numbers_or_none(values: list[str], numeric: bool) -> None:
    """A sum in a spreadsheet passes over texts without a word."""
    rows = [replace(row(field="total"), value=value) for value in values]
    assert number_fields(rows) == (frozenset({"total"}) if numeric else frozenset())


def test_parquet_holds_texts_and_numbers(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    write_table(tmp_path / "t.parquet", *long_table([row(text="00123"), replace(row(text=""), confidence=None)]))
    records = parquet.read_table(tmp_path / "t.parquet").to_pylist()
    assert [(r["text"], r["confidence"], r["left"]) for r in records] == [("00123", 0.98765, 1), ("", None, 1)]


@given(st.text(max_size=30))
def test_any_name_is_one_plain_line(name: str) -> None:
    cell = safe_name(name)
    assert len(cell.splitlines()) <= 1
    assert not cell.startswith(FORMULA_STARTS)
    cell.encode("utf-8")


@given(st.text(max_size=8), st.text(max_size=8))
def test_two_names_give_two_cells(one: str, other: str) -> None:
    assert (safe_name(one) == safe_name(other)) == (one == other)
