"""How fast the line is: enrolment, and examination beside plaintext search.

`python -m benchmarks.line [enrol|examine …]`. Examination is compared, in one run and on the same posts, with
plaintext Aho-Corasick over as many identifiers as there are tags; those engines do not normalise, mask, combine or
excerpt, and hold the plaintext. Processor seconds of one core.
Records are invented by a fixed seed; posts are those of benchmarks/kernel.py.
"""

import argparse
import random
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import ahocorasick
import ahocorasick_rs
import numpy as np
from stdnum.cn import ric

from app.enrol import enrol
from benchmarks.kernel import corpus
from matchers.engine import Engine
from matchers.filter import BloomFilter
from matchers.fingerprints import Enroller
from matchers.interface import MatchingSettings
from matchers.kernel import Kernel
from matchers.keys import LinkageKey, LocalEvaluator
from matchers.postings import SEALED_BYTES
from model.fingerprint import Batch
from model.page import Passage
from model.record import LinkageColumn, LinkageSchema, Record
from storage.database import Database
from storage.records import RecordStore

KINDS = {
    "name": "person_name", "resident_id": "resident_id", "phone": "phone", "email": "email",
    "mrn": "mrn", "birth_date": "birth_date", "address": "address",
}  # fmt: skip
SCHEMA = LinkageSchema("ref", {name: LinkageColumn(kind) for name, kind in KINDS.items()})
NOTED = LinkageSchema("ref", {**SCHEMA.columns, "note": LinkageColumn("note")})
FULL = NOTED
IDENTIFIERS = LinkageSchema("ref", {name: SCHEMA.columns[name] for name in ("resident_id", "phone", "email", "mrn")})
"""What is enrolled where no names and no texts are: then a page is not searched for them."""
SURNAMES, GIVEN = "赵钱孙李周吴郑王冯陈褚卫蒋沈韩杨", "明华丽强芳伟敏静磊洋艳勇军杰娟涛超霞平刚"


def rows(count: int, *, notes: bool = False) -> Iterator[Record]:
    """Yield invented records: valid in form, area codes and numbers that were never issued."""
    chooser = random.Random(7)
    for number in range(count):
        born = f"{chooser.randint(1930, 2015)}{chooser.randint(1, 12):02}{chooser.randint(1, 28):02}"
        resident = f"999{chooser.randint(0, 999):03}{born}{chooser.randint(0, 999):03}"
        values = {
            "name": chooser.choice(SURNAMES) + "".join(chooser.choices(GIVEN, k=2)),
            "resident_id": resident + ric.calc_check_digit(resident + "0"),
            "phone": f"154{chooser.randint(0, 10**8 - 1):08}",
            "email": f"user{number}.{chooser.randint(0, 9999)}@example.org",
            "mrn": f"MR{chooser.randint(0, 10**8 - 1):08}",
            "birth_date": f"{born[:4]}-{born[4:6]}-{born[6:]}",
            "address": f"云雀市磨坊街{chooser.randint(1, 999)}号{chooser.randint(101, 3999)}室",
        }
        if notes:
            values["note"] = "".join(chooser.choices(GIVEN + SURNAMES + "痛热咳喘肿血压三五天", k=200))
        yield Record(f"R-{number}", number + 1, values)


def measure_enrolment(postings: int) -> None:
    """Print records per processor second, from record to committed SQLite, with and without a note of 200 Han."""
    for label, schema, count, notes in (("rows", SCHEMA, 20_000, False), ("rows with a note", NOTED, 8000, True)):
        records = list(rows(count, notes=notes))
        with tempfile.TemporaryDirectory() as folder:
            database = Database.open(f"sqlite:///{folder}/bench.db")
            store = RecordStore(database)
            enroller = Enroller(LinkageKey.generate(), schema)
            enrol([Record("warm", 1, records[0].values)], enroller, store)
            started, wall = time.process_time(), time.perf_counter()
            report = enrol(records, enroller, store, workers=1)
            spent, passed = time.process_time() - started, time.perf_counter() - wall
            assert report.added == count, report.refused[:3]
            size = sum(file.stat().st_size for file in Path(folder).iterdir())
            per = store.count().postings / count
            text = sum(len(record.values.get("note", "").encode()) for record in records) / 1e6
            told = f", {text / spent:.2f} MB/s of notes" if notes else ""
            print(
                f"| enrol {label} | {count / spent:,.0f} records per processor second "
                f"({count / passed:,.0f} wall){told} | {per:.1f} postings a row, {size / count / 1024:.1f} KiB each |"
            )
            database.close()
    _measure_postings(postings)


