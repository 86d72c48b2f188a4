"""A site that is paid by the item: the cap holds over scans and crashes, and its end is seen."""

import asyncio
import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from scrapy.http import Request, Response

from crawler import description
from crawler.budget import SPENT
from crawler.generic import GenericSpider
from crawler.interface import NetworkSettings, SiteSettings
from crawler.scan import Scan
from model.errors import ConfigError
from model.page import Exchange, Reason
from model.scan import SiteState
from tests.crawler.crawls import Died, FileSink
from tests.crawler.offline import Offline

TODAY = datetime(2026, 11, 24, 12, tzinfo=UTC)
PAID = {
    "kind": "json",
    "cost": 0.005,
    "list": {"url": "https://paid.example/posts", "items": "data", "id": "id", "text": "text"},
    "page": {"kind": "token", "param": "next", "from": "next"},
    "cursor": "id",
    "backfill": 100,
}


@dataclass
class PaidSite:
    """Posts 1 to `posts`, newest first, ten to a page; every post it hands out is billed."""

    posts: int = 35
    billed: int = 0
    asked: int = 0
    statuses: list[int] = field(default_factory=list)
    """What the next requests get instead of posts."""

    def answer(self, url: str) -> tuple[int, str]:
        """Return status and body, and write the bill."""
        self.asked += 1
        if self.statuses:
            return self.statuses.pop(0), "{}"
        newest = int(parse_qs(urlsplit(url).query).get("next", [self.posts])[0])
        page = range(newest, max(newest - 10, 0), -1)
        self.billed += len(page)
        data = [{"id": number, "text": f"post {number}"} for number in page]
        return 200, json.dumps({"data": data, "next": str(newest - 10) if newest > 10 else None})


class Wire(Offline):
    """The fetcher with the site behind it instead of a network."""

    def __init__(self, paid: PaidSite, today: datetime) -> None:
        super().__init__()
        self.paid = paid
        self.today = today

    def now(self):
        """Return the day of the test."""
        return self.today

    async def _download(self, url, method, headers, body, meta, *_):
        """Ask the site."""
        status, text = self.paid.answer(url)
        wire = (("Content-Type", "application/json"),)
        meta["exchanges"].append(
            Exchange(url, method, (), status, wire, text.encode(), self.today, self.today, meta["role"])
        )
        return Response(url, status=status, headers=dict(wire), body=text.encode(), request=Request(url))


class Installation:
    """One site with a budget, and what its database holds."""

    def __init__(self, folder: Path, paid: PaidSite, budget: float = 100.0, **changes) -> None:
        (folder / "paid.yaml").write_text(json.dumps(PAID | changes), encoding="utf-8")
        self.described = description.read(folder / "paid.yaml")
        self.site = SiteSettings(name="paid", use="paid", every=60.0, delay=0.0, options={"budget": budget})
        self.paid = paid
        self.store = folder / "sink"
        self.today = TODAY

    def scan(self, die_at: int = 0):
        """Scan once, with what earlier scans left."""
        spider = GenericSpider(self.site, self.described)
        fetcher = Wire(self.paid, self.today)
        sink = FileSink.open(self.store, die_at)
        scan = Scan(self.site, NetworkSettings(follow_links=False), sink, spider, fetcher)
        return asyncio.run(scan.run(self.today))

    @property
    def sink(self) -> FileSink:
        """What was stored."""
        return FileSink.open(self.store)

    @property
    def spent(self) -> Decimal:
        """The sum that is remembered."""
        return Decimal(json.loads(self.sink.cursors.get(SPENT, '{"spent": 0}'))["spent"])


def test_every_listed_item_is_counted(tmp_path):
    """What is remembered is what was billed, to the cent, over scans."""
    here = Installation(tmp_path, PaidSite())
    first = here.scan()
    assert (first.state, first.fetched) == (SiteState.WORKING, 35)
    assert here.spent == Decimal("0.175")
    here.paid.posts = 37
    assert here.scan().fetched == 2
    assert here.spent == here.paid.billed * Decimal("0.005") == Decimal("0.225")


def test_a_used_up_budget_ends_the_asking_and_is_seen(tmp_path):
    """The page that the money does not reach for is not asked for; the site is not called working, scan after scan."""
    here = Installation(tmp_path, PaidSite(), budget=0.12)
    first = here.scan()
    assert here.paid.billed == 20
    assert (first.state, first.reason, first.fetched) == (SiteState.SLOW, Reason.LIMIT, 20)
    assert first.listed == first.fetched + first.known + sum(first.failed.values())
    asked = here.paid.asked
    again = here.scan()
    assert (again.state, again.reason, here.paid.asked) == (SiteState.SLOW, Reason.LIMIT, asked)


def test_a_new_month_has_its_own_money_and_what_was_skipped_is_read(tmp_path):
    """On the first of December in UTC the scan goes on, and misses nothing of what the cap left out."""
    here = Installation(tmp_path, PaidSite(), budget=0.2)
    here.paid.posts = 55
    assert here.scan().reason is Reason.LIMIT
    here.site = replace(here.site, options={"budget": 1.0})
    here.today = datetime(2026, 11, 30, 23, 59, 59, tzinfo=UTC) + timedelta(seconds=1)
    report = here.scan()
    assert report.state is SiteState.WORKING
    assert sorted(int(page.item_id) for page in here.sink.kept) == list(range(1, 56))
    assert here.spent == Decimal("0.275")


@pytest.mark.parametrize("budget", [100.0, 0.06])
def test_no_crash_makes_it_forget_what_was_spent(tmp_path, budget):
    """Whatever call of the database a scan dies at: never more was billed than is remembered, and the cap holds."""
    point, died = 0, True
    while died:
        point += 1
        folder = tmp_path / str(point)
        folder.mkdir()
        here = Installation(folder, PaidSite(posts=15), budget=budget)
        try:
            here.scan(die_at=point)
            died = False
        except Died:
            died = True
        billed = here.paid.billed * Decimal("0.005")
        assert billed <= here.spent <= Decimal(str(budget))
        for _ in range(2):
            here.scan()
            assert here.paid.billed * Decimal("0.005") <= here.spent <= Decimal(str(budget))
        if budget > 1:
            assert len({page.item_id for page in here.sink.kept}) == 15
    assert point > 20


@pytest.mark.parametrize(("status", "free"), [(500, True), (429, True), (401, True), (200, False)])
def test_a_refusal_costs_nothing_and_an_unreadable_answer_might(tmp_path, status, free):
    """Money that was set aside comes back when the site gave nothing; after a changed layout nobody knows."""
    here = Installation(tmp_path, PaidSite(statuses=[status] * 3))
    report = here.scan()
    assert report.state is not SiteState.WORKING
    assert here.spent == (0 if free else Decimal("0.5"))


@pytest.mark.parametrize("budget", ["20 euros", True, -1, None])
def test_a_budget_is_a_sum_of_money(tmp_path, budget):
    """A missing or senseless budget is an error that names the option: a paid site is never asked without one."""
    with pytest.raises(ConfigError, match="budget"):
        Installation(tmp_path, PaidSite(), budget=budget).scan()
