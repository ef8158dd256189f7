"""Find ruled tables of numbers: their cells in rows and columns, and which of them are headings.

The paper enclosed by ruled lines comes in pieces (see `boxes`). Adjacent pieces whose middles line up in rows and in columns
are a table. A cell whose paper is not one piece, because a stroke divides it, is located where its row and its column cross.
Printed words in the first row and the first column are headings: they are recognized by the shape of letters, and by a size
that differs from the content of the other cells.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import cv2
import numpy as np
from numpy.typing import NDArray

from docproc.fields.boxes import BOXES, Ruled, at_work, ruled_page
from docproc.pixels import components, flatten_light, grouped, otsu
from docproc.types import Box, Field, Gray, Page

DASH = "a dash is written"  # a reason
CROSSED_RULE = "writing reaches over the cell's rule"  # another
UNDIVIDED = "no rule divides this cell from the next"  # another
LOW_ROWS = "the table is so small that its headings may be taken for numbers"  # another

Mask = NDArray[np.uint8]  # (height, width) uint8, 0 or 1
Edges = NDArray[np.float64]  # (n, 4) float64: left, top, right, bottom


@dataclass(frozen=True, slots=True)
class TableTuning:
    """The tuned numbers of this stage, each with its unit and kind, see docs/house.md. All px are at the working size."""

    # Pieces of paper that may be cells.
    max_pieces: int = 3000  # with more, the page is graph paper [guess]
    max_width_share: float = 0.8  # of the page's width [guess]
    max_height_share: float = 0.3  # of the page's height [guess]
    min_paper_share: float = 0.6  # of its rectangle that is one piece of paper [guess]
    max_gap_px: int = 12  # from one cell to the next, i.e. thickness of a rule [guess]
    min_side_share: float = 0.5  # of the smaller one's side, over which two neighbors are adjacent [guess]

    # Rows and columns.
    apart_px: float = 8.0  # between the middles of rows, or columns: half the smallest cell [guess]
    max_difference_share: float = 0.25  # from a row's usual height, a column's usual width [guess]
    max_level_difference_share: float = 0.15  # the same, for neighbors from which the slope is measured [guess]
    min_filled_share: float = 0.3  # of the cells of a row or column that must be whole [guess]
    min_cells_share: float = 0.6  # of the cells of a table that must be whole [guess]
    min_rows: int = 3  # [guess]
    min_columns: int = 2  # [guess]
    even_rows_share: float = 0.8  # of its cells that have the usual height [guess]
    comb_ratio: float = 1.1  # width to height up to which a cell is that of a comb, for one digit [guess]
    max_words_share: float = 0.7  # of the non-empty cells: with more words it is not a table of numbers [guess]
    inset_px: int = 1  # of paper along the rules that is left out [guess]

    # The content of a cell; shares are of the cell's height, unless stated otherwise.
    min_part_px: int = 3  # of the longer side; less is a speck [guess]
    min_part_share: float = 0.08  # likewise [guess]
    min_glyph_share: float = 0.45  # of the tallest part: for letters and digits [guess]
    max_dash_height_share: float = 0.2  # [guess]
    min_dash_share: float = 0.15  # its width [guess]
    min_dash_ratio: float = 1.8  # width to height [guess]
    dash_from: float = 0.25  # of the way down, its middle [guess]
    dash_to: float = 0.75  # [guess]
    faint_share: float = 0.7  # of the way from the threshold to paper: darker pixels are faint ink [guess]
    max_faint_px: int = 6  # of faint ink besides a dash, in one part: more is other writing [guess]
    faint_rim_px: int = 3  # around the dash, for its own soft edge [guess]
    crossing_share: float = 0.12  # by which writing must extend over a rule [guess]
    crossing_aside_px: int = 2  # by which a stroke may shift sideways where it crosses [guess]

    # Words: lower-case letters have two heights on one line.
    min_letters: int = 3  # of a word [guess]
    small_from: float = 0.55  # height of a small letter relative to the tallest one [guess]
    small_to: float = 0.86  # [guess]
    small_share: float = 0.3  # of a word's letters [guess]
    letters_share: float = 0.75  # of its parts that are tall or small; others are slanted capitals, dots, and tails [guess]
    even_share: float = 0.08  # of the tallest letter's height, by which letters of one height differ [guess]

    # Headings.
    max_headings: int = 2  # rows, columns [guess]
    heading_cells_share: float = 0.5  # of a heading's cells that must not be empty [guess]
    heading_words_share: float = 0.5  # of those that must be words [guess]
    more_words_share: float = 0.35  # than in other cells: writing may look like words, but then in all cells [guess]
    max_print_share: float = 0.2  # of the other cells of an empty form that may hold print [guess]
    min_row_px: float = 24.0  # of the page, height of its rows: in lower ones words cannot be told [measured: tables at 50 dpi]
    heading_size: float = 0.75  # relative to other cells' content, either way: a different size means different print [guess]
    same_heading_size: float = 0.87  # the same, if another heading has this size too [guess]
    even_size_share: float = 0.3  # by which the sizes in one heading may differ [guess]


TABLES = TableTuning()


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of a table, as found on the page."""

    row: int  # from 0, including the headings
    column: int
    box: Box  # px of the page, within its rules
    whole: bool  # it is one piece of paper
    inked: bool  # it is not empty
    tall: float  # px at the working size: the height of its content; 0 if nothing is as tall as a glyph
    word: bool
    dash: bool
    crossed: bool  # writing extends over one of its rules


