"""A case: one leak or one clean item, with what it holds; and the files in which a bench keeps them."""

import csv
import gzip
import json
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from operator import itemgetter
from pathlib import Path
from typing import Any

from benchmarks.accuracy.records import COLUMNS, Hospital


@dataclass(frozen=True, slots=True)
class Case:
    """What is posted, in one post or in several of one thread."""

    kind: str
    language: str
    posts: tuple[str, ...]
    truth: tuple[str, ...] = ()
    """References of those it shows; empty for a clean item."""
    fair: tuple[str, ...] = ()
    """References of others whom it is fair to report."""
    buried: bool = False
    hard: bool = False
    number: int = 0

    @property
    def items(self) -> list[dict[str, Any]]:
        """Return the lines of a feed."""
        thread = f"t{self.number}" if len(self.posts) > 1 else None
        return [
            {"item_id": f"i{self.number}-{part}", "thread_id": thread, "text": text}
            for part, text in enumerate(self.posts)
        ]


def numbered(cases: Iterable[Case]) -> list[Case]:
    """Return the cases, each with a number of its own."""
    return [replace(case, number=at) for at, case in enumerate(cases)]


def shuffled(cases: Sequence[Case]) -> list[dict[str, Any]]:
    """Return the feed: all items in random order, those of a thread in theirs."""
    chance = random.Random(len(cases))
    keyed = []
    for case in cases:
        keys = sorted(chance.random() for _ in case.posts)
        keyed += zip(keys, case.items, strict=True)
    return [item for _, item in sorted(keyed, key=itemgetter(0))]


def write(folder: Path, hospital: Hospital, cases: Sequence[Case]) -> None:
    """Write a bench: enrol.csv, vip.csv, feed.jsonl, leaks.jsonl, clean.jsonl, all gzipped."""
    folder.mkdir(parents=True, exist_ok=True)
    with gzip.open(folder / "enrol.csv.gz", "wt", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, COLUMNS)
        table.writeheader()
        table.writerows(patient.row for patient in hospital.patients)
    with gzip.open(folder / "vip.csv.gz", "wt", encoding="utf-8") as file:
        figures = [patient.record_id for patient in hospital.patients if patient.public_figure]
        file.write("\n".join(["record_id", *figures]) + "\n")
    _write_lines(folder / "feed.jsonl.gz", shuffled(cases))
    _write_lines(folder / "leaks.jsonl.gz", (line for case in cases if case.truth for line in _told(case)))
    _write_lines(folder / "clean.jsonl.gz", (line for case in cases if not case.truth for line in _told(case)))


def _told(case: Case) -> Iterable[dict[str, Any]]:
    kind = f"hard_{case.kind}" if case.hard else case.kind
    for item in case.items:
        yield {
            **item, "kind": kind.replace(" ", "_"), "lang": case.language, "record_ids": list(case.truth),
            "also_ok": list(case.fair),
        }  # fmt: skip


def _write_lines(path: Path, lines: Iterable[dict[str, Any]]) -> None:
    with gzip.open(path, "wt", encoding="utf-8") as file:
        file.writelines(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
