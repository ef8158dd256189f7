"""Guess a form's position by its corner marks: three or more solid dark rectangles at known places on the form."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from docproc.pages.register.warp import Matrix, Points, corners_of, local_scales, mapped, resizing, shrunk
from docproc.pixels import components, flatten_light, otsu
from docproc.types import Box, Gray

Places = NDArray[np.complex128]  # (n,) complex128, x + iy: a similarity is a product and a sum


@dataclass(frozen=True, slots=True)
class MarkTuning:
    """The tuned numbers of this stage, each with its unit and kind, see docs/house.md."""

    # What may be a mark, on the page at the working size.
    work_side_px: int = 1000  # of the page's longer side, at most [guess]
    min_light_reach_px: int = 31  # over which the light is flattened [guess]
    light_reaches_per_side: int = 8  # per longer side of the page, on larger pages [guess]
    min_contrast_gray: float = 30  # between paper and marks [guess]
    min_side_px: int = 5  # of a mark [guess]
    max_marks_per_side: int = 12  # a mark is at most one twelfth of the page's longer side [guess]
    min_box_fill_share: float = 0.4  # of the upright rectangle around a mark, which may be skewed [guess]
    min_fill_share: float = 0.75  # of the tightest rectangle around a mark [guess]
    min_aspect_ratio: float = 0.7  # of a candidate, relative to that of a mark of the form [guess]
    max_aspect_ratio: float = 1.45  # likewise [guess]
    max_candidates: int = 60  # [guess]

    # The arrangement of candidates.
    min_marks: int = 3  # an affine map takes three points [geometry]
    min_size_ratio: float = 0.65  # of a candidate, relative to the size of the matched mark [guess]
    max_size_ratio: float = 1.5  # likewise [guess]
    max_offset_share: float = 0.1  # of the diagonal, from where two marks put a third: allows for perspective [guess]
    max_residual_share: float = 0.12  # of a mark's side, root mean square over the corners of the marks [guess]
    max_stretch_ratio: float = 1.1  # of the affine map through three marks: nearly a similarity [guess]
    bend_step_share: float = 0.02  # of the diagonal; positions whose bends differ by less are equally likely [guess]


MARKS = MarkTuning()


@dataclass(frozen=True, slots=True, eq=False)
class MarkPlace:
    """A possible position of the form on a page, by its marks."""

    to_page: Matrix  # px of the form's image to px of the page
    share: float  # 0..1 of the marks that are found
    residual: float  # px of the form, root mean square over the marks' corners
    bend: float  # deviation of the marks from a pure rotation and scaling, as a share of their diagonal
    angle: float  # radians, without sign
    cover: float  # area of the form relative to that of the page


@dataclass(frozen=True, slots=True, eq=False)
class _Candidates:
    """Possible marks on a page, in px of the page at the working size."""

    centers: Points  # (n, 2)
    sizes: NDArray[np.float64]  # (n,) roots of the areas
    corners: list[Points]  # the four corners of each
    scale: float  # px per px of the page


@dataclass(frozen=True, slots=True, eq=False)
class _Match:
    """Candidates matched to the marks of the form by a similarity."""

    taken: tuple[int, ...]  # the candidate of each mark, -1 for none
    bend: float
    similarity: complex  # px of the working size per px of the form, and the rotation

    @property
    def seen(self) -> list[int]:
        """The marks that have a candidate."""
        return [mark for mark, candidate in enumerate(self.taken) if candidate >= 0]


def places_by_marks(gray: Gray, marks: Sequence[Box], form_size: tuple[int, int], form_scale: float) -> list[MarkPlace]:
    """Possible positions of a form of `form_size` (width, height) px on the page by its marks, most likely first.

    Matching two marks to two candidates gives a similarity, which predicts the positions and sizes of the other marks.
    `form_scale` is px of the form's image per px of the form.
    """
    if not marks:
        return []
    candidates = _candidates(gray, sorted({max(mark.width, mark.height) / min(mark.width, mark.height) for mark in marks}))
    if len(candidates.centers) < MARKS.min_marks:
        return []
    centers = np.array([[m.left + (m.width - 1) / 2, m.top + (m.height - 1) / 2] for m in marks])
    sizes = np.sqrt([m.width * m.height for m in marks])
    found: dict[tuple[int, ...], MarkPlace] = {}
    for match in _matches(centers @ [1, 1j], sizes, candidates):
        if match.taken in found:
            continue
        seen, chosen = match.seen, [match.taken[mark] for mark in match.seen]
        to_work = _map_through(centers[seen], candidates.centers[chosen])
        if to_work is None:
            continue
        residual = _residual([marks[k] for k in seen], [candidates.corners[k] for k in chosen], to_work)
        if residual > MARKS.max_residual_share * float(sizes.min()):
            continue
        cover = abs(match.similarity * candidates.scale**-1) ** 2 * form_size[0] * form_size[1] / gray.size
        found[match.taken] = MarkPlace(
            to_page=resizing(1 / candidates.scale) @ to_work @ resizing(1 / form_scale),
            share=len(seen) / len(marks),
            residual=residual,
            bend=match.bend,
            angle=abs(float(np.angle(match.similarity))),
            cover=float(cover),
        )
    return sorted(found.values(), key=lambda place: (-place.share, round(place.bend / MARKS.bend_step_share), place.angle))


def _candidates(gray: Gray, aspects: Sequence[float]) -> _Candidates:
    """Solid dark rectangles with about one of the `aspects` (longer over shorter side), most solid first."""
    scale = min(1.0, MARKS.work_side_px / max(gray.shape))
    small = shrunk(gray, scale) if scale < 1 else gray
    reach = max(MARKS.min_light_reach_px, max(small.shape) // MARKS.light_reaches_per_side)
    flat = flatten_light(small, reach)
    threshold, dark, light = otsu(flat)
    mask = ((flat <= threshold) & (light - dark >= MARKS.min_contrast_gray)).astype(np.uint8)
    labels, table = components(mask)
    max_side = max(small.shape) / MARKS.max_marks_per_side
    found: list[tuple[float, float, Points, Points]] = []  # how solid; area; center; corners
    for label, (left, top, width, height, area) in enumerate(table.tolist(), 1):
        if min(width, height) < MARKS.min_side_px or max(width, height) > max_side:
            continue
        if area < MARKS.min_box_fill_share * width * height:
            continue
        part = (labels[top : top + height, left : left + width] == label).astype(np.uint8)
        corners, long, short = _tightest_rectangle(part)
        likely = any(MARKS.min_aspect_ratio <= long / short / aspect <= MARKS.max_aspect_ratio for aspect in aspects)
        if area >= MARKS.min_fill_share * long * short and likely:
            rows, columns = part.nonzero()
            place = np.array([left, top])
            center = place + np.array([columns.mean(), rows.mean()])
            found.append((area / (long * short), area, center, corners + place))
    found.sort(key=lambda item: -item[0])
    del found[MARKS.max_candidates :]
    return _Candidates(
        np.array([center for _, _, center, _ in found], np.float64).reshape(-1, 2),
        np.sqrt(np.array([area for _, area, _, _ in found], np.float64)),
        [corners for *_, corners in found],
        scale,
    )


def _tightest_rectangle(part: NDArray[np.uint8]) -> tuple[Points, float, float]:
    """The corners of the smallest rectangle around non-zero pixels, at any angle, and its longer and shorter side."""
    outlines, _ = cv2.findContours(part, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    middle, sides, angle = cv2.minAreaRect(outlines[0])
    # The outline runs through the centers of the outermost pixels.
    corners = cv2.boxPoints((middle, (sides[0] + 1, sides[1] + 1), angle)).astype(np.float64)
    return corners, max(sides) + 1, min(sides) + 1


def _matches(marks: Places, mark_sizes: NDArray[np.float64], candidates: _Candidates) -> Iterator[_Match]:
    """Every match of candidates to at least all marks but one, from every pair of marks and every pair of candidates."""
    there = candidates.centers @ [1, 1j]
    diagonal = float(np.abs(marks[:, None] - marks).max())
    for i, j in itertools.combinations(range(len(marks)), 2):
        similarities = (there - there[:, None]) / (marks[j] - marks[i])
        scales = np.maximum(np.abs(similarities), 1e-9)
        first = _alike_in_size(candidates.sizes[:, None] / (scales * mark_sizes[i]))
        second = _alike_in_size(candidates.sizes / (scales * mark_sizes[j]))
        for a, b in np.argwhere(first & second):
            by = similarities[a, b]
            offsets = np.abs(there[a] + by * (marks - marks[i])[:, None] - there) / (abs(by) * diagonal)
            offsets[~_alike_in_size(candidates.sizes / (abs(by) * mark_sizes[:, None]))] = 1.0
            nearest = offsets.argmin(1)
            taken = tuple(int(k) if offsets[m, k] <= MARKS.max_offset_share else -1 for m, k in enumerate(nearest))
            used = [k for k in taken if k >= 0]
            if len(used) >= max(MARKS.min_marks, len(marks) - 1) and len(set(used)) == len(used):
                bend = float(np.mean([offsets[m, k] for m, k in enumerate(taken) if k >= 0]))
                yield _Match(taken, bend, by)


def _alike_in_size(ratios: NDArray[np.float64]) -> NDArray[np.bool_]:
    return np.asarray((ratios >= MARKS.min_size_ratio) & (ratios <= MARKS.max_size_ratio), np.bool_)


def _map_through(here: Points, there: Points) -> Matrix | None:
    """The homography through four or more pairs; through three, the affine map, if it is nearly a similarity."""
    if len(here) > MARKS.min_marks:
        matrix, _ = cv2.findHomography(here, there, 0)
        return None if matrix is None else np.asarray(matrix, np.float64)
    affine = cv2.getAffineTransform(here.astype(np.float32), there.astype(np.float32)).astype(np.float64)
    stretch = np.linalg.svd(affine[:, :2], compute_uv=False)
    return np.vstack([affine, [0, 0, 1]]) if stretch[0] <= MARKS.max_stretch_ratio * stretch[1] else None


def _residual(marks: Sequence[Box], seen: Sequence[Points], to_work: Matrix) -> float:
    """Root mean square distance in px of the form between the marks' corners and those seen."""
    squares: list[float] = []
    for mark, corners in zip(marks, seen, strict=True):
        expected = mapped(to_work, corners_of(mark.width, mark.height, mark.left, mark.top))
        offsets = np.hypot(*(expected[:, None] - corners).T).min(0) / local_scales(to_work, expected)
        squares.extend(offsets**2)
    return float(np.sqrt(np.mean(squares)))
