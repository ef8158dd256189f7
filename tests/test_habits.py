"""What stands around the code: workflows, forms, the container and the service say what is true of the project."""

from __future__ import annotations

import configparser
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from docproc._version import __version__
from docproc.cli import main
from tests.conftest import PROJECT

yaml: Any = pytest.importorskip("yaml")

GITHUB = PROJECT / ".github"
pytestmark = pytest.mark.skipif(not GITHUB.is_dir(), reason="an sdist has no workflows")


def loaded(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def workflow(name: str) -> dict[str, Any]:
    found: dict[str, Any] = loaded(GITHUB / "workflows" / name)
    return found


def runs(name: str) -> list[str]:
    return [step["run"] for job in workflow(name)["jobs"].values() for step in job["steps"] if "run" in step]


def test_every_python_and_every_system_is_tested() -> None:
    jobs = workflow("ci.yml")["jobs"]
    tested = set(jobs["quick"]["strategy"]["matrix"]["python"])
    requires = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["requires-python"]
    assert requires == ">=3.11,<3.14"
    assert tested == {"3.11", "3.12", "3.13"}
    systems = {
        *jobs["quick"]["strategy"]["matrix"]["os"],
        *(one["os"] for one in jobs["quick"]["strategy"]["matrix"]["include"]),
    }
    assert {system.partition("-")[0] for system in systems | {jobs["windows"]["runs-on"]}} == {"ubuntu", "macos", "windows"}


def test_workflows_call_what_is_there() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (PROJECT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    calls = [line for name in ("ci.yml", "slow.yml", "release.yml") for run in runs(name) for line in run.splitlines()]
    made = {call.split()[1] for call in calls if call.startswith("make ")}
    assert made <= targets
    assert {"quick", "test", "docs", "test-slow"} <= made
    for script in re.findall(r"scripts/\w+\.py", "\n".join(calls)):
        assert (PROJECT / script).is_file()


def test_windows_runs_the_steps_of_make_quick() -> None:
    makefile = (PROJECT / "Makefile").read_text(encoding="utf-8")
    recipe = makefile[makefile.index("quick: .venv") :].split("\n\n")[0]
    steps = [line.strip().removeprefix(".venv/quick/bin/") for line in recipe.splitlines()[1:]]
    own = [step["run"] for step in workflow("ci.yml")["jobs"]["windows"]["steps"] if "run" in step]
    assert [step.replace("$(JOBS)", "4") for step in steps] == own[1:]


def test_a_release_holds_no_token() -> None:
    publish = workflow("release.yml")["jobs"]["publish"]
    assert publish["permissions"] == {"id-token": "write"}
    assert publish["environment"] == "pypi"
    assert "secrets." not in (GITHUB / "workflows" / "release.yml").read_text(encoding="utf-8")
    assert workflow("release.yml")["permissions"] == {"contents": "read"}


def test_forms_and_checks_before_a_commit_are_whole() -> None:
    for path in (GITHUB / "ISSUE_TEMPLATE").glob("*.yml"):
        form = loaded(path)
        assert path.stem == "config" or {"name", "description", "body"} <= set(form), path
    (local,) = loaded(PROJECT / ".pre-commit-config.yaml")["repos"]
    assert [hook["entry"].split()[0] for hook in local["hooks"]] == ["ruff", "ruff", "lint-imports", "mypy", "python"]


def test_the_changelog_has_this_version() -> None:
    text = (PROJECT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"\n## [{__version__}] - " in text
    assert set(re.findall(r"^### (.+)$", text, re.MULTILINE)) <= {
        "Added",
        "Changed",
        "Deprecated",
        "Removed",
        "Fixed",
        "Security",
    }


def test_the_container_has_no_rights_and_what_the_package_needs() -> None:
    lines = (PROJECT / "scripts" / "Dockerfile").read_text(encoding="utf-8").splitlines()
    (user,) = [line.split()[1] for line in lines if line.startswith("USER ")]
    assert user not in ("root", "0")
    copied = {name for line in lines if line.startswith("COPY ") and "--from" not in line for name in line.split()[1:-1]}
    kept = (PROJECT / "scripts" / "Dockerfile.dockerignore").read_text(encoding="utf-8")
    assert copied == set(re.findall(r"^!(.+)$", kept, re.MULTILINE))
    assert all((PROJECT / name).exists() for name in copied)


def test_the_service_has_no_rights_and_options_that_are_there() -> None:
    unit = configparser.ConfigParser(interpolation=None, strict=False)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(PROJECT / "docs" / "docproc-watch.service", encoding="utf-8")
    service = unit["Service"]
    assert service["User"] not in ("", "root")
    program, command, folder, *options = service["ExecStart"].split()
    assert (Path(program).name, folder) == ("docproc", "/srv/docproc/inbox")
    known = {option for one in main.commands[command].params for option in one.opts}
    assert {option for option in options if option.startswith("-")} <= known
    # The codes that trying again does not change, and that of an end by SIGTERM.
    assert service["SuccessExitStatus"] == "143"
    assert service["RestartPreventExitStatus"].split() == ["2", "3", "4", "6", "9"]
