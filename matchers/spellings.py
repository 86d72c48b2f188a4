"""Other spellings of a person's name: Chinese names in pinyin, English given names as they are called."""

from collections.abc import Sequence
from functools import cache, lru_cache

from nicknames import NickNamer

MOST_NICKNAMES = 4

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


def pinyin(surname: str, given: str) -> Sequence[str]:
    """Return a Chinese name as `surname|given`, each in joined syllables without tones, the likeliest spelling first.

    A ü is written v (as typed), u (as folded) and yu (as in passports since 2012).
    """
    spoken = _spoken(given)
    made: dict[str, None] = {}
    for family in SURNAME_READINGS.get(surname) or (_spoken(surname),):
        for umlaut in ("v", "u", "yu"):
            made[f"{family.replace('v', umlaut)}|{spoken.replace('v', umlaut)}"] = None
    return tuple(made)


@lru_cache(1 << 16)
def _spoken(han: str) -> str:
    """Return the joined syllables of Han characters, ü as v."""
    from pypinyin import lazy_pinyin  # a fifth of a second, which only enrolment needs

    return "".join(lazy_pinyin(han, v_to_u=False))


@lru_cache(1 << 14)
def nicknames(given: str) -> Sequence[str]:
    """Return what an English given name becomes, and what it may come from, the most shared forms first."""
    namer = _namer()
    found = namer.nicknames_of(given) | namer.canonicals_of(given)
    found.discard(given)
    ranked = sorted(found, key=lambda name: (-len(namer.canonicals_of(name) | namer.nicknames_of(name)), name))
    return tuple(name.lower() for name in ranked[:MOST_NICKNAMES])


@cache
def _namer() -> NickNamer:
    return NickNamer()
