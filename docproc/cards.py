"""Where the models lie, and what their cards say of them; nothing here opens a network."""

from __future__ import annotations

import hashlib
import json
from importlib.resources import files
from pathlib import Path
from typing import Any

from docproc.errors import MissingPart

LINES, CELLS = "lines.onnx", "cells.onnx"  # the line and the cell network, in the folder of the glyph network
MICR = "micr.onnx"  # the network of E-13B, there too, with a card of its own


def model_folder() -> Path:
    """Where the shipped models lie: inside the installed package, or models/ of a source tree."""
    installed = Path(str(files("docproc"))) / "models"
    return installed if installed.is_dir() else Path(str(files("docproc"))).parent / "models"


def model_hashes(model: Path | None = None) -> dict[str, str]:
    """SHA-256 of the files that `open_reader` would take, and of their card. Raises MissingPart."""
    path = model or model_folder() / "digits.onnx"
    card = read_card(path)
    named = dict(card.get("sha256", {}))
    micr = read_card(micr_path(path))
    return {
        "glyphs": str(named.get(path.name)),
        "lines": str(named.get(LINES)),
        "cells": str(named.get(CELLS)),
        "micr": str(dict(micr.get("sha256", {})).get(MICR)),
        "card": hashlib.sha256(json.dumps([card, micr], sort_keys=True).encode()).hexdigest(),
    }


def micr_path(model: Path) -> Path:
    """The network of E-13B beside a model file, or the shipped one where there is none."""
    beside = model.with_name(MICR)
    return beside if beside.exists() else model_folder() / MICR


def read_card(model: Path) -> dict[str, Any]:
    """The card of a model file. Raises MissingPart."""
    path = card_path(model)
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
    except OSError as problem:
        raise MissingPart(f"the model's card cannot be read: {path}: {problem.strerror}") from problem
    except ValueError as problem:
        raise MissingPart(f"the card {path} is no JSON: {problem}") from problem
    if not isinstance(card, dict):
        raise MissingPart(f"the card {path} holds no JSON object")
    return card


def card_path(model: Path) -> Path:
    """Where the card of a model file lies."""
    return model.with_suffix(".json")
