"""What the fields of a run may contain, as stored in its journal: templates change on disk, and edits are judged much later."""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache
from typing import TYPE_CHECKING

from docproc.types import FieldSpec

if TYPE_CHECKING:
    from pydantic import TypeAdapter


@lru_cache(maxsize=4096)
def packed(spec: FieldSpec) -> tuple[str, str]:
    """(name, JSON) of a spec; equal specs have equal names."""
    plain = _adapter().dump_python(spec, mode="json")
    rules = plain.get("rules") or {}
    if rules.get("allowed"):
        rules["allowed"] = sorted(rules["allowed"])
    text = json.dumps(plain, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16], text


def unpacked(text: str) -> FieldSpec | None:
    """The spec from JSON; None if a newer version wrote something that this one does not know."""
    from pydantic import ValidationError

    try:
        return _adapter().validate_json(text)
    except (ValidationError, ValueError):
        return None


@lru_cache(maxsize=1)
def _adapter() -> TypeAdapter[FieldSpec]:
    # Imported late: it takes a tenth of a second, which displaying the state of a run should not have to wait for.
    from pydantic import TypeAdapter

    return TypeAdapter(FieldSpec)
