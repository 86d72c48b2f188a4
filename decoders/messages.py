"""What parent and child say to each other: length-prefixed frames, bounded in size, checked field by field.

A frame is 4 bytes of header length, 4 bytes of body length (big endian), a JSON header and raw bytes.
Nothing is ever unpickled: a child that was taken over by what it read can only send text.
"""

import json
import struct
from functools import lru_cache
from typing import BinaryIO

from model.errors import DecodeError
from model.page import Part, Passage, Reason

LENGTHS = struct.Struct(">II")
HEADER_LIMIT = 8_192
"""Bytes of JSON in one frame."""
REQUEST_LIMIT = 256 * 1024 * 1024
"""Bytes of one part."""
ANSWER_LIMIT = 8 * 1024 * 1024
"""Bytes of text in one frame of an answer."""
PROVENANCE_LIMIT = 400
"""Characters of a provenance; longer ones lose their middle."""

Header = dict[str, object]
Frame = tuple[Header, bytes]


def pack(header: Header, body: bytes = b"") -> bytes:
    """Return one frame."""
    text = _header_text(tuple(header.items()))
    return LENGTHS.pack(len(text), len(body)) + text + body


@lru_cache(maxsize=512)
def _header_text(items: tuple[tuple[str, object], ...]) -> bytes:
    """Return a header as JSON; few of them are ever different."""
    return json.dumps(dict(items)).encode("ascii")


def shorten(provenance: str) -> str:
    """Return a provenance of bounded length, on one line, that can be sent as UTF-8."""
    line = provenance
    if not line.isprintable():
        line = "".join(letter if letter.isprintable() else " " for letter in provenance)
    if len(line) > PROVENANCE_LIMIT:
        half = PROVENANCE_LIMIT // 2 - 1
        line = f"{line[:half]}…{line[-half:]}"
    return line


def request(part: Part, seconds: float, *, more: bool = False) -> bytes:
    """Return the frame that asks for a part to be decoded within so many seconds.

    `more` says that another request follows at once, so that the answer to this one may wait for its company.
    """
    header: Header = {
        "provenance": shorten(part.provenance),
        "media_type": part.media_type[:200],
        "name": shorten(part.name),
        "charset": part.charset[:40] if part.charset else None,
        "seconds": seconds,
        "more": more,
    }
    return pack(header, part.data)


def read_request(stream: BinaryIO) -> tuple[Part, float, bool] | None:
    """Return the next part, its seconds and whether more follow, in the child; None once the pipe is closed."""
    lengths = stream.read(LENGTHS.size)
    if len(lengths) < LENGTHS.size:
        return None
    header_size, body_size = LENGTHS.unpack(lengths)
    header = json.loads(stream.read(header_size))
    data = stream.read(body_size)
    if len(data) < body_size:
        return None
    part = Part(
        provenance=str(header["provenance"]),
        media_type=str(header["media_type"]),
        data=data,
        name=str(header["name"]),
        charset=header["charset"],
    )
    return part, float(header["seconds"]), bool(header["more"])


def take_frame(buffer: bytearray) -> Frame | None:
    """Take one whole frame off the front of what a child has sent so far; None if it is not complete yet.

    Raises `DecodeError` with reason `crash` if the child does not keep to the protocol.
    """
    if len(buffer) < LENGTHS.size:
        return None
    header_size, body_size = LENGTHS.unpack_from(buffer)
    if header_size > HEADER_LIMIT or body_size > ANSWER_LIMIT:
        raise broken("a frame is larger than allowed")
    end = LENGTHS.size + header_size + body_size
    if len(buffer) < end:
        return None
    text = bytes(buffer[LENGTHS.size : LENGTHS.size + header_size])
    body = bytes(buffer[LENGTHS.size + header_size : end])
    del buffer[:end]
    return _header(text), body


@lru_cache(maxsize=512)
def _header(text: bytes) -> Header:
    """Return a header that a child sent; few of them are ever different, and nobody changes one."""
    try:
        header = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise broken("a header is not JSON") from error
    if not isinstance(header, dict) or not isinstance(header.get("say"), str):
        raise broken("a header has no kind")
    return header


def passage_in(frame: Frame) -> Passage:
    """Return the passage that a frame carries, checked."""
    header, body = frame
    provenance, ocr = header.get("provenance"), header.get("ocr")
    if not isinstance(provenance, str) or len(provenance) > PROVENANCE_LIMIT or not isinstance(ocr, bool):
        raise broken("a passage is not well formed")
    return Passage(text=body.decode("utf-8", "replace"), provenance=provenance, ocr=ocr)


def outcome_in(frame: Frame) -> tuple[str, Reason | None]:
    """Return state and reason that a frame carries, checked."""
    state, reason = frame[0].get("state"), frame[0].get("reason")
    if state == "read" and reason is None:
        return "read", None
    if state in ("skipped", "quarantined") and reason in frozenset(Reason):
        return str(state), Reason(str(reason))
    raise broken("an outcome is not well formed")


def broken(what: str) -> DecodeError:
    """Return the error for a child that does not keep to the protocol."""
    return DecodeError(Reason.CRASH, f"a decoder process did not keep to the protocol: {what}")
