"""Leaks: what somebody posts who shows a patient, alone or buried in a long text."""

import base64
import gzip
import quopri
import random
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from urllib.parse import quote

from app.demo import clinical_phrases
from benchmarks.accuracy import disguises, dumps, phrases
from benchmarks.accuracy.records import Hospital, Patient
from benchmarks.accuracy.slips import Slips

LEAD = {"zh": "这个人是谁：", "en": "this is who it was: "}


class Leaks:
    """Makes leaks of the patients of one hospital."""

    def __init__(self, hospital: Hospital) -> None:
        """Read the tables of confusions."""
        self.hospital = hospital
        self.chance: random.Random = hospital.chance
        self.slips = Slips(hospital.sources)

    def bury(self, text: str, language: str) -> str:
        """Return a text of two to six thousand characters about other things, with this in the middle."""
        around: list[str] = []
        while sum(map(len, around)) < self.chance.randint(1000, 3000):
            around.append(self.hospital.sources.pick(self.hospital.sources.posts[language]))
        cut = self.chance.randint(0, len(around))
        return "\n".join([*around[:cut], text, *around[cut:]])

    # ── Rows ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def dump(self, shape: str, patient: Patient) -> str:
        """Return a dump with the rows of some strangers."""
        others = [self.hospital.person(patient.language) for _ in range(self.chance.randint(2, 12))]
        return dumps.dump(self.chance, shape, patient, others)

    def row(self, patient: Patient) -> str:
        """Return the row in one line."""
        return dumps.sentence(self.chance, patient)

    # ── Values ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def disguised(self, disguise: str, patient: Patient) -> str | None:
        """Return one identifier in disguise, with the name or without."""
        columns = [name for name in ("national_id", "phone") if getattr(patient, name)]
        if disguise in ("homoglyphs", "zero width", "full width") and patient.email:
            columns.append("email")
        column = self.chance.choice(columns)
        hidden = disguises.DIGITS[disguise](self.chance, getattr(patient, column))
        if hidden == getattr(patient, column):
            return None
        word = dumps.WORDS[patient.language][column]
        return self._with_name(patient, f"{word} {hidden}") if self.chance.random() < 0.5 else f"{word}: {hidden}"

    def written(self, column: str, patient: Patient) -> str | None:
        """Return one value in another of its usual forms: alone, a date with the name."""
        chance = self.chance
        if column == "birth_date":
            return self._with_name(patient, disguises.written_date(chance, patient.birth_date, patient.language))
        if column == "national_id":
            shown = disguises.fifteen(patient.national_id) if patient.birth_date < "2000" else ""
        elif column == "phone":
            shown = disguises.written_phone(chance, patient.phone)
        else:
            shown = disguises.written_email(chance, patient.email) if patient.email else ""
        return LEAD[patient.language] + shown if shown else None

    def masked(self, what: str, patient: Patient) -> str:
        """Return a masked value with one more field."""
        chance = self.chance
        phone, number = disguises.masked_phone(chance, patient.phone), disguises.masked_id(chance, patient.national_id)
        name = disguises.masked_name(chance, patient)
        pairs = {
            "name, masked phone": (name, phone),
            "name, masked ID": (name, number),
            "name, birth date": (name, patient.birth_date),
            "phone": (patient.name, phone),
            "ID": (patient.name, number),
            "last digits": (
                patient.name,
                f"{'尾号' if patient.language == 'zh' else 'ending '}{_digits(patient.phone)[-4:]}",
            ),
            "first digits": (patient.name, f"{_digits(patient.national_id)[:6]}…"),
        }
        return self._joined(patient, pairs[what])

    def name_and(self, what: str, patient: Patient) -> str:
        """Return the plain name and one other field."""
        return self._joined(patient, (patient.name, self._field(what, patient)))

    def name_as(self, form: str, patient: Patient) -> str | None:
        """Return the name in another form and one other field."""
        name = self._name(form, patient)
        if name is None or name == patient.name:
            return None
        field = self.chance.choice(("birth date", "phone tail", "address part", "age and visit day"))
        return self._joined(patient, (name, self._field(field, patient)))

    def _name(self, form: str, patient: Patient) -> str | None:
        chance, name = self.chance, patient.name
        if patient.language == "zh":
            if form == "traditional":
                return disguises.traditional(name)
            return disguises.pinyin(name, form, chance)
        first, _, last = name.partition(" ")
        if form == "swapped":
            return chance.choice((f"{last}, {first}", f"{last} {first}", f"{last.upper()} {first}"))
        if form == "initials":
            return chance.choice((f"{first[0]}. {last}", f"{first[0]} {last}", f"{first} {last[0]}."))
        return disguises.short_form(patient, chance)

    def _field(self, what: str, patient: Patient) -> str:
        chance, chinese = self.chance, patient.language == "zh"
        day = disguises.written_date(chance, patient.visit_day, patient.language)
        if what == "birth date":
            return disguises.written_date(chance, patient.birth_date, patient.language)
        if what == "age and visit day":
            return f"{patient.age}岁，{day}就诊" if chinese else f"aged {patient.age}, seen {day}"
        if what == "phone tail":
            tail = _digits(patient.phone)[-4:]
            return f"手机尾号{tail}" if chinese else f"phone ending {tail}"
        if what == "department and day":
            return f"{day}在{patient.department}" if chinese else f"{patient.department}, {day}"
        if chinese:
            return re.sub(r"^.*?[市州盟区](?=.{6})", "", patient.address)
        return patient.address.partition(",")[0]

    def _with_name(self, patient: Patient, field: str) -> str:
        return self._joined(patient, (patient.name, field))

    def _joined(self, patient: Patient, pieces: Sequence[str]) -> str:
        chinese = patient.language == "zh"
        joint = self.chance.choice(
            ("，", " ", "，你们认识吗，", " / ") if chinese else (", ", " - ", " ", ", that is ")
        )
        return LEAD[patient.language] * (self.chance.random() < 0.5) + joint.join(pieces)

    # ── Notes ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def excerpt(self, length: int, patient: Patient) -> str | None:
        """Return so many characters of the note that stand under no other note."""
        note = " ".join(patient.note.split())
        if len(note) < length:
            return None
        start = self.chance.randint(0, len(note) - length)
        found = note[start : start + length]
        shared = any(piece in found for piece in _shared(patient.language))
        return found if not shared and self.hospital.alone(found, patient) else None

    def edited(self, length: int, share: float, patient: Patient) -> str | None:
        """Return an excerpt of which a share was edited."""
        found = self.excerpt(length, patient)
        return self.slips.edited(self.chance, found, share) if found else None

    # ── Encodings, threads, public figures ──────────────────────────────────────────────────────────────────────────

    def encoded(self, layers: Sequence[str], patient: Patient) -> str:
        """Return the row encoded, the first layer innermost."""
        text = self.row(patient)
        for layer in layers:
            text = ENCODINGS[layer](text)
        return text

    def thread(self, parts: int, patient: Patient) -> list[str]:
        """Return posts of one thread that name the patient together only."""
        chance = self.chance
        fields = [
            self._field("birth date", patient),
            self._field("phone tail", patient),
            self._field("address part", patient),
        ]
        chance.shuffle(fields)
        return [LEAD[patient.language] + patient.name, *fields[: parts - 1]]

    def figure(self, what: str, patient: Patient) -> str | None:
        """Return gossip about a public figure: name and diagnosis, or name, hospital and narrative; no identifier."""
        chance, language = self.chance, patient.language
        hospital = chance.choice(phrases.HOSPITALS[language])
        if what == "diagnosis":
            illness = chance.choice(phrases.DIAGNOSES[language])
            if language == "zh":
                return f"内部消息，{patient.name}{chance.choice(('确诊', '被查出', '得了'))}{illness}，正在住院治疗"
            verb = chance.choice(("has", "was diagnosed with"))
            return f"Insider here: {patient.name} {verb} {illness}, in hospital now"
        story = self.edited(80 if language == "zh" else 200, 0.2, patient)
        if story is None:
            return None
        return (
            f"{patient.name}，{hospital}的病历：{story}"
            if language == "zh"
            else f"{patient.name} at {hospital}: {story}"
        )


