"""The map of the house, held against the imports: a module imports only from floors below its own."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "docproc"

# The first entry that a module's name starts with gives its floor.
FLOORS = (
    ("docproc.cli", 6),
    ("docproc.__main__", 7),
    ("docproc.api", 6),
    ("docproc.commands.explain", 5),
    ("docproc.commands.template", 5),
    ("docproc.commands.evaluate", 5),
    ("docproc.commands.retrain", 5),
    ("docproc.commands.doctor", 5),
    ("docproc.commands.train", 5),
    ("docproc.commands.predict", 5),
    ("docproc.runs", 4),
    ("docproc.learn", 4),
    ("docproc.files", 4),
    ("docproc.fields.layouts", 4),
    ("docproc.weights.opening", 4),
    ("docproc.weights.cards", 4),
    ("docproc.weights.thresholds", 4),
    ("docproc.pipeline", 3),
    ("docproc.pages", 2),
    ("docproc.fields", 2),
    ("docproc.digits", 2),
    ("docproc.readings", 2),
    ("docproc.options", 1),
    ("docproc.pixels", 1),
    ("docproc.mlp", 1),
    ("docproc.types", 0),
    ("docproc.rules", 0),
    ("docproc.errors", 0),
    ("docproc", 7),  # the package itself: what it offers is imported late
)
STAGES = ("docproc.pages", "docproc.fields", "docproc.digits", "docproc.readings")
INFERENCE = {"onnxruntime", "tensorflow", "keras", "tensorrt", "tensorrt_rtx"}
GROUND = {"docproc.types", "docproc.errors", "docproc.rules"}


def modules() -> dict[str, Path]:
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            module = node.module or ""
            # `from docproc.fields import template` imports a module too.
            for alias in node.names:
                inner = f"{module}.{alias.name}"
                names.add(inner if inner in modules() else module)
    return names


def floor(module: str) -> int:
    return next(level for name, level in FLOORS if module == name or (name != "docproc" and module.startswith(name + ".")))


@pytest.mark.parametrize("module", sorted(modules()))
def test_imports_point_downwards(module: str) -> None:
    mine = floor(module)
    for name in imports(modules()[module]):
        if name == "docproc" or not name.startswith("docproc."):
            continue  # the version
        same_room = module.split(".")[:2] == name.split(".")[:2] and len(module.split(".")) > 2
        rim = mine == floor(name) == 4
        ground = {module, name} <= GROUND
        assert floor(name) < mine or same_room or rim or ground or module == "docproc", (
            f"{module} imports {name} from its own floor or above"
        )


@pytest.mark.parametrize("module", [m for m in sorted(modules()) if m.startswith(STAGES)])
def test_stages_do_not_know_each_other(module: str) -> None:
    mine = ".".join(module.split(".")[:2])
    others = [stage for stage in STAGES if stage != mine]
    assert not [name for name in imports(modules()[module]) if name.startswith(tuple(others))]


def test_pipeline_knows_no_file_no_process_and_no_inference_library() -> None:
    names = {name.split(".")[0] for name in imports(modules()["docproc.pipeline"])}
    assert not names & (INFERENCE | {"os", "pathlib", "io", "multiprocessing", "subprocess", "PIL"})


@pytest.mark.parametrize("module", sorted(GROUND))
def test_the_ground_stands_on_numpy_and_the_standard_library(module: str) -> None:
    import sys

    outside = {name.split(".")[0] for name in imports(modules()[module])} - set(sys.stdlib_module_names)
    assert outside <= {"numpy", "docproc"}


def test_only_drawings_for_reports_need_matplotlib() -> None:
    drawing = [module for module, path in modules().items() if any(name.startswith("matplotlib") for name in imports(path))]
    assert drawing == ["docproc.learn.evaluation.plots"]


def test_each_inference_library_has_its_one_place() -> None:
    for module, path in modules().items():
        used = {name.split(".")[0] for name in imports(path)} & INFERENCE
        if not module.startswith(("docproc.backends", "docproc.learn")):
            assert not used, f"{module} imports {used}"
