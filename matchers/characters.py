"""What each character becomes when text is canonicalised: one character in, zero or more out, never context.

The rule is a fixed point: every character of an answer is its own answer, so folding twice is folding once.
Sources: UAX #15 (NFKD), Unicode casefolding, UAX #44 (combining class, default-ignorable), OpenCC's table of
traditional and simplified characters (character by character: phrases would make the fold depend on context),
EquivalentUnifiedIdeograph for CJK radicals that NFKD leaves alone.

Decisions, all of them part of `canonical.VERSION`:
- Decomposed, never recomposed: é → e, й → и, が → か, 각 → its jamo. So composed, decomposed and half-width text
  agree without looking at neighbours, and a stack of marks costs nothing.
- Ø, ł, æ and the like, which have no decomposition, become the ASCII letters people type instead.
- A digit of any script or ornament becomes 0-9. Han numerals stay Han: only a kind knows whether they count.
- So do their variants (ɓ, ƙ, ꬲ), by name, and look-alikes of scripts nobody writes a patient's data in.
- Signs that hide (● ■ ★ ×) become *; ○ becomes 〇, which hides in 张〇〇 and counts in 二〇二三.
- Dashes become -, quotes ' or ", middle dots ·, 。 and … a dot, every space a space, every line end a line feed.
"""

import re
import unicodedata
from functools import cache, lru_cache
from typing import Final

import opencc

from matchers.lookalikes import DIGITS, DISUSED, LETTERS, NUMERAL_SCRIPTS, NUMERALS
from matchers.lookalikes import SIGNS as LOOKALIKE_SIGNS

DIGIT: Final = 1
"""0-9."""
HAN: Final = 2
"""Chinese characters, both units of those beyond the first plane, and 々 〆 〇."""
LATIN: Final = 4
"""a-z."""
LETTER: Final = 8
"""Letters of other scripts of the first plane, with their vowel signs."""
SEPARATOR: Final = 16
"""What people put between digits: spaces, tabs, dashes, dots, brackets, commas and other punctuation."""
LINEBREAK: Final = 32
"""Line feed, to which all line ends fold."""
MASK: Final = 64
"""Signs that hide characters: *, #, and 〇, which is HAN as well."""
OTHER: Final = 128
"""Everything else: symbols, emoji, @ % & $."""

HAN_RANGES: Final = ((0x3005, 0x3007), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x3FFFF))
"""Inclusive ranges of code points that count as Han (with 々 〆 〇)."""

_LATIN = {
    "ø": "o", "ł": "l", "đ": "d", "ħ": "h", "ŧ": "t", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i",
    "ŋ": "n", "ƒ": "f", "ɑ": "a", "ɡ": "g", "ȷ": "j", "ƀ": "b", "ɨ": "i", "ɍ": "r", "ɏ": "y", "ƶ": "z", "ɩ": "i",
}  # fmt: skip
_RADICALS = dict(
    zip(
        "⺁⺂⺃⺄⺅⺆⺇⺈⺉⺊⺋⺌⺍⺎⺏⺐⺑⺒⺓⺔⺕⺖⺗⺘⺙⺛⺜⺝⺞⺟⺠⺡⺢⺣⺤⺥⺦⺧⺨⺩⺪⺫⺬⺭⺮⺯⺰⺱⺲⺳⺴⺵⺶⺷⺸⺹⺺⺻⺼⺽⺾⺿⻀⻁⻂⻃⻄⻅⻆⻇⻈⻉⻊⻋⻌⻍⻎⻏⻐⻑⻒⻓⻔⻕⻖⻗⻘⻙⻚⻛⻜⻝⻞⻟⻠⻡⻢⻣⻤⻥⻦⻧⻨⻩⻪⻫⻬⻭⻮⻯⻰⻱⻲⻳",
        "厂乛乚乙亻冂几刀刂卜㔾小小兀尣尢尣巳幺彑彐忄㣺扌攵旡日月歺母民氵氺灬爫爫丬牛犭王疋目示礻竹糹纟罓罒㓁㓁罒羊羊羋耂肀聿肉臼艹艹艹虎衤覀西见角𧢲讠贝足车辶辶辶邑钅長镸长门阜阜雨青韦页风飞食食飠饣首马骨鬼鱼鸟卤麦黄黾斉齐歯齿竜龙龜亀龟",
        strict=True,
    )
)
_SIGNS = (
    ("*", "×✕✖✗✘╳⨯⁎∗✱✲✳✴✻✼✽❋★☆⭐✦✧●◉⚫■□▪▫◼◻◾◽⬛⬜█▇▆▓▒░◆◇⬤🌟⚹✪⊗⦿▢▣"),
    ("〇", "○◯⚪⭕◌❍"),
    ("-", "−⁃˗⎯─━﹘"),
    ("'", "‘’‚‛′ʼʹˈ`´＇＇"),
    ('"', "“”„‟″〝〞"),
    ("·", "•‧∙⋅・･᛫⸱‣"),
    (".", "。｡…‥．"),
    ("/", "⁄∕⧸"),
    (":", "∶꞉"),
    (" ", "\u2800\x1f"),
    ("\n", "\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"),
)
_DROPPED = frozenset(
    chr(code)
    for first, last in (
        (0x00, 0x08), (0x0E, 0x1B), (0x7F, 0x84), (0x86, 0x9F), (0x034F, 0x034F), (0x115F, 0x1160),
        (0x17B4, 0x17B5), (0x180B, 0x180F), (0x2065, 0x2065), (0x3164, 0x3164), (0xD800, 0xDFFF), (0xFE00, 0xFE0F),
        (0xFFA0, 0xFFA0), (0xFFF0, 0xFFFC), (0xFFFE, 0xFFFF), (0xE0000, 0xE0FFF),
    )
    for code in range(first, last + 1)
)  # fmt: skip
_HANGZHOU = {chr(0x3021 + n): str(n + 1) for n in range(9)}
_EXACT: dict[str, str] = {sign: to for to, signs in _SIGNS for sign in signs}
_EXACT |= _LATIN | _RADICALS | _HANGZHOU | DISUSED | LOOKALIKE_SIGNS
_NAMED = (
    "LATIN LETTER SMALL CAPITAL ",
    "NEGATIVE CIRCLED LATIN CAPITAL LETTER ",
    "NEGATIVE SQUARED LATIN CAPITAL LETTER ",
)
_VARIANT: Final = re.compile(
    r"LATIN (?:SMALL|CAPITAL) LETTER (?:BLACKLETTER |SCRIPT |INSULAR |STIRRUP |DOTLESS )?"
    r"([A-Z])(?: WITH .*| WITHOUT .*)?"
)


