"""What stands on an E-13B line, how sure that is, and what its groups mean.

The frames give the likeliest lines, as those of the line network do. Where nine digits stand between two transit symbols, as on
checks of the United States, their check digit takes part: a line that breaks it is weighed against those that keep it.
Other countries have no such digit, and some checks are misprinted, so it is a prior and no law.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from docproc.mlp import logit
from docproc.readers.ctc import best_texts, text_scores
from docproc.rules import FieldRules
from docproc.types import MICR_SYMBOLS, Frames, Ink

TRANSIT, AMOUNT, ON_US, DASH = tuple(MICR_SYMBOLS[10:])
STRIDE = 4  # px of the strip for a frame
PITCH = 19.2  # px of the strip from a character to the next, where nothing was stretched
REACH = 0.62 * PITCH  # px to each side of a center in which a character's ink lies
BEYOND = 0.2  # of a character's ink; more before the first or behind the last is a character, too
INKED = 127  # ink of the strip from which a pixel counts there
BAR, BAR_NEAR = 0.7, 9  # height of the strip from which ink is no character's, and px around it that are its own
BREAKS = -4.4  # natural log: how rare a line is that breaks the check digit, over one that keeps it
PUT_IN = 3  # digits that are tried in every place of a routing number that breaks its check digit
PARTS = ("routing", "account", "check_number", "encoded_amount")
GOES_ON = "the line goes on beyond what was read"
LEAST_LOG = -25.0  # log probability below which doubt no longer counts

ROUTING = FieldRules(digits=(9, 9), check="aba")
_ROUTED = re.compile(f"{TRANSIT}([0-9]{{9}}){TRANSIT}")
_AMOUNT = re.compile(f"{AMOUNT}([0-9]{{10}}){AMOUNT}?$")
_LINE = re.compile(
    f"(?:{ON_US}(?P<first>[0-9{DASH}]+){ON_US})?(?P<opened>{TRANSIT}?)(?P<routing>[0-9{DASH}]+){TRANSIT}"
    f"(?P<account>[0-9{DASH}]*)(?:{ON_US}(?P<last>[0-9]*))?$"
)


@dataclass(frozen=True, slots=True)
class Told:
    """A line with what led to it."""

    value: str  # digits and symbols, without spaces
    shares: tuple[tuple[str, float], ...]  # all lines that were weighed with their probabilities, best first
    centers: tuple[float, ...]  # px of the strip at which each character of `value` stands
    peaks: tuple[float, ...]  # the greatest probability of each character
    changed_by: str = ""  # the rule for which it was taken over the one that the frames put first


def tell(frames: Frames) -> Told:
    """The likeliest line, by what the recognizer saw in every frame (t, 15) and by the check digit."""
    seen = best_texts(frames, alphabet=MICR_SYMBOLS)
    first = seen[0][0]
    logs = {text: float(np.log(max(p, 1e-300))) for text, p in seen}
    if _breaks(first):
        put_in = [text for text in _mended(first, frames) if text not in logs]
        logs |= dict(zip(put_in, text_scores(frames, put_in, MICR_SYMBOLS).tolist(), strict=True))
    joint = {text: log + (BREAKS if _breaks(text) else 0.0) for text, log in logs.items()}
    best = max(joint.values())
    odds = {text: float(np.exp(log - best)) for text, log in joint.items()}
    # What no line that was weighed has is lost to all of them.
    whole = sum(odds.values()) + max(0.0, 1.0 - sum(p for _, p in seen)) * float(np.exp(min(0.0, -best)))
    shares = tuple(sorted(((text, share / whole) for text, share in odds.items()), key=lambda item: (-item[1], item[0])))
    value = shares[0][0]
    centers, peaks = _spread(frames, value)
    return Told(value, shares, centers, peaks, ROUTING.named(_routing(first)) if value != first and _breaks(first) else "")


def digits_of(value: str) -> str:
    """The digits of a line alone."""
    return "".join(c for c in value if c.isdigit())


def evidence(told: Told, frames: Frames, line: Ink) -> NDArray[np.float64]:
    """What speaks for a line, (11,) float64.

    Its share and its lead over the second (log-odds, log ratio); its log probability by the frames; the log-odds of its two
    weakest characters; the summed doubt of all frames; the share of the strip's ink (32, width) that is near no character;
    how evenly the characters stand; whether it keeps (1), breaks (-1) or has no (0) check digit; how many characters it
    has; whether a rule changed it.
    """
    share = told.shares[0][1]
    second = told.shares[1][1] if len(told.shares) > 1 else 0.0
    logs = float(text_scores(frames, [told.value], MICR_SYMBOLS)[0]) if told.changed_by else np.log(max(share, 1e-300))
    weak = np.sort(logit(np.array([*told.peaks, 1.0, 1.0]), 1e-5))[:2]
    doubts = float(np.sum(1 - np.exp(frames.max(axis=1, initial=-30.0).astype(np.float64))))
    columns = line.sum(axis=0, dtype=np.float64)
    near = np.zeros(len(columns), bool)
    for center in told.centers:
        near[max(0, int(center - REACH)) : int(center + REACH)] = True
    left_over = float(columns[~near].sum() / max(1.0, columns.sum()))
    steps = np.diff(told.centers)
    close = steps[steps < 1.5 * PITCH]
    uneven = float(np.std(close)) if len(close) > 2 else 0.0
    kept = 0.0 if not _ROUTED.search(told.value) else -1.0 if _breaks(told.value) else 1.0
    return np.array(
        [
            float(logit(np.array(share), 1e-5)),
            float(np.log((share + 1e-5) / (second + 1e-5))),
            float(np.clip(logs, LEAST_LOG, 0.0)),
            *weak,
            doubts,
            left_over,
            uneven,
            kept,
            len(told.value),
            float(bool(told.changed_by)),
        ]
    )


def goes_on(told: Told, line: Ink) -> bool:
    """Whether there is more ink on the strip (32, width) before the first character or behind the last than specks are.

    It may be a character that is cut, or a group that is too faint to be read. What is higher than any character is the edge
    of the paper.
    """
    if not told.centers:
        return False
    columns = (line > INKED).sum(axis=0)
    bars = np.convolve(columns > BAR * len(line), np.ones(BAR_NEAR), "same") > 0
    columns[bars] = 0
    start, stop = max(0, int(told.centers[0] - REACH)), max(0, int(told.centers[-1] + REACH))
    return bool(max(columns[:start].sum(), columns[stop:].sum()) > BEYOND * columns[start:stop].sum() / len(told.centers))


@dataclass(frozen=True, slots=True)
class Part:
    """A group of a line that means something: its characters are `first` .. `last` - 1 of the line's value."""

    name: str
    text: str  # its digits
    value: str  # as it stands: digits, and dashes between them; of the amount, units and cents
    first: int
    last: int


