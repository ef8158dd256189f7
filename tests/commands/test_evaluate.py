"""What is told of a model and of results, the files that are written, and what is refused."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from docproc.commands import evaluate as command
from docproc.commands.evaluate import calibrate, evaluate_model, evaluate_results
from docproc.errors import BadInput, BadUsage, MissingPart, OutputExists
from docproc.readers.model import Model
from docproc.runs.journal import journal_path
from docproc.weights.cards import model_folder, model_hashes, read_card
from docproc.weights.thresholds import own_thresholds, read_thresholds
from tests.cli.program import docproc, table
from tests.conftest import needs_matplotlib
from tests.learn.composing.test_mnist import draw_mnist
from tests.runs.test_editing import key, read_again

Line = tuple[str, str, str, float, bool]  # document, field, truth, confidence, whether it was read right


def write(folder: Path, lines: Sequence[Line], run: str) -> tuple[Path, Path]:
    results, truth = folder / "results.csv", folder / "truth.csv"
    with open(results, "w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["document", "page", "field", "text", "value", "confidence", "status", "reason", "run"])
        for document, field, text, sure, right in lines:
            read = text if right else text + "0"
            status = "ok" if sure >= 0.9 else "review"
            rows.writerow(
                [document, 1, field, read, read, f"{sure:.4f}", status, "" if status == "ok" else "low confidence", run]
            )
    with open(truth, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["document", "field", "text"], *([d, f, t] for d, f, t, *_ in lines)])
    return results, truth


@pytest.fixture(scope="module")
def run_name(model: Model) -> str:
    return model.name


@pytest.fixture
def lines() -> list[Line]:
    """Two fields on each of 300 pages: amounts that are right above 0.5, and dates of which few are."""
    sure = np.linspace(0.2, 0.999, 300)
    amounts = [(f"{k}.png", "amount", str(100 + k), float(sure[k]), bool(sure[k] > 0.5)) for k in range(300)]
    dates = [(f"{k}.png", "date", "01022026", float(sure[k]), k % 3 == 0) for k in range(300)]
    return [*amounts, *dates]


@needs_matplotlib
def test_results_are_told_of_all_and_of_each_field(tmp_path: Path, lines: list[Line], run_name: str) -> None:
    files = write(tmp_path, lines, run_name)
    report, figures = tmp_path / "r.html", tmp_path / "f.json"
    said = evaluate_results(*files, report, figures, overwrite=False).splitlines()
    right = sum(line[-1] for line in lines)
    told = json.loads(figures.read_text())
    assert told["exact"] == pytest.approx(right / 600)
    assert told["by_field"]["date"]["exact"] == pytest.approx(1 / 3)
    assert said[0] == "600 fields"
    assert said[3].startswith("read exactly")
    assert [line.split()[0] for line in said[-2:]] == ["amount", "date"]
    page = report.read_text()
    assert page.count("data:image/svg+xml") == 3
    assert "010220260" in page  # the surest wrong reading
    with pytest.raises(OutputExists):
        evaluate_results(*files, report, None, overwrite=False)
    evaluate_results(*files, report, None, overwrite=True)


def test_names_that_never_agree_are_told(tmp_path: Path, lines: list[Line], run_name: str) -> None:
    results, truth = write(tmp_path, lines, run_name)
    truth.write_text(truth.read_text().replace("\n", "\nscans/"))
    with pytest.raises(BadInput, match=r"the truth begins with scans/0.png, 1, amount, the results with 0.png, 1, amount"):
        evaluate_results(results, truth, None, None, overwrite=False)


def test_each_field_gets_its_threshold(tmp_path: Path, lines: list[Line], run_name: str) -> None:
    results, truth = write(tmp_path, lines, run_name)
    output = tmp_path / "own.json"
    said, kept, notes = calibrate(results, truth, output, 0.05, 0.95, False, None, False)
    assert not kept
    assert "amount" in said
    assert "not to be had" in said.splitlines()[-1]
    assert notes[0] == "an error of 5% cannot be promised for date: even among the surest fields more are wrong"
    own = own_thresholds(output, model_hashes(), 0.05)
    assert 0.4 < own["amount"] < 0.6
    assert own["date"] > 1
    reference = read_thresholds(output).reference
    assert reference
    assert (sum(reference["amount"]["confidence"].values()), dict(reference["date"]["digits"])) == (300, {8: 100, 9: 200})
    with pytest.raises(OutputExists):
        calibrate(results, truth, output, 0.05, 0.95, False, None, False)


def test_all_fields_together(tmp_path: Path, lines: list[Line], run_name: str) -> None:
    some = [line for line in lines if line[1] == "amount"]
    halves = [(d, "men" if k % 2 else "women", *rest) for k, (d, _, *rest) in enumerate(some)]
    results, truth = write(tmp_path, halves, run_name)  # type: ignore[arg-type]
    _, apart, notes = calibrate(results, truth, tmp_path / "apart.json", 0.02, 0.95, False, None, False)
    assert not apart
    assert "an error of 2% cannot be promised for women, men; --together takes less truth" in notes
    assert not (tmp_path / "apart.json").exists()
    said, kept, _ = calibrate(results, truth, tmp_path / "own.json", 0.02, 0.95, True, None, False)
    assert kept
    assert said.startswith("women, men: 300 fields with truth")
    own = own_thresholds(tmp_path / "own.json", model_hashes(), 0.02)
    assert own["men"] == own["women"] < 0.7


def test_what_a_person_should_know_of_the_truth(tmp_path: Path, lines: list[Line], run_name: str) -> None:
    results, truth = write(tmp_path, lines, run_name)
    kept = truth.read_text().splitlines()
    truth.write_text("\n".join([*kept[:-7], "9999.png,amount,12"]))
    notes = calibrate(results, truth, None, 0.05, 0.95, False, None, False)[2]
    assert notes[0].startswith("7 fields without truth lie on the pages of the truth")
    assert notes[1] == "without a result, and so not accepted, is of the truth: 9999.png, page 1, amount"
    notes = calibrate(results, results, None, 0.05, 0.95, False, None, False)[2]
    assert notes[0] == "the truth is a table of results: all of its 600 rows count as looked at by a person"


def test_copies_do_not_count(tmp_path: Path, lines: list[Line], run_name: str) -> None:
    results, truth = write(tmp_path, lines[:300], run_name)
    rows = results.read_text().splitlines()
    results.write_text("\n".join([*rows[:-9], *(row.replace(",ok,,", ",ok,the same file as 0.png,") for row in rows[-9:])]))
    said, _, notes = calibrate(results, truth, None, 0.05, 0.95, False, None, False)
    assert said.startswith("amount: 291 fields with truth")
    assert notes[0] == "fields on documents that are copies of others, and do not count: 9"


def test_results_of_other_networks_are_refused(tmp_path: Path, lines: list[Line], run_name: str) -> None:
    for run in ("11111111-22222222-33333333", "", run_name.replace(run_name[:8], "0" * 8)):
        with pytest.raises(BadInput, match="was read by other networks"):
            calibrate(*write(tmp_path, lines, run), None, 0.05, 0.95, False, None, False)
    with pytest.raises(BadUsage, match="less than 100%"):
        calibrate(*write(tmp_path, lines, run_name), None, 0.05, 1.0, False, None, False)


@needs_matplotlib
def test_a_model_is_told_and_drawn(tmp_path: Path) -> None:
    draw_mnist(tmp_path / "mnist", 200)
    report, figures = tmp_path / "r.html", tmp_path / "f.json"
    said = evaluate_model(None, str(tmp_path / "mnist"), "onnx", report, figures, overwrite=False)
    told = json.loads(figures.read_text())
    assert told["digits"] == 200
    assert told["accuracy"] > 0.8
    assert said.startswith("200 digits: ")
    page = report.read_text()
    drawn = 2 * len(read_card(model_folder() / "digits.onnx")["history"])  # loss and accuracy of a network's training
    assert page.count("data:image/svg+xml") == 3 + drawn
    assert page.count("data:image/png") >= 60
    assert told["model"] in page


def test_a_report_that_cannot_be_drawn_is_told_before_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> None:
        raise MissingPart("reports need matplotlib")

    monkeypatch.setattr(command, "check_plots", missing)
    with pytest.raises(MissingPart):
        evaluate_results(tmp_path / "none.csv", tmp_path / "none.csv", tmp_path / "r.html", None, overwrite=False)
    with pytest.raises(MissingPart):
        evaluate_model(None, "nowhere", "onnx", tmp_path / "r.html", tmp_path / "f.json", overwrite=False)


def test_the_figures_of_a_model_take_no_plots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> None:
        raise MissingPart("reports need matplotlib")

    monkeypatch.setattr(command, "check_plots", missing)
    draw_mnist(tmp_path / "mnist", 20)
    figures = tmp_path / "f.json"
    said, written, left_out = command.evaluate([], str(tmp_path / "mnist"), "onnx", None, figures, overwrite=False)
    assert said.startswith("20 digits: ")
    assert json.loads(figures.read_text())["digits"] == 20
    assert (written, left_out) == ((figures,), "the report with plots was left out: reports need matplotlib")


@pytest.mark.thorough
def test_from_results_to_thresholds_to_a_run(tmp_path: Path, lines: list[Line], run_name: str) -> None:
    """As a user does it."""
    from PIL import Image

    from tests.conftest import draw_field

    results, truth = write(tmp_path, [line for line in lines if line[1] == "amount"], run_name)
    done = docproc("model", "evaluate", results, truth, "--report", "r.html", "--json", "f.json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "read exactly" in done.stdout
    assert (tmp_path / "r.html").exists()
    assert json.loads((tmp_path / "f.json").read_text())["fields"] == 300
    done = docproc("model", "calibrate", results, truth, "-o", tmp_path / "own.json", "--max-error", "1%")
    assert done.returncode == 1
    assert "more fields" in done.stdout
    assert not (tmp_path / "own.json").exists()
    done = docproc("model", "calibrate", results, truth, "-o", tmp_path / "own.json", "--max-error", "5%")
    assert done.returncode == 0, done.stderr
    (tmp_path / "in").mkdir()
    Image.fromarray(draw_field("1407")).save(tmp_path / "in" / "1407.png")
    read = ["run", tmp_path / "in", "--layout", "amount", "--thresholds", tmp_path / "own.json", "-o"]
    done = docproc(*read, tmp_path / "t.csv")
    assert done.returncode == 2
    assert "cannot promise an error of 1%; give --max-error 2% or more" in done.stderr
    done = docproc(*read, tmp_path / "t.csv", "--max-error", "5%")
    assert done.returncode == 0, done.stderr
    assert table(tmp_path / "t.csv")[0]["status"] == "ok"
    truth.write_text("document,page,field,text\n1407.png,1,amount,1408\n")
    done = docproc("model", "evaluate", tmp_path / "t.csv", truth, "--report", tmp_path / "wrong.html")
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "wrong.html").read_text()
    assert "1408 read as 1407" in page
    assert page.count("data:image/png") == 1
    own = json.loads((tmp_path / "own.json").read_text())
    own["models"]["lines"] = "0" * 64
    (tmp_path / "own.json").write_text(json.dumps(own))
    done = docproc(*read, tmp_path / "u.csv", "--max-error", "5%")
    assert done.returncode == 3
    assert "measured with other networks" in done.stderr


@pytest.mark.thorough
def test_the_two_ways_to_evaluate_are_told_apart(tmp_path: Path) -> None:
    for arguments in ([], ["a.onnx"], ["a.csv", "b.csv", "c.csv"], ["a.csv", "b.csv", "--on", "mnist"]):
        done = docproc("model", "evaluate", *arguments, cwd=tmp_path)
        assert done.returncode == 2
        assert "docproc model evaluate RESULTS TRUTH" in done.stderr
    assert docproc("model", "evaluate", "--on", tmp_path, cwd=tmp_path).returncode == 5
    assert docproc("model", "evaluate", tmp_path / "no.csv", tmp_path / "no.csv").returncode == 5


def test_what_people_keyed_in_the_journal_is_truth(tmp_path: Path) -> None:
    out = tmp_path / "t.csv"
    read_again(out)
    key(out, "a.png", "120")
    key(out, "b.png", "77")
    said = evaluate_results(out, journal_path(out), None, None, overwrite=False)
    assert said.startswith("2 fields")
    assert said.splitlines()[3].split()[:3] == ["read", "exactly", "50%"]