def is_han(code: int) -> bool:
    """Return whether the code point counts as a Han character."""
    return any(first <= code <= last for first, last in HAN_RANGES)


@cache
def simplified() -> dict[str, str]:
    """Return traditional → simplified, character by character, both planes; about 4,300 entries, no cycles."""
    codes = (code for first, last in ((0x3400, 0x9FFF), (0x20000, 0x323AF)) for code in range(first, last + 1))
    characters = "\n".join(map(chr, codes))
    pairs = zip(characters.split("\n"), opencc.OpenCC("t2s").convert(characters).split("\n"), strict=True)
    table = {left: right for left, right in pairs if left != right and len(right) == 1}
    # People who convert by tool or by hand disagree on these; the fold takes the commonest simplified form.
    table |= {"乾": "干", "瞭": "了", "著": "着", "徵": "征", "藉": "借", "餘": "余", "夥": "伙", "摺": "折"}
    return {left: right for left, right in table.items() if table.get(right) != left}


@lru_cache(maxsize=2048)
def fold_character(character: str) -> str:
    """Return what one character becomes: "" when dropped, itself when it is already canonical."""
    once = _step(character)
    if once == character:
        return once
    return fold_character(once) if len(once) == 1 else "".join(map(fold_character, once))


def _step(character: str) -> str:
    """Return the character after the first rule that changes it, or itself."""
    exact = _EXACT.get(character)
    if exact is not None:
        return exact
    if character in _DROPPED:
        return ""
    category = unicodedata.category(character)
    if category in ("Cf", "Me") or unicodedata.combining(character):
        return ""
    if category == "Zs":
        return " "
    if category == "Pd":
        return "-"
    number = _number(character)
    if number is not None:
        return number
    decomposed = unicodedata.normalize("NFKD", character)
    if decomposed != character:
        return decomposed
    lower = character.casefold()
    if lower != character:
        return lower
    if category[0] in "LS":
        letter = _named_letter(character)
        if letter is not None:
            return letter
    return simplified().get(character, character)


def _number(character: str) -> str | None:
    """Return 0-9, or 10-20 for the ornaments that NFKD leaves alone; None for everything else."""
    digit = unicodedata.digit(character, None)
    if digit is not None:
        return str(digit)
    if 0x2776 <= ord(character) <= 0x2793 or 0x24EB <= ord(character) <= 0x24FF:
        return str(int(unicodedata.numeric(character)))
    return None


def _named_letter(character: str) -> str | None:
    """Return a-z for what Unicode only names: small capitals, white on black letters, variants (ɓ, ƙ, ɽ, ꬲ)."""
    if not ("\u0180" <= character <= "\u02af" or character >= "\u1d00"):
        return None
    name = unicodedata.name(character, "")
    for prefix in _NAMED:
        letter = name.removeprefix(prefix)
        if len(letter) == 1:
            return letter.lower()
    variant = _VARIANT.fullmatch(name)
    return variant.group(1).lower() if variant else None


def lookalike(character: str) -> str:
    """Return the letter a-z that a letter or a digit of another script looks like, or "" when none.

    Capitals are judged as capitals (Ν looks like n, ν like v), for which the character is needed before it was folded.
    """
    if unicodedata.category(character) == "Nd":
        return "o" if ord(character) in NUMERAL_SCRIPTS else ""
    base = unicodedata.normalize("NFKD", character)[0]
    return LETTERS.get(base) or LETTERS.get(base.casefold(), "")


def digit_lookalike(character: str) -> str:
    """Return the digit 0-9 that a letter or a digit of another script looks like, or "" when none."""
    if unicodedata.category(character) == "Nd":
        if any(zero <= ord(character) < zero + 10 for zero in NUMERAL_SCRIPTS):
            return NUMERALS.get(character) or str(unicodedata.digit(character))
        return ""
    base = unicodedata.normalize("NFKD", character)[0]
    return DIGITS.get(base) or DIGITS.get(base.casefold(), "")


def class_of(character: str) -> int:
    """Return the class flags of one canonical character."""
    if character == "\n":
        return LINEBREAK
    if "0" <= character <= "9":
        return DIGIT
    if "a" <= character <= "z":
        return LATIN
    if character in "*#":
        return MASK
    if is_han(ord(character)):
        return HAN | MASK if character == "〇" else HAN
    category = unicodedata.category(character)
    if category[0] == "L" or category in ("Mn", "Mc"):
        return LETTER
    if character not in "@%&" and (category[0] in "PZ" or character in "+=|~^`<>\t"):
        return SEPARATOR
    return OTHER
