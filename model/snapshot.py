"""A snapshot: the evidence kept of one page that matched."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Where the evidence of one page lies and what seals it."""

    evidence_id: str
    """Same as the page id: one page, one snapshot."""
    folder: Path
    manifest_sha256: str
    """Hex digest of `manifest.json`, which holds the digest of every other file."""
    taken_at: datetime
