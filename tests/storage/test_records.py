import secrets
import threading
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from matchers.interface import PostingStore
from model.errors import StorageError
from model.fingerprint import Erasure, Posting
from storage.facts import FactStore
from storage.records import RecordCounts, RecordStore
from storage.tables import posting_blocks, posting_runs
from tests.storage.conftest import batch, person

MOVED = b"a link moved here, of the usual 40 bytes."[:40]


@pytest.fixture
def records(database):
    """Give a record store."""
    return RecordStore(database)


def test_what_is_added_is_found(records):
    """Postings by label, details and references by handle, records by reference tag; the unknown is absent."""
    store: PostingStore = records
    people = [person() for _ in range(5)]
    records.add(batch(*people))
    labels = {entry.label: entry.sealed for one in people for entry in one.postings}
    handles = [one.handle for one in people]
    assert store.postings([*labels, b"x" * 16, *labels]) == labels
    assert store.details([*handles, b"x" * 16]) == {one.handle: one.sealed_details for one in people}
    assert records.sealed_refs(handles[:2]) == {one.handle: one.sealed_ref for one in people[:2]}
    known = records.known([people[0].ref_tag, b"x" * 16])
    assert list(known) == [people[0].ref_tag]
    assert known[people[0].ref_tag].handle == people[0].handle
    assert known[people[0].ref_tag].content_tag == people[0].content_tag


def test_any_number_of_labels_can_be_asked_at_once(records):
    """Engines limit the values of a statement; the store does not."""
    records.add(batch(person(100)))
    one = person(1)
    records.add(batch(one))
    asked = [secrets.token_bytes(16) for _ in range(70_000)] + [one.postings[0].label]
    assert records.postings(asked) == {one.postings[0].label: one.postings[0].sealed}
    assert records.postings([]) == {}


def test_a_taken_label_or_reference_stores_nothing(records):
    """When another enrolment was faster, nothing of the batch is stored, and the message says what to do."""
    first = person()
    records.add(batch(first))
    label_taken = person(1)
    label_taken = replace(label_taken, postings=(*label_taken.postings, first.postings[0]))
    for late in (label_taken, person(ref_tag=first.ref_tag)):
        with pytest.raises(StorageError, match="enrol the file again"):
            records.add(batch(person(), late))
    assert records.count() == RecordCounts(1, 3, {1: 1})


def test_erasure_mends_the_chain(records):
    """The hole is filled with the last link, the last label and the record go, everybody else stays."""
    a, b = person(2), person(2)
    records.add(batch(a, b))
    moved = Posting(a.postings[0].label, MOVED)
    records.apply([Erasure(a.handle, (a.postings[1].label, b.postings[1].label), (moved,))])
    left = {moved.label: MOVED, b.postings[0].label: b.postings[0].sealed}
    assert records.postings([entry.label for one in (a, b) for entry in one.postings]) == left
    assert list(records.details([a.handle, b.handle])) == [b.handle]
    assert records.known([a.ref_tag]) == {}


def test_a_later_erasure_may_undo_what_an_earlier_one_wrote(records):
    """Erasures in one call are planned one on the other: the last word about a label counts."""
    a, b = person(1), person(1)
    records.add(batch(a, b))
    first = Erasure(a.handle, (b.postings[0].label,), (Posting(a.postings[0].label, MOVED),))
    second = Erasure(b.handle, (a.postings[0].label,), ())
    records.apply([first, second])
    assert records.count() == RecordCounts(0, 0, {})


@pytest.mark.parametrize("wrong", ["handle", "delete", "put"])
def test_a_stale_erasure_erases_nothing(records, wrong):
    """A plan made before somebody else changed the records is refused whole."""
    one = person(2)
    records.add(batch(one))
    plan = {"handle": one.handle, "delete": (one.postings[0].label,), "put": (Posting(one.postings[1].label, MOVED),)}
    stale = {"handle": b"x" * 16, "delete": (b"x" * 16,), "put": (Posting(b"x" * 16, MOVED),)}
    with pytest.raises(StorageError, match="try again"):
        records.apply([Erasure(**(plan | {wrong: stale[wrong]}))])
    assert records.postings([entry.label for entry in one.postings]) == {
        entry.label: entry.sealed for entry in one.postings
    }


