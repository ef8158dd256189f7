from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from docproc.errors import BadConfig, DocumentError
from docproc.fields.template import json_schema, parse, place
from docproc.types import Box, Page, PageId
from tests.conftest import SAMPLES

GOOD = """\
schema_version = 1
name = "survey"

[page]
size = [1000, 800]

[[field]]
name = "id"
box = [100, 50, 400, 60]
kind = "comb"
digits = 8

[[field]]
name = "age"
box = [600, 50, 100, 60]
digits = [1, 3]
required = true
"""


def page(width: int, height: int) -> Page:
    return Page(PageId("a"), np.full((height, width), 255, np.uint8))


def test_a_good_template() -> None:
    template = parse(GOOD, "t.toml")
    assert (template.name, template.width, template.height) == ("survey", 1000, 800)
    first, second = template.fields
    assert (first.name, first.kind, first.digits) == ("id", "comb", (0, 8))
    assert (second.kind, second.digits, second.required) == ("string", (1, 3), True)


def test_boxes_are_scaled_to_the_resolution_of_the_scan() -> None:
    template = parse(GOOD, "t.toml")
    assert place(template, page(1000, 800)) == template.fields
    assert place(template, page(500, 400))[0].box == Box(50, 25, 200, 30)


def test_a_page_of_another_shape_is_refused() -> None:
    with pytest.raises(DocumentError, match=r"does not fit the template 'survey'"):
        place(parse(GOOD, "t.toml"), page(800, 1000))


def test_all_faults_at_once_each_with_its_line() -> None:
    text = (
        GOOD.replace('kind = "comb"', 'kind = "grid"')
        .replace("digits = 8", "cells = 8")
        .replace("[100, 50, 400, 60]", "[100, 50, 400]")
    )
    with pytest.raises(BadConfig) as caught:
        parse(text, "t.toml")
    faults = "\n".join(caught.value.faults)
    assert len(caught.value.faults) == 3
    for line, word in ((9, "box"), (10, "kind"), (11, "cells")):
        assert any(f.startswith(f"line {line}:") and word in f for f in caught.value.faults), faults
    assert "there are name, box, kind, digits, required" in faults
    assert str(caught.value).startswith("t.toml: 3 faults")


@pytest.mark.parametrize(
    ("old", "new", "line", "say"),
    [
        ("[600, 50, 100, 60]", "[950, 50, 100, 60]", 15, "leaves the page of 1000 x 800"),
        ("[600, 50, 100, 60]", "[110, 55, 100, 50]", 15, "lies on top of field 'id'"),
        ('name = "age"', 'name = "id"', 14, "another field 'id'"),
        ('name = "age"', 'name = "status"', 14, "the name of another column"),
        ("digits = [1, 3]", "digits = [3, 1]", 16, "[fewest, most]"),
        ("digits = 8\n", "", 8, "a comb needs digits"),
        ("[600, 50, 100, 60]", "[600, 50, 1, 60]", 15, "holds no digit"),
    ],
)
def test_contradictions(old: str, new: str, line: int, say: str) -> None:
    with pytest.raises(BadConfig) as caught:
        parse(GOOD.replace(old, new), "t.toml")
    assert caught.value.faults[0].startswith(f"line {line}:")
    assert say in caught.value.faults[0]


@pytest.mark.parametrize("text", ["", "schema_version = 2", "name = [", GOOD.replace("[page]", "[sheet]")])
def test_what_is_no_template(text: str) -> None:
    with pytest.raises(BadConfig) as caught:
        parse(text, "t.toml")
    assert caught.value.exit_code == 3
    assert caught.value.faults


def test_the_schema_is_json_and_names_every_key() -> None:
    schema = json.dumps(json_schema())
    for key in ("schema_version", "size", "box", "kind", "digits", "required"):
        assert f'"{key}"' in schema


@pytest.mark.parametrize("path", sorted(SAMPLES.glob("*/template.toml")), ids=lambda p: p.parent.name)
def test_the_templates_of_the_samples_have_no_faults(path: Path) -> None:
    assert parse(path.read_text(encoding="utf-8"), str(path)).fields
