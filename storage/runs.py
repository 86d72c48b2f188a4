"""Postings at rest: sorted runs cut into blocks by the first bits of the label, merged as they become many.

A label is pseudo-random, so its first bits alone say in which block of a run it stands: there is no index to keep and
none that could remember a label after its erasure. Each run has `2 ** prefix_bits` blocks of some hundred entries
(label ‖ sealed, ascending) and for each block a small Bloom filter (Bloom 1970) of its labels, held in memory, so
that a label which is not there costs no reading. Runs of like size are merged eight at a time (O'Neil et al., "The
log-structured merge-tree", 1996). A label stands in one run at most. Few postings at once go into the blocks of a large
run, where nothing shows that they came together; erasure rewrites the blocks and their filters, with no trace left.
"""

import secrets
import threading
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from math import ceil, log2

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import (
    ARRAY,
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    any_,
    bindparam,
    delete,
    func,
    insert,
    literal,
    select,
    update,
)

from model.errors import StorageError
from model.fingerprint import LABEL_BYTES
from storage.statements import batches
from storage.tables import posting_blocks, posting_filters, posting_runs

TAKEN = "another enrolment stored some of these records at the same time: enrol the file again"
PER_BLOCK = 128
"""Postings of a full block; a new run has between half and all of it in each."""
ROOM = 1.5
"""How far a run may be filled above `PER_BLOCK` by later additions."""
LABEL_BITS = 16
"""Bits of filter per label: one label in 1,500 that is not there is looked for in vain."""
FILTER_BITS = 2048
"""Bits of filter that a block has at most."""
PER_FILTER_ROW = 64
"""Blocks whose filters lie in one row: what an erasure has to write."""
FEW = 4096
"""Additions up to this many go into the blocks of a run that has at least `MANY_BLOCKS`."""
MANY_BLOCKS = 256
FAN = 8
"""Runs of like size that are merged."""
SMALLEST = 4096
LARGEST = 1 << 25
"""Postings of a run that is not merged any more: its filters still are one piece of memory."""
CHEAP = 200_000
"""Postings merged in any case; more than this only when many are added at once, so that one record stays quick."""
_CHUNK_BLOCKS = 512
"""Blocks of the new run that a merge holds in memory at once."""
_SHIFTS = (0, 11, 22, 33, 44)
_SPAN = np.uint64(0x7FF)

Rows = NDArray[np.uint8]
"""Entries, one a row: label ‖ sealed."""


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """One run as its row says, with the filters of its blocks."""

    number: int
    revision: int
    bits: int
    entry_bytes: int
    filter_bytes: int
    postings: int
    filters: NDArray[np.uint8] = field(repr=False)

    @property
    def first_place(self) -> int:
        """The place of its first block."""
        return self.number << 32

    @property
    def end_place(self) -> int:
        """The place behind its last block."""
        return self.first_place + (1 << self.bits)

    def blocks_of(self, high: NDArray[np.uint64]) -> NDArray[np.int64]:
        """Return the block of each label, from the first half of it."""
        return _blocks_of(high, self.bits)

    def survivors(self, high: NDArray[np.uint64], low: NDArray[np.uint64]) -> NDArray[np.intp]:
        """Return which labels may stand in this run."""
        alive = np.arange(len(high))
        base = self.blocks_of(high) * (8 * self.filter_bytes)
        for probe in _probes(high, low, self.filter_bytes):
            at = base[alive] + probe[alive]
            alive = alive[(self.filters[at >> 3] >> (at & 7).astype(np.uint8)) & 1 != 0]
        return alive


