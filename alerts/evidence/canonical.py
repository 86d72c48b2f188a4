"""The one way JSON is written in evidence, so that equal content has equal bytes and equal digests."""

import hashlib
import json
from datetime import UTC, datetime
from typing import Any

from model.errors import EvidenceError


def canonical_json(tree: Any) -> bytes:
    """Return sorted, indented JSON as UTF-8 that ends in one line feed; floats must be finite."""
    return (json.dumps(tree, sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode(
        "utf-8", "surrogatepass"
    )


def canonical_line(tree: Any) -> bytes:
    """Return sorted JSON on one line of ASCII, ended by one line feed."""
    return (json.dumps(tree, sort_keys=True, separators=(",", ":"), allow_nan=False) + "\n").encode("ascii")


def sha256(content: bytes) -> str:
    """Return the SHA-256 of the bytes, 64 hex digits in lower case."""
    return hashlib.sha256(content).hexdigest()


def utc(moment: datetime) -> str:
    """Return a time as evidence writes it: UTC, microseconds, `Z`.

    Raises `EvidenceError` for a time without an offset: evidence must not guess one.
    """
    if moment.utcoffset() is None:
        raise EvidenceError("a time without an offset came into the evidence; report this as a fault of Spillwatch")
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
