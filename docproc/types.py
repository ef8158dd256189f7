"""The types of docproc, in the order in which paper becomes a table.

A *page* has *fields*; the ink of a field becomes a *lattice* of candidate digits; a recognizer turns their *glyphs* into
*scores*; the best path through the lattice is a *reading*; each reading becomes one *row* of the table.

All types are frozen: a stage returns new values and never modifies its inputs. Arrays are indexed row first, and a comment
after each gives its shape, type and range.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from math import sqrt
from typing import Any, Literal, NamedTuple, NewType, Protocol, TypeVar, get_args

import numpy as np
from numpy.typing import NDArray

from docproc.errors import DocumentError
from docproc.rules import DateWindow, FieldRules, PageRule

Gray = NDArray[np.uint8]  # (height, width) uint8, 0 black ink .. 255 white paper
Ink = NDArray[np.uint8]  # (height, width) uint8, 0 paper .. 255 full ink
Glyphs = NDArray[np.uint8]  # (n, 28, 28) uint8, 0 paper .. 255 ink
Line = NDArray[np.uint8]  # (32, width) uint8, 0 paper .. 255 ink: a whole field, see readers.line.band
Pictures = NDArray[np.uint8]  # (n, height, width, ...) uint8: glyphs, or images of cells
CellPictures = NDArray[np.uint8]  # (n, 32, 32, 2) uint8, 0 paper .. 255 ink: a cell's own ink, and that of its neighbors
CellScores = NDArray[np.float32]  # (n, 13) float32 probabilities; columns 0..9, CROSSED, EMPTY and ILLEGIBLE
Scores = NDArray[np.float32]  # (n, 11) float32 probabilities, rows sum to 1; columns 0..9 and NOT_A_DIGIT
Frames = NDArray[np.float32]
"""(t, readers * classes) float32 natural log probabilities along a line: side by side for each reader, those of its symbols
and of the CTC blank (LINE_READERS * 23), or those of the one E-13B reader (15)."""
Affine = NDArray[np.float64]  # (2, 3) float64, maps (x, y, 1) to (x, y)
Homography = NDArray[np.float64]  # (3, 3) float64, maps (x, y, 1) to (x, y, 1) times a factor

GLYPH_SIDE = 28  # px
LINE_HEIGHT = 32  # px
CLASSES = 11
NOT_A_DIGIT = 10
LINE_READERS = 2  # networks that read every line, independently
DIGIT_SYMBOLS = "0123456789"
LETTER, STRUCK, OTHER_MARK = "?", "!", "*"  # letters, words, ticks, other scripts; struck out; filler marks like = ~ * # x
MARK_SYMBOLS = ".,-/:()+$" + OTHER_MARK + LETTER + STRUCK
LINE_SYMBOLS = DIGIT_SYMBOLS + MARK_SYMBOLS
"""The classes of the line network. A point may be at any height, a comma includes the apostrophe, `$` is any currency sign."""
LINE_CLASSES = len(LINE_SYMBOLS) + 1  # plus the CTC blank
CELL_SIDE = 32  # px
CELL_CLASSES = 13
CROSSED, EMPTY, ILLEGIBLE = 10, 11, 12  # a cell that is struck out, has no writing, or holds something else
MICR_SYMBOLS = "0123456789\u2446\u2447\u2448\u2449"  # of E-13B: digits, transit, amount, on-us, dash
MICR_CLASSES = 15  # MICR_SYMBOLS, plus the CTC blank
SMALL_DIGIT_PX = 20.0  # of the crop: digits lower than this are read wrong more often [measured: composed fields]
DIGIT_HEIGHT = 40  # px to which the digits of a field are scaled before they are read
INK_MARGIN = 4  # px of paper around the ink of a field

Written = Literal["string", "amount", "comb", "decimal"]
Kind = Literal[Written, "micr"]
KINDS: tuple[Written, ...] = get_args(Written)  # handwritten kinds, read by the digit networks
FREE_KINDS: tuple[Kind, ...] = tuple(kind for kind in KINDS if kind != "comb")
Status = Literal["ok", "review", "blank", "error"]
Keyed = Literal["", "confirmed", "corrected", "twice"]
ModelHash = NewType("ModelHash", str)  # SHA-256 of the model file, 64 hex digits

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in pixels; `right` and `bottom` are one past the last pixel."""

    left: int
    top: int
    width: int
    height: int

    @property
    def right(self) -> int:
        return self.left + self.width

    @property
    def bottom(self) -> int:
        return self.top + self.height

    def clip(self, width: int, height: int) -> Box:
        """The part of the box inside an image of `width` x `height` pixels (may be empty)."""
        left, top = min(max(self.left, 0), width), min(max(self.top, 0), height)
        right, bottom = min(max(self.right, left), width), min(max(self.bottom, top), height)
        return Box(left, top, right - left, bottom - top)

    def grown(self, by: int) -> Box:
        """The box extended by `by` px on every side."""
        return Box(self.left - by, self.top - by, self.width + 2 * by, self.height + 2 * by)

    def scaled(self, by: float) -> Box:
        """The box on an image `by` times as large."""
        left, top = round(self.left * by), round(self.top * by)
        return Box(left, top, round(self.right * by) - left, round(self.bottom * by) - top)

    def cut(self, picture: NDArray[Any]) -> NDArray[Any]:
        """The pixels of `picture` (height, width, ...) inside the box, which must be within the picture."""
        return picture[self.top : self.top + self.height, self.left : self.left + self.width]


