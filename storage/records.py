"""What is kept of the enrolled records: postings that anybody may look up, records that only a match opens."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import Connection, delete, func, insert, select
from sqlalchemy.exc import IntegrityError

from model.errors import StorageError
from model.fingerprint import Batch, Erasure, Fingerprint, Posting
from storage.database import Database
from storage.facts import filter_version, raise_filter_version
from storage.runs import TAKEN, PostingRuns
from storage.statements import batches, one_of
from storage.tables import records

STALE = "the records changed since the erasure was planned: nothing was erased, try again"


@dataclass(frozen=True, slots=True)
class KnownRecord:
    """A record that is enrolled already, found by its reference tag."""

    handle: bytes
    content_tag: bytes
    epoch: int


@dataclass(frozen=True, slots=True)
class RecordCounts:
    """How much is enrolled."""

    records: int
    postings: int
    by_epoch: Mapping[int, int]
    """Linkage key epoch → records."""


class RecordStore:
    """Fingerprints at rest. Implements `matchers.interface.PostingStore`."""

    def __init__(self, database: Database) -> None:
        """Use the database."""
        self._database = database
        self._runs = PostingRuns()

    def version(self) -> int:
        """Return the number of changes of the records so far: what a batch was planned on, see `replace`."""
        with self._database.reading() as tx:
            return filter_version(tx)

    def postings(self, labels: Sequence[bytes]) -> Mapping[bytes, bytes]:
        """Return label → sealed payload for those labels that exist; any number of labels at once."""
        with self._database.reading() as tx:
            return self._runs.find(tx, labels)

    def details(self, handles: Sequence[bytes]) -> Mapping[bytes, bytes]:
        """Return handle → sealed details for those records that exist."""
        found: dict[bytes, bytes] = {}
        with self._database.reading() as tx:
            for some in batches(sorted(set(handles))):
                rows = tx.execute(
                    select(records.c.handle, records.c.sealed_details).where(one_of(tx, records.c.handle, some))
                )
                found.update((bytes(handle), bytes(sealed)) for handle, sealed in rows)
        return found

    def known(self, ref_tags: Sequence[bytes]) -> Mapping[bytes, KnownRecord]:
        """Return reference tag → record for those that are enrolled already."""
        columns = (records.c.ref_tag, records.c.handle, records.c.content_tag, records.c.epoch)
        found: dict[bytes, KnownRecord] = {}
        with self._database.reading() as tx:
            for some in batches(sorted(set(ref_tags))):
                for tag, handle, content, epoch in tx.execute(
                    select(*columns).where(one_of(tx, records.c.ref_tag, some))
                ):
                    found[bytes(tag)] = KnownRecord(bytes(handle), bytes(content), epoch)
        return found

    def sealed_refs(self, handles: Sequence[bytes]) -> Mapping[bytes, bytes]:
        """Return handle → sealed reference for those records that exist."""
        found: dict[bytes, bytes] = {}
        with self._database.reading() as tx:
            for some in batches(sorted(set(handles))):
                rows = tx.execute(
                    select(records.c.handle, records.c.sealed_ref).where(one_of(tx, records.c.handle, some))
                )
                found.update((bytes(handle), bytes(sealed)) for handle, sealed in rows)
        return found

    def tokens(self, handles: Sequence[bytes] | None = None) -> Iterator[tuple[bytes, bytes]]:
        """Yield (handle, sealed tokens) of these records, or of all, in order of their handles.

        Streams in batches and holds no connection in between; compare `FactStore.filter_version` before and
        after when all must belong to one state.
        """
        wanted = None if handles is None else sorted(set(handles))
        for some in self._handle_batches(wanted):
            with self._database.reading() as tx:
                rows = tx.execute(
                    select(records.c.handle, records.c.sealed_tokens)
                    .where(one_of(tx, records.c.handle, some))
                    .order_by(records.c.handle)
                ).all()
            yield from ((bytes(handle), bytes(sealed)) for handle, sealed in rows)

    def add(self, batch: Batch, based_on: int | None = None) -> int:
        """Store new records and their postings in one transaction; return the new filter version.

        Raises StorageError when a label or a reference is taken: another enrolment was faster; nothing is stored.
        """
        return self.replace((), batch, based_on)

    def apply(self, erasures: Sequence[Erasure], based_on: int | None = None) -> int:
        """Erase records and mend their label chains in one transaction; return the new filter version.

        Later erasures are planned on the state that earlier ones leave. Raises StorageError when the records
        changed since the plan was made; nothing is erased. Call `Database.scrub` afterwards.
        """
        return self.replace(erasures, Batch(), based_on)

    def replace(self, erasures: Sequence[Erasure], batch: Batch, based_on: int | None = None) -> int:
        """Erase and store in one transaction, erasures first; return the new filter version.

        `based_on` is the `version` that both were planned on: when the records changed since, StorageError is raised
        and nothing is done, so that no chain gets a gap. Without it only what collides is noticed.
        """
        with self._database.transaction() as tx:
            version = raise_filter_version(tx)
            if based_on is not None and version != based_on + 1:
                raise StorageError(TAKEN)
            gone, moved = _outcome(erasures)
            if self._runs.change(tx, [*gone, *moved], b"", b"") != len(gone) + len(moved):
                raise StorageError(STALE)
            _forget(tx, erasures)
            try:
                _insert(tx, batch.fingerprints)
            except IntegrityError:
                raise StorageError(TAKEN) from None
            self._runs.change(tx, (), *_together(moved, batch))
            return version

    def count(self) -> RecordCounts:
        """Return how many records and postings there are, and of which epochs."""
        with self._database.reading() as tx:
            by_epoch = {
                int(epoch): int(number)
                for epoch, number in tx.execute(select(records.c.epoch, func.count()).group_by(records.c.epoch))
            }
            entries = self._runs.count(tx)
        return RecordCounts(sum(by_epoch.values()), entries, by_epoch)

    def of_epoch(self, epoch: int, limit: int | None = None) -> list[bytes]:
        """Return the handles of records of one epoch, in order of their handles."""
        with self._database.reading() as tx:
            wanted = select(records.c.handle).where(records.c.epoch == epoch).order_by(records.c.handle)
            return [bytes(handle) for handle in tx.scalars(wanted.limit(limit))]

    def expired(self, today: date) -> list[bytes]:
        """Return the handles of records whose last day of retention is before today."""
        with self._database.reading() as tx:
            found = tx.scalars(
                select(records.c.handle).where(records.c.retain_until < today).order_by(records.c.handle)
            )
            return [bytes(handle) for handle in found]

    def _handle_batches(self, wanted: Sequence[bytes] | None) -> Iterator[Sequence[bytes]]:
        if wanted is not None:
            yield from batches(wanted)
            return
        last = b""
        while True:
            with self._database.reading() as tx:
                some = tx.scalars(
                    select(records.c.handle).where(records.c.handle > last).order_by(records.c.handle).limit(500)
                ).all()
            if not some:
                return
            yield some
            last = some[-1]


def _insert(tx: Connection, fingerprints: Sequence[Fingerprint]) -> None:
    if not fingerprints:
        return
    rows = [
        {
            "handle": one.handle,
            "ref_tag": one.ref_tag,
            "content_tag": one.content_tag,
            "epoch": one.epoch,
            "sealed_ref": one.sealed_ref,
            "sealed_details": one.sealed_details,
            "sealed_tokens": one.sealed_tokens,
            "retain_until": one.retain_until,
        }
        for one in sorted(fingerprints, key=lambda one: one.handle)
    ]
    tx.execute(insert(records), rows)


def _outcome(erasures: Sequence[Erasure]) -> tuple[list[bytes], dict[bytes, bytes]]:
    """Return the labels that go, and those that get another payload: both are taken out first."""
    # None = delete. A later erasure may delete a label that an earlier one wrote over: the last word counts.
    outcome: dict[bytes, bytes | None] = {}
    for erasure in erasures:
        outcome.update((entry.label, entry.sealed) for entry in erasure.put)
        outcome.update(dict.fromkeys(erasure.delete))
    gone = [label for label, sealed in outcome.items() if sealed is None]
    return gone, {label: sealed for label, sealed in outcome.items() if sealed is not None}


def _together(moved: Mapping[bytes, bytes], batch: Batch) -> tuple[bytes, bytes]:
    """Return labels and payloads of what was moved and of what is new, ascending by label."""
    if not moved:
        return batch.labels, batch.sealed
    everything = sorted([*(Posting(*each) for each in moved.items()), *batch.postings()], key=lambda each: each.label)
    return b"".join(each.label for each in everything), b"".join(each.sealed for each in everything)


def _forget(tx: Connection, erasures: Sequence[Erasure]) -> None:
    """Delete the records' rows."""
    handles = sorted({erasure.handle for erasure in erasures})
    changed = sum(
        tx.execute(delete(records).where(one_of(tx, records.c.handle, some))).rowcount for some in batches(handles)
    )
    if changed != len(handles):
        raise StorageError(STALE)
