"""The clear side of an evidence folder: its file names, manifest, digests and README; free of content."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from alerts.evidence.canonical import sha256
from model.errors import EvidenceError

FORMAT = "spillwatch evidence 1"
CONTENT = "content.age"
MANIFEST = "manifest.json"
CUSTODY = "custody.json"
README = "README.txt"
SUMS = "SHA256SUMS"
LISTED = (README, CONTENT)
"""What the manifest lists; the custody entry seals the manifest, the sums cover everything."""
FILES = frozenset({CONTENT, MANIFEST, CUSTODY, README, SUMS})

SITE = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")
PLAIN = re.compile(r"[^\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]{0,300}")
WHY = re.compile(r"[a-z][a-z -]{0,60}( [0-9a-f]{32})?")
TEMPLATE = Path(__file__).parent.parent / "templates" / "evidence-readme.txt"


def readme(evidence_id: str, fetched_at: str, taken_at: str) -> bytes:
    """Return the README of a folder, English and Chinese."""
    text = TEMPLATE.read_text("utf-8")
    return text.format(evidence_id=evidence_id, fetched_at=fetched_at, taken_at=taken_at).encode()


def file_table(files: Mapping[str, bytes]) -> dict[str, dict[str, Any]]:
    """Return name → size and SHA-256."""
    return {name: {"bytes": len(content), "sha256": sha256(content)} for name, content in files.items()}


def sums(files: Mapping[str, bytes]) -> bytes:
    """Return the text that `sha256sum -c` reads, sorted by name."""
    return "".join(f"{sha256(files[name])}  {name}\n" for name in sorted(files)).encode("ascii")


def require_plain(pattern: re.Pattern[str], text: str, field: str) -> str:
    """Return the text if it fits the pattern of its field.

    Raises `EvidenceError` naming the field: what stands in clear beside the content must not be content.
    """
    if not pattern.fullmatch(text):
        raise EvidenceError(f"{field} is not a plain word and would stand in clear beside the evidence; not taken")
    return text
