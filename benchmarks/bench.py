"""Runs Spillwatch on a bench of leaks and clean items: `python -m benchmarks.bench FOLDER`, or the file itself.

The folder holds enrol.csv, vip.csv and feed.jsonl, each gzipped or not, as `benchmarks/accuracy.py --write` makes them
too, and leaks.jsonl and clean.jsonl if it is to be scored. A temporary installation enrols the records and examines
the feed by the command line, as an outsider would.
"""

import argparse
import csv
import gzip
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:  # run as a file, the checkout is not on the path
    sys.path.insert(0, str(ROOT))

from matchers.kinds import kinds  # noqa: E402 - found only now

KINDS = {
    "name": "person_name", "national_id": "national_id", "phone": "phone", "mrn": "mrn", "address": "address",
    "birth_date": "birth_date", "email": "email", "note": "note",
}  # fmt: skip
"""Columns of enrol.csv, each the kind that it is enrolled as; the reference stands in `record_id`."""
MORE_KINDS = ("department", "visit_day")
"""Columns that are called as their kind, enrolled where this version knows it."""


def install(folder: Path) -> Path:
    """Make an installation in the folder that takes the columns of a bench; return its config.yaml."""
    spillwatch(None, "init", "--into", str(folder))
    config = folder / "config.yaml"
    change(config, enrolment={"ref": "record_id", "columns": KINDS}, evidence={"screenshot": False})
    return config


def change(config: Path, **sections: dict[str, Any]) -> None:
    """Write keys of sections into config.yaml."""
    yaml = YAML()
    tree = yaml.load(config.read_text("utf-8"))
    for section, keys in sections.items():
        tree[section] = {**(tree.get(section) or {}), **keys}
    with config.open("w", encoding="utf-8") as file:
        yaml.dump(tree, file)


def spillwatch(config: Path | None, *words: str) -> "subprocess.CompletedProcess[str]":
    """Run a command; anything but the exit codes 0 and 1, and 2 of an examination, ends the run."""
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    environment = {**os.environ, "PYTHONPATH": path}
    if config is not None:
        environment["SPILLWATCH_CONFIG"] = str(config)
    command = [sys.executable, "-m", "app.cli", *words]
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if ended.returncode not in (0, 1) and (words[0] != "examine" or not ended.stdout.strip()):
        sys.exit(f"{' '.join(words)}: exit code {ended.returncode}\n{ended.stderr[-3000:]}")
    return ended


def found(folder: Path, name: str) -> Path | None:
    """Return the file of that name in a bench, gzipped or not; None if it has none."""
    return next((path for path in (folder / name, folder / f"{name}.gz") if path.exists()), None)


def unpacked(source: Path, target: Path) -> Path:
    """Copy a file, unpacked if it is gzipped."""
    if source.suffix == ".gz":
        with gzip.open(source) as packed, target.open("wb") as plain:
            shutil.copyfileobj(packed, plain)
    else:
        shutil.copyfile(source, target)
    return target


def enrol(config: Path, bench: Path, folder: Path) -> None:
    """Enrol the records of a bench and say what became of the rows."""
    source = found(bench, "enrol.csv")
    if source is None:
        sys.exit(f"{bench}: no enrol.csv or enrol.csv.gz")
    rows = unpacked(source, folder / "enrol.csv")
    with rows.open(encoding="utf-8", newline="") as lines:
        columns = set(next(csv.reader(lines)))
    known = {**KINDS, **{name: name for name in MORE_KINDS if name in kinds()}}
    wanted = {name: known.get(name, "ignore") for name in sorted(columns - {"record_id"})}
    change(config, enrolment={"ref": "record_id", "columns": wanted})
    started = time.perf_counter()
    ended = spillwatch(config, "enrol", str(rows), *public_figures(bench, folder))
    print(f"enrolled in {time.perf_counter() - started:.1f} s wall: {' '.join(ended.stdout.split())}")
    refused = [line for line in ended.stderr.splitlines() if "row" in line]
    for line in refused[:5]:
        print(f"  {line.replace(str(folder), '')}")


def public_figures(bench: Path, folder: Path) -> list[str]:
    """Return the words that mark public figures at enrolment, where this version of `enrol` knows any."""
    source = found(bench, "vip.csv")
    if source is None or "--public-figures" not in spillwatch(None, "enrol", "--help").stdout:
        return []
    with unpacked(source, folder / "vip.csv").open(encoding="utf-8") as lines:
        refs = [row[0].strip() for row in csv.reader(lines) if row][1:]
    listed = folder / "vip.txt"
    listed.write_text("\n".join(refs) + "\n", "utf-8")
    return ["--public-figures", str(listed)]


def examine(config: Path, feed: Path, out: Path) -> float:
    """Examine a feed and return the seconds of wall clock it took, start of the processes included."""
    started = time.perf_counter()
    ended = spillwatch(config, "examine", "--jsonl", str(feed), "--out", str(out))
    passed = time.perf_counter() - started
    print(f"examined in {passed:.1f} s wall: {ended.stdout.strip()}")
    return passed


def scorer_above(bench: Path) -> Path | None:
    """Return the score_bench.py that lies in a folder above the bench, the nearest; None if there is none."""
    return next((path for above in bench.parents if (path := above / "score_bench.py").exists()), None)


def main() -> None:
    """Enrol, examine, score."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bench", type=Path)
    parser.add_argument("--out", type=Path, help="keep the answers in this file")
    parser.add_argument("--scorer", type=Path, help="takes folder and answers; default: score_bench.py above")
    parser.add_argument("--threshold", type=float, default=0.0, help="handed to the scorer")
    parser.add_argument("--installation", type=Path, help="keep the installation here; enrolled already: used again")
    options = parser.parse_args()
    feed = found(options.bench, "feed.jsonl")
    if feed is None:
        sys.exit(f"{options.bench}: no feed.jsonl or feed.jsonl.gz")
    with tempfile.TemporaryDirectory(prefix="spillwatch-bench-") as temporary:
        folder = Path(temporary)
        kept = options.installation or folder / "installation"
        config = kept / "config.yaml"
        if not config.exists():
            enrol(install(kept), options.bench, folder)
        answers = options.out or folder / "answers.jsonl"
        examine(config, feed, answers)
        scorer = options.scorer or scorer_above(options.bench.resolve())
        if scorer is not None:
            command = [sys.executable, str(scorer), str(options.bench), str(answers)]
            subprocess.run([*command, "--threshold", str(options.threshold)], check=True)


if __name__ == "__main__":
    main()
