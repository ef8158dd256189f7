from __future__ import annotations

from pathlib import Path

import platformdirs
import pytest
from platformdirs.macos import MacOS
from platformdirs.windows import Windows

from docproc.options import cache_folder, user_file


@pytest.mark.skipif(not issubclass(platformdirs.PlatformDirs, platformdirs.unix.Unix), reason="needs a system with XDG folders")
def test_the_folders_of_linux(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", "/x")
    monkeypatch.setenv("XDG_CACHE_HOME", "/y")
    assert user_file() == Path("/x/docproc/config.toml")
    assert cache_folder() == Path("/y/docproc")
    monkeypatch.delenv("XDG_CONFIG_HOME")
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    assert user_file() == Path.home() / ".config" / "docproc" / "config.toml"
    assert cache_folder() == Path.home() / ".cache" / "docproc"


def test_the_folders_of_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platformdirs, "PlatformDirs", Windows)
    known = {"CSIDL_APPDATA": "/roaming", "CSIDL_LOCAL_APPDATA": "/local"}
    monkeypatch.setattr("platformdirs.windows.get_win_folder", known.__getitem__)
    assert user_file() == Path("/roaming/docproc/config.toml")
    assert cache_folder() == Path("/local/docproc")


def test_the_folders_of_macos(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platformdirs, "PlatformDirs", MacOS)
    for name in ("XDG_CONFIG_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    assert user_file() == Path.home() / "Library" / "Application Support" / "docproc" / "config.toml"
    assert cache_folder() == Path.home() / "Library" / "Caches" / "docproc"
