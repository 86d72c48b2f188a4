"""What a thief carries away, read as a thief reads it: the raw database file, byte by byte, without any key."""

import hashlib
import hmac
import secrets
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from app.enrol import enrol
from matchers.fingerprints import Enroller
from matchers.interface import Evaluator
from matchers.keys import LinkageKey, LocalEvaluator
from matchers.postings import label, open_many
from storage.database import Database
from storage.records import RecordStore
from tests.privacy.world import SCHEMA, Patient


@dataclass(frozen=True)
class Loot:
    """The stolen rows and tokens in the order in which they lie in the file. Truths are for the judge alone."""

    rows: Sequence[Mapping[str, bytes]]
    """One for each record."""
    owners: Sequence[int]
    """Truth: whose each row is, as an index into the patients."""
    sizes: Sequence[tuple[int, ...]]
    """How long the parts of each row are."""
    expected: Sequence[tuple[int, ...]]
    """How long they would be for each patient, as the thief finds out by enrolling the same people himself."""
    tokens: Sequence[bytes]
    """Searchable entries."""
    token_owners: Sequence[int]
    """Truth."""
    token_values: Sequence[str]
    """Truth: what each token stands for."""


class Listening(Evaluator):
    """An evaluator that remembers what it was asked, so that the judge knows every label's value."""

    def __init__(self, key: LinkageKey, epoch: int = 1) -> None:
        """Evaluate as the local one does."""
        self._inner = LocalEvaluator(key, epoch)
        self.heard: dict[bytes, tuple[str, bytes]] = {}

    def evaluate(self, field: str, values: Sequence[bytes]) -> list[bytes]:
        """Return the y of each value."""
        ys = self._inner.evaluate(field, values)
        self.heard.update(zip(ys, ((field, value) for value in values), strict=True))
        return ys


@dataclass
class Installation:
    """A real database of the product with everybody enrolled."""

    path: Path
    database: Database
    enroller: Enroller
    evaluator: Listening

    @classmethod
    def enrol(cls, path: Path, people: Sequence[Patient], key: LinkageKey | None = None, epoch: int = 1):
        """Enrol everybody in the order of the export."""
        key = key or LinkageKey.generate()
        evaluator = Listening(key, epoch)
        made = cls(path, Database.open(f"sqlite:///{path}"), Enroller(key, SCHEMA, epoch, evaluator), evaluator)
        report = enrol((patient.record for patient in people), made.enroller, made.store)
        assert report.added == len(people), report.refused
        return made

    @property
    def store(self) -> RecordStore:
        """Return the records."""
        return RecordStore(self.database)

    def labels(self) -> dict[bytes, tuple[bytes, str]]:
        """Return every label in the store with the handle behind it and what it stands for, through the interfaces."""
        found: dict[bytes, tuple[bytes, str]] = {}
        alive, link = list(self.evaluator.heard), 0
        while alive:
            asked = {label(y, link): y for y in alive}
            stored = self.store.postings(list(asked))
            ys = [asked[name] for name in stored]
            rows = np.frombuffer(b"".join(ys), np.uint8).reshape(len(ys), 32)
            payloads = open_many(rows, np.full(len(ys), link), list(stored.values()))
            for name, y, payload in zip(stored, ys, payloads, strict=True):
                found[name] = (payload.handle, repr(self.evaluator.heard[y]))
            alive, link = [asked[name] for name in stored], link + 1
        return found

    def refs(self, handles: Sequence[bytes]) -> dict[bytes, str]:
        """Return handle → reference."""
        return {one: self.enroller.reference(sealed) for one, sealed in self.store.sealed_refs(handles).items()}

    def bytes(self) -> bytes:
        """Return the file and what lies beside it."""
        return b"".join(path.read_bytes() for path in sorted(self.path.parent.glob(f"{self.path.name}*")))


