"""Where the models lie, and what their cards say of them; nothing here opens a network.

A model is a folder with the networks and one card. Each network lies there in several files that were made of one another: as
it was trained (`.keras`, float32), for GPUs (`.fp16.onnx`), and for processors (`.onnx`, eight bits). Each backend has its own.

A wheel holds only what reads on a processor. What training and GPUs need is a distribution of its own,
`docproc-digits-training`, whose files lie in the same folder once it is installed; a clone of the project has all of them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from docproc.backends import BACKENDS, Choice, choose
from docproc.errors import BadUsage, MissingPart
from docproc.readers import MICR, NETWORKS

GLYPHS = "glyphs"  # the network whose file stands for a model; the others lie beside it, under their own names
CLASSIC = "classic"  # the name on the card of a network that knows the ten digits and nothing else
DECODER_FILE = ".decoder.onnx"  # behind the name of a network: draws what it sees
ENDINGS = (".fp16.onnx", ".fp32.onnx", ".onnx", ".keras")
FOR_TRAINING = (".keras", ".fp16.onnx", DECODER_FILE)  # endings of the files that only docproc-digits-training installs


def model_folder() -> Path:
    """Where the shipped models lie: inside the installed package, or models/ of a source tree."""
    installed = Path(str(files("docproc"))) / "models"
    return installed if installed.is_dir() else Path(str(files("docproc"))).parent / "models"


def absent(path: Path) -> MissingPart:
    """What to say of a network's file that is not there."""
    if path.name.endswith(FOR_TRAINING) and path.parent == model_folder():
        return MissingPart(
            f"the networks for training, for GPUs and for --backend tensorflow are not installed ({path.name}); they come as "
            "docproc-digits-training, and in a clone of docproc with: pip install ./models"
        )
    return MissingPart(f"the model cannot be read: {path}: there is no such file; docproc model train makes one")


def network_files(backend: str, model: Path | None = None) -> dict[str, Path]:
    """The files that a backend (not `auto`) runs: of each of `readers.NETWORKS`, and of `micr`, which has a card of its own.

    `model` is the file of the glyph network, the others lie beside it; None takes the shipped one, and so does the network of
    E-13B where neither it nor its card lies beside. NAME.onnx stands for whatever the backend takes, another ending for itself;
    for the backend "" it is taken as it is named. Raises BadUsage for a file that the backend does not run.
    """
    path = model or model_folder() / "digits.onnx"
    stem, ending = _parts(path)
    takes = BACKENDS[backend].files if backend else ENDINGS
    if backend and ending == ".onnx":
        ending = takes[0]
    if ending not in takes:
        raise BadUsage(f"the backend {backend} does not run {path.name}; it takes {', '.join(takes)}")
    files = {name: path.with_name(f"{stem if name == GLYPHS else name}{ending}") for name in (*NETWORKS.values(), MICR)}
    if not (files[MICR].exists() or card_path(files[MICR]).exists()):
        files[MICR] = model_folder() / files[MICR].name
    return files


def choose_for(backend: str, model: Path | None = None) -> Choice:
    """As `backends.choose`; `auto` passes over a backend that has no file of this model, see `network_files`."""

    def lacks(name: str) -> str | None:
        path = network_files(name, model)[GLYPHS]
        return None if path.exists() else str(absent(path))

    return choose(backend, lacks)


def model_hashes(model: Path | None = None, backend: str = "") -> dict[str, str]:
    """SHA-256 of the files that `open_model` would take, and of their cards. Raises BadUsage and MissingPart."""
    files = network_files(backend, model)
    cards = cards_of(files)
    hashes = {name: str(dict(cards[name].get("sha256", {})).get(path.name)) for name, path in files.items()}
    both = json.dumps([cards[GLYPHS], cards[MICR]], sort_keys=True)
    return hashes | {"card": hashlib.sha256(both.encode()).hexdigest()}


def cards_of(files: Mapping[str, Path]) -> dict[str, dict[str, Any]]:
    """The card of each of `network_files`: that of E-13B has its own, the others share one. Raises MissingPart."""
    shared = read_card(files[GLYPHS])
    return {name: read_card(path) if name == MICR else shared for name, path in files.items()}


def reads_pages(card: Mapping[str, Any]) -> bool:
    """Whether a card is of a whole model, and not of a network that knows single digits and nothing else."""
    return card.get("name") != CLASSIC


def read_card(model: Path) -> dict[str, Any]:
    """The card of a model file. Raises MissingPart."""
    path = card_path(model)
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as problem:
        if model.exists():
            raise MissingPart(f"the model {model} has no card: {path.name} should lie beside it") from problem
        raise MissingPart(f"no such model: {model}") from problem
    except OSError as problem:
        raise MissingPart(f"the model's card cannot be read: {path}: {problem.strerror}") from problem
    except ValueError as problem:
        raise MissingPart(f"the card {path} is no JSON: {problem}") from problem
    if not isinstance(card, dict):
        raise MissingPart(f"the card {path} holds no JSON object")
    return card


def card_path(model: Path) -> Path:
    """Where the card of a model file lies."""
    return model.with_name(_parts(model)[0] + ".json")


def decoder_path(model: Path) -> Path:
    """Where the decoder of a model file lies, if it has one."""
    return model.with_name(_parts(model)[0] + DECODER_FILE)


def _parts(model: Path) -> tuple[str, str]:
    """The name of a network, and the ending that tells in which form it is. Raises BadUsage."""
    for ending in ENDINGS:
        if model.name.endswith(ending) and model.name != ending:
            return model.name.removesuffix(ending), ending
    raise BadUsage(f"{model} is no model: its name should end in {', '.join(ENDINGS)}")
