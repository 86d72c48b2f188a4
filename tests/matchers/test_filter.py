"""The filter misses nothing, passes little else, and survives being stored, mapped and added to."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from matchers.filter import BloomFilter

TAGS = arrays(np.uint64, st.integers(0, 200))


@settings(deadline=None)  # the first call compiles
@given(TAGS, TAGS)
def test_no_enrolled_tag_is_missed(built: np.ndarray, added: np.ndarray) -> None:
    """Tags built in and tags added later all survive, whatever they are."""
    members = BloomFilter.build(built)
    members.add(added)
    every = np.concatenate([built, added])
    assert members.survivors(every).tolist() == list(range(len(every)))


@pytest.mark.parametrize("count", [1_000, 65_536, 100_000, 1_000_000])
def test_few_strangers_pass_and_few_bytes_are_used(count: int) -> None:
    """At every size at most 0.015 % of other tags pass, and a tag costs at most 3 bytes."""
    random = np.random.default_rng(count)
    members = BloomFilter.build(random.integers(0, 2**64, count, dtype=np.uint64))
    strangers = random.integers(0, 2**64, 1_000_000, dtype=np.uint64)
    assert len(members.survivors(strangers)) <= 0.00015 * len(strangers)
    assert members.words.nbytes <= 3 * count


def test_twice_as_many_tags_still_let_little_pass() -> None:
    """Filled to twice its room it passes less than 0.5 % of strangers, and says how much room it had."""
    random = np.random.default_rng(5)
    members = BloomFilter.sized(50_000)
    assert members.capacity == pytest.approx(50_000, rel=0.001)
    members.add(random.integers(0, 2**64, 100_000, dtype=np.uint64))
    assert len(members.survivors(random.integers(0, 2**64, 400_000, dtype=np.uint64))) < 2_000


def test_an_empty_filter_passes_nothing() -> None:
    """With nobody enrolled no tag survives."""
    empty = BloomFilter.build(np.zeros(0, np.uint64))
    assert empty.survivors(np.arange(1000, dtype=np.uint64)).size == 0


def test_repeated_tags_cost_nothing() -> None:
    """The size follows the number of different tags, and only those are counted."""
    tags = np.random.default_rng(6).integers(0, 2**64, 1000, dtype=np.uint64)
    members = BloomFilter.build(np.tile(tags, 9))
    assert len(members.words) == len(BloomFilter.build(tags).words)
    assert members.add(tags) == 0
    assert BloomFilter.sized(2000).add(np.tile(tags, 2)) == 1000


def test_every_shape_of_tags_is_taken() -> None:
    """Tags that are strided, read-only or mapped are looked up and added like any other."""
    tags = np.random.default_rng(7).integers(0, 2**64, 2000, dtype=np.uint64)
    members = BloomFilter.build(tags[::2])
    assert members.survivors(tags[::2]).tolist() == list(range(1000))
    tags.flags.writeable = False
    members.add(tags[1::2])
    assert len(members.survivors(tags)) == 2000


def test_what_is_added_through_one_map_is_seen_through_another(tmp_path: Path) -> None:
    """A map stays a map: bits set by who may write are there for who already reads."""
    random = np.random.default_rng(3)
    tags = random.integers(0, 2**64, 5000, dtype=np.uint64)
    path = tmp_path / "filter"
    path.write_bytes(BloomFilter.build(tags).words.tobytes())
    reading = BloomFilter(np.memmap(path, np.uint64, "r"))
    assert len(reading.survivors(tags)) == len(tags)
    newest = random.integers(0, 2**64, 50, dtype=np.uint64)
    assert len(reading.survivors(newest)) < 5
    BloomFilter(np.memmap(path, np.uint64, "r+")).add(newest)
    assert len(reading.survivors(newest)) == len(newest)
    with pytest.raises(ValueError, match="read-only"):
        reading.add(newest)


def test_an_unknown_layout_is_refused() -> None:
    """A filter of another layout, without words, or of half a line, says so."""
    with pytest.raises(ValueError, match="rebuild"):
        BloomFilter(np.zeros(8, np.uint64), 1)
    for size in (0, 12):
        with pytest.raises(ValueError, match="line"):
            BloomFilter(np.zeros(size, np.uint64))


def test_winnowed_tags_do_not_crowd_the_filter() -> None:
    """Winnowing keeps tags with small upper halves; the filter of such tags lets no more strangers pass."""
    chance = np.random.default_rng(8)
    winnowed = chance.integers(0, 2**64, (50_000, 12), np.uint64).min(axis=1)
    strangers = chance.integers(0, 2**64, 500_000, np.uint64)
    assert len(BloomFilter.build(winnowed).survivors(strangers)) < 200