@dataclass(frozen=True, slots=True, order=True)
class PageId:
    """Identifies one page; passed between processes in place of its pixels."""

    document: str  # path relative to the input folder, "/" on every system
    page: int = 1  # from 1


@dataclass(frozen=True, slots=True)
class Page:
    """One page in memory, upright, dark ink on light paper."""

    id: PageId
    gray: Gray
    damage: str = ""  # what is wrong with the image: nothing on it is accepted without review
    tall: float = 1.0  # pixel height over pixel width in `gray`: 2.08 for a coarse fax
    shrunk: float = 1.0  # px of the stored page per px of `gray`, before `gray` was registered to a form
    laid: Homography | None = None  # for a page registered to a form: maps px of `gray` to px of the page before that
    residual: float | None = None  # px of the form: how well the page fits it

    @property
    def width(self) -> int:
        return int(self.gray.shape[1])

    @property
    def height(self) -> int:
        return int(self.gray.shape[0])

    def stored(self, box: Box) -> Box:
        """Where a box of `gray` is on the stored page, as an upright bounding rectangle."""
        if self.laid is None:
            return box.scaled(self.shrunk)
        # Pixels are mapped by their centers, a box by its edges.
        edges = [(x - 0.5, y - 0.5, 1.0) for x in (box.left, box.right) for y in (box.top, box.bottom)]
        corners = np.array(edges) @ self.laid.T
        across, down = ((corners[:, k] / corners[:, 2] + 0.5) * self.shrunk for k in (0, 1))
        left, top = int(np.floor(across.min())), int(np.floor(down.min()))
        return Box(left, top, int(np.ceil(across.max())) - left, int(np.ceil(down.max())) - top)


@dataclass(frozen=True, slots=True)
class Field:
    """Where a number is on a page, and what is known about it beforehand."""

    name: str
    box: Box
    kind: Kind = "string"
    digits: tuple[int, int] | None = None  # fewest and most digits; None: any number
    required: bool = False  # a blank goes to a person for review
    cells: int = 0  # of a comb; 0 for a free field
    rim: int = 0  # px around the box that are cropped with it: the lines of a comb
    rules: FieldRules | None = None  # which texts it may hold
    framed: bool = False  # has a printed frame around it
    parts: bool = False  # for an E-13B line: its routing number, account and so on get rows of their own
    cents: bool = False  # for an amount: cents are always written, or a dash in their place
    signed: bool = False  # for an amount or a measurement: it may be negative
    decimals: tuple[int, int] | None = None  # for a measurement: fewest and most digits after the point; None: any number
    empty: str = ""  # what shows that there is no number: a dash in a table cell
    doubt: str = ""  # why a person should look at it, whatever is read there
    apart: float | None = None  # px of the form: how far its own print is from where the page's fit puts it

    @property
    def crop(self) -> Box:
        """The box that is cropped from the page."""
        return self.box.grown(self.rim)


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """What a field may hold and what it means, without its position: enough to check what a person keys.

    Attributes that `Field` also has are the same as there.
    """

    kind: Kind = "string"
    digits: tuple[int, int] | None = None
    required: bool = False
    cells: int = 0
    rules: FieldRules | None = None
    cents: bool = False
    signed: bool = False
    decimals: tuple[int, int] | None = None
    between: tuple[PageRule, ...] = ()  # the page's rules that involve the field
    window: DateWindow | None = None  # for dates


