"""Names of persons: Chinese names of two to four characters with their pinyin, and names of given and family words.

Canonical is the Han characters, or the words with single spaces: given names first, apostrophes dropped, titles and
suffixes left out. Names are looked for only near something else, and never searchable alone. Rarity: the surname by its
rank (shares of the census names fall about as 0.2 / rank), seven bits for each further character; 8 bits for a given
and 9 for a family name in Latin script, since both are uneven. Pinyin loses about 0.7 bits of a surname and two of each
given character (some 400 syllables stand for them). An initial is worth 3.5 bits, a nickname two bits less than the
name it stands for, since it may stand for others.
"""

import re
from math import log2

from matchers.canonical import canonical
from matchers.kinds.kind import UNKNOWN_HAN, Grams, Term
from matchers.spellings import nicknames, pinyin

CODE = 7
ROLE = "supporting"
GRAMS: tuple[Grams, ...] = ()

SURNAMES = (
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林罗高郑梁谢宋唐许韩冯邓曹彭曾肖田董潘袁蔡蒋余于杜叶程魏苏吕丁任卢"
    "姚沈钟姜崔谭陆范汪廖石金韦贾夏付方邹熊白孟秦邱侯江尹薛闫雷龙黎史陶贺毛郝顾龚邵万覃武钱戴严莫孔向常汤"
    "康易乔赖文樊兰殷施洪翟安颜倪牛温芦季俞章鲁葛伍申尤毕聂焦柴丛祝岳齐梅庄辛管左涂谷时耿尚牟阎霍欧甘卜包"
    "关成游阳裴席卫查屈鲍位翁隋植甄景薄单宫苗房解应宗宣邢滑蒙褚慕连茹习宦艾鱼容古慎戈庾终暨居衡步都满弘匡"
    "国寇广禄阙东沃利蔚越夔隆师巩厍晁勾敖融冷訾阚那简饶空毋沙乜养鞠须丰巢蒯相荆红竺权逯盖益桓公柏水窦云奚"
    "郎昌凤花柳酆费廉岑傅皮卞伏穆和湛祁禹狄米贝明臧计谈茅庞纪舒项阮蓝闵强路娄危童盛刁骆支昝经裘缪干诸钮嵇"
    "滕荣荀羊惠曲封芮羿储靳汲邴糜松井段富巫乌巴弓牧隗山全郗班仰秋仲伊宁仇栾暴厉戎祖符束幸司韶郜蓟印宿怀蒲"
    "邰从鄂索咸籍卓蔺屠池胥能苍双闻莘党贡劳逄姬扶堵冉宰郦雍璩桑桂濮寿通边扈燕冀浦农别晏瞿木买依仝佟帅苟晋"
    "展矫修初车原候代楚揭朴尧降邸由亓闪开卿来丘税尉战柯藏麦勇仵鲜银晓续佘丑良冼刑母盘门占官雪才肇信衣律但"
    "俎渠欢年竹墙真哈海风区及力奉阴勐虎弥英柱斗晔么粟旷呼"
)
"""Single-character family names, the commonest first; the tail in no strict order."""
COMPOUND = frozenset((
    "欧阳", "上官", "司马", "诸葛", "东方", "皇甫", "尉迟", "公孙", "慕容", "令狐", "长孙", "宇文",
    "司徒", "司空", "夏侯", "端木", "南宫", "轩辕", "钟离", "闻人", "百里", "呼延", "拓跋", "东郭",
    "独孤", "澹台", "公冶", "宗政", "濮阳", "淳于", "单于", "太叔", "申屠", "仲孙", "鲜于", "闾丘",
    "亓官", "司寇", "子车", "颛孙", "巫马", "公西", "漆雕", "乐正", "壤驷", "公良", "夹谷", "宰父",
    "谷梁", "段干", "西门", "左丘", "梁丘", "东门", "南门", "第五", "完颜", "叶赫", "纳兰", "爱新",
))  # fmt: skip

