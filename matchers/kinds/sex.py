"""Sex, as an enrolment file and a page state it.

Canonical is f, m or x. Rarity: one bit. Only ever supports; by itself and in conjunctions it says nothing.
"""

from matchers.canonical import canonical
from matchers.kinds.kind import Grams, Term, compact

CODE = 19
ROLE = "supporting"
GRAMS: tuple[Grams, ...] = ()

_WORDS = {
    "f": ("f", "female", "woman", "女", "女性", "2", "w", "weiblich", "femenino"),
    "m": ("m", "male", "man", "男", "男性", "1", "masculino", "maennlich"),
    "x": ("x", "other", "diverse", "nonbinary", "9"),
}
_READ = {word: sex for sex, words in _WORDS.items() for word in words}
_UNKNOWN = frozenset(("", "0", "u", "unknown", "unk", "未知", "不详", "未说明", "na"))
SHOULD_MATCH = (("女", "患者女，45岁"), ("Male", "a 45-year-old man"), ("F", "Sex: F"))
SHOULD_NOT = (("男", "患者女，45岁"), ("Male", "a female patient"))


def canonicalise(value: str) -> str:
    """Return f, m or x; empty where the file says that it is not known. Numbers are those of GB/T 2261.1."""
    kept = compact(canonical(value))
    if kept in _UNKNOWN:
        return ""
    if kept not in _READ:
        raise ValueError("not a sex: write f, m, x, or leave it empty")
    return _READ[kept]


def terms(canonical: str) -> tuple[Term, ...]:
    """Return the sex."""
    return (Term("sex", canonical, 1.0),)
