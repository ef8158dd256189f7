"""Check digits: Luhn, GTIN, Norwegian mod 11, MOD 97-10, ABA, Verhoeff, and any other weighted sum."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

from docproc.rules.acceptors import Acceptor, is_digits

CheckName = Literal["luhn", "mod10", "mod11", "mod97", "aba", "verhoeff"]
CHECK_NAMES: tuple[CheckName, ...] = get_args(CheckName)

# The dihedral group of the pentagon and the permutation of each place (J. Verhoeff, Error Detecting Decimal Codes, 1969).
_DIHEDRAL = tuple(
    tuple((j + k) % 5 + 5 * (k >= 5) if j < 5 else (j - k) % 5 + 5 * (k < 5) for k in range(10)) for j in range(10)
)
_PERMUTATION = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)


def _powers() -> tuple[tuple[int, ...], ...]:
    rows = [tuple(range(10))]
    for _ in range(7):
        rows.append(tuple(_PERMUTATION[d] for d in rows[-1]))
    return tuple(rows)


_PERMUTATIONS = _powers()


@dataclass(frozen=True, slots=True)
class Weighted:
    """A custom check digit: the digits times `weights`, summed, leave `remainder` when divided by `modulus`.

    The weights are aligned at the right: the last one belongs to the check digit. A text with more digits than there are
    weights breaks the rule; a shorter one is padded with zeros on the left. Raises ValueError for fewer than two weights, a
    modulus below 2, or a remainder outside 0 to modulus - 1.
    """

    weights: tuple[int, ...]
    modulus: int
    remainder: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "weights", tuple(self.weights))
        if len(self.weights) < 2:
            raise ValueError("a check digit needs at least two weights")
        if self.modulus < 2:
            raise ValueError(f"the modulus of a check digit is at least 2, not {self.modulus}")
        if not 0 <= self.remainder < self.modulus:
            raise ValueError(f"the remainder lies from 0 to {self.modulus - 1}, not at {self.remainder}")


def luhn(text: str) -> bool:
    """From the right, every second digit doubled, its digits summed: a multiple of 10 (ISO/IEC 7812-1, annex B)."""
    return check_digit_fits(text, "luhn")


def mod10(text: str) -> bool:
    """Weights 1, 3, 1, 3, ... from the right: a multiple of 10 (GTIN, EAN, UPC; GS1 General Specifications, 7.9)."""
    return check_digit_fits(text, "mod10")


def mod11(text: str) -> bool:
    """Weights 2 to 7, repeating, from the right before the check digit, which completes the sum to a multiple of 11.

    If the check digit would have to be 10, no digit fits. Norwegian account and organization numbers work this way
    (Brønnøysund Register Centre). ISBN-10 uses weights 2 to 10: `weighted(text, (10, 9, ..., 1), 11)`.
    """
    return check_digit_fits(text, "mod11")


def mod97(text: str) -> bool:
    """The whole number modulo 97 is 1 (ISO/IEC 7064, MOD 97-10; the last two digits are the check)."""
    return check_digit_fits(text, "mod97")


def aba(text: str) -> bool:
    """Nine digits, weights 3, 7, 1: a multiple of 10 (routing numbers of the American Bankers Association)."""
    return check_digit_fits(text, "aba")


def verhoeff(text: str) -> bool:
    """Each digit, permuted by its place and multiplied in the dihedral group D5, leads back to 0 (J. Verhoeff, 1969)."""
    return check_digit_fits(text, "verhoeff")


def weighted(text: str, weights: tuple[int, ...], modulus: int, remainder: int = 0) -> bool:
    """Any other weighted sum, see `Weighted`."""
    return check_digit_fits(text, Weighted(weights, modulus, remainder))


def check_digit_fits(text: str, check: CheckName | Weighted) -> bool:
    """Whether the check digit is right; False for a text with fewer than two characters, or with non-digits."""
    if len(text) < 2 or not is_digits(text):
        return False
    if check == "aba" and len(text) != 9:
        return False
    if isinstance(check, Weighted) and len(text) > len(check.weights):
        return False
    acceptor = check_digit_acceptor(check, len(text))
    state: Any = acceptor.start
    for place, digit in enumerate(text):
        state = acceptor.step(state, int(digit), place)
    return acceptor.accepts(state)


def check_digit_acceptor(check: CheckName | Weighted, length: int) -> Acceptor:
    """Texts of `length` digits with a valid check digit. The state is a remainder or, for Verhoeff, a group element."""
    if check == "mod97":
        return Acceptor(0, lambda state, digit, _: (state * 10 + digit) % 97, lambda state: state == 1)
    if check == "verhoeff":
        # The product runs from the last digit to the first, so a new digit is multiplied from the left.
        return Acceptor(
            0,
            lambda state, digit, place: _DIHEDRAL[_PERMUTATIONS[(length - 1 - place) % 8][digit]][state],
            lambda state: state == 0,
        )
    modulus, remainder = 10, 0
    if isinstance(check, Weighted):
        modulus, remainder = check.modulus, check.remainder
        weights = check.weights[len(check.weights) - length :]
    elif check == "mod11":
        modulus = 11
        weights = tuple(2 + (k - 1) % 6 if k else 1 for k in range(length))[::-1]
    elif check == "mod10":
        weights = tuple(3 if k % 2 else 1 for k in range(length))[::-1]
    elif check == "aba":
        weights = (3, 7, 1, 3, 7, 1, 3, 7, 1)
    else:
        weights = tuple(2 if k % 2 else 1 for k in range(length))[::-1]
    adds = [[w * d for d in range(10)] for w in weights]
    if check == "luhn":
        adds = [[a - 9 if a > 9 else a for a in row] for row in adds]
    return Acceptor(0, lambda state, digit, place: (state + adds[place][digit]) % modulus, lambda state: state == remainder)
