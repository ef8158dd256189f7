"""What is known about a form: its corner marks, features, patches of print, and ruled lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from docproc.pages.register.features import Descriptors, FeaturePoints, features
from docproc.pages.register.lines import Lines, ruled_lines
from docproc.pages.register.patches import PATCHES, Corners, choose_patches
from docproc.pages.register.warp import at_working_size
from docproc.types import Box, Gray

MAX_WORK_SIDE_PX = 1200  # of the form's longer side for comparison; a smaller one is left as it is [guess]


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """What is known about a form. `picture` and what follows are empty if only its marks are known."""

    size: tuple[int, int]  # width, height in px
    marks: tuple[Box, ...]  # solid dark marks, three or more, or none
    scale: float  # px of `picture` per px of the form
    picture: Gray  # (height, width) uint8, flattened, at the working size
    points: FeaturePoints  # (n, 2) float32, features on the image
    descriptors: Descriptors  # (n, 32) uint8
    patches: Corners  # (n, 2) int32, left and top of textured squares on the image
    lines: Lines  # (2, height, width) bool, horizontal and vertical ruled lines, smaller than the image

    @property
    def working_size(self) -> tuple[float, float]:
        """Width and height of the form in px of its image."""
        return self.size[0] * self.scale, self.size[1] * self.scale


def reference(gray: Gray, marks: Sequence[Box] = ()) -> Reference:
    """Prepare a form from its image (height, width) uint8, empty or filled in; `marks` are its corner marks, in px.

    Raises ValueError if there are one or two marks or they are outside, or if the image shows too little print.
    """
    height, width = gray.shape
    _check_marks((width, height), marks)
    picture, scale = at_working_size(gray, MAX_WORK_SIDE_PX)
    points, descriptors = features(picture)
    patches = choose_patches(picture)
    if len(patches) < PATCHES.min_patches:
        raise ValueError(f"the picture of the form shows too little print: {len(patches)} places to know it by")
    return Reference((width, height), tuple(marks), scale, picture, points, descriptors, patches, ruled_lines(picture))


def reference_by_marks(size: tuple[int, int], marks: Sequence[Box]) -> Reference:
    """Prepare a form of `size` (width, height) px for which only its corner marks are known.

    If equal marks form a rectangle, an upside-down page cannot be distinguished from an upright one: it is assumed to be
    upright. Raises ValueError if there are fewer than three marks or they are outside.
    """
    _check_marks(size, marks)
    if not marks:
        raise ValueError("a form without a picture needs three corner marks or more")
    return Reference(
        size,
        tuple(marks),
        scale=min(1.0, MAX_WORK_SIDE_PX / max(size)),
        picture=np.zeros((0, 0), np.uint8),
        points=np.zeros((0, 2), np.float32),
        descriptors=np.zeros((0, 32), np.uint8),
        patches=np.zeros((0, 2), np.int32),
        lines=np.zeros((2, 0, 0), np.bool_),
    )


def _check_marks(size: tuple[int, int], marks: Sequence[Box]) -> None:
    if len(marks) in (1, 2):
        raise ValueError(f"{len(marks)} corner marks say too little: name three or four")
    if any(mark.clip(*size) != mark or mark.width < 1 or mark.height < 1 for mark in marks):
        raise ValueError("a corner mark lies outside the form")
