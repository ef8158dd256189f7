"""Compares the TensorRT engines with ONNX Runtime on the same files, and measures digits per second with and without copies.

    python scripts/bench_tensorrt.py [MODEL.onnx]

Needs a GPU on which TensorRT works; otherwise says why not and exits with 4. Exits with 1 if the engines differ by more than
is allowed.
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from docproc.backends import available, open_network
from docproc.backends.form import Form
from docproc.backends.tensorrt import BATCH, Slot, TensorrtNetwork
from docproc.errors import MissingPart
from docproc.learn.evaluation.bench import best_of
from docproc.learn.training.conversion import FORMS
from docproc.weights.cards import cards_of, network_files
from docproc.weights.opening import model_bytes

MAY_DIFFER = 0.02  # of a probability: 16-bit floats, on noise
WIDTH = 256  # px of a line


def main() -> int:
    """Compare and measure."""
    if (reason := available("tensorrt")) is not None:
        print(reason)
        return MissingPart.exit_code
    model = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    same = True
    files = network_files("tensorrt", model)
    for name, path in files.items():
        data, form = model_bytes(path, cards_of(files)[name]), FORMS[name]
        engine, plain = open_network("tensorrt", data, form), open_network("onnx", data, form)
        batches = [pictures(form, count) for count in (1, 3, 16)]
        found, wanted = (np.concatenate([shares(one).ravel() for one in net.run(batches)]) for net in (engine, plain))
        differs = float(np.abs(found - wanted).max())
        same = same and differs <= MAY_DIFFER
        print(f"{name:8}{path.name:20} differs from ONNX Runtime by at most {differs:.5f}")
        if name == "glyphs":
            assert isinstance(engine, TensorrtNetwork)
            measure(engine)
    return 0 if same else 1


def measure(engine: TensorrtNetwork) -> None:
    """Print digits per second."""
    slot = engine.slots[0]
    print(f"{'batch':>8}{'with copies':>16}{'without':>16}   digits a second")
    for batch in (1, 16, 64, 256, BATCH):
        glyphs = pictures(FORMS["glyphs"], batch)
        slot.start(glyphs)
        copied, computed = best_of([partial(through, engine, glyphs), partial(bare, slot)], 0.3)
        print(f"{batch:8}{8 * batch / copied:16,.0f}{batch / computed:16,.0f}")


def through(engine: TensorrtNetwork, glyphs: NDArray[np.uint8]) -> None:
    """Eight batches from memory to memory."""
    for _ in engine.run([glyphs] * 8):
        pass


def bare(slot: Slot) -> None:
    """One batch that is already on the GPU."""
    slot.compute()
    slot.wait()


def pictures(form: Form, count: int) -> NDArray[np.uint8]:
    """Noise of the right shape."""
    shape = (count, *(WIDTH if side is None else side for side in form.takes))
    return np.random.default_rng(count).integers(0, 256, shape).astype(np.uint8)


def shares(given: NDArray[np.float32]) -> NDArray[np.float32]:
    """Probabilities, even if the network outputs logits."""
    if given.ndim == 2:
        return given
    raised = np.exp(given - given.max(axis=-1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=-1, keepdims=True))


if __name__ == "__main__":
    sys.exit(main())
