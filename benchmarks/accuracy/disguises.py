"""How people write a value so that a search misses it: disguised digits, masks, other forms of a name or date."""

import random
import re
import unicodedata
from collections.abc import Callable, Mapping
from datetime import date
from functools import cache

import opencc
from nicknames import NickNamer
from pypinyin import Style, lazy_pinyin

from benchmarks.accuracy.records import Patient

Disguise = Callable[[random.Random, str], str]

HAN_DIGITS = str.maketrans("0123456789", "〇一二三四五六七八九")
FORMAL_DIGITS = str.maketrans("0123456789", "零壹贰叁肆伍陆柒捌玖")
FULL_WIDTH = {code: code + 0xFEE0 for code in range(0x21, 0x7F)}
CIRCLED = str.maketrans("0123456789", "⓪①②③④⑤⑥⑦⑧⑨")
ARABIC = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")
LOOKALIKES = {
    "a": "аɑ", "c": "сϲ", "e": "еҽ", "i": "іı", "j": "ј", "o": "оο", "p": "рρ", "s": "ѕ", "x": "хχ", "y": "уү",
    "A": "АΑ", "B": "ВΒ", "C": "СϹ", "E": "ЕΕ", "H": "НΗ", "I": "ІΙ", "K": "КΚ", "M": "МΜ", "O": "ОΟ", "P": "РΡ",
    "R": "Ꭱ", "S": "Ѕ", "T": "ТΤ", "X": "ХΧ", "Y": "ҮΥ", "Z": "ΖᏃ", "0": "оΟ", "1": "Іӏ", "3": "З", "5": "Ƽ", "6": "б",
    "-": "‐–−", ".": "․",
}  # fmt: skip
EMOJI = "🌸🔥😂⭐💧"
ZERO_WIDTH = "\u200b\u200c\u200d\u2060\ufeff\u00ad"
BIDI = "\u200e\u200f\u202a\u202c\u2066\u2069"
COMBINING = "\u0301\u0308\u0323\u0335\u0336"
MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
          "December")  # fmt: skip


def groups(chance: random.Random, value: str, joint: str) -> str:
    """Return a value in groups of one to four characters."""
    plain, cut, pieces = re.sub(r"[ ()-]", "", value), 0, []
    size = chance.choice((1, 2, 3, 4))
    while cut < len(plain):
        pieces.append(plain[cut : cut + size])
        cut += size
    return joint.join(pieces)


def between(chance: random.Random, value: str, letters: str, share: float = 0.5) -> str:
    """Return a value with a letter after some of its characters, at least after one."""
    sure = chance.randrange(max(len(value) - 1, 1))
    return "".join(
        sign + (chance.choice(letters) if number == sure or chance.random() < share else "")
        for number, sign in enumerate(value)
    )


def _tagged(chance: random.Random, value: str) -> str:
    tag = chance.choice(("b", "span", "i", "font"))
    return "".join(f"<{tag}>{piece}</{tag}>" for piece in groups(chance, value, "\0").split("\0"))


def _letters(chance: random.Random, value: str) -> str:
    return value.replace("0", chance.choice("Oo")).replace("1", chance.choice("lI"))


def homoglyphs(chance: random.Random, value: str) -> str:
    """Return a value with half of its characters from another script that looks the same, at least one."""
    can = [number for number, sign in enumerate(value) if sign in LOOKALIKES]
    taken = {number for number in can if chance.random() < 0.5} | set(can[:1])
    return "".join(chance.choice(LOOKALIKES[sign]) if number in taken else sign for number, sign in enumerate(value))


DIGITS: Mapping[str, Disguise] = {
    "spaces": lambda chance, value: groups(chance, value, " "),
    "dots": lambda chance, value: groups(chance, value, "."),
    "dashes": lambda chance, value: groups(chance, value, "-"),
    "line breaks": lambda chance, value: groups(chance, value, "\n"),
    "tags": _tagged,
    "emoji": lambda chance, value: groups(chance, value, chance.choice(EMOJI)),
    "full width": lambda _, value: value.translate(FULL_WIDTH),
    "circled": lambda _, value: value.translate(CIRCLED),
    "Arabic-Indic": lambda _, value: value.translate(ARABIC),
    "keycaps": lambda _, value: re.sub(r"\d", lambda digit: digit.group(0) + "\ufe0f\u20e3", value),
    "Han numerals": lambda _, value: value.translate(HAN_DIGITS),
    "formal numerals": lambda _, value: value.translate(FORMAL_DIGITS),
    "O for 0, l for 1": _letters,
    "zero width": lambda chance, value: between(chance, value, ZERO_WIDTH),
    "bidi": lambda chance, value: between(chance, value, BIDI),
    "combining": lambda chance, value: between(chance, value, COMBINING),
    "homoglyphs": homoglyphs,
}
"""Disguise → what it makes of an identifier."""


