"""Decode an E-13B line, with its evidence.

The frames give the most likely lines, as those of the line networks do. If there are nine digits between two transit symbols,
as on US checks, their check digit is used: a line that breaks it is weighed against those that satisfy it.
Other countries have no such digit, and some checks are misprinted, so it is a prior and not a hard rule.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from docproc.mlp import logit
from docproc.readers.ctc import best_texts, text_scores
from docproc.readers.e13b.font import PITCH_PX, STRIDE_PX, TRANSIT
from docproc.rules import FieldRules
from docproc.types import MICR_SYMBOLS, Frames, Ink

GOES_ON = "the line goes on beyond what was read"

ROUTING = FieldRules(digits=(9, 9), check="aba")  # [standard]
_ROUTED = re.compile(f"{TRANSIT}([0-9]{{9}}){TRANSIT}")


@dataclass(frozen=True, slots=True)
class MicrTuning:
    """The tuned numbers of this stage, each with its unit and kind, see docs/house.md."""

    reach_px: float = 0.62 * PITCH_PX  # of the strip to each side of a center, within which a character's ink is [guess]
    close_px: float = 1.5 * PITCH_PX  # of the strip, greatest distance of characters without a space between them [guess]
    max_beyond_share: float = 0.2  # of a character's ink; more before the first or after the last is another character [guess]
    half_ink: int = 127  # least ink of a pixel of the strip that counts there [geometry]
    bar_share: float = 0.7  # of the strip's height; ink this tall is not a character [guess]
    bar_rim_px: int = 9  # around such a bar that belong to it [guess]
    breaks_nats: float = -4.4  # log prior of a line that breaks the check digit, relative to one that satisfies it [guess]
    max_tried: int = 3  # digits at each place of a routing number that breaks its check digit [guess]
    near_frames: int = 2  # to each side of a character, searched for those digits [guess]
    min_share: float = 1e-5  # as evidence: smaller ones count as this [guess]
    min_frame_log: float = -30.0  # for a line without frames [geometry]
    min_log: float = -25.0  # natural log probabilities are clipped here [guess]


MICR = MicrTuning()


@dataclass(frozen=True, slots=True)
class DecodedLine:
    """A decoded line with its intermediate values."""

    value: str  # digits and symbols, without spaces
    shares: tuple[tuple[str, float], ...]  # all lines that were considered with their probabilities, best first
    centers: tuple[float, ...]  # px of the strip, center of each character of `value`
    peaks: tuple[float, ...]  # the greatest probability of each character
    changed_by: str = ""  # the rule because of which it was preferred to the frames' best line
    read: str = ""  # the frames' best line


def decode(frames: Frames) -> DecodedLine:
    """The most likely line, from the recognizer's frames (t, 15) and the check digit."""
    seen = best_texts(frames, alphabet=MICR_SYMBOLS)
    first = seen[0][0]
    logs = {text: float(np.log(max(p, 1e-300))) for text, p in seen}
    if _breaks(first):
        tried = [text for text in _corrected(first, frames) if text not in logs]
        logs |= dict(zip(tried, text_scores(frames, tried, MICR_SYMBOLS).tolist(), strict=True))
    joint = {text: log + (MICR.breaks_nats if _breaks(text) else 0.0) for text, log in logs.items()}
    best = max(joint.values())
    odds = {text: float(np.exp(log - best)) for text, log in joint.items()}
    # Probability that belongs to none of these lines reduces that of all of them.
    whole = sum(odds.values()) + max(0.0, 1.0 - sum(p for _, p in seen)) * float(np.exp(min(0.0, -best)))
    shares = tuple(sorted(((text, share / whole) for text, share in odds.items()), key=lambda item: (-item[1], item[0])))
    value = shares[0][0]
    centers, peaks = _located(frames, value)
    if value == first or not _breaks(first):
        return DecodedLine(value, shares, centers, peaks)
    return DecodedLine(value, shares, centers, peaks, ROUTING.named(_routing(first)), first)


def evidence(decoded: DecodedLine, frames: Frames, line: Ink) -> NDArray[np.float64]:
    """The evidence for a line, (11,) float64.

    Its share and its lead over the second (log-odds, log ratio); its log probability by the frames; the log-odds of its two
    weakest characters; the summed doubt of all frames; the share of the strip's ink (32, width) that is not near a character;
    how evenly the characters are spaced; whether it satisfies (1), breaks (-1) or has no (0) check digit; how many characters
    it has; whether a rule changed it.
    """
    share = decoded.shares[0][1]
    second = decoded.shares[1][1] if len(decoded.shares) > 1 else 0.0
    logs = float(text_scores(frames, [decoded.value], MICR_SYMBOLS)[0]) if decoded.changed_by else np.log(max(share, 1e-300))
    weak = np.sort(logit(np.array([*decoded.peaks, 1.0, 1.0]), MICR.min_share))[:2]
    doubts = float(np.sum(1 - np.exp(frames.max(axis=1, initial=MICR.min_frame_log).astype(np.float64))))
    columns = line.sum(axis=0, dtype=np.float64)
    near = np.zeros(len(columns), bool)
    for center in decoded.centers:
        near[max(0, int(center - MICR.reach_px)) : int(center + MICR.reach_px)] = True
    left_over = float(columns[~near].sum() / max(1.0, columns.sum()))
    steps = np.diff(decoded.centers)
    close = steps[steps < MICR.close_px]
    uneven = float(np.std(close)) if len(close) > 2 else 0.0
    kept = 0.0 if not _ROUTED.search(decoded.value) else -1.0 if _breaks(decoded.value) else 1.0
    return np.array(
        [
            float(logit(np.array(share), MICR.min_share)),
            float(np.log((share + MICR.min_share) / (second + MICR.min_share))),
            float(np.clip(logs, MICR.min_log, 0.0)),
            *weak,
            doubts,
            left_over,
            uneven,
            kept,
            len(decoded.value),
            float(bool(decoded.changed_by)),
        ]
    )


