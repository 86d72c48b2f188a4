"""National identity and insurance numbers of any country: told apart by their form and check digit, else plain.

A column that mixes resident IDs, Hong Kong, Macao and Taiwan cards, NHS and Social Security numbers and passports.
Canonical is that of the kind whose number it is. Rarity: as the kind says; a plain number's as of record numbers.
"""

import re
from types import ModuleType

from matchers.canonical import canonical
from matchers.kinds import hk_id, macao_id, mrn, resident_id, taiwan_id, uk_nhs, us_ssn
from matchers.kinds.kind import Grams, Term, compact, number_terms

CODE = 5
ROLE = "primary"
GRAMS: tuple[Grams, ...] = ()

_PLAIN = re.compile(r"[0-9]{3}([- ])[0-9]{2,3}\1[0-9]{4}")
_WRITTEN_MACAO = re.compile(r"[157]\d{6}\(\d\)|[157]/\d{6}/\d")

SHOULD_MATCH = (
    ("987-65-4320", "SSN 987654320"),
    ("943 476 5919", "NHS 943-476-5919"),
    ("999901198001011238", "999901198001011238"),
    ("999901198001011235", "999901198001011235"),
    ("A123456(3)", "a123456(3)"),
    ("***-**-4320", "ssn 987*****4320"),
)
SHOULD_NOT = (("987-65-4320", "987-65-4321"),)


def plain(value: str) -> str | None:
    """Return a resident ID in which nothing is wrong, an SSN or an NHS number in its groups."""
    return value.replace("-", "").replace(" ", "") if _PLAIN.fullmatch(value) else resident_id.plain(value)


def canonicalise(value: str) -> str:
    """Return 17 digits for a resident ID (18 if something is wrong with it), else letters and digits."""
    folded = canonical(value).strip()
    kept = compact(folded)
    if re.fullmatch(r"\d{17}[\dx]", kept) or (len(kept) in {15, 17} and _resident(kept)):
        return resident_id.canonicalise(kept)
    if _WRITTEN_MACAO.fullmatch(folded):
        return macao_id.canonicalise(kept)
    if re.fullmatch(r"[a-z]{1,2}\d{6}(?:\(?[\da]\)?)?", folded) and not hk_id.slip(hk_id.canonicalise(kept)):
        return hk_id.canonicalise(kept)
    if re.fullmatch(r"[x*#•●]{3}[ -]?[x*#•●]{2}[ -]?\d{4}", folded):
        return us_ssn.canonicalise(folded)
    return mrn.canonicalise(value)


def slip(canonical: str) -> bool:
    """Return whether a resident ID has something wrong in it; no other form tells a slip from another number."""
    return re.fullmatch(r"\d{17}[\dx?]", canonical) is not None


def terms(canonical: str) -> tuple[Term, ...]:
    """Return the terms of the number's own kind, else the number and its tails."""
    if len(canonical) == 4:
        return us_ssn.terms(canonical)
    kind = _kind(canonical)
    if kind is not None:
        made: tuple[Term, ...] = kind.terms(canonical)
        return made
    return number_terms(canonical, mrn.terms(canonical)[0].weight)


def _kind(kept: str) -> ModuleType | None:
    """Return the kind of which letters and digits are a number, or None."""
    if re.fullmatch(r"\d{17}[\dx?]?", kept) and (len(kept) > 17 or _resident(kept)):
        return resident_id
    if re.fullmatch(r"[a-z]{1,2}\d{6}[\da]", kept) and not hk_id.slip(kept):
        return hk_id
    if re.fullmatch(r"[a-z][0-9a-d]\d{8}", kept) and not taiwan_id.slip(kept):
        return taiwan_id
    if re.fullmatch(r"\d{10}", kept) and not uk_nhs.slip(kept):
        return uk_nhs
    return us_ssn if re.fullmatch(r"\d{9}", kept) else None


def _resident(kept: str) -> bool:
    """Return whether 15 or 17 digits are a resident ID of the old form, or one without its check character."""
    try:
        return kept.isdigit() and resident_id.canonicalise(kept) != kept
    except ValueError:
        return False
