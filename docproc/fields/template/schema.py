"""The typed tables of a template file: their keys, and the allowed values."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict
from pydantic import Field as Rule

from docproc.rules import CheckName, DateOrder

NAMED = r"^[A-Za-z_][A-Za-z0-9_]*$"  # a field
MAX_COUNT = 64  # of digits or cells of a field, and of weights of a check digit [guess]
MAX_MODULUS = 1000  # of a check digit [guess]
MIN_SIDE_PX = 16  # of a page [guess]
MAX_SIDE_PX = 65_500  # of a page: the largest JPEG, by libjpeg [standard]

Count = Annotated[int, Rule(ge=1, le=MAX_COUNT)]
Places = Annotated[int, Rule(ge=0, le=MAX_COUNT)]
FieldKind = Literal["comb", "string", "amount", "decimal", "date", "micr"]
Quad = Annotated[list[int], Rule(min_length=4, max_length=4)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class PageTable(_Strict):
    """The page on which the boxes were measured."""

    reference: Annotated[str | None, Rule(description="a picture of the form, beside this file")] = None
    filled: Annotated[
        bool | None,
        Rule(description="true: the picture is a form that is filled in, false: all on it is print; left out: fields tell"),
    ] = None
    marks: Annotated[
        list[Quad], Rule(description="solid corner marks of the form, three or more: left, top, width, height in pixels")
    ] = []
    size: Annotated[
        list[Annotated[int, Rule(ge=MIN_SIDE_PX, le=MAX_SIDE_PX)]] | None,
        Rule(min_length=2, max_length=2, description="width and height in pixels, where there is no reference"),
    ] = None


class WeightedTable(_Strict):
    """A check digit by a weighted sum; the last weight belongs to the check digit itself."""

    weights: Annotated[list[int], Rule(min_length=2, max_length=MAX_COUNT)]
    modulus: Annotated[int, Rule(ge=2, le=MAX_MODULUS)]
    remainder: int = 0


class ListTable(_Strict):
    """A closed list: a column of a CSV file beside this file."""

    file: str
    column: str


class FieldTable(_Strict):
    """One number on the form."""

    name: Annotated[str, Rule(pattern=NAMED, description="a column of the table")]
    box: Annotated[Quad, Rule(description="left, top, width, height in pixels of the page")]
    kind: FieldKind = "string"
    digits: Annotated[
        Count | Annotated[list[Count], Rule(min_length=2, max_length=2)] | None,
        Rule(description="how many digits, or [fewest, most]"),
    ] = None
    cells: Annotated[Count | None, Rule(description="of the comb; left out where it has as many as digits")] = None
    order: Annotated[DateOrder | None, Rule(description="of a date's parts: DDMMYYYY; DMY where zeros may lack; auto")] = None
    years: Annotated[list[int] | None, Rule(min_length=2, max_length=2, description="first and last year of a date")] = None
    pattern: Annotated[str | None, Rule(description=r"a regular expression of digits that the whole text matches")] = None
    range: Annotated[list[int] | None, Rule(min_length=2, max_length=2, description="least and greatest value")] = None
    check_digit: CheckName | WeightedTable | None = None
    allowed: Annotated[ListTable | None, Rule(description="the closed list of what may stand here")] = None
    required: Annotated[bool, Rule(description="a blank field goes to review")] = False
    signed: Annotated[
        bool | None, Rule(description="of an amount or a decimal: it may be negative; decimals are, unless told otherwise")
    ] = None
    decimals: Annotated[
        Places | Annotated[list[Places], Rule(min_length=2, max_length=2)] | None,
        Rule(description="of a decimal: how many digits behind the point, or [fewest, most]"),
    ] = None
    cents: Annotated[bool, Rule(description="of an amount: cents are always written, or a dash in their place")] = False
    page: Annotated[int, Rule(ge=1, description="which [[page]] it stands on, from 1")] = 1  # [geometry]


class RuleTable(_Strict):
    """What must hold between fields of a page: `sum` and `equals`, `equal`, or `order` (dates, the earlier first)."""

    name: str = ""
    sum: Annotated[list[str], Rule(min_length=1)] | None = None
    equals: str | None = None
    equal: Annotated[list[str], Rule(min_length=2, max_length=2)] | None = None
    order: Annotated[list[str], Rule(min_length=2, max_length=2)] | None = None


class TemplateFile(_Strict):
    """A docproc template."""

    schema_version: Literal[1]
    name: Annotated[str, Rule(min_length=1)]
    page: Annotated[list[PageTable], Rule(min_length=1, description="[page], or [[page]] for each page of a form of several")]
    field: Annotated[list[FieldTable], Rule(min_length=1, description="the fields, in the order of the table")]
    rule: Annotated[list[RuleTable], Rule(description="what holds between fields")] = []


def json_schema() -> dict[str, Any]:
    """The JSON Schema of a template file."""
    schema = TemplateFile.model_json_schema()
    several = schema["properties"]["page"]
    schema["properties"]["page"] = {"anyOf": [several["items"], several], "description": several.pop("description")}
    return schema


def known_keys(keys: tuple[Any, ...]) -> tuple[str, ...]:
    """The keys of the table that contains the last of `keys`, e.g. of `("field", 0, "digit")`."""
    model: type[BaseModel] = TemplateFile
    if keys[0] == "page" and len(keys) > 1:
        model = PageTable
    elif keys[0] == "field" and len(keys) > 2:
        inner: dict[str, type[BaseModel]] = {"check_digit": WeightedTable, "allowed": ListTable}
        model = inner.get(keys[2], FieldTable) if len(keys) > 3 else FieldTable
    elif keys[0] == "rule" and len(keys) > 2:
        model = RuleTable
    return tuple(model.model_fields)
