"""The promise on fields that the project draws, with the shipped networks. `scripts/measure_drawn.py` prints the tables."""

from __future__ import annotations

from pathlib import Path

import pytest

from docproc.learn.composing.fonts import Fonts
from docproc.learn.composing.material import Material
from docproc.learn.composing.nothing import BLANKS, NOTHINGS, UNSEEN
from docproc.learn.evaluation.trust import empty_fields, fields_without_number, printed_fields, read_drawn, summed
from docproc.learn.training.finetune import ReplayDigits

MAX_ERROR = 0.01
SYSTEM_FONTS = (
    *(f"/usr/share/fonts/truetype/{name}" for name in (
        "dejavu/DejaVuSans.ttf", "dejavu/DejaVuSerif.ttf", "dejavu/DejaVuSansMono.ttf", "liberation/LiberationSans-Regular.ttf",
        "liberation/LiberationSerif-Regular.ttf", "freefont/FreeSans.ttf", "freefont/FreeSerif.ttf", "lato/Lato-Regular.ttf",
    )),
    "/System/Library/Fonts/Helvetica.ttc", "/System/Library/Fonts/Times.ttc", "C:/Windows/Fonts/arial.ttf",
    "C:/Windows/Fonts/times.ttf",
)  # fmt: skip


@pytest.fixture(scope="module")
def material() -> Material:
    return ReplayDigits.of(None).test


@pytest.mark.slow
def test_nothing_without_a_number_is_accepted(material: Material) -> None:
    kinds = len(NOTHINGS) + len(UNSEEN)
    found = read_drawn(list(fields_without_number(material, 2000 // kinds)), None, MAX_ERROR, 2)
    assert summed(found).fields == 2000
    # 12 of 2,000 were accepted when this was written, most of them slashes, dashes and two numbers; the aim is 2.
    assert summed(found).accepted <= 20, {name: one.accepted for name, one in found.items()}


@pytest.mark.slow
def test_empty_fields_are_blank_and_none_is_accepted() -> None:
    found = read_drawn(list(empty_fields(-(-2000 // len(BLANKS)))), None, MAX_ERROR, 2)
    whole = summed(found)
    assert whole.fields >= 2000
    assert not whole.accepted, {name: one.accepted for name, one in found.items()}
    assert whole.blank >= 0.95 * whole.fields, {name: one.blank for name, one in found.items()}


@pytest.mark.slow
def test_print_is_read_and_never_accepted_wrong(material: Material) -> None:
    fonts = Fonts(print=tuple(name for name in SYSTEM_FONTS if Path(name).is_file()))
    if not fonts.print:
        pytest.skip("none of the common fonts is installed")
    whole = summed(read_drawn(list(printed_fields(Material(material.digits, None, fonts), 20)), None, MAX_ERROR, 2))
    assert not whole.wrong
    assert whole.exact >= 0.97 * whole.fields
