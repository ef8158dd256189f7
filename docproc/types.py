"""The nouns of docproc, in the order in which paper becomes a table.

A *page* has *fields*; the ink of a field becomes a *lattice* of candidate digits; a recognizer turns their *glyphs* into
*scores*; the best path through the lattice is a *reading*; every reading becomes one *row* of the table.

All types are frozen: a stage returns new values and never changes what it was handed. Arrays are row before column,
and a comment after each gives its shape, type and range.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from typing import Any, Literal, NamedTuple, NewType, Protocol, TypeVar, get_args

import numpy as np
from numpy.typing import NDArray

from docproc.errors import DocumentError
from docproc.rules import DateWindow, FieldRules, PageRule

Gray = NDArray[np.uint8]  # (height, width) uint8, 0 black ink .. 255 white paper
Ink = NDArray[np.uint8]  # (height, width) uint8, 0 paper .. 255 full ink
Glyphs = NDArray[np.uint8]  # (n, 28, 28) uint8, 0 paper .. 255 ink
Line = NDArray[np.uint8]  # (32, width) uint8, 0 paper .. 255 ink: a whole field, see readers.line.band
Pictures = NDArray[np.uint8]  # (n, height, width, ...) uint8: glyphs, or pictures of cells
CellPictures = NDArray[np.uint8]  # (n, 32, 32, 2) uint8, 0 paper .. 255 ink: a cell's own ink, and its neighbors'
CellScores = NDArray[np.float32]  # (n, 13) float32 probabilities; columns 0..9, CROSSED, EMPTY and ILLEGIBLE
Scores = NDArray[np.float32]  # (n, 11) float32 probabilities, rows sum to 1; columns 0..9 and NOT_A_DIGIT
Frames = NDArray[np.float32]
"""(t, readers * classes) float32 natural log probabilities along a line: of each of its readers, side by side, those of the
ten digits and of CTC's blank (LINE_READERS * 23), or of the one reader of E-13B (15)."""
Affine = NDArray[np.float64]  # (2, 3) float64, maps (x, y, 1) to (x, y)
Homography = NDArray[np.float64]  # (3, 3) float64, maps (x, y, 1) to (x, y, 1) times a factor

GLYPH_SIDE = 28  # px
LINE_HEIGHT = 32  # px
CLASSES = 11
NOT_A_DIGIT = 10
LINE_READERS = 2  # networks that read every line, each by itself
DIGIT_SYMBOLS = "0123456789"
LETTER, STRUCK, OTHER_MARK = "?", "!", "*"  # letters, words, ticks, other scripts; struck out; marks that fill, like = ~ * # x
MARK_SYMBOLS = ".,-/:()+$" + OTHER_MARK + LETTER + STRUCK
LINE_SYMBOLS = DIGIT_SYMBOLS + MARK_SYMBOLS
"""What the line network tells apart. A point is one at any height, a comma also an apostrophe, `$` any currency's sign."""
LINE_CLASSES = len(LINE_SYMBOLS) + 1  # and the blank of CTC
CELL_SIDE = 32  # px
CELL_CLASSES = 13
CROSSED, EMPTY, ILLEGIBLE = 10, 11, 12  # a cell that was struck out; one without writing; one with something else
MICR_SYMBOLS = "0123456789\u2446\u2447\u2448\u2449"  # of E-13B: digits, transit, amount, on-us, dash
MICR_CLASSES = 15  # MICR_SYMBOLS, and the blank of CTC
DIGIT_HEIGHT = 40  # px to which the digits of a field are brought before they are read
INK_MARGIN = 4  # px of paper around the ink of a field

Written = Literal["string", "amount", "comb", "decimal"]
Kind = Literal[Written, "micr"]
KINDS: tuple[Written, ...] = get_args(Written)  # what is written by hand, and read by the digit networks
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
        """The part of the box inside a picture of `width` x `height` pixels (may be empty)."""
        left, top = min(max(self.left, 0), width), min(max(self.top, 0), height)
        right, bottom = min(max(self.right, left), width), min(max(self.bottom, top), height)
        return Box(left, top, right - left, bottom - top)

    def grown(self, by: int) -> Box:
        """The box and `by` px around it."""
        return Box(self.left - by, self.top - by, self.width + 2 * by, self.height + 2 * by)

    def scaled(self, by: float) -> Box:
        """The box on a picture `by` times as large."""
        left, top = round(self.left * by), round(self.top * by)
        return Box(left, top, round(self.right * by) - left, round(self.bottom * by) - top)

    def cut(self, picture: NDArray[Any]) -> NDArray[Any]:
        """The pixels of `picture` (height, width, ...) inside the box, which must lie within it."""
        return picture[self.top : self.top + self.height, self.left : self.left + self.width]


@dataclass(frozen=True, slots=True, order=True)
class PageId:
    """Names one page: travels between processes in place of its pixels."""

    document: str  # path relative to the input folder, "/" on every system
    page: int = 1  # from 1


