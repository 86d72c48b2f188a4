"""The filter covers every record at every moment, whoever enrols, erases, rebuilds or dies meanwhile."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from app import filtering
from app.config import read_config
from app.filtering import FilterChanges, FilteredRecords, current_filter, rebuild
from app.owner import ENROLMENT
from app.refilter import Renewal
from app.stores import Stores
from app.wiring import open_filter, open_stores
from matchers.filter import BloomFilter
from matchers.fingerprints import Enroller
from matchers.keys import LinkageKey
from model.fingerprint import Fingerprint
from storage.database import Database
from storage.filter_file import read_state
from storage.records import RecordStore
from tests.app.installation import export, install
from tests.people import PEOPLE, SCHEMA, Person

ROOT = Path(__file__).resolve().parents[2]
KEY = LinkageKey(bytes(range(32)))


@dataclass
class House:
    """A database, the key, and where the filter lies."""

    url: str
    path: Path
    stores: Stores
    enroller: Enroller
    kept: list[Fingerprint] = field(default_factory=list)
    """Of everybody enrolled so far, in order."""

    def open(self) -> tuple[BloomFilter, filtering.FilterWatch]:
        """Open the filter as the examiner does."""
        return current_filter(self.path, self.enroller, self.stores)

    def changing(self, clock: float = 0.0) -> tuple[FilterChanges, FilteredRecords]:
        """Open the records as an enrolment does; its clock stands still, so that it notes only when told."""
        changes = FilterChanges(self.path, self.stores.facts, lambda: clock)
        return changes, FilteredRecords(self.stores.database, self.enroller, changes)

    def enrol(self, store: RecordStore, people: Sequence[Person]) -> None:
        """Enrol the people in one batch and remember what is kept of them."""
        batch, problems = self.enroller.fingerprint([person.record() for person in people], store)
        assert not problems
        store.add(batch)
        self.kept += batch.fingerprints

    def tags(self, fingerprints: Sequence[Fingerprint]) -> np.ndarray:
        """Return every tag of these records."""
        return np.concatenate([self.enroller.filter_tags(each.sealed_tokens) for each in fingerprints])

    def holds(self, members: BloomFilter, fingerprints: Sequence[Fingerprint]) -> bool:
        """Tell whether every tag of these records survives."""
        tags = self.tags(fingerprints)
        return len(members.survivors(tags)) == len(tags)


def strangers(count: int) -> np.ndarray:
    """Return tags of nobody."""
    return np.random.default_rng(9).integers(0, 2**64, count, dtype=np.uint64)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """Give an empty house."""
    url = f"sqlite:///{tmp_path}/test.db"
    database = Database.open(url)
    yield House(url, tmp_path / "var" / "filter", Stores.of(database), Enroller(KEY, SCHEMA))
    database.close()


def test_a_missing_or_damaged_filter_is_built_from_the_database_alone(house: House) -> None:
    """Deleted or garbled, it comes back with every record; as long as nothing changed it is only opened."""
    house.enrol(house.stores.records, PEOPLE)
    members, watch = house.open()
    assert house.holds(members, house.kept)
    assert not watch.must_reopen()
    kept = read_state(house.path)
    assert np.array_equal(house.open()[0].words, members.words)
    assert read_state(house.path) == kept
    for spoil in (house.path.unlink, lambda: house.path.write_bytes(b"x")):
        spoil()
        assert watch.must_reopen()
        again, watch = house.open()
        assert np.array_equal(again.words, members.words)


def test_an_enrolment_is_seen_at_once_by_who_has_the_filter_open(house: House) -> None:
    """New records survive in a filter opened before; once noted, nobody need open it again, and none is rebuilt."""
    members, watch = house.open()
    built = read_state(house.path).generation
    changes, records = house.changing()
    lease = house.stores.leases.acquire(ENROLMENT, "me", 60.0)
    assert lease
    with changes:
        house.enrol(records, PEOPLE[:2])
        assert house.holds(members, house.kept[:2])
        assert not watch.must_reopen()
        assert read_state(house.path).version == 0
        house.enrol(records, PEOPLE[2:])
    house.stores.leases.release(lease)
    assert house.holds(members, house.kept)
    assert read_state(house.path).version == 2 == house.stores.facts.filter_version()
    assert not watch.must_reopen()
    assert not watch.stale
    assert not watch.full
    house.open()
    assert read_state(house.path).generation == built


def test_bits_are_set_before_the_records_are_there(house: House) -> None:
    """At no moment is a record in the database and not in the filter."""
    members, _ = house.open()
    changes, _ = house.changing()
    batch, _ = house.enroller.fingerprint([person.record() for person in PEOPLE], house.stores.records)
    seen = []

    def commit() -> int:
        seen.append(house.holds(members, batch.fingerprints))
        return house.stores.records.add(batch)

    changes.commit(house.tags(batch.fingerprints), commit)
    assert seen == [True]


def test_what_others_change_without_the_filter_makes_it_be_built_anew(house: House) -> None:
    """Who changes the records and says nothing, or dies before saying it, is noticed by the next who looks."""
    _, watch = house.open()
    house.enrol(house.stores.records, PEOPLE[:1])
    assert watch.must_reopen()
    members, watch = house.open()
    assert house.holds(members, house.kept[:1])
    changes, records = house.changing()
    house.enrol(records, PEOPLE[1:])
    del changes  # died before it noted anything
    assert watch.must_reopen()
    assert house.holds(house.open()[0], house.kept)
    assert read_state(house.path).version == 2


def test_a_running_enrolment_is_waited_for_but_not_for_ever(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the lease is held and the patience lasts the open filter stays; after that it is built anew."""
    _, watch = house.open()
    house.stores.leases.acquire(ENROLMENT, "me", 60.0)
    house.enrol(house.stores.records, PEOPLE)
    assert not watch.must_reopen()
    monkeypatch.setattr(filtering, "PATIENCE", 0.0)
    assert watch.must_reopen()
    assert house.holds(house.open()[0], house.kept)


