"""The linkage key is rotated while leaks go on: at every moment each of them is found, and nothing is left behind."""

import random
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app import enrol as enrolment
from app import rotate
from app.config import Config, read_config
from app.enrol import enrol, erase
from app.init import init
from app.stores import Stores
from app.wiring import open_engine, open_enroller, open_filter, open_records, open_stores, read_keys, spool_pair
from matchers.epochs import EpochEngine
from model.errors import KeyUnusable, StorageError
from model.page import Page, Part, Passage
from model.record import Record
from storage.sealing import unseal
from tests.app.installation import ROOT, Installation, export, install
from tests.people import CANARY, PEOPLE, SCHEMA

LEAKY = [person for person in PEOPLE if [other.phone for other in PEOPLE].count(person.phone) == 1]
TEXTS = {person.ref: f"{person.name} {person.phone} {person.mrn} {person.resident_id}" for person in LEAKY}


@pytest.fixture
def config(private_path: Path) -> Config:
    """Give the configuration of a new installation."""
    made = init(private_path / "spillwatch")
    return replace(read_config(made.config), enrolment=SCHEMA)


@pytest.fixture
def stores(config: Config) -> Iterator[Stores]:
    """Give its stores, with everybody enrolled."""
    with open_stores(config) as opened:
        enrol_all(config, opened)
        yield opened


def enrol_all(config: Config, stores: Stores, people: list[Record] | None = None) -> enrolment.EnrolmentReport:
    """Enrol an export."""
    rows = people or [person.record(row) for row, person in enumerate(PEOPLE, 1)]
    enroller = open_enroller(config, read_keys(config, stores))
    with open_records(config, enroller, stores) as records:
        return enrol(rows, enroller, records)


def watching(config: Config, stores: Stores) -> EpochEngine:
    """Return the engine of an examiner that stays while records are enrolled."""
    return open_engine(config, stores, open_filter(config, stores)[0])


def with_new_key(config: Config) -> Config:
    """Return the configuration as an operator changes it after a theft."""
    rotate.make_key(config.path.parent / "second.key")
    return replace(config, linkage_key="file:second.key", previous_linkage_key=config.linkage_key)


ROTATIONS = pytest.mark.parametrize("new_key", [False, True], ids=["same key", "new key"])


def found(engine: EpochEngine, config: Config, stores: Stores) -> set[str]:
    """Return the references of those who are found in their leaks, one page each."""
    answers = engine.examine_many([[Passage(text, "body")] for text in TEXTS.values()])
    enroller = open_enroller(config, read_keys(config, stores))
    seen = set()
    for ref, answer in zip(TEXTS, answers, strict=True):
        sealed = stores.records.sealed_refs([match.handle for match in answer.matches])
        if ref in {enroller.reference(each) for each in sealed.values()}:
            seen.add(ref)
    return seen


def test_the_leaks_of_these_tests_are_found_at_rest(config: Config, stores: Stores):
    """Before any rotation everybody is found, and somebody who was erased is not."""
    engine = watching(config, stores)
    assert found(engine, config, stores) == set(TEXTS)
    erase([CANARY.ref], open_enroller(config, read_keys(config, stores)), stores.records)
    assert found(engine, config, stores) == set(TEXTS) - {CANARY.ref}


@ROTATIONS
def test_no_leak_is_missed_at_any_step(config: Config, stores: Stores, new_key: bool):
    """After every single record that moved, all leaks are found; afterwards the old epoch is empty and forgotten."""
    engine = watching(config, stores)
    if new_key:
        config = with_new_key(config)
        engine = watching(config, stores)
        assert found(engine, config, stores) == set(TEXTS), "the new key is in config.yaml, rotate has not run yet"
    handles = dict(_handles(config, stores))
    before = _tags(config, stores)
    assert rotate.begin(config, stores) == rotate.Begun(2, new_key)
    for row, person in enumerate(PEOPLE, 1):
        assert found(engine, config, stores) == set(TEXTS)
        with pytest.raises(StorageError, match=f"{len(PEOPLE) - row + 1} records of an older epoch remain"):
            rotate.finish(config, stores)
        report = enrol_all(config, stores, [person.record()])
        assert (report.added, report.changed, report.unchanged) == (0, 1, 0)
    assert stores.records.count().by_epoch == {2: len(PEOPLE)}
    assert found(engine, config, stores) == set(TEXTS)
    assert rotate.finish(config, stores) == 2
    assert found(engine, config, stores) == set(TEXTS)
    assert dict(_handles(config, stores)) == handles, "alerts name records by handle"
    assert not before & _tags(config, stores), "an entry of the old epoch is left"
    assert enrol_all(config, stores).unchanged == len(PEOPLE)


