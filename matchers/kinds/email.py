"""E-mail addresses, also as people hide them: name (at) host [dot] org.

Canonical is the folded address (local parts are case-insensitive in practice). Rarity: an address names one mailbox
in the world; 30 bits are counted, since a mailbox may be a family's or an office's.
"""

import re

from matchers.canonical import canonical
from matchers.kinds.kind import Grams, Term

CODE = 3
ROLE = "primary"
GRAMS: tuple[Grams, ...] = ()

_PLAIN = re.compile(r"[A-Za-z0-9._+-]+@(?:[A-Za-z0-9-]+\.)+[A-Za-z0-9-]+")

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


def plain(value: str) -> str | None:
    """Return one address of ASCII letters, digits and the usual signs."""
    return value.lower() if _PLAIN.fullmatch(value) else None


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
