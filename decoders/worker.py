"""The decoder process: `python -m decoders.worker ARGUMENTS`, started by the sandbox and by nobody else.

It locks itself in, says what isolation it has measured, then reads parts from its input and answers with passages
and outcomes until its input ends. A part may hold further parts; each of them ends with an outcome of its own.
"""

import hashlib
import importlib
import json
import sys
from collections.abc import Sequence
from typing import BinaryIO

from decoders import messages
from decoders.archive import ArchiveDecoder
from decoders.encoded import hidden_in
from decoders.html import HtmlDecoder
from decoders.image import ImageDecoder
from decoders.interface import Decoder, DecodingSettings
from decoders.isolation import isolate, start_clock, stop_clock
from decoders.json import JsonDecoder
from decoders.office import OfficeDecoder
from decoders.pdf import PdfDecoder
from decoders.text import TextDecoder
from model.errors import DecodeError
from model.page import Part, Passage, Reason

TEXT_LIMIT = 4 * 1024 * 1024
"""Bytes of text given for one part of a page."""
HIDDEN_LIMIT = 1024 * 1024
"""Bytes of text given beyond that for what was hidden in encodings."""
PASSAGE_LIMIT = 20_000
NESTING = 3
"""Levels of parts inside parts."""
MEMBER_LIMIT = 10_000
"""Parts inside one part of a page, all levels together."""
SKIPPED = frozenset({Reason.TEXT_FREE, Reason.DUPLICATE, Reason.UNSUPPORTED})
"""Reasons that mean there was nothing to read, as against something that could not be read."""


class Reading:
    """One part of a page being read, with what is left of its budgets."""

    def __init__(self, output: BinaryIO, decoders: Sequence[Decoder], *, at_once: bool = True) -> None:
        """Start with full budgets; `at_once` sends every piece as soon as it is found, whatever comes next."""
        self._output = output
        self._at_once = at_once
        self._decoders = decoders
        self._text_left = TEXT_LIMIT
        self._hidden_left = HIDDEN_LIMIT
        self._passages_left = PASSAGE_LIMIT
        self._members_left = MEMBER_LIMIT
        self._seen: set[bytes] = set()
        self._given: set[str] = set()

    def read(self, part: Part, level: int = 0) -> None:
        """Give every passage in a part, then the outcome of the part; the same for each part inside it."""
        try:
            for found in self._choose(part).decode(part):
                if isinstance(found, Passage):
                    self._give(found, level)
                elif isinstance(found, Part):
                    self._read_member(found, level + 1)
                else:
                    self._end(Reason(found.reason))
        except DecodeError as error:
            self._end(Reason(error.reason))
        except MemoryError:
            self._end(Reason.TOO_BIG)
        except RecursionError:
            self._end(Reason.MALFORMED)
        except Exception as error:  # noqa: BLE001 - the seam: a library may raise anything; the part says so
            self._end(Reason.CRASH, error)
        else:
            self._end(None)

    def _choose(self, part: Part) -> Decoder:
        for decoder in self._decoders:
            if decoder.accepts(part):
                return decoder
        raise DecodeError(Reason.UNSUPPORTED, "no decoder reads this format")

    def _read_member(self, part: Part, level: int) -> None:
        """Read a part inside a part, unless it was read before or a limit is reached."""
        digest = hashlib.sha256(part.data).digest()
        if digest in self._seen:
            self._end(Reason.DUPLICATE)
            return
        self._seen.add(digest)
        self._members_left -= 1
        if level > NESTING or self._members_left < 0:
            raise DecodeError(Reason.LIMIT, "too many parts inside a part")
        self.read(part, level)

    def _give(self, passage: Passage, level: int) -> None:
        """Send a passage as far as the budget goes, and what is hidden in its text."""
        size = self._send(passage, self._text_left)
        self._text_left -= size
        for found in hidden_in(passage, self._hidden_left):
            if isinstance(found, Passage):
                # Two encodings undone in one order and in the other give the same text.
                if found.text not in self._given:
                    self._given.add(found.text)
                    self._hidden_left -= self._send(found, self._hidden_left)
            elif level < NESTING:
                self._read_member(found, level + 1)
        if self._text_left <= 0 or self._passages_left <= 0:
            raise DecodeError(Reason.LIMIT, "more text than is given for one part")

    def _send(self, passage: Passage, limit: int) -> int:
        """Send at most so many bytes of a passage; return how many."""
        body = passage.text.encode("utf-8", "replace")[: max(limit, 0)]
        if body.strip():
            self._passages_left -= 1
            header: messages.Header = {
                "say": "passage",
                "provenance": messages.shorten(passage.provenance),
                "ocr": passage.ocr,
            }
            self._write(messages.pack(header, body))
        return len(body)

    def _end(self, reason: Reason | None, error: Exception | None = None) -> None:
        """Say how a part ended."""
        state = "read" if reason is None else "skipped" if reason in SKIPPED else "quarantined"
        header: messages.Header = {"say": "outcome", "state": state, "reason": reason}
        if error is not None:
            header["error"] = type(error).__name__
        self._write(messages.pack(header))

    def _write(self, frame: bytes) -> None:
        self._output.write(frame)
        if self._at_once:
            self._output.flush()


def built_in(settings: DecodingSettings) -> tuple[Decoder, ...]:
    """Return the decoders, the more particular formats first; the last one takes whatever looks like text."""
    return (
        ImageDecoder(ocr=settings.ocr),
        PdfDecoder(ocr=settings.ocr),
        OfficeDecoder(),
        ArchiveDecoder(),
        JsonDecoder(),
        HtmlDecoder(),
        TextDecoder(),
    )


def named(names: Sequence[str]) -> tuple[Decoder, ...]:
    """Return decoders given as `module:Class`."""
    found: list[Decoder] = []
    for name in names:
        module, _, kind = name.partition(":")
        found.append(getattr(importlib.import_module(module), kind)())
    return tuple(found)


def main(arguments: str) -> None:
    """Serve parts until the input ends."""
    asked = json.loads(arguments)
    settings = DecodingSettings(**asked["settings"])
    decoders = (*named(asked["decoders"]), *built_in(settings))
    measured = isolate(settings.memory)
    source, output = sys.stdin.buffer, sys.stdout.buffer
    output.write(messages.pack({"say": "hello", **measured}))
    output.flush()
    more = False
    while (asked_part := messages.read_request(source)) is not None:
        part, seconds, follows = asked_part
        if not more:
            start_clock(seconds)  # one clock for the parts of a batch
        more = follows
        Reading(output, decoders, at_once=not more).read(part)
        output.write(messages.pack({"say": "done"}))
        if not more:
            output.flush()
            stop_clock()


if __name__ == "__main__":
    main(sys.argv[1])
