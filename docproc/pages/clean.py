"""Make a page what the later stages expect: dark ink on light paper."""

from __future__ import annotations

import cv2
import numpy as np

from docproc.types import Gray, Page

DARK = 96  # a page whose median is darker than this is a negative


def clean(page: Page) -> Page:
    """The page with dark ink on light paper; a negative (white on black, as from microfilm) is turned over."""
    return Page(page.id, _positive(page.gray))


def _positive(gray: Gray) -> Gray:
    # The median over a thumbnail tells paper from ink on any page that is mostly paper.
    small = cv2.resize(gray, (min(64, gray.shape[1]), min(64, gray.shape[0])), interpolation=cv2.INTER_AREA)
    return np.asarray(255 - gray, np.uint8) if float(np.median(small)) < DARK else gray
