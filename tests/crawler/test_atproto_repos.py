"""The event stream of a data server that nobody here wrote, and frames that it never sends."""

import json

import libipld
import pytest

from crawler.interface import SiteSettings
from crawler.streams import runner
from crawler.streams.atproto_repos import _read
from model.scan import SiteState
from tests.crawler.crawls import FileSink
from tests.crawler.reading import read, until, watching
from tests.servers.web import tell

server = pytest.mark.server


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    """Take a second of quiet for having caught up."""
    monkeypatch.setattr(runner, "QUIET", 1.0)


def site(pds, **options):
    """Return the site of a data server."""
    return SiteSettings("here", "atproto_repos", 0.0, delay=0.0, options={"root": pds.url, **options})


def texts(sink):
    """Return the texts of the kept posts."""
    return [json.loads(part.data)["text"] for page in sink.kept for part in page.parts if part.provenance == "body"]


@server
@pytest.mark.timeout(180)
def test_posts_come_as_they_are_committed_with_their_pictures(pds, tmp_path):
    """Live posts, an edit, a picture fetched as asked for; a deleted post stays; the rest comes from the cursor on."""
    sink = FileSink(tmp_path / "sink")
    account = pds.join("streamed")
    with watching(site(pds, images=True), sink):
        first = _until_seen(pds, account, sink)
        pds.post(account, "病历 with a picture", picture=b"\x89PNG picture", alt="一张表格")
        until(lambda: "病历 with a picture" in texts(sink))
        pds.delete(account, first)
    page = next(page for page in sink.kept if b"with a picture" in page.parts[0].data)
    assert page.author == account.did
    assert page.item_id.startswith(f"at://{account.did}/app.bsky.feed.post/")
    assert "一张表格".encode() in page.parts[0].data
    assert [part.data for part in page.parts if part.provenance == "image 1"] == [b"\x89PNG picture"]
    before = len(sink.kept)
    second = pds.post(account, "while nobody read")
    tell(
        f"{pds.url}/xrpc/com.atproto.repo.putRecord",
        {"repo": account.did, "collection": "app.bsky.feed.post", "rkey": second.rsplit("/", 1)[1],
         "record": {"$type": "app.bsky.feed.post", "text": "edited", "createdAt": "2026-05-25T14:23:28Z"}},
        headers=account.login,
    )  # fmt: skip
    report = read(site(pds), sink)
    assert texts(sink)[before:] == ["while nobody read", "edited"]
    assert (report.state, report.fetched) == (SiteState.WORKING, 2)
    assert read(site(pds), sink).fetched == 0
    assert sink.gaps == []


def _until_seen(pds, account, sink):
    """Post until one is seen: the stream may not be open yet."""
    for number in range(20):
        address = pds.post(account, f"hello {number}")
        try:
            until(lambda: sink.kept, 2.0)
        except AssertionError:
            continue
        return address
    raise AssertionError("nothing ever came")


@server
@pytest.mark.timeout(180)
def test_a_cursor_that_the_server_never_gave_is_told(pds, tmp_path):
    """The server was set up anew: it does not know our number, and the site's state says that something changed."""
    sink = FileSink(tmp_path / "sink")
    sink.cursors[pds.url] = "99999999 2026-05-25T14:23:28+00:00"
    report = read(site(pds), sink)
    assert report.state is SiteState.CHANGED


@pytest.mark.parametrize(
    "data", [b"", b"\xff", b"{}", libipld.encode_dag_cbor({"op": 1}), libipld.encode_dag_cbor([1]) * 2]
)
def test_what_is_no_frame_is_told_apart(data):
    """Garbage is None, never an exception."""
    assert _read(data) is None


def test_frames_are_read():
    """A message has its kind, an error has none."""
    parts = [{"op": 1, "t": "#commit"}, {"seq": 5}]
    assert _read(b"".join(map(libipld.encode_dag_cbor, parts))) == ("#commit", {"seq": 5})
    parts = [{"op": -1}, {"error": "ConsumerTooSlow"}]
    assert _read(b"".join(map(libipld.encode_dag_cbor, parts))) == (None, {"error": "ConsumerTooSlow"})
