"""Bring a scan onto the form that a template describes.

First a rough guess where the form lies: by its corner marks, by features (ORB, Rublee 2011, with MAGSAC, Barath 2019), or
by its ruled lines. Then the same for each: small patches of the form's print are looked for where the guess puts them, the
homography is fitted to those that are found, and their share decides whether the page is a scan of this form at all.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from docproc.errors import DocumentError
from docproc.pixels import flatten_light, otsu
from docproc.types import Box, Gray

Method = Literal["marks", "features", "lines"]
Matrix = NDArray[np.float64]  # (3, 3) float64 homography on (x, y, 1); whole numbers are the centers of pixels
Points = NDArray[np.float64]  # (n, 2) float64, x and y

WORK_SIDE = 1200  # px of the reference's longer side while it is compared; a smaller one is left as it is
PAGE_SIDE = 1400  # px of the page's longer side while features, marks and lines are looked for: there may be a table around
REACH = 61  # px; lights are flattened over it
FEATURES = 2500
CLOSE = 0.85  # a descriptor's distance over that of the second best, at most
LEAST_SIDE = 100  # px of a page's shorter side then
PATCH = 40  # px, side of a patch of print at the working size
MOST_PATCHES = 140
LEAST_PATCHES = 12
WINDOWS = (24, 12, 6)  # px around its place in which a patch is looked for, round by round
LIKENESS = 0.55  # least correlation of a patch with what is there
NEAR = 3.0  # px at the working size from where the fitted form puts it: found
SURE_SHARE = 0.5  # of the patches, where writing may hide whole regions of the form
SURE_RULED = 0.55  # of the ruled lines then
LEAST_SHARE = 0.4  # of the patches that have to be found
STIFF = 0.85  # of the pairs that a suppler map fits, and the stiffer one is taken
MOST_FLAT = 1.25  # times the squared error of a homography: an affine map will do
DOUBTFUL_SHARE = 0.28  # of the patches, where the ruled lines agree: the reference may be filled in by another hand
DOUBTFUL_MISSING = 0.5  # of the regions, likewise
LEAST_RULED = 0.75  # of the ruled lines
LEAST_REGION = 0.25  # of a region's patches that have to be found, or the region counts as missing
MOST_MISSING = 0.25  # of the regions
LINE_SIDE = 800  # px of the longer side while ruled lines are looked for
COARSE_SIDE = 192  # px of the reference's longer side while line maps are laid over each other
MOST_SKEW = 15.0  # degrees, of a page brought by its lines
MARK_SIDE = 1000  # px of the page's longer side while marks are looked for
MARK_CANDIDATES = 60
MARK_NEAR = 0.1  # of the marks' diagonal, from where two marks put a third: what perspective may do
LONE_BEND = 0.01  # of the diagonal, where there is no picture and one mark is missing
LONE_COVER = 0.25  # of the page's area that the form covers, where there is no picture
MARK_OFF = 0.12  # of a mark's side, root mean square of its corners
SCALES = (0.5, 4.0)  # px of a rectified page for a px of the reference, least and most
MOST_PIXELS = 60_000_000  # of a rectified page
MOST_SIDE = 30_000  # px; OpenCV warps no more
SEED = 1


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """What is known of a form. `picture` and what follows are empty where it is known by its marks alone."""

    size: tuple[int, int]  # width, height in px
    marks: tuple[Box, ...]  # solid dark marks, three or more, or none
    scale: float  # px of `picture` for a px of the form
    picture: Gray  # (height, width) uint8, flattened, at the working size
    points: NDArray[np.float32]  # (n, 2) float32, features on the picture
    descriptors: NDArray[np.uint8]  # (n, 32) uint8
    patches: NDArray[np.int32]  # (n, 2) int32, left and top of textured squares of `PATCH` px on the picture
    lines: NDArray[np.bool_]  # (2, height, width) bool, level and upright ruled lines, at most `LINE_SIDE` px


@dataclass(frozen=True, slots=True, eq=False)
class Registration:
    """Where the form lies on a page."""

    to_page: Matrix  # px of the reference to px of the page
    residual: float  # px of the reference, root mean square over the patches (or the marks' corners) that were found
    method: Method  # that gave the first guess
    turned: int  # 0, 90, 180, 270 degrees clockwise by which the form lies turned on the page
    share: float  # 0..1 of the patches that were found (of the marks, where there is no picture)


@dataclass(frozen=True, slots=True, eq=False)
class _Fit:
    to_page: Matrix  # px of the reference's picture to px of the page
    residual: float  # px of the reference's picture
    share: float
    missing: float  # share of the regions
    ruled: float  # share of the ruled lines; 0 where it was not looked at

    @property
    def good(self) -> bool:
        if self.share >= LEAST_SHARE and self.missing <= MOST_MISSING:
            return True
        if self.share >= SURE_SHARE and self.missing <= DOUBTFUL_MISSING and self.ruled >= SURE_RULED:
            return True
        return self.share >= DOUBTFUL_SHARE and self.missing <= DOUBTFUL_MISSING and self.ruled >= LEAST_RULED


@dataclass(frozen=True, slots=True, eq=False)
class _Place:
    """What the marks say."""

    to_page: Matrix  # px of the reference's picture to px of the page
    share: float  # of the marks
    residual: float  # px of the reference
    bend: float  # how far the marks lie from a mere turn and scaling, for their diagonal
    angle: float  # radians, without sign
    cover: float  # the form's area for the page's


def reference(gray: Gray, marks: Sequence[Box] = ()) -> Reference:
    """Prepare a form by its picture (height, width) uint8, empty or filled in; `marks` are its corner marks, in px.

    Raises ValueError where marks number one or two or lie outside, or where the picture shows too little print.
    """
    height, width = gray.shape
    _check_marks((width, height), marks)
    picture, scale = _working(gray, WORK_SIDE)
    points, descriptors = _features(picture)
    patches = _patches(picture)
    if len(patches) < LEAST_PATCHES:
        raise ValueError(f"the picture of the form shows too little print: {len(patches)} places to know it by")
    lines, _ = _line_map(picture)
    return Reference((width, height), tuple(marks), scale, picture, points, descriptors, patches, lines > 0.3)


def reference_by_marks(size: tuple[int, int], marks: Sequence[Box]) -> Reference:
    """Prepare a form of `size` (width, height) px of which only its corner marks are known.

    Where equal marks lie as in a rectangle, nothing tells a page that is upside down from one that is not: it is taken
    for upright. Raises ValueError where there are fewer than three marks or they lie outside.
    """
    _check_marks(size, marks)
    if not marks:
        raise ValueError("a form without a picture needs three corner marks or more")
    none = np.zeros((0, 2), np.float32)
    empty = np.zeros((0, 0), np.uint8)
    descriptors = np.zeros((0, 32), np.uint8)
    scale = min(1.0, WORK_SIDE / max(size))
    return Reference(
        size, tuple(marks), scale, empty, none, descriptors, np.zeros((0, 2), np.int32), np.zeros((2, 0, 0), np.bool_)
    )


def register(gray: Gray, reference: Reference) -> Registration:
    """Where the form lies on the page `gray` (height, width) uint8, dark ink on light paper.

    Raises DocumentError `does_not_fit` where the page is no scan of this form.
    """
    page, scale = _working(gray, PAGE_SIDE)
    if min(page.shape) < LEAST_SIDE:
        size = f"{gray.shape[1]} x {gray.shape[0]} px"
        raise DocumentError(
            "does_not_fit", f"the page of {size} is too small or too narrow to show the form; is it another form?"
        )
    if not len(reference.patches):
        return _registered_by_marks(gray, reference)
    share = 0.0
    for method, guess in _guesses(gray, page, scale, reference):
        if not _sane(guess, reference, page.shape):
            continue
        fit = _refine(gray, page, scale, reference, guess)
        if fit is None:
            continue
        if fit.good:
            to_page = fit.to_page @ _resizing(reference.scale)
            return _registration(to_page, fit.residual / reference.scale, method, fit.share, reference.size)
        share = max(share, fit.share)
    much = f"only {share:.0%} of" if share >= 0.05 else "next to nothing of"
    message = f"{much} the form's printed structure is found where it should be on the page; is it another form, or incomplete?"
    raise DocumentError("does_not_fit", message)


def natural_scale(registration: Registration, size: tuple[int, int]) -> float:
    """Px for a px of the reference of `size` (width, height), 0.5..4, at which rectifying keeps the page's own resolution."""
    width, height = size
    places = np.vstack([_corners(width, height), [[width / 2, height / 2]]])
    scale = float(np.median(_local_scales(registration.to_page, places)))
    most = min(SCALES[1], MOST_SIDE / max(size), float(np.sqrt(MOST_PIXELS / (width * height))))
    return min(max(scale, SCALES[0]), most)


