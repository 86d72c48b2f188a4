"""Files as sources read them: compressed or not, with the position in them, in the character coding they are in."""

import gzip
import io
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from model.errors import ConfigError

GZIP = b"\x1f\x8b"
ENCODINGS = ("utf-8-sig", "gb18030")
CHUNK = 1 << 20
LONGEST_LINE = 256 << 20
"""Bytes of one line: a resource with a scanned document in it is large, a file without line ends is another format."""


class Progress:
    """How many bytes of a source's files were read, compressed as they lie on the disk."""

    def __init__(self) -> None:
        """Start at nothing."""
        self._before = 0
        self._raw: BinaryIO | None = None
        self._size = 0

    def opened(self, raw: BinaryIO) -> None:
        """Count this file from now on."""
        self.closed()
        self._raw, self._size = raw, os.fstat(raw.fileno()).st_size

    def closed(self) -> None:
        """Keep what the present file came to."""
        if self._raw is not None:
            self._before += self._position()
            self._raw = None

    def start_again(self) -> None:
        """Count from the beginning: the files are read another time."""
        self._before, self._raw = 0, None

    @property
    def done(self) -> int:
        """Return the bytes read."""
        return self._before + (0 if self._raw is None else self._position())

    def _position(self) -> int:
        """Return where the present file is; one that was closed has been read to its end."""
        return self._size if self._raw is None or self._raw.closed else self._raw.tell()


@contextmanager
def reading(path: Path, progress: Progress | None = None) -> Iterator[io.BufferedReader]:
    """Open a file for reading, through gzip if it is compressed.

    Raises `ConfigError` if it cannot be opened, or breaks off within.
    """
    progress = progress or Progress()
    try:
        with path.open("rb") as raw:
            progress.opened(raw)
            try:
                packed = raw.peek(2)[:2] == GZIP
                plain = gzip.GzipFile(fileobj=raw) if packed else raw
                yield io.BufferedReader(cast(io.RawIOBase, plain), CHUNK) if packed else raw
            finally:
                progress.closed()
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise ConfigError(f"{path}: the compressed file is damaged or cut off; export it again") from error
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or 'cannot be read'}") from error


def unnamed(error: ConfigError, path: Path) -> str:
    """Return what is wrong with a file without its name."""
    return str(error).removeprefix(f"{path}: ")


def encoding_of(path: Path) -> str:
    """Return the character coding of a text file: UTF-8 (with or without byte order mark) or GB18030.

    They are told apart by strict decoding of the whole file: the first megabyte of an export may well be ASCII.
    Raises `ConfigError` if it is neither.
    """
    for encoding in ENCODINGS:
        try:
            with reading(path) as raw, io.TextIOWrapper(raw, encoding=encoding, newline="") as text:
                while text.read(CHUNK):
                    pass
        except UnicodeDecodeError:
            continue
        return encoding
    raise ConfigError(f"{path}: neither UTF-8 nor GB18030; export it as UTF-8")


def decoded(data: bytes, declared: str | None = None) -> str:
    """Return text in the coding it declares, else as UTF-8 or GB18030, strictly.

    Raises `ValueError` if it is none of them: a guess would enrol what nobody wrote.
    """
    for encoding in (*([declared] if declared else []), *ENCODINGS):
        try:
            return data.decode(encoding)
        except (UnicodeDecodeError, LookupError):
            continue
    raise ValueError("the text is neither UTF-8 nor GB18030")


def files_below(folder: Path) -> list[Path]:
    """Return the files below a folder in the order of their paths, hidden ones left out."""
    found = (path for path in folder.rglob("*") if path.is_file())
    return sorted(path for path in found if not any(part.startswith(".") for part in path.relative_to(folder).parts))
