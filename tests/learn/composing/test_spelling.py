from __future__ import annotations

import numpy as np
import pytest

from docproc.learn.composing import spelling
from docproc.learn.composing.mixes import EVERYTHING, WRITTEN, Mix
from docproc.learn.composing.spelling import KINDS, Spelled, digits, letters, mark, spell
from docproc.types import LINE_SYMBOLS


@pytest.mark.parametrize("make", list(KINDS.values()), ids=lambda make: make.__name__)
def test_all_that_is_spelled_can_be_named(make: object) -> None:
    for seed in range(40):
        spelled = make(np.random.default_rng(seed))  # type: ignore[operator]
        assert isinstance(spelled, Spelled)
        assert set(spelled.symbols) <= set(LINE_SYMBOLS)
        assert spelled.text == "".join(symbol for symbol in spelled.symbols if symbol.isdigit())


@pytest.mark.parametrize("mix", [EVERYTHING, WRITTEN])
def test_a_mix_has_a_share_of_every_kind(mix: Mix) -> None:
    assert set(mix.kinds) == set(KINDS)
    assert sum(mix.kinds.values()) == pytest.approx(1)


def test_every_kind_is_met() -> None:
    rng = np.random.default_rng(0)
    met = {spell(rng, EVERYTHING.kinds).kind for _ in range(600)}
    assert {"number", "amount", "date", "decimal", "compound", "two numbers", "unit", "word", "mark", "foreign"} <= met


def test_a_word_is_one_symbol() -> None:
    rng = np.random.default_rng(0)
    spelled = Spelled((*digits("150"), *letters("lbs", rng, 0.5)), marked=False)
    assert spelled.symbols == "150?"
    assert spelled.text == "150"


def test_two_numbers_are_no_number() -> None:
    for seed in range(40):
        assert not spelling.compound(np.random.default_rng(seed)).number
        assert not spelling.word(np.random.default_rng(seed)).number
        assert spelling.decimal(np.random.default_rng(seed)).number


def test_marks_have_symbols() -> None:
    assert [mark(name).symbol for name in ("€", "=", "/-", ".", "(")] == ["$", "*", "/-", ".", "("]


def test_no_dash_follows_a_1_at_the_end_of_an_amount() -> None:
    """Nobody can tell `1-` from the sign `/-`."""
    rng = np.random.default_rng(3)
    made = [spelling.amount(rng).symbols for _ in range(3000)]
    last = [max(k for k, symbol in enumerate(symbols) if symbol.isdigit()) for symbols in made]
    after = {digit: set[str]() for digit in "0123456789"}
    for symbols, k in zip(made, last, strict=True):
        after[symbols[k]] |= set(symbols[k + 1 : k + 2])
    assert "-" in after["7"]
    assert "-" not in after["1"]


def test_a_bracket_is_never_alone() -> None:
    """Nobody can tell a lone one from a 1."""
    rng = np.random.default_rng(9)
    written = [make(rng).symbols for make in KINDS.values() for _ in range(400)]
    assert all(symbols.count("(") == symbols.count(")") for symbols in written)
    assert any("(" in symbols for symbols in written)
