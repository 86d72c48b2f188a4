"""Mastodon streaming over a loopback server, both transports: live posts, edits, and what came while nobody read."""

import json
from pathlib import Path

import pytest

from crawler.interface import SiteSettings
from crawler.streams import mastodon_stream, runner
from crawler.streams.runner import firehose_for
from model.errors import ConfigError
from model.page import Reason
from model.scan import GapReason, SiteState
from tests.crawler.crawls import FileSink
from tests.crawler.mastodon import Mastodon, status
from tests.crawler.reading import read, until, watching

RECORDED = Path(__file__).resolve().parents[3] / "shared/samples/mastodon/streaming_sse.txt"
both = pytest.mark.parametrize("transport", ["sse", "websocket"])


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    """Take half a second of quiet for having caught up."""
    monkeypatch.setattr(runner, "QUIET", 0.5)


@pytest.fixture
def server():
    """Give a server with three posts."""
    with Mastodon() as running:
        running.post(*(status(number) for number in (101, 102, 103)))
        yield running


@pytest.fixture
def sink(tmp_path):
    """Give an empty sink."""
    return FileSink(tmp_path / "sink")


def site(server, transport="sse", **options):
    """Return the site of a server."""
    options = {"root": server.root, "transport": transport, **options}
    return SiteSettings("town", "mastodon_stream", 0.0, delay=0.0, options=options)


def bodies(sink):
    """Return the bodies of the kept posts."""
    return [part.data.decode() for page in sink.kept for part in page.parts if part.provenance == "body"]


@both
def test_posts_come_live_after_one_page_of_what_there_is(server, sink, transport):
    """The first time a page of the timeline, then each post as it is written; an edit is another item; deletes pass."""
    with watching(site(server, transport), sink):
        until(lambda: len(sink.kept) == 3)
        server.post(status(104, "病历 live"))
        server.say("delete", "104")
        server.say("status.update", json.dumps(status(104, "edited", edited_at="2026-08-02T06:00:00.000Z")))
        until(lambda: len(sink.kept) == 5)
    assert bodies(sink)[3:] == ["<p>病历 live</p>", "<p>edited</p>"]
    page = sink.kept[3]
    assert (page.item_id, page.author, page.url) == ("104", "ann", "https://town.example/@ann/104")
    assert b" live" in page.exchanges[0].body
    assert page.exchanges[0].peer == "127.0.0.1"
    assert sink.gaps == []
    assert sink.cursors[f"local {server.host}"].startswith("104 ")


@both
def test_what_came_while_nobody_read_is_fetched_and_the_gap_is_told_as_filled(server, sink, transport):
    """A restart, and a hundred posts meanwhile: all are kept once; the stretch is told with both its ends."""
    with watching(site(server, transport), sink):
        until(lambda: len(sink.kept) == 3 and server.open)
        server.post(*(status(number) for number in range(104, 204)), quietly=True)
        server.restart()
        until(lambda: len(sink.kept) == 103)
        server.post(status(300))
        until(lambda: len(sink.kept) == 104)
    ids = [page.item_id for page in sink.kept]
    assert sorted(ids, key=int) == [*map(str, range(101, 204)), "300"]
    assert {(gap.reason, gap.filled) for gap in sink.gaps} == {(GapReason.NO_REPLAY, True)}
    assert all(gap.since is not None and gap.since <= gap.until for gap in sink.gaps)


def test_a_gap_that_cannot_be_filled_stays_open(server, sink):
    """The timeline is broken: the stream is read on, and the gap makes the site's state."""
    read(site(server), sink)
    server.post(status(104), quietly=True)
    server.timeline_status = 500
    report = read(site(server), sink)
    assert (sink.gaps[-1].reason, sink.gaps[-1].filled) == (GapReason.NO_REPLAY, False)
    assert (report.state, report.reason) == (SiteState.FAILING, Reason.GAP)
    assert report.failed[Reason.SERVER] == 1


@both
def test_a_token_is_used_and_never_kept(server, sink, transport, tmp_path):
    """Without it the server wants a login; with it posts come, and neither evidence nor cursor holds it."""
    server.token = "very secret token"
    report = read(site(server, transport), sink)
    assert (report.state, report.reason) == (SiteState.LOGIN, Reason.LOGIN)
    secret = tmp_path / "token"
    secret.write_text("very secret token\n")
    with watching(site(server, transport, token=f"file:{secret}"), sink):
        until(lambda: len(sink.kept) == 3)
        server.post(status(104))
        until(lambda: len(sink.kept) == 4)
    assert b"very secret" not in sink.path.read_bytes()
    assert ("Authorization", "(withheld)") in sink.kept[3].exchanges[0].request_headers
    assert all("very" not in asked for asked in server.asked)


def test_lines_of_any_shape_are_read(server, sink):
    """Comments, CRLF, fields nobody knows, data in several lines, events without data, broken JSON."""
    several = json.dumps(status(150, "in lines"), indent=1).encode()
    server.raw = [
        b": thump\r\n\r\n",
        b"retry: 100\nid: 7\n\n",
        b"event: update\r\ndata: {broken\r\n\r\n",
        b"event: update\n" + b"".join(b"data: " + line + b"\n" for line in several.split(b"\n")) + b"\n",
        b"event: weather\ndata: sunny\n\n",
        b"event: filters_changed\n\n",
    ]
    report = read(site(server), sink, 3)
    assert "<p>in lines</p>" in bodies(sink)
    assert dict(report.failed) == {Reason.MALFORMED: 1, Reason.CHANGED: 1}


def test_a_recorded_stream_is_read(server, sink):
    """What a real server sent is one post with its author, time and address."""
    if not RECORDED.exists():
        pytest.skip("the recorded responses are not at hand")
    server.raw = [RECORDED.read_bytes()]
    read(site(server), sink, 3)
    page = sink.kept[-1]
    assert page.item_id == "117024248092393661"
    assert (page.author, page.published_at.year) == ("mastodonpy_test", 2026)


def test_a_line_without_an_end_is_not_taken_in(server, sink):
    """Beyond network.max_bytes the connection ends."""
    server.raw = [b"data: " + b"x" * 200_000]
    assert read(site(server), sink, 5, max_bytes=100_000).reason is Reason.TOO_BIG


def test_a_stream_that_fell_silent_is_given_up(server, sink, monkeypatch):
    """Servers send a sign of life every fifteen seconds; without any, the connection counts as broken."""
    monkeypatch.setattr(mastodon_stream, "IDLE", 0.7)
    monkeypatch.setattr(runner, "QUIET", 30.0)
    assert read(site(server), sink, 10).reason is Reason.TIMEOUT


@pytest.mark.parametrize("options", [{"transport": "smoke"}, {"stream": "home"}, {"root": ""}])
def test_options_are_checked(server, options):
    """A word that is none is an error that names the known ones."""
    with pytest.raises(ConfigError, match=r"sites\.town"):
        firehose_for(site(server, **options))
