"""How fast the filter is built, opened, looked up in and added to, from 10⁵ to 10⁸ tags: `python -m benchmarks.filter`.

Processor seconds of one core where nothing else is said; look-ups are the best of interleaved rounds, in a file mapped
read-only as the examiner maps it. Beside them what bounds them: one gather per tag from a table of the same size, by
`numpy.take` and by a compiled loop. Random tags, seeded; 10⁸ tags need 600 MB of memory and of disk.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.filtering import FilterChanges, rebuild
from app.stores import Stores
from matchers.compiled import compiled
from matchers.filter import LAYOUT, BloomFilter
from matchers.fingerprints import Enroller
from matchers.keys import LinkageKey
from model.record import LinkageColumn, LinkageSchema, Record
from storage.database import Database
from storage.filter_file import FilterState, open_filter, write

CHUNK = 10**7
BATCH = 1 << 14
"""Tags looked up in one call, as many as a few pages hold."""
SIZES = (10**5, 10**6, 10**7, 10**8)


def main() -> None:
    """Measure each size, then an enrolment, and print tables."""
    parser = argparse.ArgumentParser(description="How fast the filter is built, opened, looked up in and added to.")
    parser.add_argument("--most", type=int, default=SIZES[-1], help="largest number of tags")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    sizes = [size for size in SIZES if size <= options.most]
    print("| tags | built, million tags/s | bytes/tag | strangers that pass | opened | 20 tags added and noted |")
    with tempfile.TemporaryDirectory() as folder:
        stores = Stores.of(Database.open(f"sqlite:///{folder}/spillwatch.db"))
        for size in sizes:
            built(size, Path(folder), stores)
        print("| tags | look-up, ns/tag | half known | numpy take of a word | compiled gather of a word |")
        for size, row in looked_up(sizes, Path(folder), options.rounds).items():
            print(f"| {size:,} | " + " | ".join(f"{value:.1f}" for value in row) + " |")
        from_database(stores, Path(folder))
        stores.database.close()


def path_of(size: int, folder: Path) -> Path:
    """Return where the filter of so many tags lies."""
    return folder / f"filter-{size}"


def built(size: int, folder: Path, stores: Stores) -> None:
    """Build and write the filter of so many tags, open it, add to it, and print what that cost."""
    generator = np.random.default_rng(size)
    members = BloomFilter.sized(size)
    members.add(np.zeros(0, np.uint64))
    seconds = 0.0
    for first in range(0, size, CHUNK):
        tags = generator.integers(0, 2**64, min(CHUNK, size - first), dtype=np.uint64)
        begun = time.process_time()
        members.add(tags)
        seconds += time.process_time() - begun
    strangers = generator.integers(0, 2**64, 2_000_000, dtype=np.uint64)
    passed = 100 * len(members.survivors(strangers)) / len(strangers)
    path = path_of(size, folder)
    write(path, FilterState(stores.facts.filter_version(), LAYOUT, size), members.words)
    begun = time.perf_counter()
    mapped = BloomFilter(open_filter(path).words)
    opened = 1e3 * (time.perf_counter() - begun)
    newest = generator.integers(0, 2**64, 20, dtype=np.uint64)
    begun = time.perf_counter()
    with FilterChanges(path, stores.facts) as changes:
        changes.commit(newest, lambda: stores.records.apply(()))
    added = 1e3 * (time.perf_counter() - begun)
    assert len(mapped.survivors(newest)) == len(newest), "an open map does not see what was added"
    speed, each = size / seconds / 1e6, members.words.nbytes / size
    print(f"| {size:,} | {speed:.1f} | {each:.2f} | {passed:.4f} % | {opened:.2f} ms | {added:.1f} ms |")


def looked_up(sizes: list[int], folder: Path, rounds: int) -> dict[int, list[float]]:
    """Return for each size nanoseconds per tag: strangers, half of them known, and the two bare gathers."""
    generator = np.random.default_rng(23)
    queries = generator.integers(0, 2**64, 2_000_000, dtype=np.uint64)
    best: dict[int, list[float]] = {size: [np.inf] * 4 for size in sizes}
    for _ in range(rounds):
        for size in sizes:
            known = np.random.default_rng(size).integers(0, 2**64, min(CHUNK, size), dtype=np.uint64)
            half = np.where(np.arange(len(queries)) % 2 == 0, np.resize(known, len(queries)), queries)
            words = np.asarray(open_filter(path_of(size, folder)).words)
            places = ((queries >> np.uint64(32)) * np.uint64(len(words)) >> np.uint64(32)).view(np.int64)
            members = BloomFilter(words)
            ways = (
                in_batches(members.survivors, queries),
                in_batches(members.survivors, half),
                in_batches(words.take, places),
                in_batches(partial(_gather, words, np.empty(BATCH, np.uint64)), places),
            )
            best[size] = [min(before, way()) for before, way in zip(best[size], ways, strict=True)]
    return best


def in_batches(call: Callable[[Any], object], items: NDArray[Any]) -> Callable[[], float]:
    """Return what measures the call over the items, in nanoseconds per item."""

    def measure() -> float:
        call(items[:1])
        begun = time.process_time()
        for first in range(0, len(items), BATCH):
            call(items[first : first + BATCH])
        return (time.process_time() - begun) / len(items) * 1e9

    return measure


@compiled
def _gather(words: NDArray[np.uint64], out: NDArray[np.uint64], places: NDArray[np.int64]) -> None:
    """Copy the words at these places: the least that any look-up must do, as fast as a plain loop can ask for it."""
    for index in range(len(places)):
        out[index] = words[places[index]]


def from_database(stores: Stores, folder: Path) -> None:
    """Print how fast the filter is built from the database alone: reading and opening every record's tokens."""
    columns = {"name": "person_name", "mrn": "mrn", "phone": "phone", "birth_date": "birth_date"}
    schema = LinkageSchema("ref", {name: LinkageColumn(kind) for name, kind in columns.items()})
    enroller = Enroller(LinkageKey(bytes(range(32))), schema)
    for first in range(0, 4_000, 500):
        rows = [
            Record(
                f"R-{number}",
                number,
                {"name": f"Person {number:05}", "mrn": f"{20_000_000 + number}", "phone": f"139{number:08}"},
            )
            for number in range(first, first + 500)
        ]
        stores.records.add(enroller.fingerprint(rows, stores.records)[0])
    postings = stores.records.count().postings
    begun = time.process_time()
    rebuild(folder / "filter", enroller, stores)
    seconds = time.process_time() - begun
    print(f"built from a database of 4,000 records, {postings} tags: {4_000 / seconds:,.0f} records/s")


if __name__ == "__main__":
    main()
