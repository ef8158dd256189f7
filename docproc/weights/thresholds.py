"""Thresholds that a user measured on their own ground truth: the file that holds them, and what it is valid for.

A threshold is a confidence, and the meaning of a confidence depends on the networks and their cards: the file names them, and
is not valid for other models.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from docproc.errors import BadConfig, BadUsage
from docproc.readers.confidence import Thresholds, from_card, least
from docproc.weights import drift
from docproc.weights.drift import Reference

SCHEMA = 1


@dataclass(frozen=True, slots=True)
class Measured:
    """Thresholds by field name, and the models that they were measured with."""

    models: Mapping[str, str]  # as in `cards.model_hashes`
    fields: Mapping[str, Thresholds]
    reference: Reference | None = None  # the fields that they were measured on; None if the file does not say


def read_thresholds(path: Path) -> Measured:
    """Raises BadConfig if the file does not exist or is not such a file."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if found["schema_version"] != SCHEMA:
            raise ValueError("it was written by another version of docproc")
        models = {str(name): str(digest) for name, digest in found["models"].items()}
        fields = {str(name): from_card(group["thresholds"]) for group in found["groups"] for name in group["fields"]}
        reference = drift.from_json(found["reference"]) if "reference" in found else None
    except OSError as problem:
        raise BadConfig(str(path), [f"cannot be read: {problem.strerror}"]) from problem
    except (ValueError, KeyError, TypeError, AttributeError) as problem:
        raise BadConfig(str(path), [f"no thresholds as docproc model calibrate writes them: {problem}"]) from problem
    return Measured(models, fields, reference)


def own_thresholds(path: Path, models: Mapping[str, str], max_error: float) -> dict[str, float]:
    """The least confidence of each field in a file so that at most `max_error` (0..1) of those accepted are wrong.

    `models` are those that will read. Raises BadConfig if others were measured, and BadUsage if the file has no threshold
    for that error.
    """
    measured = read_thresholds(path)
    if dict(measured.models) != dict(models):
        raise BadConfig(
            str(path),
            ["measured with other networks than those that read now; read the truth's pages and calibrate again"],
        )
    known = sorted({error for thresholds in measured.fields.values() for error, _ in thresholds})
    if not known or known[0] > max_error + 1e-12:
        offer = f"give --max-error {100 * known[0]:.4g}% or more, or " if known else ""
        raise BadUsage(f"{path} cannot promise an error of {100 * max_error:.4g}%; {offer}calibrate with more truth")
    return {name: least(thresholds, max_error) for name, thresholds in measured.fields.items()}


def thresholds_file(
    models: Mapping[str, str], certainty: float, groups: Sequence[Mapping[str, Any]], reference: Reference | None = None
) -> str:
    """The content of such a file; a group has `fields`, `truth` and `thresholds`, `reference` is of the fields with truth."""
    content = {"schema_version": SCHEMA, "models": dict(models), "certainty": certainty, "groups": list(groups)}
    text = json.dumps(content, indent=1)
    if reference is None:
        return text + "\n"
    # There are hundreds of numbers, so each feature gets its own line.
    fields = ",\n".join(
        f"  {json.dumps(field)}: {{\n"
        + ",\n".join(f"   {json.dumps(feature)}: {json.dumps(counts)}" for feature, counts in features.items())
        + "\n  }"
        for field, features in drift.to_json(reference).items()
    )
    return f'{text.removesuffix("}").rstrip()},\n "reference": {{\n{fields}\n }}\n}}\n'
