"""The program as a user meets it: real processes, real files, exit codes."""

from __future__ import annotations

import contextlib
import csv
import hashlib
import json
import os
import pickle
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import click
import pytest
from PIL import Image

from docproc._version import __version__
from docproc.cli import main
from docproc.weights.cards import model_hashes
from docproc.weights.thresholds import thresholds_file
from tests.conftest import PROJECT, SAMPLES, WriteField, draw_field

pytestmark = pytest.mark.thorough


def docproc(*arguments: object, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "docproc", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd or PROJECT,
        env=os.environ | {"PYTHONPATH": str(PROJECT)} | environment,
        timeout=300,
        check=False,
    )


def table(path: Path) -> list[dict[str, str]]:
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def amounts(tmp_path: Path, write_field: WriteField) -> Path:
    folder = tmp_path / "amounts"
    folder.mkdir()
    for text in ("1407", "33", "9250"):
        Image.fromarray(write_field(text)).save(folder / f"{text}.png")
    return folder


# ------------------------------------------------------------------------------------------------- the golden run


@pytest.fixture(scope="module")
def golden(tmp_path_factory: pytest.TempPathFactory) -> tuple[subprocess.CompletedProcess[str], Path]:
    out = tmp_path_factory.mktemp("golden") / "results.csv"
    return docproc("run", SAMPLES, "-o", out, "-j", 2), out


def test_the_samples_are_read(golden: tuple[subprocess.CompletedProcess[str], Path]) -> None:
    done, out = golden
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    found = {(r["document"], r["page"], r["field"]): r for r in table(out)}
    expected = {(r["document"], r["page"], r["field"]): r for r in table(SAMPLES / "expected.csv")}
    assert found.keys() == expected.keys()
    wrong = {
        key: (row["text"], row["value"], found[key]["text"], found[key]["value"])
        for key, row in expected.items()
        if found[key]["text"] != row["text"] or (row["value"] and found[key]["value"] not in ("", row["value"]))
    }
    assert len(wrong) <= 0.03 * len(expected), wrong
    accepted = [key for key, row in found.items() if row["status"] == "ok"]
    assert len(accepted) >= 0.5 * len(expected)
    assert not [key for key in accepted if key in wrong]


def test_what_the_summary_says_is_in_the_table(golden: tuple[subprocess.CompletedProcess[str], Path]) -> None:
    done, out = golden
    rows = table(out)
    accepted = sum(r["status"] == "ok" for r in rows)
    review = sum(r["status"] == "review" for r in rows)
    assert f"{len(rows)} fields: {accepted} accepted, {review} for review" in done.stderr
    assert str(out) in done.stderr


def test_rows_do_not_depend_on_the_number_of_processes(
    golden: tuple[subprocess.CompletedProcess[str], Path], tmp_path: Path
) -> None:
    assert docproc("run", SAMPLES, "-o", tmp_path / "one.csv", "-j", 1).returncode == 0
    assert (tmp_path / "one.csv").read_bytes() == golden[1].read_bytes()


def test_the_wide_table_of_the_samples(tmp_path: Path) -> None:
    assert docproc("run", SAMPLES / "survey", "-o", tmp_path / "w.csv", "--wide").returncode == 0
    rows = table(tmp_path / "w.csv")
    assert len(rows) == 6
    expected = {(r["document"], r["page"], r["field"]): r["text"] for r in table(SAMPLES / "expected.csv")}
    assert list(rows[0])[:5] == ["document", "page", "status", "review", "reason"]
    right = sum(row["household_id"] == expected["survey/" + row["document"], row["page"], "household_id"] for row in rows)
    assert right >= 5


def test_a_form_without_a_template(tmp_path: Path) -> None:
    shutil.copy(SAMPLES / "survey" / "form_1.jpg", tmp_path)
    assert docproc("run", tmp_path / "form_1.jpg", "-o", tmp_path / "t.csv").returncode == 0
    rows = table(tmp_path / "t.csv")
    expected = [r["text"] for r in table(SAMPLES / "expected.csv") if r["document"] == "survey/form_1.jpg"]
    assert [r["field"] for r in rows] == [f"field_{k}" for k in range(1, 7)]
    assert rows[0]["text"] == expected[0]


