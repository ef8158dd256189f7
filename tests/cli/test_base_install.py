"""Every command as it runs where no extra is installed: an answer or a message that says what to install, never a traceback."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from PIL import Image

from docproc.cli import main
from docproc.weights.cards import model_folder
from tests.cli.program import docproc
from tests.conftest import PROJECT, SAMPLES, draw_field

pytestmark = pytest.mark.thorough

EXTRAS = (
    "tensorflow",
    "keras",
    "tf2onnx",
    "onnx",
    "skimage",
    "scipy",
    "matplotlib",
    "openpyxl",
    "pyarrow",
    "ray",
    "tensorrt",
    "tensorrt_rtx",
    "starlette",
    "uvicorn",
    "jinja2",
    "python_multipart",
    "tomlkit",
    "fsspec",
    "s3fs",
)

# What is not installed is not found, whoever asks.
WITHOUT = f"""
import sys
from importlib.machinery import PathFinder

class Without(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name.partition(".")[0] in {EXTRAS!r}:
            return None
        return PathFinder.find_spec(name, path, target)

sys.meta_path[sys.meta_path.index(PathFinder)] = Without
sys.argv[0] = "docproc"
from docproc.cli import entry
if __name__ == "__main__":
    entry()
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A field, a table of it with its journal in two formats, and the truth."""
    place = tmp_path_factory.mktemp("base")
    (place / "in").mkdir()
    (place / "digits" / "7").mkdir(parents=True)
    Image.fromarray(draw_field("1407")).save(place / "in" / "a.png")
    Image.fromarray(draw_field("7")).save(place / "digits" / "7" / "7.png")
    for name in ("t.csv", "t.xlsx"):
        assert docproc("run", place / "in", "-o", place / name, "--layout", "amount", "-j", 1).returncode == 0
    (place / "truth.csv").write_text("document,field,text\na.png,amount,1407\n")
    (place / "t.xlsx").write_bytes((place / "t.xlsx").read_bytes() + b" ")  # as if it had been saved again
    return place


CALLS: tuple[tuple[str, int, str], ...] = (
    ("run in -o new.csv --layout amount -j 1", 0, ""),
    ("run in -o new.xlsx --layout amount -j 1", 0, ""),
    ("run in -o new.parquet --layout amount -j 1", 4, "pip install pyarrow"),
    ("run in -o x.csv --backend tensorflow", 4, "pip install tensorflow"),
    ("run in -o x.csv --engine ray", 4, "pip install ray"),
    ("plan in --engine ray", 4, "pip install ray"),
    ("run in -o t.xlsx --layout amount --resume", 6, "pip install openpyxl"),
    ("run s3://bucket/in/ -o x.csv", 4, "pip install fsspec s3fs"),
    ("run in -o s3://bucket/x.csv --journal x.csv.docproc", 4, "pip install fsspec s3fs"),
    ("watch nowhere -o w.csv", 5, "nowhere is not a folder"),
    ("plan in --layout amount --sample 1 -j 1", 0, "a million pages: "),
    ("status t.csv", 0, ""),
    ("table t.csv -o again.xlsx", 0, ""),
    ("table t.csv -o again.parquet", 4, "pip install pyarrow"),
    ("apply t.csv t.xlsx", 4, "pip install openpyxl"),
    ("edits t.csv", 0, "no edits"),
    ("merge merged.csv t.csv", 5, "is no shard: it was written without --shard"),
    ("audit t.csv", 0, ""),
    ("verify t.csv", 0, ""),
    ("verify t.xlsx", 4, "pip install openpyxl"),
    ("explain in/a.png --layout amount -o e.png", 0, ""),
    ("template init SAMPLES/survey/blank.png -o new.toml", 0, ""),
    ("template lint SAMPLES/survey/template.toml --on SAMPLES/survey/form_1.jpg", 0, ""),
    ("template preview SAMPLES/survey/template.toml -o p.png", 0, ""),
    ("template schema", 0, ""),
    ("template edit SAMPLES/survey/template.toml", 4, "pip install starlette uvicorn jinja2 python-multipart tomlkit"),
    ("model train", 4, "pip install tensorflow keras tf2onnx onnx scikit-image"),
    ("model train --network classic", 4, "pip install tensorflow keras tf2onnx onnx scikit-image"),
    ("model train --network micr", 4, "pip install tensorflow keras tf2onnx onnx scikit-image"),
    ("model train --from t.csv", 4, "pip install tensorflow keras tf2onnx onnx scikit-image"),
    ("model export -o exported", 4, "pip install tensorflow keras tf2onnx onnx scikit-image"),
    ("model predict digits/7/7.png", 0, ""),
    ("model predict digits/7/7.png --backend tensorflow", 4, "pip install tensorflow"),
    ("model evaluate t.csv truth.csv", 0, ""),
    ("model evaluate t.csv truth.csv --report r.html", 4, "pip install matplotlib"),
    ("model evaluate t.xlsx truth.csv", 4, "pip install openpyxl"),
    ("model evaluate --on digits", 0, "the report with plots was left out: reports need matplotlib: pip install matplotlib"),
    ("model evaluate --on digits --json figures.json", 0, "right (95% sure: "),
    ("model evaluate --on digits --json f.json --report r.html", 4, "pip install matplotlib"),
    ("model evaluate --on mnist --json mnist.json", 4, "pip install tensorflow keras"),
    ("model calibrate t.csv truth.csv", 1, ""),
    ("model bench --seconds 0.01 --batch 1 --backend onnx", 0, ""),
    ("model bench --seconds 0.01 --batch 1 --backend tensorflow", 0, "tensorflow is not installed"),
    ("serve", 4, "pip install starlette uvicorn jinja2 python-multipart"),
    ("review t.csv", 4, "pip install starlette uvicorn jinja2 python-multipart"),
    ("doctor", 0, ""),
)  # fmt: skip


@pytest.mark.parametrize(("call", "code", "told"), CALLS, ids=[call for call, _, _ in CALLS])
def test_without_extras_a_command_answers_or_says_what_to_install(folder: Path, call: str, code: int, told: str) -> None:
    arguments = [word.replace("SAMPLES", str(SAMPLES)) for word in call.split()]
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, *arguments], capture_output=True, text=True, cwd=folder, timeout=120, check=False
    )
    assert "Traceback" not in done.stderr, done.stderr
    assert (done.returncode, told in done.stderr + done.stdout) == (code, True), done.stderr + done.stdout


def leaves(group: click.Group, before: str = "") -> Iterator[str]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from leaves(command, f"{before}{name} ")
        else:
            yield before + name


def test_no_command_is_left_out() -> None:
    assert [name for name in leaves(main) if not any(f"{call} ".startswith(f"{name} ") for call, _, _ in CALLS)] == []


def test_what_is_blocked_is_what_extras_bring() -> None:
    assert model_folder().is_dir()
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    base = {name.partition(">")[0] for name in project["dependencies"]}
    assert not base & {*EXTRAS, "scikit-image"}
