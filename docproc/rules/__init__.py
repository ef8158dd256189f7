"""Which texts are allowed: rules of a field, and rules between the fields of a page, as functions on strings of digits."""

from docproc.rules.automata import Automaton
from docproc.rules.between import EqualRule, OrderRule, PageRule, SumRule
from docproc.rules.calendar import DATE_ORDERS, PART_ORDERS, DateOrder, DateWindow, PartOrder, date_forms, date_of, dates_of
from docproc.rules.check_digits import (
    CHECK_NAMES,
    CheckName,
    Weighted,
    aba,
    luhn,
    mod10,
    mod11,
    mod97,
    verhoeff,
    weighted,
)
from docproc.rules.field import BREAKS, FieldRules, automaton, breaks

__all__ = [
    "BREAKS",
    "CHECK_NAMES",
    "DATE_ORDERS",
    "PART_ORDERS",
    "Automaton",
    "CheckName",
    "DateOrder",
    "DateWindow",
    "EqualRule",
    "FieldRules",
    "OrderRule",
    "PageRule",
    "PartOrder",
    "SumRule",
    "Weighted",
    "aba",
    "automaton",
    "breaks",
    "date_forms",
    "date_of",
    "dates_of",
    "luhn",
    "mod10",
    "mod11",
    "mod97",
    "verhoeff",
    "weighted",
]
