"""Slips of the keyboard, the ear and the eye: typing errors and OCR confusions, by the share of characters changed."""

import random
from collections import defaultdict
from collections.abc import Callable, Mapping
from functools import cache

from pypinyin import lazy_pinyin

from benchmarks.accuracy.public import Sources, han_share

LOOK_ALIKE = (
    "未末",
    "土士", "己已巳", "人入", "日曰", "大太天夭", "干千于", "刀力", "午牛", "王玉主", "田由甲申", "目且", "贝见",
    "折拆", "晴睛", "侯候", "陈阵", "历厉", "暖暧", "抱袍", "侍待", "杨扬", "沈沉",
)  # fmt: skip
OCR = {
    "0": "O", "O": "0", "1": "l", "l": "1", "I": "l", "8": "B", "B": "8", "5": "S", "S": "5", "2": "Z", "Z": "2",
    "6": "b", "9": "g", "g": "9", "m": "rn", "w": "vv", "d": "cl", "h": "b", "e": "c", "c": "e", "a": "o", "u": "v",
    "n": "r", "i": "j", "D": "O", "G": "6", "T": "7", ".": ",", ",": ".", "-": "~",
}  # fmt: skip
KEYS = ("qwertyuiop", "asdfghjkl", "zxcvbnm", "1234567890")
PUNCTUATION = "，。、；：？！,.;:?! \n"


class Slips:
    """Which character is taken for which."""

    def __init__(self, sources: Sources) -> None:
        """Take the tables of others where there are any."""
        self._looks: Mapping[str, str] = look_alikes(sources)
        self._sounds: Mapping[str, str] = sound_alikes(sources)

    def typed(self, chance: random.Random, text: str, share: float) -> str:
        """Return text as somebody types it: sound-alikes, neighbouring keys, a letter lost or doubled."""
        return slipped(chance, text, share, lambda letter: self._type(chance, letter))

    def read(self, chance: random.Random, text: str, share: float) -> str:
        """Return text as a machine reads it from a picture: look-alikes."""
        return slipped(chance, text, share, lambda letter: self._read(chance, letter))

    def edited(self, chance: random.Random, text: str, share: float) -> str:
        """Return text in which a share of the characters (Latin: of the words) was replaced, left out or added."""
        if han_share(text) <= 0.3:
            words = text.split(" ")
            return " ".join(filter(None, (_edit_word(chance, word, words, share) for word in words)))
        return "".join(_edit_letter(chance, letter, text, share) for letter in text)

    def _type(self, chance: random.Random, letter: str) -> str:
        if letter > "\u2e7f":
            return chance.choice(self._sounds.get(letter, letter))
        near = next((row for row in KEYS if letter.lower() in row), letter)
        at = near.find(letter.lower())
        other = near[max(at - 1, 0) : at] + near[at + 1 : at + 2] or letter
        if letter.isdigit():
            return chance.choice(other)
        return chance.choice((chance.choice(other), "", letter * 2))

    def _read(self, chance: random.Random, letter: str) -> str:
        if letter > "\u2e7f":
            return chance.choice(self._looks.get(letter, letter))
        return OCR.get(letter, letter)


def slipped(chance: random.Random, text: str, share: float, slip: Callable[[str], str]) -> str:
    """Return text in which each character slips with that probability."""
    return "".join(slip(letter) if chance.random() < share else letter for letter in text)


def look_alikes(sources: Sources) -> Mapping[str, str]:
    """Return Han character → those that look like it."""
    lines = LOOK_ALIKE if sources.folder is None else sources.read("confusions/same_stroke.txt.gz").splitlines()
    found: dict[str, str] = {}
    for line in lines:
        letters = line.replace("\t", "").strip()
        found.update({letter: letters.replace(letter, "") for letter in letters if len(letters) > 1})
    return found


def sound_alikes(sources: Sources) -> Mapping[str, str]:
    """Return Han character → those that sound like it."""
    if sources.folder is None:
        return _same_pinyin()
    found: dict[str, str] = {}
    for line in sources.read("confusions/same_pinyin.txt.gz").splitlines():
        letter, *others = line.split("\t")
        if not line.startswith("#") and (alike := "".join(others).strip()):
            found[letter] = alike
    return found


@cache
def _same_pinyin() -> Mapping[str, str]:
    """Return the everyday characters of GB 2312 by their reading."""
    codes = (bytes((row, column)) for row in range(0xB0, 0xD8) for column in range(0xA1, 0xFF))
    letters = b"".join(codes).decode("gb2312", "ignore")
    by_sound = defaultdict(list)
    for letter, sound in zip(letters, lazy_pinyin(list(letters)), strict=True):
        by_sound[sound].append(letter)
    return {
        letter: "".join(other for other in alike if other != letter)
        for alike in by_sound.values()
        if len(alike) > 1
        for letter in alike
    }


def _edit_word(chance: random.Random, word: str, words: list[str], share: float) -> str:
    if chance.random() >= share:
        return word
    return chance.choice(("", chance.choice(words), f"{word} {chance.choice(words)}", word[::-1]))


def _edit_letter(chance: random.Random, letter: str, text: str, share: float) -> str:
    if chance.random() >= share or letter in PUNCTUATION:
        return letter
    return chance.choice(("", chance.choice(text), letter + chance.choice(text)))
