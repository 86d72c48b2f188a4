"""Scans of Synapse, a Matrix server that nobody here wrote."""

import pytest

from model.page import Reason
from model.scan import SiteState
from tests.crawler.crawls import network, scan, site
from tests.servers.test_servers import png

pytestmark = [pytest.mark.server, pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def people(synapse):
    """Give the one who writes and the one who watches, who joins no room."""
    return synapse.join("mia"), synapse.join("watcher")


def watched(synapse, watcher, **options):
    """Return the site and the law that lets it be fetched."""
    here = site("matrix_rooms", terms="accepted", options={"root": synapse.url, "token": watcher.token, **options})
    return here, network(synapse.url.removeprefix("http://"))


def said(outcome):
    """Return what was said, message by message."""
    return [part.data.decode() for page in outcome.sink.kept for part in page.parts if part.provenance == "body"]


def test_rooms_that_anybody_may_read_are_read_without_joining(synapse, people, tmp_path):
    """The directory's readable rooms give texts, edits, files; a redacted message and a members' room give nothing."""
    mia, watcher = people
    ward, closed = synapse.room(mia, "ward"), synapse.room(mia, "closed", readable=False)
    synapse.say(mia, closed, {"msgtype": "m.text", "body": "for members"})
    first = synapse.say(mia, ward, {"msgtype": "m.text", "body": "何云舒"})
    edit = {"rel_type": "m.replace", "event_id": first}
    synapse.say(mia, ward, {"msgtype": "m.text", "body": "* edited", "m.relates_to": edit,
                            "m.new_content": {"msgtype": "m.text", "body": "何云舒 15402200417"}})  # fmt: skip
    picture = synapse.upload(mia, png(), "image/png", "form.png")
    synapse.say(mia, ward, {"msgtype": "m.image", "body": "form.png", "url": picture})
    synapse.redact(mia, ward, synapse.say(mia, ward, {"msgtype": "m.text", "body": "taken away"}))
    here, law = watched(synapse, watcher)
    outcome = scan(here, law, tmp_path)
    assert outcome.result.state is SiteState.WORKING
    texts = said(outcome)
    assert {"何云舒", "何云舒 15402200417", "form.png"} <= set(texts)
    assert not {"for members", "taken away"} & set(texts)
    assert any(part.data == png() for page in outcome.sink.kept for part in page.parts)
    assert watcher.token not in repr([page.exchanges for page in outcome.sink.kept]) + outcome.output
    exchanges = [exchange for page in outcome.sink.kept for exchange in page.exchanges]
    assert all(watcher.token not in text for exchange in exchanges for _, text in exchange.request_headers)


def test_the_next_scan_reads_several_pages_down_to_what_is_known(synapse, people, tmp_path):
    """210 messages between two scans are three pages; all come, none twice, and an alias names the room as well."""
    mia, watcher = people
    room = synapse.room(mia, "busy")
    for number in range(5):
        synapse.say(mia, room, {"msgtype": "m.text", "body": f"before {number}"})
    here, law = watched(synapse, watcher, rooms=["#busy:ward.example"])
    scan(here, law, tmp_path)
    for number in range(210):
        synapse.say(mia, room, {"msgtype": "m.text", "body": f"later {number}"})
    second = scan(here, law, tmp_path)
    assert second.result.fetched == 210
    texts = said(second)
    assert [texts.count(f"later {number}") for number in range(210)] == [1] * 210
    assert scan(here, law, tmp_path).result.fetched == 0


def test_a_closed_room_and_a_dead_token_are_refusals(synapse, people, tmp_path):
    """Neither looks like an empty room."""
    mia, watcher = people
    room = synapse.room(mia, "members", readable=False)
    here, law = watched(synapse, watcher, rooms=room)
    outcome = scan(here, law, tmp_path / "closed")
    assert (outcome.result.state, outcome.result.reason) == (SiteState.BLOCKED, Reason.BLOCKED)
    here, law = watched(synapse, type(watcher)(watcher.user, "syt_not_a_token"))
    assert scan(here, law, tmp_path / "dead").result.reason is Reason.LOGIN
