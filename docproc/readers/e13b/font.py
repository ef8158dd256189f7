"""Constants of E-13B: its characters and its sizes (ANSI X9.27, ISO 1004)."""

from __future__ import annotations

from docproc.types import MICR_SYMBOLS

TRANSIT, AMOUNT, ON_US, DASH = tuple(MICR_SYMBOLS[10:])

CHARACTER_IN = 0.117  # inch, the height of a character [standard]
PITCH_IN = 0.125  # inch from one character to the next [standard]

# On the strip that the network reads:
PRINT_HEIGHT_PX = 18  # the height of a character: two px per row of the font's grid [geometry]
PITCH_PX = PRINT_HEIGHT_PX * 125 / 117  # from one character to the next [geometry]
STRIDE_PX = 4  # per frame of the network [geometry]
