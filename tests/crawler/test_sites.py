"""Every site there is: its recording replayed, its broken layout noticed, its place in the catalogue."""

import json
import pickle
from datetime import UTC, datetime
from pathlib import Path

import pytest

from crawler import catalogue, description
from model.page import Page, Reason
from model.scan import SiteState
from tests.crawler.crawls import FileSink
from tests.crawler.new_site import left_to_fill_in
from tests.crawler.recordings import SITES, Recording, played, recordings


@pytest.fixture(params=recordings())
def recording(request, monkeypatch):
    """Give each recording, with its secrets in the environment."""
    read = Recording.read(SITES / request.param)
    for name, text in read.environment.items():
        monkeypatch.setenv(name, text)
    if read.missing():
        pytest.skip("the shared samples are not here")
    return read


def facts(page: Page) -> dict:
    """Return what a recording may say of a page."""
    return {
        "id": page.item_id,
        "url": page.url,
        "at": page.published_at.isoformat() if page.published_at else None,
        "author": page.author,
        "thread": page.thread_id,
        "parts": [part.provenance for part in page.parts],
        "attachments": sum(exchange.role == "attachment" for exchange in page.exchanges),
    }


def holds(page: Page, words: str) -> bool:
    """Tell whether some part holds the words, in the charset that the part itself declares, or as JSON escapes them."""
    wanted = [words.encode(), words.encode("unicode_escape")]
    wanted += [words.encode(part.charset, "ignore") for part in page.parts if part.charset]
    return any(word and word in part.data for part in page.parts for word in wanted)


def test_a_recorded_site_is_read(recording, tmp_path):
    """Ids, addresses, times in UTC, authors, threads, parts and attachments of every item are as recorded."""
    sink = FileSink(tmp_path / "sink")
    for number, scan in enumerate(recording.scans):
        before = len(sink.kept)
        report = played(recording, number, sink)
        found = sink.kept[before:]
        wanted = scan.get("finds", [])
        assert [page.item_id for page in found] == [str(item["id"]) for item in wanted]
        for page, item in zip(found, wanted, strict=True):
            told = facts(page)
            expected = {key: item[key] for key in item if key not in {"holds", "at", "id"}}
            assert {key: told[key] for key in expected} == expected
            if "at" in item:
                wanted_at = datetime.fromisoformat(str(item["at"])).isoformat() if item["at"] else None
                assert told["at"] == wanted_at
            assert all(holds(page, words) for words in item.get("holds", []))
            assert page.exchanges
        assert report.state is SiteState(scan.get("state", "working"))
        assert {reason.value: count for reason, count in report.failed.items()} == scan.get("failed", {})
        assert report.listed == report.fetched + report.known + sum(report.failed.values())
        for stream, cursor in scan.get("cursors", {}).items():
            assert sink.cursors[stream] == str(cursor)


def test_no_secret_stands_in_the_evidence(recording, tmp_path):
    """A token given by reference stands in no exchange, no part and no cursor that is kept."""
    sink = FileSink(tmp_path / "sink")
    for number in range(len(recording.scans)):
        played(recording, number, sink)
    kept = pickle.dumps((sink.kept, sink.cursors, sink.given, sink.seen))
    assert all(secret.encode() not in kept for secret in recording.environment.values())


def test_a_changed_layout_is_noticed(recording, tmp_path):
    """Each recording has a broken answer, and the scan says what it means: never an empty list."""
    assert recording.broken
    for number, broken in enumerate(recording.broken):
        changed = {key: broken[key] for key in broken if key not in {"means", "pause"}}
        sink = FileSink(tmp_path / f"sink{number}")
        report = played(recording, 0, sink, **changed)
        assert report.state is not SiteState.WORKING
        assert report.reason is Reason(broken.get("means", "layout-changed"))
        if "pause" in broken:
            pauses = [json.loads(text) for stream, text in sink.cursors.items() if stream.startswith("paused-until")]
            until = max(datetime.fromisoformat(pause["until"]) for pause in pauses)
            assert 0 <= broken["pause"] - (until - datetime.now(UTC)).total_seconds() < 60


@pytest.mark.parametrize("name", sorted(catalogue.uses()))
def test_every_site_is_tested(name):
    """A site without a recording was run against a real server."""
    profile = catalogue.uses()[name]
    assert profile.about
    assert profile.tested.against
    has_own = (Path(__file__).parent / f"test_{name}.py").exists()
    assert profile.tested.against == "real server" or name in recordings() or has_own


@pytest.mark.parametrize("name", sorted({*description.names(), *recordings()}))
def test_nothing_is_left_to_fill_in(name):
    """What `make new-site` wrote for a person to replace is replaced."""
    files = (description.SHIPPED / f"{name}.yaml", SITES / name / "recording.yaml")
    left = [line for file in files if file.is_file() for line in left_to_fill_in(file)]
    assert not left, "still to be written:\n" + "\n".join(left)
