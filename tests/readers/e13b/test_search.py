"""From frames to lines of E-13B, and what their groups mean. The numbers are made up."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from docproc.readers.e13b.parts import digits_of, parse
from docproc.readers.e13b.search import decode, evidence, goes_on
from docproc.types import LINE_HEIGHT, MICR_CLASSES, MICR_SYMBOLS, Frames, Ink

GOOD, BAD = "021000089", "021000088"  # with and without the right check digit


def frames_of(text: str, doubts: dict[int, tuple[str, float]] | None = None, gap: int = 3) -> Frames:
    """Frames that show a text; `doubts` says at which places another character is as probable as told."""
    odds = np.full((gap + len(text) * (1 + gap), MICR_CLASSES), 1e-6)
    odds[:, -1] = 1
    for place, name in enumerate(text):
        at = gap + place * (1 + gap)
        odds[at, -1] = 1e-6
        other, share = (doubts or {}).get(place, (name, 0.0))
        odds[at, MICR_SYMBOLS.index(other)] += share
        odds[at, MICR_SYMBOLS.index(name)] += 1 - share
    odds /= odds.sum(axis=1, keepdims=True)
    return np.asarray(np.log(odds), np.float32)


@pytest.mark.parametrize("text", ["⑈123456⑈⑆021000089⑆1234567⑈", "11001", "⑇0000012345⑇", "⑉⑉", ""])
def test_what_the_frames_show_is_read(text: str) -> None:
    told = decode(frames_of(text))
    assert told.value == text
    assert told.shares[0][1] > 0.99
    assert len(told.centers) == len(told.peaks) == len(text)
    assert list(told.centers) == sorted(told.centers)
    assert told.changed_by == ""


def strip(columns: int, *inked: tuple[int, int, int]) -> Ink:
    """A strip with ink from column to column, so many px high."""
    line = np.zeros((LINE_HEIGHT, columns), np.uint8)
    for left, right, high in inked:
        top = (LINE_HEIGHT - high) // 2
        line[top : top + high, left:right] = 255
    return line


def test_a_line_that_goes_on_is_told() -> None:
    told = decode(frames_of("1234"))  # at 12, 28, 44, 60 px, more or less
    characters = [(int(center) - 5, int(center) + 5, 18) for center in told.centers]
    assert not goes_on(told, strip(120, *characters))
    assert goes_on(told, strip(120, *characters, (110, 114, 18)))  # a character that is cut
    assert goes_on(told, strip(200, *characters, (120, 130, 18), (140, 150, 18)))
    assert not goes_on(told, strip(120, *characters, (100, 102, 6)))  # a speck
    assert not goes_on(told, strip(120, *characters, (110, 114, 32)))  # the edge of the paper
    assert not goes_on(decode(frames_of("")), strip(40, (10, 20, 18)))


def test_the_check_digit_decides_where_a_digit_is_in_doubt() -> None:
    value = f"⑆{GOOD}⑆5⑈"
    doubtful = frames_of(f"⑆{BAD}⑆5⑈", {9: ("9", 0.2)})
    told = decode(doubtful)
    assert told.value == value
    assert told.changed_by == "check digit (aba)"
    assert told.read == f"⑆{BAD}⑆5⑈"
    assert 0.5 < told.shares[0][1] < 0.999


def test_a_clear_line_is_not_bent_to_fit_the_check_digit() -> None:
    told = decode(frames_of(f"⑆{BAD}⑆5⑈"))
    assert told.value == f"⑆{BAD}⑆5⑈"
    assert told.changed_by == ""


@pytest.mark.parametrize("form", ["⑈123456⑈{}⑆123456⑈31", "⑆{}1⑆5⑈", "⑆0210⑉00088⑆5⑈", "⑇{}0⑇", "{}⑆"])
def test_the_check_digit_says_nothing_of_other_lines(form: str) -> None:
    value = form.format(BAD)
    place = value.rindex("8")
    told = decode(frames_of(value, {place: ("9", 0.3)}))
    assert told.value == value


Built = tuple[str, dict[str, str]]  # a line, and the parts that it was built of


@st.composite
def lines(draw: st.DrawFn) -> Built:
    """Lines as banks print them: a check's number at the start or the end, a routing number, an account, an amount."""
    number = st.text("0123456789", min_size=1, max_size=9)
    routing = draw(st.sampled_from([GOOD, BAD]) | st.from_regex(r"[0-9]{5}⑉[0-9]{3}", fullmatch=True) | number)
    account = draw(st.text("0123456789⑉", max_size=12))
    first, last, cents = (
        draw(st.none() | number),
        draw(st.none() | st.just("") | number),
        draw(st.none() | st.integers(0, 10**10 - 1)),
    )
    opened = draw(st.booleans())
    value = f"⑈{first}⑈" if first else ""
    value += f"{'⑆' if opened else ''}{routing}⑆{account}" + (f"⑈{last}" if last is not None else "")
    parts = {"routing": routing, "account": account, "check_number": first or (last if opened else "") or ""}
    if cents is not None:
        value += f"⑇{cents:010}" + draw(st.sampled_from(["⑇", ""]))
        parts["encoded_amount"] = f"{cents // 100}.{cents % 100:02}"
    return value, {name: text for name, text in parts.items() if text}