def test_a_scan_far_larger_than_needed_is_read_like_a_small_one(tmp_path: Path) -> None:
    """The JPEG is decoded at half its size or less; the boxes are those of the page as it is stored."""
    for name in ("template.toml", "blank.png"):
        shutil.copy(SAMPLES / "survey" / name, tmp_path)
    with Image.open(SAMPLES / "survey" / "form_1.jpg") as form:
        large = form.resize((form.width * 3, form.height * 3), Image.Resampling.BICUBIC)
    (tmp_path / "in").mkdir()
    large.save(tmp_path / "in" / "form_1.jpg", quality=90)
    layout = ["--layout", tmp_path / "template.toml"]
    assert docproc("run", tmp_path / "in", "-o", tmp_path / "large.csv", *layout).returncode == 0
    assert docproc("run", SAMPLES / "survey" / "form_1.jpg", "-o", tmp_path / "small.csv", *layout).returncode == 0
    for one, other in zip(table(tmp_path / "large.csv"), table(tmp_path / "small.csv"), strict=True):
        assert (one["field"], one["text"]) == (other["field"], other["text"])
        for side in ("left", "top", "width", "height"):
            assert abs(int(one[side]) - 3 * int(other[side])) <= 9


# ----------------------------------------------------------------------------------------------------- bad input


