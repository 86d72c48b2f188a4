"""Jetstream over a loopback server that speaks its wire: resumed, cut, clamped, silent, lying, far too fast."""

import asyncio
import contextlib
import json
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from crawler.interface import SiteSettings
from crawler.streams import runner
from crawler.streams.runner import StreamScan, firehose_for
from model.errors import ConfigError
from model.page import Reason
from model.scan import GapReason, SiteState
from tests.crawler.crawls import Died, FileSink, network
from tests.crawler.jetstream import POST, START, Jetstream, post
from tests.crawler.loopback import Loopback, Reply
from tests.crawler.reading import read, until, watching

RECORDED = Path(__file__).resolve().parents[3] / "shared/samples/bluesky/jetstream_v1_events.jsonl"


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
def sink(tmp_path):
    """Give a sink that has read up to just before the first event."""
    opened = FileSink(tmp_path / "sink")
    opened.cursors["jetstream"] = str(START)
    return opened


def site(server, use="jetstream", **options):
    """Return the site of a server."""
    return SiteSettings("here", use, 0.0, delay=0.0, options={"root": server.root, **options})


def texts(sink):
    """Return the texts of the kept posts, in order."""
    return [json.loads(part.data)["text"] for page in sink.kept for part in page.parts if part.provenance == "body"]


def test_what_came_while_nobody_read_is_read_from_the_cursor_on(server, sink):
    """Three posts lie behind the cursor: they are kept with text, time, author, thread and address, each once."""
    server.say(post(1, "病历 one"), post(2), post(3))
    report = read(site(server), sink)
    assert (report.listed, report.fetched, report.state) == (3, 3, SiteState.WORKING)
    first = sink.kept[0]
    assert texts(sink) == ["病历 one", "post 2", "post 3"]
    assert first.item_id == "at://did:plc:somebody/app.bsky.feed.post/k1"
    assert first.url == "https://bsky.app/profile/did:plc:somebody/post/k1"
    assert first.published_at == datetime(2026, 5, 25, 14, 23, 28, 757000, UTC)
    assert (first.author, first.thread_id) == ("did:plc:somebody", first.item_id)
    (exchange,) = first.exchanges
    assert json.loads(exchange.body) == server.events[0]
    assert (exchange.status, exchange.peer, exchange.url.partition("?")[0]) == (
        101, "127.0.0.1", f"http://{server.host}/subscribe",
    )  # fmt: skip
    server.say(post(4))
    again = read(site(server), sink)
    assert (again.fetched, again.known) == (1, 3)
    assert len({page.item_id for page in sink.kept}) == 4
    assert sink.gaps == []


def test_it_says_who_asks_and_asks_for_posts_only(server, sink):
    """The request carries an honest name with a contact, one collection, and a cursor ten seconds back."""
    server.say(post(1))
    read(site(server), sink)
    assert server.asked[0] == {"wantedCollections": ["app.bsky.feed.post"], "cursor": [str(START - 10_000_000)]}
    assert "security@example.org" in server.headers[0]["User-Agent"]
    assert "Sec-WebSocket-Extensions" not in server.headers[0]


def test_edits_are_kept_and_deletions_take_nothing_away(server, sink):
    """An edit is an item of its own; a deleted post stays as it was; accounts and likes are passed over."""
    account = {"did": "did:plc:x", "time_us": START + 9000, "kind": "account", "account": {"active": True}}
    server.say(
        post(1, "before"),
        post(1, "after", at=START + 5000, operation="update", cid="bafy-new"),
        {**post(1, at=START + 6000), "commit": {"operation": "delete", "collection": POST, "rkey": "k1"}},
        post(2, collection="app.bsky.feed.like"),
        account,
    )  # fmt: skip
    report = read(site(server), sink)
    assert texts(sink) == ["before", "after"]
    assert sum(report.failed.values()) == 0
    assert int(sink.cursors["jetstream"]) == START + 9000


def test_frames_that_are_none_are_counted_and_the_stream_goes_on(server, sink):
    """Garbage, JSON of another shape and a kind from the future: three failures, and every post is kept."""
    strange = {"did": "did:plc:x", "time_us": START + 1500, "kind": "weather"}
    server.wrong.frames = {0: b"{not json", 1: b'{"did": 1}'}
    server.say(post(1), strange, post(2))
    report = read(site(server), sink)
    assert texts(sink) == ["post 1", "post 2"]
    assert dict(report.failed) == {Reason.MALFORMED: 2, Reason.CHANGED: 1}
    assert report.listed == report.fetched + report.known + sum(report.failed.values())