def written_phone(chance: random.Random, phone: str) -> str:
    """Return a phone number as people write it: country codes, groups, extension."""
    digits = re.sub(r"\D", "", phone)
    extension = chance.choice(("", "", " ext. 12", "转803", " x45"))
    if phone.startswith("+1"):
        digits = digits[1:]
        shape = chance.choice(("+1{}{}{}", "001 {} {} {}", "({}) {}-{}", "{}.{}.{}", "1-{}-{}-{}", "+1 ({}) {} {}"))
        return shape.format(digits[:3], digits[3:6], digits[6:]) + extension
    shape = chance.choice(
        ("+86{}{}{}", "0086-{}{}{}", "+86 {} {} {}", "(+86){}-{}-{}", "86{}{}{}", "{} {} {}", "{}-{}-{}")
    )
    return shape.format(digits[:3], digits[3:7], digits[7:]) + extension


def written_date(chance: random.Random, iso: str, language: str) -> str:
    """Return a date in one of the common formats of a language; day and month are in the order usual there."""
    day = date.fromisoformat(iso)
    year, month, number = day.year, day.month, day.day
    common = [f"{year}/{month}/{number}", f"{year}.{month:02}.{number:02}", f"{year}{month:02}{number:02}"]
    if language == "zh":
        numerals = f"{str(year).translate(HAN_DIGITS)}年{han_number(month)}月{han_number(number)}日"
        return chance.choice(
            [*common, f"{year}年{month}月{number}日", f"{year}年{month:02}月{number:02}日", f"{year}-{month}-{number}",
             numerals, f"{year}年{month}月{number}号"]
        )  # fmt: skip
    name = MONTHS[month - 1]
    return chance.choice(
        [*common[1:], f"{number} {name} {year}", f"{name} {number}, {year}", f"{number}-{name[:3]}-{year}",
         f"{month}/{number}/{year}", f"{name[:3]}. {number}, {year}", f"{number:02}.{month:02}.{year}"]
    )  # fmt: skip


def han_number(number: int) -> str:
    """Return 1 … 31 in Han numerals."""
    tens, ones = divmod(number, 10)
    return ("" if tens == 0 else "十" if tens == 1 else f"{'一二三'[tens - 1]}十") + (
        "" if not ones else "一二三四五六七八九"[ones - 1]
    )


def written_email(chance: random.Random, email: str) -> str:
    """Return an address as people hide it from harvesters."""
    at = chance.choice((" (at) ", "[at]", " at ", "(at)", "＠", " AT "))
    dot = chance.choice(("[dot]", " (dot) ", " dot ", "．"))
    local, _, domain = email.partition("@")
    return local + at + domain.replace(".", dot)


def fifteen(resident_id: str) -> str:
    """Return a resident ID of 18 characters as the 15 digits of before 1999."""
    return resident_id[:6] + resident_id[8:17]


def masked_name(chance: random.Random, patient: Patient) -> str:
    """Return a name of which a part is hidden, as registers and newspapers do."""
    name = patient.name
    if patient.language == "zh":
        hidden = [name[0] + "*" * (len(name) - 1), name[0] + "某" * (len(name) - 1), name[0] + "某某"]
        return chance.choice([*hidden, f"{name[0]}*{name[-1]}"] if len(name) > 2 else hidden)
    first, _, last = name.partition(" ")
    return chance.choice((f"{first} {last[0]}***", f"{first[0]}*** {last}", f"{first[0]}. {last[0]}."))


def masked_phone(chance: random.Random, phone: str) -> str:
    """Return a phone number with its middle hidden."""
    digits = re.sub(r"\D", "", phone)[-11:] if not phone.startswith("+1") else re.sub(r"\D", "", phone)[1:]
    sign = chance.choice("*xX×•")
    return digits[:3] + sign * (len(digits) - 7) + digits[-4:]


def masked_id(chance: random.Random, number: str) -> str:
    """Return an ID with its middle hidden: the area code and the last four characters of a resident ID are shown."""
    sign = chance.choice("*xX•")
    plain = re.sub(r"[ -]", "", number)
    if len(plain) == 18:
        front = chance.choice((6, 6, 10, 3))
        return plain[:front] + sign * (14 - front) + plain[-4:]
    return sign * (len(plain) - 4) + plain[-4:]


def pinyin(name: str, form: str, chance: random.Random) -> str:
    """Return a Chinese name in Latin letters, `toned` or `plain`, in one of the usual orders and joints."""
    style = Style.TONE if form == "toned" else Style.NORMAL
    family, *given = (word.capitalize() for word in lazy_pinyin(name, style=style))
    joined = "".join([given[0], *(word.lower() for word in given[1:])]) if given else ""
    shapes = [f"{family} {joined}", f"{family} {' '.join(given)}"]
    if form == "plain":
        shapes += [f"{joined} {family}", f"{family}{joined}".lower(), f"{family.upper()} {joined}"]
    return unicodedata.normalize("NFC", chance.choice(shapes))


def traditional(text: str) -> str:
    """Return text in traditional characters."""
    return _to_traditional().convert(text)


def short_form(patient: Patient, chance: random.Random) -> str | None:
    """Return an English name with the first name's short form; None if it has none."""
    first, _, last = patient.name.partition(" ")
    forms = sorted(_nicknamer().nicknames_of(first))
    return f"{chance.choice(forms).title()} {last}" if forms else None


@cache
def _to_traditional() -> opencc.OpenCC:
    return opencc.OpenCC("s2t")


@cache
def _nicknamer() -> NickNamer:
    return NickNamer()
