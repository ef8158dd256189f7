"""A card: written beside the files that it describes, and read again."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from docproc._version import __version__
from docproc.learn.evaluation.history import Epoch, histories_from_card
from docproc.learn.training.export import file_hash
from docproc.learn.training.model_card import E13B_FILES, TrainedModel, write_model_card
from docproc.learn.training.recipes import E13bRecipe
from docproc.weights.cards import read_card


def test_a_card_holds_all_that_is_known_of_a_model(tmp_path: Path) -> None:
    for name in E13B_FILES:
        (tmp_path / name).write_text(name)
    histories = {"micr": (Epoch(2.5, None, 3.0, None), Epoch(1.5, None, 2.0, None))}
    model = TrainedModel(
        "micr", E13bRecipe(seed=7), {"glyphs": "drawn"}, 1.26, {"exact": 0.5}, histories, E13B_FILES, {"print_height": 18}
    )
    card = write_model_card(model, tmp_path)
    assert card == {
        "name": "micr",
        "docproc": __version__,
        "recipe": asdict(E13bRecipe(seed=7)),
        "data": {"glyphs": "drawn"},
        "minutes": 1.3,
        "scores": {"exact": 0.5},
        "history": {"micr": [asdict(epoch) for epoch in histories["micr"]]},
        "sha256": {name: file_hash(tmp_path / name) for name in E13B_FILES},
        "print_height": 18,
    }
    assert read_card(tmp_path / "micr.onnx") == card
    assert histories_from_card(card) == {"micr": list(histories["micr"])}
    assert histories_from_card({}) == {}
