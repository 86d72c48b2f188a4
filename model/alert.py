"""An alert: what people act on; one per record and leak, with sightings."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from model.match import Verdict


class Severity(StrEnum):
    """How fast someone must look; docs/alerts.md has the table."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class Status(StrEnum):
    """Where an alert stands in triage."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    CONFIRMED = "confirmed"
    FALSE_ALARM = "false-alarm"
    RECOVERED = "recovered"
    """A site works again; only Spillwatch itself closes so."""


class Subject(StrEnum):
    """What an alert is about."""

    RECORD = "record"
    SITE = "site"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class Sighting:
    """One place where the leak was seen."""

    page_id: str
    """Also the id of the evidence."""
    site: str
    seen_at: datetime
    published_at: datetime | None
    evidence: str
    """Folder of the snapshot, relative to the evidence root; empty for alerts about sites or the system."""


@dataclass(frozen=True, slots=True)
class Alert:
    """One case for people. Holds references, kinds and times; no field can carry crawled or enrolled text."""

    alert_id: str
    """`SW-` and eight characters of Crockford base 32, random."""
    subject: Subject
    verdict: Verdict | None
    """For records: LEAK or SUSPICIOUS."""
    severity: Severity
    status: Status
    handle: bytes | None
    """The record's handle, for alerts about records."""
    site: str
    """Where it was first seen (site name of config.yaml), or the site the alert is about; empty for the system."""
    kinds: tuple[str, ...]
    """Kinds of elements found; for sites and the system the reason words."""
    score: float
    incident: str
    """Alerts raised by one page share an incident and one message."""
    first_seen: datetime
    last_seen: datetime
    sightings: tuple[Sighting, ...] = ()
