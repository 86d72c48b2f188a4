"""An enrolment file → records: CSV as hospitals export it."""

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path

from model.errors import ConfigError, EnrolmentError
from model.record import LinkageSchema, Record

ENCODINGS = ("utf-8-sig", "gb18030")
EXCESS = "\0excess"
csv.field_size_limit(10_000_000)


def read_rows(path: Path, schema: LinkageSchema) -> Iterator[Record | EnrolmentError]:
    """Yield each row of a CSV or TSV file as a record, or what is wrong with it.

    UTF-8 (with or without a byte order mark) and GB18030 are told apart by strict decoding of the whole file.
    Raises `ConfigError` if the file cannot be read or its columns are not those of the linkage schema.
    """
    encoding = _encoding(path)
    with path.open(encoding=encoding, newline="") as lines:
        sample = lines.read(65_536)
        lines.seek(0)
        delimiter = "\t" if sample.count("\t") > sample.count(",") else ","
        reader = csv.DictReader(lines, restkey=EXCESS, delimiter=delimiter, strict=True)
        _check_columns(reader.fieldnames or (), schema, path)
        row = 0
        while True:
            row += 1
            try:
                fields = next(reader)
            except StopIteration:
                return
            except csv.Error:
                yield EnrolmentError(row, schema.ref, "the row cannot be parsed as CSV (quotes do not close?)")
                continue
            yield _record(fields, row, schema)


def count_rows(path: Path) -> int:
    """Return the number of data rows, for the progress bar."""
    with path.open(encoding=_encoding(path), newline="") as lines:
        return max(0, sum(1 for _ in csv.reader(lines)) - 1)


def _record(fields: Mapping[str, str | None], row: int, schema: LinkageSchema) -> Record | EnrolmentError:
    if EXCESS in fields:
        return EnrolmentError(row, schema.ref, "the row has more fields than the header has columns")
    if any(value is None for value in fields.values()):
        return EnrolmentError(row, schema.ref, "the row has fewer fields than the header has columns")
    ref = (fields.get(schema.ref) or "").strip()
    if not ref:
        return EnrolmentError(row, schema.ref, "the reference is empty")
    values = {
        str(name): str(value).strip()
        for name, value in fields.items()
        if name in schema.columns and "ignore" not in (schema.columns[name].kind, schema.columns[name].role)
        if str(value).strip()
    }
    if not values:
        return EnrolmentError(row, schema.ref, "no column to be fingerprinted has a value")
    return Record(ref=ref, row=row, values=values)


def _check_columns(found: object, schema: LinkageSchema, path: Path) -> None:
    columns = [str(column) for column in found] if isinstance(found, (list, tuple)) else []
    if schema.ref not in columns:
        raise ConfigError(f"{path}: no column {schema.ref!r} (enrolment: ref:); the file has: {', '.join(columns)}")
    unknown = [column for column in columns if column not in schema.columns and column != schema.ref]
    if unknown:
        advice = "name them under enrolment: columns: in config.yaml, as `ignore` if they are not to be watched"
        raise ConfigError(f"{path}: columns that config.yaml does not know: {', '.join(unknown)}; {advice}")
    if not any(column in schema.columns for column in columns):
        raise ConfigError(f"{path}: none of the columns under enrolment: columns: stands in the file")


def _encoding(path: Path) -> str:
    for encoding in ENCODINGS:
        try:
            with path.open(encoding=encoding) as text:
                while text.read(1 << 20):
                    pass
        except UnicodeDecodeError:
            continue
        except OSError as error:
            raise ConfigError(f"{path}: {error.strerror}") from error
        return encoding
    raise ConfigError(f"{path}: neither UTF-8 nor GB18030; export it as UTF-8")