def test_a_long_enrolment_notes_from_time_to_time(house: House) -> None:
    """Every two seconds what was committed so far is noted."""
    house.open()
    moments = iter([0.0, 1.0, 2.5, 2.5, 3.0])
    changes = FilterChanges(house.path, house.stores.facts, lambda: next(moments))
    records = FilteredRecords(house.stores.database, house.enroller, changes)
    house.enrol(records, PEOPLE[:1])
    assert read_state(house.path).version == 0
    house.enrol(records, PEOPLE[1:2])
    assert read_state(house.path).version == 2
    house.enrol(records, PEOPLE[2:])
    assert read_state(house.path).version == 2


def test_two_who_change_the_records_at_once_lose_nothing(house: House) -> None:
    """Changes noted out of order count once those between are noted too."""
    members, watch = house.open()
    (one, first), (other, second) = house.changing(), house.changing()
    house.enrol(first, PEOPLE[:1])
    house.enrol(second, PEOPLE[1:2])
    house.enrol(first, PEOPLE[2:])
    other.note()
    assert (read_state(house.path).version, read_state(house.path).beyond) == (0, (2,))
    one.note()
    assert read_state(house.path).version == 3
    assert not watch.must_reopen()
    assert house.holds(members, house.kept)


def test_a_filter_built_anew_during_an_enrolment_gets_its_tags(house: House) -> None:
    """What was set in the old file and not noted is set in the new one before it is promised there."""
    house.open()
    changes, records = house.changing()
    house.enrol(records, PEOPLE[:2])
    rebuild(house.path, house.enroller, house.stores)
    house.enrol(records, PEOPLE[2:3])
    empty = BloomFilter.sized(1000)
    state = read_state(house.path)
    filtering.write(house.path, filtering.FilterState(state.version, state.layout, 0), empty.words)
    house.enrol(records, PEOPLE[3:])
    changes.note()
    assert read_state(house.path).version == house.stores.facts.filter_version()
    assert house.holds(house.open()[0], house.kept[2:])


def test_erased_records_leave_bits_only_until_it_is_built_anew(house: House) -> None:
    """An erasure needs no new filter at once, says that one is due, and the new one holds nothing of the erased."""
    changes, records = house.changing()
    house.open()
    with changes:
        house.enrol(records, PEOPLE)
        erasure = house.enroller.erasure(house.kept[0].handle, house.kept[0].sealed_tokens, records)
        records.apply([erasure])
    members, watch = house.open()
    assert not watch.must_reopen()
    assert watch.stale
    assert house.holds(members, house.kept[:1])
    rebuild(house.path, house.enroller, house.stores)
    assert watch.must_reopen()
    members, watch = house.open()
    assert not watch.stale
    kept = set(house.tags(house.kept[1:]).tolist())
    gone = np.array([tag for tag in house.tags(house.kept[:1]).tolist() if tag not in kept], np.uint64)
    assert len(gone)
    assert len(members.survivors(gone)) == 0
    assert house.holds(members, house.kept[1:])


