"""Choose the template for a page among several, and find other forms on its scan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from docproc.errors import DocumentError
from docproc.fields import template
from docproc.fields.laying import KnownForm, OpenForm, settled
from docproc.fields.template import Template
from docproc.types import Gray, Page, Placed

if TYPE_CHECKING:
    from docproc.pages.register import Registration


@dataclass(frozen=True, slots=True)
class ChoiceTuning:
    """The tuned numbers of this stage, each with its unit and kind, see docs/house.md."""

    min_alike_share: float = (
        0.4  # of the features in common with the most similar form: forms with more are tried as well [guess]
    )
    min_alike: int = 8  # of them; if no form has this many, all are tried [guess]
    min_lead: float = 0.05  # of the patches, by which the best form leads the next; with less, the fields decide [guess]
    max_forms: int = 8  # on a scan [guess]
    outside_share: float = (
        0.5  # of the page, by which the middle of another form may be outside: a partial form is reported [guess]
    )
    min_part_share: float = 0.15  # of the patches of such a form [guess]


CHOICE = ChoiceTuning()

PART = "a part of another form lies beside this one on the scan; scan that by itself"


@dataclass(frozen=True, slots=True, eq=False)
class _Lying:
    """A form found on a page."""

    known: Template
    form: KnownForm
    found: Registration


def laid_out(page: Page, templates: Sequence[Template], open_form: OpenForm) -> Placed:
    """The page registered to the form of the template that fits, or used as it is if that template has no form image.

    Raises DocumentError if none fits, or two do.
    """
    forms = [(known, open_form(known)) for known in templates if known.registers]
    shaped = [known for known in templates if not known.registers and (len(templates) == 1 or template.fits(known, page))]
    try:
        first, rest = _first_of(page, forms) if forms else (None, None)
    except DocumentError:
        if not shaped:
            raise
        first, rest = None, None
    if first is not None:
        placed = settled(page, first.known, first.form, first.found)
        return replace(placed, rest=rest, template=_told(first.known, templates), sheet=first.known.sheet)
    if len(shaped) > 1:
        raise DocumentError(
            "does_not_fit", f"the page has the shape of several templates: {_names(shaped)}; give them references"
        )
    if not shaped:
        shapes = f"{page.width} x {page.height} pixels"
        raise DocumentError("does_not_fit", f"the page of {shapes} has the shape of none of the templates {_names(templates)}")
    (known,) = shaped
    return Placed(page, template.place(known, page), known.rules, template=_told(known, templates))


def _told(known: Template, templates: Sequence[Template]) -> str:
    """The name of the template, if there are others."""
    return known.name if len({one.name for one in templates}) > 1 else ""


def _names(templates: Sequence[Template]) -> str:
    return ", ".join(dict.fromkeys(one.name for one in templates))


def _first_of(page: Page, forms: Sequence[tuple[Template, KnownForm]]) -> tuple[_Lying, Page | DocumentError | None]:
    """The first form on the page, in reading order, and the page without it if there is another one.

    An error instead if the other one is only a part. Raises DocumentError if there is no form at all.
    """
    from docproc.pages.register import first_of, without_form

    lying = [_found_on(page.gray, forms)]
    part = False
    left: Gray | None = page.gray
    while len(lying) < CHOICE.max_forms and left is not None:
        left = without_form(left, lying[-1].found.to_page, lying[-1].form.reference.size)
        another, share = _sought(left, forms, CHOICE.outside_share) if left is not None else ([], 0.0)
        if not another:
            part = share >= CHOICE.min_part_share
            break
        lying.append(another[0])
    first = lying[first_of([(one.found.to_page, one.form.reference.size) for one in lying])]
    rest = without_form(page.gray, first.found.to_page, first.form.reference.size) if len(lying) > 1 else None
    if rest is None:
        return first, DocumentError("does_not_fit", PART) if part else None
    return first, replace(page, gray=rest)


def _found_on(gray: Gray, forms: Sequence[tuple[Template, KnownForm]]) -> _Lying:
    """The form that fits the page. Raises DocumentError if none does, or two fit equally well."""
    from docproc.pages.register import register

    if len(forms) == 1:
        ((known, form),) = forms
        return _Lying(known, form, register(gray, form.reference))
    lying, share = _sought(gray, forms)
    if not lying:
        names = dict.fromkeys(known.name for known, _ in forms)
        kinds = f"templates {', '.join(names)}" if len(names) > 1 else f"pages of {next(iter(names))}"
        much = f"at most {share:.0%} of the print of one is found where it should be"
        message = f"the page fits none of the {kinds}: {much}"
        raise DocumentError("does_not_fit", message)
    best = lying[0]
    close = [one for one in lying if best.found.share - one.found.share < CHOICE.min_lead and _on_top(one, best)]
    if len(close) == 1:
        return close[0]
    # Editions of a form differ in a few of its fields.
    lost = [_lost_fields(gray, one) for one in close]
    if lost.count(min(lost)) > 1:
        called = " and ".join(one.known.called for one in close)
        raise DocumentError(
            "does_not_fit", f"the page fits several templates alike, {called}; give --layout one of them for it"
        )
    return close[lost.index(min(lost))]


def _on_top(one: _Lying, other: _Lying) -> bool:
    """Whether two forms are in the same place, not next to each other."""
    from docproc.pages.register import lies_on

    return lies_on(one.found.to_page, one.form.reference.size, other.found.to_page, other.form.reference.size)


def _lost_fields(gray: Gray, one: _Lying) -> int:
    """The number of fields of the form that are not where it has them."""
    from docproc.pages.register import local_fits

    boxes = [field.box for field in one.known.fields]
    fits = local_fits(gray, one.found.to_page, one.form.reference.scale, one.form.print, boxes)
    return sum(fit.trouble == "not there" for fit in fits)


def _sought(
    gray: Gray, forms: Sequence[tuple[Template, KnownForm]], outside: float | None = None
) -> tuple[list[_Lying], float]:
    """The forms that fit the page, best first, and the largest share of a form's print that is found on it."""
    from docproc.pages.register import resemblance, seek

    alike = resemblance(gray, [form.reference for _, form in forms]) if len(forms) > 1 else [0]
    most = max(alike)
    lying, best = [], 0.0
    for (known, form), count in zip(forms, alike, strict=True):
        likely = most < CHOICE.min_alike or count >= CHOICE.min_alike_share * most
        if not likely and len(form.reference.patches):
            continue
        found, share = seek(gray, form.reference) if outside is None else seek(gray, form.reference, outside)
        best = max(best, share)
        if found is not None:
            lying.append(_Lying(known, form, found))
    return sorted(lying, key=_by_share), best


def _by_share(one: _Lying) -> float:
    return -one.found.share
