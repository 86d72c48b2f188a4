"""Files made to stop or to fool a decoder: every one ends with a reason, in time, and the sandbox goes on."""

import gzip
import io
import json
import random
import struct
import time
import zipfile
import zlib
from collections.abc import Callable

import pytest
from PIL import Image

from decoders.interface import Sandbox
from model.page import Decoded, Part, Reason

Read = Callable[..., Decoded]
PATIENCE = 20.0
"""Seconds by which every part must have ended: the wall clock of 15 and some grace."""


def zip_bomb() -> bytes:
    """Return a zip of 200 MB of zeros."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros", bytes(200_000_000))
    return target.getvalue()


def overlapping_zip() -> bytes:
    """Return a zip in which a hundred entries share the bytes of one."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a", b"patient " * 10_000)
        entry = archive.infolist()[0]
        archive.filelist.extend([entry] * 99)
    return target.getvalue()


def huge_png() -> bytes:
    """Return a PNG that claims 100,000 × 100,000 pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", 100_000, 100_000, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (zip_bomb(), Reason.BOMB),
        (gzip.compress(bytes(200_000_000)), Reason.BOMB),
        (overlapping_zip(), Reason.BOMB),
        (huge_png(), Reason.TOO_BIG),
        (b"%PDF-1.7\n" + b"garbage" * 100, Reason.MALFORMED),
        (b"PK\x03\x04" + b"garbage" * 100, Reason.MALFORMED),
        (b"\x89PNG\r\n\x1a\n" + b"garbage" * 100, Reason.MALFORMED),
        (gzip.compress(b"some text " * 9_000)[:-40], Reason.MALFORMED),
    ],
)
def test_a_hostile_file_is_quarantined_with_its_reason(read: Read, data: bytes, reason: Reason) -> None:
    """Bombs, lying headers and broken files end with the reason that fits."""
    started = time.monotonic()
    decoded = read(data)
    assert reason in [outcome.reason for outcome in decoded.outcomes]
    assert time.monotonic() - started < PATIENCE


@pytest.mark.parametrize("tag", ["div", "b", "table", "p", "svg", "x"])
def test_deep_nesting_hides_nothing(read: Read, tag: str) -> None:
    """Text below 200,000 open tags is found, in time."""
    source = f"<html><body>{f'<{tag}>' * 200_000}patient 330188"
    started = time.monotonic()
    assert "patient 330188" in "".join(passage.text for passage in read(source.encode(), "text/html").passages)
    assert time.monotonic() - started < PATIENCE


def test_deep_json_hides_nothing(read: Read) -> None:
    """Text below 100,000 brackets is found."""
    text = "[" * 100_000 + json.dumps("patient 330188") + "]" * 100_000
    assert "patient 330188" in "".join(passage.text for passage in read(text.encode()).passages)


def test_a_truncated_picture_gives_its_upper_half(read: Read, draw_latin: Callable[..., Image.Image]) -> None:
    """What is there of a picture cut off in the middle is read."""
    target = io.BytesIO()
    draw_latin(["Mary Ashdown 13900001234", *["Peter Quill 13900005678"] * 9]).save(target, "PNG")
    data = target.getvalue()
    decoded = read(data[: len(data) * 3 // 4], "image/png")
    assert "13900001234" in "".join(passage.text for passage in decoded.passages)


def test_damaged_files_never_lose_their_outcome(sandbox: Sandbox, draw_latin: Callable[..., Image.Image]) -> None:
    """Parts in = read + skipped + quarantined, for files of each format with bytes changed at random."""
    chance = random.Random(20260101)
    target = io.BytesIO()
    draw_latin(["x"], width=100).save(target, "PDF")
    originals = [target.getvalue(), gzip.compress(b"patient " * 500), b"<p>patient</p>" * 50, b'{"a": ["b"]}' * 20]
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("word/document.xml", "<w:p><w:t>patient</w:t></w:p>")
    originals.append(packed.getvalue())
    parts = []
    for _ in range(40):
        data = bytearray(chance.choice(originals))
        for _ in range(chance.randint(1, 20)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        parts.append(Part("body", "", bytes(data[: chance.randint(1, len(data))])))
    outcomes = sandbox.decode(parts).outcomes
    assert {outcome.part for outcome in outcomes} == set(range(40))
    assert {outcome.state for outcome in outcomes} <= {"read", "skipped", "quarantined"}
