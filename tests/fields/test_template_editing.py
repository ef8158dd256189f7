"""A template that is edited stays as it was written but for what was changed, and the parser judges it."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from docproc.errors import BadConfig
from docproc.fields.template import ALONE
from docproc.types import Box

pytest.importorskip("tomlkit", reason='needs tomlkit: pip install ".[web]"')

from docproc.fields.template import editing
from docproc.fields.template.editing import CannotEdit, Draft, judged

TEXT = """\
# Our survey, as it was printed in 2026.
schema_version = 1
name = "survey"   # of households

[page]
size = [1000, 800]  # pixels

# Who it is.
[[field]]
name = "men"
box = [100, 50, 100, 60]   # measured by hand
kind = "comb"
digits = 2
# two cells

[[field]]
box = [300, 50, 100, 60]
name = "women"
digits = [1, 2]

# The lower half.
[[field]]
name = "persons"
box = [500, 50, 100, 60]
required = true

# What must hold.
[[rule]]
name = "all"  # of them
sum = ["men",
       "women"]
equals = "persons"
"""


def draft(text: str) -> Draft:
    return judged(text, "t.toml", ALONE)


def lines(before: str, after: str) -> tuple[list[str], list[str]]:
    """The lines that went and those that came."""
    old, new = before.splitlines(), after.splitlines()
    return [one for one in old if one not in new], [one for one in new if one not in old]


def test_only_what_is_changed_is_written_anew() -> None:
    moved = editing.set_values(TEXT, 0, {"box": [110, 55, 100, 60]})
    assert lines(TEXT, moved) == (
        ["box = [100, 50, 100, 60]   # measured by hand"],
        ["box = [110, 55, 100, 60]   # measured by hand"],
    )
    assert editing.set_values(moved, 0, {"box": [100, 50, 100, 60]}) == TEXT
    assert editing.set_values(TEXT, 1, {"name": "women", "digits": [1, 2]}) == TEXT


def test_a_new_name_goes_into_the_rules() -> None:
    renamed = editing.set_values(TEXT, 1, {"name": "girls"})
    gone, come = lines(TEXT, renamed)
    assert gone == ['name = "women"', '       "women"]']
    assert come == ['name = "girls"', '       "girls"]']
    assert draft(renamed).faults == ()
    assert editing.set_values(TEXT, 2, {"name": "total"}).endswith('equals = "total"\n')


def test_keys_come_and_go_and_those_of_another_kind_go() -> None:
    given_rules = editing.set_values(TEXT, 1, {"range": [0, 20], "required": True, "check_digit": None})
    assert lines(TEXT, given_rules) == (
        [],
        ["range = [0, 20]", "required = true"] if "required = true" not in TEXT else ["range = [0, 20]"],
    )
    field = tomllib.loads(editing.set_values(given_rules, 1, {"kind": "micr"}))["field"][1]
    assert field == {"box": [300, 50, 100, 60], "name": "women", "kind": "micr", "required": True}


def test_a_new_field_stands_behind_those_of_its_page() -> None:
    text = editing.add_field(TEXT, Box(700, 50, 100, 60), "comb", 2)
    assert (
        '[[field]]\nname = "field_1"\nbox = [700, 50, 100, 60]\nkind = "comb"\ndigits = 2\n\n# What must hold.\n[[rule]]'
        in text
    )
    assert lines(TEXT, text)[0] == []
    assert [field.name for field in draft(text).templates[0].fields] == ["men", "women", "persons", "field_1"]
    assert editing.delete_field(text, 3) == TEXT
    two = TEXT.replace("[page]\nsize = [1000, 800]  # pixels", '[[page]]\nreference = "a"\n[[page]]\nreference = "b"')
    two = two.replace("required = true", "page = 2")
    assert [entry.name for entry in draft(editing.add_field(two, Box(1, 1, 50, 50))).fields] == [
        "men",
        "women",
        "field_1",
        "persons",
    ]


def test_a_field_goes_with_what_needs_it_and_no_comment_of_others() -> None:
    without = editing.delete_field(TEXT, 1)
    assert draft(without).faults == ()
    assert lines(TEXT, without)[1] == ['sum = ["men"]']
    assert "# The lower half." in without
    assert "# Who it is." in editing.delete_field(TEXT, 0)
    assert tomllib.loads(editing.delete_field(TEXT, 2)).get("rule") is None
    nothing = editing.delete_field(editing.delete_field(without, 1), 0)
    assert "field" not in tomllib.loads(nothing)
    assert draft(nothing).faults == (
        "line 1: field: is missing; it should be [[field]] with two brackets, once for each field",
    )
    again = editing.add_field(nothing, Box(100, 50, 100, 60))
    assert [field.name for field in draft(again).templates[0].fields] == ["field_1"]


def test_rules_are_added_and_taken_away() -> None:
    without = editing.delete_rule(TEXT, 0)
    assert "# What must hold." in without
    text = editing.add_rule(editing.add_rule(without, "sum", ["men", "women", "persons"]), "equal", ["men", "women"])
    assert text.endswith('\n\n[[rule]]\nsum = ["men", "women"]\nequals = "persons"\n\n[[rule]]\nequal = ["men", "women"]\n')
    assert [rule.fields for rule in draft(text).rules] == [("men", "women", "persons"), ("men", "women")]
    assert draft(text).faults == ()


def test_faults_are_told_by_field_in_the_words_of_the_parser() -> None:
    wrong = editing.set_values(editing.set_values(TEXT, 1, {"digits": "many"}), 2, {"box": [950, 50, 100, 60]})
    found = draft(wrong)
    assert found.templates == ()
    assert found.of_field[1][0].startswith("field 'women', digits = \"many\": should be how many there are")
    assert found.of_field[2] == ("field 'persons': the box reaches beyond the page of 1000 x 800",)
    assert set(found.of_field) == {1, 2}


def test_what_cannot_be_edited_is_told() -> None:
    with pytest.raises(CannotEdit, match=r"written as \[\[field\]\]"):
        draft('schema_version = 1\nfield = [{ name = "a", box = [1, 1, 50, 50] }]\n')
    with pytest.raises(CannotEdit):
        draft('schema_version = 1\nnote = """\n[[field]]\n"""\n')
    with pytest.raises(BadConfig, match="the closing quote is missing"):
        draft('name = "a\n')


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("digits", "8", 8), ("digits", "1 to 7", [1, 7]), ("digits", "[1, 7]", [1, 7]), ("range", "-5 5", [-5, 5]),
        ("range", "0-120", [0, 120]), ("years", " 1900,2030 ", [1900, 2030]), ("digits", "", None), ("digits", "x", "x"),
        ("check_digit", "luhn", "luhn"), ("check_digit", "mine", "mine"), ("pattern", "[12].*", "[12].*"),
        ("check_digit", "{ weights = [3, 1], modulus = 10 }", {"weights": [3, 1], "modulus": 10}),
        ("allowed", "codes.csv: code", {"file": "codes.csv", "column": "code"}),
    ],
)  # fmt: skip
def test_what_is_typed_becomes_a_value_and_back(key: str, text: str, value: Any) -> None:
    assert editing.typed(key, text) == value
    assert editing.typed(key, editing.shown(key, value)) == value


def test_a_table_below_a_field_is_a_value_of_it() -> None:
    text = TEXT.replace("# two cells", "\n[field.check_digit]\nweights = [1, 2]\nmodulus = 10\n")
    assert draft(text).faults == ()
    changed = editing.set_values(text, 0, {"check_digit": "luhn", "box": [101, 50, 100, 60]})
    assert draft(changed).faults == ()
    assert draft(changed).fields[0].values["check_digit"] == "luhn"


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4), st.integers(0, 300)), max_size=8))
def test_whatever_is_done_every_comment_of_others_stays_and_it_is_toml(steps: list[tuple[int, int, int]]) -> None:
    text = TEXT
    for what, which, where in steps:
        count = len(draft(text).fields)
        if what == 0:
            text = editing.add_field(text, Box(where, 200, 100, 60))
        elif count and what == 1:
            text = editing.delete_field(text, which % count)
        elif count and what == 2:
            text = editing.set_values(text, which % count, {"box": [where, 300, 50, 50], "name": f"n{where}_{len(text)}"})
        elif count > 1:
            names = [entry.name for entry in draft(text).fields]
            text = editing.add_rule(text, "equal", names[:2])
    table = tomllib.loads(text)
    assert len(table.get("field", [])) == len(draft(text).fields)
    assert text.startswith(
        '# Our survey, as it was printed in 2026.\nschema_version = 1\nname = "survey"   # of households\n\n[page]'
    )
    assert [one for one in ("# Who it is.", "# The lower half.") if one not in text] == []
    assert "\n\n\n" not in text