_RANK = {surname: rank for rank, surname in reversed(list(enumerate(SURNAMES, 1)))}
_HAN = "\u3400-\u4dbf\u4e00-\u9fff"
_SYLLABLE = 5
"""Letters of a Korean or Vietnamese syllable, at most (six are rare)."""
MOST_ALIASES = 6
"""Further spellings of one name: each is a posting for every partner."""
_TITLES = frozenset((
    "mr", "mrs", "ms", "dr", "jr", "sr", "miss", "prof", "professor", "doctor", "sir", "dame", "lord", "lady", "rev",
    "mx", "ii", "iii", "iv", "md", "phd", "esq", "rn", "herr", "frau", "señor", "señora", "mme", "mlle",
))  # fmt: skip
_SUFFIXES = frozenset(("jr", "sr", "ii", "iii", "iv", "md", "phd", "esq", "rn"))
_PARTICLES = frozenset((
    "van", "von", "der", "den", "de", "la", "las", "los", "del", "della", "di", "da", "dos", "das", "du", "le", "el",
    "al", "bin", "binti", "ibn", "abu", "st", "ter", "ten", "te", "zu", "y", "e",
))  # fmt: skip
_LETTERS = re.compile(r"[^\W\d_]+(?:['-][^\W\d_]+)*")
_OTHER_NAMES = re.compile(
    r"曾用名|又名|原名|别名|化名|(?<![a-z])(?:a\.?k\.?a\.?|alias|formerly|also known as)(?![a-z])|[/;、；\n]"
)
_PLAIN_HAN = re.compile(rf"(?!(?:{UNKNOWN_HAN})$)(?!.*(?:曾用名|又名|原名|别名|化名))[{_HAN}]{{2,4}}")
_PLAIN_LATIN = re.compile(r"[A-Za-z]{2,} [A-Za-z]{2,}")
_ODD_WORDS = _TITLES | {"not", "alias", "formerly", "aka", "nee", "ne", "mac", "mc"}
"""Words beside which two words are not simply a name."""
_BORN = re.compile(r"[(,]? ?(?<![a-z])(?:nee|ne)(?![a-z])[. ]+([a-z'-]{2,})\)?")
_LABEL = re.compile(r"^[\s:(),，：]+|[\s:(),，：]+$")

SHOULD_MATCH = (
    ("何云舒", "姓名：何云舒，女"),
    ("何云舒", "何雲舒"),
    ("何云舒", "何 云 舒"),
    ("欧阳鸢翎", "患者欧阳鸢翎男45岁"),
    ("Odette Inchbald", "Inchbald, Odette"),
    ("Odette Inchbald", "ODETTE M. INCHBALD"),
    ("Odette Marie Inchbald", "Odette Inchbald"),
    ("Dr. Odette Inchbald, MD", "Odette Inchbald"),
    ("Inchbald, Odette", "Odette Inchbald"),
    ("Rosalind (Rose) Inchbald", "Rose Inchbald"),
    ("Rosalind Inchbald (née Thwaite)", "Rosalind Thwaite"),
    ("Theodore Inchbald", "Ted Inchbald"),
    ("Aislinn van der Meer", "VAN DER MEER Aislinn"),
    ("Fionn O'Rourke", "Fionn O’Rourke"),
    ("Priya Raghunathan-Cole", "Priya Cole"),
    ("Iker Zubiaga Larrínzar", "Iker Zubiaga"),
    ("何云舒 (Yunshu He)", "Yunshu He"),
    ("何云舒 (Yunshu He)", "何云舒"),
    ("何云舒", "HE, Yun-shu"),
    ("何云舒", "heyunshu"),
    ("何云舒", "Yún Shū Hé"),
    ("单鸢翎", "Shan Yuanling"),
    ("吕鸢翎", "LYU YUANLING"),
    ("Odette Inchbald", "O. Inchbald"),
    ("Odette Inchbald", "Inchbald O"),
    ("何云舒", "何*舒"),
    ("何云舒", "何某某"),
)
SHOULD_NOT = (
    ("何云舒", "何云章"),
    ("Odette Inchbald", "Odette Incher"),
)


def plain(value: str) -> str | None:
    """Return two to four Han characters, or two words."""
    if _PLAIN_LATIN.fullmatch(value):
        lower = value.lower()
        return lower if _ODD_WORDS.isdisjoint(lower.split(" ")) else None
    folded = canonical(value) if len(value) <= 4 else ""
    return folded if _PLAIN_HAN.fullmatch(folded) else None


def split(value: str) -> list[str]:
    """Return the names of a cell: earlier names, a name in brackets, and one in each of two scripts."""
    names: list[str] = []
    for part in _OTHER_NAMES.split(canonical(value)):
        text = _LABEL.sub("", part) if part.count("(") != 1 else part.strip()
        han = re.findall(rf"[{_HAN}](?:[ ·.]?[{_HAN}])+", text)
        names.extend(han)
        latin = re.sub(rf"[{_HAN}]", " ", text) if han else text
        names.extend(each for each in _latin_names(latin) if not han or _another(_words(each), han[0]))
    return names or [value]


def _another(words: list[str], han: str) -> bool:
    """Return whether words beside a Chinese name are a name of their own, and not that one in pinyin."""
    surname = _surname(han := re.sub(r"[ ·.]", "", han))
    given = han[len(surname) :]
    orders = {*pinyin(surname, given), *pinyin(given, surname)}
    return len(words) > 1 and "".join(words).replace("-", "") not in orders


def _latin_names(text: str) -> list[str]:
    """Return a name as it stands, and as it is with the name in brackets or the one given at birth."""
    born = _BORN.search(text)
    names = [_BORN.sub("", text)]
    if born and _words(names[0]):
        names.append(f"{_words(names[0])[0]} {born.group(1)}")
    bracket = re.search(r"[(\"“]([^()\"”]{2,40})[)\"”]", names[0])
    if not bracket:
        return [name for name in names if _words(name)]
    outer = (names[0][: bracket.start()] + " " + names[0][bracket.end() :]).strip()
    inner = _words(bracket.group(1))
    family = _words(outer)[-1:] if len(inner) == 1 else []
    names[:1] = [outer, " ".join((*inner, *family))]
    return [name for name in names if _words(name)]


