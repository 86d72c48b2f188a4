"""Invented people as a hospital exports them, half Chinese and half English, well formed and drawn by a seed."""

import random
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from pypinyin import lazy_pinyin
from stdnum.cn import ric

from app.demo.make_patients import CHINESE_DEPARTMENTS, ENGLISH_DEPARTMENTS
from benchmarks.accuracy import phrases
from benchmarks.accuracy.public import Sources, Weighted

COLUMNS = (
    "record_id", "name", "national_id", "phone", "mrn", "address", "birth_date", "email", "note", "sex", "department",
    "visit_day",
)  # fmt: skip
IDENTIFIERS = ("national_id", "phone", "mrn", "email")


@dataclass(frozen=True, slots=True)
class Patient:
    """One row of the export, and what a leak of it may say beyond."""

    record_id: str
    language: str
    name: str
    national_id: str
    phone: str
    mrn: str
    address: str
    birth_date: str
    email: str
    note: str
    sex: str
    department: str
    visit_day: str
    public_figure: bool = False

    @property
    def row(self) -> dict[str, str]:
        """Return column → value."""
        return {name: getattr(self, name) for name in COLUMNS}

    @property
    def shown(self) -> dict[str, str]:
        """Return the columns of a leaked row, without reference, note, department and visit."""
        return {name: value for name in COLUMNS[1:8] if (value := getattr(self, name))}

    @property
    def age(self) -> int:
        """Return the age on the day of the visit."""
        born, seen = date.fromisoformat(self.birth_date), date.fromisoformat(self.visit_day)
        return seen.year - born.year - ((seen.month, seen.day) < (born.month, born.day))


