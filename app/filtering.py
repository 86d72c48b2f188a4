"""THE FILTER: opened for the present records, kept abreast of every change, built anew when it must be.

The database is the truth; its filter version counts every change of the records. A filter *covers* a version when it
holds every tag of the records at that version; it may hold more (bits of erased records), which costs a look-up now and
then, never a match. An enrolment sets the new bits in the shared map before it commits, so that a record is searchable
the moment it exists, then notes its versions in the file's state, every two seconds and at its end. If it dies in
between, or if anything else changed the records, the state lags behind the database and the filter is built anew.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import structlog
from numpy.typing import NDArray

from app.owner import ENROLMENT
from app.stores import Stores
from matchers.filter import LAYOUT, BloomFilter
from matchers.fingerprints import Enroller
from model.errors import StorageError
from model.fingerprint import Batch, Erasure
from storage.database import Database
from storage.facts import FactStore
from storage.filter_file import FilterFile, FilterState, locked, note, open_filter, read_state, write
from storage.records import RecordStore

NOTE_SECONDS = 2.0
"""How often a long enrolment notes its changes in the file."""
PATIENCE = 10.0
"""Seconds that a running enrolment may take to note a change before the filter is built anew without it."""
SMALLEST = 1 << 16
"""Tags that every filter has room for."""
FULL, OVERFLOWING = 1.25, 2.0
"""Tags per tag of room from which the filter is built anew soon, and above which it takes no more."""
_PAUSE = 0.05
_BATCH = 1 << 18
_SAMPLE = 1_000
_NO_TAGS = np.zeros(0, np.uint64)
log = structlog.get_logger(__name__)


def current_filter(path: Path, enroller: Enroller, stores: Stores) -> tuple[BloomFilter, "FilterWatch"]:
    """Return the filter that covers the records as they are now, mapped from its file, and the watch over it.

    Waits for a running enrolment to note what it changed; builds the file anew when it is missing, damaged or behind.
    """
    opened = _covering(path, stores.facts.filter_version(), stores)
    if opened is None:
        rebuild(path, enroller, stores)
        opened = open_filter(path)
    members = BloomFilter(opened.words, opened.state.layout)
    return members, FilterWatch(path, opened.state, members.capacity, stores)


def rebuild(path: Path, enroller: Enroller, stores: Stores) -> None:
    """Build the filter from the database alone and put it in the place of the old one, which serves meanwhile.

    Records that change while the first pass reads are caught up with under the lock, when nobody adds.
    """
    begun = time.monotonic()
    before = stores.facts.filter_version()
    built, seen = BloomFilter.sized(_room(enroller, stores)), set[bytes]()
    tags = _add_records(built, seen, enroller, stores)
    with locked(path):
        version = stores.facts.filter_version()
        if version != before:
            tags += _add_records(built, seen, enroller, stores)
        write(path, FilterState(version, LAYOUT, tags), built.words)
    seconds = round(time.monotonic() - begun, 3)
    log.info("filter rebuilt", records=len(seen), tags=tags, version=version, seconds=seconds)


def _room(enroller: Enroller, stores: Stores) -> int:
    """Return for how many tags a new filter should have room: handles are random, so the first records are a sample."""
    some = [len(enroller.filter_tags(sealed)) for _, sealed in islice(stores.records.tokens(), _SAMPLE)]
    expected = stores.records.count().records * sum(some) / max(1, len(some))
    return max(SMALLEST, int(1.02 * expected))


def _add_records(built: BloomFilter, seen: set[bytes], enroller: Enroller, stores: Stores) -> int:
    """Add the tags of every record not seen yet; return how many were new."""
    new, some, size = 0, [_NO_TAGS], 0
    for handle, sealed in stores.records.tokens():
        if handle in seen:
            continue
        seen.add(handle)
        some.append(enroller.filter_tags(sealed))
        size += len(some[-1])
        if size >= _BATCH:
            new += built.add(np.concatenate(some))
            some, size = [_NO_TAGS], 0
    return new + built.add(np.concatenate(some))


def _covering(path: Path, wanted: int, stores: Stores) -> FilterFile | None:
    """Return the file if it covers the wanted version, or comes to cover it within the patience."""
    until = time.monotonic() + PATIENCE
    while path.exists():
        # In this order: an enrolment that ended before it is asked for has noted its versions before the file is read.
        expected = stores.leases.holder(ENROLMENT) is not None and time.monotonic() < until
        try:
            opened = open_filter(path)
        except StorageError as error:
            log.warning("filter file unusable, rebuilding", reason=str(error))
            return None
        if opened.state.layout != LAYOUT or opened.state.version > stores.facts.filter_version():
            return None  # made by another Spillwatch, or of a database that was put back to an older state
        if opened.state.version >= wanted:
            return opened
        if not expected:
            return None
        time.sleep(_PAUSE)
    return None


class FilterWatch:
    """Tells whoever has opened the filter when to open it again; until then it is right for every record."""

    def __init__(self, path: Path, state: FilterState, capacity: int, stores: Stores) -> None:
        """Watch the file whose state was read when the filter was opened."""
        self._path = path
        self._state = state
        self._capacity = capacity
        self._stores = stores
        self._behind_since: float | None = None

    def must_reopen(self) -> bool:
        """Tell whether another file has taken the place, or the file is behind and no enrolment will mend that."""
        wanted = self._stores.facts.filter_version()
        before = self._state.version
        if not self._read():
            return True
        if self._state.version >= wanted:
            self._behind_since = None
            return self._state.version > wanted and self._state.version > self._stores.facts.filter_version()
        if self._stores.leases.holder(ENROLMENT) is None:  # it has ended, so what it changed is noted by now, or never
            return not self._read() or self._state.version < wanted
        if self._behind_since is None or self._state.version != before:
            self._behind_since = time.monotonic()
        return time.monotonic() - self._behind_since > PATIENCE

    def _read(self) -> bool:
        """Read the state; tell whether the file is still the one that was opened."""
        try:
            state = read_state(self._path)
        except StorageError:
            return False
        same = state.generation == self._state.generation
        self._state = state
        return same

    @property
    def stale(self) -> bool:
        """Tell whether the file holds bits of records that are gone, so that it should be built anew some time."""
        return self._state.removed > 0

    @property
    def full(self) -> bool:
        """Tell whether the file holds more than it was sized for, so that it should be built anew soon."""
        return self._state.tags > FULL * self._capacity


class FilterChanges:
    """Keeps the filter abreast of the records while a process changes them; hold the lease `ENROLMENT` meanwhile.

    As a context manager it notes at the end what was changed. A filter that is missing or overflows is left to be
    built anew by whoever needs it. Holds the tags that are not noted yet: those of two seconds.
    """

    def __init__(self, path: Path, facts: FactStore, clock: Callable[[], float] = time.monotonic) -> None:
        """Take the filter's path; nothing is opened yet."""
        self._path = path
        self._facts = facts
        self._clock = clock
        self._noted_at = clock()
        self._forget()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Note what was changed, also after an error: what was committed is committed."""
        self.note()

    def commit(self, tags: NDArray[np.uint64], change: Callable[[], int], removed: int = 0) -> int:
        """Set the bits of new records' tags, carry out the change, and return the filter version that it returns.

        `removed` is how many records the change takes away. When the change fails, bits stay set that nobody needs.
        """
        if len(tags) and self._path.exists():
            self._tags.append(tags)
            with locked(self._path):
                self._open_and_add()
        version = change()
        self._versions.append(version)
        self._removed += removed
        if self._clock() - self._noted_at >= NOTE_SECONDS:
            self.note()
        return version

    def note(self) -> None:
        """Write into the file which versions it now covers, once every bit of them has reached the disk."""
        self._noted_at = self._clock()
        if self._versions and self._path.exists():
            with locked(self._path):
                opened = self._open_and_add()
                if opened is not None:
                    note(self._path, opened, opened.state.after(self._versions, self._added, self._removed))
        self._forget()

    def _forget(self) -> None:
        self._tags: list[NDArray[np.uint64]] = []
        self._versions: list[int] = []
        self._removed = self._added = self._set = 0
        self._generation = b""

    def _open_and_add(self) -> FilterFile | None:
        """Return the file open for adding, every tag kept so far in it; None if it is not there or cannot take them."""
        try:
            opened = open_filter(self._path, adding=True)
        except StorageError:
            return None  # whoever opens it next says why, and builds it anew
        if opened.state.layout != LAYOUT or opened.state.version > self._facts.filter_version():
            with suppress(FileNotFoundError):
                self._path.unlink()  # of another database or program: one day its version would look right
            return None
        if opened.state.generation != self._generation:  # built anew meanwhile: what was set is not in it
            self._generation, self._set, self._added = opened.state.generation, 0, 0
        members = BloomFilter(opened.words)
        for tags in self._tags[self._set :]:
            if opened.state.tags + self._added + len(tags) > OVERFLOWING * members.capacity:
                return None
            self._added += members.add(tags)
            self._set += 1
        return opened


class FilteredRecords(RecordStore):
    """The enrolled records, with the filter kept abreast of each change: an enrolment takes it for the plain store."""

    def __init__(self, database: Database, enroller: Enroller, changes: FilterChanges) -> None:
        """Use the database; tags are taken out of fingerprints with the enroller's key."""
        super().__init__(database)
        self._enroller = enroller
        self._changes = changes

    def replace(self, erasures: Sequence[Erasure], batch: Batch, based_on: int | None = None) -> int:
        """Erase and store in one transaction, erasures first; return the new filter version."""
        tags = [_NO_TAGS, *(self._enroller.filter_tags(each.sealed_tokens) for each in batch.fingerprints)]
        change = partial(super().replace, erasures, batch, based_on)
        return self._changes.commit(np.concatenate(tags), change, removed=len(erasures))
