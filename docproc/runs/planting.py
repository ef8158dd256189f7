"""Wrong readings shown on purpose where people confirm readings, to measure how many they let pass.

Which fields show one, and which, follows from the secret of the journal. The journal stores what a person did with it; after
that the field shows what was read. A planted reading is never taken for what is on the paper.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from docproc.runs.edits import Edit, FieldKey, FieldState, broken_between, meaning
from docproc.runs.sampling import NUMBERS, lot
from docproc.types import Row

ALIKE = {
    "0": "68", "1": "74", "2": "37", "3": "85", "4": "91", "5": "63", "6": "05", "7": "19", "8": "30", "9": "47",
}  # digits that are often written alike [guess]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Planted:
    """A wrong reading that a person was shown, and what the person did."""

    sha256: str  # of the document's content
    page: int  # from 1
    field: str
    text: str  # the wrong reading, digits only
    passed: bool  # the person accepted it
    who: str = ""
    screen: str = ""
    at: str = ""  # UTC time; "" until it is stored

    @property
    def key(self) -> FieldKey:
        return self.sha256, self.page, self.field


def planted_reading(
    state: FieldState, secret: str, share: float, *, done: Collection[FieldKey] = (), proposed: Sequence[str] = (),
    page: Sequence[Row] = (),
) -> Row | None:  # fmt: skip
    """The reading of a field with a wrong text in place of the real one; None if the field shows the real one.

    `share` (0..1) of the fields show one. `done` are those that were shown that way before, see `Journal.planted`; fields that
    a person keyed show none either. `proposed` are texts that readers proposed, `page` the rows of the field's page: a wrong
    reading must not reveal itself by breaking a rule, unless the real reading breaks one too.
    """
    reading = state.reading
    if not reading.text or state.key in done or state.counting or lot(secret, "planted", state.key) >= share * NUMBERS:
        return None
    for text in _wrong_texts(reading, lot(secret, "wrong", state.key), proposed):
        meant = meaning(reading, text)
        if not meant.fault and set(meant.broken) <= set(meaning(reading, reading.text).broken) and not set(
            broken_between(page, reading.field, text)
        ) - set(broken_between(page, reading.field, reading.text)):  # fmt: skip
            return replace(reading, text=text, value=meant.value, read="", changed_by="")
    return None


def answered(shown: Row, state: FieldState, edit: Edit) -> Planted:
    """What a person did who was shown a planted reading and gave this answer; if it `passed`, the edit must not be stored."""
    passed = edit.said == "text" and meaning(state.reading, edit.text).text == shown.text
    return Planted(*state.key, shown.text, passed, edit.who, edit.screen)


def _wrong_texts(reading: Row, number: int, proposed: Sequence[str]) -> list[str]:
    """Texts that could have been read there but were not, the most plausible first."""
    others = dict.fromkeys((*proposed, reading.read))
    found = [text for text in others if text and text != reading.text and text.isascii() and text.isdecimal()]
    digits = len(reading.text)
    for step in range(digits):
        place = (number + step) % digits
        digit = reading.text[place]
        alike = ALIKE[digit]
        first = number // digits % len(alike)
        for other in alike[first:] + alike[:first]:
            found.append(reading.text[:place] + other + reading.text[place + 1 :])
    return found
