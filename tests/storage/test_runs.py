"""Postings in sorted runs: whatever is put in, taken out and merged, exactly the rest is found."""

import random
import secrets
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event, select

from model.errors import StorageError
from model.fingerprint import Erasure
from storage import runs as rooms
from storage.database import Database
from storage.records import RecordStore
from storage.runs import PostingRuns
from storage.tables import posting_blocks, posting_filters, posting_runs
from tests.storage.conftest import batch, person


def _postings(count, draw=None, size=24):
    """Give labels (ascending) and payloads."""
    take = draw.randbytes if draw else secrets.token_bytes
    made = sorted(take(16) for _ in range(count))
    return b"".join(made), b"".join(take(size) for _ in made)


def _mapping(labels, sealed, size=24):
    count = len(labels) // 16
    return {labels[16 * n : 16 * n + 16]: sealed[size * n : size * (n + 1)] for n in range(count)}


def _check(tx, expected):
    """Every posting is found; the filters are what new ones over the same blocks would be."""
    store = PostingRuns()
    assert store.find(tx, list(expected)) == expected
    assert store.count(tx) == len(expected)
    for run in store.runs(tx):
        blocks = tx.execute(
            select(posting_blocks.c.entries)
            .where(posting_blocks.c.place >= run.first_place, posting_blocks.c.place < run.end_place)
            .order_by(posting_blocks.c.place)
        ).scalars()
        rows = np.frombuffer(b"".join(blocks), np.uint8).reshape(-1, run.entry_bytes)
        labels = [row[:16].tobytes() for row in rows]
        assert all(one < other for one, other in pairwise(labels))
        assert len(rows) == run.postings
        high, low = rooms.halves(rows)
        wanted = rooms._filters(run.blocks_of(high), high, low, 1 << run.bits, run.filter_bytes)
        assert (run.filters == wanted).all()


def test_many_batches_are_merged_and_nothing_is_lost(database):
    """Twenty batches large and small: few runs, all postings, no label that is not there."""
    store, expected = PostingRuns(), {}
    for count in [9000, 3, 500] * 10:
        labels, sealed = _postings(count)
        with database.transaction() as tx:
            store.change(tx, (), labels, sealed)
        expected |= _mapping(labels, sealed)
    with database.reading() as tx:
        _check(tx, expected)
        assert len(store.runs(tx)) < 10
        assert store.find(tx, [secrets.token_bytes(16) for _ in range(20_000)]) == {}


@given(st.integers(0, 2**32).map(random.Random), st.lists(st.integers(0, 900), min_size=1, max_size=14))
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_history_leaves_what_was_not_taken_out(tmp_path_factory, monkeypatch, draw, counts):
    """Small runs, few blocks, many merges: as a dictionary would have it."""
    for name, value in (("PER_BLOCK", 8), ("FEW", 60), ("MANY_BLOCKS", 8), ("FAN", 3), ("SMALLEST", 64)):
        monkeypatch.setattr(rooms, name, value)
    database = Database.open(f"sqlite:///{tmp_path_factory.mktemp('runs')}/r.db")
    store, expected = PostingRuns(), {}
    for count in counts:
        labels, sealed = _postings(count, draw)
        gone = draw.sample(sorted(expected), min(len(expected), draw.choice((0, 1, 30, 5000))))
        with database.transaction() as tx:
            assert store.change(tx, [*gone, b"\0" * 16], labels, sealed) == len(gone)
        expected = {name: each for name, each in expected.items() if name not in gone} | _mapping(labels, sealed)
        with database.reading() as tx:
            assert store.find(tx, list(expected)) == expected
    with database.reading() as tx:
        _check(tx, expected)
    database.close()


def test_labels_that_begin_alike_are_told_apart(database):
    """Thousands of labels with the same first half, in one block."""
    labels = sorted(b"\x80" * 8 + secrets.token_bytes(8) for _ in range(3000))
    sealed = secrets.token_bytes(24 * len(labels))
    with database.transaction() as tx:
        PostingRuns().change(tx, (), b"".join(labels), sealed)
        _check(tx, _mapping(b"".join(labels), sealed))


