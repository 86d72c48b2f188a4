"""What is hidden in encodings inside a text: base64, hex, percent signs, entities, escapes, quoted-printable.

Whatever decodes to something readable is put back in its place in the line, so that a record half of which is encoded
is still one record; what decodes to a file of a known format becomes a part of its own. Two layers, within a budget.
"""

import binascii
import codecs
import itertools
import quopri
import re
import string
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from html import unescape
from operator import itemgetter
from urllib.parse import unquote_to_bytes

from decoders.text import everyday, readings
from decoders.unescape import unescape_script
from model.page import Part, Passage

LAYERS = 2
SHORT_TEXT = 64_000
"""Characters up to which the whole text is given again; of longer texts only the lines that changed."""
SHORT_TOKEN = 12
"""Bytes below which a decoded token must be Chinese through and through to be believed."""
TOKENS_LIMIT = 2_000
"""Tokens tried in one passage."""
FILES_LIMIT = 20
"""Files taken out of one passage."""
BASE64 = re.compile(r"(?<![A-Za-z0-9+/_-])(?:[A-Za-z0-9+/_-]{8,}(?:\r?\n[A-Za-z0-9+/_-]{4,})*)={0,2}")
HEX = re.compile(r"(?<![0-9a-fA-F])(?:0x)?(?:[0-9a-fA-F]{2}[ :]?){5,}[0-9a-fA-F]{2}(?![0-9a-fA-F])")
PERCENT = re.compile(r"%[0-9a-fA-F]{2}")
ENTITY = re.compile(r"&(?:#\d{2,7}|#x[0-9a-fA-F]{2,6}|[a-zA-Z]{2,8});")
ESCAPE = re.compile(r"\\(?:u\{?[0-9a-fA-F]{2,}|x[0-9a-fA-F]{2}|U[0-9a-fA-F]{8})")
ESCAPED_BYTES = re.compile(r"(?:\\x[0-9a-fA-F]{2}){2,}")
QUOTED = re.compile(r"=[0-9A-F]{2}=[0-9A-F]{2}")
EVERYDAY = 0.9
"""Share of everyday characters in what is taken for text."""
HAN = re.compile("[\u4e00-\u9fff]")
TURNING = re.compile(r"[\x00-\x7f](?=[^\x00-\x7f])|[^\x00-\x7f](?=[\x00-\x7f])")
"""Where ASCII and other characters take turns: in language after some letters, in chance after one or two."""
READABLE = re.compile(r"[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffd\ue000-\uf8ff]+")
FILE_SIGNS = {
    b"\x1f\x8b\x08": "gzip",
    b"PK\x03\x04": "zip",
    b"\x89PNG\r\n": "png",
    b"\xff\xd8\xff": "jpeg",
    b"GIF8": "gif",
    b"%PDF-": "pdf",
    b"BZh": "bz2",
    b"\xfd7zXZ": "xz",
    b"\xd0\xcf\x11\xe0": "ole",
}
SIGNS = tuple(FILE_SIGNS)
MARKS = (codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
UNREADABLE = bytes({*range(0x20), 0x7F} - {0x09, 0x0A, 0x0D})
"""Bytes that stand in no readable text of a coding without zero bytes."""
HIGH = bytes((0x00, 0x01, *range(0x20, 0x28), 0x30, *range(0x4E, 0xA0), 0xFF))
"""High bytes of everyday characters in UTF-16."""


def _shapes(of: Mapping[str, str]) -> bytes:
    """Return a table that turns every byte into a letter for its class, and what is in no class into a space."""
    return bytes(
        next((ord(shape) for shape, letters in of.items() if chr(byte) in letters), 0x20) for byte in range(256)
    )


BASE64_SHAPE = _shapes({"a": string.ascii_lowercase, "A": string.ascii_uppercase, "0": string.digits, "-": "+/-_"})
TURNS = (b"aA", b"a0", b"0a", b"A0", b"0A")
HEX_SHAPE = _shapes({"h": string.hexdigits, ":": " :"})
SIX_PAIRS = re.compile(rb"hh:?hh:?hh:?hh:?hh:?hh")
ALPHABET = bytes.maketrans(b"-_", b"+/")
OUTSIDE_ALPHABET = bytes(set(range(256)) - set(f"{string.ascii_letters}{string.digits}+/-_".encode()))


def hidden_in(passage: Passage, budget: int, layer: int = 1) -> Iterator[Passage | Part]:
    """Yield what stands encoded in a passage, decoded: passages within a budget of bytes, and files."""
    if passage.ocr:
        # Pixels read with a slip in every hundred characters do not decode to anything.
        return
    for name, undo in UNDO.items():
        files: list[bytes] = []
        changed = changed_lines(passage.text, undo(passage.text, files))
        for number, data in enumerate(files[:FILES_LIMIT], 1):
            yield Part(f"{passage.provenance} ({name} file {number})", "", data)
        if not changed or budget <= 0:
            continue
        found = replace(passage, text=changed[:budget], provenance=f"{passage.provenance} ({name})")
        budget -= len(found.text.encode("utf-8", "replace"))
        yield found
        if layer < LAYERS:
            yield from hidden_in(found, budget, layer + 1)


def changed_lines(before: str, after: str) -> str:
    """Return what a decoding changed: the whole text if it is short, else the lines that were not there before."""
    if before == after:
        return ""
    if len(before) <= SHORT_TEXT:
        return after
    old = set(before.split("\n"))
    return "\n".join(line for line in after.split("\n") if line not in old)


def undo_base64(text: str, files: list[bytes]) -> str:
    """Return text with its base64 tokens decoded where they hold text; files found are added to the list."""
    return _undo_tokens(_base64_tokens(text), text, base64_bytes, files)


def undo_hex(text: str, files: list[bytes]) -> str:
    """Return text with its runs of hex digits decoded where they hold text; files found are added to the list."""
    return _undo_tokens(_hex_tokens(text), text, _hex_bytes, files)


def undo_percent(text: str, _files: list[bytes]) -> str:
    """Return text with its percent-encoding undone."""
    return _undo_bytes(text, unquote_to_bytes) if PERCENT.search(text) else text


def undo_entities(text: str, _files: list[bytes]) -> str:
    """Return text with its HTML entities undone."""
    return unescape(text) if ENTITY.search(text) else text


def undo_escapes(text: str, _files: list[bytes]) -> str:
    """Return text with the escapes of program text undone; runs of byte escapes are read as bytes."""
    if not ESCAPE.search(text):
        return text
    return unescape_script(ESCAPED_BYTES.sub(_escaped_bytes, text))


def undo_quoted_printable(text: str, _files: list[bytes]) -> str:
    """Return text with quoted-printable undone, soft line breaks included."""
    return _undo_bytes(text, quopri.decodestring) if QUOTED.search(text) else text


UNDO: dict[str, Callable[[str, list[bytes]], str]] = {
    "percent": undo_percent,
    "entities": undo_entities,
    "escapes": undo_escapes,
    "quoted-printable": undo_quoted_printable,
    "base64": undo_base64,
    "hex": undo_hex,
}


def believable(data: bytes) -> str | None:
    """Return the text in decoded bytes if it is text beyond reasonable doubt, else None."""
    short = len(data) < SHORT_TOKEN
    # Most tokens of ordinary text are short numbers and words: told apart before any coding is tried.
    if not data or (short and (data.isascii() or min(data) < 0x20)):
        return None
    for text in _likely(data):
        share = _everyday_share(text)
        if (share == 1.0 and HAN.search(text)) if short else share >= EVERYDAY:
            return text
    return None


def _likely(data: bytes) -> Iterator[str]:
    """Yield the readings of bytes that have no unreadable character, tried only where they are possible at all."""
    if data.startswith(MARKS) or data.count(0) * 8 >= len(data):
        yield from (text for text in readings(data) if READABLE.fullmatch(text))
        return
    codings = ["utf-8", "gb18030", "big5hkscs"] if len(data.translate(None, UNREADABLE)) == len(data) else []
    if len(data) % 2 == 0:
        halves = {"utf-16-le": data[1::2], "utf-16-be": data[::2]}
        codings += [name for name, highs in halves.items() if 10 * len(highs.translate(None, HIGH)) <= len(highs)]
    for coding in codings:
        try:
            text = data.decode(coding)
        except UnicodeDecodeError:
            continue
        # By chance bytes make rare signs and ASCII in turns; only UTF-8 is hardly ever met by chance.
        if READABLE.fullmatch(text) and (coding == "utf-8" or 3 * len(TURNING.findall(text)) <= len(text)):
            yield text


def _everyday_share(text: str) -> float:
    """Return the share of characters in everyday use; of ASCII all are, since chance hardly gives ASCII only."""
    return sum(letter.isascii() or letter in everyday() for letter in text) / max(len(text), 1)


def base64_bytes(token: str) -> bytes:
    """Return the bytes of a base64 text, whatever its alphabet, padding and line breaks."""
    clean = token.encode("ascii", "ignore").translate(ALPHABET, OUTSIDE_ALPHABET)
    clean = clean[: len(clean) - (len(clean) % 4 == 1)]
    return binascii.a2b_base64(clean + b"=" * (-len(clean) % 4))


def _base64_tokens(text: str) -> Iterator[re.Match[str]]:
    """Yield what may be base64: runs of its alphabet that are neither words nor numbers, and the lines after them.

    A run counts only if lower case is followed by upper case in it, or a letter and a digit are neighbours: words,
    numbers and what hyphens make of them never are so, and hardly any encoded text is not.
    """
    shape = text.encode("ascii", "replace").translate(BASE64_SHAPE)
    ahead = {turn: at for turn in TURNS if (at := shape.find(turn)) >= 0}
    end = 0
    while ahead:
        turn, at = min(ahead.items(), key=itemgetter(1))
        if at >= end:
            found = BASE64.match(text, max(end, shape.rfind(b" ", 0, at) + 1))
            if found:
                yield found
            end = found.end() if found else shape.find(b" ", at)
        # Each kind of turn is looked for once over, from where the last one stood or where the run ended.
        following = shape.find(turn, max(at + 1, end)) if end >= 0 else -1
        if following >= 0:
            ahead[turn] = following
        else:
            del ahead[turn]


def _hex_tokens(text: str) -> Iterator[re.Match[str]]:
    """Yield runs of six and more pairs of hex digits."""
    shape = text.encode("ascii", "replace").translate(HEX_SHAPE)
    end = 0
    for pairs in SIX_PAIRS.finditer(shape):
        start = pairs.start() - 2 if text[max(pairs.start() - 2, 0) : pairs.start()] == "0x" else pairs.start()
        if start >= end and (found := HEX.match(text, start)):
            end = found.end()
            yield found


def _undo_tokens(tokens: Iterable[re.Match[str]], text: str, decode: Callable[[str], bytes], files: list[bytes]) -> str:
    """Return text with each token that holds text replaced by it."""
    pieces: list[str] = []
    end = 0
    for token in itertools.islice(tokens, TOKENS_LIMIT):
        data = inflated(decode(token.group(0)))
        if data.startswith(SIGNS):
            files.append(data)
        elif (plain := believable(data) or _line_by_line(token.group(0), decode)) is not None:
            pieces += (text[end : token.start()], " ", plain, " ")
            end = token.end()
    return "".join((*pieces, text[end:])) if pieces else text


def _line_by_line(token: str, decode: Callable[[str], bytes]) -> str | None:
    """Return a token of several lines with those decoded that hold text: the next line may be an ordinary word."""
    lines = token.splitlines()
    if len(lines) < 2:
        return None
    plain = [believable(inflated(decode(line))) for line in lines]
    if not any(plain):
        return None
    return "\n".join(new or old for new, old in zip(plain, lines, strict=True))


def inflated(data: bytes) -> bytes:
    """Return what a zlib stream holds, up to a megabyte; other bytes as they are."""
    if data[:1] != b"\x78" or len(data) < 8:
        return data
    try:
        return zlib.decompressobj().decompress(data, 1_000_000) or data
    except zlib.error:
        return data


def _hex_bytes(token: str) -> bytes:
    digits = re.sub(r"[ :]", "", token.removeprefix("0x"))
    return bytes.fromhex(digits[: len(digits) // 2 * 2])


def _undo_bytes(text: str, decode: Callable[[bytes], bytes]) -> str:
    return readings(decode(text.encode("utf-8", "replace")))[0]


def _escaped_bytes(found: re.Match[str]) -> str:
    return readings(bytes.fromhex(found.group(0).replace("\\x", "")))[0]