@dataclass(frozen=True, slots=True)
class Table:
    """A ruled table, with `headings` (rows, columns) of words before its numbers."""

    area: Box  # px of the page
    cells: tuple[Cell, ...]  # row by row
    headings: tuple[int, int]
    slope: float  # rows down per column to the right

    @property
    def body(self) -> tuple[Cell, ...]:
        """The cells that are not headings."""
        rows, columns = self.headings
        return tuple(cell for cell in self.cells if cell.row >= rows and cell.column >= columns)


def find_tables(page: Page, filled: bool = True) -> tuple[Table, ...]:
    """The tables of a page, from the top down. On a page that is not `filled` in, their content is print."""
    gray, scale = at_work(page)
    ruled = ruled_page(gray)
    if ruled is None:
        return ()
    pieces = _pieces(ruled)
    if not len(pieces) or len(pieces) > TABLES.max_pieces:
        return ()
    found = []
    for group in _groups(pieces):
        slope = _slope(pieces[group])
        grid = _grid(pieces[group], slope)
        if grid is not None:
            found.append(_table(grid, gray, ruled, slope, scale, filled))
    tables = [table for table in found if _even(table) and not _wordy(table)]
    return tuple(sorted(tables, key=lambda table: (table.area.top, table.area.left)))


def cells_of(table: Table, number: int = 1) -> tuple[Field, ...]:
    """The fields of a table: `r1c1`, `r1c2`, … starting at the first number; those of a page's second table begin with `t2`."""
    rows, columns = table.headings
    start = f"t{number}" if number > 1 else ""
    low = median(cell.box.height for cell in table.cells) < TABLES.min_row_px
    return tuple(
        Field(
            f"{start}r{cell.row - rows + 1}c{cell.column - columns + 1}",
            cell.box,
            empty=DASH if cell.dash else "",
            doubt=CROSSED_RULE if cell.crossed else UNDIVIDED if not cell.whole else LOW_ROWS if low else "",
        )
        for cell in table.body
    )


# ------------------------------------------------------------------------------------------------- rows and columns


@dataclass(frozen=True, slots=True, eq=False)
class _Place:
    """The position of a cell in a table, px at the working size."""

    row: int
    column: int
    edges: tuple[float, ...]  # left, top, right, bottom
    whole: bool


def _pieces(ruled: Ruled) -> Edges:
    """The pieces of paper that may be cells."""
    high, wide = ruled.mask.shape
    left, top, width, height, area = ruled.pieces.T
    fit = (width >= BOXES.min_side_px) & (height >= BOXES.min_side_px)
    fit &= (width <= TABLES.max_width_share * wide) & (height <= TABLES.max_height_share * high)
    fit &= area >= TABLES.min_paper_share * width * height
    return np.asarray(np.stack([left, top, left + width, top + height], axis=1)[fit], np.float64)


def _groups(pieces: Edges) -> list[NDArray[np.int64]]:
    """Groups of pieces next to or below each other, with no more than a rule between them."""
    left, top, right, bottom = pieces.T
    across = np.minimum(right[:, None], right) - np.maximum(left[:, None], left)
    down = np.minimum(bottom[:, None], bottom) - np.maximum(top[:, None], top)
    width, height = right - left, bottom - top
    beside = (across <= 0) & (-across <= TABLES.max_gap_px)
    beside &= down >= TABLES.min_side_share * np.minimum(height[:, None], height)
    below = (down <= 0) & (-down <= TABLES.max_gap_px) & (across >= TABLES.min_side_share * np.minimum(width[:, None], width))
    least = TABLES.min_rows * TABLES.min_columns * TABLES.min_cells_share
    return [group for group in grouped(beside | below) if len(group) >= least]


