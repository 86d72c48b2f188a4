"""SITES: what is configured, how each site stands, and what else a site could use."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from app.config import Config
from app.standing import PAST, usual_items
from app.stores import Stores
from crawler import description
from crawler.catalogue import uses
from model.page import Reason


@dataclass(frozen=True, slots=True)
class Use:
    """What a description or spider is, for people."""

    about: str
    kind: str = ""
    """How it is described: html, json, feed, text; empty for code."""
    access: str = ""
    """What it needs: nothing, a token, a cookie, a registered address."""
    terms: str = ""
    """What its terms say, and what to mind."""
    mode: str = ""
    """Firehose, search or watch list."""
    default: str = "on"
    """`off` where a person must decide first."""


@dataclass(frozen=True, slots=True)
class SiteLine:
    """One configured site."""

    site: str
    use: str
    kind: str
    access: str
    terms: str
    every: float
    robots: str
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


def catalogue(folder: Path | None) -> Mapping[str, Use]:
    """Return everything that a site can use. The one place where what a description says of itself is taken over."""
    found = {}
    for name, about in uses(folder).items():
        described = description.load(name, folder)
        found[name] = Use(about, described.kind, terms=described.note) if described is not None else Use(about, "code")
    return found


def site_lines(config: Config, stores: Stores, now: datetime) -> list[SiteLine]:
    """Return how each configured site stands, in the order of the configuration."""
    known = catalogue(config.network.descriptions)
    lines = []
    for name, site in config.sites.items():
        health, last, verdict = stores.scans.state(name), stores.scans.last(name), stores.queries.of(name)
        use = known.get(site.use, Use("unknown: neither a description nor a spider"))
        lines.append(
            SiteLine(
                site=name,
                use=site.use,
                kind=use.kind,
                access=use.access,
                terms=use.terms,
                every=site.every,
                robots=site.robots,
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