def rectify(gray: Gray, registration: Registration, size: tuple[int, int], scale: float | None = None) -> Gray:
    """The page laid onto the reference of `size` (width, height) px, `scale` times as large; paper white outside.

    Without `scale`, as large as the page itself shows it: see `natural_scale`. A box of the reference is
    `box.scaled(scale)` on the result, (round(height * scale), round(width * scale)) uint8.
    """
    scale = natural_scale(registration, size) if scale is None else scale
    matrix = registration.to_page @ _resizing(1 / scale)
    return _warped(gray, matrix, (max(1, round(size[0] * scale)), max(1, round(size[1] * scale))), cv2.INTER_CUBIC)


def box_on_page(box: Box, registration: Registration) -> Box:
    """The upright rectangle on the page, in its px and not clipped to it, around a box of the reference."""
    corners = _corners(box.width, box.height, box.left, box.top)
    placed = _mapped(registration.to_page, corners) + 0.5
    # A hair's breadth is no pixel.
    left, top = (int(v) for v in np.floor(placed.min(0) + 1e-3))
    right, bottom = (int(v) for v in np.ceil(placed.max(0) - 1e-3))
    return Box(left, top, right - left, bottom - top)


def _check_marks(size: tuple[int, int], marks: Sequence[Box]) -> None:
    if len(marks) in (1, 2):
        raise ValueError(f"{len(marks)} corner marks say too little: name three or four")
    if any(mark.clip(*size) != mark or mark.width < 1 or mark.height < 1 for mark in marks):
        raise ValueError("a corner mark lies outside the form")


def _registration(to_page: Matrix, residual: float, method: Method, share: float, size: tuple[int, int]) -> Registration:
    to_page = to_page / to_page[2, 2]
    width, height = size
    left, right = _mapped(to_page, np.array([[0.25 * width, height / 2], [0.75 * width, height / 2]]))
    turned = round(np.degrees(np.arctan2(right[1] - left[1], right[0] - left[0])) / 90) % 4 * 90
    return Registration(to_page, float(residual), method, int(turned), float(share))


