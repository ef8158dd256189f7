"""Settings for every command: defaults < user file < project file < environment < flags.

Files are TOML: `config.toml` in the user's configuration folder, and `docproc.toml` in the working folder. A key at the top
level sets the long option of that name, with `_` for `-`, in every command that has it. A table sets options of one command,
`[run]` or `[model.train]`, and wins over the top level of its file. Options that are `local` stand in tables only; arguments
and required options in neither. Environment variables are `DOCPROC_`, the command and the option: `DOCPROC_RUN_LAYOUT`,
`DOCPROC_MODEL_TRAIN_JOBS`.

Relative paths in a file are relative to the working folder, as on the command line. `model` is an option and a group of
commands: in TOML a file has either `model = "FILE"` at the top level or tables such as `[model.train]`; beside these it is
written into the tables of commands, `[run]` first of all.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import click

from docproc.cli.options import Day, Option, Share
from docproc.errors import BadConfig

ALIASES = {"limits": "limit"}  # names that earlier versions had

Words = tuple[str, ...]  # of a command: ("model", "train")
Values = dict[Words, dict[str, Any]]  # for each command, by the names of its parameters

_TYPES: tuple[tuple[type[click.ParamType[Any]], tuple[type, ...], str], ...] = (
    (click.types.BoolParamType, (bool,), "true or false"),
    (click.types.IntParamType, (int,), "an integer"),
    (click.types.FloatParamType, (float, int), "a number"),
    (Share, (str, float), '"1%" or 0.01'),  # no integer: 1 could be meant as 1%
    (Day, (str, date), "a date"),
    (click.ParamType, (str,), "a string"),
)
"""What a value may be in TOML for a parameter's type, and how that is called; the first that fits counts."""


def default_map(program: click.Group, *files: Path) -> dict[str, Any]:
    """What click takes for the `default_map` of the program, from those files that exist; a later file wins.

    Raises BadConfig with all faults of a file.
    """
    nested: dict[str, Any] = {}
    for file in files:
        if file.is_file():
            for words, values in _read(program, file).items():
                inner = nested
                for word in words:
                    inner = inner.setdefault(word, {})
                inner.update(values)
    return nested


def _read(program: click.Group, file: Path) -> Values:
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as problem:
        raise BadConfig(str(file), [str(problem)]) from problem
    commands = dict(_commands(program))
    faults: list[str] = []
    values: Values = {words: {} for words in commands}
    # `model` is both a group of commands and an option.
    tables = {key: value for key, value in content.items() if isinstance(value, dict)}
    _take_everywhere({key: value for key, value in content.items() if key not in tables}, commands, values, faults)
    for words, table in _tables(program, tables, (), faults):
        _take(table, words, commands[words], values, faults)
    if faults:
        raise BadConfig(str(file), list(dict.fromkeys(faults)))
    return values


def _commands(group: click.Group, words: Words = ()) -> Iterator[tuple[Words, click.Command]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from _commands(command, (*words, name))
        else:
            yield (*words, name), command


def _options(command: click.Command) -> dict[str, Option]:
    """The options that a settings file may set."""
    return {one.key: one for one in command.params if isinstance(one, Option) and not one.required}


def _take_everywhere(
    content: Mapping[str, Any], commands: Mapping[Words, click.Command], values: Values, faults: list[str]
) -> None:
    """Set the keys of the top level in every command that has such an option."""
    known = {(words, key): one for words, command in commands.items() for key, one in _options(command).items()}
    for name, value in content.items():
        key = ALIASES.get(name, name)
        takers = {words: one for (words, own), one in known.items() if own == key}
        if not takers:
            shared = dict.fromkeys(own for (_, own), one in known.items() if not one.local)
            faults.append(f"{name}: no such setting; there are {', '.join(sorted(shared))}")
        elif all(one.local for one in takers.values()):
            faults.append(f"{name}: goes into the table of a command: {', '.join(map(_heading, takers))}")
        for words, one in takers.items():
            if not one.local:
                _set(name, value, one, commands[words], values[words], faults)


def _tables(
    group: click.Group, content: Mapping[str, Any], before: Words, faults: list[str]
) -> Iterator[tuple[Words, Mapping[str, Any]]]:
    """The tables of single commands."""
    for name, table in content.items():
        words, command = (*before, name), group.commands.get(name)
        if command is None or not isinstance(table, dict):
            faults.append(f"{_heading(words)}: no such command; there are {', '.join(sorted(group.commands))}")
        elif isinstance(command, click.Group):
            yield from _tables(command, table, words, faults)
        else:
            yield words, table


def _take(table: Mapping[str, Any], words: Words, command: click.Command, values: Values, faults: list[str]) -> None:
    """Set the options of one command."""
    known = _options(command)
    for name, value in table.items():
        one = known.get(ALIASES.get(name, name))
        if one is None:
            faults.append(f"{_heading(words)} {name}: no such setting; there are {', '.join(sorted(known)) or 'none'}")
        else:
            _set(f"{_heading(words)} {name}", value, one, command, values[words], faults)


def _heading(words: Words) -> str:
    return f"[{'.'.join(words)}]"


def _set(said: str, value: Any, one: Option, command: click.Command, values: dict[str, Any], faults: list[str]) -> None:
    """Take a value as it stands in the file, if the option accepts it: click converts it again where it is used."""
    assert one.name is not None
    value = [value] if one.single and isinstance(value, str) else value
    values[one.name] = value
    fault = _wrong_type(one, value)
    if fault is None:
        try:
            one.type_cast_value(click.Context(command), value)
        except click.BadParameter as problem:
            fault = problem.message.rstrip(".")
    if fault:
        faults.append(f"{said}: {fault}")


def _wrong_type(one: Option, value: Any) -> str | None:
    types, wanted = next((types, name) for kind, types, name in _TYPES if isinstance(one.type, kind))
    if one.multiple:
        fits = isinstance(value, list) and all(type(each) in types for each in value)
        alone = f"{wanted}, or " if one.single else ""
        return None if fits else f"should be {alone}an array, each of it {wanted}; is {value!r}"
    return None if type(value) in types else f"should be {wanted}, is {value!r}"