@settings(max_examples=50, deadline=None)
@given(lines().map(lambda line: line[0]) | st.text(MICR_SYMBOLS, max_size=30), st.integers(1, 4))
def test_any_text_comes_back(text: str, gap: int) -> None:
    frames = frames_of(text, gap=gap)
    told = decode(frames)
    assert told.value == text
    found = evidence(told, frames, np.zeros((LINE_HEIGHT, 4 * len(frames)), np.uint8))
    assert found.shape == (11,)
    assert np.isfinite(found).all()


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 60))
def test_any_frames_give_a_line(seed: int, count: int) -> None:
    logits = np.random.default_rng(seed).normal(0, 3, (count, MICR_CLASSES))
    frames = (logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))).astype(np.float32)
    told = decode(frames)
    assert set(told.value) <= set(MICR_SYMBOLS)
    assert len(told.centers) == len(told.value)
    assert np.isfinite(evidence(told, frames, np.zeros((LINE_HEIGHT, 4 * count), np.uint8))).all()


def named(value: str, centers: tuple[float, ...] = ()) -> dict[str, str]:
    return {part.name: part.value for part in parse(value, centers)}


@pytest.mark.parametrize(
    ("value", "parts"),
    [
        # United States: personal, business, with an amount, with a dash in the account
        ("⑆021000089⑆1234567⑈0152", {"routing": GOOD, "account": "1234567", "check_number": "0152"}),
        ("⑈001234⑈⑆021000089⑆1234567⑈", {"routing": GOOD, "account": "1234567", "check_number": "001234"}),
        (
            "⑆021000089⑆12⑉345⑈77⑇0000012345⑇",
            {"routing": GOOD, "account": "12⑉345", "check_number": "77", "encoded_amount": "123.45"},
        ),
        ("⑆021000089⑆1234567⑈", {"routing": GOOD, "account": "1234567"}),
        # India: the last two digits tell the kind of transaction
        ("⑈123456⑈500229009⑆123456⑈31", {"routing": "500229009", "account": "123456", "check_number": "123456"}),
        # Canada
        ("⑈001⑈⑆12345⑉006⑆12⑉345⑉6⑈", {"routing": "12345⑉006", "account": "12⑉345⑉6", "check_number": "001"}),
        # a part of a line
        ("⑇0000000500⑇", {"encoded_amount": "5.00"}),
        ("123456", {}),
        ("", {}),
        ("⑆⑆⑈⑇", {}),
    ],
)
def test_groups_mean_what_their_symbols_say(value: str, parts: dict[str, str]) -> None:
    assert named(value) == parts


def test_a_space_parts_the_check_number_from_the_account() -> None:
    value = "⑆021000089⑆01521234567⑈"
    even = tuple(19.2 * k for k in range(len(value)))
    assert named(value, even) == {"routing": GOOD, "account": "01521234567"}
    parted = tuple(19.2 * (k + (k >= 15)) for k in range(len(value)))
    assert named(value, parted) == {"routing": GOOD, "account": "1234567", "check_number": "0152"}
    swapped = tuple(19.2 * (k + (k >= 18)) for k in range(len(value)))
    assert named(value, swapped) == {"routing": GOOD, "account": "0152123", "check_number": "4567"}


@settings(max_examples=200, deadline=None)
@given(lines())
def test_parts_are_those_that_the_line_was_built_of(line: Built) -> None:
    value, parts = line
    assert named(value) == parts
    for part in parse(value):
        piece = value[part.first : part.last]
        assert part.text == digits_of(piece)
        if part.name == "encoded_amount":
            units, cents = part.value.split(".")
            assert f"{units:0>8}{cents}" == piece
        else:
            assert part.value == piece


@given(st.text(MICR_SYMBOLS, max_size=40))
def test_the_parts_of_any_text_are_pieces_of_it(value: str) -> None:
    found = sorted((part.first, part.last) for part in parse(value))
    assert [place for span in found for place in span] == sorted(place for span in found for place in span)
    assert all(0 <= first < last <= len(value) for first, last in found)
