"""One crawl in this process: a site scanned, or one address fetched for a person.

A Twisted reactor cannot be started twice, so each of these is called once per process: give a scan a child process of
its own. Both block until the crawl is over and hand every page to the sink before they return.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from crawler.interface import NetworkSettings, Sink, SiteSettings
from model.page import Page, Reason
from model.scan import ScanReport


@dataclass(frozen=True, slots=True)
class Fetched:
    """What came of one address that a person asked for."""

    page: Page | None
    """The page with its images, or None."""
    reason: Reason | None
    """Why there is no page."""
    linked: tuple[Page, ...] = ()
    """Pages on known paste sites that the page links to."""
    failed: Mapping[Reason, int] = field(default_factory=dict)
    """Images and linked pages that could not be fetched, by reason."""


def run(site: SiteSettings, network: NetworkSettings, sink: Sink, due_at: datetime) -> ScanReport:
    """Scan a site once and return what was covered; pages go to the sink as soon as each is complete.

    A failing site does not raise: it is told in the report. Raises ConfigError if the site's description cannot be
    used, and whatever the sink raises: nothing is skipped then, the next scan repeats.
    """
    raise NotImplementedError


def fetch(url: str, network: NetworkSettings, sink: Sink | None = None, *, robots: str = "ignore: asked for by a person") -> Fetched:
    """Fetch one address with its images and, if the settings say so, the pastes it links to, under the law of scans.

    Each page also goes to `sink.keep`, if a sink is given, with site `check` and its page id as item id.
    """
    raise NotImplementedError