# Geometry


def _resizing(by: float) -> Matrix:
    """Px of a picture to px of the same `by` times as large."""
    shift = (by - 1) / 2
    return np.array([[by, 0, shift], [0, by, shift], [0, 0, 1]], np.float64)


def _mapped(matrix: Matrix, points: NDArray[np.floating]) -> Points:
    whole = np.c_[points, np.ones(len(points))] @ matrix.T
    return np.asarray(whole[:, :2] / whole[:, 2:], np.float64)


def _corners(width: float, height: float, left: float = 0, top: float = 0) -> Points:
    """Those of a rectangle, clockwise from its upper left."""
    right, bottom = left + width, top + height
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float64) - 0.5


def _local_scales(matrix: Matrix, points: Points) -> NDArray[np.float64]:
    """Px after for a px before at each point: the root of the determinant of the homography's derivative."""
    depth = np.c_[points, np.ones(len(points))] @ matrix[2]
    return np.asarray(np.sqrt(np.abs(np.linalg.det(matrix) / depth**3)), np.float64)


def _sane(matrix: Matrix, reference: Reference, shape: tuple[int, ...]) -> bool:
    """Whether a page of `shape` may show the form so: not mirrored, not folded, not bent beyond a photograph."""
    width, height = reference.size[0] * reference.scale, reference.size[1] * reference.scale
    corners = _corners(width, height)
    if not np.isfinite(matrix).all() or abs(matrix[2, 2]) < 1e-9:
        return False
    if (np.c_[corners, np.ones(4)] @ matrix[2] / matrix[2, 2] <= 0.2).any():
        return False
    placed = _mapped(matrix, corners)
    edges = np.roll(placed, -1, 0) - placed
    following = np.roll(edges, -1, 0)
    turns = edges[:, 0] * following[:, 1] - edges[:, 1] * following[:, 0]
    lengths = np.hypot(*edges.T)
    if (turns <= 0.6 * lengths * np.roll(lengths, -1)).any():
        return False
    stretch = lengths / np.array([width, height, width, height])
    if stretch.max() > 1.8 * stretch.min():
        return False
    middle = placed.mean(0)
    inside = -0.1 * shape[1] <= middle[0] <= 1.1 * shape[1] and -0.1 * shape[0] <= middle[1] <= 1.1 * shape[0]
    return bool(inside and lengths.max() >= 100)


# Pictures


def _working(gray: Gray, side: int) -> tuple[Gray, float]:
    """The picture at no more than `side` px, its light flattened, and px of it for a px of `gray`."""
    scale = min(1.0, side / max(gray.shape))
    if scale < 1:
        gray = _shrunk(gray, scale)
    return _flat(gray), scale


def _shrunk(gray: Gray, scale: float) -> Gray:
    size = (max(1, round(gray.shape[1] * scale)), max(1, round(gray.shape[0] * scale)))
    return np.asarray(cv2.resize(gray, size, interpolation=cv2.INTER_AREA), np.uint8)


def _flat(gray: Gray) -> Gray:
    # The blur brings pages that were thresholded near those that were not.
    return np.asarray(cv2.GaussianBlur(flatten_light(gray, REACH), (0, 0), 0.8), np.uint8)


def _warped(gray: Gray, matrix: Matrix, size: tuple[int, int], flags: int) -> Gray:
    """The picture of `size` (width, height) whose pixel p is pixel `matrix` p of `gray`; white outside."""
    corners = _corners(*size)
    shrink = min(1.0, 1 / float(_local_scales(matrix, corners).min()), MOST_SIDE / max(gray.shape))
    if shrink < 0.95:
        gray = _shrunk(gray, shrink)
        matrix = _resizing(shrink) @ matrix
    warped = cv2.warpPerspective(
        gray, matrix, size, flags=flags | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_CONSTANT, borderValue=(255,)
    )
    return np.asarray(warped, np.uint8)


# Guesses


def _guesses(gray: Gray, page: Gray, scale: float, reference: Reference) -> Iterator[tuple[Method, Matrix]]:
    """Homographies from px of the reference's picture to px of `page`, which is `gray` at `scale`; the likeliest first."""
    for place in _by_marks(gray, reference)[:4]:
        yield "marks", _resizing(scale) @ place.to_page
    for guess in _by_features(page, reference):
        yield "features", guess
    for guess in _by_lines(page, reference):
        yield "lines", guess