@dataclass(frozen=True, slots=True)
class Seen:
    """What was read at a place where a field may be."""

    field: Field
    text: str
    value: str  # "" if its meaning is not known
    confidence: float
    dated: float = 0.0  # confidence that it is a date with slashes or dashes between its parts; 0 if it cannot be one


@dataclass(frozen=True, slots=True)
class Elected:
    """A place that was chosen as a field."""

    place: int  # index in `seen`
    field: Field  # what it is read as, maybe under different rules than before
    doubt: str = ""  # why a person should check that this is the field
    printed: str = ""  # for an E-13B line: the check number as read elsewhere on the page


class Elect(Protocol):
    """Chooses which places on a page are fields, and which fields, by what was read there."""

    def __call__(self, seen: Sequence[Seen], again: Callable[[int, Field], Seen], /) -> Sequence[Elected]:
        """`seen` has an entry for each of the page's places, in order; `again` reads a place as another field."""
        ...


@dataclass(frozen=True, slots=True)
class Sheet:
    """Which page of a multi-page form a page is."""

    form: str  # the name of its template
    number: int  # from 1
    count: int  # of the form's pages


@dataclass(frozen=True, slots=True)
class Placed:
    """A page with its fields, or with the places where they may be."""

    page: Page
    fields: tuple[Field, ...]
    rules: tuple[PageRule, ...] = ()  # between the fields
    blank: Gray | None = None  # the empty form, the same size as the page: what is printed on it does not count as ink
    elect: Elect | None = None  # set if `fields` are places that may be fields
    expected: tuple[str, ...] = ()  # names of fields that get a row even if they are not found
    template: str = ""  # the template used, if there were several
    sheet: Sheet | None = None  # for a multi-page form
    rest: Page | DocumentError | None = None  # the scan without this form, if it holds another one; or what is wrong there


@dataclass(frozen=True, slots=True)
class FieldInk:
    """The pen strokes in a field: no paper, no ruled lines, one digit height, no slant.

    `to_ink` maps pixels of the field's crop to pixels of `ink`. `labels` and `parts` are its connected components, see
    `pixels.components`. `written` says that something was written, even if only a dash or a dot too small for a digit; `doubt`
    why it cannot be trusted, "" if it can.
    """

    ink: Ink
    to_ink: Affine
    labels: NDArray[np.int32]  # (height, width) int32, 0 no ink, k+1 component k
    parts: NDArray[np.int32]  # (n, 5) int32: left, top, width, height, area of every component
    cells: int = 0  # of a comb; 0 for a free field
    walls: tuple[float, ...] = ()  # columns of `ink` between the cells of a comb
    written: bool = False
    doubt: str = ""


@dataclass(frozen=True, slots=True)
class MicrLine:
    """A line of E-13B, leveled and scaled to one height; width 0 if there is nothing to read.

    `places` gives the source of every column of `line`, in px of the field's crop: the column, and the rows of the top and
    the bottom of the characters there.
    """

    line: Line
    places: NDArray[np.float32]  # (width, 3) float32


@dataclass(frozen=True, slots=True)
class Candidate:
    """One digit hypothesis: a union of neighboring pieces of ink.

    A path that takes the candidate uses up the pieces `first` .. `last` - 1 of its lattice; `pieces` are those whose
    ink is shown to the recognizer (in a comb cell a path may take one piece and skip the specks next to it).
    """

    first: int
    last: int
    pieces: tuple[int, ...]
    box: Box  # on the lattice's ink