def canonicalise(value: str) -> str:
    """Return Han characters without anything between them, or words separated by one space, given names first."""
    folded = canonical(value)
    han = re.findall(rf"[{_HAN}]", folded)
    if len(han) >= 2:
        return "".join(han)[:12]
    first, comma, last = folded.partition(",")
    words = _words(folded)
    if comma and _words(first) and _words(last) and not all(word in _SUFFIXES for word in _LETTERS.findall(last)):
        words = _words(last) + _words(first)
    if sum(map(len, words)) < 2:
        raise ValueError("not a name: it has fewer than two letters or Han characters")
    return " ".join(words)


def _words(folded: str) -> list[str]:
    """Return the words of a name without titles; Mac and Mc belong to the word after them."""
    spaced = re.sub(r"(?:[^\w'-]|[\d_])+", " ", folded)
    words = [word.replace("'", "") for word in _LETTERS.findall(re.sub(r"\b(ma?c|o) (?=[a-z]{3})", r"\1", spaced))]
    kept = [word for word in words if word not in _TITLES]
    return kept if len(kept) > 1 or len(words) < 3 else words


def terms(canonical: str) -> tuple[Term, ...]:
    """Return the name, its other spellings and what masks leave of it; all of it is only searched in conjunctions."""
    return _han_terms(canonical) if is_han(canonical) else _latin_terms(canonical)


def _han_terms(canonical: str) -> tuple[Term, ...]:
    """Return a Chinese name, masked, by its surname, and in pinyin."""
    surname = _surname(canonical)
    family = log2(max(2.8, _RANK.get(surname, 400)) / 0.2)
    given = canonical[len(surname) :]
    size = min(2, len(given))
    made = [
        Term("name", canonical, min(17.0, family + 7.0 * size)),
        Term("name_mask", surname + "|" + canonical[-1], min(15.0, family + 7.0)),
        Term("surname", surname, family),
        Term("given", given, 7.0 * size),
    ]
    spoken = min(14.0, max(2.0, family - 0.7) + 5.0 * size)
    made += [Term("pinyin", each, spoken, place > 0) for place, each in enumerate(pinyin(surname, given))]
    return tuple(made)


def _latin_terms(canonical: str) -> tuple[Term, ...]:
    """Return a name's given and family word in either order, its initials, masked ends, and other spellings."""
    words = canonical.split(" ")
    plain = [word.replace("-", "") for word in words]
    if len(words) == 1:
        return (Term("name", plain[0], 9.0),)
    first, last = plain[0], plain[-1]
    if len(first) == 1 or len(last) == 1:
        initial, family = (first, last) if len(first) == 1 else (last, first)
        return (Term("initial", f"{initial}|{family}", 12.5), Term("surname", _pair(initial, family[0]), 7.0))
    letters = _pair(first[0] + first[-1], last[0] + last[-1])
    made = [
        Term("name", _pair(first, last), 16.0),
        Term("initial", f"{first[0]}|{last}", 12.5),
        Term("initial", f"{last[0]}|{first}", 11.5),
        Term("name_mask", letters, 13.0),
        Term("surname", _pair(first[0], last[0]), 7.0),
    ]
    made += [Term("name", each, weight, True) for each, weight in _other_pairs(words, first, last)]
    return tuple(made)


def _other_pairs(words: list[str], first: str, last: str) -> list[tuple[str, float]]:
    """Return further pairs by which the person may be called, with their weights."""
    pairs: dict[str, float] = {}
    middle = [word.replace("-", "") for word in words[1:-1] if word not in _PARTICLES and len(word) > 1]
    if middle:
        pairs[_pair(first, middle[-1])] = 13.0  # a Spanish first surname, or the second given name
    if len(middle) == 1 and len(middle[0]) <= _SYLLABLE and len(last) <= _SYLLABLE:
        pairs[_pair(first, middle[0] + last)] = 14.0  # Kim Min Jun is Kim Minjun
    for word, other in ((words[-1], first), (words[0], last)):
        for part in word.split("-") if "-" in word else ():
            if len(part) > 1:
                pairs[_pair(part, other)] = 14.0
    for called in nicknames(first):
        pairs[_pair(called, last)] = 14.0
    pairs.pop(_pair(first, last), None)
    return list(pairs.items())[:MOST_ALIASES]


def is_han(canonical: str) -> bool:
    """Return whether a canonical name is Chinese."""
    return canonical[0] >= "\u3400"


def _surname(name: str) -> str:
    """Return the family name of a Chinese name."""
    return name[:2] if len(name) > 2 and name[:2] in COMPOUND else name[0]


def _pair(one: str, other: str) -> str:
    """Return two words in a fixed order, so that family and given name may stand either way."""
    return " ".join(sorted((one, other)))
