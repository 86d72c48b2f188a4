"""A second reading of folded text, of the same length: digits that were written in Han, or misread as letters."""

import re

from matchers.digits import SEPARATORS

_HAN = "〇零一二三四五六七八九幺两壹贰叁肆伍陆柒捌玖"
_TO_DIGIT = str.maketrans(dict(zip(_HAN, "0012345678912123456789", strict=True)))
_HAN_RUN = re.compile(rf"[{_HAN}0-9](?:{SEPARATORS}{{0,2}}[{_HAN}0-9]){{5,}}")
_MISREAD = str.maketrans("oqdilzsbg|&!", "000112589188")
_TOKEN = re.compile(r"[0-9oqdilzsbg|&!](?:[ \-]?[0-9oqdilzsbg|&!]){5,24}")


def as_digits(text: str) -> str | None:
    """Return the text with such digits as 0-9, or None if there are none; lengths are equal.

    Han numerals count in runs of six or more; letters only where digits are the majority of a token.
    """
    changed = _HAN_RUN.sub(lambda match: match.group().translate(_TO_DIGIT), text)
    changed = _TOKEN.sub(_misread, changed)
    return None if changed == text else changed


def _misread(match: re.Match[str]) -> str:
    token = match.group()
    digits = sum(character.isdigit() for character in token)
    return token.translate(_MISREAD) if 2 * digits > len(token) and digits >= 5 else token