def _measure_postings(count: int) -> None:
    """Print what a store of so many random postings costs to fill, to ask, and to add a record of 30 to."""
    chance = np.random.default_rng(3)
    with tempfile.TemporaryDirectory() as folder:
        store = RecordStore(Database.open(f"sqlite:///{folder}/bench.db"))
        known: list[bytes] = []

        def batch(size: int) -> Batch:
            names = np.sort(chance.integers(0, 256, (size, 16), np.uint8).view("S16")[:, 0])
            known.extend(names[:: max(1, size // 500)].tolist())
            return Batch((), names.tobytes(), chance.bytes(SEALED_BYTES * size))

        started = time.process_time()
        for _ in range(-(-count // 100_000)):
            store.add(batch(100_000))
        spent = time.process_time() - started
        print(f"| store {count:,} postings, merges included | {1e6 * spent / count:.2f} us each | |")
        strangers = [chance.bytes(16) for _ in range(100_000)]
        for label, names in (("there", [name for name in known if len(name) == 16]), ("not there", strangers)):
            store.postings(names[:10])
            started = time.process_time()
            found = store.postings(names)
            spent = time.process_time() - started
            assert len(found) == (len(names) if label == "there" else 0)
            print(f"| look up labels that are {label}, among {count:,} | {len(names) / spent:,.0f} per second | |")
        started = time.perf_counter()
        store.add(batch(30))
        print(f"| one record more among {count:,} postings | {1e3 * (time.perf_counter() - started):.0f} ms | |")


def measure_examination(characters: int, most: int) -> None:
    """Print MB/s of the engine and of two plaintext engines, and how many times as fast it is, for each corpus."""
    source, every = corpus(characters)
    corpora = {"mixed": every, "English": [post for post in every if _share_of_han(post) < 0.02],
               "Chinese": [post for post in every if _share_of_han(post) > 0.5]}  # fmt: skip
    print(f"text: {source}")
    for name, posts in corpora.items():
        cut = _of_size(posts, 4096)
        size = sum(len(post.encode()) for post in posts) / 1e6
        print(f"{name}: {len(posts)} posts, {size:.1f} MB; {len(cut)} of 4 KB")
        corpora[name] = cut
    print("| Posts | Tags | What | MB/s | Posts of 4 KB/s | times pyahocorasick | times ahocorasick_rs |")
    print("|---|---|---|---|---|---|---|")
    for tags in (10**5, 10**6, 10**7):
        if tags <= most:
            _beside_plaintext(tags, corpora)


def _beside_plaintext(tags: int, corpora: dict[str, list[str]]) -> None:
    """Print the figures for so many tags."""
    peers = {"pyahocorasick": _pyahocorasick(tags), "ahocorasick_rs": _ahocorasick_rs(tags)}
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as other:
        ways = {
            "all kinds": partial(_examine, _engine(folder, tags, FULL)),
            "identifiers only": partial(_examine, _engine(other, tags, IDENTIFIERS)),
            **peers,
        }
        for corpus_name, posts in corpora.items():
            best = dict.fromkeys(ways, float("inf"))
            for _ in range(3):
                for name, way in ways.items():
                    started = time.process_time()
                    way(posts)
                    best[name] = min(best[name], time.process_time() - started)
            size = sum(len(post.encode()) for post in posts) / 1e6
            for name, seconds in best.items():
                ratios = " | ".join(f"{best[peer] / seconds:.2f}" for peer in peers)
                print(
                    f"| {corpus_name} | 10^{len(str(tags)) - 1} | {name} | {size / seconds:.1f} | "
                    f"{len(posts) / seconds:,.0f} | {ratios} |", flush=True,
                )  # fmt: skip


def _share_of_han(text: str) -> float:
    return sum("\u4e00" <= character <= "\u9fff" for character in text) / max(1, len(text))


def _of_size(posts: Sequence[str], size: int) -> list[str]:
    """Return the posts joined by line feeds and cut to about so many bytes of UTF-8."""
    whole = "\n".join(posts)
    step = max(1, len(whole) * size // len(whole.encode()))
    return [whole[first : first + step] for first in range(0, len(whole), step)]


def _engine(folder: str, tags: int, schema: LinkageSchema) -> Engine:
    """Enrol 2,000 records for real and fill the filter up to `tags` with random ones, as more records would."""
    key = LinkageKey.generate()
    store = RecordStore(Database.open(f"sqlite:///{folder}/bench.db"))
    enroller = Enroller(key, schema)
    report = enrol(_mixed(2000, schema), enroller, store)
    assert report.added == 2000, report.refused[:3]
    real = np.concatenate([enroller.filter_tags(tokens) for _, tokens in store.tokens()])
    filled = np.random.default_rng(1).integers(0, 2**64, max(0, tags - real.size), np.uint64)
    tag_filter = BloomFilter.build(np.concatenate([real, filled]))
    return Engine(LocalEvaluator(key, 1), Kernel(key.kernel_key(1)), tag_filter, store, MatchingSettings())


def _mixed(count: int, schema: LinkageSchema) -> Iterator[Record]:
    """Yield records of which every other one has an English name, address and note, with the columns of the schema."""
    chooser = random.Random(11)
    for record in rows(count, notes=True):
        values = dict(record.values)
        if record.row % 2:
            words = ["".join(chooser.choices("bcdfglmnprstv", k=1) + chooser.choices("aeiou", k=1)) for _ in range(400)]
            names = ["".join(words[at : at + 3]).capitalize() for at in range(0, 400, 3)]
            values |= {"name": f"{names[0]} {names[1]}", "note": " ".join(names[2:90]).lower(),
                       "address": f"{chooser.randint(1, 99)} {names[90]} Lane, {names[91]}"}  # fmt: skip
        yield Record(record.ref, record.row, {name: value for name, value in values.items() if name in schema.columns})


def _examine(engine: Engine, posts: Sequence[str]) -> None:
    """Examine the posts in batches of 64, as the examiner does."""
    for start in range(0, len(posts), 64):
        engine.examine_many([[Passage(post, "body")] for post in posts[start : start + 64]])


def _identifiers(count: int) -> list[str]:
    """Return random identifiers with any beginning: an automaton over one prefix would hardly leave its root."""
    chooser = random.Random(9)
    shapes = (
        lambda: f"{chooser.randint(10**17, 10**18 - 1)}",
        lambda: f"1{chooser.randint(3 * 10**9, 10**10 - 1)}",
        lambda: "".join(chooser.choices("abcdefghijklmnopqrstuvwxyz", k=8)) + "@example.org",
        lambda: f"{chooser.choice('ABHMYZ')}{chooser.randint(0, 10**8 - 1):08}",
    )
    return [shapes[number % 4]() for number in range(count)]


def _pyahocorasick(tags: int) -> Callable[[Sequence[str]], object]:
    automaton = ahocorasick.Automaton()
    for number, value in enumerate(_identifiers(tags)):
        automaton.add_word(value, number)
    automaton.make_automaton()
    return lambda posts: [list(automaton.iter(post)) for post in posts]


def _ahocorasick_rs(tags: int) -> Callable[[Sequence[str]], object]:
    automaton = ahocorasick_rs.AhoCorasick(_identifiers(tags))
    return lambda posts: [automaton.find_matches_as_indexes(post) for post in posts]


def main() -> None:
    """Measure what was asked for, or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", nargs="*", default=["enrol", "examine"])
    parser.add_argument("--characters", type=int, default=1_500_000)
    parser.add_argument("--tags", type=int, default=10**6, help="up to so many; plaintext of 10^7 needs 5 GB")
    parser.add_argument("--postings", type=int, default=2_000_000)
    options = parser.parse_args()
    if "enrol" in options.what:
        measure_enrolment(options.postings)
    if "examine" in options.what:
        measure_examination(options.characters, options.tags)


if __name__ == "__main__":
    main()