def test_an_overflowing_filter_takes_no_more(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """More than its room makes it due; much more is refused, so that it is built anew in the right size."""
    monkeypatch.setattr(filtering, "SMALLEST", 1)
    rebuild(house.path, house.enroller, house.stores)
    members, watch = house.open()
    changes, records = house.changing()
    with changes:
        changes.commit(strangers(2 * members.capacity), lambda: 0)
        house.enrol(records, PEOPLE)
    assert watch.must_reopen()
    assert house.holds(house.open()[0], house.kept)
    assert read_state(house.path).tags == pytest.approx(len(set(house.tags(house.kept).tolist())), rel=0.03)


def test_a_fuller_filter_is_due(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """A quarter more than its room makes it due, and it still covers."""
    monkeypatch.setattr(filtering, "SMALLEST", 1)
    house.enrol(house.stores.records, PEOPLE)
    members, watch = house.open()
    assert not watch.full
    changes, _ = house.changing()
    with changes:
        changes.commit(strangers(members.capacity // 2), lambda: 2)
        house.stores.records.apply(())
    assert not watch.must_reopen()
    assert watch.full


def test_a_filter_of_a_database_put_back_is_not_believed(house: House) -> None:
    """A file that knows more changes than the database is from another time: it goes before versions meet again."""
    house.enrol(house.stores.records, PEOPLE[:1])
    _, watch = house.open()
    state = read_state(house.path)
    later = filtering.FilterState(state.version + 1, state.layout, 0)
    filtering.write(house.path, later, BloomFilter.sized(100).words)
    assert watch.must_reopen()
    changes, records = house.changing()
    with changes:
        house.enrol(records, PEOPLE[1:])
    assert not house.path.exists()
    assert house.holds(house.open()[0], house.kept)


def test_scanning_goes_on_while_the_filter_is_swapped(house: House) -> None:
    """Who looks up without a pause misses nothing while the file is built anew again and again."""
    house.enrol(house.stores.records, PEOPLE)
    members, watch = house.open()
    stopping, failures = threading.Event(), []

    def swap() -> None:
        while not stopping.is_set():
            rebuild(house.path, house.enroller, house.stores)

    thread = threading.Thread(target=swap)
    thread.start()
    reopened, until = 0, time.monotonic() + 20
    while reopened < 20 and time.monotonic() < until:
        if watch.must_reopen():
            members, watch = house.open()
            reopened += 1
        failures.append(not house.holds(members, house.kept))
    stopping.set()
    thread.join()
    assert reopened == 20
    assert not any(failures)


ENROLLING = """
import sys
from pathlib import Path
from app.filtering import FilterChanges, FilteredRecords
from app.stores import Stores
from matchers.fingerprints import Enroller
from matchers.keys import LinkageKey
from model.record import LinkageColumn, LinkageSchema, Record
from storage.database import Database
enroller = Enroller(LinkageKey(bytes(range(32))), LinkageSchema("ref", {"mrn": LinkageColumn("mrn")}))
stores = Stores.of(Database.open(sys.argv[1]))
first = int(sys.argv[3])
with FilterChanges(Path(sys.argv[2]), stores.facts) as changes:
    records = FilteredRecords(stores.database, enroller, changes)
    for number in range(first, first + 100_000):
        made, _ = enroller.fingerprint([Record(f"R-{number}", 1, {"mrn": f"{10_000_000 + number}"})], stores.records)
        records.add(made)
        print(number, flush=True)
"""


@pytest.mark.timeout(400)
def test_an_enrolment_killed_anywhere_leaves_a_filter_that_covers(house: House) -> None:
    """After kill -9 at some moment, whoever opens the filter finds every record that was committed."""
    random = np.random.default_rng(11)
    house.open()
    enrolled = 0
    for turn in range(4):
        arguments = [house.url, str(house.path), str(turn * 100_000)]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        with subprocess.Popen(
            [sys.executable, "-c", ENROLLING, *arguments], cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout
            for _ in range(int(random.integers(1, 40))):
                assert process.stdout.readline()
            process.send_signal(signal.SIGKILL)
        members, watch = house.open()
        tags = [house.enroller.filter_tags(sealed) for _, sealed in house.stores.records.tokens()]
        assert len(tags) > enrolled
        enrolled = len(tags)
        assert len(members.survivors(np.concatenate(tags))) == len(np.concatenate(tags))
        assert not watch.must_reopen()


@pytest.mark.timeout(400)
def test_the_examiners_child_builds_it_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After an enrolment and an erasure by command line it is due; the child builds it and the watch notices."""
    installation = install(tmp_path)
    config = read_config(installation.config)
    installation.run("enrol", str(export(PEOPLE, tmp_path / "export.csv")), ok=[0])
    with open_stores(config) as stores:
        _, watch = open_filter(config, stores)
        installation.run("erase", PEOPLE[0].row["record_number"], ok=[0])
        assert not watch.must_reopen()
        assert watch.stale
        renewal = Renewal(config)
        renewal.consider(watch)
        assert renewal._child is None  # not within the hour
        monkeypatch.setattr("app.refilter.EVERY", 0.0)
        renewal.consider(watch)
        assert renewal._child is not None
        assert renewal._child.wait(60) == 0
        renewal.close()
        assert watch.must_reopen()
        assert not open_filter(config, stores)[1].stale