def test_a_frame_beyond_the_cap_ends_the_connection_and_is_told(server, sink):
    """A message larger than network.max_bytes is not taken in; what came before it is kept."""
    server.wrong.frames = {1: b'"' + b"x" * 300_000 + b'"'}
    server.say(post(1), post(2))
    report = read(site(server), sink, max_bytes=100_000)
    assert texts(sink) == ["post 1"]
    assert (report.state, report.reason) == (SiteState.FAILING, Reason.TOO_BIG)


def test_a_restart_of_the_server_loses_nothing(server, sink):
    """Posts before, during and after a restart are all kept, once, and no gap is told."""
    with watching(site(server), sink):
        server.say(*(post(number) for number in range(1, 50)))
        until(lambda: len(sink.kept) == 49)
        server.restart()
        server.say(*(post(number) for number in range(50, 80)))
        until(lambda: len(sink.kept) == 79)
    assert [page.item_id.rpartition("k")[2] for page in sink.kept] == [str(number) for number in range(1, 80)]
    assert sink.gaps == []


def test_a_connection_cut_in_the_middle_goes_on_where_storage_stands(server, sink):
    """Cut after every seventh frame: everything arrives."""
    server.wrong.cut_after = 7
    server.say(*(post(number, at=START + number * 20_000_000) for number in range(1, 30)))
    with watching(site(server, lull=100), sink):
        until(lambda: len(sink.kept) == 29, 60)
    assert len(server.asked) >= 4
    assert len({page.item_id for page in sink.kept}) == 29


def test_a_look_back_that_was_cut_short_is_a_gap(server, sink):
    """The server no longer has what follows the cursor and begins later: told with both ends, and as a failure."""
    server.say(*(post(number, at=START + number * 3_600_000_000) for number in range(1, 5)))
    server.floor = START + 3 * 3_600_000_000
    report = read(site(server), sink)
    assert texts(sink) == ["post 3", "post 4"]
    (gap,) = sink.gaps
    assert (gap.reason, gap.filled, gap.site) == (GapReason.CLAMPED, False, "here")
    assert (gap.since, gap.until) == tuple(
        datetime.fromtimestamp(micros / 1e6, UTC) for micros in (START, START + 3 * 3_600_000_000)
    )
    assert (report.state, report.reason) == (SiteState.FAILING, Reason.GAP)
    assert report.failed[Reason.GAP] == 1
    assert report.listed == report.fetched + report.known + sum(report.failed.values())


def test_being_too_slow_is_told_and_the_replay_fills_it(server, sink):
    """The server cuts us off as too slow: the next connection replays from the cursor, and the gap says so."""
    server.wrong.too_slow_after = 3
    server.say(*(post(number) for number in range(1, 9)))
    with watching(site(server), sink):
        until(lambda: len(sink.kept) == 3)
        server.wrong.too_slow_after = 0
        until(lambda: len(sink.kept) == 8)
    (gap,) = sink.gaps
    assert (gap.reason, gap.filled) == (GapReason.TOO_SLOW, True)


def test_a_connection_that_fell_silent_is_given_up(server, sink, monkeypatch):
    """Half open: nothing comes, not even a ping. After a while it counts as broken."""
    monkeypatch.setattr("crawler.streams.jetstream.IDLE", 0.5)
    monkeypatch.setattr(runner, "QUIET", 20.0)
    server.wrong.silent = True
    here = site(server)
    scan = StreamScan(here, network(server.host), sink, firehose_for(here), threading.Event())
    assert asyncio.run(scan.read(datetime.now(UTC), 3.0)).reason is Reason.TIMEOUT


def test_the_first_reading_takes_what_happens_from_now_on(server, tmp_path):
    """Without a cursor nothing old is asked for; it is read for as long as was said."""
    sink = FileSink(tmp_path / "sink")
    server.say(post(1, "old"))
    threading.Timer(0.7, lambda: server.say(post(2, "new"))).start()
    began = time.monotonic()
    report = read(site(server), sink, seconds=1.5)
    assert texts(sink) == ["new"]
    assert 1.4 < time.monotonic() - began < 6
    assert "cursor" not in server.asked[0]
    assert report.state is SiteState.WORKING