def parse(value: str, centers: Sequence[float] = ()) -> tuple[Part, ...]:
    """What the groups of a line mean: `routing`, `account`, `check_number` and `encoded_amount`, those that are there.

    The number before a transit symbol is the bank's: of nine digits in the United States and in India, with a dash in Canada.
    What follows, up to the next on-us symbol, is the account. A number between on-us symbols at the start is the check's;
    else, where the bank's number stands between two transit symbols, the number after the account is; or a group of at most
    six digits that a space parts from the account, if `centers`, the places of the characters, tell so. The amount stands
    between amount symbols, in cents. What follows a second on-us symbol in other countries, a code of the transaction, is no
    part.
    """
    found: list[Part] = []
    amount = _AMOUNT.search(value)
    rest = value[: amount.start()] if amount else value
    line = _LINE.search(rest)
    if line is not None:
        routing, account = line.span("routing"), line.span("account")
        check = line.span("first") if line["first"] else (0, 0)
        if line["opened"] and not line["first"]:
            if line["last"]:
                check = line.span("last")
            elif len(centers) == len(value):
                check, account = _parted(account, centers)
        spans = (("routing", routing), ("account", account), ("check_number", check))
        found = [Part(name, digits_of(value[a:b]), value[a:b], a, b) for name, (a, b) in spans if b > a]
    if amount is not None:
        cents = amount[1]
        found.append(Part("encoded_amount", cents, f"{int(cents[:-2])}.{cents[-2:]}", *amount.span(1)))
    return tuple(found)


def _parted(account: tuple[int, int], centers: Sequence[float]) -> tuple[tuple[int, int], tuple[int, int]]:
    """The check's number and the account where both stand before the on-us symbol, with a space between."""
    start, stop = account
    gaps = np.diff(np.array(centers[start:stop]))
    usual = float(np.median(gaps)) if len(gaps) else 0.0
    for k in np.flatnonzero(gaps > 1.6 * usual):
        cut = start + int(k) + 1
        # Of two groups the check's number is the shorter one, and stands at either end.
        if cut - start <= 6 and cut - start < stop - cut:
            return (start, cut), (cut, stop)
        if stop - cut <= 6 and stop - cut < cut - start:
            return (cut, stop), (start, cut)
    return (0, 0), account


def _routing(value: str) -> str:
    """The first number between two transit symbols that breaks its check digit."""
    return next((number for number in _ROUTED.findall(value) if not ROUTING.allows(number)), "")


def _breaks(value: str) -> bool:
    return bool(_routing(value))


def _mended(value: str, frames: Frames) -> list[str]:
    """The line with one digit of its routing number put in anew so that the check digit fits, the likeliest to stand there."""
    number = _routing(value)
    start = value.index(f"{TRANSIT}{number}{TRANSIT}") + 1
    centers, _ = _spread(frames, value)
    mended = []
    for place in range(9):
        at = int(centers[start + place] / STRIDE)
        around = frames[max(0, at - 2) : at + 3, :10].max(axis=0)
        for digit in np.argsort(-around)[:PUT_IN]:
            other = number[:place] + MICR_SYMBOLS[digit] + number[place + 1 :]
            if ROUTING.allows(other):
                mended.append(value[:start] + other + value[start + 9 :])
    return mended


def _spread(frames: Frames, value: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Where the characters of a line most probably stand, px of the strip, and how probable each is at best."""
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
        centers.append(float((own * np.arange(a, b)).sum() / max(own.sum(), 1e-12) + 0.5) * STRIDE)
        peaks.append(float(own.max(initial=0.0)))
    return tuple(centers), tuple(peaks)


def _aligned(frames: Frames, names: Sequence[int]) -> list[tuple[int, int]]:
    """The frames of every character on the likeliest way to spread a line over them (Viterbi)."""
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
