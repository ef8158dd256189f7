"""Whether the fields of a run are of another kind than those on which its thresholds were measured."""

from __future__ import annotations

import json
from pathlib import Path

from docproc.runs.journal import Journal
from docproc.weights.drift import Drift, drifts, from_json, histograms, to_json
from docproc.weights.thresholds import read_thresholds

NOTE = "reference"  # what the journal keeps: thresholds change on disk, and the state of a run is asked for long after


def reference_note(thresholds: Path | None) -> str:
    """What a run compares its fields with, for the journal; "" where that is not known.

    A file of thresholds tells. Cards of models do not: the fields on which they were measured have no names. Raises BadConfig.
    """
    reference = read_thresholds(thresholds).reference if thresholds else None
    return json.dumps(to_json(reference)) if reference else ""


def drifts_of(journal: Journal) -> tuple[Drift, ...]:
    """In what the fields of a journal differ; nothing where it has no reference."""
    note = journal.note(NOTE)
    return drifts(from_json(json.loads(note)), histograms(journal.facts())) if note else ()
