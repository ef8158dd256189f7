"""Checks whether non-numbers are accepted: reads fields that the project draws, and counts what was accepted.

    python scripts/measure_drawn.py [--fonts FOLDER] [--mnist FOLDER] [--model MODEL] [--max-error 1%]
        [--figures docs/figures.json]

Three tables: print in every font of FOLDER (20 numbers, amounts and dates in each, at 200 and 300 dpi), 2,000 fields of ten
kinds that contain something other than a number (three of the kinds are never used in training), and 2,000 empty fields with
frames, walls, guide lines and shadows. Without a folder of fonts there is no print, and without MNIST, digits are drawn in
strokes. `--figures` enters the sums in the file that README and docs take their figures from, see `figures.py`.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from pathlib import Path

from figures import record

from docproc.cli.options import Share
from docproc.learn.composing import mnist
from docproc.learn.composing.fonts import Fonts
from docproc.learn.composing.material import Material
from docproc.learn.composing.nothing import BLANKS, NOTHINGS, UNSEEN
from docproc.learn.evaluation.trust import (
    Counted,
    Drawn,
    empty_fields,
    fields_without_number,
    printed_fields,
    read_drawn,
    summed,
)
from docproc.learn.training.finetune import ReplayDigits


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fonts", type=Path, help="a folder with the folders print/ and hand/")
    parser.add_argument("--mnist", type=Path, help="a folder with the four files of MNIST")
    parser.add_argument("--model", type=Path)
    parser.add_argument("--max-error", type=lambda text: Share().convert(text, None, None), default=0.01)
    parser.add_argument("--in-each-font", type=int, default=20)
    parser.add_argument("--fields", type=int, default=2000, help="of those without a number, and of the empty ones")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--figures", type=Path, help="docs/figures.json")
    args = parser.parse_args()
    digits = ReplayDigits.of(None if args.mnist is None else mnist.load(args.mnist)).test.digits
    material = Material(digits, None, Fonts.of(args.fonts))

    def show(title: str, drawn: Iterable[Callable[[], Drawn]]) -> None:
        counted = read_drawn(list(drawn), args.model, args.max_error, args.jobs)
        print(f"{title:32}{'fields':>8}{'exact':>8}{'accepted':>10}{'wrong':>8}{'blank':>8}")
        for name, one in [*counted.items(), ("all", summed(counted))]:
            print(_line(name, one), flush=True)
        print()
        if args.figures:
            whole = summed(counted)
            values = {key: getattr(whole, key) for key in ("fields", "exact", "accepted", "wrong", "blank")}
            name = "drawn_" + title.partition(",")[0].replace(" ", "_")
            record(name, values, f"scripts/measure_drawn.py --max-error {args.max_error:g}", args.figures)

    if args.fonts is not None:
        show("print, by font", printed_fields(material, args.in_each_font))
    show("no number, by kind", fields_without_number(material, args.fields // (len(NOTHINGS) + len(UNSEEN))))
    show("empty, by kind", empty_fields(args.fields // len(BLANKS)))


def _line(name: str, one: Counted) -> str:
    return f"{name:32}{one.fields:8}{one.exact:8}{one.accepted:10}{one.wrong:8}{one.blank:8}"


if __name__ == "__main__":
    main()
