"""The cells of a comb, one by one: the content of each box, with what extends into it from its neighbors.

A digit may cross a wall: a component of ink belongs, as a whole, to the cell that holds most of it, and only ink much
wider than a cell is split at the walls. So no digit is seen in two cells.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from docproc.pixels import components
from docproc.types import CELL_CLASSES, CELL_SIDE, DIGIT_HEIGHT, EMPTY, CellPictures, CellScores, FieldInk


@dataclass(frozen=True, slots=True)
class CellTuning:
    """The tuned numbers of this stage, each with its unit and kind, see docs/house.md."""

    ink_px: int = 22  # longer side of a cell's ink in its image [guess]
    min_ink_px: int = 20  # of a field's ink that are scaled to that side at least: smaller marks stay small [guess]
    width_weight: float = 0.75  # of the width of a cell's ink relative to its height, when determining its longer side [guess]
    speck_area_share: float = 0.006  # of the digit height squared; less ink does not move the image [guess]
    max_width_pitches: float = 1.5  # of ink that belongs to one cell as a whole; wider ink is split at the walls [guess]
    across_pull: float = 0.2  # by which the center of an image is pulled from its ink toward the cell [guess]
    down_pull: float = 0.1  # toward the middle of the comb [guess]
    blur: float = 0.35  # in px of the image, before downscaling [guess]
    min_blur_px: float = 0.3  # [guess]


CELL = CellTuning()


def cell_pictures(field: FieldInk) -> CellPictures:
    """Images of the cells of a comb: (cells, 32, 32, 2) uint8, the cell's own ink, and all other ink around it.

    The image is centered on the cell's ink, and that ink is scaled to one size. For a cell without ink the first channel
    is empty.
    """
    pictures = np.zeros((field.cells, CELL_SIDE, CELL_SIDE, 2), np.uint8)
    if not field.cells or not len(field.parts):
        return pictures
    owner = _owners(field)
    height = field.ink.shape[0]
    edges = np.array([0.0, *field.walls, field.ink.shape[1]])
    for cell in range(field.cells):
        own = np.where(owner == cell, field.ink, np.uint8(0))
        box = _extent((own > 0).astype(np.uint8))
        if box is None:
            continue
        left, top, right, bottom = box
        scale = CELL.ink_px / max(bottom - top, CELL.width_weight * (right - left), CELL.min_ink_px)
        x, y = (left + right) / 2, (top + bottom) / 2
        # Position in the cell carries information, so the center is pulled from the ink toward the cell.
        x = (1 - CELL.across_pull) * x + CELL.across_pull * float(np.clip(x, edges[cell], edges[cell + 1]))
        y = (1 - CELL.down_pull) * y + CELL.down_pull * height / 2
        to_picture = np.array([[scale, 0.0, CELL_SIDE / 2 - scale * x], [0.0, scale, CELL_SIDE / 2 - scale * y]])
        others = np.where(owner == cell, np.uint8(0), field.ink)
        peak = 1
        for layer, ink in enumerate((own, others)):
            soft = cv2.GaussianBlur(ink, (0, 0), max(CELL.min_blur_px, CELL.blur / scale))
            small = cv2.warpAffine(soft, to_picture, (CELL_SIDE, CELL_SIDE), flags=cv2.INTER_LINEAR)
            if layer == 0:
                # Normalize the darkness, so that a thin pen counts like a bold one.
                peak = max(peak, int(small.max()))
            pictures[cell, :, :, layer] = cv2.convertScaleAbs(small, alpha=255.0 / peak)
    return pictures


def without_ink(pictures: CellPictures, scores: CellScores) -> CellScores:
    """The scores (n, 13) of the cells, replacing those of images without own ink: such a cell is certainly empty."""
    blank = ~pictures[..., 0].any(axis=(1, 2))
    changed = scores.copy()
    changed[blank] = np.eye(CELL_CLASSES, dtype=np.float32)[EMPTY]
    return changed


def _owners(field: FieldInk) -> NDArray[np.int32]:
    """The cell of every pixel of ink, (height, width) int32; -1 for none."""
    width = field.labels.shape[1]
    column = np.searchsorted(np.asarray(field.walls), np.arange(width) + 0.5)
    count = len(field.parts) + 1
    held = np.bincount(
        (field.labels.astype(np.int64) * field.cells + column[None, :]).ravel(), minlength=count * field.cells
    ).reshape(count, field.cells)
    home = held.argmax(axis=1)
    home[0] = -1
    owner = home[field.labels]
    pitch = width if field.cells == 1 else float(np.diff([*field.walls]).mean()) if field.cells > 2 else width / 2
    for k in np.flatnonzero(field.parts[:, 2] > CELL.max_width_pitches * pitch):
        owner = np.where(field.labels == k + 1, column[None, :], owner)
    return np.asarray(owner, np.int32)


def _extent(mask: NDArray[np.uint8]) -> tuple[int, int, int, int] | None:
    """Left, top, right and bottom of all ink except specks; None if there is none."""
    _, table = components(mask)
    large = table[table[:, 4] >= CELL.speck_area_share * DIGIT_HEIGHT**2]
    if not len(large):
        return None
    left, top = large[:, 0].min(), large[:, 1].min()
    return int(left), int(top), int((large[:, 0] + large[:, 2]).max()), int((large[:, 1] + large[:, 3]).max())
