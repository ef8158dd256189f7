"""The notebook runs, from its first cell to its last; with few digits and one epoch."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import PROJECT
from tests.learn.composing.test_mnist import draw_mnist

NOTEBOOK = PROJECT / "docs" / "tour.ipynb"

nbformat: Any = pytest.importorskip("nbformat")

pytestmark = pytest.mark.skipif(
    any(find_spec(name) is None for name in ("nbclient", "ipykernel", "tensorflow")),
    reason="needs TensorFlow and Jupyter (the extra `notebook`)",
)


@pytest.mark.thorough
def test_the_notebook_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from nbclient import NotebookClient

    draw_mnist(tmp_path / "mnist", 1_200)

    notebook = nbformat.read(NOTEBOOK, as_version=4)
    (parameters,) = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", ())]
    parameters.source = f"MNIST = {str(tmp_path / 'mnist')!r}\nEPOCHS = 1\nFOLDER = {str(tmp_path / 'model')!r}"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(PROJECT)}}).execute()

    shown = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert not [output for output in shown if output.output_type == "error"]
    kinds = [kind for output in shown for kind in output.get("data", {})]
    assert kinds.count("image/svg+xml") >= 3
    assert kinds.count("image/png") == 2
    assert (tmp_path / "model" / "classic.onnx").is_file()


def test_the_notebook_holds_no_results() -> None:
    """They would be pictures of data that is not the project's, and change with every run."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    assert not [cell for cell in notebook.cells if cell.get("outputs") or cell.get("execution_count")]
