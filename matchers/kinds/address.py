"""Postal addresses: pieces with a number in them are looked for by themselves, places only beside a name.

Canonical is the folded text with single blanks. Pieces (street, building, flat) are shingles of letters, digits and Han
characters: a street with its number is shared by a household and its neighbours: 8 bits for a piece, 16 for two. Parts
for a conjunction with a name: the town of a Chinese address (6 bits: a hospital's patients live around it, so not the
15 bits of 40,000 towns), a street with its number (10), a postcode (3.3 bits per digit, less 5 for the same reason;
years look like four digits). An address alone never alerts.
"""

import re
from collections.abc import Iterator

from matchers.canonical import canonical
from matchers.kinds.kind import UNKNOWN_HAN, Grams, Term, compact

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
_POSTCODE = re.compile(r"(?<![\w-])(\d{4,6})(?:-\d{4})?(?![\w-])")
_NUMBER_FIRST = re.compile(r"(?<!\d)(\d{1,5}) ([^\W\d_]{3,30})(?![^\W\d_])")
_NUMBER_LAST = re.compile(r"(?<![^\W\d_])([^\W\d_]{3,30}) (\d{1,5})(?!\d)")
_PLAIN = re.compile(rf"(?!{UNKNOWN_HAN})[{_HAN}]{{4}}|[0-9]+ [a-z]{{3}}")
_YEAR = re.compile(r"(?:19|20)\d\d")
SHOULD_MATCH = (
    ("青榆市梧桐巷27号院3号楼502室", "住在梧桐巷 27 号院 3 号楼 502 室"),
    ("22 Sallow Lane, Elmford", "22, SALLOW LANE"),
)
SHOULD_NOT = (("青榆市梧桐巷27号院3号楼502室", "青榆市梧桐巷"),)


def plain(value: str) -> str | None:
    """Return an address that begins with a Chinese place or a house number."""
    kept = " ".join(canonical(value).split())
    return kept if _PLAIN.match(kept) else None


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
        yield levels.group("town"), 6.0
    street = _HAN_STREET.search(kept, levels.end() if levels else 0)
    if street:
        yield street.group(1) + re.sub(r"\D.*", "", street.group(2)), 10.0


def _western(text: str) -> Iterator[tuple[str, float]]:
    """Yield the number of the house with its street, and the postcode if it is in digits."""
    house = _NUMBER_FIRST.search(text)
    if house:
        yield f"{house.group(1)} {house.group(2)}", 10.0
    elif house := _NUMBER_LAST.search(text):
        yield f"{house.group(2)} {house.group(1)}", 10.0
    codes = [code for code in _POSTCODE.findall(text) if not _YEAR.fullmatch(code)]
    if codes:
        yield codes[-1], 3.3 * len(codes[-1]) - 5
