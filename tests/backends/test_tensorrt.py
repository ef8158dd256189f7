"""TensorRT: what can be shown without a GPU. Engines are really built where TensorRT for RTX is installed."""

from __future__ import annotations

import hashlib
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from docproc.backends import (
    cuda,
    gpu,
    open_line_recognizer,
    open_recognizer,
)
from docproc.backends import tensorrt as backend
from docproc.backends.cuda import Cuda, Device
from docproc.backends.form import Form
from docproc.backends.recognizers import PictureRecognizer, StripRecognizer
from docproc.errors import MissingPart
from docproc.readers import comb, e13b, lattice, line
from docproc.types import CELL_CLASSES, CLASSES, LINE_HEIGHT
from docproc.weights.cards import network_files
from tests.backends.fakes import FakeDriver, FakeEngine, fake_tensorrt

FILES = network_files("tensorrt")
FORMS = {
    "glyphs": lattice.FORM,
    "lines": line.FORM,
    "cells": comb.FORM,
    "micr": e13b.FORM,
}

# ------------------------------------------------------------------------------------------- building, for real


@pytest.fixture
def trt() -> Any:
    if find_spec("tensorrt_rtx") is None:
        pytest.skip("TensorRT for RTX is not installed: pip install tensorrt-rtx")
    import tensorrt_rtx

    return tensorrt_rtx


@pytest.mark.parametrize("name", sorted(FORMS))
def test_an_engine_is_built_without_a_gpu(trt: Any, name: str) -> None:
    plan = backend.build(trt, FILES[name].read_bytes(), FORMS[name], backend.keeper(trt))
    assert len(plan) > FILES[name].stat().st_size / 2


def test_an_engine_is_built_for_a_gpu_that_is_not_here(trt: Any) -> None:
    log = backend.keeper(trt)
    plan = backend.build(trt, FILES["cells"].read_bytes(), comb.FORM, log, target="SM89")
    assert plan != backend.build(trt, FILES["cells"].read_bytes(), comb.FORM, log, target="SM120")


@pytest.mark.parametrize("data", [b"", b"not a model", b"\x80\x04K\x01.", b"\x08\x07" + bytes(200)])
def test_what_is_no_model_is_refused(trt: Any, data: bytes) -> None:
    with pytest.raises(MissingPart):
        backend.build(trt, data, lattice.FORM, backend.keeper(trt))


