from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from docproc.errors import BadConfig, DocumentError
from docproc.fields.template import Beside, json_schema, parse, parse_pages, place
from docproc.forms import open_layout
from docproc.rules import DateOrder, FieldRules, SumRule, Weighted
from docproc.types import Box, Field, Page, PageId, Sheet
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
        .replace("digits = 8", "squares = 8")
        .replace("[100, 50, 400, 60]", "[100, 50, 400]")
    )
    with pytest.raises(BadConfig) as caught:
        parse(text, "t.toml")
    faults = "\n".join(caught.value.faults)
    assert len(caught.value.faults) == 3
    for line, word in ((9, "box"), (10, "kind"), (11, "squares")):
        assert any(f.startswith(f"line {line}:") and word in f for f in caught.value.faults), faults
    assert "there are name, box, kind, digits, cells, order, years, pattern, range, check_digit, allowed, required" in faults
    assert str(caught.value).startswith("t.toml: 3 faults")


@pytest.mark.parametrize(
    ("old", "new", "line", "say"),
    [
        ("[600, 50, 100, 60]", "[950, 50, 100, 60]", 15, "reaches beyond the page of 1000 x 800"),
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


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('name = "age"', 'name = "age in years"',
         "line 14: field 'age in years', name = \"age in years\": should be letters, digits and _ only, no space, and no digit "
         "first"),
        ("[600, 50, 100, 60]", "[600, 50, 100]", "line 15: field 'age', box = [600, 50, 100]: should be four whole numbers: "
         "[left, top, width, height]"),
        ("[600, 50, 100, 60]", '[600, 50, 100, "60"]', "line 15: field 'age', box = [600, 50, 100, \"60\"]: should be four "
         "whole numbers: [left, top, width, height]"),
        ("digits = 8", 'digits = "8"', "line 11: field 'id', digits = \"8\": should be how many there are, from 1 to 64, as 8, "
         "or fewest and most, as [1, 7]"),
        ("required = true", 'required = "yes"', "line 17: field 'age', required = \"yes\": should be true or false"),
        ("[1000, 800]", "[1000]", "line 5: page.size = [1000]: should be two whole numbers in pixels, [width, height], from "
         "16 to 65500"),
        ("schema_version = 1", "schema_version = 2", "line 1: schema_version = 2: should be 1"),
        ('name = "survey"', 'name = "survey', "line 2: the closing quote is missing"),
        ('name = "survey"', "name = survey", "line 2: a value is expected behind the =: a number, true, false, a list in [ ], "
         "or a text in quotes"),
        ("digits = 8", "digits 8", "line 11: KEY = VALUE is expected, and there is no ="),
        ("digits = 8", "digits = 8\ndigits = 9", "line 12: this key stands here for the second time"),
    ],
)  # fmt: skip
def test_a_fault_says_what_to_write_instead(old: str, new: str, said: str) -> None:
    with pytest.raises(BadConfig) as caught:
        parse(GOOD.replace(old, new), "t.toml")
    assert caught.value.faults == (said,)


def test_a_template_with_single_brackets_and_one_without_anything() -> None:
    one = GOOD[: GOOD.rindex("[[field]]")].replace("[[field]]", "[field]")
    with pytest.raises(BadConfig, match=r"line 7: field: should be \[\[field\]\] with two brackets"):
        parse(one, "t.toml")
    with pytest.raises(BadConfig) as caught:
        parse("", "t.toml")
    assert len(caught.value.faults) == 4
    assert all("is missing; it should be" in fault for fault in caught.value.faults)


def test_a_field_that_stands_there_twice_is_one_fault() -> None:
    twice = GOOD + GOOD[GOOD.rindex("[[field]]") :]
    with pytest.raises(BadConfig) as caught:
        parse(twice, "t.toml")
    assert len(caught.value.faults) == 1
    assert "there is another field 'age': give each its own name" in caught.value.faults[0]
    with pytest.raises(BadConfig) as caught:
        parse(twice.replace('name = "age"', 'name = "years"', 1), "t.toml")
    assert len(caught.value.faults) == 1
    assert "field 'age': lies on top of field 'years'" in caught.value.faults[0]


