"""Make a page what the later stages expect: dark ink on light paper."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from docproc.pixels import otsu
from docproc.types import Gray, Page

DARK = 96  # a page whose median is darker than this may be a negative


def clean(page: Page) -> Page:
    """The page with dark ink on light paper; a negative (white on black, as from microfilm) is turned over."""
    return replace(page, gray=_positive(page.gray))


def _positive(gray: Gray) -> Gray:
    # Paper is what most of a page is. It may be dark on a bad scan; on a negative it is darker than what is written.
    step = max(1, max(gray.shape) // 1000)
    sample = np.ascontiguousarray(gray[::step, ::step])
    paper = float(np.median(sample))
    if paper >= DARK:
        return gray
    _, dark, light = otsu(sample)
    return np.asarray(255 - gray, np.uint8) if paper - dark < light - paper else gray
