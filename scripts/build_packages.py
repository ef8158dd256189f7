"""Build the wheels and the sdist, and test them: sizes, an install elsewhere, and reading the samples with it.

    python scripts/build_packages.py FOLDER [--version 0.2.0]

Needs the package `build`. The samples must be read as samples/expected.csv says, except at most 3 of their fields, none of
which may be accepted. The networks for training must be missing at first, and present once their wheel is installed.
"""

from __future__ import annotations

import argparse
import csv
import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
MAX_WHEEL_BYTES = 7_000_000
MAX_MISREAD = 3  # of the fields of the samples


def main() -> None:
    """Build and test, and exit with 1 and the reason if something is wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--version", help="that both have to have")
    args = parser.parse_args()
    folder: Path = args.folder.resolve()
    if folder.exists() and any(folder.iterdir()):
        sys.exit(f"{folder} is not empty")
    # The wheel is built from the sdist, so that an sdist that lacks a file is noticed.
    call(sys.executable, "-m", "build", "--outdir", folder, PROJECT)
    call(sys.executable, "-m", "build", "--wheel", "--outdir", folder, PROJECT / "models")
    files = sorted(folder.iterdir())
    for path in files:
        print(f"{path.name:60}{path.stat().st_size:12,} bytes")
    if args.version and not all(f"-{args.version}-" in f"{path.name}-".replace(".tar.gz", "") for path in files):
        sys.exit(f"these are not of version {args.version}: set it in docproc/_version.py")
    (wheel,), (training,) = folder.glob("docproc_digits-*.whl"), folder.glob("docproc_digits_training-*.whl")
    if wheel.stat().st_size > MAX_WHEEL_BYTES:
        sys.exit(f"{wheel.name} has more than {MAX_WHEEL_BYTES:,} bytes")
    with tempfile.TemporaryDirectory() as place:
        try_out(wheel, training, Path(place))


def try_out(wheel: Path, training: Path, place: Path) -> None:
    """Install the wheel in a new environment, read the samples, then install the wheel for training."""
    venv.create(place / "venv", with_pip=True)
    programs = place / "venv" / ("Scripts" if os.name == "nt" else "bin")
    call(programs / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", wheel)
    call(programs / "docproc", "run", PROJECT / "samples", "-o", place / "results.csv", cwd=place)
    read, right, wrong = score(place / "results.csv", PROJECT / "samples" / "expected.csv")
    print(f"{right} of {read} fields of the samples are right, {wrong} of those accepted are wrong")
    if wrong or read - right > MAX_MISREAD:
        sys.exit("the samples are not read as they should be")
    lacking = "from docproc.weights.cards import network_files; print(network_files('tensorflow')['lines'].exists())"
    before = call(programs / "python", "-c", lacking, cwd=place)
    call(programs / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", training)
    after = call(programs / "python", "-c", lacking, cwd=place)
    if (before.strip(), after.strip()) != ("False", "True"):
        sys.exit(f"the networks for training should be there with their wheel alone: {before} {after}")


def score(results: Path, expected: Path) -> tuple[int, int, int]:
    """(expected fields, fields read exactly, fields accepted and wrong)."""
    with results.open(newline="", encoding="utf-8") as file:
        found = {(row["document"], row["page"], row["field"]): row for row in csv.DictReader(file)}
    with expected.open(newline="", encoding="utf-8") as file:
        truth = {(row["document"], row["page"], row["field"]): row["text"] for row in csv.DictReader(file)}
    right = sum(key in found and found[key]["text"] == text for key, text in truth.items())
    wrong = sum(key in found and found[key]["status"] == "ok" and found[key]["text"] != text for key, text in truth.items())
    return len(truth), right, wrong


def call(*command: object, cwd: Path | None = None) -> str:
    """The output of a command. Exits with its message if it fails; it does not see this source tree."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run([*map(str, command)], cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}")
    return done.stdout


if __name__ == "__main__":
    main()
