from __future__ import annotations

import json

import pytest

from tests.cli.program import docproc

pytestmark = pytest.mark.thorough


def test_the_schema_is_json() -> None:
    done = docproc("template", "schema")
    assert done.returncode == 0
    assert json.loads(done.stdout)["title"] == "TemplateFile"
