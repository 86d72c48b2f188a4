"""Plain text in whatever character coding: every plausible reading side by side.

No detector is right about short Chinese text, and a wrong guess silently loses a leak, so nothing is guessed: the
bytes are decoded with each coding in use for Chinese and English, and every reading that looks like language is given.
Text that is valid UTF-8 with characters of three bytes cannot reasonably be anything else and is given once.
"""

import codecs
import re
from collections.abc import Iterator
from functools import cache

from model.page import Part, Passage

SAMPLE = 4_000
"""Characters outside ASCII by which a reading is judged."""
PLAUSIBLE = 0.6
"""Share of those characters that must be in everyday use."""
SHORT = 16
"""Below so many characters outside ASCII rare characters weigh too much: names are full of them."""
PLAUSIBLE_SHORT = 0.4
MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
CANDIDATES = ("utf-8", "gb18030", "big5hkscs", "utf-16-le", "utf-16-be")
TEXT_CODINGS = re.compile(
    r"utf|gb|hz|big5|cp\d|iso-?8859|iso-?2022|latin|euc|shift|sjis|windows|koi8|johab|mac|ascii|tis|viscii",
    re.IGNORECASE,
)
"""Names of codings of text; Python knows others under the same roof (zlib, rot13, idna) that must not be reached."""
OUTSIDE_ASCII = re.compile(r"[^\x00-\x7f]")
THREE_BYTES = re.compile(rb"[\xe0-\xf4][\x80-\xbf][\x80-\xbf]")
CONTROL = bytes({*range(9), *range(0x0E, 0x20)} - {0x1B})
"""Control characters that no text has; escape stands in the codings of ISO 2022."""


class TextDecoder:
    """Reads plain text: posts, pastes, CSV, SQL dumps, logs."""

    def accepts(self, part: Part) -> bool:
        """Take whatever does not look like a binary format."""
        return looks_like_text(part.data)

    def decode(self, part: Part) -> Iterator[Passage]:
        """Give each plausible reading once."""
        for text in readings(part.data, part.charset):
            yield Passage(text, part.provenance)


def looks_like_text(data: bytes) -> bool:
    """Tell whether bytes are text in some coding: few control characters, or UTF-16 and UTF-32."""
    head = data[:65_536]
    if head.startswith(tuple(mark for mark, _ in MARKS)) or _wide(head):
        return True
    if len(head) - len(head.translate(None, CONTROL)) <= len(head) // 50:
        return True
    return _plausible(head, "utf-16-le") or _plausible(head, "utf-16-be")


def readings(data: bytes, declared: str | None = None) -> list[str]:
    """Return every plausible reading of bytes, the likeliest first, each once; never an empty list for any bytes.

    Broken bytes become U+FFFD and never drop the rest.
    """
    for mark, coding in MARKS:
        if data.startswith(mark):
            return [data.decode(coding, "replace")]
    if (wide := _wide(data)) is not None:
        return [data.decode(wide, "replace")]
    if data.isascii():
        return _ascii_readings(data, declared)
    valid = _is_utf8(data)
    if valid and THREE_BYTES.search(data):
        return [data.decode("utf-8")]
    scores: dict[str, float] = {}
    names = dict.fromkeys((*CANDIDATES, *_usable(declared)))
    for coding in names:
        text = data.decode(coding, "replace")
        scores.setdefault(text, plausibility(text))
    chosen = _choose(scores)
    declared_texts = [data.decode(coding, "replace") for coding in _usable(declared)]
    # Where nothing Chinese fits it is Western text, in which only accents are at stake.
    fallback = [] if chosen else [data.decode("utf-8", "replace"), data.decode("latin-1")]
    utf8 = [data.decode("utf-8")] if valid else []
    return list(dict.fromkeys((*utf8, *chosen, *declared_texts, *fallback)))


def plausibility(text: str) -> float:
    """Return the share, 0 … 1, of the characters outside ASCII that are in everyday use in Chinese or English text."""
    foreign = OUTSIDE_ASCII.findall(_sample(text))[:SAMPLE]
    if not foreign:
        return 1.0
    return sum(letter in everyday() for letter in foreign) / len(foreign)


