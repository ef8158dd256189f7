"""All backends that work here read the samples alike.

Those that run the float network agree in the confidence, too. The default runs it in eight bits, which is another matter:
there the texts are the same and the confidence is near.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from docproc import documents as module
from docproc.backends import BACKENDS, available
from docproc.documents import settings_for
from docproc.files import find_documents, open_pages
from docproc.forms import locator, open_layout, scans
from docproc.options import Limits, RunRequest
from docproc.pipeline import Locate, read_page
from docproc.readers.model import Model
from docproc.types import Page, Reading
from docproc.weights import opening
from docproc.weights.cards import model_folder
from docproc.weights.opening import open_model
from tests.cli.program import docproc, table
from tests.conftest import SAMPLES, file_of

pytestmark = pytest.mark.thorough

SAME = 1e-3  # of the confidence, between float32 and sixteen bits
NEAR = 0.05  # between eight bits and float

FLOAT16 = model_folder() / "digits.fp16.onnx"

Pages = list[tuple[Page, Locate]]


@pytest.fixture(scope="module")
def pages() -> Pages:
    """The pages of the samples, and how their fields are found."""
    documents, _ = find_documents([SAMPLES])
    layout = open_layout("auto", tuple(sorted({str(file_of(d).parent) for d in documents})))
    found = []
    for document in scans(layout, documents):
        for page in open_pages(document, Limits()):
            assert isinstance(page, Page)
            found.append((page, locator(layout, str(file_of(document).parent))))
    return found


def readings(pages: Pages, model: Model) -> list[Reading]:
    accept = model.accepts(0.01)
    return [result.reading for page, locate in pages for result in read_page(page, locate, model, accept).results]


def opened(backend: str, model: Path | None = None) -> Model:
    if (reason := available(backend)) is not None:
        pytest.skip(reason)
    return open_model(backend, model)


@pytest.fixture(scope="module")
def float16(pages: Pages) -> list[Reading]:
    """What the file for GPUs says, on ONNX Runtime."""
    return readings(pages, opened("onnx", FLOAT16))


def largest_difference(some: list[Reading], others: list[Reading]) -> float:
    return float(np.abs(np.subtract([r.confidence for r in some], [r.confidence for r in others])).max())


@pytest.mark.parametrize("backend", ["tensorflow", "tensorrt"])
def test_backends_agree_on_the_float_network(pages: Pages, float16: list[Reading], backend: str) -> None:
    found = readings(pages, opened(backend))
    assert len(found) > 100
    assert [r.text for r in found] == [r.text for r in float16]
    assert largest_difference(found, float16) <= SAME


def test_eight_bits_read_the_same(pages: Pages, float16: list[Reading]) -> None:
    found = readings(pages, opened("onnx"))
    assert [r.text for r in found] == [r.text for r in float16]
    # Of texts that are about equally probable either may come first; a rule of the field then decides, and how sure that is
    # depends on which was first.
    same = [pair for pair in zip(found, float16, strict=True) if pair[0].read == pair[1].read]
    assert len(same) >= len(found) - 1
    assert largest_difference([own for own, _ in same], [other for _, other in same]) <= NEAR


def test_the_table_tells_which_networks_read(tmp_path: Path) -> None:
    sample = sorted((SAMPLES / "checks").glob("*.jpg"))[0]
    told = {}
    for backend in ("onnx", "tensorflow"):
        reader = opened(backend)
        done = docproc("run", sample, "-o", tmp_path / f"{backend}.csv", "--backend", backend)
        assert done.returncode == 0, done.stderr
        rows = table(tmp_path / f"{backend}.csv")
        assert {row["run"] for row in rows} == {reader.name}
        told[reader.name] = [row["text"] for row in rows]
    assert len(told) == 2
    assert len({tuple(texts) for texts in told.values()}) == 1


def test_what_a_backend_builds_is_built_before_the_workers_start(monkeypatch: pytest.MonkeyPatch) -> None:
    documents, _ = find_documents([SAMPLES / "checks"])
    request = RunRequest((SAMPLES,), Path("t.csv"), layout="amount", backend="onnx")
    opened: list[tuple[object, ...]] = []
    monkeypatch.setattr(opening, "open_model", lambda *arguments: opened.append(arguments))
    settings_for(documents, request)
    assert not opened
    monkeypatch.setattr(module, "BACKENDS", {"onnx": replace(BACKENDS["onnx"], builds=True)})
    settings_for(documents, request)
    assert opened == [("onnx", None)]


@pytest.mark.parametrize(("backend", "ending"), [("onnx", ".onnx"), ("tensorflow", ".keras")])
def test_a_network_of_another_form_is_refused(tmp_path: Path, backend: str, ending: str) -> None:
    """Its card vouches for it, and still it is not the network that should be there."""
    if (reason := available(backend)) is not None:
        pytest.skip(reason)
    shutil.copytree(model_folder(), tmp_path / "m")
    shutil.copyfile(tmp_path / "m" / f"cells{ending}", tmp_path / "m" / f"digits{ending}")
    card = json.loads((tmp_path / "m" / "digits.json").read_text(encoding="utf-8"))
    card["sha256"][f"digits{ending}"] = card["sha256"][f"cells{ending}"]
    (tmp_path / "m" / "digits.json").write_text(json.dumps(card), encoding="utf-8")
    done = docproc(
        "run", SAMPLES / "checks", "-o", tmp_path / "t.csv", "--backend", backend, "--model", tmp_path / "m" / "digits.onnx",
    )  # fmt: skip
    assert done.returncode == 4
    assert "the model is not a digit network: it should take uint8 (any, 28, 28)" in done.stderr


def test_a_backend_that_does_not_work_ends_with_its_reason(tmp_path: Path) -> None:
    reason = available("tensorrt")
    if reason is None:
        pytest.skip("TensorRT works here")
    done = docproc("run", SAMPLES / "checks", "-o", tmp_path / "t.csv", "--backend", "tensorrt")
    assert done.returncode == 4
    assert reason in done.stderr
    done = docproc("run", SAMPLES / "checks", "-o", tmp_path / "t.csv", "-v")
    assert done.returncode == 0
    assert f"backend onnx; not tensorrt: {reason}" in done.stderr
