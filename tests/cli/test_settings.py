"""Settings: user file < project file < environment < flags, for every command."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from docproc.cli import main
from docproc.cli.options import Option
from docproc.cli.settings import default_map
from docproc.errors import BadConfig
from tests.cli.program import docproc, table
from tests.conftest import SAMPLES

pytestmark = pytest.mark.thorough


def read(folder: Path, *texts: str) -> dict[str, Any]:
    """What files with these texts, in this order, set."""
    files = [folder / f"{number}.toml" for number in range(len(texts))]
    for file, text in zip(files, texts, strict=True):
        file.write_text(text)
    return default_map(main, *files, folder / "none.toml")


def faults(folder: Path, text: str) -> tuple[str, ...]:
    with pytest.raises(BadConfig) as caught:
        read(folder, text)
    assert caught.value.exit_code == 3
    assert caught.value.source == str(folder / "0.toml")
    return caught.value.faults


# ------------------------------------------------------------------------------------------------------ one rule


def test_a_key_at_the_top_holds_for_every_command_that_has_it(tmp_path: Path) -> None:
    found = read(tmp_path, 'layout = "check"\nmax_error = "2%"\nmodel = "m.onnx"\nsettle = 1\n')
    assert found["run"] == {"layout": ["check"], "max_error": "2%", "model": "m.onnx"}
    assert found["watch"] == {**found["run"], "settle": 1}
    assert found["explain"] == found["run"]
    assert found["model"]["calibrate"] == {"max_error": "2%", "model": "m.onnx"}
    assert found["model"]["train"] == {"max_error": "2%"}
    assert found["status"] == found["verify"] == found["template"]["lint"] == {}


def test_a_table_holds_for_one_command_and_wins(tmp_path: Path) -> None:
    found = read(tmp_path, 'backend = "onnx"\n[run]\nbackend = "tensorflow"\n[model.train]\njobs = 3\n[table]\nwide = true\n')
    assert found["run"]["backend"] == "tensorflow"
    assert found["watch"]["backend"] == "onnx"
    assert found["model"]["train"] == {"jobs": 3}
    assert found["table"] == {"wide": True}


def test_a_later_file_wins(tmp_path: Path) -> None:
    found = read(tmp_path, 'layout = "amount"\njobs = 2\n[watch]\njobs = 5\n', "jobs = 3\n")
    assert found["run"] == {"layout": ["amount"], "jobs": 3}
    assert found["watch"] == {"layout": ["amount"], "jobs": 3}


def test_layouts_may_be_several_templates(tmp_path: Path) -> None:
    assert read(tmp_path, 'layout = ["a.toml", "b.toml"]\n')["run"] == {"layout": ["a.toml", "b.toml"]}


def test_limits_have_two_names(tmp_path: Path) -> None:
    for key in ("limit", "limits"):
        assert read(tmp_path, f'{key} = ["pages=3"]\n')["run"] == {"limits": ["pages=3"]}
        assert read(tmp_path, f'[watch]\n{key} = ["pages=3"]\n')["watch"] == {"limits": ["pages=3"]}


def test_what_may_be_replaced_is_set_for_runs_alone(tmp_path: Path) -> None:
    found = read(tmp_path, "overwrite = true\n")
    assert {name: values for name, values in flat(found) if values} == {
        "run": {"overwrite": True}, "watch": {"overwrite": True},
    }  # fmt: skip
    assert read(tmp_path, "[explain]\noverwrite = true\n")["explain"] == {"overwrite": True}


def flat(values: dict[str, Any], before: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    for name, inner in values.items():
        if name in ("model", "template") and not before:
            yield from flat(inner, f"{name} ")
        else:
            yield before + name, inner


def test_files_lose_to_environment_and_flags(tmp_path: Path, amounts: Path) -> None:
    (tmp_path / "docproc.toml").write_text('layout = "amount"\nwide = true\n')
    assert docproc("run", amounts, "-o", tmp_path / "1.csv", cwd=tmp_path).returncode == 0
    assert "amount" in table(tmp_path / "1.csv")[0]
    assert docproc("run", amounts, "-o", tmp_path / "2.csv", cwd=tmp_path, DOCPROC_RUN_LAYOUT="digits").returncode == 0
    assert "digits" in table(tmp_path / "2.csv")[0]
    assert docproc("run", amounts, "-o", tmp_path / "3.csv", "--layout", "auto", cwd=tmp_path).returncode == 0
    assert "digits" in table(tmp_path / "3.csv")[0]
    assert docproc("run", amounts, "-o", tmp_path / "4.csv", "--no-wide", cwd=tmp_path).returncode == 0
    assert {row["field"] for row in table(tmp_path / "4.csv")} == {"amount"}


def test_explain_reads_as_a_run_does(tmp_path: Path, amounts: Path) -> None:
    """By the user's file, and by the one of the project over it; paths are those of the working folder."""
    (tmp_path / "user" / "docproc").mkdir(parents=True)
    (tmp_path / "user" / "docproc" / "config.toml").write_text('max_error = "0%"\nlayout = "digits"\n')
    (tmp_path / "docproc.toml").write_text('layout = "own/form.toml"\n')
    (tmp_path / "own").mkdir()
    for name in ("template.toml", "blank.png"):
        shutil.copy(SAMPLES / "survey" / name, tmp_path / "own" / name.replace("template", "form"))
    form = SAMPLES / "survey" / "form_1.jpg"
    user = str(tmp_path / "user")
    done = docproc("explain", form, "-o", tmp_path / "e.png", cwd=tmp_path, XDG_CONFIG_HOME=user)
    assert done.returncode == 0, done.stderr
    assert docproc("run", form, "-o", tmp_path / "t.csv", cwd=tmp_path, XDG_CONFIG_HOME=user).returncode == 0
    rows = table(tmp_path / "t.csv")
    assert "household_id" in [row["field"] for row in rows]
    assert {row["status"] for row in rows} <= {"review", "blank"}
    assert [line.partition(":")[0] for line in done.stdout.splitlines()] == [row["field"] for row in rows]
    assert "  ok" not in done.stdout