class PostingRuns:
    """Every run of one database. Safe to share between threads; what it holds in memory can be lost at any time."""

    def __init__(self) -> None:
        """Begin without anything in memory."""
        self._lock = threading.Lock()
        self._known: dict[tuple[int, int], Run] = {}

    def find(self, tx: Connection, labels: Sequence[bytes]) -> dict[bytes, bytes]:
        """Return label → sealed for those labels that exist; any number of labels at once."""
        if not labels:
            return {}
        names = np.frombuffer(b"".join(labels), np.uint8).reshape(-1, LABEL_BYTES)
        return {entry[:LABEL_BYTES]: entry[LABEL_BYTES:] for _, entry in self._located(tx, names)}

    def change(self, tx: Connection, gone: Sequence[bytes], labels: bytes, sealed: bytes) -> int:
        """Take labels out and put postings in (labels ascending); return how many of `gone` there were.

        Raises StorageError when a label that is put in exists already, also within `labels`.
        """
        taken = self._remove(tx, gone)
        rows = entries(labels, sealed)
        if len(rows):
            high, low = halves(rows)
            twice = ((high[1:] == high[:-1]) & (low[1:] == low[:-1])).any()
            if twice or any(True for _ in self._located(tx, rows)):
                raise StorageError(TAKEN)
            self._add(tx, rows)
            self._merge(tx, max(CHEAP, 64 * len(rows)))
        return taken

    def count(self, tx: Connection) -> int:
        """Return how many postings there are."""
        return int(tx.scalar(select(func.coalesce(func.sum(posting_runs.c.postings), 0))) or 0)

    def runs(self, tx: Connection) -> list[Run]:
        """Return the runs as they are in this transaction; filters are read only where a run has changed."""
        rows = tx.execute(select(*(posting_runs.c[name] for name in _RUN_COLUMNS)).order_by(posting_runs.c.run)).all()
        with self._lock:
            known = self._known
        found: dict[tuple[int, int], Run] = {}
        for number, revision, bits, entry_bytes, filter_bytes, postings in rows:
            run = known.get((number, revision))
            if run is None:
                filters = _read_filters(tx, number)
                run = Run(number, revision, bits, entry_bytes, filter_bytes, postings, filters)
            found[number, revision] = run
        with self._lock:
            self._known = found
        return list(found.values())

    def _located(self, tx: Connection, names: Rows) -> Iterator[tuple[Run, bytes]]:
        """Yield the run and the entry of those labels that exist (each row begins with one)."""
        high, low = halves(names)
        order = np.argsort(high)  # each filter is then passed through once, not at random
        high, low = high[order], low[order]
        wanted: dict[int, list[int]] = defaultdict(list)
        owner = {run.number: run for run in self.runs(tx)}
        for run in owner.values():
            alive = run.survivors(high, low)
            places = run.blocks_of(high[alive]) + run.first_place
            for place, index in zip(places.tolist(), order[alive].tolist(), strict=True):
                wanted[place].append(index)
        for place, block in _read_blocks(tx, list(wanted)):
            run = owner[place >> 32]
            for name in {names[index, :LABEL_BYTES].tobytes() for index in wanted[place]}:
                at = _position(block, name, run.entry_bytes)
                if at >= 0:
                    yield run, block[at : at + run.entry_bytes]

    def _remove(self, tx: Connection, gone: Sequence[bytes]) -> int:
        if not gone:
            return 0
        by_run: dict[Run, list[bytes]] = defaultdict(list)
        for run, entry in self._located(tx, np.frombuffer(b"".join(gone), np.uint8).reshape(-1, LABEL_BYTES)):
            by_run[run].append(entry[:LABEL_BYTES])
        for run, labels in by_run.items():
            if len(labels) == run.postings:
                _drop(tx, run)
            else:
                without = np.frombuffer(b"".join(sorted(labels)), np.uint8).reshape(-1, LABEL_BYTES)
                _rewrite(tx, run, without, np.zeros((0, run.entry_bytes), np.uint8))
        return sum(map(len, by_run.values()))

    def _add(self, tx: Connection, rows: Rows) -> None:
        """Put entries into a large run that has room, if they are few, else into a run of their own."""
        for run in self.runs(tx) if len(rows) <= FEW else ():
            room = int(ROOM * PER_BLOCK * (1 << run.bits)) - run.postings
            if (1 << run.bits) >= MANY_BLOCKS and run.entry_bytes == rows.shape[1] and len(rows) <= room:
                _rewrite(tx, run, np.zeros((0, LABEL_BYTES), np.uint8), rows)
                return
        writer = _Writer(tx, len(rows), rows.shape[1])
        writer.write(rows, 0, 1 << writer.bits)
        writer.close()

    def _merge(self, tx: Connection, most: int) -> None:
        """Merge runs of like size until nowhere `FAN` of them are left, as far as `most` postings allow."""
        while True:
            tiers: dict[tuple[int, int], list[Run]] = defaultdict(list)
            for run in self.runs(tx):
                tiers[run.entry_bytes, _tier(run.postings)].append(run)
            for some in tiers.values():
                if len(some) >= FAN and sum(run.postings for run in some) <= min(most, LARGEST):
                    _merge_runs(tx, some)
                    break
            else:
                return


def entries(labels: bytes, sealed: bytes) -> Rows:
    """Return label ‖ sealed, one a row."""
    count = len(labels) // LABEL_BYTES
    if not count:
        return np.zeros((0, LABEL_BYTES), np.uint8)
    if len(sealed) % count or len(labels) % LABEL_BYTES:
        raise StorageError("postings of unequal sizes cannot be stored: this is a bug, please report it")
    left, right = (np.frombuffer(part, np.uint8).reshape(count, -1) for part in (labels, sealed))
    return np.concatenate([left, right], axis=1)


