"""Documents into a table: what is read, what is refused, and the exit codes."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

from docproc.backends import available
from tests.cli.program import docproc, table
from tests.conftest import PROJECT, SAMPLES, draw_field

pytestmark = pytest.mark.thorough

KNOWN_WRONG = {("bank_checks/check_3.png", "1", "amount"), ("bank_checks/check_4.jpg", "1", "date")}  # of the samples
MIN_ACCEPTED = 118  # of the 133 fields of the samples

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
    assert wrong.keys() <= KNOWN_WRONG, wrong
    accepted = [key for key, row in found.items() if row["status"] == "ok"]
    assert len(accepted) >= MIN_ACCEPTED
    assert not [key for key in accepted if key in wrong]


def test_what_the_summary_says_is_in_the_table(golden: tuple[subprocess.CompletedProcess[str], Path]) -> None:
    done, out = golden
    rows = table(out)
    accepted = sum(r["status"] == "ok" for r in rows)
    review = sum(r["status"] == "review" for r in rows)
    assert f"{len(rows)} fields: {accepted} accepted, {review} for review" in done.stderr
    assert str(out) in done.stderr


def test_a_run_speaks_of_tensorrt_only_when_it_is_asked(
    golden: tuple[subprocess.CompletedProcess[str], Path], tmp_path: Path, amounts: Path
) -> None:
    assert "tensorrt" not in golden[0].stderr.lower()
    reason = available("tensorrt")
    done = docproc("run", amounts, "-o", tmp_path / "t.csv", "-v")
    assert done.returncode == 0
    assert ("backend tensorrt" if reason is None else f"backend onnx; not tensorrt: {reason}") in done.stderr.splitlines()
    done = docproc("run", amounts, "-o", tmp_path / "t.csv", "-v", "-q", "--overwrite")
    assert "backend" not in done.stderr


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


def test_the_same_file_twice_is_told(tmp_path: Path, amounts: Path) -> None:
    shutil.copy(amounts / "33.png", amounts / "copy.png")
    done = docproc("run", amounts, "-o", tmp_path / "t.csv", "--layout", "amount")
    assert done.returncode == 0
    assert "the same file twice: copy.png and 33.png" in done.stderr
    reasons = {r["document"]: r["reason"] for r in table(tmp_path / "t.csv")}
    assert reasons["copy.png"].endswith("the same file as 33.png")
    assert "same" not in reasons["33.png"]


@pytest.mark.parametrize("name", ["0.png", "renamed.png"])
def test_a_file_with_another_name_is_not_called_the_same_file_twice(name: str, tmp_path: Path, amounts: Path) -> None:
    run = ["run", amounts, "-o", tmp_path / "t.csv", "--layout", "amount", "--resume"]
    assert docproc(*run).returncode == 0
    (amounts / "33.png").rename(amounts / name)
    told = f"  {name} has the content of 33.png, which is gone"
    said = docproc(*run).stderr, docproc("status", tmp_path / "t.csv").stdout
    assert [(told in one.splitlines(), "the same file twice" in one) for one in said] == [(True, False)] * 2
    assert [row["status"] for row in table(tmp_path / "t.csv")] == ["ok"] * 4


def test_files_that_are_no_documents_are_counted(tmp_path: Path, amounts: Path) -> None:
    run = ["run", amounts, "-o", tmp_path / "t.csv", "--layout", "amount", "--overwrite"]
    names = "1 file skipped (not a document; -v names it)", "2 files skipped (not documents; -v names them)"
    for count, line in enumerate(names, 1):
        (amounts / f"{count}.txt").write_text("not a page")
        assert line in docproc(*run).stderr.splitlines()
    told = docproc(*run, "-v").stderr.splitlines()
    assert "skipped: 1.txt (not an image or PDF)" in told
    assert "skipped: 2.txt (not an image or PDF)" in told


def test_templates_and_settings_are_no_skipped_files(tmp_path: Path) -> None:
    pages = tmp_path / "in"
    pages.mkdir()
    for name in ("card_1.jpg", "template.toml"):
        shutil.copy(PROJECT / "samples" / "meters" / name, pages)
    (pages / "docproc.toml").write_text("")
    shutil.copy(pages / "template.toml", pages / "other.toml")
    told = docproc("run", ".", "-o", "../a.csv", cwd=pages).stderr.splitlines()
    assert "1 file skipped (not a document; -v names it)" in told  # other.toml, which nothing uses here
    assert "skipped" not in docproc("run", ".", "-o", "../b.csv", "--layout", "other.toml", cwd=pages).stderr


def test_a_run_in_its_own_folder(tmp_path: Path, amounts: Path) -> None:
    """What most people try first: the table lies among the pages. A phone's picture that cannot be opened has its row."""
    (amounts / "IMG_1.HEIC").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0")
    for _ in range(2):
        done = docproc("run", ".", "-o", "results.csv", "--layout", "amount", "--resume", cwd=amounts)
        assert done.returncode == 1, done.stderr
        assert "skipped" not in done.stderr
        rows = {row["document"]: row for row in table(amounts / "results.csv")}
        assert set(rows) == {"1407.png", "33.png", "9250.png", "IMG_1.HEIC"}
        assert rows["IMG_1.HEIC"]["reason"] == "unsupported: HEIC is not read; save it as JPEG, PNG, TIFF or PDF"


