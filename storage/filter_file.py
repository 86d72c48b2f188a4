"""The Bloom filter's file: derived data, memory-mapped and shared by processes; deleted, it is built again.

Layout: one page of 4,096 bytes for the state (magic, format, layout of the words, and what `FilterState` names; then
BLAKE2b of all that; little-endian), then the words. The database counts every change of the records: its filter
version. The state names the changes that the words hold: all up to `version`, and those `beyond`.

- *Built anew*, the file replaces the old one by rename: who still maps the old one goes on undisturbed.
- *Added to*, bits are set in the shared map. A set bit can only let more pass, so readers need no lock and a crash
  leaves a valid filter of the older state: words reach the disk before the state that promises them is written.

Whoever builds or adds holds the lock (`flock` on a file beside it). Readers never wait.
"""

import contextlib
import fcntl
import os
import secrets
import struct
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from model.errors import StorageError

MAGIC = b"SPWBLOOM"
FORMAT = 2
HEADER_BYTES = 4096
MOST_BEYOND = 400
"""Changes noted out of order; beyond that the filter is built again."""
_HEADER = struct.Struct("<8sII16sQQQQQ")
_DIGEST_BYTES = 32
_ATTEMPTS, _PAUSE = 5, 0.02
_REBUILD = "it will be built again from the database"


@dataclass(frozen=True, slots=True)
class FilterState:
    """What a filter file holds."""

    version: int
    """Every change of the records up to this filter version of the database is in it."""
    layout: int
    """How tags set bits, as the matchers number it."""
    tags: int
    """Tags put into it."""
    removed: int = 0
    """Changes since it was built that took records away: their bits stay until it is built again."""
    beyond: tuple[int, ...] = ()
    """Changes above `version` that are in it too, while one between is not yet."""
    generation: bytes = field(default_factory=lambda: secrets.token_bytes(16))
    """Random, new each time it is built: tells whether a file is still the one seen before."""

    def after(self, versions: Collection[int], tags: int, removed: int) -> "FilterState":
        """Return the state with these changes of the records in it too."""
        version, beyond = self.version, {*self.beyond, *versions}
        while version + 1 in beyond:
            version += 1
        rest = tuple(sorted(each for each in beyond if each > version))[:MOST_BEYOND]
        return replace(self, version=version, beyond=rest, tags=self.tags + tags, removed=self.removed + removed)


@dataclass(frozen=True, slots=True)
class FilterFile:
    """An open filter file."""

    state: FilterState
    words: NDArray[np.uint64] = field(repr=False)
    """Mapped from the file; read-only unless opened for adding."""


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Be the only one who builds or adds; waits for others. Raises StorageError when the disk refuses."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path.with_name(f".{path.name}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise _unwritable(path, error) from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def write(path: Path, state: FilterState, words: NDArray[np.uint64]) -> None:
    """Write the filter, mode 0600, and put it in the place of the old one in one step; hold the lock.

    Raises StorageError when the disk refuses; the old file then stays.
    """
    body = np.ascontiguousarray(words, dtype="<u8")
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(_packed(state, words.size))
            file.write(body.data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise _unwritable(path, error) from None


def open_filter(path: Path, *, adding: bool = False) -> FilterFile:
    """Map the filter file; `adding`, with the lock held, maps it so that bits set are seen by all who map it.

    Raises StorageError when it is missing, truncated or garbled: then build it again.
    """
    try:
        with path.open("r+b" if adding else "rb") as file:
            state, count = _read(path, file.fileno())
            if os.fstat(file.fileno()).st_size != HEADER_BYTES + 8 * count:
                raise StorageError(f"the filter file {path} has not its full length: {_REBUILD}")
            mode: Literal["r", "r+"] = "r+" if adding else "r"
            words = (
                np.memmap(file, dtype="<u8", mode=mode, offset=HEADER_BYTES, shape=(count,))
                if count
                else np.zeros(0, dtype="<u8")
            )
    except OSError as error:
        raise _unreadable(path, error) from None
    return FilterFile(state, words)


def read_state(path: Path) -> FilterState:
    """Return the present state of the file, without mapping it. Raises StorageError as `open_filter` does."""
    try:
        with path.open("rb", buffering=0) as file:
            return _read(path, file.fileno())[0]
    except OSError as error:
        raise _unreadable(path, error) from None


def note(path: Path, opened: FilterFile, state: FilterState) -> None:
    """Make what was added to the opened file durable, then write the state that promises it; hold the lock.

    Raises StorageError when the disk refuses; the file then promises what it promised before.
    """
    try:
        if isinstance(opened.words, np.memmap):
            opened.words.flush()
        descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.pwrite(descriptor, _packed(state, opened.words.size), 0)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise _unwritable(path, error) from None


def _packed(state: FilterState, count: int) -> bytes:
    """Return the header page."""
    numbers = (state.version, state.tags, state.removed, count, len(state.beyond))
    header = _HEADER.pack(MAGIC, FORMAT, state.layout, state.generation, *numbers)
    header += struct.pack(f"<{len(state.beyond)}Q", *state.beyond)
    return (header + _digest(header)).ljust(HEADER_BYTES, b"\0")


def _read(path: Path, descriptor: int) -> tuple[FilterState, int]:
    """Return the state and the number of words; a page caught while it is being written is read once more."""
    for attempt in range(_ATTEMPTS):
        header = os.pread(descriptor, HEADER_BYTES, 0)
        if found := _parsed(path, header):
            return found
        if attempt < _ATTEMPTS - 1 and len(header) == HEADER_BYTES:
            time.sleep(_PAUSE)
    raise StorageError(f"the filter file {path} is damaged: {_REBUILD}")


def _parsed(path: Path, header: bytes) -> tuple[FilterState, int] | None:
    """Return the state and the number of words, or None for a page that is not whole."""
    if len(header) < HEADER_BYTES:
        return None
    magic, form, layout, generation, version, tags, removed, count, others = _HEADER.unpack_from(header)
    end = _HEADER.size + 8 * others
    if others > MOST_BEYOND or header[end : end + _DIGEST_BYTES] != _digest(header[:end]):
        return None
    if magic != MAGIC or form != FORMAT:
        raise StorageError(f"the filter file {path} is of another version of Spillwatch: {_REBUILD}")
    beyond = struct.unpack_from(f"<{others}Q", header, _HEADER.size)
    return FilterState(version, layout, tags, removed, beyond, generation), count


def _digest(header: bytes) -> bytes:
    return blake2b(header, digest_size=_DIGEST_BYTES).digest()


def _unreadable(path: Path, error: OSError) -> StorageError:
    return StorageError(f"the filter file {path} cannot be read ({error.strerror}): {_REBUILD}")


def _unwritable(path: Path, error: OSError) -> StorageError:
    return StorageError(f"the filter file {path} cannot be written ({error.strerror}): check the disk")


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
