"""How well leaks are found, of every kind, and what is taken for one: `python -m benchmarks.accuracy [--quick]`.

Records, leaks and clean items are made by a seed, from the public data beside the checkout where it lies there and
from invented material otherwise. The command line enrols and examines them as an outsider would have it. Other tools
see the same items in plaintext. `--write FOLDER` keeps the bench in the files that benchmarks/bench.py reads.
"""

import argparse
import json
import random
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks import bench
from benchmarks.accuracy import kinds, rivals, tables
from benchmarks.accuracy.cases import Case, numbered, write
from benchmarks.accuracy.clean import Clean
from benchmarks.accuracy.leaks import Leaks
from benchmarks.accuracy.public import Sources
from benchmarks.accuracy.records import Hospital

SHARED = Path(__file__).resolve().parents[2] / ".." / "shared" / "data"
FUZZY_RECORDS = 150
"""Records that rapidfuzz compares each text with, at tens of microseconds for each field; more would take days."""


def main() -> None:
    """Make, examine, compare, print."""
    options = _options()
    sources = Sources(None if options.invented else options.data, random.Random(options.seed))
    hospital = Hospital(sources, options.records)
    leaks = list(kinds.cases(Leaks(hospital), options.each))
    cases = numbered([*leaks, *Clean(hospital).cases(options.clean, options.hard)])
    leaked, clean = [case for case in cases if case.truth], [case for case in cases if not case.truth]
    said = f"{sources.name}, seed {options.seed}: {len(hospital.patients):,} records"
    print(f"{said}; {len(leaked):,} leaks, {len(clean):,} clean items\n")
    with tempfile.TemporaryDirectory(prefix="spillwatch-accuracy-") as temporary:
        folder = options.write or Path(temporary) / "bench"
        write(folder, hospital, cases)
        if options.write_only:
            return
        out = options.answers or examined(folder, Path(temporary), keep=options.write is not None)
        ours = told(out, cases)
    others = compared(hospital, cases, options)
    print()
    tables.print_recall(leaked, ours, others)
    tables.print_false_alerts(clean, ours, others)


def examined(folder: Path, temporary: Path, *, keep: bool) -> Path:
    """Enrol and examine a bench by the command line; return the file of answers."""
    config = bench.install(temporary / "installation")
    bench.enrol(config, folder, temporary)
    out = (folder if keep else temporary) / "answers.jsonl"
    bench.examine(config, folder / "feed.jsonl.gz", out)
    return out


def told(out: Path, cases: Sequence[Case]) -> dict[int, set[str]]:
    """Return whom each case is said to show; every item must have been answered."""
    found: dict[int, set[str]] = {case.number: set() for case in cases}
    answered = 0
    with out.open(encoding="utf-8") as lines:
        for line in lines:
            answer = json.loads(line)
            answered += 1
            number = int(answer["item_id"][1:].partition("-")[0])
            found[number] |= {match["ref"] for match in answer["matches"]}
    items = sum(len(case.posts) for case in cases)
    if answered != items:
        raise SystemExit(f"{out}: {answered} answers for {items} items")
    return found


def compared(
    hospital: Hospital, cases: Sequence[Case], options: argparse.Namespace
) -> Mapping[str, dict[int, set[str]]]:
    """Return what others find, each of as many cases as its pace allows."""
    chance = random.Random(options.seed)
    started = time.perf_counter()
    found = {"Aho-Corasick + regex": rivals.answers(cases, rivals.aho_corasick(hospital))}
    print(f"Aho-Corasick + regex: {len(cases)} cases in {time.perf_counter() - started:.1f} s")
    few = rivals.sample(cases, options.fuzzy, chance)
    shown = {ref for case in few for ref in case.truth}
    pool = [patient for patient in hospital.patients if patient.record_id in shown]
    pool += chance.sample(hospital.patients, min(FUZZY_RECORDS, len(hospital.patients)))
    pool = list({patient.record_id: patient for patient in pool}.values())
    started = time.perf_counter()
    found["rapidfuzz"] = rivals.answers(few, rivals.rapidfuzz(pool))
    print(f"rapidfuzz: {len(few)} cases against {len(pool)} records in {time.perf_counter() - started:.1f} s")
    finds = rivals.presidio()
    if finds is None:
        print("Presidio: not installed")
    else:
        found["Presidio"] = rivals.answers(rivals.sample(cases, 5 * options.fuzzy, chance), finds)
    return found


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--records", type=int, default=20_000, help="records, half of them Chinese")
    parser.add_argument("--each", type=int, default=100, help="leaks of each kind and language")
    parser.add_argument("--clean", type=int, default=20_000, help="ordinary items")
    parser.add_argument("--hard", type=int, default=5_000, help="hard negatives")
    parser.add_argument("--fuzzy", type=int, default=2, help="cases of each kind and language that rapidfuzz sees")
    parser.add_argument("--quick", action="store_true", help="3,000 records and a few minutes")
    parser.add_argument("--data", type=Path, default=SHARED if SHARED.exists() else None, help="public data")
    parser.add_argument("--invented", action="store_true", help="invented material even where public data is there")
    parser.add_argument("--write", type=Path, help="keep the bench in this folder")
    parser.add_argument("--answers", type=Path, help="count the answers of an earlier run with the same options")
    parser.add_argument("--write-only", action="store_true", help="make the bench and stop")
    options = parser.parse_args()
    if options.quick:
        options.records, options.each, options.clean, options.hard, options.fuzzy = 3_000, 12, 2_100, 600, 1
    return options


if __name__ == "__main__":
    main()
