"""Examples for the verifier: lines with the text that is written on them, and with what the line readers take for it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from docproc.learn.progress import Log, counted
from docproc.learn.training.batches import LabeledLines, LabeledVerdicts
from docproc.readers.line import LineOpinion
from docproc.readers.verifier import shown_texts
from docproc.types import DIGIT_SYMBOLS, LETTER, STRUCK, Line, LineRecognizer

MAX_WRONG = 2  # texts a line: the likeliest ones
READ_AT_ONCE = 256  # lines


def near_misses(
    labeled: LabeledLines, readers: LineRecognizer, log: Log, vary: Callable[[Line], Line] | None = None
) -> LabeledVerdicts:
    """Pictures of lines with a text below, see `readers.verifier`, and whether it is written there (1) or not (0).

    Lines that `vary` has changed are misread more often. Digits beside letters, or beside others that are struck out, are not
    the text of the field, and not shown as right.
    """
    written = [(line, symbols) for line, symbols in zip(*labeled, strict=True) if symbols and line.shape[1]]
    pictures, labels = list[Line](), list[int]()
    parts = [written[start : start + READ_AT_ONCE] for start in range(0, len(written), READ_AT_ONCE)]
    for part in counted(parts, len(written), "reading composed lines", log, READ_AT_ONCE):
        lines = [vary(line) if vary else line for line, _ in part]
        for line, (_, symbols), frames in zip(lines, part, readers.recognize(lines), strict=True):
            opinion = LineOpinion(frames)
            truth = "".join(symbol for symbol in symbols if symbol in DIGIT_SYMBOLS)
            wrong = [text for text in opinion.propose(None) if text and text != truth][:MAX_WRONG]
            right = [] if LETTER in symbols or STRUCK in symbols else [truth]
            for text, picture in shown_texts(line, opinion.frames, [*right, *wrong]).items():
                pictures.append(picture)
                labels.append(int(text == truth))
    return pictures, np.array(labels, np.int32)
