from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest

from docproc.errors import OutputHeld
from docproc.runs.lock import hold, holder, lock_path
from tests.conftest import PROJECT


def test_a_second_one_is_refused_at_once(tmp_path: Path) -> None:
    out = tmp_path / "t.csv"
    with hold(out):
        began = time.monotonic()
        with pytest.raises(OutputHeld, match=f"process {os.getpid()} on "), hold(out):
            pass
        assert time.monotonic() - began < 1
        assert str(os.getpid()) in (holder(out) or "")
    assert holder(out) is None
    assert not lock_path(out).exists()
    with hold(out):
        pass


def race(out: Path, start: Barrier, wins: Path) -> None:
    start.wait()
    try:
        with hold(out):
            (wins / str(os.getpid())).touch()
            time.sleep(0.8)
    except OutputHeld:
        return


def test_of_eight_that_start_together_one_wins(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    start = context.Barrier(8)
    (tmp_path / "wins").mkdir()
    racers = [context.Process(target=race, args=(tmp_path / "t.csv", start, tmp_path / "wins")) for _ in range(8)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join(60)
    assert [racer.exitcode for racer in racers] == [0] * 8
    assert len(list((tmp_path / "wins").iterdir())) == 1
    assert not lock_path(tmp_path / "t.csv").exists()


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs POSIX signals")
def test_who_is_killed_holds_nothing(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from docproc.runs.lock import hold\n"
        "with hold(Path(sys.argv[1])):\n    print('held', flush=True); time.sleep(60)"
    )
    other = subprocess.Popen([sys.executable, "-c", code, tmp_path / "t.csv"], stdout=subprocess.PIPE, cwd=PROJECT)
    assert other.stdout is not None
    assert other.stdout.readline() == b"held\n"
    assert holder(tmp_path / "t.csv") is not None
    with pytest.raises(OutputHeld), hold(tmp_path / "t.csv"):
        pass
    other.kill()
    other.wait()
    other.stdout.close()
    assert holder(tmp_path / "t.csv") is None
    with hold(tmp_path / "t.csv"):
        pass
