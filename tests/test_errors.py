"""What is said of errors is what the code raises."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from docproc.errors import DocumentError
from tests.conftest import PROJECT


def codes_in_use() -> Iterator[str]:
    """The first argument of every `DocumentError(...)` in the package, as it stands there."""
    for path in sorted((PROJECT / "docproc").rglob("*.py")):
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "DocumentError":
                yield ast.literal_eval(call.args[0])


def test_the_docstring_lists_every_code_of_a_document_that_cannot_be_read_and_no_other() -> None:
    (listed,) = re.findall(r"`code` is short and stable \(([^)]*)\)", str(DocumentError.__doc__))
    codes = re.findall(r"`(\w+)`", listed)
    assert sorted(codes) == sorted(set(codes_in_use()))
