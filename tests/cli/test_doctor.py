from __future__ import annotations

import pytest

from docproc._version import __version__
from tests.cli.program import docproc

pytestmark = pytest.mark.thorough


def test_doctor_finds_this_machine_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TF_CPP_MIN_LOG_LEVEL", raising=False)  # of whoever runs the tests
    done = docproc("doctor")
    assert done.returncode == 0, done.stdout
    assert f"docproc {__version__}" in done.stdout
    assert "docproc run works here" in done.stdout
    assert done.stderr == ""  # TensorFlow's libraries talk as they are imported