def _slope(pieces: Edges) -> float:
    """Rows down per column to the right, measured on cells next to each other."""
    left, top, right, bottom = pieces.T
    height = bottom - top
    gap = left[None, :] - right[:, None]
    alike = np.abs(height[:, None] - height) <= TABLES.max_level_difference_share * height
    fall = (top[None, :] - top[:, None] + bottom[None, :] - bottom[:, None]) / 2
    pairs = (gap >= 0) & (gap <= TABLES.max_gap_px) & alike & (np.abs(fall) <= TABLES.min_side_share * height)
    if not pairs.any():
        return 0.0
    step = ((left + right)[None, :] - (left + right)[:, None]) / 2
    return float(fall[pairs].sum() / step[pairs].sum())


def _grid(pieces: Edges, slope: float) -> list[_Place] | None:
    """The cells of the table that pieces form, row by row; None if they do not form a table."""
    left, top, right, bottom = pieces.T
    across, down = (left + right) / 2, (top + bottom) / 2
    row, rows = _lanes(down - slope * across)
    column, columns = _lanes(across + slope * down)
    if rows < TABLES.min_rows or columns < TABLES.min_columns:
        return None
    usual_height, high = _usual(bottom - top, row, rows)
    usual_width, wide = _usual(right - left, column, columns)
    whole = high & wide
    if np.count_nonzero(whole) < TABLES.min_cells_share * rows * columns:
        return None
    if _comb_columns(usual_width, float(np.median(usual_height))) >= columns / 2:
        return None
    at = {(int(row[k]), int(column[k])): k for k in np.flatnonzero(whole)}
    odd, taken = pieces[~whole], set()
    places: list[_Place] = []
    for r, c in np.ndindex(rows, columns):
        if (r, c) in at:
            places.append(_Place(r, c, tuple(pieces[at[r, c]].tolist()), whole=True))
            continue
        crossing = _crossing(pieces[whole & (row == r)], pieces[whole & (column == c)])
        around = None if crossing is None else _around(odd, crossing)
        if crossing is not None and around is None:
            places.append(_Place(r, c, tuple(crossing.tolist()), whole=True))
        elif around is not None and around not in taken:
            taken.add(around)
            places.append(_Place(r, c, tuple(odd[around].tolist()), whole=False))
    return places


def _lanes(middles: NDArray[np.float64]) -> tuple[NDArray[np.int64], int]:
    """The row (or column) of each piece by its middle, -1 for an outlier, and the number of rows."""
    order = np.argsort(middles, kind="stable")
    lane = np.empty(len(middles), np.int64)
    lane[order] = np.cumsum(np.r_[0, np.diff(middles[order]) > TABLES.apart_px])
    counts = np.bincount(lane)
    kept = counts >= max(2.0, TABLES.min_filled_share * counts.max())
    number = np.where(kept, np.cumsum(kept) - 1, -1)
    return number[lane], int(np.count_nonzero(kept))


def _usual(sides: NDArray[np.float64], lane: NDArray[np.int64], lanes: int) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """The usual height of each row (or width of each column), and which pieces have it."""
    usual = np.array([float(np.median(sides[lane == k])) for k in range(lanes)])
    own = usual[lane]
    return usual, (lane >= 0) & (np.abs(sides - own) <= TABLES.max_difference_share * own)


def _comb_columns(widths: NDArray[np.float64], height: float) -> int:
    """The number of columns in runs of cells of one width, for one digit each."""
    narrow = widths <= TABLES.comb_ratio * height
    count = run = 0
    for k in range(len(widths)):
        alike = k > 0 and abs(widths[k] - widths[k - 1]) <= TABLES.max_difference_share * widths[k - 1]
        run = run + 1 if narrow[k] and alike and run else int(narrow[k])
        count += run if run == BOXES.min_sure_cells else int(run > BOXES.min_sure_cells)
    return count


def _crossing(row: Edges, column: Edges) -> NDArray[np.float64] | None:
    """Where a row and a column cross, (4,) as in `Edges`, from their whole cells."""
    if not len(row) or not len(column):
        return None
    own = np.array([column[:, 0], column[:, 2]]), np.array([row[:, 1], row[:, 3]])
    (left, right), (top, bottom) = (np.median(edges, axis=1) for edges in own)
    return np.array([left, top, right, bottom])