def test_bad_documents_among_good_ones(tmp_path: Path, amounts: Path) -> None:
    good = (amounts / "1407.png").read_bytes()
    (amounts / "text.png").write_text("no picture at all")
    (amounts / "zero.png").write_bytes(b"")
    Image.open(amounts / "33.png").save(amounts / "whole.jpg")
    whole = (amounts / "whole.jpg").read_bytes()
    (amounts / "half.jpg").write_bytes(whole[: len(whole) // 2])
    (amounts / "whole.jpg").unlink()
    done = docproc("run", amounts, "-o", tmp_path / "t.csv", "--layout", "amount")
    assert done.returncode == 1
    rows = {r["document"]: r for r in table(tmp_path / "t.csv")}
    assert {name: rows[name]["text"] for name in ("1407.png", "33.png", "9250.png")} == {
        "1407.png": "1407", "33.png": "33", "9250.png": "9250",
    }  # fmt: skip
    for name, code in (("text.png", "not_an_image"), ("zero.png", "empty"), ("half.jpg", "truncated")):
        assert rows[name]["status"] == "error"
        assert rows[name]["reason"].startswith(f"{code}: ")
        assert f"failed: {name}, page 1: {code}" in done.stderr
    assert good == (amounts / "1407.png").read_bytes()


def test_an_empty_folder(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    done = docproc("run", tmp_path / "empty", "-o", tmp_path / "t.csv")
    assert done.returncode == 5
    assert "no documents" in done.stderr
    assert not (tmp_path / "t.csv").exists()


def test_exit_codes(tmp_path: Path, amounts: Path) -> None:
    out = tmp_path / "t.csv"
    assert docproc("run", tmp_path / "nowhere", "-o", out).returncode == 5
    assert docproc("run", amounts, "-o", out, "--layout", "nonsense").returncode == 2
    assert docproc("run", amounts, "-o", tmp_path / "t.doc").returncode == 2
    assert docproc("run", amounts).returncode == 2
    assert docproc("run", amounts, "-o", out, "--max-error", "lots").returncode == 2
    assert docproc("run", amounts, "-o", amounts / "t.csv").returncode == 2
    assert docproc("run", amounts, "-o", out, "--model", tmp_path / "none.onnx").returncode == 4
    assert docproc("run", amounts, "-o", tmp_path / "no" / "t.csv").returncode == 8
    template = tmp_path / "bad.toml"
    template.write_text("schema_version = 3\n")
    done = docproc("run", amounts, "-o", out, "--layout", template)
    assert done.returncode == 3
    assert "bad.toml: " in done.stderr
    assert not out.exists()
    assert docproc("run", amounts, "-o", out, "--layout", "amount").returncode == 0
    assert docproc("run", amounts, "-o", out, "--layout", "amount").returncode == 6
    assert docproc("run", amounts, "-o", out, "--layout", "amount", "--overwrite").returncode == 0
    done = docproc("run", amounts, "-o", out, "--layout", "amount", "--overwrite", "--fail-on-review", "--max-error", "0")
    assert done.returncode == 7


def test_a_model_that_was_changed_is_refused(tmp_path: Path, amounts: Path) -> None:
    for name in ("digits.onnx", "lines.onnx", "digits.json"):
        shutil.copy(PROJECT / "models" / name, tmp_path)
    data = bytearray((tmp_path / "digits.onnx").read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / "digits.onnx").write_bytes(data)
    done = docproc("run", amounts, "-o", tmp_path / "t.csv", "--model", tmp_path / "digits.onnx")
    assert done.returncode == 4
    assert "not the model that its card describes" in done.stderr


def test_a_pickle_is_no_model(tmp_path: Path, amounts: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.system, (f"touch {tmp_path / 'exploded'}",)

    data = pickle.dumps(Bomb())
    (tmp_path / "digits.onnx").write_bytes(data)
    shutil.copy(PROJECT / "models" / "lines.onnx", tmp_path)
    card = json.loads((PROJECT / "models" / "digits.json").read_text(encoding="utf-8"))
    card["sha256"]["digits.onnx"] = hashlib.sha256(data).hexdigest()
    (tmp_path / "digits.json").write_text(json.dumps(card))
    done = docproc("run", amounts, "-o", tmp_path / "t.csv", "--model", tmp_path / "digits.onnx")
    assert done.returncode == 4, done.stderr
    assert not (tmp_path / "exploded").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")
@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 143)])
def test_an_interrupted_run_writes_no_table_and_leaves_no_process(
    tmp_path: Path, amounts: Path, sent: signal.Signals, code: int
) -> None:
    for k in range(4_000):
        shutil.copy(amounts / "1407.png", amounts / f"copy_{k}.png")
    arguments = [sys.executable, "-m", "docproc", "run", str(amounts), "-o", str(tmp_path / "t.csv"), "-j", "2"]
    run = subprocess.Popen(arguments, cwd=PROJECT, stderr=subprocess.PIPE, start_new_session=True)
    time.sleep(3)
    began = time.monotonic()
    os.kill(run.pid, sent)
    _, said = run.communicate(timeout=30)
    assert time.monotonic() - began < 5
    assert run.returncode == code, said
    assert b"Traceback" not in said
    assert not (tmp_path / "t.csv").exists()
    for _ in range(20):
        left = subprocess.run(["ps", "-o", "pid=,stat=,args=", "-g", str(run.pid)], capture_output=True, text=True, check=False)
        if not left.stdout.strip():
            break
        time.sleep(0.1)
    assert left.stdout.strip() == ""
    assert re.search(rb"interrupted; \d+ of 4003 documents are read and kept", said)
    assert b"go on with: docproc run " in said
    shown = docproc("status", tmp_path / "t.csv")
    assert "interrupted" in shown.stdout
    assert "go on with: docproc run " in shown.stdout
    done = docproc("table", tmp_path / "t.csv", "-o", tmp_path / "half.csv")
    assert done.returncode == 1
    assert "not complete" in done.stderr


def test_an_interruption_that_a_library_swallowed_is_not_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    from docproc import cli

    monkeypatch.setattr(cli, "_stopped", [])
    with contextlib.suppress(KeyboardInterrupt):  # a library's bare `except`
        cli._stop(signal.SIGINT)
    watcher = cli._Watcher(cli._console(), quiet=True, verbose=False)
    with pytest.raises(KeyboardInterrupt):
        watcher.update(1, 2, [])


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")
@pytest.mark.slow
def test_two_interruptions_at_once(tmp_path: Path, amounts: Path) -> None:
    for k in range(2_000):
        shutil.copy(amounts / "1407.png", amounts / f"copy_{k}.png")
    arguments = [sys.executable, "-m", "docproc", "run", str(amounts), "-o", str(tmp_path / "t.csv"), "-j", "2"]
    run = subprocess.Popen(arguments, cwd=PROJECT, stderr=subprocess.PIPE, start_new_session=True)
    time.sleep(2.5)
    for _ in range(2):
        os.killpg(run.pid, signal.SIGINT)
        time.sleep(0.01)
    _, said = run.communicate(timeout=5)
    assert run.returncode == 130
    assert b"Traceback" not in said
    assert docproc("run", amounts, "-o", tmp_path / "t.csv").returncode == 0
    assert len(table(tmp_path / "t.csv")) == 2_003


# --------------------------------------------------------------------------------------------------- the journal


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The table of a run over two good documents and a bad one, its inputs beside it."""
    folder = tmp_path_factory.mktemp("finished")
    (folder / "in").mkdir()
    for text in ("1407", "33"):
        Image.fromarray(draw_field(text)).save(folder / "in" / f"{text}.png")
    (folder / "in" / "bad.png").write_text("no picture")
    assert docproc("run", folder / "in", "-o", folder / "t.csv", "--layout", "amount").returncode == 1
    return folder / "t.csv"


def test_the_status_of_a_run(finished: Path) -> None:
    done = docproc("status", finished)
    assert done.returncode == 0, done.stderr
    assert "finished" in done.stdout
    assert "3 of 3 documents read" in done.stdout
    assert "failed: bad.png, page 1: not_an_image" in done.stdout
    told = json.loads(docproc("status", finished, "--json").stdout)
    assert (told["state"], told["documents"], told["failed"], told["fields"]) == ("finished", 3, 1, 2)
    missing = docproc("status", finished.with_name("none.csv"))
    assert missing.returncode == 5
    assert "there is no journal" in missing.stderr


def test_the_table_again_in_every_format(finished: Path, tmp_path: Path) -> None:
    for name in ("again.csv", "again.jsonl", "again.xlsx", "again.parquet"):
        done = docproc("table", finished, "-o", tmp_path / name)
        assert done.returncode == 0, done.stderr
        assert docproc("table", finished, "-o", tmp_path / name).returncode == 6
    assert (tmp_path / "again.csv").read_bytes() == finished.read_bytes()
    assert docproc("table", finished, "-o", tmp_path / "wide.csv", "--wide").returncode == 0
    assert [r["amount"] for r in table(tmp_path / "wide.csv")] == ["1407", "33", ""]


def test_what_was_changed_afterwards_is_found(finished: Path, tmp_path: Path) -> None:
    for path in (finished, finished.with_name("t.csv.docproc")):
        shutil.copy(path, tmp_path)
    done = docproc("verify", tmp_path / "t.csv")
    assert done.returncode == 0, done.stdout
    data = (tmp_path / "t.csv").read_bytes()
    (tmp_path / "t.csv").write_bytes(data.replace(b",1407,", b",1408,", 1))
    original = (finished.parent / "in" / "33.png").read_bytes()
    try:
        (finished.parent / "in" / "33.png").write_bytes(original + b" ")
        done = docproc("verify", tmp_path / "t.csv")
    finally:
        (finished.parent / "in" / "33.png").write_bytes(original)
    assert done.returncode == 1
    assert done.stdout.splitlines() == [
        "33.png: its content is not the one that was read",
        f"{tmp_path / 't.csv'}: line 2 was changed",
    ]


def test_the_same_file_twice_is_told(tmp_path: Path, amounts: Path) -> None:
    shutil.copy(amounts / "33.png", amounts / "copy.png")
    done = docproc("run", amounts, "-o", tmp_path / "t.csv", "--layout", "amount")
    assert done.returncode == 0
    assert "the same file twice: copy.png and 33.png" in done.stderr
    reasons = {r["document"]: r["reason"] for r in table(tmp_path / "t.csv")}
    assert reasons["copy.png"].endswith("the same file as 33.png")
    assert "same" not in reasons["33.png"]


def test_a_limit_is_set_by_its_name(tmp_path: Path, amounts: Path) -> None:
    assert docproc("run", amounts, "-o", tmp_path / "t.csv", "--layout", "amount", "--limit", "pixels=100").returncode == 1
    assert {r["reason"].partition(":")[0] for r in table(tmp_path / "t.csv")} == {"too_large"}
    done = docproc("run", amounts, "-o", tmp_path / "u.csv", "--limit", "pixel=100")
    assert done.returncode == 2
    assert "there are file_bytes, pixels" in done.stderr
    (tmp_path / "docproc.toml").write_text('limits = ["pixels=100"]\n')
    assert docproc("run", amounts, "-o", tmp_path / "v.csv", cwd=tmp_path).returncode == 1


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")
def test_dates_by_their_order_and_their_age(tmp_path: Path) -> None:
    folder, out = tmp_path / "in", tmp_path / "out.csv"
    folder.mkdir()
    gray = draw_field("05/06/2019", gap=12)
    Image.fromarray(gray).save(folder / "a.png")
    box = [0, 0, gray.shape[1], gray.shape[0]]
    (folder / "template.toml").write_text(
        f'schema_version = 1\nname = "slip"\n[page]\nsize = [{gray.shape[1]}, {gray.shape[0]}]\n[[field]]\nname = "date"\n'
        f'box = {box}\nkind = "date"\n',
        encoding="utf-8",
    )

    def read(*options: str) -> tuple[str, str, str]:
        done = docproc("run", folder, "-o", out, "--max-error", "50%", "--overwrite", "-q", *options)
        assert done.returncode == 0, done.stderr
        (row,) = table(out)
        assert row["text"] == "05062019"
        return row["value"], row["status"], row["reason"]

    assert read() == ("", "review", "the order of the date's parts is not settled")
    assert read("--date-order", "DMY") == ("2019-06-05", "ok", "")
    assert read("--date-order", "MDY", "--date-window", "6m", "--as-of", "2019-05-05")[1:] == (
        "review",
        "post-dated: after 2019-05-05",
    )
    assert read("--date-order", "MDY", "--date-window", "6m", "--as-of", "2020-01-01")[2].startswith("stale")
    for wrong in (("--date-order", "YDM"), ("--date-window", "6w"), ("--as-of", "May 5")):
        assert docproc("run", folder, "-o", out, "--overwrite", *wrong).returncode == 2


def test_a_watched_folder_is_read_as_it_fills(tmp_path: Path, amounts: Path) -> None:
    out = tmp_path / "t.csv"
    quick = ["--settle", "0.3", "--every", "0.2"]
    arguments = [sys.executable, "-m", "docproc", "watch", str(amounts), "-o", str(out), "--layout", "amount", *quick]

    def wait_for(count: int) -> None:
        for _ in range(300):
            if out.exists() and len(table(out)) == count:
                return
            time.sleep(0.1)
        raise AssertionError(f"no {count} rows")

    watch = subprocess.Popen(arguments, cwd=PROJECT, stderr=subprocess.PIPE, text=True)
    try:
        wait_for(3)
        half = (amounts / "33.png").read_bytes()
        with open(amounts / "slow.png", "wb") as file:
            for place in range(0, len(half), len(half) // 8 + 1):  # as a scanner writes
                file.write(half[place : place + len(half) // 8 + 1])
                file.flush()
                time.sleep(0.15)
        wait_for(4)
        # Who empties the folder keeps the table.
        (amounts / "33.png").rename(tmp_path / "33.png")
        (amounts / "again.png").write_bytes(half)
        wait_for(5)
        assert docproc("run", amounts, "-o", out, "--resume").returncode == 9
    finally:
        watch.send_signal(signal.SIGINT)
        _, said = watch.communicate(timeout=30)
    assert watch.returncode == 130, said
    assert {r["document"]: r["text"] for r in table(out)}["slow.png"] == "33"
    # A run knows what the watch has read, and lists what lies there.
    assert "4 of them were read before, 0 now" in docproc("run", amounts, "-o", out, "--layout", "amount", "--resume").stderr
    assert docproc("watch", amounts, "-o", amounts / "t.csv").returncode == 2
    assert docproc("watch", amounts / "33.png", "-o", tmp_path / "u.csv").returncode == 5


# ------------------------------------------------------------------------------------------------------ settings


def test_settings_files_lose_to_environment_and_flags(tmp_path: Path, amounts: Path) -> None:
    (tmp_path / "docproc.toml").write_text('layout = "amount"\nwide = true\n')
    assert docproc("run", amounts, "-o", tmp_path / "1.csv", cwd=tmp_path).returncode == 0
    assert "amount" in table(tmp_path / "1.csv")[0]
    assert docproc("run", amounts, "-o", tmp_path / "2.csv", cwd=tmp_path, DOCPROC_RUN_LAYOUT="digits").returncode == 0
    assert "digits" in table(tmp_path / "2.csv")[0]
    assert docproc("run", amounts, "-o", tmp_path / "3.csv", "--layout", "auto", cwd=tmp_path).returncode == 0
    assert "digits" in table(tmp_path / "3.csv")[0]


def test_faults_in_a_settings_file_are_all_told(tmp_path: Path, amounts: Path) -> None:
    (tmp_path / "docproc.toml").write_text("jobs = 'many'\ncolour = 1\n")
    done = docproc("run", amounts, "-o", tmp_path / "t.csv", cwd=tmp_path)
    assert done.returncode == 3
    assert "jobs: " in done.stderr
    assert "colour: no such setting" in done.stderr


# ---------------------------------------------------------------------------------------------------- the others


def test_explain_draws_a_field_and_a_page(tmp_path: Path, amounts: Path) -> None:
    done = docproc("explain", amounts / "1407.png", "--layout", "amount", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("amount: 1407")
    with Image.open(tmp_path / "1407.explain.png") as sheet:
        assert sheet.width > 800
        assert sheet.height > 500
    target = tmp_path / "page.png"
    assert docproc("explain", SAMPLES / "survey" / "batch.tif", "--page", 2, "-o", target).returncode == 0
    assert docproc("explain", SAMPLES / "survey" / "batch.tif", "--page", 2, "-o", target).returncode == 6
    assert docproc("explain", SAMPLES / "survey" / "batch.tif", "--page", 9, "-o", tmp_path / "x.png").returncode == 5
    done = docproc("explain", SAMPLES / "survey" / "form_1.jpg", "--field", "ages", "-o", tmp_path / "x.png")
    assert done.returncode == 2
    assert "household_id" in done.stderr


def test_explain_accepts_by_the_thresholds_of_a_run(tmp_path: Path, amounts: Path) -> None:
    image, own = amounts / "1407.png", tmp_path / "own.json"
    read = ["--layout", "amount", "--thresholds", own]

    def threshold(confidence: float, models: dict[str, str]) -> None:
        group = {"fields": ["amount"], "truth": 900, "thresholds": [{"max_error": 0.01, "confidence": confidence}]}
        own.write_text(thresholds_file(models, 0.95, [group]))

    for confidence, wanted in ((0.1, "ok"), (1.01, "review")):
        threshold(confidence, model_hashes())
        assert docproc("run", image, "-o", tmp_path / "t.csv", "--overwrite", *read).returncode == 0
        assert table(tmp_path / "t.csv")[0]["status"] == wanted
        done = docproc("explain", image, "-o", tmp_path / "e.png", "--overwrite", *read)
        assert done.returncode == 0, done.stderr
        assert re.fullmatch(rf"amount: 1407  [0-9.]+%  {wanted}(: low confidence)?\n", done.stdout)
    done = docproc("explain", image, "-o", tmp_path / "e.png", "--overwrite", *read, "--max-error", "0.1%")
    assert done.returncode == 2
    assert "cannot promise an error of 0.1%" in done.stderr
    threshold(0.1, model_hashes() | {"lines": "0" * 64})
    assert docproc("explain", image, "-o", tmp_path / "f.png", *read).returncode == 3
    assert not (tmp_path / "f.png").exists()


def test_a_blank_field_is_explained_too(tmp_path: Path) -> None:
    Image.new("L", (200, 60), 240).save(tmp_path / "blank.png")
    done = docproc("explain", tmp_path / "blank.png", "--layout", "digits", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "digits: blank\n"
    assert (tmp_path / "blank.explain.png").exists()


def test_crops_are_saved(tmp_path: Path, amounts: Path) -> None:
    assert (
        docproc("run", amounts, "-o", tmp_path / "t.csv", "--layout", "amount", "--crops", tmp_path / "crops").returncode == 0
    )
    assert sorted(p.name for p in (tmp_path / "crops").iterdir()) == [
        "1407.png-1-amount.png", "33.png-1-amount.png", "9250.png-1-amount.png",
    ]  # fmt: skip


def test_the_schema_is_json() -> None:
    done = docproc("template", "schema")
    assert done.returncode == 0
    assert json.loads(done.stdout)["title"] == "TemplateFile"


def test_doctor_finds_this_machine_well() -> None:
    done = docproc("doctor")
    assert done.returncode == 0, done.stdout
    assert f"docproc {__version__}" in done.stdout
    assert "docproc run works here" in done.stdout


def test_help_waits_for_nothing_heavy() -> None:
    code = (
        "import sys\nfrom docproc.cli import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "heavy = {'cv2', 'numpy', 'onnxruntime', 'tensorflow', 'PIL', 'pydantic', 'rich'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=PROJECT, check=False)
    assert done.returncode == 0, done.stderr


def test_reading_imports_no_training_library(tmp_path: Path, amounts: Path) -> None:
    code = (
        "import sys, docproc\n"
        f"rows = docproc.read({str(amounts)!r}, layout='amount')\n"
        "assert [row.text for row in rows] == ['1407', '33', '9250'], rows\n"
        "heavy = {'tensorflow', 'keras', 'tf2onnx', 'matplotlib', 'pandas', 'docproc.learn'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=PROJECT, check=False)
    assert done.returncode == 0, done.stderr


def test_the_parent_of_a_run_decodes_nothing(tmp_path: Path, amounts: Path) -> None:
    code = (
        "import sys\nfrom pathlib import Path\nfrom docproc.options import RunRequest\nfrom docproc.runs.batch import run\n"
        "if __name__ == '__main__':\n"
        f"    run(RunRequest((Path({str(amounts)!r}),), Path({str(tmp_path / 't.csv')!r}), layout='amount'))\n"
        "    heavy = {'cv2', 'PIL', 'pypdfium2', 'onnxruntime'} & set(sys.modules)\n"
        "    assert not heavy, heavy\n"
    )
    script = tmp_path / "script.py"
    script.write_text(code)
    environment = os.environ | {"PYTHONPATH": str(PROJECT)}
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr


# --------------------------------------------------------------------------------------------------- the README


def commands(group: click.Group, before: str = "docproc") -> list[tuple[str, click.Command]]:
    found: list[tuple[str, click.Command]] = []
    for name, command in group.commands.items():
        full = f"{before} {name}"
        found += commands(command, full) if isinstance(command, click.Group) else [(full, command)]
    return found


@pytest.mark.parametrize(("name", "command"), commands(main), ids=[name for name, _ in commands(main)])
def test_every_command_has_help_and_stands_in_the_readme(name: str, command: click.Command) -> None:
    assert command.help
    assert name in (PROJECT / "README.md").read_text(encoding="utf-8")
    for parameter in command.params:
        if isinstance(parameter, click.Option) and name == "docproc run":
            assert parameter.help, f"{name} {parameter.name} has no help"


def test_the_readme_names_every_column() -> None:
    from docproc.runs.tables import COLUMNS

    readme = (PROJECT / "README.md").read_text(encoding="utf-8")
    assert [column for column in COLUMNS if f"`{column}`" not in readme] == []
