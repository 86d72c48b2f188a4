"""Pages, matches and settings that the tests of this room share; only invented people."""

import gzip
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pyrage

from alerts.evidence.snapshot import CaptureContext
from model.match import Element, Match, Verdict
from model.page import Decoded, Exchange, Page, Part, PartOutcome, Passage

NOW = datetime(2026, 11, 24, 0, 30, tzinfo=UTC)
PAGE_ID = "0123456789abcdef" * 2
LEAKED = "姓名：钟离未央，主诉：反复胸闷气短三年，电话 15400001234"
CONTEXT = CaptureContext("c" * 64, "processes with limits, no network", "example hospital 示例医院, spillwatch@test")


def element(*kinds: str, role: str = "primary", form: str = "exact") -> Element:
    """Return one agreement of those kinds."""
    return Element(kinds, role, form, 1.0, 0, 0, 4)


def match(record: int, *elements: Element, verdict: Verdict = Verdict.LEAK, score: float = 0.97) -> Match:
    """Return a match with the record of that number."""
    return Match(record.to_bytes(16, "big"), verdict, score, elements or (element("resident_id"),))


def exchange(url: str, body: bytes, media_type: str, role: str = "item", status: int = 200, **more: str) -> Exchange:
    """Return one answered GET."""
    fields = (("Content-Type", media_type), *((name.replace("_", "-"), value) for name, value in more.items()))
    return Exchange(url, "GET", (("User-Agent", "test"),), status, fields, body, NOW, NOW, role, "127.0.0.1")


def page(page_id: str = PAGE_ID, exchanges: Sequence[Exchange] | None = None, text: str = LEAKED) -> Page:
    """Return a page that leaks, reached over a redirect, sent compressed."""
    if exchanges is None:
        exchanges = (
            exchange("http://paste.example/s/1", b"", "text/html", "redirect", 302, Location="/钟离未央"),
            exchange(
                "http://paste.example/钟离未央?q=1",
                gzip.compress(text.encode()),
                "text/plain; charset=utf-8",
                Content_Encoding="gzip",
                Transfer_Encoding="chunked",
                X_Title="\xe9\x92\x9f",
            ),
        )
    parts = (Part("body", "text/plain", text.encode(), "钟离未央.txt", "utf-8"),)
    return Page(
        page_id, "paste-site", "钟离未央", "http://paste.example/钟离未央", NOW, parts, tuple(exchanges), "listed"
    )


def decoded(text: str = LEAKED) -> Decoded:
    """Return what the decoders would make of the page."""
    return Decoded((Passage(text, "body"),), (PartOutcome(0, "read"),))


def key_pair() -> tuple[str, str]:
    """Return a new age public key and private key."""
    identity = pyrage.x25519.Identity.generate()
    return str(identity.to_public()), str(identity)


def flip(path: Path, bit: int) -> None:
    """Turn one bit of a file over, where it lies: nothing else is written."""
    with path.open("r+b", buffering=0) as file:
        file.seek(bit // 8)
        byte = file.read(1)[0] ^ 1 << bit % 8
        file.seek(bit // 8)
        file.write(bytes([byte]))