def test_names_are_checked_whatever_else_is_wrong() -> None:
    """Two fields of one name, and rules that name fields: no name of our own shows in a message."""
    text = GOOD.replace("schema_version = 1", "schema_version = 7").replace('name = "age"', 'name = "id"')
    with pytest.raises(BadConfig) as caught:
        parse(text.replace("digits = 8", 'digits = "8"'), "t.toml")
    assert "line 14: there is another field 'id': give each its own name" in caught.value.faults
    rule = '[[rule]]\nsum = ["id", "my age"]\nequals = "all"\n'
    with pytest.raises(BadConfig) as caught:
        parse(GOOD.replace('name = "age"', 'name = "my age"') + rule, "t.toml")
    assert caught.value.faults[1:] == ("line 19: rule: no field is called 'all'; there are id",)
    assert "unnamed" not in str(caught.value)


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
    assert open_layout(str(path), ()).templates


RULED = """\
schema_version = 1
name = "survey"

[page]
reference = "blank.png"
marks = [[10, 10, 20, 20], [960, 10, 20, 20], [10, 760, 20, 20]]

[[field]]
name = "id"
box = [100, 50, 400, 60]
kind = "comb"
digits = 8
check_digit = "mod11"

[[field]]
name = "born"
box = [600, 50, 300, 60]
kind = "date"
order = "DDMMYYYY"
cells = 8
years = [1900, 2026]

[[field]]
name = "code"
box = [100, 150, 100, 60]
allowed = { file = "codes.csv", column = "code" }

[[field]]
name = "own"
box = [300, 150, 200, 60]
pattern = "[12]\\\\d{3}"
range = [1000, 2500]
check_digit = { weights = [3, 1], modulus = 10 }
digits = 2

[[rule]]
sum = ["code", "own"]
equals = "id"
"""


def beside(**files: object) -> Beside:
    def picture(name: str) -> tuple[str, str, tuple[int, int]]:
        if name not in ("blank.png", "front.png", "back.png"):
            raise ValueError("No such file or directory")
        return f"/forms/{name}", "0" * 64, (1000, 800)

    def column(file: str, name: str) -> frozenset[str]:
        if name != "code":
            raise ValueError(f"there is no column {name!r}; there are code")
        return frozenset({"101", "202"})

    return Beside(picture, column)


def test_a_template_with_rules() -> None:
    text = RULED.replace('pattern = "[12]\\\\d{3}"\nrange = [1000, 2500]\n', "")
    template = parse(text, "t.toml", beside())
    assert (template.reference, template.width, template.height, len(template.marks)) == ("/forms/blank.png", 1000, 800, 3)
    by_name = {field.name: field for field in template.fields}
    assert (by_name["born"].kind, by_name["born"].cells, by_name["born"].digits) == ("comb", 8, (8, 8))
    assert by_name["id"].rim == 6
    rules = {name: field.rules for name, field in by_name.items()}
    assert rules["born"] == FieldRules(digits=(8, 8), date="DDMMYYYY", years=(1900, 2026))
    assert rules["code"] == FieldRules(allowed=frozenset({"101", "202"}))
    assert rules["own"] == FieldRules(digits=(2, 2), check=Weighted((3, 1), 10))
    assert template.rules == (SumRule(("code", "own"), "id"),)


@pytest.mark.parametrize(
    ("order", "meant", "digits"),
    [("", "auto", (4, 8)), ('order = "MDY"\n', "MDY", (4, 8)), ('order = "YYMMDD"\n', "YYMMDD", (6, 6))],
)
def test_a_date_may_leave_its_order_open(order: str, meant: DateOrder, digits: tuple[int, int]) -> None:
    text = RULED.replace('order = "DDMMYYYY"\n', order).replace('pattern = "[12]\\\\d{3}"\nrange = [1000, 2500]\n', "")
    born = next(field for field in parse(text, "t.toml", beside()).fields if field.name == "born")
    assert born.rules == FieldRules(digits=digits, date=meant, years=(1900, 2026))
    assert born.digits == digits


