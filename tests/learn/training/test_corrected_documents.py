"""Which documents and texts a training learns from."""

from __future__ import annotations

from pathlib import Path

from docproc.files import Document, read_content
from docproc.learn.training.corrected_documents import find_corrected_documents
from docproc.options import Limits
from docproc.runs.editing import open_edits
from docproc.runs.edits import edit_of
from docproc.runs.journal import Journal, Outcome, journal_path
from docproc.types import Row
from tests.conftest import file_of


def test_a_training_learns_from_what_people_keyed_in_the_journal(tmp_path: Path) -> None:
    out = tmp_path / "t.csv"
    documents = [Document(name, tmp_path / name) for name in ("a.png", "b.png", "c.png")]
    with Journal.open(out) as journal:
        for document in documents:
            file_of(document).write_text(document.name)
        journal.plan([(document, "one") for document in documents])
        for document in documents:
            sha256 = read_content(document.path, Limits()).sha256
            row = Row(document.name, 1, "id", "120", "120", 0.5, "ok", "", "", "", "", 1, 2, 3, 4)
            journal.finish(document, Outcome((row,), sha256))
    with Journal.look(out) as journal:
        first, second, _ = journal.fields()
    with open_edits(out) as edits:
        edits.add([
            edit_of(first, "text", "12-1", who="", screen="review"), edit_of(second, "text", "120", who="", screen="review"),
        ])  # fmt: skip
    found, _ = find_corrected_documents(journal_path(out), None, lambda _: None)
    assert [(one.document.name, dict(one.texts)) for one in found] == [
        ("a.png", {(1, "id"): "121"}), ("b.png", {(1, "id"): "120"}),
    ]  # fmt: skip
