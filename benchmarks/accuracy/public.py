"""What records and posts are made of: public data where it lies beside the checkout, invented data otherwise."""

import csv
import gzip
import io
import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from app.demo import clinical_phrases, make_patients
from benchmarks.accuracy import phrases

Weighted = tuple[list[str], list[float]]
"""Choices and how often each is taken."""


@dataclass(frozen=True)
class Sources:
    """The material of one run. `folder` is the public data, or None for invented material only."""

    folder: Path | None
    chance: random.Random = field(repr=False)

    @property
    def name(self) -> str:
        """Say where the material is from."""
        return "public data" if self.folder else "invented data"

    @cached_property
    def surnames(self) -> Weighted:
        """Return Chinese surnames with their frequencies."""
        if self.folder is None:
            return list(make_patients.SURNAMES), [1.0] * len(make_patients.SURNAMES)
        rows = self._table("zh_names/surnames.tsv.gz", "\t")
        return [row["surname"] for row in rows], [float(row["n"]) for row in rows]

    @cached_property
    def given(self) -> Weighted:
        """Return characters of Chinese given names with their frequencies."""
        if self.folder is None:
            return list(make_patients.GIVEN), [1.0] * len(make_patients.GIVEN)
        rows = self._table("zh_names/given_chars.tsv.gz", "\t")
        return [row["character"] for row in rows], [float(row["n_male"]) + float(row["n_female"]) for row in rows]

    @cached_property
    def western(self) -> tuple[list[str], list[str]]:
        """Return English first and last names, each as often as it is met."""
        if self.folder is None:
            return phrases.first_names(), phrases.last_names()
        rows = self._febrl
        firsts = [row["given_name"].title() for row in rows if row["given_name"]]
        return [*firsts, *phrases.first_names() * 3], [row["surname"].title() for row in rows if row["surname"]]

    @cached_property
    def chinese_places(self) -> list[tuple[str, str]]:
        """Return (area code of six digits, address down to the street)."""
        if self.folder is None:
            towns, streets = make_patients.CHINESE_TOWNS, make_patients.CHINESE_STREETS
            return [(f"999{number:03}", town + street) for number, town in enumerate(towns, 901) for street in streets]
        province = {row["code"]: row["name"] for row in self._table("zh_divisions/provinces.csv.gz")}
        city = {row["code"]: row["name"] for row in self._table("zh_divisions/cities.csv.gz")}
        area = {row["code"]: row["name"] for row in self._table("zh_divisions/areas.csv.gz")}
        return [
            (
                row["areaCode"],
                province[row["provinceCode"]] + city[row["cityCode"]] + area[row["areaCode"]] + row["name"],
            )
            for row in self._table("zh_divisions/streets.csv.gz")
            if row["areaCode"] in area and city[row["cityCode"]] != "市辖区"
        ]

    @cached_property
    def english_places(self) -> list[str]:
        """Return English addresses without the house number."""
        if self.folder is None:
            towns, streets = make_patients.ENGLISH_TOWNS, make_patients.ENGLISH_STREETS
            return [f"{street}, {town}" for town in towns for street in streets]
        return [
            f"{row['address_1'].title()}, {row['suburb'].title()} {row['state'].upper()} {row['postcode']}"
            for row in self._febrl
            if row["address_1"] and row["suburb"] and row["postcode"]
        ]

    @cached_property
    def notes(self) -> dict[str, list[str]]:
        """Return notes written by others, by language, each once; none where no public data is there."""
        found: dict[str, list[str]] = {"zh": [], "en": []}
        if self.folder is not None:
            for row in self._table("bench_dev/enrol.csv.gz"):
                if len(note := row["note"].strip()) >= 120:
                    found["zh" if han_share(note) > 0.3 else "en"].append(note)
        return {language: list(dict.fromkeys(notes)) for language, notes in found.items()}

    @cached_property
    def posts(self) -> dict[str, list[str]]:
        """Return ordinary posts by language: what leaks are buried in and clean items are made of."""
        if self.folder is None:
            return {language: list(phrases.posts(language)) for language in ("zh", "en")}
        found: dict[str, list[str]] = {"zh": [], "en": []}
        for item in self._lines("bench_dev/clean.jsonl.gz"):
            if "hard" not in item["kind"] and item["kind"] not in ("encoded_clean", "long_page"):
                found["zh" if han_share(item["text"]) > 0.3 else "en"].append(item["text"])
        return found

    @cached_property
    def questions(self) -> dict[str, list[str]]:
        """Return medical questions of strangers, by language; none where no public data is there."""
        found: dict[str, list[str]] = {"zh": [], "en": []}
        if self.folder is not None:
            for item in self._lines("bench_dev/clean.jsonl.gz"):
                if item["kind"].endswith("patient_qa"):
                    found[item["lang"]].append(item["text"])
        return found

    def note(self, language: str) -> str:
        """Return a new invented note."""
        if language == "zh":
            patterns, choices, joint = clinical_phrases.CHINESE_PATTERNS, clinical_phrases.CHINESE_CHOICES, ""
        else:
            patterns, choices, joint = clinical_phrases.ENGLISH_PATTERNS, clinical_phrases.ENGLISH_CHOICES, " "
        return make_patients.write_note(self.chance, patterns, choices, joint)

    @cached_property
    def _febrl(self) -> list[dict[str, str]]:
        return [row for name in ("dataset1", "dataset4a") for row in self._table(f"febrl/{name}.csv.gz")]

    def _table(self, name: str, delimiter: str = ",") -> list[dict[str, str]]:
        quoting = csv.QUOTE_NONE if delimiter == "\t" else csv.QUOTE_MINIMAL
        lines = io.StringIO(self.read(name))
        return list(csv.DictReader(lines, delimiter=delimiter, quoting=quoting, skipinitialspace=True))

    def _lines(self, name: str) -> Iterator[dict[str, str]]:
        return (json.loads(line) for line in self.read(name).splitlines())

    def read(self, name: str) -> str:
        """Return a packed text file of the public data."""
        assert self.folder is not None
        with gzip.open(self.folder / name, "rt", encoding="utf-8-sig") as text:
            return text.read()

    def pick(self, choices: Sequence[str]) -> str:
        """Return one of the choices."""
        return self.chance.choice(choices)


def han_share(text: str) -> float:
    """Return the share of Han characters."""
    return sum("\u4e00" <= letter <= "\u9fff" for letter in text) / max(len(text), 1)