def goes_on(decoded: DecodedLine, line: Ink) -> bool:
    """Whether there is more than specks of ink on the strip (32, width) before the first character or after the last.

    It may be a cut-off character, or a group that is too faint to be read. Ink taller than any character is the edge of the
    paper.
    """
    if not decoded.centers:
        return False
    columns = (line > MICR.half_ink).sum(axis=0)
    bars = np.convolve(columns > MICR.bar_share * len(line), np.ones(MICR.bar_rim_px), "same") > 0
    columns[bars] = 0
    start, stop = max(0, int(decoded.centers[0] - MICR.reach_px)), max(0, int(decoded.centers[-1] + MICR.reach_px))
    return bool(
        max(columns[:start].sum(), columns[stop:].sum())
        > MICR.max_beyond_share * columns[start:stop].sum() / len(decoded.centers)
    )


def _routing(value: str) -> str:
    """The first number between two transit symbols that breaks its check digit."""
    return next((number for number in _ROUTED.findall(value) if not ROUTING.allows(number)), "")


def _breaks(value: str) -> bool:
    return bool(_routing(value))


def _corrected(value: str, frames: Frames) -> list[str]:
    """The line with one digit of its routing number replaced so that the check digit fits, by the most likely digits there."""
    number = _routing(value)
    start = value.index(f"{TRANSIT}{number}{TRANSIT}") + 1
    centers, _ = _located(frames, value)
    corrected = []
    for place in range(9):
        at = int(centers[start + place] / STRIDE_PX)
        around = frames[max(0, at - MICR.near_frames) : at + MICR.near_frames + 1, :10].max(axis=0)
        for digit in np.argsort(-around, kind="stable")[: MICR.max_tried]:
            other = number[:place] + MICR_SYMBOLS[digit] + number[place + 1 :]
            if ROUTING.allows(other):
                corrected.append(value[:start] + other + value[start + 9 :])
    return corrected


def _located(frames: Frames, value: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The most probable centers of a line's characters, px of the strip, and each one's peak probability."""
    if not len(frames):
        return (), ()
    blank = frames.shape[1] - 1
    names = [MICR_SYMBOLS.index(c) for c in value]
    best = frames.argmax(axis=1)
    starts = np.flatnonzero(np.r_[True, best[1:] != best[:-1]])
    runs = [(int(a), int(b)) for a, b in zip(starts, [*starts[1:], len(best)], strict=True) if best[a] != blank]
    if [int(best[a]) for a, _ in runs] != names:
        runs = _aligned(frames, names)
    centers, peaks = [], []
    for name, (a, b) in zip(names, runs, strict=True):
        own = np.exp(frames[a:b, name].astype(np.float64))
        centers.append(float((own * np.arange(a, b)).sum() / max(own.sum(), 1e-12) + 0.5) * STRIDE_PX)
        peaks.append(float(own.max(initial=0.0)))
    return tuple(centers), tuple(peaks)


def _aligned(frames: Frames, names: Sequence[int]) -> list[tuple[int, int]]:
    """The frames of every character in the most likely alignment of a line (Viterbi)."""
    states = np.full(2 * len(names) + 1, frames.shape[1] - 1)
    states[1::2] = names
    jumps = np.zeros(len(states), bool)
    jumps[3::2] = states[3::2] != states[1:-2:2]
    score = np.full(len(states), -np.inf)
    score[:2] = frames[0, states[:2]]
    came = np.zeros((len(frames), len(states)), np.int64)
    for t in range(1, len(frames)):
        one = np.r_[-np.inf, score[:-1]]
        two = np.where(jumps, np.r_[-np.inf, -np.inf, score[:-2]][: len(score)], -np.inf)
        ways = np.stack([score, one, two])
        came[t] = ways.argmax(axis=0)
        score = ways.max(axis=0) + frames[t, states]
    state = len(states) - 1 if len(states) == 1 or score[-1] > score[-2] else len(states) - 2
    spans: dict[int, tuple[int, int]] = {}
    for t in range(len(frames) - 1, -1, -1):
        if state % 2:
            spans[state // 2] = (t, spans.get(state // 2, (t, t + 1))[1])
        state -= int(came[t, state])
    return [spans.get(k, (0, 0)) for k in range(len(names))]
