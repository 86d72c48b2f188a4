"""What a user would otherwise use on the same items, in plaintext: Aho-Corasick with regex, rapidfuzz, Presidio."""

import random
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

import ahocorasick
from rapidfuzz import fuzz, process

from benchmarks.accuracy.cases import Case
from benchmarks.accuracy.records import IDENTIFIERS, Hospital, Patient

NUMBER = re.compile(r"\+?\d[\d .()/-]{5,24}[\dXx]")
FUZZY_SCORE = 90.0
Finds = Callable[[str], set[str]]
"""Text → references of the patients it is taken to show; `*` for somebody, nobody knows who."""


def aho_corasick(hospital: Hospital) -> Finds:
    """Find identifiers as they stand or with separators in them, or a name beside a birth date or address."""
    automaton = ahocorasick.Automaton()
    held: dict[str, list[tuple[str, str]]] = defaultdict(list)
    numbers: dict[str, list[str]] = defaultdict(list)
    for patient in hospital.patients:
        for column in (*IDENTIFIERS, "name", "birth_date", "address"):
            if value := getattr(patient, column):
                held[value].append((column, patient.record_id))
        for column in IDENTIFIERS[:2]:
            numbers[re.sub(r"\D", "", getattr(patient, column)[:17])].append(patient.record_id)
    for value in held:
        automaton.add_word(value, value)
    automaton.make_automaton()

    def finds(text: str) -> set[str]:
        seen = defaultdict(set)
        for _, value in automaton.iter(text):
            for column, ref in held[value]:
                seen[ref].add(column)
        for number in NUMBER.findall(text):
            for ref in numbers.get(re.sub(r"\D", "", number.strip())[:17], ()):
                seen[ref].add("national_id")
        return {
            ref
            for ref, columns in seen.items()
            if columns & set(IDENTIFIERS) or ("name" in columns and len(columns) > 1)
        }

    return finds


def rapidfuzz(patients: Sequence[Patient]) -> Finds:
    """Find who has an identifier at partial_ratio ≥ 90 in the text, or a name and a birth date, address or note."""
    columns = (*IDENTIFIERS, "name", "birth_date", "address", "note")
    values = [
        (patient.record_id, column, value)
        for patient in patients
        for column in columns
        if (value := getattr(patient, column))
    ]
    choices = [value for _, _, value in values]

    def finds(text: str) -> set[str]:
        seen = defaultdict(set)
        found = process.extract(text, choices, scorer=fuzz.partial_ratio, score_cutoff=FUZZY_SCORE, limit=None)
        for value, _, index in found:
            ref, column, _ = values[index]
            # The shorter text is looked for in the longer: a post of three letters stands in every note.
            if len(value) <= len(text) or column == "note":
                seen[ref].add(column)
        return {
            ref for ref, held in seen.items()
            if held & {*IDENTIFIERS, "note"} or ("name" in held and held & {"birth_date", "address"})
        }  # fmt: skip

    return finds


def presidio() -> Finds | None:
    """Find any text with a person and an identifier in it, of whomever; None where Presidio is not installed."""
    try:
        from presidio_analyzer import AnalyzerEngine
    except ImportError:
        return None
    engine = AnalyzerEngine()
    identifiers = {"PHONE_NUMBER", "EMAIL_ADDRESS", "US_SSN", "UK_NHS", "MEDICAL_LICENSE"}

    def finds(text: str) -> set[str]:
        kinds = {found.entity_type for found in engine.analyze(text=text, language="en") if found.score >= 0.5}
        return {"*"} if "PERSON" in kinds and kinds & identifiers else set()

    return finds


def answers(cases: Iterable[Case], finds: Finds) -> dict[int, set[str]]:
    """Return whom each case is taken to show, all posts of a thread together."""
    return {case.number: set().union(*(finds(post) for post in case.posts)) for case in cases}


def sample(cases: Sequence[Case], each: int, chance: random.Random) -> list[Case]:
    """Return at most so many cases of each kind and language."""
    by_kind = defaultdict(list)
    for case in cases:
        by_kind[case.kind, case.language].append(case)
    return [case for group in by_kind.values() for case in chance.sample(group, min(each, len(group)))]
