"""ENROL: row → record → fingerprint → storage. The record dies here."""

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from matchers.fingerprints import Enroller, Prepared
from model.errors import EnrolmentError
from model.fingerprint import Erasure
from model.record import Record
from storage.records import KnownRecord, RecordStore

BATCH = 4_000


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
) -> EnrolmentReport:
    """Enrol rows in batches, each batch one transaction, and say what became of each row.

    A reference seen before with the same values is left as it is; with other values it is enrolled anew.
    """
    report = EnrolmentReport()
    for batch in _batches(rows):
        _enrol_batch(batch, enroller, store, report)
        if progress is not None:
            progress(len(batch))
    return report


def erase(refs: Iterable[str], enroller: Enroller, store: RecordStore) -> tuple[int, list[str]]:
    """Erase records by reference without their plaintext; return how many, and the references not enrolled."""
    erased, unknown = 0, []
    for ref in refs:
        tag = enroller.ref_tag(ref)
        found = store.known([tag]).get(tag)
        if found is None:
            unknown.append(ref)
            continue
        erase_handle(found.handle, enroller, store)
        erased += 1
    return erased, unknown


def erase_handle(handle: bytes, enroller: Enroller, store: RecordStore) -> None:
    """Erase one record: one at a time, because erasures that share a value must see each other's result."""
    for known, sealed_tokens in store.tokens([handle]):
        store.apply([enroller.erasure(known, sealed_tokens, store)])


def _enrol_batch(
    batch: list[Record | EnrolmentError], enroller: Enroller, store: RecordStore, report: EnrolmentReport
) -> None:
    records = _accepted(batch, enroller, report)
    version = store.version()
    known = store.known(list(records))
    fresh: list[Record] = []
    for tag, record in records.items():
        before = known.get(tag)
        if before is not None and before.content_tag == enroller.content_tag(record):
            report.unchanged += 1
        else:
            fresh.append(record)
    if fresh:
        _store(enroller.prepare(fresh), known, version, enroller, store, report)


def _store(
    prepared: Prepared, known: Mapping[bytes, KnownRecord], version: int,
    enroller: Enroller, store: RecordStore, report: EnrolmentReport,
) -> None:  # fmt: skip
    """Store a batch in one transaction: an old record goes only if the new one could be fingerprinted."""
    report.refused.extend(prepared.problems)
    old = [known[one.ref_tag].handle for one in prepared.fingerprints if one.ref_tag in known]
    erasures = enroller.erasures(list(store.tokens(old)), store) if old else []
    batch = enroller.finish(prepared, AfterErasure(store, erasures) if erasures else store)
    if len(batch):
        store.replace(erasures, batch, version)
    report.added += len(batch) - len(old)
    report.changed += len(old)


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


def _batches(rows: Iterable[Record | EnrolmentError]) -> Iterator[list[Record | EnrolmentError]]:
    rows = iter(rows)
    while batch := list(itertools.islice(rows, BATCH)):
        yield batch
