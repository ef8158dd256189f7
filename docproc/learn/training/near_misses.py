"""What the verifier learns from: lines with the text that is written, and with those that the line readers take for it."""

from __future__ import annotations

import numpy as np

from docproc.learn.progress import Log, counted
from docproc.learn.training.augment import vary_line
from docproc.learn.training.batches import LabeledLines, LabeledVerdicts
from docproc.readers.line import LineOpinion
from docproc.readers.verifier import shown_texts
from docproc.types import DIGIT_SYMBOLS, LETTER, STRUCK, Line, LineRecognizer

MAX_WRONG = 2  # texts a line: the likeliest ones
READ_AT_ONCE = 256  # lines


def near_misses(
    labeled: LabeledLines, readers: LineRecognizer, seed: tuple[int, int], widths: tuple[float, float] | None, log: Log
) -> LabeledVerdicts:
    """Pictures of lines with a text below, see `readers.verifier`, and whether it is written there (1) or not (0).

    With `widths` the lines are varied first, see `augment.vary_line`, which makes the readers err more often. What is written
    beside letters or struck-out digits is no text of the field, and not shown as right.
    """
    rng = np.random.default_rng(seed)
    written = [(line, symbols) for line, symbols in zip(*labeled, strict=True) if symbols and line.shape[1]]
    pictures, labels = list[Line](), list[int]()
    parts = [written[start : start + READ_AT_ONCE] for start in range(0, len(written), READ_AT_ONCE)]
    for part in counted(parts, len(written), "reading composed lines", log, READ_AT_ONCE):
        lines = [line if widths is None else vary_line(line, rng, widths) for line, _ in part]
        for line, (_, symbols), frames in zip(lines, part, readers.recognize(lines), strict=True):
            opinion = LineOpinion(frames)
            truth = "".join(symbol for symbol in symbols if symbol in DIGIT_SYMBOLS)
            wrong = [text for text in opinion.propose(None) if text and text != truth][:MAX_WRONG]
            right = [] if LETTER in symbols or STRUCK in symbols else [truth]
            for text, picture in shown_texts(line, opinion.frames, [*right, *wrong]).items():
                pictures.append(picture)
                labels.append(int(text == truth))
    return pictures, np.array(labels, np.int32)
