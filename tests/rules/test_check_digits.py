from __future__ import annotations

from collections.abc import Callable
from itertools import product

import pytest

from docproc.rules import Weighted, aba, luhn, mod10, mod11, mod97, verhoeff, weighted

ISBN10 = (10, 9, 8, 7, 6, 5, 4, 3, 2, 1)


def isbn10(text: str) -> bool:
    return weighted(text, ISBN10, 11)


PUBLISHED: list[tuple[Callable[[str], bool], str]] = [
    (luhn, "79927398713"),  # Wikipedia, Luhn algorithm
    (luhn, "17893729974"),  # the same, a later version
    (luhn, "4111111111111111"),  # the card number that payment services publish for tests
    (mod10, "4006381333931"),  # Wikipedia, International Article Number
    (mod10, "73513537"),  # the same, EAN-8
    (mod10, "9780306406157"),  # Wikipedia, ISBN-13
    (mod10, "036000291452"),  # Wikipedia, Universal Product Code
    (mod11, "86011117947"),  # python-stdnum, no.kontonr: a Norwegian account
    (mod11, "988077917"),  # python-stdnum, no.orgnr: a Norwegian organization
    (mod97, "79444"),  # ISO/IEC 7064: 794 with its check 44
    (mod97, "3214282912345698765432161182"),  # Wikipedia, IBAN: GB82 WEST 1234 5698 7654 32 in digits
    (aba, "011000015"),  # Federal Reserve Bank of Boston
    (aba, "021000021"),  # JPMorgan Chase, New York
    (verhoeff, "2363"),  # Wikipedia, Verhoeff algorithm
    (verhoeff, "1428570"),  # Rosetta Code
    (verhoeff, "1234567890120"),  # the same
    (isbn10, "0306406152"),  # Wikipedia, ISBN
    (isbn10, "9971502100"),  # the same, from Singapore
]


@pytest.mark.parametrize(("check", "text"), PUBLISHED)
def test_a_published_number_fits_and_with_one_digit_wrong_does_not(check: Callable[[str], bool], text: str) -> None:
    assert check(text)
    for place, digit in product(range(len(text)), "0123456789"):
        if digit != text[place]:
            assert not check(text[:place] + digit + text[place + 1 :])


@pytest.mark.parametrize(
    ("check", "text"),
    [p for p in PUBLISHED if p[0] in (verhoeff, mod97, mod11, isbn10)],
    ids=lambda p: getattr(p, "__name__", p),
)
def test_two_neighbors_that_changed_places_are_noticed(check: Callable[[str], bool], text: str) -> None:
    for k in range(len(text) - 1):
        if text[k] != text[k + 1]:
            assert not check(text[:k] + text[k + 1] + text[k] + text[k + 2 :])


@pytest.mark.parametrize("check", [luhn, mod10, mod11, mod97, aba, verhoeff, isbn10])
@pytest.mark.parametrize("text", ["", "0", "12a4", "٣٤", "-18"])
def test_what_has_no_check_digit_does_not_fit(check: Callable[[str], bool], text: str) -> None:
    assert not check(text)


def test_where_eleven_asks_for_a_ten_no_digit_fits() -> None:
    # 6 times 2 is 12, 1 too many for 11: the check digit would be 10.
    assert [d for d in range(10) if mod11(f"6{d}")] == []
    assert [d for d in range(10) if mod11(f"5{d}")] == [1]


def test_aba_has_nine_digits_and_weights_bound_the_length() -> None:
    assert not aba("0" * 8)
    assert aba("0" * 9)
    assert weighted("0" * 10, ISBN10, 11)
    assert not weighted("0" * 11, ISBN10, 11)
    assert weighted("31", (3, 7, 1), 10, remainder=2)  # the weights are aligned to the right: 3 x 7 + 1


@pytest.mark.parametrize("wrong", [((1,), 10, 0), ((1, 2), 1, 0), ((1, 2), 10, 10)])
def test_weights_that_make_no_sense_are_refused(wrong: tuple[tuple[int, ...], int, int]) -> None:
    with pytest.raises(ValueError, match=r"check digit|remainder"):
        Weighted(*wrong)
