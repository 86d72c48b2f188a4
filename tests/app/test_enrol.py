"""Enrolment of many rows: in one process or several, interrupted, twice at once, and erased again."""

import itertools
import random
import threading
from pathlib import Path

import pytest

import app.enrol
from app.enrol import enrol, erase
from app.fingerprinters import Fingerprinters
from matchers.fingerprints import Enroller
from matchers.keys import LinkageKey, LocalEvaluator
from matchers.postings import label, walk
from model.errors import EnrolmentError, SpillwatchError, StorageError
from model.record import LinkageColumn, LinkageSchema, Record
from storage.database import Database
from storage.records import RecordStore

SCHEMA = LinkageSchema(
    "ref",
    {
        "name": LinkageColumn("person_name"), "phone": LinkageColumn("phone"), "mrn": LinkageColumn("mrn"),
        "birth_date": LinkageColumn("birth_date"),
    },
)  # fmt: skip


def _rows(count, first=0, phones=10**8):
    """Give rows whose telephone numbers are shared as far as `phones` says."""
    draw = random.Random(first)
    return [
        Record(f"R-{number}", number + 1, {
            "name": draw.choice("赵钱孙李周吴郑王") + draw.choice("明华丽强") + draw.choice("芳伟敏静"),
            "phone": f"154{draw.randrange(phones):08}", "mrn": f"MR{number:08}",
            "birth_date": f"{draw.randrange(1930, 2015)}-{draw.randrange(1, 13):02}-{draw.randrange(1, 29):02}",
        })
        for number in range(first, first + count)
    ]  # fmt: skip


class Ward:
    """One database and one key."""

    def __init__(self, folder: Path) -> None:
        self.database = Database.open(f"sqlite:///{folder}/ward.db")
        self.store = RecordStore(self.database)
        self.key = LinkageKey.generate()
        self.enroller = Enroller(self.key, SCHEMA)
        self.evaluator = LocalEvaluator(self.key)

    def refs_of(self, field: str, values: list[str]) -> list[set[str]]:
        """Give the references found under each value."""
        chains = walk(self.store, self.evaluator.evaluate(field, [value.encode() for value in values]))
        handles = [payload.handle for chain in chains for payload in chain]
        sealed = self.store.sealed_refs(handles)
        refs = {handle: self.enroller.reference(each) for handle, each in sealed.items()}
        return [{refs.get(payload.handle, "?") for payload in chain} for chain in chains]

    def check(self, records: list[Record]) -> None:
        """Assert that exactly these are enrolled: each found by its own values, with all who share them."""
        assert self.store.count().records == len(records)
        for field, column in (("phone", "phone"), ("number", "mrn")):
            expected: dict[str, set[str]] = {}
            for record in records:
                expected.setdefault(record.values[column].lower(), set()).add(record.ref)
            assert self.refs_of(field, list(expected)) == list(expected.values())
        ys = {y for _, sealed in self.store.tokens() for y in self.enroller._ys(sealed)}
        assert sum(map(len, walk(self.store, list(ys)))) == self.store.count().postings


@pytest.fixture
def ward(tmp_path):
    """Give an empty ward."""
    made = Ward(tmp_path)
    yield made
    made.database.close()


def test_batches_share_chains(ward, monkeypatch):
    """Values shared within a batch, over batches and with what was enrolled before."""
    monkeypatch.setattr(app.enrol, "BATCH", 40)
    rows = _rows(170, phones=20)
    assert enrol(rows[:10], ward.enroller, ward.store).added == 10
    report = enrol(rows, ward.enroller, ward.store)
    assert (report.added, report.unchanged, report.refused) == (160, 10, [])
    ward.check(rows)


def test_changed_rows_are_replaced_in_one_transaction(ward):
    """Many changed rows that share values: the new ones are found, the old values find nobody."""
    rows = _rows(300, phones=15)
    enrol(rows, ward.enroller, ward.store)
    changed = [
        Record(row.ref, row.row, {**row.values, "phone": f"1540001{row.row % 9:04}"}) if row.row % 3 == 0 else row
        for row in rows
    ]
    bad = Record(changed[5].ref, 6, {**changed[5].values, "phone": "no number"})
    version = ward.store.version()
    report = enrol([*changed[:5], bad, *changed[6:]], ward.enroller, ward.store)
    assert (report.added, report.changed, report.unchanged) == (0, 99, 200)
    assert [(each.row, each.column) for each in report.refused] == [(6, "phone")]
    assert ward.store.version() == version + 1
    ward.check([*changed[:5], rows[5], *changed[6:]])


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_erasing_a_thousand_of_ten_thousand(ward, tmp_path):
    """Nobody who stays is lost, the erased are not found, and of their labels no byte is left in any file."""
    rows = _rows(10_000, phones=3000)
    enrol(rows, ward.enroller, ward.store)
    gone, stay = rows[::10], [row for row in rows if int(row.ref[2:]) % 10]
    numbers = ward.evaluator.evaluate("number", [row.values["mrn"].lower().encode() for row in gone])
    own = [label(y, 0) for y in numbers]
    assert len(ward.store.postings(own)) == len(gone)
    assert erase([row.ref for row in gone] + ["nobody"], ward.enroller, ward.store) == (1000, ["nobody"])
    ward.database.scrub()
    ward.check(stay)
    stored = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert not any(name in stored for name in own)


