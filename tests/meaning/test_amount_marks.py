from __future__ import annotations

import numpy as np
import pytest

from docproc.meaning.amount_marks import CENTLESS, UNPLACED, amount_value, count_hanging, written_amount
from docproc.meaning.amounts import CONTRADICTORY, FRACTION, UNSETTLED
from docproc.meaning.marks import Mark, MarkedDigits, MarkKind
from docproc.meaning.named import Named
from tests.meaning.drawn import marked


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1500", "1500"),
        ("1,234.56", "1234.56"),
        ("1.234,56", "1234.56"),
        ("1,23,456/-", "123456"),
        ("1;23;456|-", "123456"),
        ("1.500.-", "1500"),
        ("200=", "200"),
        ("-200-", "200"),
        ("200.00", "200.00"),
        ("15^50", "15.50"),
        ("15^50_", "15.50"),
        ("5^00_", "5.00"),
        ("5^00", ""),
        ("1500_", "1500"),  # part of a ruled line
        ("1 500", "1500"),
        ("500-00", "500.00"),
        ("1200 34/100", "1200.34"),
        ("120034 100", ""),
        ("12003411 00", ""),
        ("8 100", "8100"),
        ("300 00", ""),
        ("15'00", ""),
        ("1,5", ""),
        ("12;34;5", ""),
    ],
)
def test_the_value_of_a_drawn_amount(text: str, value: str) -> None:
    assert amount_value(*marked(text))[0] == value


@pytest.mark.parametrize(
    ("text", "value"), [("15050", ""), ("150.50", "150.50"), ("1,505", ""), ("150-", "150"), ("15^05", "15.05")]
)
def test_where_cents_are_always_written(text: str, value: str) -> None:
    found, doubt = amount_value(*marked(text), cents=True)
    assert found == value
    assert doubt == ("" if value else CENTLESS)


@pytest.mark.parametrize(
    ("text", "doubt"),
    [
        ("8 %100", FRACTION),
        ("850 %100", FRACTION),
        ("8 %200", UNSETTLED),
        ("8 100", ""),
        ("%850 100", UNSETTLED),
        ("8 %34/100", ""),
        ("850341100", FRACTION),
        ("850,341,100", ""),
    ],
)
def test_a_hundred_below_cents_that_were_not_read_is_no_amount(text: str, doubt: str) -> None:
    found = amount_value(*marked(text))
    assert (found[1], not found[0]) == (doubt, bool(doubt))


@pytest.mark.parametrize(
    ("feet", "heights", "slope", "raised"),
    [
        ([1.0, 1.2, 1.0, 1.2], [1.0, 1.0, 0.8, 0.7], -0.3, None),  # the base line rises to the raised digits
        ([1.0, 1.2, 1.0, 1.2], [1.0, 1.0, 0.8, 0.7], 0.0, False),
        ([1.0, 1.2, 1.0, 1.2], [1.0, 1.0, 1.0, 1.0], -0.3, False),
        ([1.0, 1.0, 1.0, 0.4, 0.4], [1.0, 0.8, 1.2, 0.6, 0.8], 0.0, None),  # a small digit among the large ones
        ([1.0, 1.0, 1.0, 0.4, 0.4], [1.0, 1.0, 1.0, 0.6, 0.6], 0.0, True),
    ],
)
def test_raised_cents_are_doubted_where_they_are_not_clear(
    feet: list[float], heights: list[float], slope: float, raised: bool | None
) -> None:
    left = np.arange(len(feet), dtype=np.float64)
    bottom = np.array(feet)
    digits = np.column_stack([left, bottom - heights, left + 0.7, bottom])
    assert written_amount(MarkedDigits(digits, (), slope), "12345"[: len(feet)]).raised is raised


def test_an_amount_without_a_path_has_no_value() -> None:
    assert amount_value(None, "1550") == ("", UNPLACED)


def with_a_mark(text: str, place: int) -> MarkedDigits:
    """Digits with a mark between two of them that may be a point or a speck."""
    left = np.arange(len(text), dtype=np.float64)
    digits = np.column_stack([left, np.zeros(len(text)), left + 0.7, np.ones(len(text))])
    at = place - 0.2
    return MarkedDigits(digits, (Mark("point", place, False, at, 0.85, at + 0.1, 1.0),))


