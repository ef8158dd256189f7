from __future__ import annotations

import gzip
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from docproc.errors import BadInput
from docproc.learn.composing import mnist
from docproc.learn.composing.strokes import Pen, draw_digit
from docproc.readers.lattice.normalize import normalize
from tests.conftest import PROJECT


def idx(array: NDArray[np.uint8]) -> bytes:
    head = bytes([0, 0, 8, array.ndim]) + b"".join(int(side).to_bytes(4, "big") for side in array.shape)
    return head + array.tobytes()


def write_mnist(folder: Path, images: NDArray[np.uint8], labels: NDArray[np.uint8]) -> None:
    """The four files, each set the same."""
    folder.mkdir(exist_ok=True)
    for part in ("train", "t10k"):
        (folder / f"{part}-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(images)))
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(idx(labels))


def draw_mnist(folder: Path, count: int) -> None:
    """The four files with digits that the project draws."""
    rng = np.random.default_rng(0)
    labels = (np.arange(count) % 10).astype(np.uint8)
    images = np.array([normalize(draw_digit(int(d), 32, Pen(0.1, 0.02), rng)[0]) for d in labels])
    write_mnist(folder, images, labels)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_mnist(
        tmp_path / "m", np.arange(3 * 784, dtype=np.int64).reshape(3, 28, 28).astype(np.uint8), np.array([1, 2, 9], np.uint8)
    )
    return tmp_path / "m"


def test_plain_and_compressed_files(folder: Path) -> None:
    data = mnist.load(folder)
    assert data.train_images.shape == (3, 28, 28)
    assert data.train_images[0, 0, 5] == 5
    assert data.test_labels.tolist() == [1, 2, 9]
    assert set(data.hashes) == set(mnist.IDX_FILES)


def test_a_missing_file_is_named(folder: Path) -> None:
    (folder / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(BadInput, match="t10k-labels-idx1-ubyte"):
        mnist.load(folder)


@pytest.mark.parametrize("data", [b"", b"\x00\x00\x08\x01\x00\x00\x00\x05abc", b"\x00\x00\x0d\x01" + bytes(9)])
def test_what_is_no_idx_file(folder: Path, data: bytes) -> None:
    (folder / "train-labels-idx1-ubyte").write_bytes(data)
    with pytest.raises(BadInput, match="train-labels"):
        mnist.load(folder)


def test_labels_that_do_not_fit(folder: Path) -> None:
    (folder / "train-labels-idx1-ubyte").write_bytes(idx(np.array([1, 2], np.uint8)))
    with pytest.raises(BadInput, match="do not fit together"):
        mnist.load(folder)


@pytest.mark.thorough
def test_without_a_network_it_is_said_how_to_give_the_files(tmp_path: Path) -> None:
    pytest.importorskip("tensorflow")
    dead = {"https_proxy": "http://127.0.0.1:9", "KERAS_HOME": str(tmp_path / "keras")}
    done = subprocess.run(
        [sys.executable, "-m", "docproc", "model", "train", "--network", "classic", "-o", str(tmp_path)],
        capture_output=True, text=True, cwd=PROJECT, timeout=120, check=False, env=os.environ | dead,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (5, "")
    said = [line for line in done.stderr.splitlines() if line and not line.startswith("Downloading data from")]
    assert said[0] == "reading MNIST"
    assert "give the folder with its four IDX files, or mnist.npz, as --data, or as MNIST in the notebook" in said[1]
    assert len(said) == 2


def test_the_real_files(shared: Path) -> None:
    data = mnist.load(shared / "mnist")
    assert data.train_images.shape == (60_000, 28, 28)
    assert data.test_images.shape == (10_000, 28, 28)


def arrays() -> dict[str, NDArray[np.uint8]]:
    images = np.arange(3 * 784, dtype=np.int64).reshape(3, 28, 28).astype(np.uint8)
    labels = np.array([1, 2, 9], np.uint8)
    return {"x_train": images, "y_train": labels, "x_test": images, "y_test": labels}


def test_an_npz_holds_the_same(folder: Path) -> None:
    np.savez(folder / "mnist.npz", **arrays())  # type: ignore[arg-type]
    one, other = mnist.load(folder / "mnist.npz"), mnist.load(folder)
    assert one.hashes == other.hashes


@pytest.mark.parametrize("fault", ["text", "missing", "floats", "pickled", "none"])
def test_what_is_no_mnist_npz(tmp_path: Path, fault: str) -> None:
    path = tmp_path / "mnist.npz"
    kept: dict[str, NDArray[np.generic]] = {**arrays()}
    if fault == "missing":
        del kept["y_test"]
    elif fault == "floats":
        kept["x_test"] = kept["x_test"].astype(np.float32)
    elif fault == "pickled":
        kept["y_test"] = np.array([print, None, 1], dtype=object)
    if fault == "text":
        path.write_text("no archive")
    elif fault != "none":
        np.savez(path, allow_pickle=True, **kept)
    with pytest.raises(BadInput, match=r"mnist\.npz"):
        mnist.load(path)