def test_no_setting_replaces_a_file_that_no_run_wrote(tmp_path: Path, amounts: Path) -> None:
    (tmp_path / "docproc.toml").write_text("overwrite = true\n")
    page = amounts / "33.png"
    assert [docproc("run", page, "-o", "t.csv", cwd=tmp_path).returncode for _ in range(2)] == [0, 0]
    for arguments in (
        ["explain", page],
        ["table", "t.csv", "-o", "u.csv"],
        ["template", "init", SAMPLES / "survey" / "blank.png"],
        ["model", "predict", page, "--picture", "p.png"],
    ):
        assert [docproc(*arguments, cwd=tmp_path).returncode for _ in range(2)] == [0, 6], arguments


def test_an_error_for_runs_does_not_keep_a_model_from_being_trained(tmp_path: Path) -> None:
    (tmp_path / "docproc.toml").write_text('max_error = "2%"\n')
    train = ["model", "train", "--network", "classic", "--data", tmp_path / "nowhere"]
    assert docproc(*train, cwd=tmp_path).returncode in (4, 5)  # as without it: no MNIST there, or no TensorFlow here
    done = docproc(*train, "--max-error", "2%", cwd=tmp_path)
    assert done.returncode == 2
    assert "go with --from" in done.stderr


# --------------------------------------------------------------------------------------------------------- faults


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("jobs = ", "Invalid value (at end of document)"),
        ("jobs = true", "jobs: should be an integer, is True"),
        ("jobs = '3'", "jobs: should be an integer, is '3'"),
        ("jobs = -1", "jobs: -1 is not in the range x>=0"),
        ("wide = 1", "wide: should be true or false, is 1"),
        ("max_error = 1", 'max_error: should be "1%" or 0.01, is 1'),
        ("max_error = '200%'", "max_error: 200% is not between 0% and 100%"),
        ("layout = 3", "layout: should be a string, or an array, each of it a string; is 3"),
        ("limits = 'pages=3'", "limits: should be an array, each of it a string; is 'pages=3'"),
        ("limits = [3]", "limits: should be an array, each of it a string; is [3]"),
        ("limit = ['page=3']", "limit: unknown limit 'page'; choose one of file_bytes"),
        ("as_of = 2026-11-21T10:00:00", "as_of: should be a date, is datetime"),
        ("backend = 'fast'", "backend: 'fast' is not one of 'auto'"),
        ("speed = 3", "speed: no such setting; there are allow_host, as_of, backend"),
        ("help = true", "help: no such setting"),
        ("output = 't.csv'", "output: goes into the table of a command: [explain], [template.init]"),
        ("resume = true", "resume: goes into the table of a command: [run], [watch]"),
        ("run = 3", "run: no such setting"),
        ("[run]\noutput = 't.csv'", "[run] output: no such setting; there are address, as_of, backend"),
        ("[run]\nsettle = 1", "[run] settle: no such setting"),
        ("[run]\nresume = 'no'", "[run] resume: should be true or false, is 'no'"),
        ("[rum]\njobs = 1", "[rum]: no such command; there are apply, audit, doctor, edits, explain"),
        ("[model]\njobs = 1", "[model.jobs]: no such command; there are bench, calibrate"),
        ("[model.train]\nepochs = 0", "[model.train] epochs: 0 is not in the range"),
        ("[verify]\njson = true", "[verify] json: no such setting; there are none"),
    ],
)
def test_a_fault(tmp_path: Path, text: str, fault: str) -> None:
    (found,) = faults(tmp_path, text)
    assert found.startswith(fault)


