"""From corrected results to a model, or to the reasons why there is none."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from docproc.commands import retrain as command
from docproc.commands.retrain import RetrainRequest, retrain
from docproc.errors import BadInput, BadUsage, DocprocError, MissingPart, OutputExists
from docproc.learn.progress import Step
from docproc.learn.training.model_card import HANDWRITING_FILES
from docproc.learn.training.recipes import FINETUNING
from docproc.readers import line
from docproc.readers.handwriting import prepare
from docproc.types import Box, Field
from docproc.weights.cards import model_folder, read_card
from tests.cli.program import docproc, table
from tests.conftest import PROJECT, draw_field

pytestmark = pytest.mark.thorough

needs_tensorflow = pytest.mark.skipif(find_spec("tensorflow") is None, reason="needs TensorFlow (the extra `train`)")

DOCUMENTS = 180


def train(reviewed: Path, output: Path, *more: object) -> subprocess.CompletedProcess[str]:
    """As `docproc` of the other tests, but Keras may warn."""
    arguments = ["model", "train", "--from", reviewed, "-o", output, "--max-error", "5%", "-j", "2", *more]
    small = ["--strips", "100", "--fit-strips", "100", "--epochs", "1"]
    return subprocess.run(
        [sys.executable, "-m", "docproc", *map(str, [*arguments[:2], *small, *arguments[2:]])],
        capture_output=True, text=True, cwd=PROJECT, timeout=600, check=False, env=os.environ | {"CUDA_VISIBLE_DEVICES": "-1"},
    )  # fmt: skip


def numbers() -> list[str]:
    rng = np.random.default_rng(4)
    return ["".join(map(str, rng.integers(0, 10, 3))) for _ in range(DOCUMENTS)]


def correct(results: Path, reviewed: Path, texts: Mapping[str, str]) -> None:
    """Write the table as a person leaves it; `texts` by the document's name."""
    rows = table(results)
    with open(reviewed, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(row | {"text": texts.get(row["document"], row["text"])} for row in rows)


@pytest.fixture(scope="module")
def scans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Short numbers, drawn, each a document; and the table of a run over them."""
    folder = tmp_path_factory.mktemp("scans")
    (folder / "in").mkdir()
    for k, text in enumerate(numbers()):
        Image.fromarray(draw_field(text, height=30 + k % 9, level=20 + k)).save(folder / "in" / f"{k:03}.png")
    done = docproc("run", folder / "in", "--layout", "digits", "-o", folder / "results.csv", "-j", 2)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def reviewed(scans: Path) -> Path:
    """One text is another than what was read."""
    correct(scans / "results.csv", scans / "reviewed.csv", {"007.png": "70"})
    return scans / "reviewed.csv"


def request(reviewed: Path, output: Path, **changes: object) -> RetrainRequest:
    return RetrainRequest(reviewed, output, results=reviewed.with_name("results.csv"), max_error=0.05, **changes)  # type: ignore[arg-type]


def test_what_cannot_be_learned_from_is_told_with_what_to_do(scans: Path, reviewed: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"give the table of the run that reviewed.csv corrects with --results"):
        retrain(RetrainRequest(reviewed, tmp_path), print)
    with pytest.raises(BadInput, match=r"every text in .* is the one that was read"):
        retrain(request(scans / "results.csv", tmp_path), print)
    for text, told in (
        ("document,page,field,text\nother.png,1,digits,12\n", "the run knows no document of .* begins with other.png"),
        ("document,page,field,text\n007.png,1,digits,1.2\n", r"007.png, page 1, digits: the text '1.2' holds more than digits"),
        ("document,page,field,value\n007.png,1,digits,12\n", "no column text"),
        ("document,field,text\n007.png,digits,12\n007.png,digits,12\n", "two rows are of 007.png"),
    ):
        own = scans / "own.csv"
        own.write_text(text)
        with pytest.raises(BadInput, match=told):
            retrain(request(own, tmp_path), print)
    with pytest.raises(BadUsage, match="--max-error"):
        retrain(RetrainRequest(reviewed, tmp_path, max_error=0.0), print)
    (tmp_path / "lines.keras").touch()
    with pytest.raises(OutputExists, match=r"lines.keras already exists"):
        retrain(request(reviewed, tmp_path), print)


def test_too_few_held_back_are_refused_before_the_work(reviewed: Path, tmp_path: Path) -> None:
    with pytest.raises(
        DocprocError, match=r"only \d+ fields lie on the documents .* it takes 100 .* of 1%: correct about \d+ "
    ) as told:
        retrain(RetrainRequest(reviewed, tmp_path, results=reviewed.with_name("results.csv"), max_error=0.01), print)
    assert told.value.exit_code == 1


def test_documents_that_are_gone_or_changed_are_told(scans: Path, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for name in ("001.png", "002.png"):
        shutil.copyfile(scans / "in" / name, tmp_path / "in" / name)
    done = docproc("run", tmp_path / "in", "--layout", "digits", "-o", tmp_path / "results.csv", "-j", 1)
    assert done.returncode == 0, done.stderr
    correct(tmp_path / "results.csv", tmp_path / "reviewed.csv", {"001.png": "5"})
    (tmp_path / "in" / "002.png").rename(tmp_path / "002.png")
    with pytest.raises(BadInput, match=r"002.png: .*: put the documents back"):
        retrain(request(tmp_path / "reviewed.csv", tmp_path / "out"), print)
    shutil.copyfile(tmp_path / "in" / "001.png", tmp_path / "in" / "002.png")
    with pytest.raises(BadInput, match=r"002.png: changed since it was read"):
        retrain(request(tmp_path / "reviewed.csv", tmp_path / "out"), print)


def test_fields_that_lie_elsewhere_now_are_told(scans: Path, reviewed: Path, tmp_path: Path) -> None:
    template = tmp_path / "form.toml"
    template.write_text(
        'schema_version = 1\nname = "strip"\n[page]\nsize = [150, 70]\n'
        '[[field]]\nname = "digits"\nbox = [4, 4, 90, 60]\nkind = "string"\n'
    )
    with pytest.raises(BadInput, match=r"fields lie elsewhere on their pages .* --layout"):
        retrain(request(reviewed, tmp_path / "out", layout=str(template)), print)


def test_copies_are_one_document(scans: Path, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for k in range(40):
        shutil.copyfile(scans / "in" / f"{k // 2:03}.png", tmp_path / "in" / f"{k:02}.png")
    options = ("--date-order", "DMY", "--limit", "pdf_dpi=200")
    done = docproc("run", tmp_path / "in", "--layout", "digits", *options, "-o", tmp_path / "results.csv", "-j", 1)
    assert done.returncode == 0, done.stderr
    # Of the second pair only one is corrected, of the third both are.
    correct(tmp_path / "results.csv", tmp_path / "reviewed.csv", {"02.png": "5", "04.png": "6", "05.png": "6"})
    logged: list[str | Step] = []
    documents, settings = command._documents(
        request(tmp_path / "reviewed.csv", tmp_path / "out"),
        model_folder() / "digits.onnx",
        logged.append,
    )
    assert len(documents) == 20
    assert logged[0] == Step("checking that no document was changed", 0, 20)
    said = [one for one in logged if isinstance(one, str)]
    assert said[0].startswith("40 fields on 20 documents, 3 of them corrected")
    assert "1 of which copies of one document say different things are left out" in said[0]
    texts = {one.document.name: dict(one.texts) for one in documents}
    assert texts["02.png"] == {}
    assert texts["04.png"] == {(1, "digits"): "6"}
    assert texts["00.png"] == {(1, "digits"): numbers()[0]}
    # They are read as the run read them.
    assert (settings.layout.name, settings.layout.date_order, settings.limits.pdf_dpi) == ("digits", "DMY", 200)


def test_a_base_that_has_learned_keeps_its_seed(reviewed: Path, tmp_path: Path) -> None:
    card = read_card(model_folder() / "digits.onnx")
    for name in HANDWRITING_FILES:
        shutil.copyfile(model_folder() / name, tmp_path / name)
    card["data"]["reviewed"] = {"seed": 12}
    (tmp_path / "digits.json").write_text(json.dumps(card))
    with pytest.raises(BadUsage, match="learned from corrections with --seed 12"):
        retrain(request(reviewed, tmp_path / "out", base=tmp_path / "digits.keras", changes={"seed": 13}), print)
    assert command._seed(request(reviewed, tmp_path / "out"), card) == 12
    assert command._seed(request(reviewed, tmp_path / "out", changes={"seed": 12}), card) == 12
    assert command._seed(request(reviewed, tmp_path / "out", changes={"seed": 13}), {}) == 13
    assert command._seed(request(reviewed, tmp_path / "out"), {}) == FINETUNING.seed
    with pytest.raises(MissingPart):
        retrain(request(reviewed, tmp_path / "out", base=tmp_path / "none" / "digits.keras"), print)


def test_options_of_learning_go_with_it(tmp_path: Path) -> None:
    for options in (["--base", "a.keras"], ["--results", "a.csv"], ["--layout", "digits"], ["--max-error", "2%"]):
        done = docproc("model", "train", *options, cwd=tmp_path)
        assert done.returncode == 2, done.stderr
        assert "--from" in done.stderr
    done = docproc("model", "train", "--from", "a.csv", "--network", "micr", cwd=tmp_path)
    assert done.returncode == 2, done.stderr


@needs_tensorflow
def test_what_is_no_better_is_not_written(scans: Path, reviewed: Path, tmp_path: Path) -> None:
    """The shipped networks read all of these numbers, so there is nothing to gain."""
    learned = tmp_path / "learned"
    little = ["--line-epochs", "1", "--strips", "120", "--fit-strips", "250"]
    done = train(reviewed, learned, "--results", scans / "results.csv", *little)
    assert done.returncode == 1, done.stderr
    assert {
        "checking that no document was changed", "taking examples from the documents", "drawing digits",
        "reading the documents held back with the model as it was", "reading composed fields with the model as it was",
        "composing fields to train on", "training the line network (1 of 2)", "writing the line network",
        "reading the documents held back with the new model", "reading composed fields with the new model",
        "comparing the two models",
    } <= set(done.stderr.splitlines())  # fmt: skip
    assert "not better, and nothing was written:" in done.stdout
    assert "no more fields can be accepted" in done.stdout
    assert [line.split()[0] for line in done.stdout.splitlines()[1:3]] == ["before", "fields"]
    assert not learned.exists()


def read_exactly(told: str) -> str:
    return next(line for line in told.splitlines() if line.startswith("read exactly"))


def spoil(folder: Path) -> Path:
    """The shipped model with noise in the last weights of its line networks, and no vote of those that would mend it."""
    from docproc.backends import tensorflow
    from docproc.learn.training.architectures import each_line_reader
    from docproc.learn.training.export import export_line_network, file_hash

    folder.mkdir()
    for name in (*HANDWRITING_FILES, "digits.json"):
        shutil.copyfile(model_folder() / name, folder / name)
    network = tensorflow.load((folder / "lines.keras").read_bytes(), line.FORM)
    rng = np.random.default_rng(0)
    for reader in each_line_reader(network):
        weights = reader.get_weights()
        weights[-2] += rng.normal(0, 0.36, weights[-2].shape)
        reader.set_weights(weights)
    network.save(folder / "lines.keras")
    probe = [prepare(Field("f", Box(0, 0, 150, 70)), draw_field(text)).views["line"] for text in numbers()[:20]]
    export_line_network(network, folder / "lines.onnx", probe)
    card = read_card(folder / "digits.onnx")
    card["sha256"] |= {path.name: file_hash(path) for path in folder.glob("lines.*")}
    (folder / "digits.json").write_text(json.dumps(card))
    return folder / "digits.keras"


@needs_tensorflow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Keras', when it saves
@pytest.mark.slow
def test_a_network_that_reads_badly_learns_to_read_better(scans: Path, tmp_path: Path) -> None:
    base = spoil(tmp_path / "base")
    results, learned = tmp_path / "results.csv", tmp_path / "learned"
    read = ["run", scans / "in", "--layout", "digits", "-j", 2]
    done = docproc(*read, "--model", base.with_suffix(".onnx"), "-o", results)
    assert done.returncode == 0, done.stderr
    truth = {f"{k:03}.png": text for k, text in enumerate(numbers())}
    wrong = sum(row["text"] != truth[row["document"]] for row in table(results))
    assert wrong > 5
    correct(results, tmp_path / "reviewed.csv", truth)
    (tmp_path / "results.csv.docproc").rename(tmp_path / "reviewed.csv.docproc")
    enough = ["--strips", "400", "--fit-strips", "400"]  # with fewer composed fields it is chance whether they got better
    done = train(tmp_path / "reviewed.csv", learned, "--base", base, "--line-epochs", "8", *enough)
    before, after, *composed = (float(part) for part in re.findall(r"([\d.]+)%", read_exactly(done.stdout)))
    assert after > before
    assert composed[1] > composed[0]
    if done.returncode == 1:  # so few fields set thresholds that the check of what is accepted may refuse
        assert "more of the accepted fields are wrong" in done.stdout
        assert not learned.exists()
        return
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"better; written: {learned / 'digits.onnx'}" in done.stdout
    # What was written is a model, and it reads what nobody trained it on.
    done = docproc(*read, "--model", learned / "digits.onnx", "-o", tmp_path / "after.csv")
    assert done.returncode == 0, done.stderr
    assert sum(row["text"] != truth[row["document"]] for row in table(tmp_path / "after.csv")) < wrong
    card = read_card(learned / "digits.onnx")
    told = card["judged"]["held_back"]
    assert told["after"]["read_rate"] > told["before"]["read_rate"]
    assert card["data"]["reviewed"]["held_back"]["fields"] == told["after"]["fields"] >= 50
    assert sorted(path.name for path in learned.iterdir()) == sorted([*HANDWRITING_FILES, "digits.json"])
    # There is no comb among the scans, so there was nothing to learn for cells.
    for name in ("cells.onnx", "cells.fp16.onnx", "cells.keras"):
        assert (learned / name).read_bytes() == (model_folder() / name).read_bytes()
    assert card["base"]["sha256"]["lines.keras"] == read_card(base)["sha256"]["lines.keras"]
    assert card["calibration"] == read_card(base)["calibration"]