def halves(rows: Rows) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Return both halves of the label of each row as numbers."""
    words = np.ascontiguousarray(rows[:, :LABEL_BYTES]).view(">u8").astype(np.uint64)
    return words[:, 0].copy(), words[:, 1].copy()


class _Writer:
    """Writes a new run, its blocks in order."""

    def __init__(self, tx: Connection, postings: int, entry_bytes: int) -> None:
        self._tx, self._postings, self._entry_bytes = tx, postings, entry_bytes
        self.bits = max(0, ceil(log2(postings / PER_BLOCK)))
        self._filter_bytes = min(FILTER_BITS // 8, 8 * ceil(LABEL_BITS * postings / (1 << self.bits) / 64))
        self._number = 1 + (tx.scalar(select(func.max(posting_runs.c.run))) or 0)
        self._pending = b""
        self._filter_rows = 0

    def write(self, rows: Rows, first: int, last: int) -> None:
        """Write the blocks first … last - 1 of the run from all of their entries, ascending."""
        high, low = halves(rows)
        blocks = _blocks_of(high, self.bits)
        cuts = np.searchsorted(blocks, np.arange(first, last + 1)).tolist()
        data, size = rows.tobytes(), self._entry_bytes
        base = (self._number << 32) + first
        made = [
            {"place": base + number, "entries": data[size * cuts[number] : size * cuts[number + 1]]}
            for number in range(last - first)
        ]
        for some in batches(made):
            self._tx.execute(insert(posting_blocks), list(some))
        self._pending += _filters(blocks - first, high, low, last - first, self._filter_bytes).tobytes()
        self._write_filters(PER_FILTER_ROW * self._filter_bytes)

    def close(self) -> None:
        """Write what is left and the run's own row."""
        self._write_filters(1)
        row = (self._number, _revision(), self.bits, self._entry_bytes, self._filter_bytes, self._postings)
        self._tx.execute(insert(posting_runs).values(dict(zip(_RUN_COLUMNS, row, strict=True))))

    def _write_filters(self, least: int) -> None:
        size = PER_FILTER_ROW * self._filter_bytes
        rows = []
        while len(self._pending) >= least:
            place = (self._number << 32) + self._filter_rows
            rows.append({"place": place, "filters": self._pending[:size]})
            self._pending = self._pending[size:]
            self._filter_rows += 1
        if rows:
            self._tx.execute(insert(posting_filters), rows)


_RUN_COLUMNS = ("run", "revision", "prefix_bits", "entry_bytes", "filter_bytes", "postings")


