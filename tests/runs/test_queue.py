"""Which fields are asked for, in what order, and who has them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from docproc.runs.edits import AUDIT, DIFFER, ILLEGIBLE, Edit, FieldState, edit_of, keyed_rows
from docproc.runs.queue import LEASE_SECONDS, Entry, Mode, Order, Person, Queue, Wishes, entry_of, in_order
from docproc.runs.sampling import NUMBERS, Sample
from docproc.types import FieldSpec, Row, Status

ANNA, BOB = Person("ANNA", "1"), Person("BOB", "2")
ALL = Sample("secret", NUMBERS - 1)
REVIEW = Wishes()


def field(number: int, name: str = "id", confidence: float = 0.5, status: Status = "review", text: str = "120") -> FieldState:
    row = Row(f"{number}.png", 1, name, text, text, confidence, status, "", "", "", "", 1, 2, 3, 4, spec=FieldSpec())
    return FieldState(f"{number:064}", row, row)


def keyed(state: FieldState, *said: tuple[str, str, dict[str, Any]]) -> FieldState:
    """The field after people keyed it: (who, text, how)."""
    edits: list[Edit] = []
    for number, (who, text, how) in enumerate(said, len(state.edits) + 1):
        edit = edit_of(state, "text" if text else "illegible", text, who=who, **{"screen": "review"} | how)
        edits.append(replace(edit, id=number))
    edits = [*state.edits, *edits]
    (row,) = keyed_rows([state.reading], edits)
    return replace(state, row=row, edits=tuple(edits))


def modes(wishes: Wishes, *states: FieldState) -> list[Mode | None]:
    return [entry.mode if (entry := entry_of(state, wishes)) else None for state in states]


def queue_of(*states: FieldState, wishes: Wishes = REVIEW) -> Queue:
    queue = Queue(wishes)
    queue.fill(states)
    return queue


def taken(
    queue: Queue, person: Person = ANNA, count: int = 9, now: float = 0.0, order: Order = "doubt", **held: Any
) -> list[str]:
    return [entry.state.reading.document[0] for entry in queue.take(person, count, now, order=order, **held)]


def test_only_doubtful_fields_that_nobody_keyed_are_asked_for() -> None:
    doubtful, accepted, blank = field(1), field(2, status="ok"), field(3, status="blank", text="")
    done, lost = keyed(doubtful, ("ANNA", "120", {})), keyed(doubtful, ("ANNA", "", {}))
    assert lost.row.reason == ILLEGIBLE
    unknown = replace(doubtful, sha256="")
    assert modes(REVIEW, doubtful, accepted, blank, done, lost, unknown) == ["read", None, None, None, None, None]
    assert modes(Wishes(everything=True), accepted, blank, done) == ["read", "read", None]
    assert modes(Wishes(("sum",)), doubtful, field(4, "sum")) == [None, "read"]


def test_what_broke_a_rule_after_it_was_keyed_is_asked_for_again() -> None:
    state = keyed(field(1), ("ANNA", "121", {}))
    assert modes(REVIEW, replace(state, row=replace(state.row, status="review", reason="breaks a rule: a + b = c"))) == [
        "third"
    ]


def test_a_second_keying_is_for_another_person_and_a_difference_for_a_third_look() -> None:
    once = keyed(field(1), ("ANNA", "121", {}))
    same = keyed(once, ("BOB", "121", {"again": True}))
    other = keyed(once, ("BOB", "127", {"again": True}))
    again = Wishes(again=True)
    assert modes(again, field(2), once, same, other) == [None, "again", None, None]
    assert modes(REVIEW, same, other) == [None, "third"]
    assert (same.row.keyed, other.row.reason) == ("twice", DIFFER.format("121", "127"))
    queue = queue_of(field(2), once, wishes=again)
    assert (taken(queue, ANNA), taken(queue, BOB)) == ([], ["1"])
    assert (queue.left(ANNA), queue.left(BOB)) == (0, 1)


def test_accepted_fields_of_the_sample_are_asked_for_blind_until_somebody_keyed_them_so() -> None:
    wishes = Wishes(sample=ALL)
    accepted = field(1, status="ok")
    confirmed = keyed(accepted, ("ANNA", "120", {}))
    audited = keyed(accepted, ("ANNA", "121", {"screen": AUDIT}))
    assert modes(wishes, accepted, confirmed, audited, field(2)) == ["audit", "audit", None, "read"]
    assert modes(Wishes(sample=Sample("secret", -1)), accepted) == [None]


def test_fields_of_one_name_come_in_a_row_and_the_least_sure_first() -> None:
    states = [field(1, "id", 0.7), field(1, "sum", 0.4), field(2, "id", 0.2), field(2, "sum", 0.9), field(3, "id", 0.5)]
    entries = [Entry(state, "read") for state in states]

    def names(order: Order) -> list[str]:
        return [f"{entry.state.reading.field}{entry.state.reading.document[0]}" for entry in in_order(entries, order)]

    assert names("doubt") == ["id2", "id3", "id1", "sum1", "sum2"]
    assert names("paper") == ["id1", "id2", "id3", "sum1", "sum2"]


def test_fields_of_an_audit_are_spread_among_the_others() -> None:
    entries = [Entry(field(k, confidence=k / 10), "read") for k in range(8)]
    entries += [Entry(field(k, status="ok"), "audit") for k in (8, 9)]
    found = [entry.mode for entry in in_order(entries, "doubt")]
    assert [place for place, mode in enumerate(found) if mode == "audit"] == [2, 7]


def test_copies_of_a_document_are_asked_for_once() -> None:
    state = field(1)
    assert len(taken(queue_of(state, replace(state, row=replace(state.row, document="copy.png"))))) == 1


def test_a_field_is_lent_to_one_person_at_a_time() -> None:
    queue = queue_of(field(1), field(2), field(3))
    assert taken(queue, ANNA, 2) == ["1", "2"]
    assert taken(queue, BOB) == ["3"]
    assert taken(queue, ANNA) == ["1", "2"]  # they are still hers
    assert taken(queue, Person("ANNA", "another desk")) == []
    assert taken(queue, BOB, now=LEASE_SECONDS - 1, held=[field(3).key]) == []  # and BOB keeps his
    assert taken(queue, BOB, now=LEASE_SECONDS, held=[field(3).key]) == ["1", "2"]
    assert taken(queue, ANNA, now=LEASE_SECONDS + 1, held=[field(1).key]) == []


def test_who_closes_the_page_gives_everything_back() -> None:
    queue = queue_of(field(1))
    assert taken(queue, ANNA) == ["1"]
    queue.begin(ANNA)
    assert taken(queue, BOB) == ["1"]


def test_what_is_passed_over_is_for_others_or_for_later() -> None:
    queue = queue_of(field(1), field(2))
    taken(queue, ANNA)
    queue.give_back(field(1).key, ANNA, later=True)
    assert (queue.left(ANNA), queue.passed_over(ANNA), queue.left(BOB)) == (1, 1, 2)
    assert taken(queue, ANNA) == ["2"]
    assert taken(queue, BOB) == ["1"]
    queue.begin(BOB)
    queue.begin(ANNA)
    assert taken(queue, ANNA) == ["1", "2"]


def test_what_was_keyed_leaves_and_what_it_put_in_doubt_comes() -> None:
    queue = queue_of(field(1), field(2, status="ok"), field(3))
    queue.update([keyed(field(1), ("ANNA", "120", {})), field(2)])
    assert taken(queue, order="doubt") == ["3", "2"]


def test_another_page_may_ask_for_a_field() -> None:
    accepted = field(9, status="ok")
    queue = queue_of(field(1), accepted)
    queue.put_first(accepted, 2)
    (first, second) = queue.take(ANNA, 9, 0.0)
    assert ((first.state, first.place), second.state) == ((accepted, 2), field(1))
    queue.fill([field(1), accepted])  # somebody opens the page
    queue.update([accepted])
    assert queue.left(ANNA) == 2
    queue.update([keyed(accepted, ("BOB", "7", {}))])
    assert queue.left(ANNA) == 1


def test_what_was_taken_back_is_lent_again() -> None:
    queue = queue_of(field(1), field(2))
    queue.give_back(field(1).key, ANNA, later=True)
    assert queue.lend(field(1), ANNA, 0.0).mode == "read"
    assert queue.find(field(1).key)
    assert taken(queue, BOB) == ["2"]
    accepted = field(3, status="ok")  # that somebody had asked for
    assert queue.lend(accepted, ANNA, 0.0).mode == "read"


def test_a_long_queue_is_put_in_order_anew() -> None:
    states = [field(1000 + k, confidence=k / 1000) for k in range(600)]
    queue = queue_of(*states)
    taken(queue, count=1)
    for state in states[:400]:
        queue.update([keyed(state, ("ANNA", "120", {}))])
    first = queue.take(BOB, 1, 0.0)[0]
    assert first.state == states[400]


def test_what_is_put_last_comes_after_all_others() -> None:
    queue = queue_of(field(1), field(2), field(3))
    assert taken(queue, count=1) == ["1"]
    queue.put_last(field(1).key)
    assert taken(queue, BOB) == ["2", "3", "1"]