def stolen(installed: Installation, own: Installation, people: Sequence[Patient]) -> Loot:
    """Return the loot of an installation; `own` is the thief's, with the same people under a key of his."""
    numbers = {patient.record.ref: number for number, patient in enumerate(people)}
    rows = _rows(installed)
    refs = installed.refs([row["handle"] for row in rows])
    own_rows = _rows(own)
    own_refs = own.refs([row["handle"] for row in own_rows])
    expected = {own_refs[row["handle"]]: _sizes(row) for row in own_rows}
    labels = installed.labels()
    ordered = _in_file_order(installed.bytes(), list(labels))
    return Loot(
        rows,
        [numbers[refs[row["handle"]]] for row in rows],
        [_sizes(row) for row in rows],
        [expected[patient.record.ref] for patient in people],
        ordered,
        [numbers[refs[labels[name][0]]] for name in ordered],
        [labels[name][1] for name in ordered],
    )


def naive(path: Path, people: Sequence[Patient]) -> Loot:
    """Return the loot of a deliberately naive database: a keyed hash in each column, the note encrypted beside it."""
    key = secrets.token_bytes(32)
    names = list(people[0].attributes)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"CREATE TABLE people ({', '.join(names)}, note)")
        for patient in people:
            cells = [hmac.digest(key, patient.attributes[name].encode(), hashlib.sha256)[:16] for name in names]
            note = secrets.token_bytes(28 + len(patient.record.values.get("note", "").encode()))
            connection.execute(f"INSERT INTO people VALUES ({', '.join('?' * len(cells))}, ?)", [*cells, note])
        connection.commit()
        found = connection.execute(f"SELECT {', '.join(names)}, note FROM people ORDER BY rowid").fetchall()
    owners = [number for number in range(len(people)) for _ in names]
    return Loot(
        [dict(zip([*names, "note"], row, strict=True)) for row in found],
        list(range(len(people))),
        [(len(row[-1]),) for row in found],
        [(28 + len(patient.record.values.get("note", "").encode()),) for patient in people],
        [cell for row in found for cell in row[:-1]],
        owners,
        [value for patient in people for value in patient.attributes.values()],
    )


def _rows(installed: Installation) -> list[dict[str, bytes]]:
    """Return the rows of the one table that has a row for each record, in the order of the file."""
    with closing(sqlite3.connect(f"file:{installed.path}?mode=ro", uri=True)) as connection:
        connection.row_factory = sqlite3.Row
        return [
            {name: value for name, value in dict(row).items() if isinstance(value, bytes)}
            for row in connection.execute("SELECT * FROM records")
        ]


def _sizes(row: Mapping[str, bytes]) -> tuple[int, ...]:
    return tuple(len(value) for _, value in sorted(row.items()))


def _in_file_order(raw: bytes, labels: Sequence[bytes]) -> list[bytes]:
    """Return the labels in the order of their first place in the file."""
    ordered = lying_in(raw, labels)
    # A page of the file may end in the midst of a label; what lies whole must be nearly everything.
    assert len(ordered) >= 0.9 * len(labels), "the labels do not lie open in the file: let the thief read it anew"
    return ordered


def lying_in(raw: bytes, labels: Sequence[bytes]) -> list[bytes]:
    """Return those of the labels that occur, at least with their first 8 bytes, by their first place.

    One pass over the bytes for all of them: `in` would take one for each.
    """
    known = {int.from_bytes(name[:8], "little"): name for name in labels}
    wanted = np.sort(np.fromiter(known, np.uint64, len(known)))
    places: list[tuple[int, bytes]] = []
    for shift in range(8):
        words = np.frombuffer(raw, "<u8", (len(raw) - shift) // 8, shift)
        at = np.minimum(np.searchsorted(wanted, words), len(wanted) - 1)
        hits = np.flatnonzero(wanted[at] == words).tolist()
        places.extend((8 * index + shift, known[int(words[index])]) for index in hits)
    return list(dict.fromkeys(name for _, name in sorted(places)))
