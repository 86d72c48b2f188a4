"""Nostr over a relay that nobody here wrote, and over one that lies."""

import time

import pytest

from crawler.interface import SiteSettings
from crawler.streams import nostr, runner
from crawler.streams.nostr import Nostr, _State, verified
from model.page import Reason
from model.scan import GapReason, SiteState
from tests.crawler.crawls import FileSink
from tests.crawler.reading import read, until, watching
from tests.needs import require
from tests.servers.nostr import PROGRAM, Writer, relay_running

NOT_THERE = "nostr-relay is not installed; run `make servers`"
server = pytest.mark.server


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    """Take two seconds of quiet for having caught up."""
    monkeypatch.setattr(runner, "QUIET", 2.0)


@pytest.fixture
def relay(tmp_path):
    """Give an empty relay."""
    require(PROGRAM.exists(), NOT_THERE)
    with relay_running(tmp_path / "relay") as running:
        yield running


@pytest.fixture
def sink(tmp_path):
    """Give an empty sink."""
    return FileSink(tmp_path / "sink")


def site(*relays, **options):
    """Return a site of these relays."""
    return SiteSettings("notes", "nostr", 0.0, delay=0.0, options={"root": [each.url for each in relays], **options})


def texts(sink):
    """Return the texts of the kept notes."""
    return [part.data.decode() for page in sink.kept for part in page.parts if part.provenance == "body"]


@server
def test_notes_come_as_they_are_written_and_once(relay, sink):
    """Stored ones the first time, live ones at once, with author, thread, link and evidence; profiles stay out."""
    ann, bo = Writer(), Writer()
    first = ann.note("病历 first")
    relay.publish(first, ann.note("{}", kind=0))
    with watching(site(relay), sink):
        until(lambda: len(sink.kept) == 1)
        reply = bo.note("a reply", tags=[["e", first["id"], "", "root"], ["p", ann.name]])
        relay.publish(reply, bo.note("# article", kind=30_023, tags=[["d", "x"]]))
        until(lambda: len(sink.kept) == 3)
    assert texts(sink) == ["病历 first", "a reply", "# article"]
    page = sink.kept[1]
    assert (page.item_id, page.author, page.thread_id) == (reply["id"], bo.name, first["id"])
    assert page.url == f"http://{relay.host}/#{reply['id']}" or page.url == f"http://{relay.host}#{reply['id']}"
    assert reply["sig"].encode() in page.exchanges[0].body
    assert sink.gaps == []


