"""Every way to go through a list: whatever the crash point, no item is skipped and repeats are harmless."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crawler.description import read
from crawler.fetcher import Answer, Fetcher
from crawler.generic import GenericSpider
from crawler.health import FetchFailed
from crawler.interface import NetworkSettings, SiteSettings
from crawler.scan import Scan
from model.page import Reason
from tests.crawler.crawls import Died, FileSink

ROOT = "https://board.example.org"
BEGAN = datetime(2026, 11, 1, tzinfo=UTC)
PAGE = 2

WAYS = {
    "seen, pages": ("/list", "seen", {"kind": "page", "param": "p", "start": 1}),
    "seen, offsets": ("/list", "seen", {"kind": "offset", "param": "o", "start": 0}),
    "seen, next link": ("/list", "seen", {"kind": "token", "param": "below", "from": "next"}),
    "id, before": ("/list", "id", {"kind": "before_id", "param": "below", "from": "min"}),
    "id, Link header": ("/list?above={cursor}", "id", "link_header"),
    "id, after": ("/list?after={cursor}", "id", {"kind": "after_id", "param": "after"}),
    "time, pages": ("/list?since={cursor}", "time", {"kind": "page", "param": "p", "start": 1}),
    "time, token": ("/list", "time", {"kind": "token", "param": "below", "from": "next"}),
    "token forward": (
        "/list?after={cursor}",
        {"kind": "token", "from": "last", "keep": "last"},
        {"kind": "token", "param": "after", "from": "last"},
    ),
    "token of the newest": (
        "/list?above={cursor}",
        {"kind": "token", "from": "newest"},
        {"kind": "token", "param": "below", "from": "next"},
    ),
}
"""Name → address, cursor and pager of a description."""


class Board(Fetcher):
    """A board with posts 1 to `posts`, newest first in pages of two; more posts come in while it is read."""

    def __init__(self, posts: int, failing: frozenset[int] = frozenset(), busy: frozenset[int] = frozenset()) -> None:
        super().__init__(None)
        self.posts = posts
        self.failing = failing
        self.busy = busy
        self.asked = 0

    async def get(self, url, role="item", **ignored):
        """Answer one request; fail at the numbers that were told, and grow at others."""
        self.asked += 1
        if self.asked in self.failing:
            raise FetchFailed(Reason.SERVER)
        wish = {name: texts[0] for name, texts in parse_qs(urlsplit(url).query).items()}
        found = self.chosen(wish)
        if self.asked in self.busy:
            self.posts += 1
        posts = [
            {"id": n, "at": (BEGAN + timedelta(minutes=n)).isoformat(), "text": f"post {n}", "url": f"{ROOT}/{n}"}
            for n in found
        ]
        answer = {"posts": posts, "next": str(min(found)) if found else None}
        answer |= {"last": str(max(found)) if found else None, "newest": str(max(found)) if found else None}
        above = f"&above={wish['above']}" if "above" in wish else ""
        link = f'<{ROOT}/list?below={min(found)}{above}>; rel="next"' if found else ""
        return Answer(url, 200, (("Link", link),), json.dumps(answer).encode(), (), datetime.now(UTC))

    def chosen(self, wish):
        """Return the numbers of the posts of one page."""
        if "after" in wish:
            after = int(wish["after"])
            return sorted(range(after + 1, min(after + PAGE, self.posts) + 1), reverse=True)
        below, above = int(wish.get("below", 10**6)), int(wish.get("above", 0))
        since = datetime.fromisoformat(wish["since"]) if "since" in wish else BEGAN
        all_of_them = [
            n for n in range(self.posts, 0, -1) if above < n < below and BEGAN + timedelta(minutes=n) >= since
        ]
        start = PAGE * (int(wish.get("p", 1)) - 1) + int(wish.get("o", 0))
        return all_of_them[start : start + PAGE]


def scanned(way, folder, board, sink):
    """Run one scan; a sink that dies ends it."""
    url, cursor, page = WAYS[way]
    file = folder / "board.yaml"
    fields = {"items": "posts", "id": "id", "time": "at", "text": "text", "link": "url"}
    file.write_text(json.dumps({"kind": "json", "cursor": cursor, "page": page, "list": {"url": ROOT + url, **fields}}))
    site = SiteSettings(name="board", use="board", every=60.0)
    scan = Scan(site, NetworkSettings(), sink, GenericSpider(site, read(file)), board)
    try:
        return asyncio.run(scan.run(datetime.now(UTC)))
    except Died:
        return None


@pytest.mark.parametrize("way", WAYS)
@settings(max_examples=25, deadline=None)
@given(
    steps=st.lists(
        st.tuples(
            st.integers(0, 5),
            st.integers(0, 40),
            st.frozensets(st.integers(1, 5), max_size=2),
            st.frozensets(st.integers(1, 5), max_size=2),
        ),
        max_size=4,
    )
)
def test_nothing_is_skipped(tmp_path_factory, way, steps):
    """Whatever mixture of new posts, crashes and server errors came before, a clean scan leaves no gap."""
    folder = tmp_path_factory.mktemp("cursors")
    sink = FileSink(folder / "sink")
    scanned(way, folder, Board(2), sink)
    posts = 2
    for more, die_at, failing, busy in steps:
        board = Board(posts + more, failing, busy)
        sink.calls, sink.die_at = 0, die_at
        sink.forget_pauses()
        report = scanned(way, folder, board, sink)
        assert report is None or report.listed == report.fetched + report.known + sum(report.failed.values())
        posts = board.posts
    sink.die_at = 0
    sink.forget_pauses()
    scanned(way, folder, Board(posts), sink)
    ids = [int(page.item_id) for page in sink.kept]
    assert sorted(ids) == list(range(1, posts + 1))


@pytest.mark.parametrize("way", WAYS)
def test_a_list_is_not_read_to_its_end_again(tmp_path, way):
    """What was read is not asked for again: a scan of one new post among a hundred asks for a few pages."""
    sink = FileSink(tmp_path / "sink")
    board = Board(2)
    scanned(way, tmp_path, board, sink)
    board.posts = 100
    scanned(way, tmp_path, board, sink)
    board.posts, board.asked = 101, 0
    scanned(way, tmp_path, board, sink)
    assert board.asked <= 4
    assert len(sink.kept) == 101
