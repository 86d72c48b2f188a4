"""Notes as files (text, PDF, Word and whatever else the decoders read): a folder of them is a source, or joins one."""

import dataclasses
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from app.sources.documents import Documents, Unreadable
from app.sources.files import files_below
from app.sources.interface import NotesSettings, Row
from model.errors import ConfigError, EnrolmentError
from model.record import NUMBER_SIGN, LinkageColumn, LinkageSchema, Record, base_column, numbered

COLUMN = "note"
LARGEST = 256 << 20
"""Bytes of one note."""


class NotesFolder:
    """The notes of a folder by reference."""

    def __init__(self, path: Path, settings: NotesSettings, documents: Documents) -> None:
        """List the files; raises `ConfigError` if the pattern of references is no regular expression."""
        self._documents = documents
        self._by_ref: dict[str, list[Path]] = {}
        self._numbers: dict[Path, int] = {}
        self.nameless: list[EnrolmentError] = []
        """One for each file whose name holds no reference."""
        pattern = _pattern(settings.ref)
        self.files = files_below(path) if path.is_dir() else [path]
        below = path if path.is_dir() else path.parent
        for number, file in enumerate(self.files, start=1):
            self._numbers[file] = number
            ref = _reference(file.relative_to(below), pattern)
            if ref:
                self._by_ref.setdefault(ref, []).append(file)
            else:
                self.nameless.append(EnrolmentError(number, "ref", "the name of the file holds no reference"))
        self.unmet = set(self._by_ref)

    @property
    def refs(self) -> Sequence[str]:
        """Return the references, in the order of the files."""
        return list(self._by_ref)

    def of(self, ref: str) -> tuple[int, list[str], list[EnrolmentError]]:
        """Return the number of a reference's first file, its notes, and what could not be read."""
        self.unmet.discard(ref)
        files = self._by_ref.get(ref, [])
        texts, problems = [], []
        for file in files:
            try:
                texts.append(self._read(file))
            except Unreadable as error:
                problems.append(EnrolmentError(self._numbers[file], COLUMN, str(error)))
        return self._numbers[files[0]] if files else 0, texts, problems

    def _read(self, file: Path) -> str:
        try:
            if file.stat().st_size > LARGEST:
                raise Unreadable(f"the file is larger than {LARGEST >> 20} MB")
            data = file.read_bytes()
        except OSError as error:
            raise Unreadable(f"the file cannot be read: {error.strerror}") from None
        return self._documents.text(data, name=f"note{file.suffix.lower()}")


class NotesSource:
    """One record for each reference that files are named after; its notes are all it has."""

    unit = "files"

    def __init__(self, folder: NotesFolder) -> None:
        """Take the folder."""
        self._folder = folder
        self._done = 0

    @property
    def schema(self) -> LinkageSchema:
        """Return the linkage schema of notes."""
        return LinkageSchema("ref", {COLUMN: LinkageColumn("note")})

    def total(self) -> int | None:
        """Return the number of files."""
        return len(self._folder.files)

    def done(self) -> int:
        """Return the files read."""
        return self._done

    def rows(self) -> Iterator[Row]:
        """Yield a record for each reference, in the order of the files; a row is the number of a file."""
        yield from self._folder.nameless
        self._done = len(self._folder.nameless)
        for ref in self._folder.refs:
            number, texts, problems = self._folder.of(ref)
            self._done += len(texts) + len(problems)
            yield from problems
            if texts:
                yield Record(ref, number, numbered((COLUMN, text) for text in texts))

    def remarks(self) -> Sequence[str]:
        """Say nothing: every file is in a record or an error."""
        return ()


class WithNotes:
    """Another source's records, each with the notes of a folder that bear its reference."""

    def __init__(self, folder: NotesFolder) -> None:
        """Take the folder."""
        self._folder = folder

    def join(self, rows: Iterable[Row]) -> Iterator[Row]:
        """Yield the rows with their notes; files that could not be read are errors of their own."""
        yield from self._folder.nameless
        for row in rows:
            if isinstance(row, EnrolmentError):
                yield row
                continue
            _, texts, problems = self._folder.of(row.ref)
            yield from problems
            yield _with(row, texts) if texts else row

    def remarks(self) -> Sequence[str]:
        """Say how many references have notes and no record."""
        unmet = len(self._folder.unmet)
        return (f"notes of {unmet} references are not watched: the source has no such record",) if unmet else ()


def _with(record: Record, texts: Sequence[str]) -> Record:
    """Return the record with further notes, numbered after those that it has."""
    before = sum(base_column(name) == COLUMN for name in record.values)
    added = {
        COLUMN if number == 1 else f"{COLUMN}{NUMBER_SIGN}{number}": text
        for number, text in enumerate(texts, start=before + 1)
    }
    return dataclasses.replace(record, values={**record.values, **added})


def _pattern(text: str) -> re.Pattern[str] | None:
    if not text:
        return None
    try:
        pattern = re.compile(text)
    except re.error as error:
        raise ConfigError(f"enrolment: notes: ref: is no regular expression ({error.msg})") from None
    if pattern.groups < 1:
        raise ConfigError("enrolment: notes: ref: needs a group in parentheses: what it finds is the reference")
    return pattern


def _reference(path: Path, pattern: re.Pattern[str] | None) -> str:
    if pattern is None:
        return path.name.partition(".")[0].strip()
    match = pattern.search(path.as_posix())
    return (match.group(1) or "").strip() if match else ""
