"""Estimates how many of the accepted fields are wrong: some are drawn at random and keyed without showing the reading."""

from __future__ import annotations

import csv
import io
import math
import shlex
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from docproc.errors import BadInput, OutputExists
from docproc.learn.evaluation.finite import fewest_errors, fields_to_draw, most_errors
from docproc.learn.evaluation.formatting import align_columns, percent
from docproc.learn.evaluation.scoring import CERTAINTY
from docproc.runs.editing import open_edits
from docproc.runs.edits import AUDIT, FieldState, agrees
from docproc.runs.journal import Journal
from docproc.runs.planting import Planted
from docproc.runs.sampling import SampleSize, accepted_fields, is_keyed_blind, sampled, to_key
from docproc.runs.tables import safe_cell, safe_name, write_whole

SIZE = SampleSize(share=0.02)  # if none is given [guess]
ALL = "all fields"  # name of the line for all of them
LIST_COLUMNS = ("document", "page", "field", "text", "screen", "left", "top", "width", "height")

Kept = Literal["yes", "no", "open"]


@dataclass(frozen=True, slots=True)
class Audited:
    """The fields of one name, or all: what was drawn and keyed, and what follows for the accepted fields."""

    name: str
    accepted: int  # by docproc; copies of a document count once
    drawn: int
    keyed: int  # of those drawn, without showing the reading
    wrong: int  # of those keyed: docproc had read something else, or nobody can read it
    illegible: int  # of those wrong

    @property
    def estimated(self) -> float | None:
        """The share of the accepted fields that is wrong, 0..1; None if none was keyed."""
        return self.wrong / self.keyed if self.keyed else None

    @property
    def at_most(self) -> int:
        """Upper bound on the number of wrong accepted fields, with CERTAINTY, including those found."""
        return most_errors(self.wrong, self.keyed, self.accepted)

    @property
    def at_least(self) -> int:
        """The corresponding lower bound."""
        return fewest_errors(self.wrong, self.keyed, self.accepted)

    def kept(self, max_error: float) -> Kept:
        """Whether at most this share, 0..1, of the accepted fields is wrong; `open` if too few were keyed to tell.

        Fields left out may be the ones that are hard to read, so it is never `yes` until all drawn fields are keyed.
        """
        if self.at_least > max_error * self.accepted:
            return "no"
        return "yes" if self.keyed == self.drawn and self.at_most <= max_error * self.accepted else "open"

    def figures(self) -> dict[str, Any]:
        """The same for a program, as JSON values; shares from 0 to 1."""
        most = self.at_most / self.accepted if self.accepted else None
        return asdict(self) | {"estimated": self.estimated, "at_most": most, "at_most_fields": self.at_most}


@dataclass(frozen=True, slots=True)
class Audit:
    """The results of an audit."""

    all: Audited
    by_field: tuple[Audited, ...]
    max_error: float | None  # 0..1, requested when the documents were read; None if the journal does not have it
    planted: int  # wrong readings that were shown to people on purpose
    passed: int  # of them: accepted as right
    errors: tuple[FieldState, ...] = ()  # accepted fields that were keyed differently

    @property
    def kept(self) -> Kept | None:
        """Whether the run kept its `--max-error`; None if that is not known."""
        return None if self.max_error is None else self.all.kept(self.max_error)

    @property
    def needed(self) -> int | None:
        """Total number of fields to draw to show that `--max-error` is kept, if no more errors are found; None: no number."""
        if self.max_error is None or self.kept == "no":
            return None
        return fields_to_draw(self.all.wrong, self.all.accepted, self.max_error)

    def figures(self) -> dict[str, Any]:
        """The same for a program, as JSON values; shares from 0 to 1."""
        return {
            "certainty": CERTAINTY, "max_error": self.max_error, "kept": self.kept, "needed": self.needed,
            "all": self.all.figures(), "by_field": [one.figures() for one in self.by_field],
            "planted": {"shown": self.planted, "passed": self.passed},
            "errors": [_error(state) for state in self.errors],
        }  # fmt: skip


def audit(output: Path, size: SampleSize | None = None) -> Audit:
    """Audit the run of a table, after drawing the sample if there is none, or enlarging it to `size`.

    Raises BadInput if there is no journal or nothing was accepted, or CannotWrite.
    """
    with Journal.look(output) as journal:
        sample = journal.sample()
    if sample is None or size is not None:
        with open_edits(output) as edits:
            edits.draw_sample(size or SIZE)
    with Journal.look(output) as journal:
        sample, accepted = journal.sample(), accepted_fields(journal.fields())
        planted, asked = journal.planted(), journal.note("max_error")
    if sample is None or not accepted:
        raise BadInput(f"{output}: docproc accepted no field, so there is nothing to audit")
    return audited(accepted, sampled(accepted, sample), planted, float(asked) if asked else None)


