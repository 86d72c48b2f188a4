"""Dates of birth, in every common order and script; lunar dates excepted.

Canonical is YYYYMMDD. Rarity: about 36,500 days of a century, unevenly used: 14 bits. Never searchable alone.
Days that programs write for an unknown date stand for nothing and are left out.
"""

import re
from collections.abc import Iterator
from datetime import date

from matchers.canonical import canonical
from matchers.kinds.kind import Found, Grams, Term

CODE = 6
ROLE = "supporting"
GRAMS: tuple[Grams, ...] = ()

_MONTHS = {
    name: number + 1
    for number, name in enumerate(("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"))
}
_MONTH = r"(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6}"
_GAP = r"[ \t]{0,2}"
_MARK = rf"(?:{_GAP}[-/.,_|]{_GAP}|[ ])"
_YEAR_FIRST = re.compile(rf"(?<!\d)((?:1[89]|20)\d\d){_MARK}(\d{{1,2}}){_MARK}(\d{{1,2}})(?!\d)")
_HAN = re.compile(rf"(?<!\d)((?:1[89]|20)?\d\d){_GAP}年{_GAP}(\d{{1,2}}){_GAP}月{_GAP}(\d{{1,2}})")
_YEAR_LAST = re.compile(rf"(?<!\d)(\d{{1,2}}){_MARK}(\d{{1,2}}){_MARK}((?:1[89]|20)?\d\d)(?!\d)")
_ORDINAL = r"(\d{1,2})(?:st|nd|rd|th)?"
_DAY_MONTH = re.compile(rf"(?<!\d){_ORDINAL}[ ,.\-/]*(?:of )?{_MONTH}[ ,.\-/']*((?:1[89]|20)?\d\d)(?!\d)")
_MONTH_DAY = re.compile(rf"(?<![a-z]){_MONTH}[ ,.\-/]*{_ORDINAL}[ ,.\-/']+((?:1[89]|20)?\d\d)(?!\d)")
_YEAR_MONTH = re.compile(rf"(?<!\d)((?:1[89]|20)\d\d)[ ,.\-/]*{_MONTH}[ ,.\-/]*(\d{{1,2}})(?!\d)")
_COMPACT = re.compile(r"(?=((?:18|19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])))")
_ISO = re.compile(r"\d{4}-\d\d-\d\d")
_CLOCK = re.compile(r"[t ]\d\d?:\d\d.*$")
_PLACEHOLDERS = re.compile(
    r"(?:0001|9999|1800|1753|1899|1900)[-/.]?(?:0?1[-/.]?0?1|12[-/.]?3[01])(?!\d)|0000[-/.]?00?[-/.]?00?|[-/.0]+"
    r"|0?1[-/.]0?1[-/.](?:1900|1800|0001)|31[-/.]12[-/.]9999|12[-/.]31[-/.]9999|unknown|unk|na|n/a|不详|未知|无"
)
"""Jan 1st of a program's first year, the eves and ends that databases know, and words for unknown."""

_PLAIN = re.compile(
    r"(?:19(?:0[1-9]|[1-9][0-9])|20(?:[0-2][0-9]|3[0-5]))(-?)"
    r"(?:(?:0[1-9]|1[0-2])\1(?:0[1-9]|1[0-9]|2[0-8])|(?:0[13-9]|1[0-2])\1(?:29|30)|(?:0[13578]|1[02])\1(?:31))"
)

SHOULD_MATCH = (
    ("14 Mar 1985", "1985-03-14"),
    ("03/04/1985", "1985-04-03"),
    ("1985-03-14T00:00:00", "born 14/3/1985"),
    ("1985-03-14", "生于1985年3月14日"),
    ("1985-03-14", "85年3月14号"),
    ("1985/3/14", "14.03.1985"),
    ("1985.03.14", "March 14, 1985"),
    ("1985-03-14", "14th of Mar 1985"),
    ("1985年3月14日", "DOB 03/14/1985"),
    ("1985-03-14", "19850314"),
    ("1985-03-14", "999912198503142114"),
)
SHOULD_NOT = (
    ("1985-03-14", "1985-03-15"),
    ("1985-03-14", "1985年13月14日"),
)


def plain(value: str) -> str | None:
    """Return a day written 1985-03-14 or 19850314, if it is in every year and no program's own."""
    return value.replace("-", "") if _PLAIN.fullmatch(value) else None


def split(value: str) -> list[str]:
    """Return the date, or both dates where day and month cannot be told apart."""
    found = dict.fromkeys(_readings(canonical(value).strip()))
    return [f"{each[:4]}-{each[4:6]}-{each[6:]}" for each in list(found)[:2]] or [value]


def canonicalise(value: str) -> str:
    """Return YYYYMMDD, of several readings the first; empty for a placeholder. Serial numbers of sheets are refused."""
    text = canonical(value).strip()
    if _PLACEHOLDERS.fullmatch(_CLOCK.sub("", text)):
        return ""
    found = _readings(text)
    if not found:
        raise ValueError("not a date: write it as YYYY-MM-DD")
    return found[0]


def _readings(text: str) -> list[str]:
    """Return every day that the text may mean."""
    text = _CLOCK.sub("", text)
    if _PLACEHOLDERS.fullmatch(text):
        return []
    if _ISO.fullmatch(text) and _valid(text.replace("-", "")):
        return [text.replace("-", "")]
    found = [each.value for each in _written(text)]
    if not found and (match := _COMPACT.match(text)) and len(text) == 8 and _valid(text):
        found = [match.group(1)]
    return found


def terms(canonical: str) -> tuple[Term, ...]:
    """Return the date; it is only searched in conjunctions."""
    return (Term("birth_date", canonical, 14.0),)


def _written(text: str) -> Iterator[Found]:
    """Yield dates with marks, 年月日 or month names between their parts."""
    for pattern in (_YEAR_FIRST, _HAN):
        for match in pattern.finditer(text):
            yield from _found(match, match.group(1), match.group(2), match.group(3))
    for match in _YEAR_LAST.finditer(text):
        yield from _found(match, match.group(3), match.group(1), match.group(2))
        yield from _found(match, match.group(3), match.group(2), match.group(1))
        if len(match.group(3)) == 2:
            yield from _found(match, match.group(1), match.group(2), match.group(3))
    if not any(name in text for name in _MONTHS):
        return
    for match in _DAY_MONTH.finditer(text):
        yield from _found(match, match.group(3), str(_MONTHS[match.group(2)]), match.group(1))
    for match in _MONTH_DAY.finditer(text):
        yield from _found(match, match.group(3), str(_MONTHS[match.group(1)]), match.group(2))
    for match in _YEAR_MONTH.finditer(text):
        yield from _found(match, match.group(1), str(_MONTHS[match.group(2)]), match.group(3))


def _found(match: re.Match[str], year: str, month: str, day: str) -> Iterator[Found]:
    """Yield the date if there is such a day; a year of two digits may lie in either century."""
    years = (year,) if len(year) == 4 else ("19" + year.zfill(2), "20" + year.zfill(2))
    for whole in years:
        value = f"{whole}{month.zfill(2)}{day.zfill(2)}"
        if _valid(value):
            yield Found("birth_date", value, *match.span())


def _valid(value: str) -> bool:
    """Return whether YYYYMMDD is a day on which a living person may have been born."""
    try:
        return 1850 <= date(int(value[:4]), int(value[4:6]), int(value[6:])).year <= 2035
    except ValueError:
        return False
