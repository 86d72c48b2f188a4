"""Other spellings of a person's name: Chinese names in pinyin, English given names as they are called."""

from collections.abc import Sequence
from functools import cache, lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nicknames import NickNamer

MOST_NICKNAMES, MOST_ORIGINS = 4, 2

SURNAME_READINGS = {
    "单": ("shan",), "曾": ("zeng",), "解": ("xie",), "仇": ("qiu",), "区": ("ou",), "查": ("zha",), "任": ("ren",),
    "朴": ("piao", "pu"), "盖": ("ge", "gai"), "翟": ("zhai", "di"), "覃": ("qin", "tan"), "乐": ("yue", "le"),
    "种": ("chong",), "缪": ("miao",), "牟": ("mu", "mou"), "逄": ("pang",), "宓": ("mi",), "员": ("yun",),
    "祭": ("zhai",), "秘": ("bi",), "折": ("she",), "黑": ("he",), "繁": ("po",), "洗": ("xian",), "召": ("shao",),
    "佴": ("nai",), "句": ("gou",), "哈": ("ha",), "隗": ("wei", "kui"), "么": ("yao",), "都": ("du",), "能": ("nai",),
    "郗": ("xi", "chi"), "尉": ("wei",), "石": ("shi",), "葛": ("ge",), "车": ("che",), "柏": ("bai",), "那": ("na",),
    "长孙": ("zhangsun",), "尉迟": ("yuchi",), "万俟": ("moqi",), "单于": ("chanyu",), "澹台": ("tantai",),
    "令狐": ("linghu",), "亓官": ("qiguan",), "乐正": ("yuezheng",), "夏侯": ("xiahou",),
}  # fmt: skip
"""Surnames that are read otherwise than the character alone, the likelier reading first (Xiandai Hanyu Cidian)."""

_FINALS = {
    "b": "a ai an ang ao ei en eng i ian iao ie in ing o u", "p": "a ai an ang ao ei en eng i ian iao ie in ing o ou u",
    "m": "a ai an ang ao e ei en eng i ian iao ie in ing iu o ou u", "f": "a an ang ei en eng o ou u",
    "d": "a ai an ang ao e ei en eng i ia ian iao ie ing iu ong ou u uan ui un uo",
    "t": "a ai an ang ao e eng i ian iao ie ing ong ou u uan ui un uo",
    "n": "a ai an ang ao e ei en eng i ian iang iao ie in ing iu ong ou u uan uo v ve ue yu yue",
    "l": "a ai an ang ao e ei eng i ia ian iang iao ie in ing iu ong ou u uan un uo v ve ue yu yue",
    "g k h": "a ai an ang ao e ei en eng ong ou u ua uai uan uang ui un uo",
    "j q x": "i ia ian iang iao ie in ing iong iu u uan ue un",
    "zh ch sh": "a ai an ang ao e ei en eng i ong ou u ua uai uan uang ui un uo",
    "r": "an ang ao e en eng i ong ou u uan ui un uo", "z c s": "a ai an ang ao e ei en eng i ong ou u uan ui un uo",
    "y": "a an ang ao e i in ing o ong ou u uan ue un", "w": "a ai an ang ao ei en eng o u",
}  # fmt: skip
SYLLABLES = frozenset((
    *(first + rest for firsts, finals in _FINALS.items() for first in firsts.split() for rest in finals.split()),
    "a", "ai", "an", "ang", "ao", "e", "ei", "en", "er", "o", "ou",
))  # fmt: skip
"""The syllables of Standard Chinese without tones (ISO 7098)."""


def pinyin(surname: str, given: str) -> Sequence[str]:
    """Return a Chinese name in joined syllables without tones, family name first, the likeliest spelling first.

    A ü is written v (as typed), u (as folded) and yu (as in passports since 2012).
    """
    spoken = _spoken(given)
    made: dict[str, None] = {}
    for family in SURNAME_READINGS.get(surname) or (_spoken(surname),):
        for umlaut in ("v", "u", "yu"):
            made[(family + spoken).replace("v", umlaut)] = None
    return tuple(made)


@lru_cache(1 << 16)
def _spoken(han: str) -> str:
    """Return the joined syllables of Han characters, ü as v."""
    from pypinyin import lazy_pinyin  # a fifth of a second, which only enrolment needs

    return "".join(lazy_pinyin(han, v_to_u=False))


@lru_cache(1 << 14)
def nicknames(given: str) -> Sequence[str]:
    """Return up to four forms that an English given name takes and two that it may come from, the most used first."""
    namer = _namer()
    called = sorted(namer.nicknames_of(given), key=lambda name: (-len(namer.canonicals_of(name)), name))
    origins = sorted(namer.canonicals_of(given), key=lambda name: (-len(namer.nicknames_of(name)), name))
    found = dict.fromkeys((*called[:MOST_NICKNAMES], *origins[:MOST_ORIGINS]))
    return tuple(name for name in found if name != given)


@cache
def _namer() -> "NickNamer":
    from nicknames import NickNamer  # reads its table, which only enrolment needs

    return NickNamer()