def audited(
    accepted: Sequence[FieldState], drawn: Sequence[FieldState], planted: Sequence[Planted], max_error: float | None
) -> Audit:
    """The results that follow from the fields that were drawn."""
    names = Counter(state.reading.field for state in accepted)
    own = {name: [state for state in drawn if state.reading.field == name] for name in names}
    by_field = tuple(_counted(name, count, own[name]) for name, count in names.items())
    errors = tuple(state for state in drawn if is_keyed_blind(state) and _is_wrong(state))
    passed = sum(one.passed for one in planted)
    return Audit(_counted(ALL, len(accepted), drawn), by_field, max_error, len(planted), passed, errors)


def _counted(name: str, accepted: int, drawn: Sequence[FieldState]) -> Audited:
    keyed = [state for state in drawn if is_keyed_blind(state)]
    illegible = sum(state.counting[-1].said == "illegible" for state in keyed)
    return Audited(name, accepted, len(drawn), len(keyed), sum(map(_is_wrong, keyed)), illegible)


def _is_wrong(state: FieldState) -> bool:
    return not agrees(state.reading, state.counting[-1])


def _error(state: FieldState) -> dict[str, Any]:
    reading = state.reading
    place = {"document": safe_name(reading.document), "page": reading.page, "field": safe_cell(reading.field)}
    return place | {"read": reading.text, "keyed": state.counting[-1].shown, "confidence": reading.confidence}


# ------------------------------------------------------------------------------------------------------------ words


def told(found: Audit, table: Path) -> Iterator[str]:
    """The results of the audit of a table, as lines for a person."""
    whole, output = found.all, shlex.quote(str(table))
    yield f"{whole.accepted} fields accepted, {whole.drawn} drawn, {whole.keyed} of these keyed without seeing the reading"
    if whole.keyed:
        lines = [one for one in (whole, *found.by_field) if one is whole or len(found.by_field) > 1]
        head = ["", "accepted", "drawn", "keyed", "wrong", "estimated", f"{percent(CERTAINTY)} sure: at most"]
        yield ""
        yield from align_columns([head, *map(_cells, lines)])
        yield ""
        for state in found.errors:
            yield "  {document}, page {page}, {field}: read {read}, keyed {keyed}".format_map(_error(state))
    if found.max_error is not None:
        yield _verdict(found, output)
    if whole.keyed < whole.drawn:
        yield f"{whole.drawn - whole.keyed} still to be keyed: docproc audit {output} --to-key FILE.csv lists them"
    if found.planted:
        share = percent(found.passed / found.planted)
        yield f"planted wrong readings: {found.planted} shown, {found.passed} taken for right ({share})"


def _cells(one: Audited) -> list[str]:
    estimated = "-" if one.estimated is None else percent(one.estimated)
    most = f"{percent(math.ceil(1e4 * one.at_most / one.accepted) / 1e4)} ({one.at_most} fields)"  # never rounded down
    return [one.name, *map(str, (one.accepted, one.drawn, one.keyed, one.wrong)), estimated, most]


def _verdict(found: Audit, output: str) -> str:
    assert found.max_error is not None
    asked = f"--max-error {percent(found.max_error)}"
    if found.kept != "open":
        how = "was kept" if found.kept == "yes" else "was not kept"
        return f"{asked} {how} ({percent(CERTAINTY)} sure)"
    needed = found.needed
    if needed is not None and needed > found.all.drawn:
        further = "no further error" if found.all.keyed else "no error"
        return (
            f"{asked}: to show that it was kept takes {needed} keyed fields, if {further} is found: docproc audit {output} "
            f"--sample {needed}"
        )
    if found.all.keyed < found.all.drawn:
        return f"{asked}: told when all that were drawn are keyed"
    return f"{asked}: the fields keyed show neither that it was kept nor that it was not; a larger --sample may"


# ------------------------------------------------------------------------------------------------- the list to key


def write_list(output: Path, target: Path, *, overwrite: bool = False) -> int:
    """Write the drawn fields that still have to be keyed blind as CSV, with an empty text; returns their number.

    The completed file is input for `docproc apply`. Raises OutputExists if a file exists and may not be replaced, BadInput if
    no sample was drawn, or CannotWrite.
    """
    if target.exists() and not overwrite:
        raise OutputExists(f"{target} already exists; give another name, or --overwrite to drop what was keyed in it")
    with Journal.look(output) as journal:
        sample = journal.sample()
        if sample is None:
            raise BadInput(f"no fields were drawn: docproc audit {output}")
        wanted = to_key(accepted_fields(journal.fields()), sample)
    file = io.StringIO()
    writer = csv.DictWriter(file, LIST_COLUMNS, lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(map(_entry, wanted))
    write_whole(target, lambda opened: opened.write(file.getvalue().encode()))
    return len(wanted)


def _entry(state: FieldState) -> Mapping[str, object]:
    reading = state.reading
    box = {side: getattr(reading, side) for side in ("left", "top", "width", "height")}
    return {
        "document": safe_name(reading.document), "page": reading.page, "field": safe_cell(reading.field), "text": "",
        "screen": AUDIT, **box,
    }  # fmt: skip