@server
def test_what_was_written_meanwhile_is_fetched_page_by_page(tmp_path, sink):
    """More than the relay gives at once, some backdated within the overlap: all come, no gap."""
    require(PROGRAM.exists(), NOT_THERE)
    writer, now = Writer(), int(time.time())
    with relay_running(tmp_path / "relay", most=10) as relay:
        relay.publish(writer.note("before", at=now - 400))
        read(site(relay), sink, 3)
        relay.publish(*(writer.note(f"note {number}", at=now - 300 + number // 3) for number in range(45)))
        report = read(site(relay), sink)
    assert report.state is SiteState.WORKING
    assert set(texts(sink)) == {"before", *(f"note {number}" for number in range(45))}
    assert len(sink.kept) == 46
    assert sink.gaps == []


@server
def test_a_relay_that_restarts_is_gone_back_to(tmp_path, sink, monkeypatch):
    """Notes before, during and after the restart are kept; an author's date far back does not matter for live ones."""
    require(PROGRAM.exists(), NOT_THERE)
    monkeypatch.setattr(runner, "REFUSED_PAUSE", 1.0)
    writer = Writer()
    with relay_running(tmp_path / "relay") as relay:
        port = int(relay.host.rpartition(":")[2])
        watched = watching(site(relay), sink)
        watched.__enter__()
        relay.publish(writer.note("one"))
        until(lambda: len(sink.kept) == 1)
    try:
        with relay_running(tmp_path / "relay", port=port) as relay:
            relay.publish(writer.note("two"))
            until(lambda: len(sink.kept) == 2, 40)
            relay.publish(writer.note("old date", at=int(time.time()) - 86_400))
            until(lambda: len(sink.kept) == 3)
            watched.__exit__(None, None, None)
    finally:
        assert texts(sink) == ["one", "two", "old date"]
    assert sink.gaps == []


@server
def test_a_relay_that_forgot_is_a_gap(tmp_path, sink):
    """The same address with another database: what it had is not there any more."""
    require(PROGRAM.exists(), NOT_THERE)
    writer = Writer()
    with relay_running(tmp_path / "relay") as relay:
        relay.publish(writer.note("one"))
        for _ in range(5):
            if not sink.kept:
                read(site(relay), sink, 3)
        port = int(relay.host.rpartition(":")[2])
    with relay_running(tmp_path / "other", port=port) as relay:
        report = read(site(relay), sink)
    (gap,) = sink.gaps
    assert (gap.reason, gap.filled) == (GapReason.LOST, False)
    assert (report.state, report.reason) == (SiteState.FAILING, Reason.GAP)


@server
def test_one_note_on_two_relays_is_one_page(tmp_path, relay, sink):
    """Kept once, whichever relay is first."""
    note = Writer().note("everywhere")
    with relay_running(tmp_path / "second") as other:
        relay.publish(note)
        other.publish(note)
        report = read(site(relay, other), sink, 4)
    assert texts(sink) == ["everywhere"]
    assert (report.fetched, report.known) == (1, 1)


@server
def test_a_relay_that_wants_a_login_is_told_as_such(tmp_path, sink):
    """Nobody logs in: the site's state says what it wants."""
    require(PROGRAM.exists(), NOT_THERE)
    with relay_running(tmp_path / "relay", login=True) as relay:
        report = read(site(relay), sink, 5)
    assert (report.state, report.reason) == (SiteState.LOGIN, Reason.LOGIN)


@pytest.mark.parametrize("change", [
    {"content": "another"}, {"sig": "00" * 64}, {"pubkey": "ff" * 32}, {"id": "aa" * 32}, {"created_at": 1},
    {"tags": "none"}, {"sig": "zz"}, {"content": "\ud800"}, {"created_at": True},
])  # fmt: skip
def test_what_was_tampered_with_does_not_verify(change):
    """Whatever was changed after signing shows; what was not, verifies."""
    note = Writer().note('zitat "\\\n\t 病历 \x01', tags=[["e", "aa"]])
    assert verified(note)
    assert not verified(note | change)


def test_a_forged_note_is_counted_and_not_kept():
    """A relay cannot put words into anybody's mouth."""
    state = _State(None, int(time.time()), 900, 500)
    forged = Writer().note("mine") | {"content": "not mine"}
    (happening,) = Nostr(SiteSettings("x", "nostr", 0.0, options={"root": "ws://a"}))._event(
        nostr.NEW, forged, state, None, None
    )
    assert happening.unreadable is Reason.MALFORMED


def test_a_second_with_more_notes_than_a_page_is_a_gap():
    """Relays page by seconds: what does not fit into one cannot be asked for, and is told."""
    state = _State("1000 aa", 2000, 0, 3)
    stored = [(f"{at}-{number}", at) for at in (1500, 1400) for number in range(5 if at == 1500 else 1)]
    asked, told = [], []
    while state.goes_on(nostr.OLD):
        asked.append(state.wish())
        found = [each for each in stored if each[1] <= asked[-1].get("until", 10**9)][:3]
        for name, at in found:
            state.saw(nostr.OLD, {"id": name, "created_at": at})
        told += state.end(nostr.OLD)
    assert len(asked) < 10
    assert [type(each).__name__ for each in told] == ["Missed", "Passed", "CaughtUp"]
    assert told[0].since.timestamp() == 1500
