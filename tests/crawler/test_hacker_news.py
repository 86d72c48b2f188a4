"""The walk of Hacker News: no item is skipped, whatever is null and however long nobody walked."""

import asyncio
from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st
from scrapy.http import Request, Response

from crawler.interface import NetworkSettings
from crawler.scan import Scan
from crawler.spiders.hn_firebase import AT_MOST, LATE, HnFirebase
from model.page import Exchange
from tests.crawler.crawls import FileSink, site
from tests.crawler.offline import Offline

START = 1_000


class Answering(Offline):
    """Hacker News as of a moment: the newest number, and which of its items are still null."""

    def __init__(self, newest, missing=frozenset()):
        super().__init__()
        self.newest, self.missing = newest, missing
        self.asked = []

    async def _download(self, url, method, headers, body, meta, *_):
        """Answer as the API does."""
        number = url.rsplit("/", 1)[1].removesuffix(".json")
        self.asked.append(number)
        text = str(self.newest) if number == "maxitem" else "null"
        if number.isdigit() and int(number) <= self.newest and int(number) not in self.missing:
            text = f'{{"id": {number}, "title": "t{number}", "by": "mia", "time": 1795168800}}'
        content = text.encode()
        now = datetime.now(UTC)
        meta["exchanges"].append(Exchange(url, method, (), 200, (), content, now, now, meta["role"]))
        return Response(url, headers={"Content-Type": "application/json"}, body=content, request=Request(url))


class Memory(FileSink):
    """A sink that need not survive: saving every page at every write takes minutes."""

    def _save(self, what):
        self.log.append(what)


def walk(sink, fetcher):
    """Run one scan."""
    here = site("hn_firebase", options={"updates": False})
    return asyncio.run(Scan(here, NetworkSettings(), sink, HnFirebase(here), fetcher).run(datetime.now(UTC)))


def numbers(sink):
    """Return the numbers of all items that were kept, in order."""
    return [int(page.item_id.partition("@")[0]) for page in sink.kept]


def test_after_a_long_rest_each_scan_goes_on_where_the_last_one_stopped(tmp_path):
    """A scan reads so many items at most, upwards, and nothing twice."""
    sink = Memory(tmp_path / "sink")
    walk(sink, Answering(START))
    newest = START + AT_MOST + 70
    first = Answering(newest)
    walk(sink, first)
    assert len([number for number in first.asked if number.isdigit()]) == AT_MOST
    assert sink.cursors["items"] == str(START + AT_MOST)
    walk(sink, Answering(newest))
    assert numbers(sink) == list(range(START - 49, newest + 1))


@settings(max_examples=20, deadline=None)
@given(st.data())
def test_no_item_is_skipped_that_comes_late(tmp_path_factory, data):
    """Items that are null for a while are kept once they come; those that never come are given up, and end nothing."""
    sink = Memory(tmp_path_factory.getbasetemp())
    newest = START
    walk(sink, Answering(newest))
    never = set()
    for _ in range(4):
        newest += data.draw(st.integers(1, 120))
        late = data.draw(st.sets(st.integers(max(START + 1, newest - LATE + 1), newest), max_size=5))
        never |= set(list(late)[:1])
        walk(sink, Answering(newest, late | never))
    newest += LATE
    for _ in range(3):
        walk(sink, Answering(newest, never))
    assert set(numbers(sink)) >= set(range(START - 49, newest + 1)) - never
    assert len(numbers(sink)) == len(set(numbers(sink)))
