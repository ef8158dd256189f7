"""Compares Ray with this machine's own processes, on the same documents with the same number of workers.

    python scripts/bench_cluster.py FOLDER [LAYOUT] [WORKERS] [ROUNDS]

Reads the folder with both engines alternately, and reports for each the time until the first document was done (start-up), and
the time from then on. Exits with 1 if the tables differ, or if Ray takes more than 15 % longer once its workers are up.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parent.parent))

from docproc.options import Engine, RunRequest
from docproc.runs.batch import run

MOST = 1.15  # times the duration with the machine's own processes


def measured(engine: Engine, folder: Path, out: Path, layout: str, workers: int) -> float:
    """Seconds from the first document to the last."""
    began, came = time.monotonic(), list[float]()
    request = RunRequest((folder,), out, layout, jobs=workers, engine=engine)
    run(request, lambda done, total, rows: came.append(time.monotonic()))
    took = came[-1] - came[0]
    print(
        f"{engine:5}  first of {len(came)} after {came[0] - began:5.1f} s, the others in {took:6.1f} s, "
        f"{took / (len(came) - 1) * 1000:6.1f} ms each; load {os.getloadavg()[0]:.1f}",
        flush=True,
    )
    return took


def main(folder: Path, layout: str = "auto", workers: int = 2, rounds: int = 2) -> int:
    """Compare both, and return the exit code."""
    took: dict[Engine, list[float]] = {"local": [], "ray": []}
    tables = set()
    with tempfile.TemporaryDirectory() as work:
        for number in range(rounds):
            for engine, times in took.items():
                out = Path(work) / f"{engine}{number}.csv"
                times.append(measured(engine, folder, out, layout, workers))
                tables.add(out.read_bytes())
    share = median(took["ray"]) / median(took["local"])
    print(f"Ray takes {share:.2f} times as long; the tables are {'the same' if len(tables) == 1 else 'DIFFERENT'}")
    return int(share > MOST or len(tables) > 1)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    place, layout, *numbers = [*sys.argv[1:], "auto"][: max(2, len(sys.argv) - 1)]
    sys.exit(main(Path(place), layout, *map(int, numbers)))