@ROTATIONS
def test_leaks_stream_in_while_records_move(config: Config, stores: Stores, new_key: bool):
    """An enrolment in another thread moves one record after the other while leaks are examined without a pause."""
    config = with_new_key(config) if new_key else config
    engine = watching(config, stores)
    rotate.begin(config, stores)

    def move() -> None:
        for row, person in enumerate(PEOPLE, 1):
            enrol_all(config, stores, [person.record(row)])
            time.sleep(random.uniform(0, 0.4))

    mixed = 0
    with ThreadPoolExecutor(1) as pool:
        moving = pool.submit(move)
        while not moving.done():
            mixed += len(stores.records.count().by_epoch) == 2
            assert found(engine, config, stores) == set(TEXTS)
        moving.result()
    assert mixed > 1, "the leaks were not examined while records moved"


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_an_enrolment_that_is_killed_loses_nobody(private_path: Path):
    """The enrolling command is killed at random moments, time and again: every leak is found after each of them."""
    installed = install(private_path)
    exported = export(PEOPLE, private_path / "export.csv")
    installed.run("enrol", str(exported), ok=[0])
    installed.run("rotate", "--make-key", str(installed.folder / "second.key"), ok=[0])
    installed.change_top(linkage_key="file:second.key", previous_linkage_key="file:spillwatch.key")
    assert "derived from a new key" in installed.run("rotate", ok=[0], anew=True).out
    config = read_config(installed.config)
    states = set()
    with open_stores(config) as stores:
        engine = watching(config, stores)
        for _ in range(8):
            killed_after(random.uniform(0.0, 0.6), installed, exported)
            states.add(stores.records.count().by_epoch.get(2, 0))
            assert found(engine, config, stores) == set(TEXTS)
        assert len(states) > 2, "no kill fell between two records"
        installed.run("enrol", str(exported), ok=[0])
        assert found(engine, config, stores) == set(TEXTS)
    assert "records, " in installed.run("records", ok=[0]).out
    assert "of epoch 2" in installed.run("rotate", "--finish", ok=[0]).out
    installed.change_top(previous_linkage_key=None)
    assert f"unchanged {len(PEOPLE)}" in installed.run("enrol", str(exported), ok=[0]).out


