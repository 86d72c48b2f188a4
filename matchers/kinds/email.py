"""E-mail addresses, also as people hide them: name (at) host [dot] org.

Canonical is the folded address (local parts are case-insensitive in practice). Rarity: an address names one mailbox
in the world; 30 bits are counted, since a mailbox may be a family's or an office's.
"""

import re
from collections.abc import Iterator

from matchers.cells import canonical
from matchers.kinds.kind import Found, Grams, Term

CODE = 3
ROLE = "primary"
GRAMS: tuple[Grams, ...] = ()

_AT = r"(?:@|\s?[(\[{<]\s?(?:at|@)\s?[)\]}>]\s?|\s(?:at|@)\s|#at#)"
_DOT = r"(?:\.|\s?[(\[{<]\s?(?:dot|\.|点)\s?[)\]}>]\s?|\sdot\s|。)"
_LOCAL = r"[a-z0-9_+%\-]{1,64}(?:(?:\.|\s?[(\[{]dot[)\]}]\s?|\sdot\s)[a-z0-9_+%\-]{1,64}){0,8}"
_ADDRESS = re.compile(rf"(?<![a-z0-9.])({_LOCAL}){_AT}([a-z0-9\-]{{1,63}}(?:{_DOT}[a-z0-9\-]{{1,63}}){{1,5}})")
_LABEL = re.compile(r"^(?:e-?mail|mail|email)(?=.{4})")

SHOULD_MATCH = (
    ("he.yunshu@example.com", "联系 He.Yunshu@Example.com。"),
    ("he.yunshu@example.com", "he.yunshu (at) example [dot] com"),
    ("he.yunshu@example.com", "ｈｅ．ｙｕｎｓｈｕ＠ｅｘａｍｐｌｅ．ｃｏｍ"),
    ("he.yunshu@example.com; old@example.net", "he.yunshu@example.com"),
    ("he.yunshu@example.com", "emailhe.yunshu@example.com"),
)
SHOULD_NOT = (
    ("he.yunshu@example.com", "he.yunshu2@example.com"),
    ("he.yunshu@example.com", "he.yunshu@example.org"),
)


def split(value: str) -> list[str]:
    """Return the addresses of a cell."""
    return [part for part in re.split(r"[;,、/|\s]+", canonical(value)) if "@" in part]


def canonicalise(value: str) -> str:
    """Return the folded address."""
    folded = re.sub(r"\s", "", canonical(value))
    if not re.fullmatch(r"[^@]+@[^@]+\.[^@.]+", folded):
        raise ValueError("not an e-mail address")
    return folded


def terms(canonical: str) -> tuple[Term, ...]:
    """Return the address."""
    return (Term("email", canonical, 30.0),)


def candidates(text: str, ocr: bool) -> Iterator[Found]:
    """Yield addresses; a label glued to one is tried without."""
    if "@" not in text and "at" not in text:
        return
    for match in _ADDRESS.finditer(text):
        local = re.sub(rf"{_DOT}", ".", match.group(1))
        domain = re.sub(rf"{_DOT}", ".", match.group(2)).strip("-")
        yield Found("email", f"{local}@{domain}", *match.span())
        bare = _LABEL.sub("", local)
        if bare != local:
            yield Found("email", f"{bare}@{domain}", *match.span())
