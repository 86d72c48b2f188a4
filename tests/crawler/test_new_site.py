"""What `make new-site` writes: two files that fit each other, that nobody can forget, and that replace nothing."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from crawler import description
from model.errors import ConfigError
from model.page import Reason
from model.scan import SiteState
from tests.crawler.crawls import FileSink
from tests.crawler.new_site import left_to_fill_in, make
from tests.crawler.recordings import Recording, played

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def made(tmp_path):
    """Give a new site in folders of its own."""
    (tmp_path / "descriptions").mkdir()
    return make("my_site", tmp_path / "descriptions", tmp_path / "recordings")


def test_the_recording_replays_with_the_description(made, tmp_path):
    """Before anything is filled in, both scans find what the recording says, and the broken answers are noticed."""
    described, file = made
    recording = Recording.read(file.parent)
    sink = FileSink(tmp_path / "sink")
    for number, scan in enumerate(recording.scans):
        before = len(sink.kept)
        report = played(recording, number, sink, descriptions=described.parent)
        assert report.state is SiteState.WORKING
        assert [page.item_id for page in sink.kept[before:]] == [str(item["id"]) for item in scan["finds"]]
        assert sink.cursors == {name: str(cursor) for name, cursor in scan["cursors"].items()}
    for number, broken in enumerate(recording.broken):
        changed = {key: broken[key] for key in broken if key != "means"}
        sink = FileSink(tmp_path / f"broken{number}")
        report = played(recording, 0, sink, descriptions=described.parent, **changed)
        assert report.reason is Reason(broken.get("means", "layout-changed"))


def test_it_cannot_be_forgotten(made):
    """The tests of all sites name each line that is still to be written."""
    for file in made:
        places = left_to_fill_in(file)
        assert places
        assert all(place.startswith(f"{file.name}:") for place in places)
    assert description.read(made[0]).profile.tested.against == "recording"


def test_nothing_is_overwritten(made, tmp_path):
    """A second time, with either file there, nothing is written."""
    described, recording = made
    for kept, removed in ((described, recording), (recording, described)):
        text = removed.read_text(encoding="utf-8")
        removed.unlink()
        kept.write_text("mine", encoding="utf-8")
        with pytest.raises(ConfigError, match="is there already"):
            make("my_site", tmp_path / "descriptions", tmp_path / "recordings")
        assert kept.read_text(encoding="utf-8") == "mine"
        assert not removed.exists()
        removed.write_text(text, encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("", "lower-case word"),
        ("My-Site", "lower-case word"),
        ("../up", "lower-case word"),
        ("zhihu", "is not watched"),
        ("atproto_pds", "atproto_pds.py is there already"),
        ("lemmy", "is there already"),
    ],
)
def test_a_name_that_cannot_be_is_refused_at_the_door(name, words):
    """The command says why in one line and ends with 2."""
    ended = subprocess.run(
        [sys.executable, "-m", "tests.crawler.new_site", name],
        capture_output=True, text=True, cwd=ROOT, env=os.environ, timeout=60, check=False,
    )  # fmt: skip
    assert (ended.returncode, ended.stdout) == (2, "")
    assert words in ended.stderr
