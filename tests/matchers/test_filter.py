"""The filter misses nothing, passes little else, and survives being stored and mapped."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from matchers.filter import RESIDENT_LIMIT, BloomFilter

TAGS = arrays(np.uint64, st.integers(0, 200))


@given(TAGS, TAGS)
def test_no_enrolled_tag_is_missed(built: np.ndarray, added: np.ndarray) -> None:
    """Tags built in and tags added later all survive, whatever they are."""
    members = BloomFilter.build(built)
    members.add(added)
    every = np.concatenate([built, added])
    assert members.survivors(every).tolist() == list(range(len(every)))


@pytest.mark.parametrize("count", [1_000, 65_536, 100_000, 1_000_000])
def test_few_strangers_pass_and_few_bytes_are_used(count: int) -> None:
    """At every size at most 0.5 % of other tags pass, and a tag costs at most 3 bytes."""
    random = np.random.default_rng(count)
    members = BloomFilter.build(random.integers(0, 2**64, count, dtype=np.uint64))
    strangers = random.integers(0, 2**64, 400_000, dtype=np.uint64)
    assert len(members.survivors(strangers)) <= 0.005 * len(strangers)
    assert members.words.nbytes <= 3 * count


def test_an_empty_filter_passes_nothing() -> None:
    """With nobody enrolled no tag survives."""
    empty = BloomFilter.build(np.zeros(0, np.uint64))
    assert empty.survivors(np.arange(1000, dtype=np.uint64)).size == 0


def test_repeated_tags_cost_nothing() -> None:
    """The size follows the number of different tags."""
    tags = np.arange(1000, dtype=np.uint64) << np.uint64(50)
    assert len(BloomFilter.build(np.tile(tags, 9)).words) == len(BloomFilter.build(tags).words)


def test_stored_words_are_the_same_filter(tmp_path: Path) -> None:
    """Words written to a file and mapped read-only give the same answers, and can be added to when in memory."""
    random = np.random.default_rng(3)
    tags = random.integers(0, 2**64, 5000, dtype=np.uint64)
    built = BloomFilter.build(tags)
    path = tmp_path / "filter"
    path.write_bytes(built.words.tobytes())
    mapped = np.memmap(path, np.uint64, "r")
    again = BloomFilter.from_words(mapped, built.bits)
    queries = np.concatenate([tags, random.integers(0, 2**64, 5000, dtype=np.uint64)])
    assert again.survivors(queries).tolist() == built.survivors(queries).tolist()
    assert not isinstance(again.words, np.memmap)
    again.add(queries)
    assert len(again.survivors(queries)) == len(queries)


def test_a_large_map_is_left_on_disk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Above the limit the map itself is used; adding to it is refused by the map, not done by halves."""
    path = tmp_path / "filter"
    path.write_bytes(bytes(80))
    monkeypatch.setattr("matchers.filter.RESIDENT_LIMIT", 64)
    members = BloomFilter.from_words(np.memmap(path, np.uint64, "r"))
    assert isinstance(members.words, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        members.add(np.ones(1, np.uint64))
    assert RESIDENT_LIMIT > 64


def test_an_unknown_layout_is_refused() -> None:
    """A filter built with other bits, or without words, says so."""
    with pytest.raises(ValueError, match="rebuild"):
        BloomFilter.from_words(np.zeros(4, np.uint64), 5)
    with pytest.raises(ValueError, match="word"):
        BloomFilter(np.zeros(0, np.uint64))
