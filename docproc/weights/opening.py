"""Open the shipped models: their networks, and the fitted parts on their cards."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from docproc.backends import open_decoder, open_line_recognizer, open_recognizer
from docproc.backends.form import DIGITS, Form
from docproc.backends.recognizers import DistantRecognizer, Reconstructor
from docproc.errors import MissingPart
from docproc.readers import MICR, NETWORKS, e13b, lattice
from docproc.readers.confidence import Calibration, from_card
from docproc.readers.e13b.font import PRINT_HEIGHT_PX
from docproc.readers.evidence import COMB, FREE
from docproc.readers.lattice.cuts import GEOMETRY
from docproc.readers.model import Model
from docproc.readers.vote import Weights
from docproc.readers.voters import FORMS, VOTERS
from docproc.types import KINDS, Kind, LineRecognizer, ModelHash, Recognizer
from docproc.weights.cards import (
    GLYPHS,
    absent,
    card_path,
    choose_for,
    decoder_path,
    model_folder,
    network_files,
    read_card,
    reads_pages,
)

_Opener = Callable[[Path, Mapping[str, Any], Form], Any]  # opens a network's file, with its card, as a recognizer


@dataclass(frozen=True, slots=True)
class DigitModel:
    """A model that reads single digits."""

    recognizer: Recognizer
    decoder: Reconstructor | None  # draws what it sees; None if there is none


def open_model(backend: str, model: Path | None = None) -> Model:
    """Open `model` (see `cards.network_files`), or the shipped one, on a backend; `auto` takes the best one that works.

    The E-13B network is taken from `micr.onnx` next to it, with its own card, or else from the shipped files.
    Raises MissingPart if the backend does not work, or a file is missing, damaged, or not the one that the card describes;
    BadUsage if the backend does not run such files.
    """
    backend = choose_for(backend, model).backend
    return _assembled(network_files(backend, model), partial(_opened, backend))


def open_model_elsewhere(backend: str, model: Path | None, ask: Callable[[tuple[ModelHash, Any]], Any]) -> Model:
    """Like `open_model`, but with only the cards: another process has the networks, and `ask` requests scores from it.

    So neither the backend (not `auto`) nor the network files are needed here.
    """

    def asked(path: Path, card: Mapping[str, Any], form: Form) -> DistantRecognizer:
        return DistantRecognizer(backend, ModelHash(str(card.get("sha256", {}).get(path.name))), form, ask)

    return _assembled(network_files(backend, model), asked)


def _assembled(files: Mapping[str, Path], opener: _Opener) -> Model:
    path = files[GLYPHS]
    card = read_card(path)
    _check_reads_pages(path, card)
    if card.get("geometry") != list(GEOMETRY):
        raise MissingPart(f"{path} was trained for another version of docproc: train it again with docproc model train")
    try:
        fitted = {name: voter.fitted(card) for name, voter in VOTERS.items()}
        calibrations, weights = _calibrations(card, KINDS), _weights(card, KINDS)
        repairs = from_card(card["repairs"])
        unlike = [kind for kind in KINDS if calibrations[kind].inputs != len(COMB if kind == "comb" else FREE)]
    except (KeyError, TypeError, ValueError) as problem:
        raise MissingPart(f"the card {card_path(path)} is damaged: {problem}") from problem
    if unlike:
        raise MissingPart(
            f"{path} was calibrated for another version of docproc: train it again with docproc model train. "
            f"If it was trained without --from, docproc model train --refit {card_path(path).with_suffix('.keras')} is enough"
        )
    micr, calibrations[MICR] = _open_micr(files[MICR], opener)
    networks = {name: opener(files[network], card, FORMS[name]) for name, network in NETWORKS.items()}
    return Model(networks, micr, fitted, weights, calibrations, repairs)


def open_network_of(backend: str, content: bytes, form: Form) -> Recognizer | LineRecognizer:
    """Open a network of lines, or of images of one size. Raises MissingPart and BadUsage like `open_model`."""
    return (open_line_recognizer if form.of_lines else open_recognizer)(backend, content, form)


def open_digit_model(backend: str, model: Path | None = None) -> DigitModel:
    """Open only the network for single digits: that of `model`, or the shipped one. Raises the same as `open_model`."""
    backend = choose_for(backend, model).backend
    path = network_files(backend, model)[GLYPHS]
    card = read_card(path)
    recognizer = open_recognizer(backend, model_bytes(path, card), glyph_form(card))
    drawn = decoder_path(path)
    # A wheel has the networks for reading, but not the decoder for reports.
    known = drawn.name in card.get("sha256", {}) and (drawn.parent != model_folder() or drawn.exists())
    decoder = open_decoder(model_bytes(drawn, card)) if known else None
    return DigitModel(recognizer, decoder)


def glyph_form(card: Mapping[str, Any]) -> Form:
    """The inputs and outputs of the network for single digits."""
    return lattice.FORM if reads_pages(card) else DIGITS


def _check_reads_pages(path: Path, card: Mapping[str, Any]) -> None:
    """Raises MissingPart for a model of single digits."""
    if not reads_pages(card):
        raise MissingPart(
            f"{path} reads single digits (docproc model predict); pages take a model of docproc model train --network digits"
        )


def _calibrations(card: Mapping[str, Any], kinds: Sequence[Kind]) -> dict[Kind, Calibration]:
    return {kind: Calibration.from_card(_of_kind(card["calibration"], kind)) for kind in kinds}


def _weights(card: Mapping[str, Any], kinds: Sequence[Kind]) -> dict[Kind, Weights]:
    return {kind: Weights.from_card(_of_kind(card["vote"], kind)) for kind in kinds}


def _of_kind(fitted: Mapping[str, Any], kind: Kind) -> Any:
    """What was fitted for a kind of field; measurements are treated like amounts if the card does not mention them."""
    return fitted["amount"] if kind == "decimal" and kind not in fitted else fitted[kind]


def _opened(backend: str, path: Path, card: Mapping[str, Any], form: Form) -> Recognizer | LineRecognizer:
    return open_network_of(backend, model_bytes(path, card), form)


def _open_micr(path: Path, opener: _Opener) -> tuple[LineRecognizer, Calibration]:
    """The E-13B network with its calibration. Raises MissingPart."""
    card = read_card(path)
    if card.get("print_height") != PRINT_HEIGHT_PX:
        raise MissingPart(
            f"{path} was trained for another version of docproc: train it again with docproc model train --network micr"
        )
    try:
        calibration = Calibration.from_card(card["calibration"])
    except (KeyError, TypeError, ValueError) as problem:
        raise MissingPart(f"the card {card_path(path)} is damaged: {problem}") from problem
    return opener(path, card, e13b.FORM), calibration


def model_bytes(path: Path, card: Mapping[str, Any]) -> bytes:
    """The bytes of a network's file, if it is the one that the card describes. Raises MissingPart."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise absent(path) from None
    except OSError as problem:
        raise MissingPart(
            f"the model cannot be read: {path}: {problem.strerror}; train it with docproc model train"
        ) from problem
    expected = card.get("sha256", {}).get(path.name)
    found = hashlib.sha256(data).hexdigest()
    if found != expected:
        raise MissingPart(
            f"{path} is not the model that its card describes (SHA-256 {found[:12]}, the card says {str(expected)[:12]}); "
            "reinstall docproc, or train the model again"
        )
    return data
