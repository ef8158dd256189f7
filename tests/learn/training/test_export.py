"""What is checked before a network is written."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from docproc.errors import DocprocError
from docproc.learn.training import export

pytestmark = [
    pytest.mark.thorough,
    pytest.mark.skipif(find_spec("tensorflow") is None, reason="needs TensorFlow (the extra `train`)"),
]


@pytest.mark.parametrize(
    ("sixteen", "eight", "told"), [(1.01, 0.0, "with sixteen bits only"), (0.0, 1.01, "with eight bits only")]
)
def test_a_network_that_loses_too_much_is_not_written(
    sixteen: float, eight: float, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from docproc.learn.training.architectures import digit_network

    monkeypatch.setattr(export, "MIN_AGREEMENT_FLOAT16", sixteen)
    monkeypatch.setattr(export, "MIN_AGREEMENT_INT8", eight)
    probe = np.random.default_rng(0).integers(0, 256, (64, 28, 28)).astype(np.uint8)
    with pytest.raises(DocprocError, match=told):
        export.export_glyph_network(digit_network(), tmp_path / "digits.onnx", probe)
    assert list(tmp_path.iterdir()) == []
