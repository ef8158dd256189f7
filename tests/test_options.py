from __future__ import annotations

from pathlib import Path

import pytest

from docproc.errors import BadConfig
from docproc.options import cache_folder, read_settings, user_file


def test_a_later_file_wins(tmp_path: Path) -> None:
    (tmp_path / "user.toml").write_text('layout = "amount"\njobs = 2\n')
    (tmp_path / "project.toml").write_text("jobs = 3\n")
    found = read_settings(tmp_path / "user.toml", tmp_path / "project.toml", tmp_path / "none.toml")
    assert found == {"layout": "amount", "jobs": 3}


@pytest.mark.parametrize("text", ["jobs = ", "jobs = true", "jobs = '3'", "speed = 3"])
def test_faults(tmp_path: Path, text: str) -> None:
    (tmp_path / "p.toml").write_text(text)
    with pytest.raises(BadConfig) as caught:
        read_settings(tmp_path / "p.toml")
    assert caught.value.exit_code == 3


def test_the_user_file_of_each_system() -> None:
    assert user_file({"XDG_CONFIG_HOME": "/x"}, "linux") == Path("/x/docproc/config.toml")
    assert user_file({}, "linux").parts[-3:] == (".config", "docproc", "config.toml")
    assert user_file({"APPDATA": "/a"}, "win32") == Path("/a/docproc/config.toml")
    assert "Application Support" in user_file({}, "darwin").parts


def test_the_cache_of_each_system() -> None:
    assert cache_folder({"XDG_CACHE_HOME": "/x"}, "linux") == Path("/x/docproc")
    assert cache_folder({}, "linux").parts[-2:] == (".cache", "docproc")
    assert cache_folder({"LOCALAPPDATA": "/a"}, "win32") == Path("/a/docproc")
    assert cache_folder({}, "darwin").parts[-3:] == ("Library", "Caches", "docproc")
