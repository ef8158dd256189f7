"""MNIST: the four IDX files in a folder, an `.npz`, or Keras' own download.

Y. LeCun, C. Cortes, C. J. C. Burges, "The MNIST database of handwritten digits".
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import sys
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from docproc.backends.quiet import import_tensorflow
from docproc.errors import BadInput, MissingPart

NPZ_ARRAYS = {"train_images": "x_train", "train_labels": "y_train", "test_images": "x_test", "test_labels": "y_test"}
IDX_FILES = {
    "train_images": "train-images-idx3-ubyte",
    "train_labels": "train-labels-idx1-ubyte",
    "test_images": "t10k-images-idx3-ubyte",
    "test_labels": "t10k-labels-idx1-ubyte",
}

ILLEGIBLE: Mapping[str, frozenset[int]] = {
    "741c988805d008ac6e4c904b69001ba184c24b2c540a4ef403f4c71b676cf757": frozenset((
        1612, 5740, 8617, 15402, 16488, 20322, 23016, 23588, 27265, 33412, 38650, 40976, 41016, 41054, 41358, 42312, 46104,
        49143, 50329, 50459, 50916, 51576, 53910, 54082, 56014,
    )),
}  # fmt: skip
"""Training digits that a person would not read as their labels, by the SHA-256 of the training images.

Only the digits that are held out were inspected: the 160 to whose labels a shipped network gave the lowest probabilities,
whether it read them right or wrong.
"""


@dataclass(frozen=True, slots=True)
class Mnist:
    """Images (n, 28, 28) uint8, white ink on black; labels (n,) uint8, 0..9; SHA-256 of each array's bytes."""

    train_images: NDArray[np.uint8]
    train_labels: NDArray[np.uint8]
    test_images: NDArray[np.uint8]
    test_labels: NDArray[np.uint8]
    hashes: dict[str, str]


def load(source: Path | None) -> Mnist:
    """Read MNIST from a folder with its IDX files (plain or .gz) or from an `.npz`; None downloads it through Keras.

    An `.npz` has the arrays x_train, y_train, x_test and y_test, like the one that Keras stores. Raises BadInput if a file is
    missing or invalid, or if MNIST cannot be downloaded; MissingPart if Keras is not installed and needed for that.
    """
    if source is not None and (source.is_file() or source.suffix == ".npz"):
        arrays = _read_npz(source)
    elif source is not None:
        arrays = {name: _read_idx(_find(source, stem)) for name, stem in IDX_FILES.items()}
    else:
        arrays = _download()
    for part in ("train", "test"):
        images, labels = arrays[f"{part}_images"], arrays[f"{part}_labels"]
        if images.ndim != 3 or images.shape[1:] != (28, 28) or labels.shape != images.shape[:1] or labels.max() > 9:
            raise BadInput(f"the {part} images and labels do not fit together: {images.shape} and {labels.shape}")
    hashes = {name: hashlib.sha256(array.tobytes()).hexdigest() for name, array in arrays.items()}
    return Mnist(**arrays, hashes=hashes)


def _download() -> dict[str, NDArray[np.uint8]]:
    """The only access to the network, and only in training."""
    try:
        import_tensorflow()  # before Keras, which would import it with all its messages
        from keras.datasets import mnist
    except ImportError as problem:
        raise MissingPart(
            "MNIST is downloaded by Keras: pip install tensorflow keras; or give its four IDX files, or mnist.npz"
        ) from problem
    try:
        with contextlib.redirect_stdout(sys.stderr):  # Keras reports the progress of the download on stdout
            (train_images, train_labels), (test_images, test_labels) = mnist.load_data()
    except Exception as problem:  # Keras raises a bare Exception if there is no network
        raise BadInput(
            "MNIST cannot be downloaded: give the folder with its four IDX files, or mnist.npz, as --data, or as MNIST in the "
            f"notebook ({problem})"
        ) from problem
    return {
        "train_images": train_images,
        "train_labels": train_labels,
        "test_images": test_images,
        "test_labels": test_labels,
    }


def _read_npz(path: Path) -> dict[str, NDArray[np.uint8]]:
    """Arrays of unsigned bytes only, nothing that would have to be unpickled."""
    try:
        with np.load(path, allow_pickle=False) as kept:
            arrays = {name: kept[own] for name, own in NPZ_ARRAYS.items()}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, TypeError) as problem:
        raise BadInput(
            f"cannot read {path}: it should be an .npz with {', '.join(NPZ_ARRAYS.values())} ({problem})"
        ) from problem
    for name, array in arrays.items():
        if array.dtype != np.uint8:
            raise BadInput(f"{path}: {NPZ_ARRAYS[name]} should be unsigned bytes, and is {array.dtype}")
    return arrays


def _find(folder: Path, stem: str) -> Path:
    for name in (stem, f"{stem}.gz", stem.replace("-idx", ".idx"), stem.replace("-idx", ".idx") + ".gz"):
        if (folder / name).is_file():
            return folder / name
    raise BadInput(f"no {stem} or {stem}.gz in {folder}: it should be the folder with the four MNIST files")


def _read_idx(path: Path) -> NDArray[np.uint8]:
    """One IDX file of unsigned bytes: magic 0, 0, 8, ndim, then each side as a big-endian 32-bit number."""
    try:
        data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError) as problem:
        raise BadInput(f"cannot read {path}: {problem}") from problem
    if len(data) < 8 or data[:3] != b"\x00\x00\x08":
        raise BadInput(f"{path} is no IDX file of unsigned bytes")
    sides = np.frombuffer(data, ">u4", data[3], 4)
    body = np.frombuffer(data, np.uint8, offset=4 + 4 * data[3])
    if body.size != np.prod(sides):
        raise BadInput(f"{path} should hold {np.prod(sides)} bytes of data and holds {body.size}")
    return body.reshape(sides)
