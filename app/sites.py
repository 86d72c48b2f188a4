"""SITES: what is configured, and how each site stands."""

from dataclasses import dataclass
from datetime import datetime

from app.config import Config
from app.standing import PAST, usual_items
from app.stores import Stores
from crawler.catalogue import uses
from crawler.profile import Profile
from model.page import Reason


@dataclass(frozen=True, slots=True)
class SiteLine:
    """One configured site."""

    site: str
    use: str
    profile: Profile | None
    """What an operator should know of it; None if there is no such description or spider."""
    every: float
    robots: str
    accepted: bool
    """Whether the operator accepted the terms of a site that is off by default."""
    state: str
    reason: Reason | None
    since: datetime | None
    items: int | None
    """New items of the last scan."""
    usual: float | None
    """The median of four weeks."""
    last_success: datetime | None
    next_try: datetime | None
    refused: tuple[str, ...]
    """Options that hold something of an enrolled record."""


def site_lines(config: Config, stores: Stores, now: datetime) -> list[SiteLine]:
    """Return how each configured site stands, in the order of the configuration."""
    known = uses(config.network.descriptions)
    lines = []
    for name, site in config.sites.items():
        health, last, verdict = stores.scans.state(name), stores.scans.last(name), stores.queries.of(name)
        lines.append(
            SiteLine(
                site=name,
                use=site.use,
                profile=known.get(site.use),
                every=site.every,
                robots=site.robots,
                accepted=site.terms == "accepted",
                state=health.state.value if health else "never scanned",
                reason=health.reason if health else None,
                since=health.since if health else None,
                items=last.fetched if last else None,
                usual=usual_items(stores.scans.past(name, now - PAST)),
                last_success=health.last_success if health else None,
                next_try=health.next_try if health else None,
                refused=verdict.refused if verdict else (),
            )
        )
    return lines
