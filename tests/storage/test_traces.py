"""Traces of posts: kept for some days, the latest of each thread, each post once."""

import contextlib
import secrets
import threading

import pytest
from sqlalchemy import select

from storage.database import Database
from storage.tables import traces
from storage.traces import Kept, TraceStore
from tests.storage.conftest import HandClock

DAY = 86_400.0
TAG, OTHER = b"t" * 16, b"o" * 16


@pytest.fixture
def store(database: Database, clock: HandClock) -> TraceStore:
    """Give a store on the test's clock."""
    return TraceStore(database, clock)


def kept(tag: bytes = TAG, post: bytes | None = None) -> Kept:
    """Make a trace."""
    return Kept(tag, post or secrets.token_bytes(16), secrets.token_bytes(1052))


def remember(database: Database, store: TraceStore, *some: Kept, most: int = 12) -> None:
    """Keep traces in a transaction of their own."""
    with database.transaction() as tx:
        store.remember(tx, "bazaar", some, most)


def test_traces_come_back_oldest_first(database, store, clock):
    """Those of the asked threads only, byte for byte."""
    some = [kept(), kept(OTHER), kept()]
    for each in some:
        remember(database, store, each)
        clock.wait(1)
    assert store.recall([TAG], 7) == [some[0], some[2]]
    assert store.recall([TAG, OTHER], 7) == some
    assert store.recall([b"x" * 16], 7) == []


def test_only_the_latest_of_a_thread_stay(database, store, clock):
    """Another thread loses nothing by it."""
    other = kept(OTHER)
    remember(database, store, other)
    some = [kept() for _ in range(5)]
    for each in some:
        clock.wait(1)
        remember(database, store, each, most=3)
    assert store.recall([TAG, OTHER], 7) == [other, *some[2:]]


def test_a_post_is_remembered_once(database, store, clock):
    """Examined again, it is overwritten and counts as seen now."""
    first, second = kept(), kept()
    remember(database, store, first)
    remember(database, store, second)
    clock.wait(60)
    again = kept(post=first.post)
    remember(database, store, again)
    assert store.recall([TAG], 7) == [second, again]


def test_what_is_too_old_is_neither_recalled_nor_kept(database, store, clock):
    """Recall leaves it out at once; forgetting deletes it."""
    old, new = kept(), kept()
    remember(database, store, old)
    clock.wait(6 * DAY)
    remember(database, store, new)
    assert store.recall([TAG], 7) == [old, new]
    clock.wait(1.5 * DAY)
    assert store.recall([TAG], 7) == [new]
    assert store.count() == 2
    assert store.forget(7) == 1
    assert store.count() == 1
    assert store.forget(0) == 1


def test_nothing_is_remembered_of_a_transaction_that_fails(database, store):
    """All or nothing, with whatever else the caller writes."""
    failing = contextlib.suppress(KeyError)
    with failing, database.transaction() as tx:
        store.remember(tx, "bazaar", [kept()], 12)
        raise KeyError
    assert store.count() == 0


def test_traces_are_dropped_by_place(database, store):
    """Many at once, and only these."""
    some, stays = [kept() for _ in range(250)], kept()
    remember(database, store, *some, stays, most=1000)
    with database.transaction() as tx:
        store.drop(tx, some)
    assert store.recall([TAG], 7) == [stays]


def test_nobody_adds_to_a_thread_between_a_look_and_the_end(database, store, url, clock):
    """Of two that end at the same time the second sees the post of the first."""
    looked, seen = threading.Event(), list[set[bytes]]()
    first, second = kept(), kept()

    def other() -> None:
        another = Database.open(url)
        looked.wait(10)
        with another.transaction() as tx:
            seen.append(TraceStore(another, clock).posts(tx, [TAG], 7))
            TraceStore(another, clock).remember(tx, "bazaar", [second], 12)
        another.close()

    beside = threading.Thread(target=other)
    beside.start()
    with database.transaction() as tx:
        assert store.posts(tx, [TAG], 7) == set()
        looked.set()
        beside.join(0.3)
        assert beside.is_alive()
        store.remember(tx, "bazaar", [first], 12)
    beside.join(30)
    assert seen == [{first.post}]


def test_the_row_names_nobody(database, store):
    """Tags, the site, a time and sealed bytes: nothing else has a column."""
    assert set(traces.c.keys()) == {"thread_tag", "post_tag", "site", "seen_at", "sealed"}
    one = kept()
    remember(database, store, one)
    with database.reading() as tx:
        (row,) = tx.execute(select(traces)).all()
    assert (bytes(row.thread_tag), bytes(row.post_tag), row.site, bytes(row.sealed)) == (*one[:2], "bazaar", one.sealed)