@pytest.mark.parametrize(
    ("old", "new", "line", "say"),
    [
        ('"blank.png"', '"blanc.png"', 5, "reference = 'blanc.png': No such file or directory"),
        ("[960, 10, 20, 20], [10, 760, 20, 20]", "[960, 10, 20, 20]", 6, "2 are too few"),
        ("[10, 760, 20, 20]", "[10, 790, 20, 20]", 6, "reaches beyond the page"),
        ('"mod11"', '"mod12"', 13, "should be one of luhn, mod10"),
        ('order = "DDMMYYYY"\n', "digits = 9\n", 19, "a date auto has 4 to 8 digits; leave digits out"),
        ("cells = 8", "cells = 8\ncents = true", 21, "cents is for a field of the kind"),
        ("cells = 8", "cells = 8\nsigned = true", 21, "signed is for a field of the kind"),
        ("cells = 8", "cells = 8\ndecimals = 2", 21, "decimals is for a field of the kind"),
        ("cells = 8", "cells = 6", 20, "8 digits do not go into 6 cells"),
        ("years = [1900, 2026]", "years = [2026, 1900]", 21, "from a smaller to a larger"),
        ('column = "code"', 'column = "kode"', 26, "there is no column 'kode'"),
        ('"[12]', '"[12', 31, "pattern"),
        ("modulus = 10", "modulus = 10, remainder = 11", 33, "remainder lies from 0 to 9"),
        ("digits = 2", "digits = 2", 29, "no text fulfils all of its rules"),
        ('equals = "id"', 'equals = "ids"', 37, "no field is called 'ids'; there are id, born, code, own"),
        ('equals = "id"', "", 36, "give sum = [FIELDS] and equals = FIELD"),
        ('sum = ["code", "own"]', 'sum = ["code", "code"]', 37, "a field stands in it twice"),
        ('sum = ["code", "own"]\nequals = "id"', 'order = ["id", "born"]', 37, "two fields of the kind"),
        ("[[rule]]", "[[rule]]\nsums = 1", 37, "no such key; there are name, sum, equals, equal, order"),
    ],
)
def test_faults_of_rules(old: str, new: str, line: int, say: str) -> None:
    assert old in RULED
    with pytest.raises(BadConfig) as caught:
        parse(RULED.replace(old, new), "t.toml", beside())
    assert any(fault.startswith(f"line {line}:") and say in fault for fault in caught.value.faults), caught.value


@pytest.mark.parametrize(
    ("old", "new", "say"),
    [
        ("modulus = 10", "modulus = 10, module = 7", "check_digit.module: no such key; there are weights, modulus, remainder"),
        ('column = "code"', 'column = "code", colum = "x"', "allowed.colum: no such key; there are file, column"),
        ("digits = 2", "digits = 2\nint = 2", "int: no such key; there are name, box"),
    ],
)
def test_a_key_of_an_inner_table_that_is_not_known(old: str, new: str, say: str) -> None:
    with pytest.raises(BadConfig) as caught:
        parse(RULED.replace(old, new), "t.toml", beside())
    assert any(say in fault for fault in caught.value.faults), caught.value


def test_a_page_needs_a_picture_or_a_size() -> None:
    with pytest.raises(BadConfig, match="give reference, the picture of the form, or size"):
        parse(GOOD.replace("size = [1000, 800]\n", ""), "t.toml")


def test_a_file_beside_the_template_that_is_missing_is_a_fault_among_others(tmp_path: Path) -> None:
    (tmp_path / "t.toml").write_text(RULED.replace("[100, 50, 400, 60]", "[100, 50, 4000, 60]"))
    (tmp_path / "codes.csv").write_text("name\nx\n")
    with pytest.raises(BadConfig) as caught:
        open_layout(str(tmp_path / "t.toml"), ())
    said = str(caught.value)
    assert "reference = 'blank.png'" in said
    assert "there is no column 'code'; there are name" in said
    Image.new("L", (1000, 800), 255).save(tmp_path / "blank.png")
    (tmp_path / "codes.csv").write_text("code,name\n101,x\n")
    with pytest.raises(BadConfig) as caught:
        open_layout(str(tmp_path / "t.toml"), ())
    assert "field 'id': the box reaches beyond the page of 1000 x 800" in str(caught.value)


def test_faults_of_every_kind_are_told_together() -> None:
    """A missing picture, a wrong key, a wrong type, boxes that overlap and a rule about nothing, in one go."""
    text = (
        RULED.replace('"blank.png"', '"blanc.png"')
        .replace("digits = 8\n", "digits = 8\ncolor = 3\n")
        .replace("[300, 150, 200, 60]", "[110, 150, 200, 60]")
        .replace('name = "born"', 'name = "born on"')
        .replace('equals = "id"', 'equals = "ids"')
    )
    with pytest.raises(BadConfig) as caught:
        parse(text, "t.toml", beside())
    said = "\n".join(caught.value.faults)
    for part in (
        "line 5: reference", "line 13: field 'id', color: no such key", "line 17: field 'born on', name",
        "lies on top of field 'code'", "no field is called 'ids'",
    ):  # fmt: skip
        assert part in said, said


