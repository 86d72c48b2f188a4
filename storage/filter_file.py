"""The Bloom filter's file: derived data, memory-mapped, replaced as a whole; deleted, it is built again.

Layout: one page of 4,096 bytes for the header (magic, format, filter version, bits, number of words, BLAKE2b
of all that; little-endian), then the words. A new file replaces the old one by rename, so that a process that
still maps the old one goes on undisturbed.
"""

import contextlib
import os
import secrets
import struct
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model.errors import StorageError

MAGIC = b"SPWBLOOM"
FORMAT = 1
HEADER_BYTES = 4096
_HEADER = struct.Struct("<8sIIQQQ")
_REBUILD = "it will be built again from the database"


@dataclass(frozen=True, slots=True)
class FilterFile:
    """An open filter file."""

    version: int
    """The filter version of the database it was built from."""
    bits: int
    """As given to `write`."""
    words: NDArray[np.uint64] = field(repr=False)
    """Read-only, mapped from the file."""


def write(path: Path, version: int, words: NDArray[np.uint64], bits: int) -> None:
    """Write the filter, mode 0600, and put it in the place of the old one in one step.

    Raises StorageError when the disk refuses; the old file then stays.
    """
    header = _HEADER.pack(MAGIC, FORMAT, 0, version, bits, words.size)
    header += blake2b(header, digest_size=32).digest()
    body = np.ascontiguousarray(words, dtype="<u8")
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(header.ljust(HEADER_BYTES, b"\0"))
            file.write(body.data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise StorageError(f"the filter file {path} cannot be written ({error.strerror}): check the disk") from None


def open_filter(path: Path) -> FilterFile:
    """Map the filter file. Raises StorageError when it is missing, truncated or garbled: then build it again."""
    try:
        with path.open("rb") as file:
            header = file.read(HEADER_BYTES)
            size = os.fstat(file.fileno()).st_size
            version, bits, count = _parse(path, header)
            if size != HEADER_BYTES + 8 * count:
                raise StorageError(f"the filter file {path} has not its full length: {_REBUILD}")
            words = (
                np.memmap(file, dtype="<u8", mode="r", offset=HEADER_BYTES, shape=(count,))
                if count
                else np.zeros(0, dtype="<u8")
            )
    except OSError as error:
        raise StorageError(f"the filter file {path} cannot be read ({error.strerror}): {_REBUILD}") from None
    return FilterFile(version, bits, words)


def _parse(path: Path, header: bytes) -> tuple[int, int, int]:
    checked = header[: _HEADER.size]
    digest = header[_HEADER.size : _HEADER.size + 32]
    if len(header) < HEADER_BYTES or blake2b(checked, digest_size=32).digest() != digest:
        raise StorageError(f"the filter file {path} is damaged: {_REBUILD}")
    magic, form, _, version, bits, count = _HEADER.unpack(checked)
    if magic != MAGIC or form != FORMAT:
        raise StorageError(f"the filter file {path} is of another version of Spillwatch: {_REBUILD}")
    return version, bits, count


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
