"""Rules of the house beside the import contracts: numbers say where they come from; functions and folders stay small."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections import Counter
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "docproc"
ALL = {path.relative_to(PACKAGE).as_posix(): path for path in sorted(PACKAGE.rglob("*.py"))}


# ------------------------------------------------------------------------- numbers on the way from a page to its texts

READING = ("pages/", "fields/", "readers/", "meaning/", "pixels.py")

KIND = re.compile(r"\[(standard|geometry|guess|measured: [^\]]+)\]")


def untagged(source: str) -> list[str]:
    """The numbers of a module, as `line: name`, that do not say their kind in a comment beside them.

    These are the module's constants and the defaults of its dataclasses. A default of 0 or -1 stands for nothing and needs no
    kind, but in a `...Tuning`, whose fields are all tuned.
    """
    tagged = {
        token.start[0]
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT and KIND.search(token.string)
    }
    return [
        f"{node.lineno}: {ast.unparse(node.targets[0] if isinstance(node, ast.Assign) else node.target)}"
        for node in _numbers(ast.parse(source))
        if not tagged & set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    ]


def _numbers(module: ast.Module) -> Iterator[ast.Assign | ast.AnnAssign]:
    for node in module.body:
        if isinstance(node, ast.Assign | ast.AnnAssign) and any(_literals(node.value)):
            yield node
        elif isinstance(node, ast.ClassDef):
            for field in node.body:
                if isinstance(field, ast.AnnAssign):
                    values = set(_literals(field.value))
                    if values - {0, -1} or (values and node.name.endswith("Tuning")):
                        yield field


def _literals(value: ast.expr | None) -> Iterator[float]:
    """The numbers that are written in an expression; an index in `NAMES[2]` or `range(4)` is none."""
    if isinstance(value, ast.Constant) and isinstance(value.value, int | float) and not isinstance(value.value, bool):
        yield value.value
    elif isinstance(value, ast.UnaryOp) and isinstance(value.op, ast.USub):
        yield from (-number for number in _literals(value.operand))
    elif isinstance(value, ast.Subscript):
        yield from _literals(value.value)
    elif value is not None and not (isinstance(value, ast.Call) and ast.unparse(value.func) == "range"):
        inner = (node.value if isinstance(node, ast.keyword) else node for node in ast.iter_child_nodes(value))
        yield from chain.from_iterable(_literals(node) for node in inner if isinstance(node, ast.expr))


@pytest.mark.parametrize("module", [name for name in ALL if name.startswith(READING)])
def test_every_number_on_the_reading_path_says_its_kind(module: str) -> None:
    assert untagged(ALL[module].read_text(encoding="utf-8")) == []


def test_what_counts_as_a_number_and_as_a_kind() -> None:
    source = """
SIDE = 28  # px [standard]
WIDE, HIGH = 0.08, 0.075  # digit heights; below is dust
RANGES = (
    (1, 2),
    (3, 4),  # [measured: cheques]
)
CERTAIN = np.log(0.995)
SYMBOLS = ALL[10:]
NAMES, STRICT = ("a", "b"), True
LEFT, TOP = range(2)

@dataclass
class Mark:
    cells: int = 0
    within: int = -1
    share: float = 0.5

class InkTuning:
    least: float = 0.0
    most: float = 4.0  # [because]
    pen: float = 4.0  # px [guess]
"""
    assert untagged(source) == ["3: (WIDE, HIGH)", "8: CERTAIN", "17: share", "20: least", "21: most"]


# ------------------------------------------------------------------------------------------------- small functions

MAX_LINES, MAX_BRANCHES = 60, 25

EXEMPT = {"learn/composing/strips.py:compose"}  # the order of its random draws is the recipe of the shipped networks


def branches(function: ast.AST) -> int:
    """How many ways a function forks, those of the functions inside it too."""
    return sum(_forks(node) for node in ast.walk(function))


def _forks(node: ast.AST) -> int:
    if isinstance(node, ast.BoolOp):
        return len(node.values) - 1
    if isinstance(node, ast.comprehension):
        return 1 + len(node.ifs)
    return isinstance(node, ast.If | ast.For | ast.While | ast.IfExp | ast.ExceptHandler | ast.match_case | ast.With)


def large(source: str) -> dict[str, tuple[int, int]]:
    """Functions with more lines or branches than they may have, by name."""
    found = {}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            size = ((node.end_lineno or node.lineno) - node.lineno + 1, branches(node))
            if size[0] > MAX_LINES or size[1] > MAX_BRANCHES:
                found[node.name] = size
    return found


@pytest.mark.parametrize("module", ALL)
def test_functions_are_small(module: str) -> None:
    found = large(ALL[module].read_text(encoding="utf-8"))
    assert {name: size for name, size in found.items() if f"{module}:{name}" not in EXEMPT} == {}


def test_what_counts_as_large() -> None:
    forks = "\n".join(f"    if x and {k}:\n        pass" for k in range(13))
    lines = "\n".join("    pass" for _ in range(60))
    assert large(f"def forks(x):\n{forks}\n") == {"forks": (27, 26)}
    assert large(f"def long():\n{lines}\n") == {"long": (61, 0)}
    assert large("def small(x):\n    return [y for y in x if y] if x else None\n") == {}
    assert branches(ast.parse("[y for y in x if y if z] if x or y else 0")) == 5


# ---------------------------------------------------------------------------------------------------- small folders

ROOMS = ("learn/composing", "learn/training", "learn/evaluation")  # each counted alone


def test_no_folder_holds_a_fifth_of_the_lines() -> None:
    lines: Counter[str] = Counter()
    for name, path in ALL.items():
        folder = next((room for room in ROOMS if name.startswith(f"{room}/")), name.rpartition("/")[0].partition("/")[0])
        lines[folder or "."] += len(path.read_text(encoding="utf-8").splitlines())
    assert {folder: share for folder in lines if (share := lines[folder] / lines.total()) >= 0.2} == {}
