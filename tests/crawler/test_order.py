"""The order of saving: wherever a scan dies, the next ones repeat and never skip. The fetcher answers by itself."""

import asyncio
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crawler.description import load
from crawler.fetcher import Answer, Fetcher
from crawler.generic import GenericSpider
from crawler.health import FetchFailed
from crawler.interface import NetworkSettings, SiteSettings
from crawler.scan import Scan
from model.page import Reason
from tests.crawler.crawls import Died, FileSink

ROOT = "https://social.example.org"


class Town(Fetcher):
    """A Mastodon timeline in pages of two, some of whose pictures and pages fail now and then."""

    def __init__(self, posts: int, failing: frozenset[int] = frozenset()) -> None:
        super().__init__(None)
        self.posts = posts
        self.failing = failing
        self.asked = 0

    async def get(self, url, role="item", **ignored):
        """Answer one request, or fail at the numbers that were told."""
        self.asked += 1
        if self.asked in self.failing:
            raise FetchFailed(Reason.SERVER)
        below = int(url.partition("max_id=")[2].partition("&")[0] or 10**6)
        after = int(url.partition("since_id=")[2].partition("&")[0] or 0)
        ids = [n for n in range(self.posts, 0, -1) if after < n < below][:2]
        found = [{"id": str(n), "content": f"post {n}", "url": f"{ROOT}/{n}", "media_attachments": []} for n in ids]
        link = f'<{ROOT}/api/v1/timelines/public?max_id={ids[-1]}>; rel="next"' if ids else ""
        return Answer(url, 200, (("Link", link),), json.dumps(found).encode(), (), datetime.now(UTC))


def scanned(town, sink):
    """Run one scan; a sink that dies ends it."""
    site = SiteSettings(name="town", use="mastodon", every=60.0, options={"root": ROOT})
    spider = GenericSpider(site, load("mastodon"))
    scan = Scan(site, NetworkSettings(), sink, spider, town)
    try:
        return asyncio.run(scan.run(datetime.now(UTC)))
    except Died:
        return None


@pytest.mark.parametrize("die_at", range(1, 40))
def test_wherever_a_scan_dies_the_next_ones_miss_nothing(tmp_path, die_at):
    """For every N: the sink dies at its Nth call; after that a whole scan brings every post, and none twice."""
    sink = FileSink(tmp_path / "sink")
    scanned(Town(3), sink)
    sink.calls, sink.die_at = 0, die_at
    scanned(Town(9), sink)
    sink.die_at = 0
    assert scanned(Town(9), sink) is not None
    ids = [int(page.item_id) for page in sink.kept]
    assert set(range(2, 10)) <= set(ids)
    assert len(ids) == len(set(ids))


@settings(max_examples=60, deadline=None)
@given(
    steps=st.lists(
        st.tuples(st.integers(0, 3), st.integers(0, 25), st.frozensets(st.integers(1, 6), max_size=3)), max_size=5
    )
)
def test_deaths_and_failures_in_any_order_skip_nothing(tmp_path_factory, steps):
    """Whatever mixture of new posts, crashes and server errors came before, a clean scan leaves no gap."""
    sink = FileSink(tmp_path_factory.mktemp("order") / "sink")
    scanned(Town(2), sink)
    posts = 2
    for more, die_at, failing in steps:
        posts += more
        sink.calls, sink.die_at = 0, die_at
        sink.forget_pauses()
        report = scanned(Town(posts, failing), sink)
        assert report is None or report.listed == report.fetched + report.known + sum(report.failed.values())
    sink.die_at = 0
    sink.forget_pauses()
    scanned(Town(posts), sink)
    ids = [int(page.item_id) for page in sink.kept]
    assert sorted(ids) == list(range(1, posts + 1))
