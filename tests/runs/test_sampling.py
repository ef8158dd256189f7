"""Which accepted fields are drawn for an audit."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from docproc.files import Document
from docproc.learn.evaluation.finite import most_errors
from docproc.runs.editing import open_edits
from docproc.runs.edits import AUDIT, FieldKey, FieldState, edit_of, withdrawal_of
from docproc.runs.journal import Journal, Outcome
from docproc.runs.sampling import (
    SampleSize,
    accepted_fields,
    draw,
    is_keyed_blind,
    new_secret,
    sample_size,
    sampled,
    to_key,
)
from docproc.types import Row

KEYS: list[FieldKey] = [(hashlib.sha256(str(k).encode()).hexdigest(), 1, "id") for k in range(400)]


def state(key: FieldKey, status: str = "ok") -> FieldState:
    row = Row(key[0][:9], key[1], key[2], "12", "12", 0.99, status, "", "", "", "", 1, 2, 3, 4)  # type: ignore[arg-type]
    return FieldState(key[0], row, row)


def read_all(output: Path, names: Sequence[str], *, anew: bool = False, status: str = "ok") -> None:
    with Journal.open(output, anew=anew) as journal:
        journal.plan([(Document(name, Path(name)), "one") for name in names])
        for name in names:
            sha256 = hashlib.sha256(name.encode()).hexdigest()
            rows = (state((sha256, 1, "id"), status).reading, state((sha256, 1, "sum"), "review").reading)
            journal.finish(Document(name, Path(name)), Outcome(tuple(replace(row, document=name) for row in rows), sha256))
        journal.keep(finished="now")


def drawn(output: Path) -> list[FieldKey]:
    with Journal.look(output) as journal:
        sample = journal.sample()
        assert sample
        return [one.key for one in sampled(accepted_fields(journal.fields()), sample)]


def draw_into(output: Path, size: SampleSize) -> list[FieldKey]:
    with open_edits(output) as edits:
        edits.draw_sample(size)
    return drawn(output)


@pytest.mark.parametrize(
    ("text", "accepted", "count"),
    [("2%", 1000, 20), ("2%", 10, 1), ("0.05", 401, 21), ("300", 1000, 300), ("300", 40, 40), ("100%", 7, 7), ("1", 7, 1),
     ("2%", 0, 0)],
)  # fmt: skip
def test_the_size_of_a_sample(text: str, accepted: int, count: int) -> None:
    assert sample_size(text).of(accepted) == count


@pytest.mark.parametrize("text", ["0", "0%", "-3", "x", "2.5", "101%"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(ValueError, match=r"sample|share|between"):
        sample_size(text)


def test_a_sample_has_its_size_and_a_larger_one_holds_it() -> None:
    secret = new_secret()
    small, large = draw(secret, KEYS, SampleSize(count=30)), draw(secret, KEYS, SampleSize(share=0.5))
    some, more = ({key for key in KEYS if key in sample} for sample in (small, large))
    assert (len(some), len(more)) == (30, 200)
    assert some < more
    assert draw(secret, KEYS, SampleSize(count=3), small.limit) == small


def test_samples_are_drawn_by_lot() -> None:
    """Over many secrets every field is drawn equally often, and the bound on the errors holds as often as it says."""
    wrong = set(KEYS[:40])
    times, held = np.zeros(len(KEYS)), 0
    for _ in range(300):
        sample = draw(new_secret(), KEYS, SampleSize(count=40))
        inside = np.array([key in sample for key in KEYS])
        times += inside
        held += most_errors(sum(key in sample for key in wrong), 40, len(KEYS)) >= len(wrong)
    # The sum of squares of 400 counts is about 400; its standard deviation is 28.
    assert ((times - 30) ** 2 / (30 * 0.9)).sum() < 400 + 6 * 28
    assert held >= 300 * 0.95 - 4 * np.sqrt(300 * 0.95 * 0.05)


def test_the_sample_of_a_journal_stays(tmp_path: Path) -> None:
    out, names = tmp_path / "t.csv", [f"{k}.png" for k in range(60)]
    read_all(out, names)
    first = draw_into(out, SampleSize(share=0.2))
    assert len(first) == 12
    assert {field for _, _, field in first} == {"id"}  # nothing for review was drawn
    assert draw_into(out, SampleSize(count=3)) == first
    assert set(draw_into(out, SampleSize(count=20))) > set(first)
    again = drawn(out)
    read_all(out, names, anew=True)
    assert drawn(out) == again
    with open_edits(out) as edits:
        edits.discard()
    assert drawn(out) == again
    # What comes later is drawn as well, and what is no longer accepted is not.
    read_all(out, [*names, *(f"more{k}.png" for k in range(300))])
    later = drawn(out)
    assert set(again) < set(later)
    assert len(later) > 40
    read_all(out, names, anew=True, status="review")
    assert drawn(out) == []


def test_a_copy_of_a_document_counts_once() -> None:
    one = state(KEYS[0])
    assert len(accepted_fields([one, replace(one, reading=replace(one.reading, document="copy.png"))])) == 1
    assert accepted_fields([replace(one, sha256="")]) == []


def test_only_what_was_keyed_without_a_reading_in_sight_counts() -> None:
    one = state(KEYS[0])
    blind = edit_of(one, "text", "13", who="ANNA", screen=AUDIT)
    seen = edit_of(one, "text", "13", who="ANNA", screen="review")
    second = edit_of(one, "text", "13", who="BERT", screen="review", again=True)
    back = withdrawal_of(one, who="ANNA", screen="review")
    told = {(): False, (blind,): True, (seen,): False, (seen, second): True, (blind, seen): True, (blind, back): False}
    for edits, expected in told.items():
        assert is_keyed_blind(replace(one, edits=edits)) == expected
    sample = draw("s", KEYS[:2], SampleSize(share=1))
    assert to_key([replace(one, edits=(blind,)), state(KEYS[1])], sample) == [state(KEYS[1])]
