"""If a rule is broken: was the text misread, or written that way?

The readers' probabilities are weighed against the chance that the writer made a slip (Bayes' rule). A repair must be among
the readers' proposals, differ little from what was read, and costs confidence. If a slip of the writer explains the page as
well, the text stays and the broken rule is reported for review. A text that satisfies its rules is never changed; its
confidence rises, because other texts that the readers proposed, or might have, break them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, product
from math import prod
from string import digits

from docproc.rules import FieldRules, PageRule


@dataclass(frozen=True, slots=True)
class RepairTuning:
    """The tuned numbers of this stage, each with its unit and kind, see docs/house.md."""

    slip: float = 0.01  # probability that a writer breaks a field's own rule [guess]
    page_slip: float = 0.02  # probability that a writer breaks a rule between fields [guess]
    max_edits: int = 2  # edit distance in digits between a repair and what was read [guess]
    max_changed_fields: int = 2  # in one group, by one repair [guess]
    max_tried_texts: int = 4  # per field of a page, besides the one that was read [guess]
    max_kept_by_chance_share: float = 0.05  # of the pages with a misread number on which a rule holds nevertheless [guess]
    min_lead: float = 10.0  # ratio of the probabilities of a page's best repair and the next [guess]
    max_confidence: float = 0.99  # of a repaired text, and of all texts in a group with one [guess]
    max_gain: float = 1000.0  # factor by which rules may favor a text: slips are close to allowed texts [guess]
    min_unseen_share: float = 0.05  # of the texts that no reader proposed [guess]
    # At least this share of those counts as allowed: one in ten texts with two misread digits keeps a check digit.
    min_allowed_share: float = 0.1  # [geometry]


REPAIR = RepairTuning()

Texts = Sequence[tuple[str, float]]  # texts with their probabilities or shares, 0..1


@dataclass(frozen=True, slots=True)
class Choice:
    """A field's text and its confidence after the rules are applied."""

    text: str
    confidence: float  # 0..1, probability that the text is what was written
    changed: bool = False  # whether it differs from the text that was read
    broken: str = ""  # the rule that the text breaks, in words; "" if none
    rule: str = ""  # the rule because of which the text was changed, in words


def repair_field(shares: Texts, confidence: float, rules: FieldRules, slip: float = REPAIR.slip) -> Choice:
    """The voted text, or the best allowed one if the voted text breaks the field's rules.

    `shares` are the voted texts with their shares (0..1), best first; `confidence` is the calibrated probability that the first
    is right. The rest of the probability goes to the other texts by their shares, and to texts that no reader proposed.

    A writer keeps to the rules with probability 1 - `slip`, and otherwise writes any string. So the fewer texts the rules
    allow, the more probable an allowed text becomes, by a factor of 1000 at most. An allowed first text stays and gains what
    forbidden texts lose, up to a confidence of 0.99. A repair is at most two edits away, and more probable than a slip that
    reads as the first text. Blank fields are not judged.
    """
    if not shares or not shares[0][0]:
        return Choice("", confidence if shares else 0.0)
    first = shares[0][0]
    broken = rules.named(first)
    if not broken and confidence >= REPAIR.max_confidence:
        return Choice(first, confidence)
    others = sum(share for _, share in shares[1:])
    unseen = max(1.0 - shares[0][1] - others, REPAIR.min_unseen_share)
    rest = (1.0 - confidence) / (others + unseen)
    if not broken:
        rivals = sum(share * (1.0 if rules.allows(text) else slip) for text, share in shares[1:])
        against = rest * (unseen * _allowed_share(first, rules) + rivals)
        raised = confidence / (confidence + against) if confidence else 0.0
        return Choice(first, max(confidence, min(raised, REPAIR.max_confidence)))
    weights = [confidence * slip]
    for text, share in shares[1:]:
        gain = min(1.0 / max(rules.chance(len(text)), 1e-12), REPAIR.max_gain) if rules.allows(text) else 0.0
        weights.append(rest * share * (slip + (1.0 - slip) * gain))
    # Among texts that no reader proposed, the share of allowed ones is that among all texts, and their gain is its inverse.
    total = sum(weights) + rest * unseen
    if total <= 0:
        return Choice(first, confidence, broken=broken)
    found = [
        (weight, text)
        for weight, (text, _) in zip(weights[1:], shares[1:], strict=True)
        if rules.allows(text) and edits(first, text) <= REPAIR.max_edits
    ]
    best = max(found, key=lambda item: item[0], default=(0.0, ""))
    if best[0] > weights[0]:
        return Choice(best[1], min(best[0] / total, REPAIR.max_confidence), changed=True, rule=broken)
    return Choice(first, min(confidence, weights[0] / total), broken=broken)


