"""What can be said in a message, and what a channel is. There is no field for crawled or enrolled text."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from model.alert import Severity, Subject
from model.match import Verdict


@dataclass(frozen=True, slots=True)
class EmailSettings:
    """`alerts: email:` in config.yaml."""

    to: tuple[str, ...]
    sender: str
    """The From address."""
    host: str
    port: int = 587
    security: str = "starttls"
    """`starttls` or `tls`. There is no plain."""
    user: str | None = None
    password: str | None = None
    """A reference (`env:`, `file:`, `keyring:`), resolved at the roof."""
    ca_file: Path | None = None
    """A certificate authority of the organisation's own."""
    language: str = "en"
    """`en` or `zh`."""


@dataclass(frozen=True, slots=True)
class SpoolSettings:
    """`alerts: spool:` in config.yaml: messages as `.eml` files in a folder."""

    folder: Path
    to: tuple[str, ...] = ("security@localhost",)
    sender: str = "spillwatch@localhost"
    language: str = "en"


@dataclass(frozen=True, slots=True)
class EvidenceSettings:
    """`evidence:` in config.yaml."""

    folder: Path
    recipients: tuple[str, ...]
    """age public keys (`age1…`) that can open the content. The private keys belong on another machine."""
    screenshot: bool = True
    """Render the captured bytes with Chromium where it is present."""


@dataclass(frozen=True, slots=True)
class NoticeLine:
    """One alert as told in a message: references, fixed words, numbers and times only."""

    alert_id: str
    severity: Severity
    verdict: Verdict | None
    kinds: tuple[str, ...]
    """Names of files in `matchers/kinds/`, or `model.page.Reason` words."""
    score: float
    sightings: int
    risen: bool = False
    """Told before; told again because its severity or its verdict rose."""


@dataclass(frozen=True, slots=True)
class Notice:
    """One message: all alerts that one page (or one failure) raised."""

    incident: str
    """Hex; the Message-ID is derived from it."""
    subject: Subject
    severity: Severity
    """The highest among the lines."""
    site: str
    """Name of the site in config.yaml; the operator's own word."""
    first_seen: datetime
    lines: tuple[NoticeLine, ...]
    """The gravest first, at most `alerts.notice.MOST_LINES`."""
    total: int
    """How many alerts the message is about, those beyond the lines included."""
    site_class: str = ""
    """What kind of place the site is, in one word (`use:` of config.yaml); empty if not known."""
    follows: tuple[str, ...] = ()
    """Incidents of earlier messages about the same alerts, so that mail programs show one thread."""


class Channel(Protocol):
    """One way out. One file in `alerts/channels/`, one channel."""

    name: str

    def deliver(self, notice: Notice) -> None:
        """Hand the notice over; returning means it was accepted for every recipient.

        Raises `model.errors.DeliveryError` (which never quotes a server's reply in full).
        """
        ...