def _around(odd: Edges, crossing: NDArray[np.float64]) -> int | None:
    """Which of the pieces that are not whole cells holds the middle of a crossing and is larger than a cell."""
    x, y = (crossing[0] + crossing[2]) / 2, (crossing[1] + crossing[3]) / 2
    holds = (odd[:, 0] <= x) & (odd[:, 2] >= x) & (odd[:, 1] <= y) & (odd[:, 3] >= y)
    larger = (1 + TABLES.max_difference_share) * (crossing[2:] - crossing[:2])
    holds &= ((odd[:, 2:] - odd[:, :2]) > larger).any(axis=1)
    return int(np.flatnonzero(holds)[0]) if holds.any() else None


# --------------------------------------------------------------------------------------------- content of the cells


def _table(places: Sequence[_Place], gray: Gray, ruled: Ruled, slope: float, scale: float, filled: bool) -> Table:
    """The table with its cells and headings, in px of the page."""
    cells = []
    for place in places:
        left, top, right, bottom = (round(edge) for edge in place.edges)
        inset = TABLES.inset_px
        inner = Box(left + inset, top + inset, right - left - 2 * inset, bottom - top - 2 * inset)
        cells.append(_cell(place, inner, gray, ruled, scale))
    edges = np.array([place.edges for place in places])
    left, top = (round(float(edge)) for edge in edges[:, :2].min(axis=0))
    right, bottom = (round(float(edge)) for edge in edges[:, 2:].max(axis=0))
    area = _scaled(Box(left, top, right - left, bottom - top), scale)
    return Table(area, tuple(cells), _headings(cells, filled), slope)


def _scaled(box: Box, scale: float) -> Box:
    """A box at the working size in px of the page; rounding does not enlarge it."""
    left, top = int(np.ceil(box.left / scale)), int(np.ceil(box.top / scale))
    return Box(left, top, int(box.right / scale) - left, int(box.bottom / scale) - top)


def _cell(place: _Place, inner: Box, gray: Gray, ruled: Ruled, scale: float) -> Cell:
    mask = np.ascontiguousarray(inner.cut(ruled.mask))
    _, parts = components(mask)
    least = max(TABLES.min_part_px, TABLES.min_part_share * inner.height)
    parts = parts[parts[:, 2:4].max(axis=1) >= least] if len(parts) else parts
    highest = float(parts[:, 3].max(initial=0))
    glyphs = parts[parts[:, 3] >= TABLES.min_glyph_share * highest]
    dash = _is_dash(parts, inner, gray)
    return Cell(
        place.row,
        place.column,
        _scaled(inner, scale),
        place.whole,
        inked=len(parts) > 0,
        tall=0.0 if dash else highest,
        word=_is_word(glyphs),
        dash=dash,
        crossed=_is_crossed(ruled.mask, inner),
    )


def _is_dash(parts: NDArray[np.int32], inner: Box, gray: Gray) -> bool:
    """Whether a cell contains only a dash at half height, without even faint other ink."""
    if len(parts) != 1:
        return False
    x, y, width, height, _ = parts[0].tolist()
    flat = height <= TABLES.max_dash_height_share * inner.height and width >= TABLES.min_dash_ratio * height
    long = width >= TABLES.min_dash_share * inner.height
    if not flat or not long or not TABLES.dash_from <= (y + height / 2) / inner.height <= TABLES.dash_to:
        return False
    light = flatten_light(np.ascontiguousarray(inner.cut(gray)), BOXES.light_reach_px)
    threshold, _, paper = otsu(light)
    faint = (light <= threshold + TABLES.faint_share * (paper - threshold)).astype(np.uint8)
    rim = TABLES.faint_rim_px
    faint[max(0, y - rim) : y + height + rim, max(0, x - rim) : x + width + rim] = 0
    return int(components(faint)[1][:, 4].max(initial=0)) <= TABLES.max_faint_px


def _is_word(glyphs: NDArray[np.int32]) -> bool:
    """Whether parts on one line are lower-case letters: some of them small, all of one small height."""
    if len(glyphs) < TABLES.min_letters:
        return False
    heights = glyphs[:, 3].astype(np.float64)
    feet = (glyphs[:, 1] + glyphs[:, 3]).astype(np.float64)
    highest = float(heights.max())
    even = TABLES.even_share * highest + 1
    standing = np.abs(feet - np.median(feet)) <= even
    high = standing & (heights >= highest - even)
    small = standing & ~high & (heights >= TABLES.small_from * highest) & (heights <= TABLES.small_to * highest)
    if np.count_nonzero(high | small) < TABLES.letters_share * len(glyphs) or not small.any():
        return False
    return bool(np.ptp(heights[small]) <= even and np.count_nonzero(small) >= TABLES.small_share * len(glyphs))