@pytest.mark.parametrize(
    ("text", "mark", "named", "value"),
    [
        ("9915", 2, None, ""),  # 99.15 or 9915
        ("9915", 2, (), "9915"),  # a speck: no network sees a point there
        ("9915", 2, (Named(".", 2, 0.95),), "99.15"),
        ("9915", 2, (Named(".", 2, 0.5),), ""),
        ("9915", 2, (Named("-", 2, 0.3),), ""),
        ("9915", 0, (Named(".", 2, 0.3),), ""),  # a point whose ink is on a digit may be lost
        ("9915", 0, (Named(",", 2, 0.9),), "99.15"),
        ("3900", 0, (Named(".", 1, 0.96),), "3900"),
    ],
)
def test_a_mark_in_doubt_is_a_separator_by_its_name(text: str, mark: int, named: tuple[Named, ...] | None, value: str) -> None:
    assert amount_value(with_a_mark(text, mark), text, named)[0] == value


@pytest.mark.parametrize(
    ("text", "marks", "named", "value"),
    [
        # 88,00,000 with a short comma, 1,20,000 with a long one; a sign before them is none.
        ("8800000", {2: "point", 4: "comma"}, (Named(",", 2, 0.98), Named(",", 4, 1.0)), "8800000"),
        (
            "120000",
            {0: "slash", 1: "comma", 3: "slash"},
            (Named("$", 0, 1.0), Named(",", 1, 1.0), Named(",", 3, 1.0)),
            "120000",
        ),
        # Dirt that looks like a point, but has no name.
        ("159520", {2: "point", 3: "point"}, (Named(".", 3, 0.85),), "159520"),
        ("80000", {1: "point"}, (), "80000"),
        # A name that is not sure: 65872 or 6587.2.
        ("65872", {4: "point"}, (Named(".", 4, 0.73),), ""),
        ("2505", {3: "point"}, (Named(".", 3, 0.79),), ""),
        ("7100000", {2: "comma", 4: "point"}, (Named(",", 2, 1.0), Named(".", 4, 0.72), Named(",", 4, 0.26)), ""),
        ("8800000", {2: "point", 4: "comma"}, (Named(",", 2, 0.4), Named(",", 4, 1.0)), ""),
        ("15952", {2: "point", 3: "point"}, (Named(".", 2, 0.85), Named(".", 3, 0.7)), ""),
        ("20000", {1: "comma", 3: "comma"}, (Named(".", 3, 0.42), Named(",", 3, 0.4)), ""),
        # Beside the last three digits even a point without a name may part the cents.
        ("52450000", {2: "comma", 6: "point"}, (), ""),
        ("52450000", {5: "point"}, (), ""),
        ("15952", {2: "point", 3: "point"}, (Named(".", 2, 0.85),), ""),
        # A slash or a dash may be a digit that was not read.
        ("1250", {2: "slash"}, (), ""),
        ("4123", {1: "dash"}, (), ""),
        # No name is sure enough to tell cents from dirt.
        ("20000", {1: "comma", 3: "comma"}, (Named(".", 3, 0.44),), ""),
        # A date, or another number with slashes.
        ("81414", {2: "slash", 3: "point"}, (Named("/", 1, 1.0), Named("/", 3, 1.0)), ""),
        ("5262", {3: "point"}, (Named(".", 3, 1.0),), ""),
    ],
)
def test_separators_that_contradict_each_other_by_their_shapes_go_by_their_names(
    text: str, marks: dict[int, MarkKind], named: tuple[Named, ...], value: str
) -> None:
    left = np.arange(len(text), dtype=np.float64)
    digits = np.column_stack([left, np.zeros(len(text)), left + 0.7, np.ones(len(text))])
    seen = tuple(Mark(kind, place, True, place - 0.2, 0.85, place - 0.1, 1.0) for place, kind in marks.items())
    found, doubt = amount_value(MarkedDigits(digits, seen), text, named)
    assert found == value
    assert (doubt == "") == (value != "")


def test_without_names_contradictory_separators_stay_so() -> None:
    digits = np.column_stack([np.arange(7.0), np.zeros(7), np.arange(7.0) + 0.7, np.ones(7)])
    seen = (Mark("point", 2, True, 1.8, 0.85, 1.9, 1.0), Mark("comma", 4, True, 3.8, 0.85, 3.9, 1.2))
    assert amount_value(MarkedDigits(digits, seen), "8800000") == ("", CONTRADICTORY)


@pytest.mark.parametrize(("text", "hanging"), [("1000", 0), ("1260", 0), ("1107", 2), ("1117", 3)])
def test_small_round_digits_below_the_line_are_no_commas(text: str, hanging: int) -> None:
    tall, low = (0.0, 1.0), (0.5, 1.3)
    digits = [(k, top, k + 0.6, bottom) for k, (top, bottom) in enumerate((tall, low, low, low))]
    assert count_hanging(MarkedDigits(np.array(digits, np.float64), ()), text) == hanging
