"""What a person changed in a table since docproc wrote it: compares the table as written with the table as it is now.

A spreadsheet that merely saves a table rewrites it in its own way: other separators and quotes, `7` for `007`, `0.98` for
`0.9800`, dates in the local format. A spreadsheet changes whole columns and a person single cells, so the two can be
distinguished.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest

Record = Mapping[str, str]
Key = tuple[str, ...]

KEY_COLUMNS = ("document", "page", "field")  # those present in a table identify a row
DIGITS_KEPT = 15  # digits of a number in a spreadsheet [standard: IEEE 754 double, as Excel shows it]
SHOWN_SHARE = 1e-5  # relative error when a spreadsheet shows a long number in short form [geometry: 1.23457E+19]
MAX_SHOWN = 60  # characters of a cell shown in a message [guess]

_ISO_DATE = re.compile(r"(\d{4})-(\d{2})-(\d{2})")


@dataclass(frozen=True, slots=True)
class Change:
    """A row that differs from what docproc wrote."""

    line: int  # in the current table, from 1; for a missing row, where it was
    what: str  # in words
    cells: int = 0  # cells of the row that changed; 0 for a row or column that was added or removed

    def __str__(self) -> str:
        return f"line {self.line} {self.what}"


def changes(written: Iterable[Record], found: Iterable[Record], *, ignored: frozenset[str] = frozenset()) -> list[Change]:
    """The differences between the rows that were `written` and those that are `found`; rows may have been sorted.

    Columns in `ignored` may be missing.
    """
    then, now = _unequal(written, found)
    columns = _columns(then.values())
    own = _columns(now.values())
    here = [name for name in columns if name in own]
    if not then and not now:
        return []
    told = _of_columns([name for name in columns if now and name not in own and name not in ignored], "deleted or renamed")
    told += _of_columns([name for name in own if then and name not in columns and name not in ignored], "added")
    old, new = _by_key(then, KEY_COLUMNS), _by_key(now, KEY_COLUMNS)
    pairs = [(line, old[key][1], record) for key, (line, record) in new.items() if key in old]
    saved = _saved_again(pairs, here)
    for line, before, after in pairs:
        cells = [(name, before.get(name, ""), after.get(name, "")) for name in here]
        own_work = [
            _cell(*cell) for cell in cells if cell[1] != cell[2] and not (cell[0] in saved and _means_the_same(*cell[1:]))
        ]
        if own_work:
            told.append(Change(line, f"was changed: {_name(before)}{', '.join(own_work)}", len(own_work)))
    told += [Change(line, f"was added{_said(record)}") for key, (line, record) in new.items() if key not in old]
    told += [Change(line, f"was deleted or renamed{_said(record)}") for key, (line, record) in old.items() if key not in new]
    return sorted(told, key=lambda change: change.line)


def _of_columns(names: Iterable[str], how: str) -> list[Change]:
    return [Change(1, f"was changed: the column {name} was {how}") for name in names]


def _unequal(written: Iterable[Record], found: Iterable[Record]) -> tuple[dict[int, Record], dict[int, Record]]:
    """The rows of both tables, by line, that differ at the same line; for a large table only these are kept in memory."""
    then, now = dict[int, Record](), dict[int, Record]()
    for line, (one, other) in enumerate(zip_longest(written, found), 2):
        if one == other:
            continue
        if one is not None:
            then[line] = one
        if other is not None and any(other.values()):  # empty lines at the end do not count as changes
            now[line] = other
    return then, now


def _columns(records: Iterable[Record]) -> list[str]:
    return list(dict.fromkeys(name for record in records for name in record))


def _by_key(records: Mapping[int, Record], names: Sequence[str]) -> dict[Key, tuple[int, Record]]:
    seen: Counter[Key] = Counter()
    keyed = dict[Key, tuple[int, Record]]()
    for line, record in records.items():
        key = tuple(record.get(name, "") for name in names)
        seen[key] += 1
        keyed[*key, str(seen[key])] = (line, record)
    return keyed


# ------------------------------------------------------------------------------------- what a spreadsheet does


def _saved_again(pairs: Sequence[tuple[int, Record, Record]], columns: Sequence[str]) -> set[str]:
    """The columns that a spreadsheet rewrote: every cell that a spreadsheet certainly rewrites has been rewritten."""
    written_otherwise = dict.fromkeys(columns, 0)
    for name in columns:
        cells = [(before.get(name, ""), after.get(name, "")) for _, before, after in pairs]
        if not any(one == other and _is_written_otherwise(one) for one, other in cells):
            written_otherwise[name] = sum(one != other and _means_the_same(one, other) for one, other in cells)
    # A single cell in the whole table may just as well have been changed by a person.
    return {name for name, count in written_otherwise.items() if count} if sum(written_otherwise.values()) > 1 else set()


def _means_the_same(before: str, after: str) -> bool:
    """Whether a spreadsheet may have turned one cell into the other: the same number or date, written differently."""
    date = _ISO_DATE.fullmatch(before)
    if date:
        year, month, day = map(int, date.groups())
        parts = [int(part) for part in re.findall(r"\d+", after)][:3]
        return sorted(parts) in (sorted((year, month, day)), sorted((year % 100, month, day)))
    one, other = _number(before), _number(after.replace(",", "."))
    if one is None or other is None:
        return False
    long = sum(map(str.isdigit, before)) > DIGITS_KEPT or "E" in after
    return one == other or (long and abs(one - other) <= SHOWN_SHARE * abs(one))


def _is_written_otherwise(text: str) -> bool:
    """Whether a spreadsheet certainly writes this cell differently: a number with redundant zeros."""
    number = _number(text)
    return number is not None and f"{number:.15g}" != text


def _number(text: str) -> float | None:
    return float(text) if re.fullmatch(r"-?\d+(\.\d+)?(E\+?-?\d+)?", text) else None


# ----------------------------------------------------------------------------------------------------- in words


def _name(record: Record) -> str:
    """Identifies the row, as far as its columns allow."""
    document, page, field = (record.get(name, "") for name in KEY_COLUMNS)
    told = [document, f"page {page}" if page not in ("", "1") else "", field]
    return ", ".join(_short(one) for one in told if one) + ": " if document else ""


def _said(record: Record) -> str:
    return f": {name}" if (name := _name(record).removesuffix(": ")) else ""


def _cell(column: str, before: str, after: str) -> str:
    return f"{column} {_short(before)} is now {_short(after)}"


def _short(text: str) -> str:
    if not text:
        return "(empty)"
    # A cell may contain anything, and a terminal interprets control characters.
    plain = "".join(one if one.isprintable() else repr(one)[1:-1] for one in text)
    return plain if len(plain) <= MAX_SHOWN else f"{plain[: MAX_SHOWN - 3]}..."


def in_words(found: Sequence[Change], most: int) -> Iterator[str]:
    """Describes the first changes, and gives the lines of the others."""
    for change in found[:most]:
        yield str(change)
    rest = [change.line for change in found[most:]]
    if rest:
        yield f"and lines {', '.join(_ranges(rest))}" if len(rest) > 1 else f"and line {rest[0]}"


def _ranges(lines: Sequence[int]) -> list[str]:
    """`3, 4, 5, 9` as `3-5`, `9`."""
    ranges: list[list[int]] = []
    for line in sorted(set(lines)):
        if ranges and line == ranges[-1][1] + 1:
            ranges[-1][1] = line
        else:
            ranges.append([line, line])
    return [str(first) if first == last else f"{first}-{last}" for first, last in ranges]
