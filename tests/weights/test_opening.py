from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from docproc.errors import MissingPart
from docproc.weights.cards import model_folder
from docproc.weights.opening import open_model


def test_a_model_of_an_earlier_version_is_to_be_fitted_again(tmp_path: Path) -> None:
    """Its calibration was fitted without a kind of evidence that there is now."""
    for file in model_folder().glob("*.onnx"):
        shutil.copy(file, tmp_path)
    card = json.loads((model_folder() / "digits.json").read_text())
    for net in (card["calibration"][kind]["net"] for kind in ("amount", "string", "decimal")):
        net["mean"], net["scale"], net["layers"][0]["weights"] = (
            net["mean"][:-1],
            net["scale"][:-1],
            net["layers"][0]["weights"][:-1],
        )
    (tmp_path / "digits.json").write_text(json.dumps(card))
    with pytest.raises(
        MissingPart, match=r"digits\.onnx was calibrated for another .*docproc model train.*--refit .*digits\.keras"
    ):
        open_model("onnx", tmp_path / "digits.onnx")