def _allowed_share(read: str, rules: FieldRules) -> float:
    """What share of the texts that no reader proposed is allowed, if the text was misread as `read`.

    It is the share among the texts that differ from it in one digit, but not less than `REPAIR.min_allowed_share`.
    """
    near = [read[:k] + other + read[k + 1 :] for k, digit in enumerate(read) for other in digits if other != digit]
    return max(REPAIR.min_allowed_share, sum(map(rules.allows, near)) / len(near))


def edits(one: str, other: str) -> int:
    """The number of digits to insert, delete or replace to turn one text into the other (V. Levenshtein, 1966)."""
    row = list(range(len(other) + 1))
    for k, mine in enumerate(one, 1):
        before, row[0] = row[0], k
        for j, theirs in enumerate(other, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (mine != theirs))
    return row[-1]


# ---------------------------------------------------------------------------------------------- rules between fields


def repair_page(fields: Mapping[str, Texts], rules: Sequence[PageRule], slip: float = REPAIR.page_slip) -> dict[str, Choice]:
    """Apply the rules between the fields of one page; returns one choice per field.

    `fields` gives the texts of every field with their probabilities (0..1, sum at most 1), starting with the text that was
    read; the remainder belongs to texts that nobody proposed. Fields that rules connect, directly or not, are judged together.

    If all their rules hold, no text changes, and confidence rises, up to 0.99, because a misread number would rarely satisfy
    the rules. Otherwise the most probable set of at most two other texts with which all rules hold is weighed against a slip of
    the writer (probability `slip`, spread evenly over the numbers it might lead to) and against an unseen text. It is taken
    if it is more probable than these two together, and ten times as probable as the next such set. The confidence of a text
    in a repaired group is its share of everything that was weighed, never above 0.99 and, if the text stayed, never above its
    previous value.
    """
    choices = {name: Choice(*texts[0]) if texts else Choice("", 0.0) for name, texts in fields.items()}
    for connected in _connected(rules):
        group = _Group.of(connected, fields, choices)
        choices.update(_choose(group, _hypotheses(group, slip)) if group.broken else _confirm(group))
    return choices


@dataclass(frozen=True, slots=True)
class _Group:
    """Rules that share fields, and their fields that are not blank."""

    rules: Sequence[PageRule]
    read: Mapping[str, Choice]  # by field, as it was read
    texts: Mapping[str, str]  # by field, as it was read
    others: Mapping[str, Texts]  # by field, other texts to try, each with its probability relative to the text that was read
    unseen: Mapping[
        str, float
    ]  # by field, the probability of all texts that nobody proposed relative to that of the text that was read
    judged: Sequence[bool | None]  # whether each rule holds

    @staticmethod
    def of(rules: Sequence[PageRule], fields: Mapping[str, Texts], choices: Mapping[str, Choice]) -> _Group:
        names = dict.fromkeys(name for rule in rules for name in rule.fields if name in choices and choices[name].text)
        read = {name: choices[name] for name in names}
        texts = {name: choice.text for name, choice in read.items()}
        others, unseen = {}, {}
        for name, choice in read.items():
            own = max(choice.confidence, 1e-6)
            tried = [(text, p / own) for text, p in fields[name][1:] if text and text != choice.text and p > 0]
            others[name] = tried[: REPAIR.max_tried_texts]
            unseen[name] = max(0.0, 1.0 - sum(p for _, p in fields[name])) / own
        return _Group(rules, read, texts, others, unseen, [rule.holds(texts) for rule in rules])

    @property
    def broken(self) -> list[PageRule]:
        return [rule for rule, held in zip(self.rules, self.judged, strict=True) if held is False]

    def broken_by(self, name: str) -> str:
        """The first broken rule of a field, in words; "" if there is none."""
        return next((rule.called for rule in self.broken if name in rule.fields), "")


@dataclass(frozen=True, slots=True)
class _Change:
    """Other texts for some fields."""

    put: Mapping[str, str]  # by field
    weight: float  # its probability relative to that of the page as read


def _confirm(group: _Group) -> dict[str, Choice]:
    """All rules hold or cannot be judged: the texts stay, and those under rules that hold gain confidence."""
    holding = [rule for rule, held in zip(group.rules, group.judged, strict=True) if held]
    others = [
        change
        for change in _changes(group)
        if all(rule.holds({**group.texts, **change.put}) is not False for rule in group.rules)
    ]
    return {
        name: replace(choice, confidence=_raised(choice.confidence, name, others))
        for name, choice in group.read.items()
        if any(name in rule.fields for rule in holding)
    }