def _rewrite(tx: Connection, run: Run, without: Rows, rows: Rows) -> None:
    """Take labels out of the blocks of a run and put entries in; both ascending."""
    leaving, coming = (run.blocks_of(halves(part)[0]) for part in (without, rows))
    numbers = np.unique(np.concatenate([leaving, coming]))
    filters = run.filters.reshape(-1, run.filter_bytes).copy()
    changed = []
    for place, block in _read_blocks(tx, (numbers + run.first_place).tolist()):
        number = place - run.first_place
        out = without[slice(*np.searchsorted(leaving, (number, number + 1)))]
        into = rows[slice(*np.searchsorted(coming, (number, number + 1)))]
        kept = _without(np.frombuffer(block, np.uint8).reshape(-1, run.entry_bytes), out)
        now = _sorted(np.concatenate([kept, into]))
        high, low = halves(now)
        filters[number] = _filters(np.zeros(len(now), np.int64), high, low, 1, run.filter_bytes)
        changed.append({"at": place, "now": now.tobytes()})
    blocks = update(posting_blocks).where(posting_blocks.c.place == bindparam("at")).values(entries=bindparam("now"))
    for some in batches(changed):
        tx.execute(blocks, list(some))
    parts = [
        {
            "at": run.first_place + number,
            "now": filters[number * PER_FILTER_ROW : (number + 1) * PER_FILTER_ROW].tobytes(),
        }
        for number in np.unique(numbers // PER_FILTER_ROW).tolist()
    ]
    where = posting_filters.c.place == bindparam("at")
    tx.execute(update(posting_filters).where(where).values(filters=bindparam("now")), parts)
    told = {"revision": _revision(), "postings": run.postings + len(rows) - len(without)}
    tx.execute(update(posting_runs).where(posting_runs.c.run == run.number).values(told))


def _merge_runs(tx: Connection, runs: Sequence[Run]) -> None:
    """Write the postings of all these runs as one, a stretch of labels at a time."""
    writer = _Writer(tx, sum(run.postings for run in runs), runs[0].entry_bytes)
    step = max(0, writer.bits - int(log2(_CHUNK_BLOCKS)))
    whole = {run.number: _read_rows(tx, run, 0, 1 << run.bits) for run in runs if run.bits < step}
    for part in range(1 << step):
        pieces = [
            _stretch(whole[run.number], part, step)
            if run.number in whole
            else _read_rows(tx, run, part << (run.bits - step), (part + 1) << (run.bits - step))
            for run in runs
        ]
        wide = writer.bits - step
        writer.write(_sorted(np.concatenate(pieces)), part << wide, (part + 1) << wide)
    for run in runs:
        _drop(tx, run)
    writer.close()


def _drop(tx: Connection, run: Run) -> None:
    for table in (posting_blocks, posting_filters):
        tx.execute(delete(table).where(table.c.place >= run.first_place, table.c.place < run.end_place))
    tx.execute(delete(posting_runs).where(posting_runs.c.run == run.number))


def _read_rows(tx: Connection, run: Run, first: int, last: int) -> Rows:
    """Return the entries of the blocks first … last - 1, ascending."""
    where = (posting_blocks.c.place >= run.first_place + first, posting_blocks.c.place < run.first_place + last)
    blobs = tx.scalars(select(posting_blocks.c.entries).where(*where).order_by(posting_blocks.c.place))
    return np.frombuffer(b"".join(blobs), np.uint8).reshape(-1, run.entry_bytes)


def _stretch(rows: Rows, part: int, step: int) -> Rows:
    """Return the rows whose label begins with the bits of this part."""
    parts = _blocks_of(halves(rows)[0], step)
    return rows[slice(*np.searchsorted(parts, (part, part + 1)))]


def _read_blocks(tx: Connection, places: Sequence[int]) -> Iterator[tuple[int, bytes]]:
    for some in batches(sorted(places)):
        rows = tx.execute(
            select(posting_blocks.c.place, posting_blocks.c.entries).where(_among(tx, posting_blocks.c.place, some))
        )
        yield from ((place, bytes(block)) for place, block in rows.all())


def _read_filters(tx: Connection, number: int) -> NDArray[np.uint8]:
    where = (posting_filters.c.place >= number << 32, posting_filters.c.place < (number + 1) << 32)
    parts = tx.scalars(select(posting_filters.c.filters).where(*where).order_by(posting_filters.c.place))
    return np.frombuffer(b"".join(parts), np.uint8)


def _among(tx: Connection, column: Column[int], values: Sequence[int]) -> ColumnElement[bool]:
    if tx.dialect.name == "postgresql":
        return column == any_(literal(list(values), ARRAY(BigInteger)))
    return column.in_(values)


def _blocks_of(high: NDArray[np.uint64], bits: int) -> NDArray[np.int64]:
    if bits == 0:
        return np.zeros(len(high), np.int64)
    return (high >> np.uint64(64 - bits)).astype(np.int64)


def _probes(high: NDArray[np.uint64], low: NDArray[np.uint64], filter_bytes: int) -> Iterator[NDArray[np.int64]]:
    """Yield seven bits of a block's filter for each label, from bits of it that do not choose the block."""
    size = 8 * filter_bytes
    for half, shifts in ((low, _SHIFTS), (high, _SHIFTS[:2])):
        for shift in shifts:
            yield (((half >> np.uint64(shift)) & _SPAN).astype(np.int64) * size) >> 11


def _filters(
    blocks: NDArray[np.int64], high: NDArray[np.uint64], low: NDArray[np.uint64], count: int, filter_bytes: int
) -> NDArray[np.uint8]:
    """Return the filters of so many blocks, one after another; `blocks` says in which each label is."""
    flags = np.zeros(count * filter_bytes * 8, np.bool_)
    for probe in _probes(high, low, filter_bytes):
        flags[blocks * (8 * filter_bytes) + probe] = True
    return np.packbits(flags, bitorder="little")


def _sorted(rows: Rows) -> Rows:
    """Return the entries in the order of their labels."""
    high, low = halves(rows)
    order = np.argsort(high)
    ranked = high[order]
    if (ranked[1:] == ranked[:-1]).any():
        order = np.lexsort((low, high))
    return rows.take(order, axis=0)


def _without(rows: Rows, gone: Rows) -> Rows:
    """Return the entries whose label is not among those that go."""
    if not len(gone):
        return rows
    names, others = (np.ascontiguousarray(part[:, :LABEL_BYTES]).view("S16")[:, 0] for part in (rows, gone))
    return rows[~np.isin(names, others)]


def _position(block: bytes, label: bytes, entry_bytes: int) -> int:
    """Return where the entry of a label begins, -1 if it is not there."""
    at = block.find(label)
    while at >= 0 and at % entry_bytes:
        at = block.find(label, at + 1)
    return at


def _tier(postings: int) -> int:
    return int(log2(max(SMALLEST, postings) / SMALLEST) / log2(FAN))


def _revision() -> int:
    """Return a number that no state of a run had before: what is in memory is known by it."""
    return secrets.randbits(62)