def test_a_model_cut_short_is_refused_in_the_words_of_the_parser(trt: Any) -> None:
    data = FILES["glyphs"].read_bytes()
    with pytest.raises(MissingPart, match=r"TensorRT cannot read the model: .*[Pp]ars"):
        backend.build(trt, data[: len(data) // 2], lattice.FORM, backend.keeper(trt))


def test_one_network_is_not_built_as_another(trt: Any) -> None:
    with pytest.raises(MissingPart, match=r"not a line network: it should take uint8 \(any, 32, any\)"):
        backend.build(trt, FILES["glyphs"].read_bytes(), line.FORM, backend.keeper(trt))


def test_a_profile_that_does_not_fit_is_told(trt: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backend, "USUAL", backend.BATCH + 1)
    with pytest.raises(MissingPart, match=r"refuses the profile .*profile->isValid"):
        backend.build(trt, FILES["glyphs"].read_bytes(), lattice.FORM, backend.keeper(trt))


# ------------------------------------------------------------------------------ running, with a GPU that is none


def network(name: str, driver: FakeDriver | None = None) -> backend.TensorrtNetwork:
    driver = driver or FakeDriver()
    form = FORMS[name]
    engine = FakeEngine(FILES[name], backend.profile_of(form)[2], driver)
    batch = backend.LINE_BATCH if form.of_lines else backend.BATCH
    return backend.TensorrtNetwork(fake_tensorrt(), None, engine, Cuda(driver), batch)


@pytest.mark.parametrize("count", [0, 1, 1024, 1025, pytest.param(5000, marks=pytest.mark.thorough)])
def test_batches_come_back_in_order(count: int) -> None:
    glyphs = np.random.default_rng(1).integers(0, 256, (count, 28, 28)).astype(np.uint8)
    found = PictureRecognizer(network("glyphs"), lattice.FORM, b"").recognize(glyphs)
    wanted = open_recognizer("onnx", FILES["glyphs"].read_bytes(), lattice.FORM).recognize(glyphs)
    assert found.shape == (count, CLASSES)
    assert np.abs(found - wanted).max(initial=0) < 1e-5


@pytest.mark.thorough
@pytest.mark.parametrize("name", ["lines", "micr"])
def test_lines_of_many_widths_come_back_in_order(name: str) -> None:
    rng = np.random.default_rng(2)
    lines = [rng.integers(0, 256, (LINE_HEIGHT, int(w))).astype(np.uint8) for w in rng.integers(0, 9, 100) * 32]
    found = StripRecognizer(network(name), FORMS[name], b"").recognize(lines)
    wanted = open_line_recognizer("onnx", FILES[name].read_bytes(), FORMS[name]).recognize(lines)
    assert [f.shape for f in found] == [w.shape for w in wanted]
    assert all(np.abs(f - w).max(initial=0) < 1e-3 for f, w in zip(found, wanted, strict=True))


def test_cells_are_scored() -> None:
    cells = np.random.default_rng(3).integers(0, 256, (9, 32, 32, 2)).astype(np.uint8)
    found = PictureRecognizer(network("cells"), comb.FORM, b"").recognize(cells)
    wanted = open_recognizer("onnx", FILES["cells"].read_bytes(), comb.FORM).recognize(cells)
    assert np.abs(found - wanted).max() < 1e-5


def test_who_goes_away_in_the_middle_leaves_nothing_behind() -> None:
    """The next caller gets what comes of its own batches."""
    own = network("glyphs")
    glyphs = np.random.default_rng(4).integers(0, 256, (6, 2, 28, 28)).astype(np.uint8)
    next(own.run(glyphs[:5]))
    (found,) = own.run(glyphs[5:])
    wanted = open_recognizer("onnx", FILES["glyphs"].read_bytes(), lattice.FORM).recognize(glyphs[5])
    assert np.abs(found - wanted).max() < 1e-5


@pytest.mark.thorough
def test_a_line_wider_than_the_profile_is_refused() -> None:
    wide = np.zeros((LINE_HEIGHT, backend.WIDEST + 32), np.uint8)
    with pytest.raises(MissingPart, match="not built for an input of"):
        StripRecognizer(network("lines"), line.FORM, b"").recognize([wide])


# ---------------------------------------------------------------------------------------- what is kept of engines


def test_an_engine_is_kept_for_one_model_gpu_and_version() -> None:
    device = Device("Fake GPU", (9, 0), 13000)

    def key(model: bytes = b"m", form: Form = lattice.FORM, device: Device = device, version: str = "11.0") -> str:
        library = fake_tensorrt()
        library.__version__ = version
        return backend.engine_key(library, model, form, device)

    others = [
        key(b"n"), key(form=line.FORM), key(version="11.1"), key(device=Device("Other GPU", (9, 0), 13000)),
        key(device=Device("Fake GPU", (8, 9), 13000)), key(device=Device("Fake GPU", (9, 0), 13010)),
    ]  # fmt: skip
    assert key() == key()
    assert len({key(), *others}) == 7


def test_an_engine_that_was_damaged_is_not_loaded(tmp_path: Path) -> None:
    path = tmp_path / "engines" / "one.plan"
    assert backend.read_plan(path) is None
    backend.keep_plan(path, b"an engine")
    assert backend.read_plan(path) == b"an engine"
    assert [p.name for p in path.parent.iterdir()] == ["one.plan"]
    path.write_bytes(path.read_bytes()[:-1])
    assert backend.read_plan(path) is None
    path.write_bytes(hashlib.sha256(b"").digest()[:10])
    assert backend.read_plan(path) is None


@pytest.mark.parametrize("writable", [True, False])
def test_an_engine_that_cannot_be_kept_is_built_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, writable: bool) -> None:
    driver, built = FakeDriver(), []
    engine = FakeEngine(FILES["cells"], backend.profile_of(comb.FORM)[2], driver)
    runtime = SimpleNamespace(deserialize_cuda_engine=lambda plan: engine if plan == b"an engine" else None)
    library = fake_tensorrt(ILogger=object, Runtime=lambda log: runtime)

    def build(*_: object) -> bytes:
        built.append("cells")
        return b"an engine"

    monkeypatch.setattr(gpu, "library", lambda: "tensorrt")
    monkeypatch.setattr(backend, "import_module", lambda name: library)
    monkeypatch.setattr(backend, "Cuda", lambda: Cuda(driver))
    monkeypatch.setattr(backend, "build", build)
    cache = tmp_path / "cache"
    monkeypatch.setattr(backend, "cache_folder", lambda: cache)
    if not writable:
        cache.write_text("a file, where the folder should be")
    cells = np.random.default_rng(3).integers(0, 256, (2, 32, 32, 2)).astype(np.uint8)
    for _ in range(2):
        found = PictureRecognizer(backend.open_network(b"a model", comb.FORM), comb.FORM, b"").recognize(cells)
        assert found.shape == (2, CELL_CLASSES)
    assert built == (["cells"] if writable else ["cells"] * 2)
    assert cache.is_dir() == writable


# ------------------------------------------------------------------------------------- whether it works, and why not


@pytest.fixture(autouse=True)
def forgotten(monkeypatch: pytest.MonkeyPatch) -> Any:
    gpu._tried.cache_clear()
    monkeypatch.delenv(gpu.TRIED, raising=False)
    yield
    gpu._tried.cache_clear()


def fake_machine(monkeypatch: pytest.MonkeyPatch, installed: dict[str, str | None]) -> None:
    """A machine with a driver, and libraries with what their trial says."""
    monkeypatch.setattr(cuda, "load", lambda: None)
    monkeypatch.setattr(gpu, "find_spec", lambda name: name if name in installed else None)
    monkeypatch.setattr(gpu, "_try_apart", lambda name: installed[name])


def test_a_machine_without_a_driver_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda, "LIBRARY", "libno-such-driver.so")
    monkeypatch.setattr(gpu, "find_spec", lambda name: None)
    reason = gpu.why_not()
    assert reason is not None
    assert "no NVIDIA driver" in reason
    assert "pip install tensorrt-cu13" in reason
    with pytest.raises(MissingPart, match="no NVIDIA driver"):
        gpu.library()


