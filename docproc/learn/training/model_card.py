"""The card of a trained model: how it was made, how good it is, what was fitted besides it, and the hashes of its files."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from docproc._version import __version__
from docproc.learn.evaluation.history import Histories, histories_to_card
from docproc.learn.training.export import file_hash
from docproc.learn.training.recipes import Recipe
from docproc.readers import MICR, NETWORKS
from docproc.weights.cards import CLASSIC, DECODER_FILE, GLYPHS

NETWORK_ENDINGS = (".onnx", ".fp16.onnx", ".keras")  # eight bits, float16, as trained


def _files_of(*networks: str) -> tuple[str, ...]:
    return tuple(f"{name}{ending}" for name in networks for ending in NETWORK_ENDINGS)


# The files of each model, next to its card.
HANDWRITING_FILES = (
    *_files_of("digits", *(network for network in NETWORKS.values() if network != GLYPHS)),
    f"digits{DECODER_FILE}",
)
CLASSIC_FILES = (*_files_of(CLASSIC), f"{CLASSIC}{DECODER_FILE}")
E13B_FILES = _files_of(MICR)


@dataclass(frozen=True, slots=True)
class TrainedModel:
    """The contents of a model's card."""

    name: str  # of the card: NAME.json
    recipe: Recipe
    data: Mapping[str, Any]  # where its training data come from
    minutes: float  # duration of the training
    scores: Mapping[str, float]
    histories: Histories
    files: Sequence[str]  # of the model, in the folder of the card
    fitted: Mapping[str, Any] = field(default_factory=dict)  # besides the networks: calibration, and what is needed for reading


def write_model_card(model: TrainedModel, folder: Path) -> dict[str, Any]:
    """Write the card next to the files of the model; returns it."""
    card = {
        "name": model.name,
        "docproc": __version__,
        "recipe": asdict(model.recipe),
        "data": dict(model.data),
        "minutes": round(model.minutes, 1),
        "scores": dict(model.scores),
        "history": histories_to_card(model.histories),
        "sha256": {name: file_hash(folder / name) for name in model.files},
        **model.fitted,
    }
    write_card(folder / f"{model.name}.json", card)
    return card


def write_card(path: Path, card: Mapping[str, Any]) -> None:
    """Write a card as it is."""
    path.write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