def test_nothing_is_read_while_too_much_waits(server, sink, monkeypatch):
    """The spool is full: the server's sending stalls; when there is room again everything comes, nothing dropped."""
    sink.waits = 10**9
    padding = "x" * 20_000
    events = [post(number, padding) for number in range(1, 2500)]
    server.say(*events)
    with watching(site(server, spool=100), sink) as told:
        until(lambda: server.sent > 50)
        time.sleep(1.5)
        before = server.sent
        time.sleep(1.0)
        assert server.sent == before < 2400, "the server could go on sending"
        assert sink.kept == []
        sink.waits = 0
        until(lambda: len(sink.kept) == 2499, 40)
    assert told[-1].reason is Reason.LIMIT
    assert told[-1].state is SiteState.SLOW
    assert sink.gaps == []


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [(429, "", Reason.RATE_LIMITED), (403, "", Reason.BLOCKED), (401, "", Reason.LOGIN), (500, "", Reason.SERVER)],
)
def test_refusals_have_reasons(server, sink, status, body, reason):
    """What the server answers instead of a stream is told in the words of the house."""
    server.wrong.refuse = status, body
    report = read(site(server), sink)
    assert report.reason is reason
    assert report.state is not SiteState.WORKING


def test_no_stream_leads_elsewhere(server, sink):
    """A redirect is not followed, wherever it leads."""
    with Jetstream() as other:
        server.wrong.redirect = f"http://{other.host}/subscribe"
        report = read(site(server), sink, hosts=[server.host, other.host])
        assert other.asked == []
    assert report.state is SiteState.FAILING


@pytest.mark.parametrize("address", ["ws://127.0.0.1:{port}", "ws://localhost:{port}", "ws://0x7f000001:{port}"])
def test_what_is_not_public_is_not_connected_to(server, sink, address):
    """Without `network.allow` nothing on loopback is reached, however it is spelled."""
    here = SiteSettings("here", "jetstream", 0.0, options={"root": address.format(port=server.host.partition(":")[2])})
    report = read(here, sink, hosts=["elsewhere.example:1"])
    assert report.reason is Reason.FORBIDDEN_ADDRESS
    assert server.asked == []


def test_a_name_that_leads_to_loopback_is_not_connected_to(server, sink, monkeypatch):
    """The name looks public, its address is not: refused where the name is resolved, and the socket is never made."""
    import socket

    port = int(server.host.partition(":")[2])
    answer = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *ignored, **also: answer)
    monkeypatch.setattr("crawler.safety.PORTS", {"http": port, "https": 443})
    here = SiteSettings("here", "jetstream", 0.0, options={"root": f"ws://stream.example.com:{port}"})
    report = read(here, sink, hosts=["elsewhere.example:1"])
    assert report.reason is Reason.FORBIDDEN_ADDRESS
    assert server.asked == []


def test_an_option_nobody_knows_is_refused(server):
    """A typing error in config.yaml is an error."""
    with pytest.raises(ConfigError, match="unknown option 'colections'"):
        firehose_for(site(server, colections=["x"]))


def test_every_report_balances_each_minute(server, sink, monkeypatch):
    """Reports follow each other, and together they count everything once."""
    monkeypatch.setattr(runner, "REPORT_SECONDS", 0.3)
    with watching(site(server), sink) as told:
        for number in range(1, 40):
            server.say(post(number))
            time.sleep(0.03)
        until(lambda: len(sink.kept) == 39)
    assert len(told) > 3
    assert sum(report.fetched for report in told) == 39
    assert all(r.listed == r.fetched + r.known + sum(r.failed.values()) for r in told)


def test_recorded_frames_are_read(server, sink):
    """What the real service sent: one post among likes, follows, deletions and account events; nothing is a failure."""
    if not RECORDED.exists():
        pytest.skip("the recorded responses are not at hand")
    events = [json.loads(line) for line in RECORDED.read_text("utf-8").splitlines()]
    here = site(server, collections=["app.bsky.feed.post", "app.bsky.feed.like"])
    server.say(*events)
    report = read(here, sink)
    assert {page.item_id.split("/")[3] for page in sink.kept} == {"app.bsky.feed.post", "app.bsky.feed.like"}
    assert "(text masked)" in [json.loads(page.parts[0].data).get("text") for page in sink.kept]
    assert sum(report.failed.values()) == 0


def test_links_lead_on_and_pictures_come_if_asked_for(server, sink):
    """A post links to a paste and has a picture: both are kept with it, once; without `images` the picture is not."""
    picture = {"$type": "blob", "ref": {"$link": "bafkpicture"}, "mimeType": "image/png", "size": 3}
    with Loopback() as elsewhere:
        elsewhere.routes["/raw/ABCDEFGH"] = Reply("病历 pasted")
        elsewhere.routes["/img/did:plc:somebody/bafkpicture"] = Reply(b"\x89PNG", headers={"Content-Type": "image/png"})
        told = post(1, f"see http://{elsewhere.host}/raw/ABCDEFGH")
        told["commit"]["record"]["embed"] = {"images": [{"image": picture, "alt": "x"}]}
        server.say(told)
        rules = {"hosts": [server.host, elsewhere.host], "link_hosts": {"haste": (elsewhere.host,)}}
        address = f"http://{elsewhere.host}/img/{{did}}/{{cid}}"
        for images, fetched in ((False, 2), (True, 0)):
            assert read(site(server, images=images, pictures=address), sink, **rules).fetched == fetched
        server.say({**told, "commit": {**told["commit"], "rkey": "other"}, "time_us": START + 9000})
        assert read(site(server, images=True, pictures=address), sink, **rules).fetched == 1
        assert elsewhere.paths() == ["/raw/ABCDEFGH", "/img/did:plc:somebody/bafkpicture"]
    assert [part.data for part in sink.kept[-1].parts][1:] == [b"\x89PNG"]
    assert [page.why.split(" ")[0] for page in sink.kept] == ["linked", "listed", "listed"]


