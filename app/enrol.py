"""ENROL: row → record → fingerprint → storage. The record dies here."""

import gc
import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from app.fingerprinters import Fingerprinted, Fingerprinters, fingerprinted, processors
from matchers.fingerprints import Enroller
from model.errors import EnrolmentError, StorageError
from model.fingerprint import Erasure
from model.record import Record
from storage.records import KnownRecord, RecordStore

BATCH = 4_000
"""Rows of one transaction: what is lost when the process is killed, and what is held in memory at once."""
ALONE = 5
"""Batches that are done without worker processes, which take seconds to start."""
ERASED_AT_ONCE = 1_000
ATTEMPTS = 3
"""How often a batch is planned when another process changes the records meanwhile."""


@dataclass(slots=True)
class EnrolmentReport:
    """What became of the rows: every row is in exactly one of the four."""

    added: int = 0
    changed: int = 0
    unchanged: int = 0
    refused: list[EnrolmentError] = field(default_factory=list)


def enrol(
    rows: Iterable[Record | EnrolmentError],
    enroller: Enroller,
    store: RecordStore,
    progress: Callable[[int], None] | None = None,
    workers: int | None = None,
) -> EnrolmentReport:
    """Enrol rows in batches, each batch one transaction, and say what became of each row.

    A reference seen before with the same values is left as it is; with other values it is enrolled anew. So a file
    whose enrolment was interrupted is simply enrolled again. Many rows are fingerprinted by so many `workers` (as
    many as there are processors), and written by this process.
    """
    report = EnrolmentReport()
    advance = progress or _silent
    batches = _batches(rows)
    with _uncollected():
        for batch in itertools.islice(batches, ALONE):
            _Step.of(batch, enroller, store, report).alone(enroller, store, report)
            advance(len(batch))
        first = next(batches, None)
        if first is not None:
            _enrol_many(itertools.chain([first], batches), workers or processors(), enroller, store, report, advance)
    return report


def _enrol_many(
    batches: Iterator[list[Record | EnrolmentError]], workers: int,
    enroller: Enroller, store: RecordStore, report: EnrolmentReport, advance: Callable[[int], None],
) -> None:  # fmt: skip
    """Enrol the rest of a long file: others fingerprint, this process writes, in the order of the file."""
    steps: deque[_Step] = deque()
    with Fingerprinters(enroller, workers) as others:

        def finish() -> None:
            step = steps.popleft()
            _store(others.answer(), step.known, enroller, store, report)
            advance(step.rows)

        for batch in batches:
            tags = {enroller.ref_tag(row.ref) for row in batch if isinstance(row, Record)}
            while others.full or (steps and any(not tags.isdisjoint(step.records) for step in steps)):
                finish()
            step = _Step.of(batch, enroller, store, report)
            others.ask(list(step.records.values()), step.enrolled())
            steps.append(step)
        while steps:
            finish()
        for census in others.censuses():
            enroller.census.merge(census)


def erase(refs: Iterable[str], enroller: Enroller, store: RecordStore) -> tuple[int, list[str]]:
    """Erase records by reference without their plaintext; return how many, and the references not enrolled."""
    tags = {ref: enroller.ref_tags(ref) for ref in refs}
    known = store.known([tag for some in tags.values() for tag in some])
    handles = [known[tag].handle for some in tags.values() for tag in some if tag in known]
    for first in range(0, len(handles), ERASED_AT_ONCE):
        _erase(handles[first : first + ERASED_AT_ONCE], enroller, store)
    unknown = [ref for ref, some in tags.items() if not any(tag in known for tag in some)]
    return len(tags) - len(unknown), unknown


def erase_handle(handle: bytes, enroller: Enroller, store: RecordStore) -> None:
    """Erase one record."""
    _erase([handle], enroller, store)


def _erase(handles: Sequence[bytes], enroller: Enroller, store: RecordStore) -> None:
    """Erase records in one transaction; they are planned together, because they may share values."""
    version = store.version()
    erasures = enroller.erasures(list(store.tokens(handles)), store)
    if erasures:
        store.apply(erasures, version)


