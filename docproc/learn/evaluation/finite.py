"""Exact bounds on how many of a finite number of fields are wrong, after some were drawn at random and checked.

The number of errors in a sample drawn without replacement is hypergeometric, however the fields depend on each other. The
bounds invert its tail probability, as C. Clopper and E. Pearson (1934) do for the binomial: J. Buonaccorsi, "A note on
confidence intervals for proportions in finite populations" (1987). They hold at least as often as the certainty says.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from docproc.learn.evaluation.scoring import CERTAINTY


def hypergeometric_cdf(wrong: int, drawn: int, errors: int, fields: int) -> float:
    """The probability of at most `wrong` errors among `drawn` of `fields`, if `errors` of these are wrong.

    Raises ValueError if more are drawn, or wrong, than there are.
    """
    if not 0 <= drawn <= fields or not 0 <= errors <= fields:
        raise ValueError(f"{drawn} of {fields} fields cannot be drawn, or {errors} of them be wrong")
    least, most = max(0, drawn + errors - fields), min(drawn, errors)
    if wrong >= most:
        return 1.0
    if wrong < least:
        return 0.0
    # log of C(errors, k) C(fields - errors, drawn - k), from one k to the next, relative to the first.
    k = np.arange(least, most)
    steps = np.log((errors - k) * (drawn - k)) - np.log((k + 1) * (fields - errors - drawn + k + 1))
    ways = np.concatenate([[0.0], np.cumsum(steps)])
    shares = np.exp(ways - ways.max())
    return float(min(1.0, shares[: wrong - least + 1].sum() / shares.sum()))


@lru_cache(maxsize=4096)
def most_errors(wrong: int, drawn: int, fields: int, certainty: float = CERTAINTY) -> int:
    """Upper bound of the errors among all `fields`, at the certainty, after `wrong` errors among `drawn` of them."""
    low, high = wrong, fields - drawn + wrong  # it is at least `low`, and at most `high`
    while low < high:
        middle = (low + high + 1) // 2
        if hypergeometric_cdf(wrong, drawn, middle, fields) > 1 - certainty:
            low = middle
        else:
            high = middle - 1
    return low


def fewest_errors(wrong: int, drawn: int, fields: int, certainty: float = CERTAINTY) -> int:
    """Lower bound of the errors among all `fields`, at the certainty, from the upper bound of the correct ones."""
    return fields - most_errors(drawn - wrong, drawn, fields, certainty)


def fields_to_draw(wrong: int, fields: int, max_error: float, certainty: float = CERTAINTY) -> int | None:
    """How many of `fields` to draw in total to show that at most a share of `max_error` is wrong, with `wrong` errors found.

    None if that many errors show that more are.
    """
    if wrong > max_error * fields:
        return None
    low, high = max(0, wrong - 1), fields  # too few; enough
    while high - low > 1:
        middle = (low + high) // 2
        if most_errors(wrong, middle, fields, certainty) <= max_error * fields:
            high = middle
        else:
            low = middle
    return high