@dataclass(frozen=True, slots=True)
class Page:
    """One page in memory, upright, dark ink on light paper."""

    id: PageId
    gray: Gray
    damage: str = ""  # what is wrong with the picture: nothing on it is accepted unseen
    tall: float = 1.0  # height of a pixel of `gray` over its width: a coarse fax has 2.08
    shrunk: float = 1.0  # px of the page as it is stored for a px of `gray`, before that was laid onto a form
    laid: Homography | None = None  # of a page that was laid onto a form: px of `gray` to px of the page before
    residual: float | None = None  # px of the form: how well the page fits it

    @property
    def width(self) -> int:
        return int(self.gray.shape[1])

    @property
    def height(self) -> int:
        return int(self.gray.shape[0])

    def stored(self, box: Box) -> Box:
        """Where a box of `gray` lies on the page as it is stored: the upright rectangle around it."""
        if self.laid is None:
            return box.scaled(self.shrunk)
        # Pixels are mapped by their middles, a box by its edges.
        edges = [(x - 0.5, y - 0.5, 1.0) for x in (box.left, box.right) for y in (box.top, box.bottom)]
        corners = np.array(edges) @ self.laid.T
        across, down = ((corners[:, k] / corners[:, 2] + 0.5) * self.shrunk for k in (0, 1))
        left, top = int(np.floor(across.min())), int(np.floor(down.min()))
        return Box(left, top, int(np.ceil(across.max())) - left, int(np.ceil(down.max())) - top)


@dataclass(frozen=True, slots=True)
class Field:
    """Where a number stands on a page and what is known of it beforehand."""

    name: str
    box: Box
    kind: Kind = "string"
    digits: tuple[int, int] | None = None  # fewest and most digits; None where any count is possible
    required: bool = False  # a blank is put before a person
    cells: int = 0  # of a comb; 0 for a free field
    rim: int = 0  # px around the box that are cut out with it: the lines of a comb
    rules: FieldRules | None = None  # what may stand there
    framed: bool = False  # a printed frame stands around it
    parts: bool = False  # of an E-13B line: its routing number, account and so on are rows of their own
    cents: bool = False  # of an amount: cents are always written, or a dash in their place
    signed: bool = False  # of an amount or a measurement: it may be negative
    decimals: tuple[int, int] | None = None  # of a measurement: fewest and most digits behind the point; None: any number
    empty: str = ""  # what says that no number stands there: a dash in the cell of a table
    doubt: str = ""  # why a person should look at it, whatever is read there
    apart: float | None = None  # px of the form: how far its own print lies from where the page's fit puts it

    @property
    def crop(self) -> Box:
        """What is cut out of the page."""
        return self.box.grown(self.rim)


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """What may stand in a field and what it means, without the place where it stands: enough to judge what a person keys.

    The attributes that `Field` has too are those of the field.
    """

    kind: Kind = "string"
    digits: tuple[int, int] | None = None
    required: bool = False
    cells: int = 0
    rules: FieldRules | None = None
    cents: bool = False
    signed: bool = False
    decimals: tuple[int, int] | None = None
    between: tuple[PageRule, ...] = ()  # the page's rules in which the field takes part
    window: DateWindow | None = None  # of dates


@dataclass(frozen=True, slots=True)
class Seen:
    """What was read where a field may be."""

    field: Field
    text: str
    value: str  # "" where what it means is not known
    confidence: float
    dated: float = 0.0  # confidence of a date whose parts slashes or dashes set apart; 0 where it cannot be one


@dataclass(frozen=True, slots=True)
class Elected:
    """A place that is a field."""

    place: int  # index among those that were seen
    field: Field  # what it is read as, maybe by other rules than before
    doubt: str = ""  # why a person should check that it is the field
    printed: str = ""  # of an E-13B line: its check number as it was read elsewhere on the page


class Elect(Protocol):
    """Chooses which of the places on a page are fields, and what fields, by what was read there."""

    def __call__(self, seen: Sequence[Seen], again: Callable[[int, Field], Seen], /) -> Sequence[Elected]:
        """`seen` has an entry for each of the page's places, in order; `again` reads a place as another field."""
        ...


@dataclass(frozen=True, slots=True)
class Sheet:
    """Which page of a form of several pages a page is."""

    form: str  # the name of its template
    number: int  # from 1
    count: int  # of the form's pages


@dataclass(frozen=True, slots=True)
class Placed:
    """A page whose fields are known, or places where they may be."""

    page: Page
    fields: tuple[Field, ...]
    rules: tuple[PageRule, ...] = ()  # between the fields
    blank: Gray | None = None  # the empty form, of the page's own size: what is printed on it is no ink
    elect: Elect | None = None  # where `fields` are places that may be fields
    expected: tuple[str, ...] = ()  # names of fields that get a row even if they are not found
    template: str = ""  # by which the page is read, where there were several
    sheet: Sheet | None = None  # of a form of several pages
    rest: Page | DocumentError | None = None  # the scan without this form, where another one lies on it; or what is wrong there