@dataclass(frozen=True, slots=True)
class Lattice:
    """All ways to cut the ink of one field into digits.

    `pieces` numbers the pieces of ink from left to right. `ink` and `to_ink` are those of the field's `FieldInk`.
    """

    ink: Ink
    labels: NDArray[np.int32]  # (height, width) int32, 0 no ink, k+1 the ink of piece k
    pieces: int
    candidates: tuple[Candidate, ...]
    geometry: NDArray[np.float32]  # (len(candidates), GEOMETRY) float32, see readers.lattice.cuts
    to_ink: Affine
    whole: tuple[NDArray[np.int32], NDArray[np.int32]] | None = None  # the components before they were cut, see `FieldInk`

    @property
    def blank(self) -> bool:
        return not self.candidates

    @property
    def digit_px(self) -> float:
        """The height of the digits, px of the crop."""
        (a, b, _), (c, d, _) = self.to_ink.tolist()
        return DIGIT_HEIGHT / sqrt(max(1e-12, abs(a * d - b * c)))


@dataclass(frozen=True, slots=True)
class Reading:
    """The text of a field, with its confidence and alternatives."""

    text: str  # digits as written, "" if there are none
    confidence: float  # 0..1, probability that the whole text is right
    path: tuple[int, ...] = ()  # the chosen candidates, left to right; () if no path through the lattice gives the text
    alternatives: tuple[tuple[str, float], ...] = ()  # other texts with their share of the probability, best first
    remark: str = ""  # what a person should know about it
    changed_by: str = ""  # the rule because of which the text that was read was replaced
    read: str = ""  # the text that was read
    digit_px: float | None = None  # height of the digits, px of the crop; None if it is unknown


@dataclass(frozen=True, slots=True)
class MicrReading(Reading):
    """The reading of an E-13B line; `text` has only the digits."""

    value: str = ""  # digits and symbols, without spaces
    centers: tuple[float, ...] = ()  # px of the line's strip: center of each character of `value`
    value_read: str = ""  # the line as read, if a rule changed it


class Alternative(NamedTuple):
    """Another text or digit that may have been written."""

    text: str  # digits; "" for no digit
    confidence: float  # 0..1, probability that this is what was written


@dataclass(frozen=True, slots=True)
class Digit:
    """One digit that was read in a field."""

    text: str  # "0" .. "9"
    confidence: float  # 0..1, probability that it is right; no less than that of the whole field
    box: Box | None  # px of the stored page; None if the position of the digit is not known
    alternatives: tuple[Alternative, ...] = ()  # what else it may be, best first


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the output table: what was read in one field.

    The attributes are the columns, in order, except `DETAILS`: those are available if a document is read in Python.
    """

    document: str
    page: int
    field: str
    text: str
    value: str
    confidence: float | None
    status: Status
    reason: str
    changed_by: str
    read: str  # the text that was read, if it was replaced
    keyed: Keyed  # what a person did; "" if nobody keyed a text
    left: int | None
    top: int | None
    width: int | None
    height: int | None
    residual: float | None = None  # px of the template's reference
    run: str = ""
    template: str = ""  # a column only if several were given
    crop: str = ""  # the field's image, relative to the table; a column only if images are saved
    digits: tuple[Digit, ...] = ()  # those of `text`, left to right
    alternatives: tuple[Alternative, ...] = ()  # other texts that the field may hold, best first
    spec: FieldSpec | None = dataclass_field(default=None, compare=False, repr=False)  # None if not known


DETAILS = ("digits", "alternatives", "spec")  # attributes of a Row that are not columns


class Recognizer(Protocol):
    """Images of one size in, scores out: glyphs, or the cells of combs. A network on a backend, see `backends`."""

    name: str
    model_hash: ModelHash

    def recognize(self, pictures: Pictures, /) -> Scores:
        """Score every image; n may be 0. An image's scores must not depend on the others in the batch."""
        ...


class LineRecognizer(Protocol):
    """Lines in, frames out: reads a whole field without segmenting it."""

    name: str
    model_hash: ModelHash

    def recognize(self, lines: Sequence[Line], /) -> list[Frames]:
        """The frames of every line: one per two px of its width, or per four for E-13B.

        A line's frames must not depend on the other lines.
        """
        ...


class Mapper(Protocol):
    """A function like `map`: lazy; yields each result with its item as soon as it is ready; a lost item comes as a value.

    `prepare` is called once where the work is done (e.g. in each process) and returns the function to apply.
    """

    def __call__(
        self, prepare: Callable[[], Callable[[Item], Result]], items: Iterable[Item], /
    ) -> Iterator[tuple[Item, Result | DocumentError]]: ...
