"""A run that is ended before its time."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from docproc.cli import signals
from docproc.cli.console import Progress
from docproc.cli.run import reporter
from tests.cli.program import docproc, table
from tests.conftest import PROJECT

pytestmark = pytest.mark.thorough


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")
@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 143)])
def test_an_interrupted_run_writes_no_table_and_leaves_no_process(
    tmp_path: Path, amounts: Path, sent: signal.Signals, code: int
) -> None:
    for k in range(4_000):
        shutil.copy(amounts / "1407.png", amounts / f"copy_{k}.png")
    arguments = [sys.executable, "-m", "docproc", "run", str(amounts), "-o", str(tmp_path / "t.csv"), "-j", "2"]
    inherited = signal.signal(sent, signal.SIG_DFL)  # a suite that was started with nohup ignores SIGHUP
    run = subprocess.Popen(arguments, cwd=PROJECT, stderr=subprocess.PIPE, start_new_session=True)
    signal.signal(sent, inherited)
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
    assert re.search(rb"interrupted; \d+ of 4003 documents (is|are) read and kept", said)
    assert b"to continue, run: docproc run " in said
    shown = docproc("status", tmp_path / "t.csv")
    assert "interrupted" in shown.stdout
    assert "to continue, run: docproc run " in shown.stdout
    done = docproc("table", tmp_path / "t.csv", "-o", tmp_path / "half.csv")
    assert done.returncode == 1
    assert "not complete" in done.stderr


def test_an_interruption_that_a_library_swallowed_is_not_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signals, "_received", [])
    with contextlib.suppress(KeyboardInterrupt):  # a library's bare `except`
        signals._stop(signal.SIGINT)
    update = reporter(Progress(quiet=True), verbose=False)
    with pytest.raises(KeyboardInterrupt):
        update(1, 2, [])


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