class Hospital:
    """The people of one run, with what is known about who can be taken for whom."""

    def __init__(self, sources: Sources, count: int) -> None:
        """Draw so many people, half of them Chinese."""
        self.sources = sources
        self.chance = sources.chance
        self._taken: set[str] = set()
        drawn = {language: list(notes) for language, notes in sources.notes.items()}
        for notes in drawn.values():
            self.chance.shuffle(notes)
        self.patients = [
            self._patient(number, "zh" if number % 2 == 0 else "en", drawn, figure=number % 200 < 2)
            for number in range(count)
        ]
        self._by_name = defaultdict(list)
        for patient in self.patients:
            self._by_name[patient.name].append(patient.record_id)
        self._lines = Counter(line for patient in self.patients for line in lines_of(patient.note))

    def of(self, language: str, *, public_figure: bool = False) -> Patient:
        """Return somebody."""
        while True:
            patient = self.chance.choice(self.patients)
            if patient.language == language and patient.public_figure is public_figure:
                return patient

    def namesakes(self, patient: Patient) -> list[str]:
        """Return the references of others who have the same name: fair to be reported as well."""
        return [ref for ref in self._by_name[patient.name] if ref != patient.record_id]

    def boilerplate(self, language: str) -> list[str]:
        """Return lines that stand under three notes and more."""
        others = phrases.BOILERPLATE[language]
        return [line for line, count in self._lines.items() if count >= 3 and len(line) >= 20] or list(others)

    def alone(self, text: str, patient: Patient) -> bool:
        """Tell whether a text stands in the note of this patient only."""
        return not any(text in other.note for other in self.patients if other is not patient)

    def person(self, language: str) -> Patient:
        """Return somebody who is not enrolled."""
        return self._patient(self.chance.randrange(10**6, 10**7), language, {"zh": [], "en": []}, figure=False)

    def _patient(self, number: int, language: str, notes: dict[str, list[str]], *, figure: bool) -> Patient:
        chance, sources = self.chance, self.sources
        born = date(1930, 1, 1) + timedelta(days=chance.randrange(30_000))
        sex = chance.choice("男女" if language == "zh" else ("male", "female"))
        taken = True
        while taken:
            name, street, national_id, phone = (self._chinese if language == "zh" else self._english)(born, sex)
            taken = not self._taken.isdisjoint((national_id, phone))
        self._taken |= {national_id, phone}
        note = notes[language].pop() if notes[language] and chance.random() < 0.5 else sources.note(language)
        tail = [*([chance.choice(phrases.BOILERPLATE[language])] if chance.random() < 0.3 else [])]
        if chance.random() < 0.5:
            tail.append(chance.choice(phrases.DOCTORS[language]))
        return Patient(
            record_id=f"A{number:07}",
            language=language,
            name=name,
            national_id=national_id,
            phone=phone,
            mrn=record_number(chance),
            address=street,
            birth_date=born.isoformat(),
            email=self._email(name) if chance.random() < 0.7 else "",
            note="\n".join([note, *tail]),
            sex=sex,
            department=chance.choice(CHINESE_DEPARTMENTS if language == "zh" else ENGLISH_DEPARTMENTS),
            visit_day=(date(2023, 1, 1) + timedelta(days=chance.randrange(700))).isoformat(),
            public_figure=figure,
        )

    def _chinese(self, born: date, sex: str) -> tuple[str, str, str, str]:
        chance = self.chance
        code, place = chance.choice(self.sources.chinese_places)
        name = draw(chance, self.sources.surnames)
        name += "".join(draw(chance, self.sources.given) for _ in range(1 + (chance.random() < 0.8)))
        house = f"{chance.randint(1, 399)}号{chance.randint(1, 32)}栋{chance.randint(101, 2999)}室"
        order = chance.randrange(500) * 2 + (sex == "男")
        first = f"{code}{born:%Y%m%d}{order:03}"
        prefix = chance.choice(("136", "138", "151", "159", "187")) if self.sources.folder else "154"
        return name, place + house, first + ric.calc_check_digit(first + "0"), f"{prefix}{chance.randrange(10**8):08}"

    def _english(self, born: date, sex: str) -> tuple[str, str, str, str]:
        chance = self.chance
        firsts, lasts = self.sources.western
        name = f"{chance.choice(firsts)} {chance.choice(lasts)}"
        place = f"{chance.randint(1, 299)} {chance.choice(self.sources.english_places)}"
        # Numbers that are hardly anybody's: SSN from 900 on, NHS from 999 on (for tests), exchange 555.
        if chance.random() < 0.5:
            number = f"9{chance.randrange(100):02}-{chance.randint(10, 49)}-{chance.randint(1, 9999):04}"
        else:
            number = health_number(chance)
        phone = f"+1 {chance.randint(201, 989)} 555 {chance.randrange(10**4):04}"
        return name, place, number, phone

    def _email(self, name: str) -> str:
        plain = unicodedata.normalize("NFKD", " ".join(lazy_pinyin(name))).encode("ascii", "ignore").decode().lower()
        words = ["".join(filter(str.isalnum, word)) for word in plain.split()]
        joint = self.chance.choice(("", ".", "_"))
        domain = self.chance.choice(("example.com", "example.org", "example.net", "mail.example.org"))
        return f"{joint.join(words)}{self.chance.randrange(10_000)}@{domain}"


def record_number(chance: random.Random) -> str:
    """Return a medical record number in one of several fashions."""
    shape = chance.choice(("MR{:08}", "ZY{:08}", "H{:08}", "B-{:07}", "{:010}"))
    return shape.format(chance.randrange(10**7, 10**8 - 1) if shape != "B-{:07}" else chance.randrange(10**7))


def health_number(chance: random.Random) -> str:
    """Return an NHS number of the range for tests, with its check digit, in groups."""
    while True:
        digits = f"999{chance.randrange(10**6):06}"
        check = 11 - sum(int(digit) * weight for digit, weight in zip(digits, range(10, 1, -1), strict=True)) % 11
        if check != 10:
            number = f"{digits}{check % 11}"
            return f"{number[:3]} {number[3:6]} {number[6:]}"


def draw(chance: random.Random, weighted: Weighted) -> str:
    """Return one choice as often as it is met in life."""
    choices, weights = weighted
    return chance.choices(choices, weights)[0]


def lines_of(note: str) -> set[str]:
    """Return the lines of a note."""
    return {line.strip() for line in note.splitlines()}


def names_of(patients: Sequence[Patient]) -> list[str]:
    """Return the names, in order."""
    return [patient.name for patient in patients]
