"""Runs that things are done to: the promises of isolation, of resuming, and of the table."""

from __future__ import annotations

import csv
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from docproc.documents import Settings
from docproc.errors import BadUsage, CannotWrite, OutputExists, OutputHeld
from docproc.options import Limits, RunRequest
from docproc.runs.batch import open_worker, run
from docproc.runs.journal import Journal, Outcome, Todo, journal_path
from docproc.runs.lock import hold
from docproc.weights.cards import model_hashes
from docproc.weights.thresholds import thresholds_file
from tests.conftest import PROJECT, draw_field, file_of
from tests.runs.faulty import POISON, fill, open_faulty, read_faulty

pytestmark = pytest.mark.thorough

linux = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")


def table(path: Path) -> dict[str, list[dict[str, str]]]:
    found: dict[str, list[dict[str, str]]] = {}
    with open(path, newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            found.setdefault(row["document"], []).append(row)
    return found


def start(folder: Path, out: Path, jobs: int = 2) -> subprocess.Popen[bytes]:
    arguments = [sys.executable, "-m", "tests.runs.faulty", str(folder), str(out), str(jobs)]
    return subprocess.Popen(arguments, cwd=PROJECT, start_new_session=True, stderr=subprocess.PIPE)


def left_of(group: int) -> str:
    """The processes of a group that still live, after two seconds at most."""
    for _ in range(40):
        found = subprocess.run(["ps", "-o", "pid=,stat=", "-g", str(group)], capture_output=True, text=True, check=False).stdout
        living = "\n".join(line for line in found.splitlines() if "Z" not in line)
        if not living.strip():
            return ""
        time.sleep(0.05)
    return living


# ------------------------------------------------------------------------------------------------------ isolation


@linux
def test_five_poisonous_files_of_505_cost_five_rows(tmp_path: Path) -> None:
    fill(tmp_path / "in", 500)
    read_faulty(tmp_path / "in", tmp_path / "clean.csv")
    for kind in POISON:
        fill(tmp_path / "in", 1, kind)
    summary = read_faulty(tmp_path / "in", tmp_path / "t.csv")
    assert (summary.documents, summary.failed) == (505, 5)
    clean, found = table(tmp_path / "clean.csv"), table(tmp_path / "t.csv")
    lost = {name: rows[0]["reason"].partition(":")[0] for name, rows in found.items() if rows[0]["status"] == "error"}
    assert lost == {
        "kill_00000.png": "worker_died", "segv_00000.png": "worker_died", "exit_00000.png": "worker_died",
        "hang_00000.png": "timeout", "eat_00000.png": "too_large",
    }  # fmt: skip
    assert {name: rows for name, rows in found.items() if name not in lost} == clean


def test_the_table_does_not_depend_on_processes_or_order(tmp_path: Path) -> None:
    fill(tmp_path / "in", 60)
    fill(tmp_path / "in", 3, "bad")
    read_faulty(tmp_path / "in", tmp_path / "1.csv", jobs=1)
    read_faulty(tmp_path / "in", tmp_path / "3.csv", jobs=3)
    assert (tmp_path / "1.csv").read_bytes() == (tmp_path / "3.csv").read_bytes()


@linux
def test_a_file_that_ends_every_run_is_stopped_by_the_third(tmp_path: Path) -> None:
    fill(tmp_path / "in", 20)
    fill(tmp_path / "in", 1, "kill-parent")
    codes = []
    for _ in range(3):
        one = start(tmp_path / "in", tmp_path / "t.csv")
        _, said = one.communicate(timeout=60)
        codes.append(one.returncode)
        assert left_of(one.pid) == ""
    assert codes == [-signal.SIGKILL, -signal.SIGKILL, 0], said
    found = table(tmp_path / "t.csv")
    assert len(found) == 21
    assert [name for name, rows in found.items() if rows[0]["status"] == "error"] == ["kill-parent_00000.png"]


# ------------------------------------------------------------------------------------------------------- resuming


@linux
@pytest.mark.parametrize("wanted", [5, pytest.param(30, marks=pytest.mark.slow)])
def test_killed_at_random_and_resumed_the_table_is_the_same(tmp_path: Path, wanted: int) -> None:
    fill(tmp_path / "in", 200, "slow")
    fill(tmp_path / "in", 2, "bad")
    read_faulty(tmp_path / "in", tmp_path / "clean.csv")
    clean = (tmp_path / "clean.csv").read_bytes()
    began = time.monotonic()
    whole = start(tmp_path / "in", tmp_path / "whole.csv")
    whole.communicate()
    assert whole.returncode == 0
    lap = time.monotonic() - began  # seconds of a whole run: on a loaded machine they are more
    dice = random.Random(7)
    kills = rounds = 0
    while kills < wanted and rounds < 5 * wanted:  # how many runs outlive their moment depends on the machine
        out = tmp_path / f"{rounds}.csv"
        rounds += 1
        while True:
            one = start(tmp_path / "in", out)
            try:
                _, said = one.communicate(timeout=dice.uniform(0.1, 1.2) * lap)
                # 6: it was killed when its table was there already.
                assert one.returncode in (0, OutputExists.exit_code), said
                break
            except subprocess.TimeoutExpired:
                os.kill(one.pid, signal.SIGKILL)
                one.communicate()
                kills += 1
                assert left_of(one.pid) == ""
        assert out.read_bytes() == clean
    print(f"{rounds} rounds, {kills} kills: every table byte for byte the same, no process left")
    assert kills >= wanted


@linux
@pytest.mark.slow
def test_a_power_cut_at_a_hundred_moments(tmp_path: Path) -> None:
    """Copies of the journal and its log, taken while a run writes them: each opens, and the run goes on from it."""
    fill(tmp_path / "in", 200, "slow")
    read_faulty(tmp_path / "in", tmp_path / "clean.csv")
    clean = (tmp_path / "clean.csv").read_bytes()
    dice = random.Random(3)
    copies: list[Path] = []
    while len(copies) < 100:
        out = tmp_path / "t.csv"
        for part in tmp_path.glob("t.csv*"):
            part.unlink()
        one = start(tmp_path / "in", out)
        while one.poll() is None:
            time.sleep(dice.uniform(0.01, 0.2))
            copy = tmp_path / f"copy_{len(copies)}"
            copy.mkdir()
            for part in tmp_path.glob("t.csv.docproc*"):
                with suppress(FileNotFoundError):
                    shutil.copy(part, copy)
            if (copy / "t.csv.docproc").exists():
                copies.append(copy)
            else:
                shutil.rmtree(copy)
        one.communicate()
    rows = []
    for copy in copies[:100]:
        with sqlite3.connect(copy / "t.csv.docproc") as db:
            assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            tables = db.execute("SELECT count(*) FROM sqlite_master WHERE name = 'row'").fetchone()[0]
            rows.append(db.execute("SELECT count(*) FROM row").fetchone()[0] if tables else 0)
        db.close()
        read_faulty(tmp_path / "in", copy / "t.csv")
        assert (copy / "t.csv").read_bytes() == clean
    print(f"100 copies with {min(rows)} to {max(rows)} rows: every one opened, and every table the same byte for byte")
    assert min(rows) < max(rows)


def test_a_resumed_run_reads_only_what_changed(tmp_path: Path) -> None:
    fill(tmp_path / "in", 10)
    assert read_faulty(tmp_path / "in", tmp_path / "t.csv").read == 10
    (tmp_path / "in" / "page_00003.png").write_text("333")
    (tmp_path / "in" / "page_00004.png").unlink()
    fill(tmp_path / "in", 1, "new")
    summary = read_faulty(tmp_path / "in", tmp_path / "t.csv", resume=True)
    assert (summary.documents, summary.read, summary.away) == (11, 2, 1)
    found = table(tmp_path / "t.csv")
    assert found["page_00003.png"][0]["text"] == "333"
    assert found["page_00004.png"][0]["reason"] == "the file is no longer among the inputs"
    assert "new_00000.png" in found


def test_the_rows_of_another_folder_stay_unless_they_are_to_be_forgotten(tmp_path: Path) -> None:
    for month in ("may", "june"):
        fill(tmp_path / month, 2, month)
    may = RunRequest((tmp_path / "may",), tmp_path / "t.csv", "digits")
    june = replace(may, inputs=(tmp_path / "june",), resume=True)
    run(may, opener=open_faulty)
    assert run(june, opener=open_faulty).away == 2
    assert set(table(tmp_path / "t.csv")) == {f"{month}_0000{number}.png" for month in ("may", "june") for number in range(2)}
    assert run(replace(june, forget_missing=True), opener=open_faulty).away == 0
    assert set(table(tmp_path / "t.csv")) == {"june_00000.png", "june_00001.png"}


def test_a_run_that_goes_on_tells_of_all_documents_how_many_are_done(tmp_path: Path) -> None:
    fill(tmp_path / "in", 3)
    request = RunRequest((tmp_path / "in",), tmp_path / "t.csv", "digits", resume=True)
    run(request, opener=open_faulty)
    (tmp_path / "in" / "page_00000.png").unlink()
    fill(tmp_path / "in", 2, "new")
    told: list[tuple[int, int]] = []
    summary = run(request, progress=lambda done, total, _: told.append((done, total)), opener=open_faulty)
    assert told == [(4, 5), (5, 5)]
    assert (summary.documents, summary.read) == (5, 2)


def test_a_table_that_is_corrected_while_the_run_reads_stays_and_nothing_read_is_lost(tmp_path: Path) -> None:
    fill(tmp_path / "in", 3)
    request = RunRequest((tmp_path / "in",), tmp_path / "t.csv", "digits", resume=True)
    run(request, opener=open_faulty)
    fill(tmp_path / "in", 1, "new")

    def correct(*_: object) -> None:
        (tmp_path / "t.csv").write_bytes((tmp_path / "t.csv").read_bytes().replace(b",2,2,", b",7,2,"))

    with pytest.raises(OutputExists, match=r"line 6 was changed: .* text 2 is now 7\n.*\nIt was left as it is"):
        run(request, progress=correct, opener=open_faulty)
    assert table(tmp_path / "t.csv")["page_00002.png"][0]["text"] == "7"
    with Journal.look(tmp_path / "t.csv") as journal:
        assert "new_00000.png" in {row.document for row in journal.rows()}


def test_a_table_that_is_there_is_not_touched_unasked(tmp_path: Path) -> None:
    fill(tmp_path / "in", 3)
    (tmp_path / "t.csv").write_text("mine")
    with pytest.raises(OutputExists, match=r"no journal .*\nUse --overwrite to replace it"):
        read_faulty(tmp_path / "in", tmp_path / "t.csv")
    assert (tmp_path / "t.csv").read_text() == "mine"
    request = RunRequest((tmp_path / "in",), tmp_path / "t.csv", "digits", overwrite=True)
    assert run(request, opener=open_faulty).documents == 3
    with pytest.raises(OutputExists, match=r"--resume.*--overwrite"):
        read_faulty(tmp_path / "in", tmp_path / "t.csv")
    assert run(RunRequest(request.inputs, request.output, "digits", overwrite=True), opener=open_faulty).read == 0
    assert run(RunRequest(request.inputs, request.output, "digits", resume=False, overwrite=True), opener=open_faulty).read == 3


@pytest.mark.parametrize(
    "changes", [{"layout": "amount"}, {"max_error": 0.1}, {"limits": Limits(pages=7)}], ids=["layout", "max_error", "limits"]
)
def test_other_settings_read_everything_again(tmp_path: Path, changes: dict[str, object]) -> None:
    fill(tmp_path / "in", 3)
    arguments: dict[str, object] = {"inputs": (tmp_path / "in",), "output": tmp_path / "t.csv", "layout": "digits"}
    assert run(RunRequest(**arguments), opener=open_faulty).read == 3  # type: ignore[arg-type]
    assert run(RunRequest(**arguments, resume=True), opener=open_faulty).read == 0  # type: ignore[arg-type]
    wanted = RunRequest(**(arguments | changes), resume=True, overwrite="layout" in changes)  # type: ignore[arg-type]
    assert run(wanted, opener=open_faulty).read == 3


def test_other_thresholds_read_everything_again(tmp_path: Path) -> None:
    fill(tmp_path / "in", 3)

    def measured(confidence: float) -> RunRequest:
        groups = [{"fields": ["digits"], "truth": 500, "thresholds": [{"max_error": 0.01, "confidence": confidence}]}]
        (tmp_path / "own.json").write_text(thresholds_file(model_hashes(), 0.95, groups))
        return RunRequest((tmp_path / "in",), tmp_path / "t.csv", "digits", thresholds=tmp_path / "own.json", resume=True)

    assert run(RunRequest((tmp_path / "in",), tmp_path / "t.csv", "digits"), opener=open_faulty).read == 3
    assert run(measured(0.9), opener=open_faulty).read == 3
    assert run(measured(0.9), opener=open_faulty).read == 0
    assert run(measured(0.8), opener=open_faulty).read == 3


def test_a_changed_template_reads_its_folder_again(tmp_path: Path) -> None:
    fill(tmp_path / "in", 2)
    fill(tmp_path / "in" / "forms", 3)
    template = tmp_path / "in" / "forms" / "template.toml"
    text = (
        'schema_version = 1\nname = "a"\n[page]\nsize = [100, 100]\n'
        '[[field]]\nname = "x"\nbox = [0, 0, 50, 50]\nkind = "string"\n'
    )
    template.write_text(text)
    request = RunRequest((tmp_path / "in",), tmp_path / "t.csv", resume=True)
    assert run(request, opener=open_faulty).read == 5
    assert run(request, opener=open_faulty).read == 0
    template.write_text(text.replace("50, 50", "60, 60"))
    assert run(request, opener=open_faulty).read == 3


# --------------------------------------------------------------------------------------------------------- output


def test_a_second_run_on_an_output_is_refused_at_once(tmp_path: Path) -> None:
    fill(tmp_path / "in", 3)
    with hold(tmp_path / "t.csv"):
        began = time.monotonic()
        with pytest.raises(OutputHeld, match=str(os.getpid())):
            read_faulty(tmp_path / "in", tmp_path / "t.csv")
        assert time.monotonic() - began < 1
    assert read_faulty(tmp_path / "in", tmp_path / "t.csv").documents == 3


def test_output_never_mixes_into_input(tmp_path: Path) -> None:
    fill(tmp_path / "in", 1)
    page = tmp_path / "in" / "page_00000.png"
    with pytest.raises(BadUsage, match="is an input"):
        run(RunRequest((page,), page), opener=open_faulty)
    with pytest.raises(BadUsage, match="ending"):
        read_faulty(tmp_path / "in", page)
    (tmp_path / "in" / "older").mkdir()
    (tmp_path / "in" / "older" / "page.png").write_bytes(page.read_bytes())
    for crops in (tmp_path / "in", tmp_path / "in" / "older"):
        with pytest.raises(BadUsage, match="could not be told from pages"):
            run(RunRequest((tmp_path / "in",), tmp_path / "t.csv", crops=crops), opener=open_faulty)
    assert not (tmp_path / "t.csv").exists()


@pytest.mark.parametrize("place", ["in", "link"])
def test_the_table_and_the_crops_may_lie_beside_the_pages(tmp_path: Path, place: str) -> None:
    """And are no input of the next run, however it names its inputs."""
    fill(tmp_path / "in", 2)
    (tmp_path / "in" / "notes.txt").touch()
    (tmp_path / "link").symlink_to(tmp_path / "in")
    folder = tmp_path / place
    request = RunRequest((folder,), folder / "t.csv", crops=folder / "crops", resume=True)
    for number in range(3):
        summary = run(request, opener=open_faulty)
        assert (summary.documents, summary.passed_over) == (2, 1)
        assert summary.skipped == ("notes.txt (not an image or PDF)",)
        (folder / "crops" / f"page_{number}.png-1-a.png").write_bytes((folder / "page_00000.png").read_bytes())
    everything = tuple(sorted(one for one in folder.iterdir() if one.name != "notes.txt"))
    assert {"crops", "t.csv", "t.csv.docproc"} <= {one.name for one in everything}
    assert run(replace(request, inputs=everything), opener=open_faulty).documents == 2


@linux
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount a small disk")
def test_a_full_disk_ends_the_run_and_loses_nothing(tmp_path: Path) -> None:
    fill(tmp_path / "in", 300)
    read_faulty(tmp_path / "in", tmp_path / "clean.csv")
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", disk], capture_output=True, check=False).returncode:
        pytest.skip("this machine lets nobody mount a small disk")
    try:
        with pytest.raises(CannotWrite, match=r"No space left on device.*MB free.*make room"):
            read_faulty(tmp_path / "in", disk / "t.csv")
        assert not (disk / "t.csv").exists()
        subprocess.run(["mount", "-o", "remount,size=10m", disk], check=True)
        summary = read_faulty(tmp_path / "in", disk / "t.csv")
        assert summary.read < 300
        assert (disk / "t.csv").read_bytes() == (tmp_path / "clean.csv").read_bytes()
    finally:
        subprocess.run(["umount", disk], check=False)


@linux
@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written(tmp_path: Path) -> None:
    fill(tmp_path / "in", 1)
    (tmp_path / "locked").mkdir(mode=0o500)
    with pytest.raises(CannotWrite, match="cannot write to"):
        read_faulty(tmp_path / "in", tmp_path / "locked" / "t.csv")


@linux
@pytest.mark.parametrize("size", [20_000, 200_000])
def test_a_limit_on_the_size_of_files_is_a_full_disk(tmp_path: Path, size: int) -> None:
    """The journal, or at the end the table, outgrows what the system allows."""
    fill(tmp_path / "in", 2_000)
    code = (
        "import resource, signal, sys; from pathlib import Path; from tests.runs.faulty import read_faulty\n"
        "from docproc.errors import CannotWrite\n"
        "if __name__ == '__main__':\n"
        f"    resource.setrlimit(resource.RLIMIT_FSIZE, ({size}, {size}))\n"
        "    try:\n        read_faulty(Path(sys.argv[1]), Path(sys.argv[2]))\n"
        "    except CannotWrite as problem:\n        print(problem)\n        sys.exit(8)\n"
    )
    script = tmp_path / "script.py"
    script.write_text(code)
    done = subprocess.run(
        [sys.executable, script, tmp_path / "in", tmp_path / "t.csv"],
        capture_output=True, text=True, timeout=120, check=False, env=os.environ | {"PYTHONPATH": str(PROJECT)},
    )  # fmt: skip
    assert done.returncode == 8, done.stderr
    assert "cannot write" in done.stdout
    assert not (tmp_path / "t.csv").exists()
    assert read_faulty(tmp_path / "in", tmp_path / "t.csv").documents == 2_000
    assert len(table(tmp_path / "t.csv")) == 2_000


# ------------------------------------------------------------------------------------------------------ resources


@linux
@pytest.mark.parametrize("count", [2_500, pytest.param(5_000, marks=pytest.mark.slow)])
def test_the_parent_does_not_grow_with_the_run(tmp_path: Path, count: int) -> None:
    fill(tmp_path / "in", count)
    sizes: list[int] = []
    handles: list[int] = []

    def look(done: int, total: int, rows: object) -> None:
        if done % 500 == 0:
            sizes.append(int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE"))
            handles.append(len(os.listdir("/proc/self/fd")))

    run(RunRequest((tmp_path / "in",), tmp_path / "t.csv", "digits", jobs=2), look, open_faulty)
    grown = (sizes[-1] - sizes[0]) / 1e6
    print(f"{count} files: the parent grew by {grown:.1f} MB after the first 500; open files {handles}")
    assert grown <= 10
    assert max(handles) - min(handles) <= 2  # a worker may be changing hands
    with Journal.look(tmp_path / "t.csv") as journal:
        assert journal.standing().done == count


@linux
@pytest.mark.slow
def test_200_000_files_are_listed_quickly(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for number in range(200_000):
        (tmp_path / "in" / f"{number:06}.png").touch()
    code = (
        "import sys, time; from pathlib import Path; from docproc.options import RunRequest\n"
        "from docproc.runs.batch import run; from tests.runs.faulty import open_faulty\n"
        "from tests.runs.memory import peak_megabytes\n"
        "class Enough(Exception): pass\n"
        "def first(done, total, rows):\n    raise Enough\n"
        "if __name__ == '__main__':\n"
        "    began = time.monotonic()\n"
        "    try:\n        run(RunRequest((Path(sys.argv[1]),), Path(sys.argv[2]), 'digits', jobs=2), first, open_faulty)\n"
        "    except Enough:\n"
        "        print(time.monotonic() - began, peak_megabytes())\n"
    )
    (tmp_path / "script.py").write_text(code)
    done = subprocess.run(
        [sys.executable, tmp_path / "script.py", tmp_path / "in", tmp_path / "t.csv"],
        capture_output=True, text=True, check=False, env=os.environ | {"PYTHONPATH": str(PROJECT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    seconds, megabytes = map(float, done.stdout.split())
    print(f"200 000 files: the first result after {seconds:.1f} s, the parent takes {megabytes:.0f} MB")
    assert megabytes <= 300


@linux
@pytest.mark.slow
def test_a_thousand_pages_are_read_one_at_a_time(tmp_path: Path) -> None:
    page = Image.new("1", (2480, 3508), 1)
    (tmp_path / "in").mkdir()
    page.save(tmp_path / "in" / "a.tif", save_all=True, append_images=[page] * 999, compression="group4")
    code = (
        "import sys; from pathlib import Path; from docproc.files import Document, open_pages\n"
        "from docproc.options import Limits; from tests.runs.memory import peak_megabytes\n"
        "pages = sum(1 for _ in open_pages(Document('a', Path(sys.argv[1])), Limits()))\n"
        "print(pages, peak_megabytes())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "in" / "a.tif"], capture_output=True, text=True, check=False, cwd=PROJECT
    )
    assert done.returncode == 0, done.stderr
    pages, megabytes = done.stdout.split()
    print(f"{pages} pages of A4 at 300 dpi: {float(megabytes):.0f} MB")
    assert pages == "1000"
    assert float(megabytes) <= 2480 * 3508 / 1e6 + 300


@linux
def test_a_file_that_is_still_being_written_is_read_when_it_is_whole(tmp_path: Path) -> None:
    """A scanner makes an empty file first."""
    from docproc.files import Document
    from docproc.runs.batch import SETTLED, _settled_content

    path = tmp_path / "a.png"
    path.touch()
    writer = threading.Timer(SETTLED / 4, path.write_bytes, [b"whole"])
    writer.start()
    content, waited = _settled_content(Document("a.png", path), Limits())
    writer.join()
    assert (content.data, waited) == (b"whole", True)


MOMENTS = ("deleted", "truncated", "replaced", "completed")


def open_meddling(settings: Settings) -> Callable[[Todo], Outcome]:
    """Reads as it is read; what lies beside a document waits for its turn and then happens to it."""
    read = open_worker(settings)

    def work(todo: Todo) -> Outcome:
        path = file_of(todo.document)
        if path.stem in MOMENTS:
            before, after = path.with_suffix(".before"), path.with_suffix(".after")
            before.touch()
            while not after.exists():
                time.sleep(0.01)
        return read(todo)

    return work


@linux
def test_what_happens_to_files_while_a_run_is_under_way(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for name, text in (*((name, "1407") for name in MOMENTS), ("other", "33")):
        Image.fromarray(draw_field(text)).save(folder / f"{name}.png")
    whole = (folder / "completed.png").read_bytes()
    (folder / "completed.png").write_bytes(whole[: len(whole) // 2])
    writers: list[threading.Timer] = []

    def meddle(name: str) -> None:
        path = folder / f"{name}.png"
        while not path.with_suffix(".before").exists():
            time.sleep(0.01)
        if name == "deleted":
            path.unlink()
        elif name == "truncated":
            path.write_bytes(whole[: len(whole) // 2])
        elif name == "replaced":
            (folder / "other.png").rename(path)
        else:
            writers.append(threading.Timer(0.3, path.write_bytes, [whole]))
            path.write_bytes(whole[: len(whole) // 2])
            writers[-1].start()
        path.with_suffix(".after").touch()

    threads = [threading.Thread(target=meddle, args=(name,), daemon=True) for name in MOMENTS]
    for thread in threads:
        thread.start()
    run(RunRequest((folder,), tmp_path / "t.csv", "digits", jobs=4), opener=open_meddling)
    for thread in (*threads, *writers):
        thread.join()
    found = {name.removesuffix(".png"): rows[0] for name, rows in table(tmp_path / "t.csv").items()}
    assert found["deleted"]["reason"].partition(":")[0] == "not_found"
    assert found["truncated"]["reason"].partition(":")[0] == "truncated"
    assert found["replaced"]["text"] == "33"
    assert found["completed"]["text"] == "1407"


@linux
@pytest.mark.slow
def test_two_processes_take_no_more_of_the_processor_than_one(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for number in range(600):
        Image.fromarray(draw_field(f"{number:06}")).save(tmp_path / "in" / f"{number}.png")
    cost = {}
    for jobs in (1, 2):
        code = f"import docproc; docproc.run({str(tmp_path / 'in')!r}, {str(tmp_path / f'{jobs}.csv')!r}, jobs={jobs})"
        (tmp_path / "script.py").write_text(f"if __name__ == '__main__':\n    {code}\n")
        began, before = time.monotonic(), os.times()
        subprocess.run([sys.executable, tmp_path / "script.py"], check=True, env=os.environ | {"PYTHONPATH": str(PROJECT)})
        now = os.times()
        spent = now.children_user - before.children_user + now.children_system - before.children_system
        cost[jobs] = (spent, time.monotonic() - began)
    processor, speed = cost[2][0] / cost[1][0], cost[1][1] / cost[2][1]
    print(f"600 fields in two processes: {processor:.2f} of the processor time of one, {speed:.2f} times as fast")
    assert (tmp_path / "1.csv").read_bytes() == (tmp_path / "2.csv").read_bytes()
    assert processor <= 1.2


def open_counting(settings: Settings) -> Callable[[Todo], Outcome]:
    """Reads as it is read, and tells how many threads that took."""
    read = open_worker(settings)

    def work(todo: Todo) -> Outcome:
        outcome = read(todo)
        assert outcome.rows
        threads = len(os.listdir("/proc/self/task"))
        return replace(outcome, rows=tuple(replace(row, reason=f"{threads} threads") for row in outcome.rows))

    return work


@linux
def test_a_worker_keeps_to_one_core(tmp_path: Path) -> None:
    """OpenCV, ONNX Runtime and the rest start no threads of their own: cores are taken by processes."""
    (tmp_path / "in").mkdir()
    Image.fromarray(draw_field("1407")).save(tmp_path / "in" / "a.png")
    run(RunRequest((tmp_path / "in",), tmp_path / "t.csv", "digits"), opener=open_counting)
    ((row,),) = table(tmp_path / "t.csv").values()
    # One of them is ONNX Runtime's own; it sleeps.
    assert row["text"] == "1407"
    assert row["reason"] in ("1 threads", "2 threads")


# ------------------------------------------------------------------------------------------- the day of a run


def as_of(out: Path) -> str:
    with Journal.look(out) as journal:
        return journal.standing().notes["as_of"]


def test_a_run_that_goes_on_counts_from_the_day_of_its_beginning(tmp_path: Path) -> None:
    folder, out = tmp_path / "in", tmp_path / "out.csv"
    fill(folder, 1)
    request = RunRequest((folder,), out, layout="digits", jobs=1, overwrite=True)
    run(request, opener=open_faulty)
    assert as_of(out) == date.today().isoformat()
    with sqlite3.connect(journal_path(out)) as db:
        db.execute("UPDATE run SET value = '2020-02-29' WHERE key = 'as_of'")
        db.execute("DELETE FROM run WHERE key = 'finished'")
    db.close()
    run(request, opener=open_faulty)
    assert as_of(out) == "2020-02-29"
    run(request, opener=open_faulty)
    assert as_of(out) == date.today().isoformat()
    run(replace(request, as_of=date(2021, 3, 4)), opener=open_faulty)
    assert as_of(out) == "2021-03-04"


@pytest.mark.parametrize("change", [{"date_order": "DMY"}, {"date_window": "6m"}, {"as_of": date(2026, 11, 21)}])
def test_options_of_dates_read_anew(tmp_path: Path, change: dict[str, Any]) -> None:
    folder, out = tmp_path / "in", tmp_path / "out.csv"
    fill(folder, 2)
    request = RunRequest((folder,), out, layout="digits", jobs=1, resume=True)
    assert run(request, opener=open_faulty).read == 2
    assert run(request, opener=open_faulty).read == 0
    assert run(replace(request, **change), opener=open_faulty).read == 2
