"""Files of HL7 v2 → single messages and their fields, however they are framed, ended and escaped.

Source: HL7 v2.9, chapter 2 (separators, escapes), and the Minimal Lower Layer Protocol (frames).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import hl7

from app.sources.files import CHUNK, LONGEST_LINE, decoded

FRAMING = b"\x0b\x1c \t\xef\xbb\xbf"
"""MLLP's start and end of a block, and what editors leave at the edges of lines."""
SEGMENT = re.compile(rb"[A-Z][A-Z0-9]{2}(?:[^A-Za-z0-9\x80-\xff]|$)")
ENVELOPE = (b"FHS", b"BHS", b"BTS", b"FTS")
CODINGS = {"UNICODE UTF-8": "utf-8", "GB 18030-2000": "gb18030", "BIG-5": "big5", "8859/1": "latin-1"}
"""MSH-18 (HL7 table 0211) → Python's name."""
TOO_LONG = b"too long"
NO_EMPHASIS = {"H": "", "N": ""}


@dataclass(frozen=True, slots=True)
class Segment:
    """One segment of a message, addressed as the standard counts: fields and components from 1."""

    name: str
    _fields: list[str] = field(repr=False)
    _separators: str = field(repr=False)
    """Field, component, repetition, escape, subcomponent."""

    def repetitions(self, number: int) -> list[str]:
        """Return the repetitions of a field that are not blank."""
        if number >= len(self._fields):
            return []
        return [text for text in self._fields[number].split(self._separators[2]) if text.strip() and text != '""']

    def components(self, repetition: str, *, own: bool = False) -> list[str]:
        """Return the components of a repetition, escapes resolved; subcomponents joined, or only each one's `own`."""
        _, component, _, escape, sub = tuple(self._separators)
        if sub not in repetition and escape not in repetition:
            return [text.strip() for text in repetition.split(component)]
        return [
            " ".join(self._plain(part) for part in text.split(sub)[: 1 if own else None] if part).strip()
            for text in repetition.split(component)
        ]

    def first(self, number: int, component: int = 1) -> str:
        """Return one component of the first repetition of a field, or an empty text."""
        for repetition in self.repetitions(number):
            return nth(self.components(repetition), component)
        return ""

    def text(self, number: int) -> str:
        """Return a field as text: repetitions are lines, separators within stay."""
        return "\n".join(self._plain(repetition) for repetition in self.repetitions(number)).strip()

    def raw(self, number: int) -> str:
        """Return a field as it stands."""
        return self._fields[number] if number < len(self._fields) else ""

    def _plain(self, text: str) -> str:
        if self._separators[3] not in text:
            return text.strip()
        return str(hl7.util.unescape(_container(self._separators), text, NO_EMPHASIS)).replace("\r", "\n").strip()


def nth(components: list[str], number: int) -> str:
    """Return a component, counted from 1, or an empty text."""
    return components[number - 1] if number <= len(components) else ""


def messages(raw: Any) -> Iterator[bytes]:
    """Yield each message of an open binary file: segments ended by a line feed, frames and envelopes taken off.

    A line that is no segment belongs to the text of the one before it, where somebody broke a line. Of a message
    that is too long only a mark is yielded, which `segments` refuses.
    """
    lines: list[bytes] = []
    size = 0
    for line in _lines(raw):
        segment = line.strip(FRAMING)
        if not segment:
            continue
        if segment.startswith((b"MSH", *ENVELOPE)):
            if lines:
                yield b"\n".join(lines)
            lines, size = [], 0
            if segment.startswith(ENVELOPE):
                continue
        size += len(segment)
        if size > LONGEST_LINE:
            lines = [TOO_LONG]
        elif SEGMENT.match(segment) or not lines:
            lines.append(segment)
        else:
            lines[-1] += b" " + segment
    if lines:
        yield b"\n".join(lines)


def segments(message: bytes) -> list[Segment]:
    """Return the segments of a message; raises `ValueError` if it is none, or in no coding that can be told."""
    if message == TOO_LONG:
        raise ValueError(f"the message is longer than {LONGEST_LINE >> 20} MB")
    head = message.partition(b"\n")[0]
    if not head.startswith(b"MSH") or len(head) < 8:
        raise ValueError("not an HL7 message: it does not begin with MSH and its separators")
    separator = chr(head[3])
    fields = head.split(head[3:4])
    declared = fields[17].decode("latin-1").split("~")[0].strip() if len(fields) > 17 else ""
    text = decoded(message, CODINGS.get(declared))
    marks = text[4:8].partition(separator)[0]
    separators = separator + marks + "^~\\&"[len(marks) :]
    return [Segment(line[:3], line.split(separator), separators) for line in text.split("\n")]


def _lines(raw: Any) -> Iterator[bytes]:
    """Yield what stands between carriage returns and line feeds, in whatever mixture."""
    rest = b""
    while chunk := raw.read(CHUNK):
        *whole, rest = (rest + chunk).replace(b"\r", b"\n").split(b"\n")
        if len(rest) > LONGEST_LINE:
            rest = rest[: LONGEST_LINE + 1]
        yield from whole
    yield rest


@cache
def _container(separators: str) -> Any:
    """Return an empty message with these separators, for the library that knows the escapes."""
    return hl7.parse(f"MSH{separators}{separators[0]}\r")
