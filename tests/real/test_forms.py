"""Real forms that were never trained on, where they are present."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

import docproc
from docproc.readers.repair import edits
from docproc.types import Row

pytestmark = pytest.mark.thorough

TEMPLATES = Path(__file__).parent / "templates"

Truth = Mapping[tuple[str, str], str]


def truth_of(folder: Path) -> Truth:
    with open(folder / "truth.csv", newline="", encoding="utf-8") as file:
        return {(row["document"], row["field"]): row["text"] for row in csv.DictReader(file)}


def read(folder: Path, template: Path, place: Path, change: tuple[str, str] = ("", "")) -> dict[tuple[str, str], Row]:
    """Read the pictures of a folder by a template, the first picture being its reference."""
    shutil.copy(template, place / "template.toml")
    text = template.read_text(encoding="utf-8").replace(*change) if change[0] else template.read_text(encoding="utf-8")
    first = next(line.split('"')[1] for line in text.splitlines() if line.startswith("reference"))
    shutil.copy(folder / "images" / first, place / first)
    (place / "template.toml").write_text(text, encoding="utf-8")
    return {(row.document, row.field): row for row in docproc.read(folder / "images", layout=str(place / "template.toml"))}


def exact(found: Mapping[tuple[str, str], Row], truth: Truth) -> list[tuple[str, str]]:
    return [key for key, text in truth.items() if key in found and found[key].text == text]


@pytest.fixture(scope="module")
def election(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[tuple[str, str], Row], Truth]:
    folder = shared / "election-forms"
    return read(folder, TEMPLATES / "election.toml", tmp_path_factory.mktemp("election")), truth_of(folder)


def test_election_forms(election: tuple[dict[tuple[str, str], Row], Truth]) -> None:
    found, truth = election
    assert not [row for row in found.values() if row.status == "error"]
    right = exact(found, truth)
    print(f"election forms: {len(right)} of {len(truth)} fields exact")
    assert len(right) >= 0.92 * len(truth)
    digits = sum(len(text) for text in truth.values())
    wrong = sum(edits(found[key].text, text) for key, text in truth.items())
    print(f"election forms: {wrong} of {digits} digits wrong, lost or made up")
    assert wrong <= 0.03 * digits
    assert max(row.residual for row in found.values() if row.residual is not None) < 2


def test_sums_put_right_and_spoil_nothing(
    election: tuple[dict[tuple[str, str], Row], Truth], shared: Path, tmp_path: Path
) -> None:
    found, truth = election
    text = (TEMPLATES / "election.toml").read_text(encoding="utf-8")
    plain = read(shared / "election-forms", TEMPLATES / "election.toml", tmp_path, (text[text.index("[[rule]]") :], ""))
    with_rules, without = exact(found, truth), exact(plain, truth)
    print(f"election forms: {len(without)} fields exact without the sums, {len(with_rules)} with them")
    assert len(with_rules) >= len(without)
    # One sum has a wrong part that was read surely; what it changed goes to a person.
    assert all(found[key].status == "review" for key in set(without) - set(with_rules))


def test_crossed_cells_are_no_digits(election: tuple[dict[tuple[str, str], Row], Truth], shared: Path) -> None:
    found, _ = election
    with open(shared / "election-forms" / "fields.csv", newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            text = found[row["document"], row["field"]].text
            assert len(text) <= sum(c.isdigit() for c in row["truth_cells"]), (row["document"], row["field"])


def test_the_nist_form(shared: Path, tmp_path: Path) -> None:
    folder = shared / "nist-form"
    lines = ["schema_version = 1", 'name = "hsf"', "[page]", "size = [2560, 3300]"]
    with open(folder / "fields.csv", newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            box = [int(row[side]) for side in ("left", "top", "width", "height")]
            lines += ["[[field]]", f'name = "{row["field"]}"', f"box = {box}", 'kind = "string"']
    (tmp_path / "t.toml").write_text("\n".join(lines), encoding="utf-8")
    found = {(row.document, row.field): row for row in docproc.read(folder / "images", layout=str(tmp_path / "t.toml"))}
    right = exact(found, truth_of(folder))
    print(f"NIST form: {len(right)} of {len(truth_of(folder))} fields exact")
    assert len(right) >= 24


def test_dates_on_cheques(shared: Path, tmp_path: Path) -> None:
    """A template for each bank, from the first of its cheques."""
    folder = shared / "cheques"
    boxes: dict[str, dict[str, list[int]]] = {}
    with open(folder / "fields.csv", newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["field"] == "date":
                box = [int(row[side]) for side in ("left", "top", "width", "height")]
                boxes.setdefault(row["bank"], {})[row["document"]] = box
    whole = {key[0]: text for key, text in truth_of(folder).items() if key[1] == "date" and len(text) == 8}
    right = accepted = spoiled = 0
    for number, cheques in enumerate(boxes.values()):
        place = tmp_path / str(number)
        (place / "in").mkdir(parents=True)
        for name in cheques:
            shutil.copy(folder / "images" / name, place / "in")
        first = min(cheques)
        (place / "t.toml").write_text(
            f'schema_version = 1\nname = "cheque"\n[page]\nreference = "in/{first}"\nfilled = true\n[[field]]\nname = "date"\n'
            f'box = {cheques[first]}\nkind = "date"\norder = "DDMMYYYY"\ncells = 8\n',
            encoding="utf-8",
        )
        for one in docproc.read(place / "in", layout=str(place / "t.toml")):
            if one.document in whole:
                right += one.text == whole[one.document]
                accepted += one.status == "ok"
                spoiled += one.status == "ok" and one.text != whole[one.document]
    print(f"cheques: {right} of {len(whole)} dates exact; {accepted} accepted, {spoiled} of them wrong")
    assert right >= 0.92 * len(whole)
