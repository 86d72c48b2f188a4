"""The patients of `patients.csv`, as the planted leaks and the pictures need them."""

import csv
from dataclasses import dataclass, fields
from functools import cache
from importlib.resources import files


@dataclass(frozen=True, slots=True)
class Patient:
    """One row of `patients.csv`: an invented person; fields in the order of the file."""

    record_number: str
    name: str
    resident_id: str
    phone: str
    mrn: str
    email: str
    birth_date: str
    address: str
    department: str
    note: str


COLUMNS = tuple(field.name for field in fields(Patient))
"""The header of `patients.csv`."""


def demo_file(name: str) -> bytes:
    """Return the bytes of a file shipped beside this one: `patients.csv`, `record_screen.png` and so on."""
    return files("app.demo").joinpath(name).read_bytes()


@cache
def patients() -> dict[str, Patient]:
    """Return record number → patient, in the order of the file."""
    rows = csv.DictReader(demo_file("patients.csv").decode().splitlines())
    return {row["record_number"]: Patient(**row) for row in rows}
