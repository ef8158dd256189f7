"""Whether the fields of a run differ in kind from those on which its thresholds were measured."""

from __future__ import annotations

import json
from pathlib import Path

from docproc.runs.journal import Journal
from docproc.weights.drift import Drift, drifts, from_json, histograms, to_json
from docproc.weights.thresholds import read_thresholds

NOTE = "reference"  # what the journal stores: thresholds change on disk, and the state of a run may be queried much later


def reference_note(thresholds: Path | None) -> str:
    """What a run compares its fields with, for the journal; "" if that is not known.

    A thresholds file has this reference. Model cards do not: the fields they were measured on have no names. Raises BadConfig.
    """
    reference = read_thresholds(thresholds).reference if thresholds else None
    return json.dumps(to_json(reference)) if reference else ""


def drifts_of(journal: Journal) -> tuple[Drift, ...]:
    """How the fields of a journal differ from its reference; empty if it has none."""
    note = journal.note(NOTE)
    return drifts(from_json(json.loads(note)), histograms(journal.facts())) if note else ()
