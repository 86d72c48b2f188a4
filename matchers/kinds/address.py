"""Postal addresses: pieces with a number in them are looked for by themselves, places only beside a name.

Canonical is the folded text with single blanks. Pieces (street, building, flat) are shingles of letters, digits and Han
characters: a street with its number is shared by a household and its neighbours: 8 bits for a piece, 16 for two. Parts
for a conjunction with a name: the town of a Chinese address (8 bits: a hospital's patients live around it, so not the
15 bits of 40,000 towns), its county where no town is named (5), a street with its number (10), a postcode (3.3 bits per
digit, less 5 for the same reason; years look like four digits). An address alone never alerts.
"""

import re
from collections.abc import Iterator

from matchers.cells import canonical
from matchers.kinds.kind import Found, Grams, Term, compact

CODE = 8
ROLE = "supporting"
GRAMS = (
    Grams("address_han", 7, 4, han=True, digit=True, weight=8.0),
    Grams("address_latin", 11, 5, han=False, digit=True, weight=8.0),
)

_HAN = "\u3400-\u4dbf\u4e00-\u9fff"
_LEVELS = re.compile(
    rf"(?:[{_HAN}]{{2,6}}?(?:省|自治区)|(?:北京|上海|天津|重庆)市?|香港|澳门)?"
    rf"(?:[{_HAN}]{{2,5}}?市|[{_HAN}]{{2,9}}?(?:自治州|地区|盟))?"
    rf"(?P<county>[{_HAN}]{{1,9}}?(?:自治县|自治旗|新区|区|县|市|旗))?"
    rf"(?P<town>[{_HAN}]{{1,6}}?(?:街道|镇|乡|苏木))?"
)
_STREET_END = "路|街|道|巷|弄|里|胡同"
_HAN_STREET = re.compile(rf"([{_HAN}]{{1,8}}?(?:{_STREET_END}))(\d{{1,5}}(?:[甲乙丙]|之\d)?号?|\d{{1,5}}弄\d{{1,4}}号)")
_NUMBER = re.compile(r"(?<![\w-])(\d{1,5}[a-z]?)(?![\w])")
_WORD = re.compile(r"[a-z\u00df-\u024f'-]{3,}")
_NO_STREET = frozenset((
    "street", "road", "avenue", "lane", "drive", "court", "close", "place", "crescent", "terrace", "way", "square",
    "flat", "unit", "apt", "apartment", "suite", "box", "villa", "the", "and", "rue", "via", "calle", "strasse",
    "north", "south", "east", "west", "floor", "room", "house", "building", "block",
))  # fmt: skip
_UK_POSTCODE = re.compile(r"(?<![a-z0-9])[a-z]{1,2}\d[a-z\d]? ?\d[a-z]{2}(?![a-z0-9])")
_POSTCODE = re.compile(r"(?<![\w-])(\d{3} \d{2}|\d{4,6})(?:-\d{4})?(?![\w-])")
_YEAR = re.compile(r"(?:19|20)\d\d")
_TOWN_END = re.compile(r"街道|镇|乡|苏木|[区县旗]")

SHOULD_MATCH = (
    ("青榆市梧桐巷27号院3号楼502室", "住在梧桐巷 27 号院 3 号楼 502 室"),
    ("22 Sallow Lane, Elmford", "22, SALLOW LANE"),
)
SHOULD_NOT = (("青榆市梧桐巷27号院3号楼502室", "青榆市梧桐巷"),)


def canonicalise(value: str) -> str:
    """Return the folded text with single blanks."""
    kept = " ".join(canonical(value).split())
    if len(compact(kept)) < 4:
        raise ValueError("not an address: fewer than four letters or digits")
    return kept


def terms(canonical: str) -> tuple[Term, ...]:
    """Return the parts that stand in conjunctions with a name, at most three."""
    parts = dict.fromkeys(_chinese(canonical) if re.search(f"[{_HAN}]{{2}}", canonical) else _western(canonical))
    return tuple(Term("address_part", value, weight) for value, weight in list(parts)[:3])


def _chinese(text: str) -> Iterator[tuple[str, float]]:
    """Yield town or county, and a street with its number."""
    kept = compact(text)
    levels = _LEVELS.match(kept)
    if levels and levels.group("town"):
        yield levels.group("town"), 8.0
    street = _HAN_STREET.search(kept, levels.end() if levels else 0)
    if street:
        yield street.group(1) + re.sub(r"\D.*", "", street.group(2)), 10.0
    elif levels and levels.group("county") and not levels.group("town"):
        yield levels.group("county"), 5.0


def _western(text: str) -> Iterator[tuple[str, float]]:
    """Yield the street's number with its name, and the postcode."""
    found = next(_numbered(text), None)
    if found:
        yield found.value, 10.0
    code = _UK_POSTCODE.search(text)
    if code:
        yield code.group().replace(" ", ""), 11.0
        return
    codes = [match for match in _POSTCODE.finditer(text) if not found or not found.start <= match.start() < found.end]
    if codes and not _YEAR.fullmatch(codes[-1].group(1)):
        digits = codes[-1].group(1).replace(" ", "")
        yield digits, 3.3 * len(digits) - 5


def _numbered(text: str) -> Iterator[Found]:
    """Yield each number with a telling word beside it: after it, before it, or after a comma."""
    for match in _NUMBER.finditer(text):
        here, _, beyond = text[match.end() : match.end() + 42].partition(",")
        words = [
            *_telling(here)[:1],
            *_telling(re.split(r"[,\d\n;|]", text[max(0, match.start() - 42) : match.start()])[-1])[-1:],
            *([] if here.strip() else _telling(beyond)[:1]),
        ]
        for word in words:
            yield Found("address_part", f"{match.group(1)} {word}", *match.span())


def _telling(text: str) -> list[str]:
    """Return the words of a piece of text, up to a digit or the end of a part, that are no mere kind of street."""
    return [word for word in _WORD.findall(re.split(r"[\d\n;|]", text)[0]) if word not in _NO_STREET]


def find(text: str) -> Iterator[Found]:
    """Yield the parts of addresses that folded text may hold."""
    for match in _TOWN_END.finditer(text):
        yield from _windows(text, match.start(), match.end(), 6, "")
    for match in re.finditer(rf"(?:{_STREET_END})[ ]?(\d{{1,5}})", text):
        end = match.start(1) - (text[match.start(1) - 1] == " ")
        for each in _windows(text, match.start(), end, 8, match.group(1)):
            yield each._replace(end=match.end())
    yield from _numbered(text)
    for match in _UK_POSTCODE.finditer(text):
        yield Found("address_part", match.group().replace(" ", ""), *match.span())
    for match in _POSTCODE.finditer(text):
        if not _YEAR.fullmatch(match.group(1)):
            yield Found("address_part", match.group(1).replace(" ", ""), *match.span(1))


def _windows(text: str, suffix: int, end: int, most: int, number: str) -> Iterator[Found]:
    """Yield the Han characters before a suffix, from one to `most` of them, with the suffix and the number after it."""
    for start in range(suffix - 1, max(-1, suffix - most - 1), -1):
        if not "\u3400" <= text[start] <= "\u9fff":
            return
        yield Found("address_part", text[start:end] + number, start, end)


def candidates(text: str, ocr: bool) -> Iterator[Found]:
    """Yield nothing: addresses are looked for by their pieces."""
    yield from ()
