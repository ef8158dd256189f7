"""What a program hands over, as documents: names, order, and what is refused with a word on what to do."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from docproc.documents import settings_for
from docproc.errors import BadInput, DocumentError
from docproc.options import Limits, RunRequest
from docproc.sources import Source, find_sources
from docproc.types import Page

GRAY = np.full((40, 90), 255, np.uint8)
GRAY[10:30, 40:50] = 0


def pages(source: Any, **limits: Any) -> list[Page]:
    settings = settings_for([], RunRequest((), Path(), "digits", limits=Limits(**limits)))
    found = [page for one in find_sources(source) for page in one.open(settings).pages]
    return [page for page in found if isinstance(page, Page)]


def files(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(GRAY).save(folder / name)
    return folder


def test_names_are_those_of_files_else_the_place_in_the_list(tmp_path: Path) -> None:
    files(tmp_path, "a.png")
    with open(tmp_path / "a.png", "rb") as file:
        given: list[Source] = [GRAY, file, (tmp_path / "a.png").read_bytes(), io.BytesIO(b"x")]
        assert [one.name for one in find_sources(given)] == ["document-1", "a.png", "document-3", "document-4"]
    assert [one.name for one in find_sources(GRAY)] == ["document-1"]


def test_documents_keep_the_order_in_which_they_are_given(tmp_path: Path) -> None:
    files(tmp_path, "b.png", "a.png", "in/2.png", "in/1.png")
    given = (str(tmp_path / name) for name in ("b.png", "in", "a.png"))
    assert [one.name for one in find_sources(given)] == ["b.png", "1.png", "2.png", "a.png"]


def test_files_of_one_name_are_told_apart_by_their_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files(tmp_path, "mon/1.png", "tue/1.png", "tue/2.png")
    monkeypatch.chdir(tmp_path)
    assert [one.name for one in find_sources([Path("mon/1.png"), "tue"])] == ["mon/1.png", "tue/1.png", "2.png"]


@pytest.mark.parametrize(
    "array", [GRAY, GRAY[:, :, None], np.stack([GRAY] * 3, axis=2), GRAY[::-1][::-1], np.asfortranarray(GRAY)]
)
def test_arrays_are_read_as_they_are_and_stay_as_they_are(array: Any) -> None:
    (page,) = pages(array)
    assert np.array_equal(page.gray, GRAY)
    page.gray[:] = 7
    assert array.max() == 255


def test_colors_of_an_array_are_in_the_order_of_opencv() -> None:
    blue = np.zeros((40, 90, 3), np.uint8)
    blue[:, :, 0] = 255
    picture = Image.new("RGB", (90, 40), (0, 0, 255))
    assert np.array_equal(pages(blue)[0].gray, pages(picture)[0].gray)
    assert pages(blue)[0].gray[0, 0] == 29  # ITU-R 601: blue is dark


def test_what_is_transparent_is_paper() -> None:
    seen = np.zeros((40, 90, 4), np.uint8)
    assert pages(seen)[0].gray.min() == 255
    assert pages(Image.fromarray(seen))[0].gray.min() == 255


@pytest.mark.parametrize(
    ("array", "error", "word"),
    [
        (GRAY / 255.0, TypeError, r"float64: .*255 \* array"),
        (GRAY > 0, TypeError, "bool"),
        (np.zeros((5, 40, 90), np.uint8), ValueError, "list of arrays"),
        (np.zeros((2, 40, 90, 3), np.uint8), ValueError, "list of arrays"),
        (np.zeros(90, np.uint8), ValueError, "height, width"),
    ],
)
def test_arrays_that_are_no_picture_are_refused(array: Any, error: type[Exception], word: str) -> None:
    with pytest.raises(error, match=word):
        find_sources([GRAY, array])


def test_a_file_that_is_open_as_text_is_refused() -> None:
    with pytest.raises(TypeError, match="'rb'"):
        find_sources(io.StringIO("no picture"))


@pytest.mark.parametrize("source", [7, None, {"a": 1}.keys, [None], [[GRAY]]])
def test_what_is_no_document_is_refused(source: Any) -> None:
    with pytest.raises(TypeError, match="is no document: docproc reads a path, bytes"):
        find_sources(source)


@pytest.mark.parametrize("path", ["", "nowhere.png", ["a", ""]])
def test_a_path_where_nothing_is_is_an_error(path: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadInput, match="no such file or folder"):
        find_sources(path)


def test_a_pattern_is_not_expanded_and_the_error_says_so(tmp_path: Path) -> None:
    folder = files(tmp_path, "a.png")
    for pattern in ("*.png", "?.png"):
        with pytest.raises(BadInput, match=r"\.png; patterns are not expanded: give the folder, or a list .*glob\.glob"):
            find_sources(f"{folder}/{pattern}")
    with pytest.raises(BadInput, match=r"^no such file or folder: \S+b\.png$"):
        find_sources(f"{folder}/b.png")


class Broken(io.BytesIO):
    def read(self, size: int | None = -1, /) -> bytes:
        raise OSError(5, "the line is dead")


@pytest.mark.parametrize(
    ("source", "limits", "code"),
    [
        (b"", {}, "empty"),
        (io.BytesIO(), {}, "empty"),
        (b"no picture", {}, "not_an_image"),
        (io.BytesIO(bytes(100)), {"file_bytes": 99}, "file_too_large"),
        (GRAY, {"pixels": 3599}, "too_large"),
        (Image.fromarray(GRAY), {"side": 89}, "too_large"),
        (np.zeros((0, 5), np.uint8), {}, "corrupt"),
        (Broken(b"x"), {}, "io_error"),
    ],
)
def test_a_document_in_memory_is_bound_by_the_same_limits_as_a_file(source: Any, limits: dict[str, int], code: str) -> None:
    with pytest.raises(DocumentError) as caught:
        pages(source, **limits)
    assert caught.value.code == code


def test_what_was_read_of_a_file_before_is_not_read_again(tmp_path: Path) -> None:
    data = (files(tmp_path, "a.png") / "a.png").read_bytes()
    file = io.BytesIO(b"head" + data)
    file.read(4)
    assert len(pages(file)) == 1
    assert len(pages([bytearray(data), memoryview(data)])) == 2