def _is_crossed(mask: Mask, inner: Box) -> bool:
    """Whether writing continues from a cell over one of its rules into the next, in either direction."""
    far = max(2, round(TABLES.crossing_share * inner.height))
    turns = (
        (mask, inner),
        (mask[::-1], Box(inner.left, mask.shape[0] - inner.bottom, inner.width, inner.height)),
        (mask.T, Box(inner.top, inner.left, inner.height, inner.width)),
        (mask.T[::-1], Box(inner.top, mask.shape[1] - inner.right, inner.height, inner.width)),
    )
    return any(_crosses_above(turned, box, far) for turned, box in turns)


def _crosses_above(mask: Mask, inner: Box, far: int) -> bool:
    """Whether strokes extend from `far` px below the top of a cell to as far above the rule there."""
    rule = 2 * TABLES.inset_px + TABLES.max_gap_px // 2
    top = inner.top - rule - far
    if top < 0:
        return False
    above = mask[top : inner.top - rule, inner.left : inner.right]
    below = mask[inner.top : inner.top + far, inner.left : inner.right]
    between = mask[inner.top - rule : inner.top, inner.left : inner.right]
    aside = np.ones((1, 2 * TABLES.crossing_aside_px + 1), np.uint8)
    whole = [cv2.dilate(part.min(axis=0, keepdims=True), aside) > 0 for part in (above, between, below)]
    return bool((whole[0] & whole[1] & whole[2]).any())


# --------------------------------------------------------------------------------------------------------- headings


def _even(table: Table) -> bool:
    """Whether it has rows besides the headings, of about equal height."""
    whole = [cell for cell in table.body if cell.whole]
    if len({cell.row for cell in whole}) < TABLES.min_rows - 1:
        return False
    heights = np.array([cell.box.height for cell in whole], np.float64)
    usual = float(np.median(heights))
    near = np.abs(heights - usual) <= TABLES.max_difference_share * usual
    return bool(near.mean() >= TABLES.even_rows_share)


def _wordy(table: Table) -> bool:
    """Whether there are so many words in its cells that it is not a table of numbers."""
    inked = [cell for cell in table.body if cell.inked and not cell.dash]
    return sum(cell.word for cell in inked) > TABLES.max_words_share * len(inked)


def _headings(cells: Sequence[Cell], filled: bool) -> tuple[int, int]:
    """How many of the first rows and columns are headings."""
    rows, columns, size = 0, 0, 0.0
    most_rows, most_columns = max(cell.row for cell in cells) - 1, max(cell.column for cell in cells) - 1
    for _ in range(TABLES.max_headings):
        own = [cell for cell in cells if cell.row == rows and cell.column >= columns]
        body = [cell for cell in cells if cell.row > rows and cell.column > columns]
        if rows < most_rows and _is_heading(own, body, size, filled):
            rows, size = rows + 1, size or _size(own)
        own = [cell for cell in cells if cell.column == columns and cell.row >= rows]
        body = [cell for cell in cells if cell.column > columns and cell.row >= rows]
        if columns < most_columns and _is_heading(own, body, size, filled):
            columns, size = columns + 1, size or _size(own)
    return rows, columns


def _size(cells: Sequence[Cell]) -> float:
    sizes = [cell.tall for cell in cells if cell.tall]
    return float(np.median(sizes)) if sizes else 0.0


def _words(cells: Sequence[Cell]) -> float:
    """The share of words in the content of some cells."""
    return sum(cell.word for cell in cells) / max(1, sum(cell.tall > 0 for cell in cells))


def _is_heading(own: Sequence[Cell], body: Sequence[Cell], known: float, filled: bool) -> bool:
    """Whether the cells of a row or a column are printed words; `known` is the size of another heading, 0 if there is none.

    A single cell is not enough: the only number must not be mistaken for a heading.
    """
    sizes = [cell.tall for cell in own if cell.tall]
    if len(sizes) < max(2, TABLES.heading_cells_share * len(own)):
        return False
    size, usual = _size(own), _size(body)
    if not filled and sum(cell.inked for cell in body) <= TABLES.max_print_share * len(body):
        return True
    if _words(own) >= TABLES.heading_words_share and _words(own) - _words(body) >= TABLES.more_words_share:
        return True
    even = max(sizes) - min(sizes) <= TABLES.even_size_share * size
    same = known > 0 and min(size, known) >= TABLES.same_heading_size * max(size, known)
    if not usual:  # nobody has written anything yet
        return even and same
    other = TABLES.same_heading_size if same else TABLES.heading_size
    return even and min(size, usual) <= other * max(size, usual)
