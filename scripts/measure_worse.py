"""Checks the promise on worse scans: reads sets of documents again at low resolution, pale, blurred, tilted, and so on.

    python scripts/measure_worse.py SET... [--ways half,third,pale] [--max-error 1%]

A SET is given as to `measure_sets.py`; its images are PNG, JPEG or TIFF files of one page. For every set and every way to make
it worse, prints the same figures as `measure_sets.py`. The first way, `plain`, leaves the images as they are.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
from measure_sets import HEADER, measure, truth_of
from PIL import Image

from docproc.cli.options import Share
from docproc.files import decode_pages
from docproc.options import Limits
from docproc.types import Gray, Page

Random = np.random.Generator
PICTURES = (".png", ".jpg", ".jpeg", ".tif", ".tiff")


def scaled(share: float) -> Callable[[Gray, Random], Gray]:
    """A scan at a lower resolution."""
    return lambda gray, rng: np.asarray(cv2.resize(gray, None, fx=share, fy=share, interpolation=cv2.INTER_AREA), np.uint8)


def compressed(quality: int) -> Callable[[Gray, Random], Gray]:
    """A JPEG of that quality."""

    def compress(gray: Gray, rng: Random) -> Gray:
        file = BytesIO()
        Image.fromarray(gray).save(file, "JPEG", quality=quality)
        return np.asarray(Image.open(file), np.uint8)

    return compress


def tilted(degrees: float) -> Callable[[Gray, Random], Gray]:
    """Rotated, with paper in the corners."""

    def tilt(gray: Gray, rng: Random) -> Gray:
        height, width = gray.shape
        turn = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1)
        cos, sin = abs(turn[0, 0]), abs(turn[0, 1])
        wide, high = round(height * sin + width * cos), round(height * cos + width * sin)
        turn[:, 2] += (wide - width) / 2, (high - height) / 2
        paper = float(np.percentile(gray, 90))
        return np.asarray(cv2.warpAffine(gray, turn, (wide, high), flags=cv2.INTER_LINEAR, borderValue=paper), np.uint8)

    return tilt


def pale(share: float) -> Callable[[Gray, Random], Gray]:
    """With a share of the contrast to white."""
    return lambda gray, rng: np.asarray(np.rint(255 - (255.0 - gray) * share), np.uint8)


def noisy(deviation: float) -> Callable[[Gray, Random], Gray]:
    """With the noise of a sensor."""
    return lambda gray, rng: np.clip(gray + rng.normal(0, deviation, gray.shape), 0, 255).astype(np.uint8)


def blurred(share: float) -> Callable[[Gray, Random], Gray]:
    """Out of focus, by a share of the height of the image."""
    return lambda gray, rng: np.asarray(cv2.GaussianBlur(gray, (0, 0), max(0.3, share * gray.shape[0])), np.uint8)


def shaded(gray: Gray, rng: Random) -> Gray:
    """With light that falls off to the left."""
    return np.asarray(np.rint(gray * np.linspace(0.45, 1, gray.shape[1])), np.uint8)


def thresholded(gray: Gray, rng: Random) -> Gray:
    """Black and white."""
    return np.asarray(cv2.threshold(gray, 0, 255, cv2.THRESH_OTSU)[1], np.uint8)


WAYS: Mapping[str, Callable[[Gray, Random], Gray]] = {
    "plain": lambda gray, rng: gray,
    "half": scaled(0.5),
    "third": scaled(1 / 3),
    "jpeg_20": compressed(20),
    "jpeg_8": compressed(8),
    "tilted_3": tilted(3),
    "tilted_-5": tilted(-5),
    "pale_35": pale(0.35),
    "pale_20": pale(0.2),
    "noisy_15": noisy(15),
    "noisy_35": noisy(35),
    "blurred": blurred(0.035),
    "shaded": shaded,
    "black_white": thresholded,
}
"""What is done to every image of a set, by name; the same every time."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="+", metavar="SET[=LAYOUT]")
    parser.add_argument("--ways", type=lambda names: names.split(","), default=list(WAYS), help=", ".join(WAYS))
    parser.add_argument("--max-error", type=lambda text: Share().convert(text, None, None), default=0.01)
    args = parser.parse_args()
    unknown = [way for way in args.ways if way not in WAYS]
    if unknown:
        parser.error(f"there is no way {unknown[0]!r}; there are {', '.join(WAYS)}")
    print(HEADER)
    for one in args.sets:
        place, _, layout = one.partition("=")
        for way in args.ways:
            with tempfile.TemporaryDirectory() as folder:
                worse(Path(place), Path(folder), WAYS[way])
                measured = measure(Path(folder), layout, args.max_error)
            print(replace(measured, name=f"{Path(place).name}, {way}").line, flush=True)


def worse(folder: Path, copy: Path, change: Callable[[Gray, Random], Gray]) -> None:
    """Copy a set, with its documents changed; the image of a blank form stays as it is."""
    rng = np.random.default_rng(0)
    documents = {document for document, _, _ in truth_of(folder)}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        target = copy / path.relative_to(folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        if path.name not in documents or path.suffix.lower() not in PICTURES:
            shutil.copy(path, target)
            continue
        page, *others = decode_pages(path.name, path.read_bytes(), Limits())
        if not isinstance(page, Page) or others:
            raise SystemExit(f"{path}: an image with one undamaged page is needed")
        # A PNG loses nothing; a file is known by its content, whatever its name.
        target.write_bytes(cv2.imencode(".png", change(page.gray, rng))[1].tobytes())


if __name__ == "__main__":
    main()