def test_replacing_is_one_transaction(records, database):
    """Erasure and enrolment of the same record happen together or not at all, and count as one change."""
    old, other = person(2), person(1)
    records.add(batch(old, other))
    before = FactStore(database).filter_version()
    erasure = Erasure(old.handle, tuple(entry.label for entry in old.postings), ())
    taken = replace(person(ref_tag=old.ref_tag), postings=other.postings)
    with pytest.raises(StorageError):
        records.replace([erasure], batch(taken))
    assert records.known([old.ref_tag])[old.ref_tag].handle == old.handle
    assert FactStore(database).filter_version() == before
    new = replace(person(ref_tag=old.ref_tag), postings=(Posting(old.postings[0].label, MOVED),))
    assert records.replace([erasure], batch(new)) == before + 1 == FactStore(database).filter_version()
    assert records.known([old.ref_tag])[old.ref_tag].handle == new.handle
    assert records.postings([old.postings[0].label]) == {old.postings[0].label: MOVED}


def test_tokens_stream_in_order(records):
    """All records, or the named ones, in order of their handles, beyond one batch."""
    people = [person(0) for _ in range(1203)]
    records.add(batch(*people))
    wanted = sorted((one.handle, one.sealed_tokens) for one in people)
    assert list(records.tokens()) == wanted
    assert list(records.tokens([one.handle for one in people[:700]] + [b"x" * 16])) == sorted(
        (one.handle, one.sealed_tokens) for one in people[:700]
    )
    assert list(records.tokens([])) == []


def test_counts_and_retention(records):
    """Counts go by epoch; a record expires the day after its last day."""
    last_day = person(2, retain_until=date(2026, 3, 1))
    records.add(batch(last_day, person(0, epoch=2), person(1, retain_until=date(2027, 1, 1))))
    assert records.count() == RecordCounts(3, 3, {1: 2, 2: 1})
    assert records.expired(date(2026, 3, 1)) == []
    assert records.expired(date(2026, 3, 2)) == [last_day.handle]


def test_every_change_raises_the_filter_version(records, database):
    """Threads that enrol at once each get a version of their own."""
    versions = []
    threads = [threading.Thread(target=lambda: versions.append(records.add(batch(person())))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(versions) == list(range(1, 9))
    assert FactStore(database).filter_version() == 8


def test_rows_lie_in_an_order_that_tells_nothing(records, database):
    """Postings lie in the order of their labels, those of a small batch in the blocks of a large one."""
    records.add(batch(person(40_000)))
    late = person(5)
    records.add(batch(late))
    with database.reading() as tx:
        blocks = tx.execute(select(posting_blocks.c.entries).order_by(posting_blocks.c.place)).scalars().all()
        assert tx.execute(select(posting_runs.c.postings)).scalars().all() == [40_005]
    labels = [bytes(block[at : at + 16]) for block in blocks for at in range(0, len(block), 56)]
    assert labels == sorted(labels)
    assert set(late.labels) < set(labels)


def test_erased_labels_leave_no_byte(tmp_path):
    """After erasure and scrub, the labels and payloads of the erased are in no file of the database."""
    from storage.database import Database

    database = Database.open(f"sqlite:///{tmp_path}/s.db")
    records = RecordStore(database)
    people = [person(10) for _ in range(200)]
    records.add(batch(*people))
    gone, stay = people[:50], people[50:]

    def bytes_on_disk() -> bytes:
        return b"".join(path.read_bytes() for path in Path(tmp_path).iterdir())

    before = bytes_on_disk()
    assert all(entry.label in before for one in people for entry in one.postings)
    records.apply([Erasure(one.handle, tuple(entry.label for entry in one.postings), ()) for one in gone])
    database.scrub()
    after = bytes_on_disk()
    for one in gone:
        for secret in (one.handle, one.ref_tag, one.content_tag, one.sealed_ref, one.sealed_details, one.sealed_tokens):
            assert secret not in after
        assert not any(entry.label in after or entry.sealed in after for entry in one.postings)
    assert all(entry.label in after for one in stay for entry in one.postings)
    database.close()


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sizes=st.lists(st.integers(0, 6), max_size=6), keep=st.integers(0, 6))
def test_adding_and_erasing_leaves_what_was_not_erased(tmp_path_factory, sizes, keep):
    """Whatever was added and erased, exactly the rest is found."""
    from storage.database import Database

    database = Database.open(f"sqlite:///{tmp_path_factory.mktemp('p')}/s.db")
    records = RecordStore(database)
    people = [person(size) for size in sizes]
    records.add(batch(*people))
    records.apply([Erasure(one.handle, tuple(entry.label for entry in one.postings), ()) for one in people[keep:]])
    labels = [entry.label for one in people for entry in one.postings]
    assert set(records.postings(labels)) == {entry.label for one in people[:keep] for entry in one.postings}
    assert set(records.details([one.handle for one in people])) == {one.handle for one in people[:keep]}
    database.close()