def _raised(confidence: float, name: str, others: Sequence[_Change]) -> float:
    """The probability of a text whose rules hold, as they rarely would with a misread one; never lower than before.

    `others` are the changes with which they also hold.
    """
    kept = 1.0 + sum(change.weight for change in others if name not in change.put)
    changed = sum(change.weight for change in others if name in change.put)
    by_chance = (1.0 / max(confidence, 1e-12) - 1.0) * REPAIR.max_kept_by_chance_share
    return max(confidence, min(kept / (kept + changed + by_chance), REPAIR.max_confidence))


@dataclass(frozen=True, slots=True)
class _Hypotheses:
    """Possible explanations of broken rules; all weights are probabilities relative to that of the page as read."""

    slip: _Change  # nothing was misread: the writer made a slip
    repairs: Sequence[_Change]  # misread texts with which all rules hold
    unseen: float  # a misread text that nobody proposed

    @property
    def weighed(self) -> list[_Change]:
        return [self.slip, *self.repairs]

    @property
    def total(self) -> float:
        return sum(change.weight for change in self.weighed) + self.unseen


def _hypotheses(group: _Group, slip: float) -> _Hypotheses:
    broken = group.broken
    slipped = prod(slip / rule.totals(group.texts) for rule in broken) * (1 - slip) ** (len(group.rules) - len(broken))
    kept = (1 - slip) ** len(group.rules)
    repairs = [replace(change, weight=kept * change.weight) for change in _changes(group) if _mends(change, group, broken)]
    return _Hypotheses(_Change({}, slipped), repairs, _unseen(group, broken) * kept)


def _mends(change: _Change, group: _Group, broken: Sequence[PageRule]) -> bool:
    """Whether all rules hold with the change; a rule that could not be judged may remain unjudged."""
    if any(not set(rule.fields) & change.put.keys() for rule in broken):
        return False
    changed = {**group.texts, **change.put}
    return all(
        rule.holds(changed) or (was is None and rule.holds(changed) is None)
        for rule, was in zip(group.rules, group.judged, strict=True)
    )


def _unseen(group: _Group, broken: Sequence[PageRule]) -> float:
    """The probability that one field holds a text that nobody proposed, with which all broken rules hold."""
    # Of all possible texts, one in so many makes every rule hold.
    fitting = 1.0 / max(rule.totals(group.texts) for rule in broken)
    found = 0.0
    for name, left in group.unseen.items():
        if all(name in rule.fields for rule in broken):
            found += left * fitting
    return found


def _choose(group: _Group, hypotheses: _Hypotheses) -> dict[str, Choice]:
    """The best repair if it clearly wins; otherwise the texts as read, with the rules that they break."""
    total = hypotheses.total
    ranked = sorted(hypotheses.repairs, key=lambda change: -change.weight)
    best = ranked[0] if ranked else _Change({}, 0.0)
    second = ranked[1].weight if len(ranked) > 1 else 0.0
    against = total - best.weight - sum(change.weight for change in ranked[1:])
    won = best.weight > against and best.weight >= REPAIR.min_lead * second
    taken = best.put if won else {}

    found = {}
    for name, read in group.read.items():
        text = taken.get(name, read.text)
        same = sum(change.weight for change in hypotheses.weighed if change.put.get(name, read.text) == text)
        share = same / total if total > 0 else 0.0
        rule = group.broken_by(name)
        if name in taken:
            rule = rule or group.broken[0].called
            found[name] = Choice(text, min(share, REPAIR.max_confidence), changed=True, rule=rule)
        elif won:
            found[name] = Choice(text, min(share, REPAIR.max_confidence, read.confidence))
        else:
            found[name] = Choice(text, min(share, read.confidence) if rule else read.confidence, broken=rule)
    return found


def _changes(group: _Group) -> Iterator[_Change]:
    """Every way to put other texts into at most two fields."""
    for count in range(1, REPAIR.max_changed_fields + 1):
        for names in combinations(group.read, count):
            for others in product(*(group.others[name] for name in names)):
                put = {name: text for name, (text, _) in zip(names, others, strict=True)}
                yield _Change(put, prod(p for _, p in others))


def _connected(rules: Sequence[PageRule]) -> list[list[PageRule]]:
    """The rules in groups that share fields, directly or through others, in the given order."""
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