@cache
def everyday() -> frozenset[str]:
    """Return characters in everyday use: the first levels of GB 2312 and Big5, their symbols, and Western accents."""
    simplified = (bytes((row, column)) for row in range(0xB0, 0xD8) for column in range(0xA1, 0xFF))
    traditional = (
        bytes((row, column)) for row in range(0xA4, 0xC7) for column in (*range(0x40, 0x7F), *range(0xA1, 0xFF))
    )
    symbols = "　、。〈〉《》「」『』【】〔〕〖〗〃々·…—‘’“”‰′″℃№①②③④⑤⑥⑦⑧⑨⑩×÷±≤≥→←↑↓■□●○★☆￥€£©®°√﻿"
    full_width = "".join(map(chr, range(0xFF01, 0xFF5F)))
    western = "".join(map(chr, range(0xC0, 0x180)))
    chinese = b"".join(simplified).decode("gb2312", "ignore") + b"".join(traditional).decode("big5", "ignore")
    return frozenset(symbols + full_width + western + chinese)


def _choose(scores: dict[str, float]) -> list[str]:
    """Return the readings worth matching: those that pass, best first, without what is far behind the best."""
    ordered = sorted(scores, key=lambda text: -scores[text])
    best = scores[ordered[0]]
    foreign = len(OUTSIDE_ASCII.findall(_sample(ordered[0])))
    least = PLAUSIBLE_SHORT if foreign < SHORT else PLAUSIBLE
    margin = 0.5 if foreign < SHORT else 0.25
    return [text for text in ordered if scores[text] >= max(least, best - margin)]


def _ascii_readings(data: bytes, declared: str | None) -> list[str]:
    """Return the readings of 7-bit text: itself, and the codings that hide Chinese in ASCII."""
    found = [data.decode("ascii")]
    hidden = [("hz", b"~{"), ("iso-2022-jp", b"\x1b$"), ("utf-7", b"+")]
    names = {name.lower() for name in _usable(declared)}
    for coding, sign in hidden:
        if sign in data and (coding != "utf-7" or "utf-7" in names):
            found.append(data.decode(coding, "replace"))
    return list(dict.fromkeys(found))


def _usable(declared: str | None) -> list[str]:
    """Return the declared coding in a list if Python has it as a coding of text, else an empty list."""
    if not declared or not TEXT_CODINGS.match(declared.strip()):
        return []
    name = declared.strip().lower()
    # A page that says gb2312 or gbk means their superset, as every browser reads it.
    if name in ("gb2312", "gbk", "gb_2312-80", "x-gbk", "gb18030"):
        return ["gb18030"]
    try:
        return [codecs.lookup(name).name]
    except LookupError:
        return []


def _wide(data: bytes) -> str | None:
    """Return the coding if zero bytes stand where UTF-16 or UTF-32 puts them, else None."""
    head = data[:4_096]
    if head.count(0) < max(len(head) // 8, 1):
        return None
    even, odd = head[::2].count(0), head[1::2].count(0)
    if len(head) >= 8 and head[1::4].count(0) + head[2::4].count(0) == len(head[1::4]) + len(head[2::4]):
        return "utf-32-le" if head[::4].count(0) < head[3::4].count(0) else "utf-32-be"
    if odd > 4 * even:
        return "utf-16-le"
    return "utf-16-be" if even > 4 * odd else None


def _plausible(data: bytes, coding: str) -> bool:
    text = data.decode(coding, "replace")
    return bool(OUTSIDE_ASCII.search(text)) and plausibility(text) >= PLAUSIBLE


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _sample(text: str) -> str:
    """Return the front of a text that has something outside ASCII within reach, to keep judging cheap."""
    if len(text) <= 200_000:
        return text
    first = OUTSIDE_ASCII.search(text)
    start = first.start() if first else 0
    return text[start : start + 200_000]