def test_two_enrolments_at_the_same_time(ward, tmp_path, monkeypatch):
    """Both finish, each planning again where the other was faster; every chain is whole."""
    monkeypatch.setattr(app.enrol, "BATCH", 20)
    monkeypatch.setattr(app.enrol, "ATTEMPTS", 50)
    monkeypatch.setattr(app.enrol, "ALONE", 1000)
    other = Ward(tmp_path)
    other.enroller = Enroller(ward.key, SCHEMA)
    files = _rows(200, phones=10), _rows(200, 5000, phones=10)
    reports = []
    threads = [
        threading.Thread(target=lambda rows=rows, each=each: reports.append(enrol(rows, each.enroller, each.store)))
        for rows, each in zip(files, (ward, other), strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [report.added for report in reports] == [200, 200]
    ward.check([*files[0], *files[1]])
    other.database.close()


def test_a_batch_that_never_gets_its_turn_is_an_error(ward, monkeypatch):
    """Where somebody is faster each time, nothing is stored and the message says what to do."""
    finish = Enroller.finish

    def overtaken(self, prepared, store):
        batch = finish(self, prepared, store)
        ward.store.add(finish(ward.enroller, ward.enroller.prepare(_rows(1, ward.store.version() + 100)), ward.store))
        return batch

    monkeypatch.setattr(Enroller, "finish", overtaken)
    with pytest.raises(StorageError, match="enrol the file again"):
        enrol(_rows(5), ward.enroller, ward.store)
    assert ward.store.count().records == app.enrol.ATTEMPTS


def _many(ward, monkeypatch, rows, progress=None):
    """Enrol with two worker processes after the first batch."""
    monkeypatch.setattr(app.enrol, "BATCH", 50)
    monkeypatch.setattr(app.enrol, "ALONE", 1)
    return enrol(rows, ward.enroller, ward.store, progress, workers=2)


def test_worker_processes_give_the_same(ward, monkeypatch):
    """Errors by row and column, references that stand twice, progress and chains as with one process."""
    rows = _rows(400, phones=30)
    bad = Record("R-bad", 401, {"phone": "no number"})
    unreadable = EnrolmentError(402, "ref", "the reference is empty")
    twice = Record(rows[390].ref, 403, {**rows[390].values, "phone": "15400990099"})
    done = []
    report = _many(ward, monkeypatch, [*rows, bad, unreadable, twice], done.append)
    assert sum(done) == 403
    assert (report.added, report.changed) == (400, 1)
    assert sorted((each.row, each.column) for each in report.refused) == [(401, "phone"), (402, "ref")]
    ward.check([twice if row.ref == twice.ref else row for row in rows])
    again = _many(ward, monkeypatch, [*rows[:390], *rows[391:], twice])
    assert (again.unchanged, again.added, again.changed) == (400, 0, 0)


def test_worker_processes_count_the_same(tmp_path, monkeypatch):
    """Postings, slips and the census of notes are those of one process that does everything."""
    schema = LinkageSchema("ref", {**SCHEMA.columns, "id": LinkageColumn("resident_id"), "note": LinkageColumn("note")})
    draw = random.Random(2)
    habits = ["".join(draw.choices("痛热咳喘肿血压三五天前出现", k=12)) for _ in range(9)]
    rows = [
        Record(row.ref, row.row, {
            **row.values, "id": f"99990119800101{number:03}8",
            "note": "".join(draw.choices(habits, k=5)) + "".join(draw.choices("赵钱孙李周吴郑王热咳", k=30)),
        })
        for number, row in enumerate(_rows(400, phones=30))
    ]  # fmt: skip
    made = []
    monkeypatch.setattr(app.enrol, "BATCH", 50)
    for number, alone in enumerate((100, 1)):
        monkeypatch.setattr(app.enrol, "ALONE", alone)
        folder = tmp_path / str(number)
        folder.mkdir()
        database = Database.open(f"sqlite:///{folder}/ward.db")
        enroller, store = Enroller(LinkageKey(bytes(range(32))), schema), RecordStore(database)
        enrol(rows, enroller, store, workers=2)
        made.append((store.count(), enroller.slips, enroller.census.notes, enroller.census.commonness().to_bytes()))
        database.close()
    assert made[0] == made[1]
    assert made[0][1]["id"] > 300
    assert made[0][2] == 400


class _Pulled(BaseException):
    """The plug."""


@pytest.mark.parametrize("error", [KeyboardInterrupt, _Pulled])
def test_an_interrupted_enrolment_is_continued(ward, monkeypatch, error):
    """What was stored before is whole; the same file again adds the rest."""
    rows = _rows(400, phones=30)

    def stopping():
        yield from itertools.islice(rows, 270)
        raise error

    with pytest.raises(error):
        _many(ward, monkeypatch, stopping())
    stored = ward.store.count().records
    assert 50 <= stored <= 250
    ward.check(rows[:stored])
    report = _many(ward, monkeypatch, rows)
    assert (report.unchanged, report.added) == (stored, 400 - stored)
    ward.check(rows)


def test_a_worker_that_dies_is_an_error(ward, monkeypatch):
    """Killed from outside: the writer says so, and what was stored is whole."""
    rows = _rows(400)
    ask = Fingerprinters.ask

    def killed(self, *question):
        ask(self, *question)
        for process, _ in self._workers:
            process.kill()

    monkeypatch.setattr(Fingerprinters, "ask", killed)
    with pytest.raises(SpillwatchError, match="enrol the file again"):
        _many(ward, monkeypatch, rows)
    ward.check(rows[:50])