def test_robots_are_obeyed_by_whatever_is_fetched_beside_the_stream(server, sink):
    """The paste's host forbids it: the post is kept, the paste is told as forbidden."""
    with Loopback() as elsewhere:
        elsewhere.routes["/robots.txt"] = Reply("User-agent: *\nDisallow: /raw/")
        server.say(post(1, f"see http://{elsewhere.host}/raw/ABCDEFGH"))
        rules = {"link_hosts": {"haste": (elsewhere.host,)}, "link_robots": "obey"}
        report = read(site(server), sink, hosts=[server.host, elsewhere.host], **rules)
        assert elsewhere.paths() == []
    assert dict(report.failed) == {Reason.ROBOTS: 1}
    assert len(sink.kept) == 1


def test_a_shortened_link_in_a_post_leads_on(server, sink):
    """A stream asks a shortener where it leads, once, and reads the paste there; one that leads nowhere is no end."""
    with Loopback() as short, Loopback() as pastes:
        short.routes["/abc123"] = Reply(status=302, headers={"Location": f"http://{pastes.host}/raw/ABCDEFGH"})
        short.routes["/gone12"] = Reply(status=404)
        pastes.routes["/raw/ABCDEFGH"] = Reply("病历 pasted")
        server.say(post(1, f"see http://{short.host}/abc123"), post(2, f"or http://{short.host}/gone12"))
        rules = {"link_hosts": {"haste": (pastes.host,), "shorteners": (short.host,)}}
        read(site(server), sink, hosts=[server.host, short.host, pastes.host], **rules)
    assert len(sink.kept) == 3
    assert any("病历 pasted".encode() in part.data for page in sink.kept for part in page.parts)


def test_links_do_not_hold_a_stream_up(server, sink, monkeypatch):
    """So many links are followed in the time of one report; the others are counted and their posts kept; then anew."""
    monkeypatch.setattr("crawler.streams.runner.LINKS", 1)
    with Loopback() as pastes:
        for name in ("ABCDEFGH", "BCDEFGHI"):
            pastes.routes[f"/raw/{name}"] = Reply("pasted")
        rules = {"hosts": [server.host, pastes.host], "link_hosts": {"haste": (pastes.host,)}}
        server.say(*(post(n, f"http://{pastes.host}/raw/{name}") for n, name in enumerate(("ABCDEFGH", "BCDEFGHI"), 1)))
        report = read(site(server), sink, **rules)
        assert dict(report.failed) == {Reason.LIMIT: 1}
        assert (report.state, len(sink.kept)) == (SiteState.WORKING, 3)
        # The last seconds are read again after a pause, and with them the link that was left.
        assert dict(read(site(server), sink, **rules).failed) == {}
    assert len(sink.kept) == 4


@pytest.mark.parametrize("die_at", range(1, 9))
def test_wherever_the_sink_dies_the_next_reading_skips_nothing(server, tmp_path, die_at):
    """The sink dies at its Nth call, before, at, or after a gap: then all posts are there once, and the gap is told."""
    sink = FileSink(tmp_path / "sink")
    sink.cursors["jetstream"] = str(START)
    server.say(*(post(number, at=START + 7_200_000_000 + number) for number in range(1, 30)))
    sink.die_at = die_at
    with contextlib.suppress(Died):
        read(site(server), sink)
    sink.calls, sink.die_at = 0, 0
    server.say(post(30, at=START + 7_200_000_100))
    read(site(server), sink)
    assert sorted(int(page.item_id.rpartition("k")[2]) for page in sink.kept) == list(range(1, 31))
    assert sink.gaps
    assert {gap.reason for gap in sink.gaps} == {GapReason.CLAMPED}


def test_a_server_that_takes_connections_and_ends_them_is_not_working(server, sink):
    """Closed properly each time, before anything was said: that is a failure, and told."""
    server.wrong.hang_up = True
    report = read(site(server), sink)
    assert (report.state, report.reason) == (SiteState.FAILING, Reason.NETWORK)
