import stat

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from model.errors import StorageError
from storage.filter_file import HEADER_BYTES, MOST_BEYOND, FilterState, locked, note, open_filter, read_state, write

WORDS = np.arange(1, 1001, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
STATE = FilterState(version=7, layout=5, tags=3000)


@pytest.mark.parametrize("words", [WORDS, WORDS[:0], WORDS[::2], WORDS.astype(">u8")])
def test_a_filter_comes_back(tmp_path, words):
    """Words and state are as written, whatever the layout of the array; nobody can write to them."""
    write(tmp_path / "filter", STATE, words)
    found = open_filter(tmp_path / "filter")
    assert found.state == STATE == read_state(tmp_path / "filter")
    assert np.array_equal(found.words, words)
    assert found.words.dtype == np.uint64
    if words.size:
        with pytest.raises(ValueError, match="read-only"):
            found.words[0] = 1


def test_the_file_is_private_and_alone(tmp_path):
    """Mode 0600, and no temporary file stays behind but the lock."""
    for _ in range(2):
        with locked(tmp_path / "filter"):
            write(tmp_path / "filter", STATE, WORDS)
    assert {path.name for path in tmp_path.iterdir()} == {"filter", ".filter.lock"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o600}


def test_an_open_filter_survives_its_replacement(tmp_path):
    """Who still maps the old file goes on reading the old words."""
    write(tmp_path / "filter", STATE, WORDS)
    old = open_filter(tmp_path / "filter")
    write(tmp_path / "filter", FilterState(8, 5, 1), WORDS[:10] + np.uint64(1))
    assert np.array_equal(old.words, WORDS)
    assert read_state(tmp_path / "filter").version == 8
    assert read_state(tmp_path / "filter").generation != old.state.generation


def test_added_bits_are_seen_at_once_and_promised_later(tmp_path):
    """Who maps the file sees a set bit before its state is noted; noting leaves the words and the generation."""
    path = tmp_path / "filter"
    write(path, STATE, WORDS)
    reading = open_filter(path)
    with locked(path):
        adding = open_filter(path, adding=True)
        adding.words[3] |= np.uint64(1 << 63 | 1)
        assert reading.words[3] == WORDS[3] | np.uint64(1 << 63 | 1)
        assert read_state(path) == STATE
        note(path, adding, adding.state.after([8], tags=2, removed=1))
    after = open_filter(path)
    assert (after.state.version, after.state.tags, after.state.removed) == (8, 3002, 1)
    assert after.state.generation == STATE.generation
    assert np.array_equal(after.words, reading.words)


@given(st.permutations(range(8, 16)), st.integers(1, 8))
def test_versions_count_once_none_is_missing(order, step):
    """However the changes are noted, `version` is the last before the first gap, and nothing is forgotten."""
    state = STATE
    for first in range(0, len(order), step):
        state = state.after(order[first : first + step], tags=1, removed=0)
        noted = set(order[: first + step])
        gap = next(version for version in range(8, 17) if version not in noted)
        assert state.version == gap - 1
        assert set(state.beyond) == {version for version in noted if version > gap}
    assert (state.version, state.beyond) == (15, ())


def test_what_lies_beyond_is_kept_as_far_as_there_is_room(tmp_path):
    """Changes out of order come back from the file; the farthest are dropped, so that the filter is built anew."""
    state = STATE.after(range(9, 9 + MOST_BEYOND + 50), tags=0, removed=0)
    assert (state.version, state.beyond) == (7, tuple(range(9, 9 + MOST_BEYOND)))
    write(tmp_path / "filter", state, WORDS)
    assert open_filter(tmp_path / "filter").state == state


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(length=st.integers(0, HEADER_BYTES + 8 * 1000 - 1))
def test_a_truncated_file_is_refused(tmp_path, length):
    """Cut anywhere, the file is refused, and the message says that it is built again."""
    path = tmp_path / "filter"
    write(path, STATE, WORDS)
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(StorageError, match="built again"):
        open_filter(path)


@pytest.mark.parametrize("place", [0, 8, 12, 16, 31, 32, 40, 48, 56, 64, 72, 80, 110])
def test_a_garbled_state_is_refused(tmp_path, place):
    """A flipped bit in any field of the state, or in its digest, is noticed."""
    path = tmp_path / "filter"
    write(path, STATE.after([9], 0, 0), WORDS)
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)
    with pytest.raises(StorageError, match="damaged"):
        open_filter(path)


def test_a_missing_file_and_a_missing_folder_are_told(tmp_path):
    """Both are StorageErrors that say what happens or what to do."""
    with pytest.raises(StorageError, match="built again"):
        open_filter(tmp_path / "none")
    with pytest.raises(StorageError, match="cannot be written"):
        write(tmp_path / "no" / "folder", STATE, WORDS)
    (tmp_path / "occupied").write_bytes(b"")
    with pytest.raises(StorageError, match="cannot be written"), locked(tmp_path / "occupied" / "filter"):
        pass
