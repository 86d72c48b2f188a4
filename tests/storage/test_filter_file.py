import stat

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from model.errors import StorageError
from storage.filter_file import HEADER_BYTES, open_filter, write

WORDS = np.arange(1, 1001, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)


@pytest.mark.parametrize("words", [WORDS, WORDS[:0], WORDS[::2], WORDS.astype(">u8")])
def test_a_filter_comes_back(tmp_path, words):
    """Words, bits and version are as written, whatever the layout of the array; nobody can write to them."""
    write(tmp_path / "filter", 7, words, 5)
    found = open_filter(tmp_path / "filter")
    assert (found.version, found.bits) == (7, 5)
    assert np.array_equal(found.words, words)
    assert found.words.dtype == np.uint64
    if words.size:
        with pytest.raises(ValueError, match="read-only"):
            found.words[0] = 1


def test_the_file_is_private_and_alone(tmp_path):
    """Mode 0600, and no temporary file stays behind."""
    write(tmp_path / "filter", 1, WORDS, 5)
    write(tmp_path / "filter", 2, WORDS, 5)
    assert [path.name for path in tmp_path.iterdir()] == ["filter"]
    assert stat.S_IMODE((tmp_path / "filter").stat().st_mode) == 0o600


def test_an_open_filter_survives_its_replacement(tmp_path):
    """Who still maps the old file goes on reading the old words."""
    write(tmp_path / "filter", 1, WORDS, 5)
    old = open_filter(tmp_path / "filter")
    write(tmp_path / "filter", 2, WORDS[:10] + np.uint64(1), 5)
    assert np.array_equal(old.words, WORDS)
    assert open_filter(tmp_path / "filter").version == 2


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(length=st.integers(0, HEADER_BYTES + 8 * 1000 - 1))
def test_a_truncated_file_is_refused(tmp_path, length):
    """Cut anywhere, the file is refused, and the message says that it is built again."""
    path = tmp_path / "filter"
    write(path, 1, WORDS, 5)
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(StorageError, match="built again"):
        open_filter(path)


@pytest.mark.parametrize("place", [0, 8, 9, 12, 16, 24, 32, 39, 40, 71])
def test_a_garbled_header_is_refused(tmp_path, place):
    """A flipped bit in any field of the header is noticed."""
    path = tmp_path / "filter"
    write(path, 1, WORDS, 5)
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
        write(tmp_path / "no" / "folder", 1, WORDS, 5)