def test_a_machine_without_tensorrt_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_machine(monkeypatch, {})
    assert gpu.why_not() == f"TensorRT is not installed: {gpu.INSTALL}"


def test_the_first_library_that_works_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_machine(monkeypatch, {"tensorrt": "it crashes here (SIGSEGV)", "tensorrt_rtx": None})
    monkeypatch.setenv(gpu.TRIED, "")
    assert gpu.why_not() is None
    assert gpu.library() == "tensorrt_rtx"
    # A worker is a process of its own, and takes the word of its parent.
    gpu._tried.cache_clear()
    monkeypatch.setattr(gpu, "_try_apart", lambda name: pytest.fail("it was tried again"))
    assert gpu.library() == "tensorrt_rtx"


def test_all_reasons_are_told_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_machine(monkeypatch, {"tensorrt": "it crashes here (SIGSEGV)", "tensorrt_rtx": "no kernel"})
    assert gpu.why_not() == "tensorrt: it crashes here (SIGSEGV); tensorrt_rtx: no kernel"


def test_a_library_that_crashes_is_an_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tensorrt_crashing.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n")
    (tmp_path / "tensorrt_broken.py").write_text("raise ImportError('libnvinfer.so.11: cannot open shared object file')\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert gpu._try_apart("tensorrt_crashing") == "it crashes here (SIGSEGV)"
    assert gpu._try_apart("tensorrt_broken") == "it does not load: libnvinfer.so.11: cannot open shared object file"


def test_a_driver_without_a_gpu_is_told() -> None:
    with pytest.raises(MissingPart, match="shows no GPU"):
        Cuda(FakeDriver(devices=0))


def test_the_driver_is_quoted() -> None:
    with pytest.raises(MissingPart, match=r"cuInit of the NVIDIA driver failed: CUDA_ERROR_OUT_OF_MEMORY \(2\)"):
        Cuda(FakeDriver(failing="cuInit"))
    with pytest.raises(MissingPart, match="cuMemAlloc_v2"):
        network("glyphs", FakeDriver(failing="cuMemAlloc_v2"))


def test_an_old_gpu_or_version_is_told() -> None:
    with pytest.raises(MissingPart, match=r"Fake GPU has compute capability 6\.1; TensorRT needs 7\.5"):
        backend.try_out(fake_tensorrt(), Cuda(FakeDriver(capability=(6, 1))))
    library = fake_tensorrt()
    library.__version__ = "8.6.1"
    with pytest.raises(MissingPart, match=r"TensorRT 8\.6\.1 is too old"):
        backend.try_out(library, Cuda(FakeDriver()))
