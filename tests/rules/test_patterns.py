from __future__ import annotations

import re
from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st

from docproc.rules import FieldRules

atoms = st.sampled_from(["0", "1", "2", ".", "\\d", "[01]", "[^0]", "[1-2]", "(?:0|12)", "(1|)"])
patterns = st.recursive(
    atoms,
    lambda inner: st.one_of(
        st.tuples(inner, inner).map("".join),
        st.tuples(inner, inner).map(lambda two: f"({two[0]}|{two[1]})"),
        st.tuples(inner, st.sampled_from(["?", "*", "+", "{2}", "{1,}", "{,2}", "{0}", "{1,2}"])).map(
            lambda p: f"({p[0]}){p[1]}"
        ),
    ),
    max_leaves=5,
)


@settings(max_examples=150, deadline=None)
@given(patterns, st.booleans())
def test_a_pattern_means_what_it_means_elsewhere(pattern: str, ends: bool) -> None:
    # Python 3.11 takes {,2} for at most two as well.
    written = f"^{pattern}$" if ends else pattern
    rules = FieldRules(pattern=written, digits=(0, 4))
    for length in range(5):
        for digits in product("012", repeat=length):
            text = "".join(digits)
            assert rules.allows(text) == bool(re.fullmatch(pattern, text)), (written, text)


def test_a_pattern_that_is_slow_elsewhere_is_not() -> None:
    rules = FieldRules(pattern="(1*)*(1|11)*2", digits=(1, 32))
    assert not rules.allows("1" * 31)
    assert rules.allows("1" * 31 + "2")