@cache
def _shared(language: str) -> Sequence[str]:
    """Return pieces, of 12 Han or 20 Latin characters, of what stands under many notes."""
    patterns = clinical_phrases.CHINESE_PATTERNS if language == "zh" else clinical_phrases.ENGLISH_PATTERNS
    size = 12 if language == "zh" else 20
    lines = (*phrases.BOILERPLATE[language], *phrases.DOCTORS[language], *patterns[-1])
    return [line[at : at + size] for line in lines for at in range(max(len(line) - size, 0))]


def _entity(letter: str) -> str:
    """Return a character as an HTML entity; digits stay as they are."""
    return letter if letter.isdigit() else f"&#{ord(letter)};"


def _digits(text: str) -> str:
    return re.sub(r"\D", "", text)


ENCODINGS: Mapping[str, Callable[[str], str]] = {
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "hex": lambda text: text.encode().hex(),
    "URL": quote,
    "HTML entities": lambda text: "".join(map(_entity, text)),
    "quoted-printable": lambda text: quopri.encodestring(text.encode()).decode(),
    "gzip in base64": lambda text: base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode(),
}  # fmt: skip
TWO_LAYERS = (
    ("base64", "base64"), ("hex", "base64"), ("URL", "base64"), ("base64", "URL"), ("HTML entities", "base64"),
    ("base64", "hex"), ("gzip in base64", "URL"),
)  # fmt: skip