def test_crops_are_saved_of_what_is_doubtful_and_the_table_names_them(tmp_path: Path, amounts: Path) -> None:
    (tmp_path / "out").mkdir()
    Image.new("L", (200, 60), 240).save(amounts / "empty.png")

    def crops(*options: object) -> tuple[list[str], dict[str, str]]:
        shutil.rmtree(tmp_path / "crops", ignore_errors=True)
        out = tmp_path / "out" / "t.csv"
        done = docproc("run", amounts, "-o", out, "--layout", "amount", "--overwrite", "--crops", tmp_path / "crops", *options)
        assert done.returncode == 0, done.stderr
        rows = table(out)
        assert all((out.parent / row["crop"]).is_file() for row in rows if row.get("crop"))
        return sorted(p.name for p in (tmp_path / "crops").glob("*.png")), {r["document"]: r.get("crop", "") for r in rows}

    names, column = crops("--crops-of", "all")
    assert names == ["1407.png-1-amount.png", "33.png-1-amount.png", "9250.png-1-amount.png", "empty.png-1-amount.png"]
    assert column == {name.partition("-")[0]: f"../crops/{name}" for name in names}
    names, column = crops("--max-error", "0%")
    assert names == ["1407.png-1-amount.png", "33.png-1-amount.png", "9250.png-1-amount.png"]
    assert column["empty.png"] == ""
    assert column["33.png"] == "../crops/33.png-1-amount.png"
    # A table elsewhere names them from there, and one row a page has no such column.
    assert docproc("table", tmp_path / "out" / "t.csv", "-o", tmp_path / "t.csv").returncode == 0
    assert {row["crop"] for row in table(tmp_path / "t.csv")} == {"", *(f"crops/{name}" for name in names)}
    assert docproc("table", tmp_path / "out" / "t.csv", "-o", tmp_path / "w.csv", "--wide").returncode == 0
    assert "crop" not in table(tmp_path / "w.csv")[0]
    names, column = crops("--max-error", "100%")
    assert names == []
    assert set(column.values()) == {""}


def test_the_crop_of_a_part_of_a_line_is_that_of_the_line(tmp_path: Path) -> None:
    check = SAMPLES / "bank_checks" / "check_2.jpg"
    run = ["run", check, "-o", tmp_path / "t.csv", "--layout", "check", "--crops", tmp_path / "crops", "--max-error", "0%"]
    assert docproc(*run).returncode == 0
    rows = {row["field"]: row for row in table(tmp_path / "t.csv")}
    assert rows["routing"]["status"] == "review"
    assert rows["routing"]["crop"] == rows["micr"]["crop"] == "crops/check_2.jpg-1-micr.png"


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
    assert docproc("run", amounts, "-o", out, "--crops", amounts).returncode == 2
    done = docproc("run", amounts, "-o", out, "--model", tmp_path / "none.onnx")
    assert done.returncode == 4
    assert f"no such model: {tmp_path / 'none.onnx'}" in done.stderr
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


def test_a_limit_is_set_by_its_name(tmp_path: Path, amounts: Path) -> None:
    assert docproc("run", amounts, "-o", tmp_path / "t.csv", "--layout", "amount", "--limit", "pixels=100").returncode == 1
    assert {r["reason"].partition(":")[0] for r in table(tmp_path / "t.csv")} == {"too_large"}
    done = docproc("run", amounts, "-o", tmp_path / "u.csv", "--limit", "pixel=100")
    assert done.returncode == 2
    assert "choose one of file_bytes, pixels" in done.stderr
    for key in ("limit", "limits"):
        (tmp_path / "docproc.toml").write_text(f'{key} = ["pixels=100"]\n')
        assert docproc("run", amounts, "-o", tmp_path / f"{key}.csv", cwd=tmp_path).returncode == 1


# ------------------------------------------------------------------------------------------------------ the rest


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
        second = docproc("watch", amounts, "-o", out)
        assert second.returncode == 9
        assert "watching" not in second.stderr
    finally:
        watch.send_signal(signal.SIGINT)
        _, said = watch.communicate(timeout=30)
    assert watch.returncode == 130, said
    assert said.startswith(f"watching {amounts}; Ctrl-C ends it\n")
    assert "tensorrt" not in said.lower()
    assert {r["document"]: r["text"] for r in table(out)}["slow.png"] == "33"
    # A run knows what the watch has read, and keeps what went away.
    done = docproc("run", amounts, "-o", out, "--layout", "amount", "--resume")
    assert "5 were read before, 0 now" in done.stderr
    assert "1 document no longer among the inputs; the rows are kept (--forget-missing drops them)" in done.stderr
    assert docproc("watch", amounts, "-o", tmp_path / "u.csv", "--crops", amounts).returncode == 2
    assert docproc("watch", amounts / "33.png", "-o", tmp_path / "u.csv").returncode == 5


def test_the_parent_of_a_run_decodes_nothing(tmp_path: Path, amounts: Path) -> None:
    code = (
        "import sys\nfrom pathlib import Path\nfrom docproc.options import RunRequest\nfrom docproc.runs.batch import run\n"
        "if __name__ == '__main__':\n"
        f"    run(RunRequest((Path({str(amounts)!r}),), Path({str(tmp_path / 't.csv')!r}), layout='amount'))\n"
        "    heavy = {'cv2', 'PIL', 'pypdfium2', 'onnxruntime', 'fsspec', 'aiohttp'} & set(sys.modules)\n"
        "    assert not heavy, heavy\n"
    )
    script = tmp_path / "script.py"
    script.write_text(code)
    environment = os.environ | {"PYTHONPATH": str(PROJECT)}
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr


def test_reading_imports_no_training_library(tmp_path: Path, amounts: Path) -> None:
    code = (
        "import sys, docproc\n"
        f"rows = docproc.read({str(amounts)!r}, layout='amount')\n"
        "assert [row.text for row in rows] == ['1407', '33', '9250'], rows\n"
        "heavy = {'tensorflow', 'keras', 'tf2onnx', 'matplotlib', 'pandas', 'docproc.learn', 'fsspec'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=PROJECT, check=False)
    assert done.returncode == 0, done.stderr
