"""Takes the snapshot of a page that matched (signatures first; the work follows)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from alerts.interface import EvidenceSettings
from model.match import Match
from model.page import Decoded, Page
from model.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class CaptureContext:
    """Under which circumstances a snapshot is taken; told in clear, so it holds no content."""

    configuration_digest: str
    """SHA-256 of the configuration in force, 64 hex digits."""
    isolation: str
    """`Sandbox.level` of the decoders."""
    operator: str
    """Who or which system captures: `spillwatch@host`, or a person's login."""
    why: str = ""
    """Fixed words; empty = as the page says."""
    versions: Mapping[str, str] = field(default_factory=dict)
    """Further tools and their versions; those of this room are added."""


def take(
    page: Page,
    decoded: Decoded,
    matches: Sequence[Match],
    *,
    settings: EvidenceSettings,
    context: CaptureContext,
    now: datetime,
) -> Snapshot:
    """Return the complete, sealed snapshot of the page; asking again for the same page returns the same one."""
    raise NotImplementedError