MICR = """
[[field]]
name = "micr"
box = [100, 600, 800, 90]
kind = "micr"
"""


def test_a_line_of_e13b() -> None:
    assert parse(GOOD + MICR, "t.toml").fields[-1] == Field("micr", Box(100, 600, 800, 90), "micr")


@pytest.mark.parametrize("key", ["digits = 9", 'check_digit = "aba"', 'pattern = "1.*"', "cells = 3"])
def test_a_line_of_e13b_takes_no_rules(key: str) -> None:
    with pytest.raises(BadConfig, match="E-13B"):
        parse(GOOD + MICR + key + "\n", "t.toml")


def test_a_measurement_has_its_decimals_and_its_sign() -> None:
    text = """
schema_version = 1
name = "weights"
[page]
size = [600, 400]
[[field]]
name = "weight"
box = [10, 10, 200, 60]
kind = "decimal"
decimals = [0, 3]
[[field]]
name = "height"
box = [10, 110, 200, 60]
kind = "decimal"
decimals = 1
signed = false
[[field]]
name = "balance"
box = [10, 210, 200, 60]
kind = "amount"
signed = true
"""
    weight, height, balance = parse(text, "weights.toml").fields
    assert (weight.kind, weight.decimals, weight.signed) == ("decimal", (0, 3), True)
    assert (height.decimals, height.signed) == ((1, 1), False)
    assert (balance.kind, balance.signed) == ("amount", True)
    with pytest.raises(BadConfig, match=r"should be \[fewest, most\]"):
        parse(text.replace("[0, 3]", "[3, 0]"), "weights.toml")
    with pytest.raises(BadConfig, match="whole numbers"):
        parse(text.replace("decimals = 1", "range = [0, 9]"), "weights.toml")


# ------------------------------------------------------------------------------------------------- several pages

PAGES = """\
schema_version = 1
name = "survey"

[[page]]
reference = "front.png"

[[page]]
reference = "back.png"

[[field]]
name = "men"
box = [100, 50, 400, 60]

[[field]]
name = "rooms"
page = 2
box = [100, 50, 400, 60]

[[field]]
name = "women"
box = [100, 150, 400, 60]

[[rule]]
equal = ["men", "women"]
"""


def test_a_template_may_have_several_pages() -> None:
    front, back = parse_pages(PAGES, "t.toml", beside())
    assert [field.name for field in front.fields] == ["men", "women"]
    assert [field.name for field in back.fields] == ["rooms"]
    assert (front.sheet, back.sheet) == (Sheet("survey", 1, 2), Sheet("survey", 2, 2))
    assert len(front.rules) == 1
    assert not back.rules
    assert front.reference != back.reference
    assert back.called == "page 2 of survey"
    with pytest.raises(BadConfig, match="has 2 pages, and one is wanted here"):
        parse(PAGES, "t.toml", beside())
    (alone,) = parse_pages(GOOD, "t.toml")
    assert alone.sheet is None


@pytest.mark.parametrize(
    ("old", "new", "line", "say"),
    [
        ("page = 2", "page = 3", 16, "field 'rooms': there is no page 3; the template has 2 pages"),
        ('reference = "back.png"', "size = [900, 900]", 7, "page 2: of a form of several pages each needs its own reference"),
        ('"men", "women"]', '"men", "rooms"]', 24, "its fields stand on different pages"),
        ('reference = "back.png"', "reference = 3", 8, "page 2.reference"),
        ('"back.png"', '"back.png"\nfoo = 1', 9, "page 2.foo: no such key; there are reference"),
        ("[100, 150, 400, 60]", "[100, 60, 400, 60]", 21, "field 'women': lies on top of field 'men'"),
    ],
)
def test_faults_of_pages(old: str, new: str, line: int, say: str) -> None:
    assert old in PAGES
    with pytest.raises(BadConfig) as caught:
        parse_pages(PAGES.replace(old, new), "t.toml", beside())
    (fault,) = caught.value.faults
    assert fault.startswith(f"line {line}:")
    assert say in fault