def killed_after(seconds: float, installed: Installation, exported: Path) -> None:
    """Enrol one record at a time in a process that is killed so long after its first, unless it ended before."""
    arguments = [sys.executable, "-c", ONE_BY_ONE, "enrol", str(exported)]
    with subprocess.Popen(arguments, cwd=ROOT, env=installed.environment, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()


ONE_BY_ONE = """
import time
from app import cli, enrol
from storage.records import RecordStore

enrol.BATCH = 1
replace = RecordStore.replace

def told(self, *what):
    print("about to store one", flush=True)
    time.sleep(0.05)
    replace(self, *what)
    time.sleep(0.05)

RecordStore.replace = told
cli.main()
"""


def test_what_changes_during_an_examination_is_examined_again(config: Config, stores: Stores):
    """A record that moves between the opening of the filter and the look-up is found all the same."""
    rotate.begin(config, stores)
    engine = watching(config, stores)
    first = engine._engines[1]
    moved = []

    class Slow:
        def examine_many(self, pages, threads, memory):
            if not moved:
                moved.append(enrol_all(config, stores))
            return first.examine_many(pages, threads, memory)

    engine._engines = {**engine._engines, 1: Slow()}
    assert found(engine, config, stores) == set(TEXTS)
    assert moved[0].changed == len(PEOPLE)


@ROTATIONS
def test_records_of_the_old_epoch_can_be_named_and_erased(config: Config, stores: Stores, new_key: bool):
    """Half way: every reference opens, those who have not moved are listed, and erasure works on both halves."""
    config = with_new_key(config) if new_key else config
    rotate.begin(config, stores)
    half = [person.record(row) for row, person in enumerate(PEOPLE, 1)][::2]
    enrol_all(config, stores, half)
    assert {ref for ref, _ in _handles(config, stores)} == {person.ref for person in PEOPLE}
    assert set(rotate.remaining(config, stores)) == {person.ref for person in PEOPLE[1::2]}
    enroller = open_enroller(config, read_keys(config, stores))
    gone = [PEOPLE[0].ref, PEOPLE[1].ref]
    assert erase(gone, enroller, stores.records) == (2, [])
    assert {ref for ref, _ in _handles(config, stores)} == {person.ref for person in PEOPLE[2:]}
    assert found(watching(config, stores), config, stores) == set(TEXTS) - set(gone)
    assert erase([*rotate.remaining(config, stores)], enroller, stores.records)[1] == []
    assert rotate.finish(config, stores) == 2
    enroller = open_enroller(config, read_keys(config, stores))
    assert erase([ref for ref, _ in _handles(config, stores)], enroller, stores.records)[1] == []
    assert stores.records.count().postings == 0, "an entry is left of somebody who was erased"


def test_a_bad_row_keeps_its_old_record(config: Config, stores: Stores):
    """A row that cannot be fingerprinted any more stays watched for as it was, and is told."""
    rotate.begin(config, stores)
    rows = [person.record(row) for row, person in enumerate(PEOPLE, 1)]
    rows[0] = replace(rows[0], values={**rows[0].values, "birth_date": "1987-13-45"})
    report = enrol_all(config, stores, rows)
    assert (report.changed, [error.row for error in report.refused]) == (len(rows) - 1, [1])
    assert stores.records.count().by_epoch == {1: 1, 2: len(rows) - 1}
    assert found(watching(config, stores), config, stores) == set(TEXTS)


@ROTATIONS
def test_pages_that_wait_are_opened_after_the_rotation(config: Config, stores: Stores, new_key: bool):
    """What was sealed before, during and after opens; once the rotation is finished, the old key opens nothing."""
    old = spool_pair(read_keys(config, stores).current.key)
    config = with_new_key(config) if new_key else config
    keep(stores, "before")
    rotate.begin(config, stores)
    keep(stores, "during")
    keys = tuple(spool_pair(key).private for key in read_keys(config, stores).roots)
    assert opened(stores, *keys) == {"before", "during"}
    enrol_all(config, stores)
    rotate.finish(config, stores)
    keep(stores, "after")
    (new,) = (spool_pair(key).private for key in read_keys(config, stores).roots)
    assert opened(stores, new) == {"before", "during", "after"}
    assert opened(stores, old.private) == (set() if new_key else {"before", "during", "after"})


def test_the_old_key_is_not_needed_afterwards(config: Config, stores: Stores):
    """After the finish the old reference may go; without the new one nothing opens."""
    old, config = config, with_new_key(config)
    rotate.begin(config, stores)
    with pytest.raises(KeyUnusable, match="epoch 2"):
        read_keys(old, stores)
    with pytest.raises(KeyUnusable, match="epoch 1"):
        read_keys(replace(config, previous_linkage_key=None), stores)
    enrol_all(config, stores)
    rotate.finish(config, stores)
    alone = replace(config, previous_linkage_key=None)
    assert found(watching(alone, stores), alone, stores) == set(TEXTS)
    with pytest.raises(KeyUnusable):
        read_keys(old, stores)


def test_rotation_is_refused_out_of_turn(config: Config, stores: Stores):
    """No finish without a beginning, no second beginning before the finish, no key file written over."""
    with pytest.raises(StorageError, match="no rotation is going on"):
        rotate.finish(config, stores)
    rotate.begin(config, stores)
    with pytest.raises(StorageError, match="epoch 2 is not finished"):
        rotate.begin(config, stores)
    with pytest.raises(StorageError, match="remain"):
        stores.facts.finish_epoch()
    enrol_all(config, stores)
    rotate.finish(config, stores)
    assert rotate.begin(config, stores).epoch == 3
    assert found(watching(config, stores), config, stores) == set(TEXTS)


def keep(stores: Stores, text: str) -> None:
    """Put a page into the spool."""
    part = Part("body", "text/plain", text.encode())
    name = f"{random.getrandbits(128):032x}"
    stores.pages.keep(Page(name, "bazaar", text, f"http://paste.example/{text}", datetime.now(UTC), (part,), (), ""))


def opened(stores: Stores, *keys: bytes) -> set[str]:
    """Return the texts of the waiting pages that the keys open; all are given back."""
    texts = set()
    leased = stores.pages.lease("test", 60.0, 100)
    for page in leased:
        try:
            texts.add(unseal(page.sealed, *keys).parts[0].data.decode())
        except StorageError:
            continue
        finally:
            stores.pages.release(page)
    return texts


def _handles(config: Config, stores: Stores) -> Iterator[tuple[str, bytes]]:
    """Yield reference and handle of everything enrolled."""
    enroller = open_enroller(config, read_keys(config, stores))
    handles = [handle for handle, _ in stores.records.tokens()]
    for handle, sealed in stores.records.sealed_refs(handles).items():
        yield enroller.reference(sealed), handle


def _tags(config: Config, stores: Stores) -> set[int]:
    """Return the filter tag of every posting."""
    enroller = open_enroller(config, read_keys(config, stores))
    return {tag for _, tokens in stores.records.tokens() for tag in enroller.filter_tags(tokens).tolist()}
