"""Where a rule is broken: was it misread, or written so?

The reader's probabilities are weighed against the chance that the writer slipped (Bayes' rule). A repair has to be among what
the readers saw, its reach is bounded, it costs confidence, and where the writer's slip explains the page as well, what was
written stays and a person is told which rule it breaks. A text that keeps its rules is never touched, and is believed more
where other texts that the readers saw break them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from math import prod

from docproc.rules import FieldRules, PageRule

SLIP = 0.01  # how often a writer breaks a field's own rule
PAGE_SLIP = 0.02  # how often a writer breaks a rule between fields
MOST_EDITS = 2  # digits by which a repair may differ from what was read
MOST_CHANGED = 2  # fields that may be repaired in one group
MOST_TRIED = 4  # other texts tried of every field of a page
KEPT_BY_CHANCE = 0.05  # of the pages with a misread number, those on which a rule holds all the same, at most
CLEAR = 10.0  # how much more probable a repair of a page must be than the next
REPAIRED_AT_MOST = 0.99  # confidence of a text that was repaired, and of all beside which one was
MOST_GAIN = 1000.0  # by which a rule may speak for a text, however few it allows: slips lie near to what is allowed
UNSEEN = 0.05  # least share of the texts that no reader proposed


@dataclass(frozen=True, slots=True)
class Choice:
    """What is told of a field after its rules were weighed."""

    text: str
    confidence: float  # 0..1, probability that the text is what was written
    changed: bool = False  # not the text that was read
    broken: str = ""  # the rule that the text breaks, in words; "" where it breaks none
    rule: str = ""  # for which it was changed, in words


def repair_field(shares: Sequence[tuple[str, float]], confidence: float, rules: FieldRules, slip: float = SLIP) -> Choice:
    """The voted text, or the best allowed one where the voted text breaks the field's rules.

    `shares` are the voted texts with their shares (0..1), best first; `confidence` is the calibrated probability that the first
    is right. What is left of it falls to the others by their shares, and to texts that no reader proposed. A writer keeps the
    rules with the probability 1 - `slip`, and else writes any string; so an allowed text gains by as much as the rules make
    it rare, at most a thousandfold. An allowed first text stays, and gains what others lose that are not allowed, up to a
    confidence of 0.99; of what no reader proposed all may be allowed. A repair is at most two edits away, and more
    probable than that the first text stands there and is a slip. Blank fields are not judged.
    """
    if not shares or not shares[0][0]:
        return Choice("", confidence if shares else 0.0)
    first = shares[0][0]
    broken = rules.named(first)
    others = sum(share for _, share in shares[1:])
    unseen = max(1.0 - shares[0][1] - others, UNSEEN)
    rest = (1.0 - confidence) / (others + unseen)
    if not broken:
        against = rest * (unseen + sum(share * (1.0 if rules.allows(text) else slip) for text, share in shares[1:]))
        raised = confidence / (confidence + against) if confidence else 0.0
        return Choice(first, max(confidence, min(raised, REPAIRED_AT_MOST)))
    weights = [confidence * slip]
    for text, share in shares[1:]:
        gain = min(1.0 / max(rules.chance(len(text)), 1e-12), MOST_GAIN) if rules.allows(text) else 0.0
        weights.append(rest * share * (slip + (1.0 - slip) * gain))
    # Of the texts that no reader proposed as many are allowed as of all, and each of those weighs as much more.
    total = sum(weights) + rest * unseen
    if total <= 0:
        return Choice(first, confidence, broken=broken)
    found = [
        (weight, text)
        for weight, (text, _) in zip(weights[1:], shares[1:], strict=True)
        if rules.allows(text) and edits(first, text) <= MOST_EDITS
    ]
    best = max(found, key=lambda item: item[0], default=(0.0, ""))
    if best[0] > weights[0]:
        return Choice(best[1], min(best[0] / total, REPAIRED_AT_MOST), changed=True, rule=broken)
    return Choice(first, min(confidence, weights[0] / total), broken=broken)


def edits(one: str, other: str) -> int:
    """How many digits have to be put in, left out or replaced to get from one text to the other (V. Levenshtein, 1966)."""
    row = list(range(len(other) + 1))
    for k, mine in enumerate(one, 1):
        before, row[0] = row[0], k
        for j, theirs in enumerate(other, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (mine != theirs))
    return row[-1]


# Of every field the other text that is put there; and how probable that is.
_Hypothesis = tuple[Mapping[str, str], float]


def repair_page(
    fields: Mapping[str, Sequence[tuple[str, float]]], rules: Sequence[PageRule], slip: float = PAGE_SLIP
) -> dict[str, Choice]:
    """Weigh the rules between the fields of one page; one choice for every field.

    `fields` gives the texts of every field with their probabilities (0..1, at most 1 together), the one that was read first;
    what lacks to 1 belongs to texts that nobody proposed. Fields with rules between them, directly or not, are judged together.
    Where all their rules hold no text changes, and as a misread number would hardly keep them, confidence rises, to 0.99 at
    most where it was lower. Else the most probable set of at most two other texts with which all hold is
    weighed against a writer's slip (probability `slip`, the numbers it might have led to equally probable) and against an
    unseen text. It is taken when it is more probable than these two together, and ten times as probable as the next such
    set. The confidence of a group that was repaired is that of every text over all that was weighed, never above 0.99 and,
    where the text stayed, never above what it was.
    """
    choices = {name: Choice(*texts[0]) if texts else Choice("", 0.0) for name, texts in fields.items()}
    for group in _groups(rules):
        choices.update(_repair_group(fields, choices, group, slip))
    return choices


def _repair_group(
    fields: Mapping[str, Sequence[tuple[str, float]]], read: Mapping[str, Choice], rules: Sequence[PageRule], slip: float
) -> dict[str, Choice]:
    names = [name for name in dict.fromkeys(name for rule in rules for name in rule.fields) if read.get(name, _BLANK).text]
    texts = {name: read[name].text for name in names}
    judged = [rule.holds(texts) for rule in rules]
    broken = [rule for rule, held in zip(rules, judged, strict=True) if held is False]
    if not broken:
        agreeing = {name for rule, held in zip(rules, judged, strict=True) if held for name in rule.fields if name in texts}
        others = [
            ({name: text for name, (text, _) in changes.items()}, prod(p for _, p in changes.values()))
            for changes in _changes(fields, read, names)
            if all(rule.holds(texts | {name: text for name, (text, _) in changes.items()}) is not False for rule in rules)
        ]
        return {name: replace(read[name], confidence=_raised(read[name].confidence, name, others)) for name in agreeing}

    # All weights are over that of the page as it was read.
    slipped = prod(slip / rule.totals(texts) for rule in broken) * (1 - slip) ** (len(rules) - len(broken))
    kept = (1 - slip) ** len(rules)
    hypotheses: list[_Hypothesis] = [({}, slipped)]
    for changes in _changes(fields, read, names):
        if any(not set(rule.fields) & changes.keys() for rule in broken):
            continue
        changed = texts | {name: text for name, (text, _) in changes.items()}
        # A rule that was judged must hold; one that was not may not be broken either.
        if all(
            rule.holds(changed) or (was is None and rule.holds(changed) is None)
            for rule, was in zip(rules, judged, strict=True)
        ):
            ratio = prod(p for _, p in changes.values())
            hypotheses.append(({name: text for name, (text, _) in changes.items()}, kept * ratio))
    unseen = _unseen(fields, read, names, broken, texts) * kept

    total = sum(weight for _, weight in hypotheses) + unseen
    ranked = sorted(hypotheses[1:], key=lambda item: -item[1])
    best = ranked[0] if ranked else ({}, 0.0)
    second = ranked[1][1] if len(ranked) > 1 else 0.0
    won = best[1] > total - best[1] - sum(weight for _, weight in ranked[1:]) and best[1] >= CLEAR * second
    taken = best[0] if won else {}

    def share(name: str, text: str) -> float:
        return sum(weight for put, weight in hypotheses if put.get(name, texts[name]) == text) / total if total > 0 else 0.0

    found = {}
    for name in names:
        text = taken.get(name, texts[name])
        confidence = min(share(name, text), REPAIRED_AT_MOST)
        if name in taken:
            rule = next((rule.called for rule in broken if name in rule.fields), broken[0].called)
            found[name] = Choice(text, confidence, changed=True, rule=rule)
        elif won:
            found[name] = Choice(text, min(confidence, read[name].confidence))
        else:
            breaks = next((rule.called for rule in broken if name in rule.fields), "")
            lower = min(share(name, text), read[name].confidence) if breaks else read[name].confidence
            found[name] = Choice(text, lower, broken=breaks)
    return found


def _raised(confidence: float, name: str, others: Sequence[_Hypothesis]) -> float:
    """The probability of a text when its rules hold, which a misreading would hardly keep; never lower than it was.

    `others` are the sets of other texts with which they hold as well, with their probability over that of the page as read.
    """
    kept = 1.0 + sum(weight for put, weight in others if name not in put)
    changed = sum(weight for put, weight in others if name in put)
    by_chance = (1.0 / max(confidence, 1e-12) - 1.0) * KEPT_BY_CHANCE
    return max(confidence, min(kept / (kept + changed + by_chance), REPAIRED_AT_MOST))


_BLANK = Choice("", 0.0)


def _changes(
    fields: Mapping[str, Sequence[tuple[str, float]]], read: Mapping[str, Choice], names: Sequence[str]
) -> Iterator[dict[str, tuple[str, float]]]:
    """Every way to put other texts into at most two fields, each with how probable it is over the one that was read."""
    others = {
        name: [
            (text, p / max(read[name].confidence, 1e-6))
            for text, p in fields[name][1:]
            if text and text != read[name].text and p > 0
        ][:MOST_TRIED]
        for name in names
    }
    for count in range(1, MOST_CHANGED + 1):
        for some in combinations(names, count):
            ways: list[dict[str, tuple[str, float]]] = [{}]
            for name in some:
                ways = [way | {name: other} for way in ways for other in others[name]]
            yield from ways


def _unseen(
    fields: Mapping[str, Sequence[tuple[str, float]]],
    read: Mapping[str, Choice],
    names: Sequence[str],
    broken: Sequence[PageRule],
    texts: Mapping[str, str],
) -> float:
    """How probable it is, over the page as it was read, that one field holds a text nobody proposed with which all is well."""
    # Of all the texts that might stand there one in so many makes every rule hold.
    fitting = 1.0 / max(rule.totals(texts) for rule in broken)
    found = 0.0
    for name in names:
        if all(name in rule.fields for rule in broken):
            left = max(0.0, 1.0 - sum(p for _, p in fields[name]))
            found += left / max(read[name].confidence, 1e-6) * fitting
    return found


def _groups(rules: Sequence[PageRule]) -> list[list[PageRule]]:
    """The rules by what fields they have in common, directly or through others; in the order in which they were given."""
    groups: list[tuple[set[str], list[PageRule]]] = []
    for rule in rules:
        names, own = set(rule.fields), [rule]
        apart = []
        for group in groups:
            if group[0] & names:
                names, own = names | group[0], [*group[1], *own]
            else:
                apart.append(group)
        groups = [*apart, (names, own)]
    return [own for _, own in groups]
