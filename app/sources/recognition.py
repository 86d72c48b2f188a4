"""What a person named as the source → the source that reads it, known by its content and its name."""

import gzip
import zlib
from enum import StrEnum
from pathlib import Path

from app.sources.database import DatabaseSource
from app.sources.delimited import DelimitedSource
from app.sources.documents import Documents
from app.sources.fhir import FhirSource
from app.sources.files import GZIP, files_below
from app.sources.hl7v2 import Hl7Source
from app.sources.interface import EnrolmentSettings, Source
from app.sources.notes import NotesFolder, NotesSource
from app.sources.spreadsheet import SpreadsheetSource
from model.errors import ConfigError

HEAD = 4_096
SECRETS = ("env:", "file:", "keyring:")
HL7_SIGNS = (b"MSH", b"FHS", b"BHS", b"\x0bMSH")
WORKBOOK_SIGNS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")


class Format(StrEnum):
    """The formats of sources, as `--format` names them."""

    CSV = "csv"
    SPREADSHEET = "spreadsheet"
    DATABASE = "database"
    FHIR = "fhir"
    HL7 = "hl7"
    NOTES = "notes"


SUFFIXES = {
    **dict.fromkeys((".csv", ".tsv", ".tab"), Format.CSV),
    **dict.fromkeys((".xlsx", ".xlsm", ".xlsb", ".xls", ".ods"), Format.SPREADSHEET),
    **dict.fromkeys((".json", ".ndjson", ".jsonl"), Format.FHIR),
    **dict.fromkeys((".hl7", ".adt", ".oru"), Format.HL7),
    **dict.fromkeys((".txt", ".text", ".md", ".pdf", ".doc", ".docx", ".odt", ".rtf", ".html", ".htm"), Format.NOTES),
}


def is_database(source: str) -> bool:
    """Tell whether what a person named is a database: an SQLAlchemy URL, or a reference to one."""
    return "://" in source or source.startswith(SECRETS)


def recognised(source: str) -> Format:
    """Return the format of a source; raises `ConfigError` if it is none of them, or several."""
    if is_database(source):
        return Format.DATABASE
    path = Path(source)
    if path.is_dir():
        return _of_folder(path)
    head = _head(path)
    named = SUFFIXES.get(_suffix(path))
    if head.startswith(WORKBOOK_SIGNS) and named is not Format.NOTES:
        return Format.SPREADSHEET
    if head.startswith(HL7_SIGNS):
        return Format.HL7
    if head[:1] in (b"{", b"["):
        return Format.FHIR
    if named is Format.NOTES and _suffix(path) not in (".txt", ".text"):
        return Format.NOTES
    return Format.CSV


def open_source(source: str, settings: EnrolmentSettings, documents: Documents, chosen: Format | None = None) -> Source:
    """Return what reads a source; the URL of a database is to be given resolved.

    Raises `ConfigError` if it cannot be told what it is.
    """
    form = chosen or recognised(source)
    if form is Format.DATABASE:
        return DatabaseSource(source, settings)
    path = Path(source)
    if not path.exists():
        raise ConfigError(f"{path}: No such file or folder")
    if form is Format.FHIR:
        return FhirSource(path, settings.fhir, documents)
    if form is Format.HL7:
        return Hl7Source(path, settings.hl7, documents)
    if form is Format.NOTES:
        return NotesSource(NotesFolder(path, settings.notes, documents))
    if path.is_dir():
        raise ConfigError(f"{path}: a folder of tables is not one source; enrol its files one by one")
    return SpreadsheetSource(path, settings) if form is Format.SPREADSHEET else DelimitedSource(path, settings)


def _of_folder(path: Path) -> Format:
    found = {SUFFIXES.get(_suffix(file)) for file in files_below(path)}
    known = sorted(form for form in found if form is not None)
    if len(known) == 1 and (None not in found or known == [Format.NOTES]):
        return known[0]
    what = f"files of several formats ({', '.join(known)})" if len(known) > 1 else "files of unknown formats"
    if not found:
        what = "no files"
    raise ConfigError(f"{path}: {what}; say which with --format: {', '.join(Format)}")


def _suffix(path: Path) -> str:
    return Path(path.name.lower().removesuffix(".gz")).suffix


def _head(path: Path) -> bytes:
    """Return the first bytes of a file, unpacked, without what stands before the beginning."""
    try:
        with path.open("rb") as file:
            head = file.read(HEAD)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or 'cannot be read'}") from error
    if head.startswith(GZIP):
        try:
            with gzip.open(path) as file:
                head = file.read(HEAD)
        except (OSError, EOFError, zlib.error) as error:
            raise ConfigError(f"{path}: the compressed file is damaged; export it again") from error
    return head.lstrip(b"\xef\xbb\xbf \t\r\n")