def _solids(gray: Gray, aspects: Sequence[float]) -> tuple[Points, NDArray[np.float64], list[Points], float]:
    """Solid dark rectangles that may be corner marks, at no more than `MARK_SIDE` px.

    Returns (n, 2) centers, (n,) roots of areas, the four corners of each, and px of the picture for a px of `gray`.
    """
    scale = min(1.0, MARK_SIDE / max(gray.shape))
    small = _shrunk(gray, scale) if scale < 1 else gray
    flat = flatten_light(small, max(31, max(small.shape) // 8))
    threshold, dark, light = otsu(flat)
    mask = ((flat <= threshold) & (light - dark >= 30)).astype(np.uint8)
    count, labels, stats, centers = cv2.connectedComponentsWithStats(mask, connectivity=8)
    most = max(small.shape) / 12
    found: list[tuple[float, int, Points]] = []
    for k in range(1, count):
        left, top, width, height, area = (int(v) for v in stats[k])
        if not (min(width, height) >= 5 and max(width, height) <= most and area >= 0.4 * width * height):
            continue
        part = (labels[top : top + height, left : left + width] == k).astype(np.uint8)
        outlines, _ = cv2.findContours(part, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        middle, sides, angle = cv2.minAreaRect(outlines[0])
        long, short = max(sides) + 1, min(sides) + 1
        if area >= 0.75 * long * short and any(0.7 <= long / short / aspect <= 1.45 for aspect in aspects):
            corners = cv2.boxPoints((middle, (sides[0] + 1, sides[1] + 1), angle)).astype(np.float64)
            found.append((area / (long * short), k, corners + np.array([left, top])))
    found.sort(key=lambda item: (-item[0], item[1]))
    del found[MARK_CANDIDATES:]
    chosen = [k for _, k, _ in found]
    middles = np.asarray(centers[chosen], np.float64).reshape(-1, 2)
    return middles, np.sqrt(stats[chosen, 4].astype(np.float64)), [outline for _, _, outline in found], scale


def _by_marks(gray: Gray, reference: Reference) -> list[_Place]:
    """Where the form may lie by its marks, the likeliest first.

    Two marks on two candidates give a similarity; it says where the others should be, and how large.
    """
    marks = reference.marks
    if not marks:
        return []
    aspects = {max(mark.width, mark.height) / min(mark.width, mark.height) for mark in marks}
    centers, sizes, corners, scale = _solids(gray, sorted(aspects))
    if len(centers) < 3:
        return []
    here = np.array([[m.left + (m.width - 1) / 2, m.top + (m.height - 1) / 2] for m in marks])
    own, theirs = here @ [1, 1j], centers @ [1, 1j]
    own_sizes = np.sqrt([m.width * m.height for m in marks])
    diagonal = float(np.abs(own[:, None] - own).max())
    found: dict[tuple[int, ...], _Place] = {}
    for i, j in itertools.combinations(range(len(marks)), 2):
        turns = (theirs - theirs[:, None]) / (own[j] - own[i])
        large = np.maximum(np.abs(turns), 1e-9)
        likely = np.ones(turns.shape, np.bool_)
        for larger in (sizes[:, None] / (large * own_sizes[i]), sizes / (large * own_sizes[j])):
            likely &= (larger >= 0.65) & (larger <= 1.5)
        for a, b in np.argwhere(likely):
            by = turns[a, b]
            away = np.abs(theirs[a] + by * (own - own[i])[:, None] - theirs) / (abs(by) * diagonal)
            fitting = sizes / (abs(by) * own_sizes[:, None])
            away[(fitting < 0.65) | (fitting > 1.5)] = 1.0
            taken = tuple(int(k) if away[m, k] <= MARK_NEAR else -1 for m, k in enumerate(away.argmin(1)))
            hits = [m for m, k in enumerate(taken) if k >= 0]
            if len(hits) < max(3, len(marks) - 1) or len({taken[m] for m in hits}) < len(hits) or taken in found:
                continue
            place = _placed_by_marks(here[hits], centers[[taken[m] for m in hits]])
            if place is None:
                continue
            to_page = _resizing(1 / scale) @ place
            residual = _mark_residual([marks[m] for m in hits], [corners[taken[m]] for m in hits], place)
            if residual > MARK_OFF * float(own_sizes.min()):
                continue
            bend = float(np.mean([away[m, taken[m]] for m in hits]))
            angle = abs(float(np.angle(by)))
            cover = abs(by * scale**-1) ** 2 * reference.size[0] * reference.size[1] / gray.size
            found[taken] = _Place(
                to_page @ _resizing(1 / reference.scale), len(hits) / len(marks), residual, bend, angle, float(cover)
            )
    return sorted(found.values(), key=lambda place: (-place.share, round(place.bend / 0.02), place.angle))


def _placed_by_marks(here: Points, there: Points) -> Matrix | None:
    """The homography through four or more pairs; by three, the affine map, where it is nearly a similarity."""
    if len(here) >= 4:
        matrix, _ = cv2.findHomography(here, there, 0)
        return None if matrix is None else np.asarray(matrix, np.float64)
    affine = cv2.getAffineTransform(here.astype(np.float32), there.astype(np.float32)).astype(np.float64)
    stretch = np.linalg.svd(affine[:, :2], compute_uv=False)
    return np.vstack([affine, [0, 0, 1]]) if stretch[0] <= 1.1 * stretch[1] else None


def _mark_residual(marks: Sequence[Box], seen: Sequence[Points], place: Matrix) -> float:
    """Root mean square in px of the reference from the marks' corners to those that are seen."""
    squares: list[float] = []
    for mark, corners in zip(marks, seen, strict=True):
        expected = _mapped(place, _corners(mark.width, mark.height, mark.left, mark.top))
        offsets = np.hypot(*(expected[:, None] - corners).T).min(0) / _local_scales(place, expected)
        squares.extend(offsets**2)
    return float(np.sqrt(np.mean(squares)))


def _registered_by_marks(gray: Gray, reference: Reference) -> Registration:
    for place in _by_marks(gray, reference):
        if (place.share < 1 and place.bend > LONE_BEND) or place.cover < LONE_COVER:
            continue  # with nothing else to tell by, specks or letters may lie as marks do
        if _sane(place.to_page, reference, gray.shape):
            to_page = place.to_page @ _resizing(reference.scale)
            return _registration(to_page, place.residual, "marks", place.share, reference.size)
    message = f"the form's {len(reference.marks)} corner marks are not found on the page; is it another form?"
    raise DocumentError("does_not_fit", message)


def _features(picture: Gray) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    orb = cv2.ORB.create(nfeatures=FEATURES, fastThreshold=12)
    keys, descriptors = orb.detectAndCompute(picture, None)
    if not len(keys):
        return np.zeros((0, 2), np.float32), np.zeros((0, 32), np.uint8)
    return np.array([key.pt for key in keys], np.float32), np.asarray(descriptors, np.uint8)


def _by_features(page: Gray, reference: Reference) -> Iterator[Matrix]:
    points, descriptors = _features(page)
    if min(len(points), len(reference.points)) < 8:
        return
    pairs = cv2.BFMatcher(cv2.NORM_HAMMING).knnMatch(reference.descriptors, descriptors, k=2)
    chosen = [pair[0] for pair in pairs if len(pair) == 2 and pair[0].distance < CLOSE * pair[1].distance]
    if len(chosen) < 8:
        return
    here = reference.points[[match.queryIdx for match in chosen]]
    there = points[[match.trainIdx for match in chosen]]
    cv2.setRNGSeed(SEED)
    bent, _ = cv2.findHomography(here, there, cv2.USAC_MAGSAC, 4.0, maxIters=3000, confidence=0.999)
    cv2.setRNGSeed(SEED)
    affine, _ = cv2.estimateAffinePartial2D(here, there, method=cv2.RANSAC, ransacReprojThreshold=6.0, maxIters=3000)
    fits: list[tuple[int, Matrix]] = []
    for found in (None if affine is None else np.vstack([affine, [0, 0, 1]]), bent):
        if found is not None and np.isfinite(found).all():
            matrix = np.asarray(found, np.float64)
            fits.append((int((np.hypot(*(_mapped(matrix, here) - there).T) <= 6.0).sum()), matrix))
    if len(fits) == 2 and fits[0][0] < STIFF * fits[1][0]:
        fits.reverse()
    for _, matrix in fits:
        yield matrix


def _line_map(flat: Gray) -> tuple[NDArray[np.float32], float]:
    """Level and upright ruled lines, (2, height, width) float32 0..1, and px of them for a px of `flat`."""
    scale = min(1.0, LINE_SIDE / max(flat.shape))
    ink = np.asarray(255 - (_shrunk(flat, scale) if scale < 1 else flat), np.uint8)
    length = max(15, round(0.04 * max(ink.shape)))
    thick = cv2.dilate(ink, np.ones((3, 1), np.uint8)), cv2.dilate(ink, np.ones((1, 3), np.uint8))
    level = cv2.morphologyEx(thick[0], cv2.MORPH_OPEN, np.ones((1, length), np.uint8))
    upright = cv2.morphologyEx(thick[1], cv2.MORPH_OPEN, np.ones((length, 1), np.uint8))
    return np.asarray(np.stack([level, upright]) / 255, np.float32), scale


def _coarse(lines: NDArray[np.float32], scale: float | None = None) -> NDArray[np.float32]:
    if scale is None:
        scale = min(1.0, COARSE_SIDE / max(lines.shape[1:]))
    size = (max(1, round(lines.shape[2] * scale)), max(1, round(lines.shape[1] * scale)))
    return np.stack([cv2.resize(part, size, interpolation=cv2.INTER_AREA) for part in lines]).astype(np.float32)


def _skew(flat: Gray) -> float:
    """Degrees by which lines fall to the right, -15..15: the turn that gathers the ink in the fewest rows and columns."""
    ink = np.asarray(255 - _shrunk(flat, min(1.0, 400 / max(flat.shape))), np.uint8)
    height, width = ink.shape
    best, found = -1.0, 0.0
    for step in (1.0, 0.25):
        around = found
        for angle in np.arange(-MOST_SKEW, MOST_SKEW + 1) if step == 1 else np.arange(around - 0.75, around + 0.8, step):
            turn = cv2.getRotationMatrix2D((width / 2, height / 2), float(angle), 1.0)
            turned = cv2.warpAffine(ink, turn, (width, height))
            rows = cv2.reduce(turned, 1, cv2.REDUCE_SUM, dtype=cv2.CV_32F).ravel()
            columns = cv2.reduce(turned, 0, cv2.REDUCE_SUM, dtype=cv2.CV_32F).ravel()
            score = float((np.diff(rows) ** 2).sum() + (np.diff(columns) ** 2).sum())
            if score > best:
                best, found = score, float(angle)
    return found


def _by_lines(page: Gray, reference: Reference) -> Iterator[Matrix]:
    """The likeliest overlays of the line maps: skew from the page, then every turn, some scales, every shift."""
    height, width = page.shape
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), _skew(page), 1.0)
    level = np.asarray(cv2.warpAffine(page, turn, (width, height), borderValue=(255,)), np.uint8)
    back = np.linalg.inv(np.vstack([turn, [0, 0, 1]]))
    lines, lines_scale = _line_map(level)
    own = _coarse(reference.lines.astype(np.float32))
    own_scale = max(own.shape[1:]) / max(reference.picture.shape)
    firsts: list[tuple[float, Matrix]] = []
    others: list[tuple[float, Matrix]] = []
    for quarter in range(4):
        # A quarter turn makes level lines upright.
        turned = np.rot90(lines if quarter % 2 == 0 else lines[::-1], quarter, axes=(1, 2))
        unturn = _quarter(quarter, lines.shape[2], lines.shape[1])
        found: list[tuple[float, Matrix]] = []
        for scale in _likely_scales(own, turned):
            part = _coarse(np.ascontiguousarray(turned), scale)
            score, shift = _overlay(own, part)
            to_turned = _resizing(1 / scale) @ np.array([[1, 0, shift[0]], [0, 1, shift[1]], [0, 0, 1]], np.float64)
            found.append((score, back @ _resizing(1 / lines_scale) @ unturn @ to_turned @ _resizing(own_scale)))
        found.sort(key=lambda item: -item[0])
        firsts, others = firsts + found[:1], others + found[1:3]
    # Tables look much the same when they are turned over: each turn gets its chance.
    for some in (firsts, sorted(others, key=lambda item: -item[0])[:2]):
        for _, matrix in sorted(some, key=lambda item: -item[0]):
            yield matrix


def _quarter(quarter: int, width: int, height: int) -> Matrix:
    """Px of `np.rot90(picture, quarter)` to px of the picture, which is `width` x `height` px."""
    return np.array(
        {
            0: [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
            1: [[0, -1, width - 1], [1, 0, 0], [0, 0, 1]],
            2: [[-1, 0, width - 1], [0, -1, height - 1], [0, 0, 1]],
            3: [[0, 1, 0], [-1, 0, height - 1], [0, 0, 1]],
        }[quarter],
        np.float64,
    )


def _likely_scales(own: NDArray[np.float32], other: NDArray[np.float32]) -> list[float]:
    """Px of `own` for a px of `other`: where the whole pictures, or what is ruled on them, are of one size."""
    likely = {min(own.shape[1] / other.shape[1], own.shape[2] / other.shape[2])}
    extents = []
    for lines in (own, other):
        seen = lines.max(0) > 0.25 * lines.max()
        extents.append([float(np.ptp(np.flatnonzero(seen.any(axis)))) if seen.any() else 0.0 for axis in (1, 0)])
    likely.update(a / b for a, b in zip(*extents, strict=True) if a > 5 and b > 5)
    spread = {round(one * near, 3) for one in likely for near in (0.94, 0.97, 1.0, 1.03, 1.06)}
    return sorted(scale for scale in spread if 32 <= scale * max(other.shape[1:]) <= 3 * COARSE_SIDE)


def _overlay(own: NDArray[np.float32], other: NDArray[np.float32]) -> tuple[float, tuple[int, int]]:
    """The best shift of `own` onto `other` by correlation, 0..1, and the shift in px."""
    size = [cv2.getOptimalDFTSize(a + b) for a, b in zip(own.shape[1:], other.shape[1:], strict=True)]
    total = np.zeros(size, np.float64)
    own, other = (np.stack([cv2.GaussianBlur(part, (0, 0), 1.0) for part in lines]) for lines in (own, other))
    for mine, theirs in zip(own, other, strict=True):
        total += np.fft.irfft2(np.conj(np.fft.rfft2(mine, size)) * np.fft.rfft2(theirs, size), size)
    y, x = np.unravel_index(int(total.argmax()), total.shape)
    norm = float(np.sqrt((own**2).sum() * (other**2).sum())) or 1.0
    shift = (int(x) - (size[1] if x >= other.shape[2] else 0), int(y) - (size[0] if y >= other.shape[1] else 0))
    return float(total.max()) / norm, shift


# Patches


def _patches(picture: Gray) -> NDArray[np.int32]:
    """Left and top of squares that hold print in both directions and are like nothing near them, spread over the form."""
    height, width = picture.shape
    if min(height, width) < 2 * PATCH:
        return np.zeros((0, 2), np.int32)
    across = cv2.Sobel(picture, cv2.CV_32F, 1, 0)
    down = cv2.Sobel(picture, cv2.CV_32F, 0, 1)
    xx, yy, xy = (cv2.GaussianBlur(part, (0, 0), PATCH / 5) for part in (across * across, down * down, across * down))
    # The lesser eigenvalue of the structure tensor (Shi and Tomasi 1994): 0 along a line, whatever its slope.
    texture = np.sqrt(np.maximum(0, (xx + yy - np.sqrt((xx - yy) ** 2 + 4 * xy * xy)) / 2))
    # Texture of the paper itself is no print.
    darkest = 255 - 0.35 * (255 - float(np.percentile(picture, 1)))
    half = PATCH // 2
    texture[:half], texture[-half:], texture[:, :half], texture[:, -half:] = 0, 0, 0, 0
    side = round(0.7 * PATCH) | 1
    tops = (texture >= cv2.dilate(texture, np.ones((side, side), np.uint8))) & (
        texture > 0.12 * float(np.percentile(texture, 99))
    )
    rows, columns = np.nonzero(tops)
    rooms: dict[tuple[int, int], int] = {}
    found: list[tuple[int, int]] = []
    for k in np.argsort(-texture[rows, columns], kind="stable"):
        y, x = int(rows[k]), int(columns[k])
        room = (y * 4 // height, x * 4 // width)
        inked = picture[y - half : y + half, x - half : x + half].min() <= darkest
        if inked and rooms.get(room, 0) < MOST_PATCHES // 12 and _lone(picture, x - half, y - half):
            rooms[room] = rooms.get(room, 0) + 1
            found.append((x - half, y - half))
    return np.array(found[:MOST_PATCHES], np.int32).reshape(-1, 2)


def _lone(picture: Gray, left: int, top: int) -> bool:
    """Whether no shift of some px finds the patch again: neither along a line, nor in the next box."""
    reach = WINDOWS[1]
    window = picture[max(0, top - reach) : top + PATCH + reach, max(0, left - reach) : left + PATCH + reach]
    patch = picture[top : top + PATCH, left : left + PATCH]
    scores = cv2.matchTemplate(window, patch, cv2.TM_CCOEFF_NORMED)
    y, x = min(top, reach), min(left, reach)
    scores[max(0, y - 3) : y + 4, max(0, x - 3) : x + 4] = 0
    return bool(scores.max() < 0.8)


def _search(
    page: Gray, reference: Reference, matrix: Matrix, reach: int
) -> tuple[Points, NDArray[np.float64], NDArray[np.bool_]]:
    """Look for every patch within `reach` px of where `matrix` puts it on the flattened `page`.

    Returns (n, 2) its offset in px of the reference's picture, (n,) its correlation 0..1 with what was found, 0 where it
    is below `LIKENESS`, and (n,) whether it lies on the page.
    """
    height, width = reference.picture.shape
    shifted = matrix @ np.array([[1, 0, -reach], [0, 1, -reach], [0, 0, 1]], np.float64)
    seen = _warped(page, shifted, (width + 2 * reach, height + 2 * reach), cv2.INTER_LINEAR)
    placed = _mapped(matrix, reference.patches + (PATCH - 1) / 2)
    least, most = placed.min(1), (placed - np.array([page.shape[1] - 1, page.shape[0] - 1])).max(1)
    inside = np.asarray((least >= 0) & (most <= 0), np.bool_)
    offsets = np.zeros((len(reference.patches), 2), np.float64)
    likeness = np.zeros(len(reference.patches), np.float64)
    for k, (left, top) in enumerate(reference.patches):
        if not inside[k]:
            continue
        patch = reference.picture[top : top + PATCH, left : left + PATCH]
        window = seen[top : top + PATCH + 2 * reach, left : left + PATCH + 2 * reach]
        scores = np.asarray(cv2.matchTemplate(window, patch, cv2.TM_CCOEFF_NORMED), np.float32)
        _, score, _, (x, y) = cv2.minMaxLoc(scores)
        # Correlation knows no contrast: what is nearly blank may be anything.
        there = window[y : y + PATCH, x : x + PATCH]
        strength = cv2.meanStdDev(there)[1][0, 0], cv2.meanStdDev(patch)[1][0, 0]
        likeness[k] = score if score >= LIKENESS and strength[0] >= 0.25 * strength[1] else 0.0
        offsets[k] = x + _peak(scores[y], x) - reach, y + _peak(scores[:, x], y) - reach
    return offsets, likeness, inside


def _peak(scores: NDArray[np.float32], at: int) -> float:
    """Where, -0.5..0.5 px from `at`, the parabola through the highest score and its neighbors has its top."""
    if not 0 < at < len(scores) - 1:
        return 0.0
    before, here, after = (float(score) for score in scores[at - 1 : at + 2])
    bend = before - 2 * here + after
    return 0.0 if bend >= -1e-6 else float(np.clip((before - after) / (2 * bend), -0.5, 0.5))


def _refine(gray: Gray, page: Gray, scale: float, reference: Reference, guess: Matrix) -> _Fit | None:
    """Fit a guess to the patches, in smaller and smaller windows; None where hardly any is found.

    `page` is `gray` flattened, at `scale` px for a px; the guess maps onto it, the fit onto `gray`.
    """
    height, width = reference.picture.shape
    finer = min(1.0, scale / float(_local_scales(guess, _corners(width, height)).min()))
    if finer > 1.4 * scale:
        guess = _resizing(finer / scale) @ guess
        page, scale = _flat(_shrunk(gray, finer) if finer < 1 else gray), finer
    matrix = guess
    centers = reference.patches.astype(np.float64) + (PATCH - 1) / 2
    for reach in WINDOWS:
        offsets, likeness, _ = _search(page, reference, matrix, reach)
        alike = likeness > 0
        there = _mapped(matrix, centers[alike] + offsets[alike])
        fitted = _placed(centers[alike], there, (0.25 * reach + 1) * float(np.median(_local_scales(matrix, centers))))
        if fitted is None or not _sane(fitted, reference, page.shape):
            return None
        matrix = fitted
    offsets, likeness, _ = _search(page, reference, matrix, WINDOWS[-1])
    alike = likeness > 0
    matrix = _polished(matrix, centers[alike], offsets[alike], likeness[alike])
    offsets, likeness, inside = _search(page, reference, matrix, WINDOWS[-1] + 2)
    distances = np.hypot(*offsets.T)
    found = (likeness > 0) & (distances <= NEAR)
    if inside.sum() < max(LEAST_PATCHES, 0.6 * len(inside)):
        return _Fit(matrix, float("inf"), float(found.sum() / len(inside)), 1.0, 0.0)
    residual = float(np.sqrt((distances[found] ** 2).mean())) if found.any() else float("inf")
    share = float(found.sum() / inside.sum())
    ruled = _ruled(_warped(page, matrix, (width, height), cv2.INTER_LINEAR), reference) if share >= DOUBTFUL_SHARE else 0.0
    return _Fit(_resizing(1 / scale) @ matrix, residual, share, _missing(reference, found, inside), ruled)


def _ruled(seen: Gray, reference: Reference) -> float:
    """The share of the form's ruled lines that the page has, or of the page's that the form has: the lesser one."""
    lines = _line_map(seen)[0] > 0.3
    near = np.ones((5, 5), np.uint8)
    shares = []
    for one, other in ((lines, reference.lines), (reference.lines, lines)):
        wide = np.stack([cv2.dilate(part.astype(np.uint8), near) for part in other]) > 0
        shares.append(float((one & wide).sum() / max(1, int(one.sum()))))
    return min(shares)


def _placed(here: Points, there: Points, within: float) -> Matrix | None:
    """The map that most pairs follow within so many px of the page; None where fewer than eight do.

    Of two that do about as well it is the stiffer one: handwriting that is taken for print must not bend the page.
    """
    if len(here) < 8:
        return None
    fits: list[tuple[int, Matrix]] = []
    for kind in ("similar", "affine", "homography") if len(here) >= 16 else ("similar",):
        cv2.setRNGSeed(SEED)
        if kind == "homography":
            matrix, _ = cv2.findHomography(here, there, cv2.USAC_MAGSAC, within, maxIters=2000, confidence=0.999)
        else:
            estimate = cv2.estimateAffinePartial2D if kind == "similar" else cv2.estimateAffine2D
            affine, _ = estimate(here, there, method=cv2.RANSAC, ransacReprojThreshold=within, maxIters=1000, confidence=0.999)
            matrix = None if affine is None else np.vstack([affine, [0, 0, 1]])
        if matrix is not None and np.isfinite(matrix).all():
            fit = np.asarray(matrix, np.float64)
            fits.append((int((np.hypot(*(_mapped(fit, here) - there).T) <= within).sum()), fit))
    most = max((count for count, _ in fits), default=0)
    return next(matrix for count, matrix in fits if count >= STIFF * most) if most >= 8 else None


def _polished(matrix: Matrix, here: Points, offsets: Points, likeness: NDArray[np.float64]) -> Matrix:
    """Fit once more by weighted least squares: the likest patches count most, those far off not at all (Tukey's biweight).

    A page that lies flat gets an affine map: the two degrees of freedom more would only carry errors to its corners.
    """
    there = _mapped(matrix, here + offsets)
    scales = _local_scales(matrix, here)
    fits = []
    for fit in (_affine, _homography):
        fitted = matrix
        for _ in range(6):
            distances = np.hypot(*(_mapped(fitted, here) - there).T) / scales
            spread = max(0.5, 1.5 * float(np.median(distances)))
            near = np.clip(1 - (distances / (3 * spread)) ** 2, 0, 1) ** 2
            weights = near * (likeness - 0.4) ** 2
            if int((weights > 0).sum()) < 8:
                return matrix
            fitted = fit(here, there, weights)
        distances = np.minimum(np.hypot(*(_mapped(fitted, here) - there).T) / scales, NEAR)
        fits.append((fitted, float(np.average(distances**2, weights=(likeness - 0.4) ** 2))))
    flat, bent = fits
    return flat[0] if flat[1] <= MOST_FLAT * bent[1] + 0.01 else bent[0]


def _affine(here: Points, there: Points, weights: NDArray[np.float64]) -> Matrix:
    root = np.sqrt(weights)[:, None]
    solved = np.linalg.lstsq(np.c_[here, np.ones(len(here))] * root, there * root, rcond=None)[0]
    return np.vstack([solved.T, [0, 0, 1]])


def _homography(here: Points, there: Points, weights: NDArray[np.float64]) -> Matrix:
    """The direct linear transform on normalized points (Hartley 1997)."""
    to_unit = []
    for points in (here, there):
        middle, spread = points.mean(0), float(points.std()) or 1.0
        to_unit.append(np.array([[1 / spread, 0, -middle[0] / spread], [0, 1 / spread, -middle[1] / spread], [0, 0, 1]]))
    (x, y), (u, v) = _mapped(to_unit[0], here).T, _mapped(to_unit[1], there).T
    one, none = np.ones_like(x), np.zeros_like(x)
    rows = np.stack(
        [np.c_[x, y, one, none, none, none, -u * x, -u * y, -u], np.c_[none, none, none, x, y, one, -v * x, -v * y, -v]]
    )
    _, _, right = np.linalg.svd((rows * np.sqrt(weights)[:, None]).reshape(-1, 9), full_matrices=False)
    matrix = np.linalg.inv(to_unit[1]) @ right[-1].reshape(3, 3) @ to_unit[0]
    return np.asarray(matrix / matrix[2, 2], np.float64)


def _missing(reference: Reference, found: NDArray[np.bool_], inside: NDArray[np.bool_]) -> float:
    """The share of the form's regions, of three by three, on which next to nothing is found."""
    height, width = reference.picture.shape
    column = np.minimum(2, (reference.patches[:, 0] + PATCH / 2) * 3 // width)
    row = np.minimum(2, (reference.patches[:, 1] + PATCH / 2) * 3 // height)
    shares = []
    for k in range(9):
        own = inside & (3 * row + column == k)
        if own.sum() >= 4:
            shares.append(found[own].mean())
    return float(np.mean(np.array(shares) < LEAST_REGION)) if shares else 1.0
