"""The second wire of Jetstream: numbers instead of times, refusals instead of silence."""

import json
from datetime import UTC, datetime

import pytest

from crawler.interface import SiteSettings
from crawler.streams import runner
from model.page import Reason
from model.scan import GapReason, SiteState
from tests.crawler.crawls import FileSink
from tests.crawler.jetstream import START, Jetstream, post
from tests.crawler.reading import read, until, watching

ACCOUNT = {"did": "did:plc:x", "time_us": START + 1, "kind": "account", "account": {"active": True}}


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    """Take half a second of quiet for having caught up."""
    monkeypatch.setattr(runner, "QUIET", 0.5)


@pytest.fixture
def server():
    """Give a Jetstream that is up."""
    with Jetstream() as running:
        yield running


@pytest.fixture
def sink(tmp_path, server):
    """Give a sink that has read the first event, an account."""
    server.say(ACCOUNT)
    opened = FileSink(tmp_path / "sink")
    opened.cursors[server.root] = f"1 {time(START + 1)}"
    return opened


def time(micros):
    """Return a time as cursors have it."""
    return datetime.fromtimestamp(micros / 1e6, UTC).isoformat()


def site(server, **options):
    """Return the site of a server."""
    return SiteSettings("here", "jetstream_v2", 0.0, delay=0.0, options={"root": server.root, **options})


def texts(sink):
    """Return the texts of the kept posts, in order."""
    return [json.loads(part.data)["text"] for page in sink.kept for part in page.parts if part.provenance == "body"]


def test_events_are_read_from_a_number_on_and_each_once(server, sink):
    """The cursor repeats its own event; posts have ids, authors and times as on the first wire."""
    server.say(post(1, "病历"), post(2))
    assert read(site(server), sink).fetched == 2
    server.say(post(3))
    again = read(site(server), sink)
    assert (again.fetched, again.known) == (1, 1)
    assert texts(sink) == ["病历", "post 2", "post 3"]
    assert sink.kept[0].item_id == "at://did:plc:somebody/app.bsky.feed.post/k1"
    assert server.asked[0] == {"kinds": ["commit"], "collections": ["app.bsky.feed.post"], "cursor": ["1"]}
    assert server.headers[0]["Sec-WebSocket-Protocol"] == "xrpc.v1.json"
    assert sink.cursors[server.root].startswith("4 ")
    assert sink.gaps == []


def test_a_number_that_is_too_old_becomes_a_time_and_a_gap(server, sink):
    """Refused with CursorTooOld: reading goes on at the oldest event that there is, and the gap has both its ends."""
    server.say(*(post(number, at=START + number * 3_600_000_000) for number in range(1, 5)))
    server.floor = START + 3 * 3_600_000_000
    report = read(site(server), sink)
    assert texts(sink) == ["post 3", "post 4"]
    (gap,) = sink.gaps
    assert (gap.reason, gap.filled) == (GapReason.TOO_OLD, False)
    assert (gap.since.isoformat(), gap.until.isoformat()) == (time(START + 1), time(START + 3 * 3_600_000_000))
    assert (report.state, report.reason) == (SiteState.FAILING, Reason.GAP)


def test_being_too_slow_is_told_and_filled(server, sink):
    """The server ends the stream with an error frame; the next connection repeats the last event, and goes on."""
    error = json.dumps({"$type": "error", "error": "ConsumerTooSlow"}).encode()
    server.wrong.frames = {3: error}
    server.say(*(post(number) for number in range(1, 7)))
    with watching(site(server), sink):
        until(lambda: len(sink.kept) >= 2)
        server.wrong.frames = {}
        until(lambda: len(sink.kept) == 6)
    assert [(gap.reason, gap.filled) for gap in sink.gaps][:1] == [(GapReason.TOO_SLOW, True)]
    assert len({page.item_id for page in sink.kept}) == 6


def test_strange_frames_are_counted(server, sink):
    """No JSON, no payload, no number, a kind from the future: each is a failure, none ends the stream."""
    strange = json.dumps({"$type": "message", "payload": {"$type": "x#y", "seq": 9, "time": time(START)}})
    server.wrong.frames = {0: b"[", 1: b'{"$type": "message"}', 2: strange.encode()}
    server.say(post(1), post(2))
    report = read(site(server), sink)
    assert texts(sink) == ["post 1", "post 2"]
    assert dict(report.failed) == {Reason.MALFORMED: 2, Reason.CHANGED: 1}


def test_deletions_and_edits(server, sink):
    """As on the first wire."""
    gone = {**post(1, at=START + 6000), "commit": {"operation": "delete", "collection": "app.bsky.feed.post"}}
    server.say(post(1, "before"), post(1, "after", operation="update", cid="bafy-new"), gone)
    read(site(server), sink)
    assert texts(sink) == ["before", "after"]