@dataclass(frozen=True, slots=True)
class _Step:
    """One batch of rows, and what is enrolled of them already."""

    rows: int
    records: Mapping[bytes, Record]
    """By reference tag."""
    known: Mapping[bytes, KnownRecord]

    @classmethod
    def of(
        cls, batch: list[Record | EnrolmentError], enroller: Enroller, store: RecordStore, report: EnrolmentReport
    ) -> "_Step":
        """Look the rows up."""
        records = _accepted(batch, enroller, report)
        return cls(len(batch), records, _known(records, enroller, store))

    def enrolled(self) -> list[KnownRecord | None]:
        """Return for each record the enrolled one, None if there is none."""
        return [self.known.get(tag) for tag in self.records]

    def alone(self, enroller: Enroller, store: RecordStore, report: EnrolmentReport) -> None:
        """Do everything in this process."""
        made = fingerprinted(enroller, list(self.records.values()), self.enrolled())
        _store(made, self.known, enroller, store, report)


def _store(
    made: Fingerprinted, known: Mapping[bytes, KnownRecord],
    enroller: Enroller, store: RecordStore, report: EnrolmentReport,
) -> None:  # fmt: skip
    """Store a batch in one transaction: an old record goes only if the new one could be fingerprinted."""
    report.unchanged += made.unchanged
    enroller.slips.update(made.prepared.slips)
    report.refused.extend(made.prepared.problems)
    new = made.prepared.fingerprints
    old = [known[one.ref_tag].handle for one in new if one.ref_tag in known]
    for attempt in range(ATTEMPTS if new else 0):
        version = store.version()
        erasures = enroller.erasures(list(store.tokens(old)), store) if old else []
        batch = enroller.finish(made.prepared, AfterErasure(store, erasures) if erasures else store)
        try:
            store.replace(erasures, batch, version)
        except StorageError:
            if attempt + 1 == ATTEMPTS or store.version() == version:
                raise
        else:
            break
    report.added += len(new) - len(old)
    report.changed += len(old)


def _known(records: Mapping[bytes, Record], enroller: Enroller, store: RecordStore) -> dict[bytes, KnownRecord]:
    """Return what is enrolled already, by the present reference tag, whichever epoch it is of."""
    tags = {tag: now for now, record in records.items() for tag in reversed(enroller.ref_tags(record.ref))}
    found = store.known(list(tags))
    return {now: found[tag] for tag, now in tags.items() if tag in found}


def _accepted(batch: list[Record | EnrolmentError], enroller: Enroller, report: EnrolmentReport) -> dict[bytes, Record]:
    """Return the readable rows by reference tag; the others go into the report."""
    records: dict[bytes, Record] = {}
    for row in batch:
        if isinstance(row, EnrolmentError):
            report.refused.append(row)
        elif (tag := enroller.ref_tag(row.ref)) in records:
            twice = "the reference stands twice in the file; the first row was taken"
            report.refused.append(EnrolmentError(row.row, "ref", twice))
        else:
            records[tag] = row
    return records


class AfterErasure:
    """The posting store as it will be once the erasures are applied."""

    def __init__(self, store: RecordStore, erasures: Sequence[Erasure]) -> None:
        """Overlay the store."""
        self._store = store
        self._deleted = {label for erasure in erasures for label in erasure.delete}
        self._put = {posting.label: posting.sealed for erasure in erasures for posting in erasure.put}

    def postings(self, labels: Sequence[bytes]) -> Mapping[bytes, bytes]:
        """Return what will stand under the labels."""
        found = {**self._store.postings(labels)}
        found.update((label, self._put[label]) for label in labels if label in self._put)
        return {label: sealed for label, sealed in found.items() if label not in self._deleted}

    def details(self, handles: Sequence[bytes]) -> Mapping[bytes, bytes]:
        """Return the sealed details."""
        return self._store.details(handles)


def _silent(rows: int) -> None:
    """Tell nobody."""


@contextmanager
def _uncollected() -> Iterator[None]:
    """Do without the search for cycles, of which there are none here: it costs a third of the time."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def _batches(rows: Iterable[Record | EnrolmentError]) -> Iterator[list[Record | EnrolmentError]]:
    rows = iter(rows)
    while batch := list(itertools.islice(rows, BATCH)):
        yield batch