def test_dates_and_shares_are_written_in_two_ways(tmp_path: Path) -> None:
    for text in ("as_of = 2026-11-21", "as_of = '2026-11-21'", "max_error = 0.01", "max_error = '1%'"):
        assert len(read(tmp_path, text)["run"]) == 1


def test_all_faults_of_a_file_are_told_before_a_command_runs(tmp_path: Path, amounts: Path) -> None:
    (tmp_path / "docproc.toml").write_text("jobs = 'many'\ncolour = 1\n")
    for arguments in (["run", amounts, "-o", tmp_path / "t.csv"], ["status", tmp_path / "t.csv"], ["template", "schema"]):
        done = docproc(*arguments, cwd=tmp_path)
        assert done.returncode == 3
        assert "docproc.toml: 2 faults" in done.stderr
        assert "jobs: " in done.stderr
        assert "colour: no such setting" in done.stderr
        assert done.stdout == ""
    assert docproc("run", "--help", cwd=tmp_path).returncode == 0


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "0.toml").write_bytes(b"\xff")
    with pytest.raises(BadConfig, match="can't decode byte 0xff"):
        default_map(main, tmp_path / "0.toml")


# ------------------------------------------------------------------------------------------------- the options


def all_options(group: click.Group) -> Iterator[tuple[str, click.Option]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from all_options(command)
        else:
            yield from ((name, one) for one in command.params if isinstance(one, click.Option))


def test_every_option_is_known_to_settings() -> None:
    assert [(name, one.name) for name, one in all_options(main) if not isinstance(one, Option)] == []


def test_options_of_one_name_take_the_same_values() -> None:
    """Unless they are local."""
    kinds: dict[str, set[tuple[str, bool, bool]]] = {}
    for _, one in all_options(main):
        assert isinstance(one, Option)
        if not one.local and not one.required:
            kinds.setdefault(one.key, set()).add((str(one.type.to_info_dict()), one.multiple, one.is_flag))
    assert {key for key, found in kinds.items() if len(found) > 1} == set()


def commands(group: click.Group, before: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, (*before, name))
        else:
            yield (*before, name), command


def test_every_option_obeys_the_variable_that_is_promised(monkeypatch: pytest.MonkeyPatch) -> None:
    """`DOCPROC_`, the command and the long flag."""
    for words, command in commands(main):
        context = click.Context(main, auto_envvar_prefix="DOCPROC")
        for word in words:
            context = click.Context(command, parent=context, info_name=word)
        for one in command.params:
            if isinstance(one, Option):
                flag = next(name for name in one.opts if name.startswith("--"))
                variable = "_".join(["DOCPROC", *words, flag[2:]]).upper().replace("-", "_")
                monkeypatch.setenv(variable, "set here")
                assert one.resolve_envvar_value(context) == "set here", variable
                monkeypatch.delenv(variable)


def test_a_limit_in_the_environment_holds(tmp_path: Path, amounts: Path) -> None:
    done = docproc("run", amounts, "-o", tmp_path / "t.csv", DOCPROC_RUN_LIMIT="pixels=100", DOCPROC_RUN_JOBS="1")
    assert done.returncode == 1
    assert "too_large" in table(tmp_path / "t.csv")[0]["reason"]
