"""Clinical notes and other free text about a person: looked for by excerpts.

Canonical is letters, digits and Han characters without anything between them. A verbatim run of 13 Han or 25 Latin
characters hits a winnowed shingle [Schleimer, Wilkerson, Aiken 2003]; how much of the text stands on the page
is then weighed by comparing sequences of hashed tokens. A phrase that three records share identifies nobody.
"""

import re

from matchers.canonical import canonical
from matchers.kinds.kind import Grams, Term

CODE = 9
ROLE = "primary"
GRAMS = (
    Grams("note_han", 6, 8, han=True, digit=False, weight=6.0),
    Grams("note_latin", 12, 14, han=False, digit=False, weight=6.0),
)

_SIGNS = re.compile(r"[\W_]+")
_LONG = 20
"""Characters that no word for what is unknown has."""

SHOULD_MATCH = (
    (
        "五天前淋雨后发热，最高三十九点一度，咳铁锈色痰，右侧胸痛随深呼吸加重。",
        "听说他五天前淋雨后发热最高三十九点一度咳铁锈色痰",
    ),
    (
        "After a fall from a hayloft she could not lift her left arm above the shoulder for nine days.",
        "she could not lift her left arm above the shoulder for nine days",
    ),
)
SHOULD_NOT = (("五天前淋雨后发热，最高三十九点一度，咳铁锈色痰，右侧胸痛随深呼吸加重。", "发热，咳嗽，胸痛"),)


def plain(value: str) -> str | None:
    """Return what a text of more than a few words holds."""
    kept = canonicalise(value)
    return kept if len(kept) > _LONG and not kept.isdigit() else None


def canonicalise(value: str) -> str:
    """Return letters, digits and Han characters."""
    return _SIGNS.sub("", canonical(value))


def terms(canonical: str) -> tuple[Term, ...]:
    """Return nothing: notes are looked for by excerpts."""
    return ()