def test_a_label_stands_once(database):
    """A label that is there already, or twice in what is put in, is refused."""
    labels, sealed = _postings(200)
    with database.transaction() as tx:
        PostingRuns().change(tx, (), labels, sealed)
    twice = _postings(1)
    for late in ((labels[160:176], sealed[:24]), (twice[0] * 2, twice[1] * 2)):
        with pytest.raises(StorageError, match="enrol the file again"), database.transaction() as tx:
            PostingRuns().change(tx, (), *late)
    with pytest.raises(StorageError, match="unequal sizes"), database.transaction() as tx:
        PostingRuns().change(tx, (), twice[0] + bytes(16), b"odd")


def test_what_was_rolled_back_is_not_remembered(database):
    """A store that saw a run inside a failed transaction does not take another's run of that number for it."""
    store, other = PostingRuns(), PostingRuns()
    lost, kept = _postings(500), _postings(500)

    def fail_afterwards():
        with database.transaction() as tx:
            store.change(tx, (), *lost)
            assert len(store.find(tx, [lost[0][:16]])) == 1
            raise KeyError

    with pytest.raises(KeyError):
        fail_afterwards()
    with database.transaction() as tx:
        other.change(tx, (), *kept)
    with database.reading() as tx:
        assert store.find(tx, list(_mapping(*kept))) == _mapping(*kept)
        assert store.find(tx, list(_mapping(*lost))) == {}


def test_erasure_leaves_no_trace_in_the_filters(database):
    """After erasure the tables are as if the erased had never been: no bit of a filter tells of them."""
    records = RecordStore(database)
    people = [person(30) for _ in range(1500)]
    records.add(batch(*people))
    records.apply([Erasure(one.handle, one.labels, ()) for one in people[:150]])
    with database.reading() as tx:
        _check(tx, {each.label: each.sealed for one in people[150:] for each in one.postings})
    records.apply([Erasure(one.handle, one.labels, ()) for one in people[150:]])
    with database.reading() as tx:
        for table in (posting_blocks, posting_filters, posting_runs):
            assert tx.execute(select(table)).all() == []


def test_one_record_into_many_costs_little(database):
    """A record more is put into the blocks of a large run: no run of its own that would show it."""
    store = PostingRuns()
    with database.transaction() as tx:
        store.change(tx, (), *_postings(60_000))
    late = _postings(30)
    with database.transaction() as tx:
        store.change(tx, (), *late)
    with database.reading() as tx:
        assert [run.postings for run in store.runs(tx)] == [60_030]
        assert store.find(tx, list(_mapping(*late))) == _mapping(*late)


def test_labels_that_are_not_there_are_not_looked_for(database):
    """The filters answer for all but a few in a thousand: hardly a block is read."""
    store = PostingRuns()
    with database.transaction() as tx:
        store.change(tx, (), *_postings(50_000, random.Random(1)))
    draw = random.Random(2)
    with database.reading() as tx:
        (run,) = store.runs(tx)
        names = np.frombuffer(draw.randbytes(16 * 100_000), np.uint8).reshape(-1, 16)
        assert len(run.survivors(*rooms.halves(names))) < 300
        asked = []
        event.listen(tx.engine, "before_cursor_execute", lambda *each: asked.append(each[2]))
        assert store.find(tx, [name.tobytes() for name in names]) == {}
    assert sum("posting_blocks" in statement for statement in asked) <= 2
    assert not any("posting_filters" in statement for statement in asked)


def test_a_batch_planned_on_an_older_state_is_refused(database):
    """`based_on` is compared inside the transaction: a gap in a chain cannot come about."""
    records = RecordStore(database)
    planned = records.version()
    records.add(batch(person()))
    with pytest.raises(StorageError, match="at the same time"):
        records.add(batch(person()), planned)
    records.add(batch(person()), planned + 1)
    assert records.version() == planned + 2
