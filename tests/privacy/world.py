"""A hospital of any size, invented, with the repetitions that attackers live on: common surnames, towns, households."""

import random
from dataclasses import dataclass

from app.demo.clinical_phrases import CHINESE_CHOICES, CHINESE_PATTERNS
from app.demo.make_patients import (
    CHINESE_DEPARTMENTS,
    CHINESE_STREETS,
    CHINESE_TOWNS,
    GIVEN,
    SURNAMES,
    Identifiers,
    birth_date,
    write_note,
)
from model.record import LinkageColumn, LinkageSchema, Record

KINDS = {
    "name": "person_name", "birth_date": "birth_date", "phone": "phone", "mrn": "mrn", "email": "email",
    "address": "address", "note": "note",
}  # fmt: skip
SCHEMA = LinkageSchema("ref", {name: LinkageColumn(kind) for name, kind in KINDS.items()})


@dataclass(frozen=True)
class Patient:
    """One record, and what an attacker who knows everything would line it up by."""

    record: Record
    attributes: dict[str, str]


def hospital(size: int, seed: int) -> list[Patient]:
    """Return so many patients; surnames, towns and departments are as unevenly common as in life (Zipf)."""
    chance = random.Random(seed)
    given = Identifiers(chance)
    people: list[Patient] = []
    for row in range(1, size + 1):
        surname, town, department = (_zipf(chance, some) for some in (SURNAMES, CHINESE_TOWNS, CHINESE_DEPARTMENTS))
        relative = chance.choice(people).attributes if people and chance.random() < 0.15 else None
        house = f"{chance.choice(CHINESE_STREETS)}{chance.randint(1, 380)}号{chance.randint(1, 28)}栋"
        values = {
            "name": surname + "".join(chance.sample(GIVEN, chance.choice((1, 2, 2, 2)))),
            "birth_date": birth_date(chance),
            "phone": relative["phone"] if relative else given.chinese_phone(),
            "mrn": given.mrn(),
            "email": given.email() if chance.random() < 0.5 else "",
            "address": town + house,
            "note": _cut(chance, write_note(chance, CHINESE_PATTERNS, CHINESE_CHOICES, "")),
        }
        record = Record(f"R-{seed:02}{row:06}", row, {name: value for name, value in values.items() if value})
        shown = {"surname": surname, "town": town, "department": department}
        people.append(Patient(record, {**shown, "birth_date": values["birth_date"], "phone": values["phone"]}))
    return people


def _zipf(chance: random.Random, values: str | tuple[str, ...]) -> str:
    return chance.choices(values, [1 / rank for rank in range(1, len(values) + 1)])[0]


def _cut(chance: random.Random, note: str) -> str:
    """Return no note, or as much of it as somebody in a hurry writes."""
    return note[: chance.randint(30, len(note))] if chance.random() < 0.85 else ""