@dataclass(frozen=True, slots=True)
class FieldInk:
    """What the pen left in a field: no paper, no ruled lines, one digit height, no slant.

    `to_ink` maps pixels of the field's crop to pixels of `ink`. `labels` and `parts` are its connected components, see
    `pixels.components`. `written` says that something was written, if only a dash or a dot too small for a digit.
    """

    ink: Ink
    to_ink: Affine
    labels: NDArray[np.int32]  # (height, width) int32, 0 no ink, k+1 component k
    parts: NDArray[np.int32]  # (n, 5) int32: left, top, width, height, area of every component
    cells: int = 0  # of a comb; 0 for a free field
    walls: tuple[float, ...] = ()  # columns of `ink` between the cells of a comb
    written: bool = False


@dataclass(frozen=True, slots=True)
class MicrLine:
    """A line of E-13B, laid out level and at one height; width 0 where there is nothing to read.

    `places` says of every column of `line` where it comes from, in px of the field's crop: the column, and the rows of the
    head and the foot of the characters there.
    """

    line: Line
    places: NDArray[np.float32]  # (width, 3) float32


@dataclass(frozen=True, slots=True)
class Candidate:
    """One way to see a digit: a union of neighboring pieces of ink.

    A path that takes the candidate uses up the pieces `first` .. `last` - 1 of its lattice; `pieces` are those whose
    ink is shown to the recognizer (in a comb cell a path may take one piece and pass over the specks beside it).
    """

    first: int
    last: int
    pieces: tuple[int, ...]
    box: Box  # on the lattice's ink


@dataclass(frozen=True, slots=True)
class Lattice:
    """All ways in which the ink of one field may be cut into digits.

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


@dataclass(frozen=True, slots=True)
class Reading:
    """What stands in a field, as well as it can be told."""

    text: str  # digits as written, "" when there are none
    confidence: float  # 0..1, probability that the whole text is right
    path: tuple[int, ...] = ()  # the chosen candidates, left to right; () where the lattice has no way to the text
    alternatives: tuple[tuple[str, float], ...] = ()  # other texts with their share of the probability, best first
    remark: str = ""  # what a person should know of it
    changed_by: str = ""  # the rule for which another text was taken than the one that was read
    read: str = ""  # that text


@dataclass(frozen=True, slots=True)
class MicrReading(Reading):
    """What stands on an E-13B line; `text` has the digits alone."""

    value: str = ""  # digits and symbols, without spaces
    centers: tuple[float, ...] = ()  # px of the line's strip: where each character of `value` stands
    value_read: str = ""  # the line that was read, where a rule changed it


class Alternative(NamedTuple):
    """Something else that may have been written."""

    text: str  # digits; "" for no digit
    confidence: float  # 0..1, probability that this is what was written


@dataclass(frozen=True, slots=True)
class Digit:
    """One digit of a field that was read."""

    text: str  # "0" .. "9"
    confidence: float  # 0..1, probability that it is right; no less than that of the whole field
    box: Box | None  # px of the page as stored; None where it is not known where the digit stands
    alternatives: tuple[Alternative, ...] = ()  # what else may stand there, best first


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the output table: what was read in one field.

    The attributes are the columns, in order, but for `DETAILS`: those are known where a document is read in Python.
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
    read: str  # the text that was read, where another was taken
    keyed: Keyed  # what a person did; "" where nobody keyed a text
    left: int | None
    top: int | None
    width: int | None
    height: int | None
    residual: float | None = None  # px of the template's reference
    run: str = ""
    template: str = ""  # a column only where several were given
    crop: str = ""  # the field's picture, relative to the table; a column only where pictures are saved
    digits: tuple[Digit, ...] = ()  # those of `text`, left to right
    alternatives: tuple[Alternative, ...] = ()  # other texts that the field may hold, best first
    spec: FieldSpec | None = dataclass_field(default=None, compare=False, repr=False)  # None where it is not known


DETAILS = ("digits", "alternatives", "spec")  # attributes of a Row that are no columns


class Recognizer(Protocol):
    """Pictures of one size in, scores out: glyphs, or the cells of combs. A network on a backend, see `backends`."""

    name: str
    model_hash: ModelHash

    def recognize(self, pictures: Pictures, /) -> Scores:
        """Score every picture; n may be 0. A picture's scores must not depend on the others in the batch."""
        ...


class LineRecognizer(Protocol):
    """Lines in, frames out: reads a whole field without cutting it."""

    name: str
    model_hash: ModelHash

    def recognize(self, lines: Sequence[Line], /) -> list[Frames]:
        """The frames of every line, one for two px of its width, of E-13B for four.

        A line's frames must not depend on the other lines.
        """
        ...


class Mapper(Protocol):
    """A function shaped like `map`: lazy; each result comes beside its item as soon as it is there; a lost item is a value.

    `prepare` is called once where the work is done (in each process, say) and gives the function to apply.
    """

    def __call__(
        self, prepare: Callable[[], Callable[[Item], Result]], items: Iterable[Item], /
    ) -> Iterator[tuple[Item, Result | DocumentError]]: ...
