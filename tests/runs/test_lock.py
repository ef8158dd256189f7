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

pytestmark = pytest.mark.thorough


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


def race(out: Path, together: Barrier, wins: Path, rounds: int) -> None:
    for number in range(rounds):
        together.wait(60)
        try:
            with hold(out):
                (wins / f"{number}-{os.getpid()}").touch()
                together.wait(60)  # held until all have tried
        except OutputHeld:
            together.wait(60)


@pytest.mark.parametrize("rounds", [5, pytest.param(50, marks=pytest.mark.slow)])
def test_of_eight_that_start_together_one_wins(tmp_path: Path, rounds: int) -> None:
    context = multiprocessing.get_context("spawn")
    together = context.Barrier(8)
    wins, out = tmp_path / "wins", tmp_path / "t.csv"
    wins.mkdir()
    racers = [context.Process(target=race, args=(out, together, wins, rounds)) for _ in range(8)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join(120)
    assert [racer.exitcode for racer in racers] == [0] * 8
    assert sorted(int(win.name.partition("-")[0]) for win in wins.iterdir()) == list(range(rounds))
    assert not lock_path(out).exists()
    print(f"{rounds} races of eight: one winner each, no lock left")


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
