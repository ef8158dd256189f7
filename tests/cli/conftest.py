"""Documents for the program."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from tests.conftest import WriteField


@pytest.fixture
def amounts(tmp_path: Path, write_field: WriteField) -> Path:
    folder = tmp_path / "amounts"
    folder.mkdir()
    for text in ("1407", "33", "9250"):
        Image.fromarray(write_field(text)).save(folder / f"{text}.png")
    return folder
