"""A form's template: a TOML file that says where the fields are, and what they may say.

    schema_version = 1
    name = "household survey"

    [page]
    reference = "blank.png"        # the blank form, next to this file: scans are registered to it, and its print is removed
    marks = [[40, 40, 50, 50]]     # solid corner marks on it, three or more; optional
    # or, without an image:
    # size = [2550, 3300]          # width, height in pixels of the scans on which the boxes were measured

    [[field]]
    name = "household_id"
    box = [210, 340, 880, 96]      # left, top, width, height
    kind = "comb"                  # comb | string | amount | date | micr
    digits = 8                     # or [fewest, most]; a comb has as many cells as its most
    check_digit = "mod11"          # luhn, mod10, mod11, mod97, aba, verhoeff, or { weights = [3, 7, 1], modulus = 10 }

    [[field]]
    name = "born"
    box = [210, 500, 640, 96]
    kind = "date"
    order = "DDMMYYYY"             # or DMY, MDY, YMD, where zeros may be missing; omit if any order is possible
    cells = 8                      # of its comb; omit for a free field

    [[rule]]
    sum = ["men", "women"]
    equals = "total"

A form of several pages has a [[page]] with its own reference for each, and `page = 2` in the fields of the second:

    [[page]]
    reference = "front.png"

    [[page]]
    reference = "back.png"

Without an image and marks for registration, a page is accepted if its shape matches: the boxes are scaled.
"""

from __future__ import annotations

from docproc.fields.template.parsing import ALONE, Beside, parse, parse_pages
from docproc.fields.template.placing import Template, enough, fits, place
from docproc.fields.template.schema import json_schema

__all__ = ("ALONE", "Beside", "Template", "enough", "fits", "json_schema", "parse", "parse_pages", "place")
