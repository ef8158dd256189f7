"""Where the models are, and what their cards say about them; nothing here opens a network.

A model is a folder with the networks and one card. Each network is there in several files derived from one another: as
trained (`.keras`, float32), for GPUs (`.fp16.onnx`), and for CPUs (`.onnx`, eight bits). Each backend uses its own.

A wheel holds only what is needed to read on a CPU. The files for training and GPUs are a separate distribution,
`docproc-digits-training`, which installs them into the same folder; a clone of the project has all of them.
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

GLYPHS = "glyphs"  # the network whose file identifies a model; the others are next to it, under their own names
CLASSIC = "classic"  # the name on the card of a network that knows only the ten digits
DECODER_FILE = ".decoder.onnx"  # after the name of a network: draws what it sees
ENDINGS = (".fp16.onnx", ".fp32.onnx", ".onnx", ".keras")
FOR_TRAINING = (".keras", ".fp16.onnx", DECODER_FILE)  # endings of the files that only docproc-digits-training installs


def model_folder() -> Path:
    """The folder of the shipped models: inside the installed package, or models/ of a source tree."""
    installed = Path(str(files("docproc"))) / "models"
    return installed if installed.is_dir() else Path(str(files("docproc"))).parent / "models"


def absent(path: Path) -> MissingPart:
    """The error for a missing network file."""
    if path.name.endswith(FOR_TRAINING) and path.parent == model_folder():
        return MissingPart(
            f"the networks for training, for GPUs and for --backend tensorflow are not installed ({path.name}); they come as "
            "docproc-digits-training, and in a clone of docproc with: pip install ./models"
        )
    return MissingPart(f"the model cannot be read: {path}: there is no such file; docproc model train makes one")


def network_files(backend: str, model: Path | None = None) -> dict[str, Path]:
    """The files that a backend (not `auto`) runs: one for each of `readers.NETWORKS`, and `micr`, which has its own card.

    `model` is the file of the glyph network, with the others next to it; None means the shipped one. The shipped E-13B network
    is also used if neither it nor its card is there. NAME.onnx stands for whatever the backend uses, another ending for itself;
    for the backend "" it is used as named. Raises BadUsage for a file that the backend does not run.
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
    """Like `backends.choose`; `auto` skips a backend that has no file of this model, see `network_files`."""

    def lacks(name: str) -> str | None:
        path = network_files(name, model)[GLYPHS]
        return None if path.exists() else str(absent(path))

    return choose(backend, lacks)


def model_hashes(model: Path | None = None, backend: str = "") -> dict[str, str]:
    """SHA-256 of the files that `open_model` would use, and of their cards. Raises BadUsage and MissingPart."""
    files = network_files(backend, model)
    cards = cards_of(files)
    hashes = {name: str(dict(cards[name].get("sha256", {})).get(path.name)) for name, path in files.items()}
    both = json.dumps([cards[GLYPHS], cards[MICR]], sort_keys=True)
    return hashes | {"card": hashlib.sha256(both.encode()).hexdigest()}


def cards_of(files: Mapping[str, Path]) -> dict[str, dict[str, Any]]:
    """The card of each of `network_files`: E-13B has its own, the others share one. Raises MissingPart."""
    shared = read_card(files[GLYPHS])
    return {name: read_card(path) if name == MICR else shared for name, path in files.items()}


def reads_pages(card: Mapping[str, Any]) -> bool:
    """Whether a card is of a whole model, and not of a network that knows only single digits."""
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
    """The path of the card of a model file."""
    return model.with_name(_parts(model)[0] + ".json")


def decoder_path(model: Path) -> Path:
    """The path of the decoder of a model file, if it has one."""
    return model.with_name(_parts(model)[0] + DECODER_FILE)


def _parts(model: Path) -> tuple[str, str]:
    """The name of a network, and the ending that gives its format. Raises BadUsage."""
    for ending in ENDINGS:
        if model.name.endswith(ending) and model.name != ending:
            return model.name.removesuffix(ending), ending
    raise BadUsage(f"{model} is no model: its name should end in {', '.join(ENDINGS)}")
