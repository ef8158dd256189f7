"""Export and bench, as a user meets them."""

from __future__ import annotations

import json
import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from docproc.backends import available
from docproc.learn.evaluation.bench import work_of
from docproc.learn.training.conversion import FORMS, _batches
from docproc.weights.cards import model_folder, network_files
from docproc.weights.opening import open_model
from tests.cli.program import docproc
from tests.conftest import PROJECT
from tests.learn.composing.test_mnist import write_mnist

needs_tensorflow = pytest.mark.skipif(find_spec("tensorflow") is None, reason="needs TensorFlow (the extra `train`)")


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mnist")
    images = np.random.default_rng(0).integers(0, 256, (200, 28, 28)).astype(np.uint8)
    write_mnist(folder, images, (np.arange(200) % 10).astype(np.uint8))
    return folder


@needs_tensorflow
@pytest.mark.thorough
def test_networks_are_written_in_all_precisions_and_compared(digits: Path, tmp_path: Path) -> None:
    out = tmp_path / "model"
    done = docproc("model", "export", "-o", out, "--data", digits, "--json")
    assert done.returncode == 0, done.stderr
    rows = {(row["network"], row["form"]): row for row in json.loads(done.stdout)}
    assert len(rows) == len(FORMS) * 5
    for network in FORMS:
        assert rows[network, "ONNX float32"]["differs"] < 1e-4
        # Nearly equal outputs may be put in either order.
        assert rows[network, "ONNX float32"]["same"] >= 0.99
        assert rows[network, "ONNX float16"]["differs"] < 0.05
        assert rows[network, "ONNX float16"]["bytes"] < 0.6 * rows[network, "ONNX float32"]["bytes"]
        engine = rows[network, "TensorRT float16"]
        if find_spec("tensorrt_rtx"):
            assert engine["bytes"] > 100_000
        if available("tensorrt"):
            assert available("tensorrt") in engine["remark"]
    # What was written is a model: each precision runs.
    for name in ("digits.fp32.onnx", "digits.fp16.onnx", "digits.onnx"):
        assert open_model("onnx", out / name).networks["lattice"].recognize(np.zeros((1, 28, 28), np.uint8)).shape == (1, 11)
    done = docproc("model", "export", "-o", out, "--data", digits)
    assert done.returncode == 6
    assert "--overwrite" in done.stderr


def floats(path: Path) -> dict[str, NDArray[np.floating[Any]]]:
    """The weights of an ONNX file by their names, without single numbers, which are named anew each time."""
    onnx = pytest.importorskip("onnx")
    found = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in onnx.load(str(path)).graph.initializer}
    return {name: array for name, array in found.items() if array.dtype.kind == "f" and array.size > 1}


@needs_tensorflow
@pytest.mark.thorough
def test_the_shipped_float16_is_that_of_keras(digits: Path, tmp_path: Path) -> None:
    done = docproc("model", "export", "-o", tmp_path / "m", "--data", digits, "--precision", "float16")
    assert done.returncode == 0, done.stderr
    assert "ONNX float16" in done.stdout
    for name in ("digits.fp16.onnx", "lines.fp16.onnx", "cells.fp16.onnx", "micr.fp16.onnx"):
        shipped, made = floats(model_folder() / name), floats(tmp_path / "m" / name)
        assert shipped.keys() == made.keys()
        # Where layers are joined at the export, processors round the last bit of a weight to either side: 2**-10 of it at most.
        for key, weights in shipped.items():
            assert weights.dtype == made[key].dtype
            np.testing.assert_allclose(made[key], weights, rtol=2**-10, atol=2**-24, err_msg=f"{name}: {key}")


@needs_tensorflow
@pytest.mark.thorough
def test_a_keras_file_that_was_changed_is_not_opened(digits: Path, tmp_path: Path) -> None:
    shutil.copytree(model_folder(), tmp_path / "m")
    data = bytearray((tmp_path / "m" / "lines.keras").read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / "m" / "lines.keras").write_bytes(data)
    done = docproc("model", "export", "--model", tmp_path / "m" / "digits.onnx", "-o", tmp_path / "out", "--data", digits)
    assert done.returncode == 4
    assert "not the model that its card describes" in done.stderr
    done = docproc(
        "run", PROJECT / "samples" / "checks", "-o", tmp_path / "t.csv", "--backend", "tensorflow",
        "--model", tmp_path / "m" / "digits.onnx",
    )  # fmt: skip
    assert done.returncode == 4
    assert "not the model that its card describes" in done.stderr


@pytest.mark.parametrize(("name", "form"), FORMS.items())
def test_digits_of_mnist_fit_every_network(name: str, form: object) -> None:
    images = np.zeros((50, 28, 28), np.uint8)
    images[:, 5, 6] = 255
    batches = _batches(name, FORMS[name], images)
    takes = FORMS[name].takes
    assert FORMS[name] == form
    for batch in batches:
        assert batch.dtype == np.uint8
        assert len(batch.shape) == len(takes) + 1
        assert all(side in (None, have) for side, have in zip(takes, batch.shape[1:], strict=True))
    assert sum(int((batch == 255).sum()) for batch in batches) == 50


@pytest.mark.thorough
def test_the_bench_tells_a_table_or_json() -> None:
    arguments = (
        "model",
        "bench",
        "--backend",
        "onnx",
        "--backend",
        "tensorrt",
        "--batch",
        4,
        "--batch",
        300,
        "--seconds",
        0.01,
    )
    done = docproc(*arguments)
    assert done.returncode == 0, done.stderr
    assert "digits.onnx" in done.stdout
    done = docproc(*arguments, "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert [rate["batch"] for rate in found["rates"] if rate["backend"] == "onnx"] == [4, 300]
    assert all(rate["docproc"] > 0 and rate["plain"] > 0 for rate in found["rates"])
    assert ("tensorrt" in found["silent"]) == (available("tensorrt") is not None)
    if find_spec("onnx"):
        assert found["floor"]["precision"] == "eight bits"
        assert found["floor"]["by_arithmetic"] > 0


def test_the_work_of_a_digit_is_that_of_its_layers() -> None:
    # 3x3 convolutions 1-16-32-64-64 at 28, 14, 7 and 7 px, 3136-96-10+2.
    multiplied = 9 * (28**2 * 16 + 14**2 * 16 * 32 + 7**2 * (32 + 64) * 64) + 3136 * 96 + 96 * 12
    operations, size, eight = work_of(network_files("onnx")["glyphs"].read_bytes())
    assert operations == 2 * multiplied
    assert size > 28**2
    assert eight
    operations, float_size, eight = work_of(network_files("tensorrt")["glyphs"].read_bytes())
    assert operations == 2 * multiplied
    assert 3 * size < float_size < 4 * size
    assert not eight
