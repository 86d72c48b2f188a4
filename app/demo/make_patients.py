"""Writes `patients.csv` (200 invented patients) and `patients_bad_rows.csv` beside this file: always the same ones.

Run `python app/demo/make_patients.py` after changing anything here, and commit what it wrote.

Nobody in these files exists, and no real person can be hit:
- Resident IDs carry a correct check digit (GB 11643) under area codes 999xxx. No administrative division begins with 99
  (GB/T 2260 ends with 82; 83 and 91 are the only others in use), so that none was ever issued.
- Chinese mobile numbers begin with 154, which the Chinese numbering plan has never given to an operator: the right
  shape, and nobody's number. (A validator that knows the prefixes in use calls them invalid.)
- English numbers stand in the ranges kept for fiction: 555-0100 to 555-0199 in North America, 07700 900000 to 900999
  in the United Kingdom (Ofcom).
- Mail domains are example.com, example.net and example.org (RFC 2606). Towns and streets are made up.
"""

import csv
import random
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path

if __name__ == "__main__":  # run as a file, the checkout is not on the path
    import sys

    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from app.demo.clinical_phrases import CHINESE_CHOICES, CHINESE_PATTERNS, ENGLISH_CHOICES, ENGLISH_PATTERNS, listed
from app.demo.story_patients import STORY_PATIENTS

SEED = 20231218
CHINESE, ENGLISH = 110, 90
COLUMNS = (
    "record_number",
    "name",
    "resident_id",
    "phone",
    "mrn",
    "email",
    "birth_date",
    "address",
    "department",
    "note",
)
SHORTEST_NOTE, LONGEST_NOTE = 120, 400

SURNAMES = "梁苏卫顾骆康季沈邱温裴柏简褚岑樊虞柯项祝路乔游尹牧阮古凌戚宁俞席池郁冉丛辛贺左桑"
GIVEN = "知远书晴长庚念慈砚秋疏桐云舒慕青安然伯渊小满望舒若谷怀瑾听澜予墨青禾临川折枝照野松月沐阳其琛宛白行简"
FIRST_NAMES = listed(
    """
    Agatha; Barnaby; Clemency; Desmond; Edith; Felix; Greta; Horace; Ianthe; Jasper; Keziah; Lionel; Mabel; Nathaniel;
    Odette; Percy; Queenie; Rupert; Saskia; Tobias; Una; Vernon; Winifred; Yolanda; Zachary; Beatrix; Cedric; Dulcie
    """
)
LAST_NAMES = listed(
    """
    Abernethy; Brackenbury; Cottersloe; Drinkwater; Eaglesham; Fairweather; Grimshawe; Huckleby; Inchbald; Jellicorse;
    Kettlewood; Larkinsale; Merriweather; Nettleship; Oakhanger; Pennyfeather; Quarrington; Ravenscroft; Tumbledown;
    Silverthwaite; Underhay; Vellacourt; Whistlecraft; Yarborne
    """
)
CHINESE_TOWNS = listed("青榆市、云雀市、白芦县、石濑市、松台区、南渡镇、枫眠县、雁回市、鹿鸣区、临汐市")
CHINESE_STREETS = listed("梧桐巷、望江路、书院街、东篱路、柳岸街、旧钟楼街、豆蔻路、采石弄、半月湾路、听雨巷、磨坊街")
ENGLISH_TOWNS = listed("Fenwick Hollow; Upper Dunmarsh; Easterby; Marshwick; Little Quarrel; Stonemallow; Port Tansy")
ENGLISH_STREETS = listed("Larkspur Terrace; Millrace Lane; Quillfeather Road; Sallow Lane; Candle Row; Tin Street")
CHINESE_DEPARTMENTS = listed("呼吸内科、消化内科、心血管内科、神经内科、骨科、普外科、妇科、内分泌科、皮肤科、眼科")
ENGLISH_DEPARTMENTS = listed("Cardiology; Gastroenterology; Orthopaedics; Neurology; Obstetrics; Dermatology")
MAIL_WORDS = listed("heron; tinker; maple; comet; button; harbour; lantern; pebble; thistle; walnut; saffron; ember")
SHARE_WITH_MAIL = {"zh": 0.5, "en": 0.85}

_CHECK_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)


def check_digit(first_seventeen: str) -> str:
    """Return the 18th character of a Chinese resident ID (GB 11643, ISO 7064 MOD 11-2)."""
    total = sum(int(digit) * weight for digit, weight in zip(first_seventeen, _CHECK_WEIGHTS, strict=True))
    return "10X98765432"[total % 11]


def write_note(
    chance: random.Random, patterns: Sequence[Sequence[str]], choices: Mapping[str, Sequence[str]], joint: str
) -> str:
    """Return a note of one filled pattern per group, within the length limits."""
    while True:
        sentences = [_fill(chance, chance.choice(group), choices) for group in patterns]
        note = joint.join(sentence for sentence in sentences if sentence)
        if SHORTEST_NOTE <= len(note) <= LONGEST_NOTE:
            return note


def _fill(chance: random.Random, pattern: str, choices: Mapping[str, Sequence[str]]) -> str:
    """Return the pattern with every slot filled and its first letter a capital."""
    text = ""
    while "{" in pattern:
        before, _, rest = pattern.partition("{")
        slot, _, pattern = rest.partition("}")
        if slot.startswith("n:"):
            low, high = slot.removeprefix("n:").split("-")
            text += before + str(chance.randint(int(low), int(high)))
        else:
            text += before + chance.choice(choices[slot])
    text += pattern
    return text[:1].upper() + text[1:]


class Identifiers:
    """Hands out values that no two patients share."""

    def __init__(self, chance: random.Random) -> None:
        """Begin with nothing handed out but the record numbers of the story."""
        self._chance = chance
        self._taken = {patient["record_number"] for patient in STORY_PATIENTS}

    def _new(self, form: str) -> str:
        """Return the form with each `#` replaced by a digit, never twice the same."""
        while True:
            value = "".join(str(self._chance.randrange(10)) if sign == "#" else sign for sign in form)
            if value not in self._taken:
                self._taken.add(value)
                return value

    def record_number(self) -> str:
        """Return an opaque reference that says nothing about the patient."""
        return self._new("R-######")

    def mrn(self) -> str:
        """Return a medical record number."""
        return self._new("MR########")

    def chinese_phone(self) -> str:
        """Return a mobile number with a prefix that was never given out."""
        return self._new("154########")

    def english_phone(self) -> str:
        """Return a number from a range kept for fiction."""
        return self._new(self._chance.choice(("07700 900###", "(202) 555-01##", "303-555-01##", "+1 415 555 01##")))

    def email(self) -> str:
        """Return an address in a reserved domain."""
        domain = self._chance.choice(("example.com", "example.net", "example.org"))
        return self._new(f"{self._chance.choice(MAIL_WORDS)}.{self._chance.choice(MAIL_WORDS)}##@{domain}")

    def resident_id(self, birth_date: str, sex: str) -> str:
        """Return a resident ID of that birth date and sex (odd 17th digit: male) in a division that does not exist."""
        digits = "13579" if sex == "male" else "02468"
        body = self._new(f"999##1{birth_date.replace('-', '')}##{self._chance.choice(digits)}")
        return body + check_digit(body)


def birth_date(chance: random.Random) -> str:
    """Return a day between 1934 and 2014."""
    return (date(1934, 1, 1) + timedelta(days=chance.randrange(29_500))).isoformat()


def chinese_name(chance: random.Random) -> str:
    """Return a surname and one or two given characters."""
    return chance.choice(SURNAMES) + "".join(chance.sample(GIVEN, chance.choice((1, 2, 2, 2, 2))))


def english_name(chance: random.Random) -> str:
    """Return a given name and an unusual surname."""
    return f"{chance.choice(FIRST_NAMES)} {chance.choice(LAST_NAMES)}"


def complete_chinese(chance: random.Random, given: Identifiers, patient: Mapping[str, str]) -> dict[str, str]:
    """Return a whole row: what the story fixed, and the rest invented."""
    born = patient.get("birth_date") or birth_date(chance)
    sex = patient.get("sex") or chance.choice(("male", "female"))
    house = f"{chance.randint(1, 380)}号{chance.randint(1, 28)}栋{chance.randint(101, 2604)}室"
    return {
        "record_number": patient.get("record_number") or given.record_number(),
        "name": patient["name"],
        "resident_id": given.resident_id(born, sex),
        "phone": given.chinese_phone(),
        "mrn": given.mrn(),
        "email": given.email() if chance.random() < SHARE_WITH_MAIL["zh"] else "",
        "birth_date": born,
        "address": chance.choice(CHINESE_TOWNS) + chance.choice(CHINESE_STREETS) + house,
        "department": patient.get("department") or chance.choice(CHINESE_DEPARTMENTS),
        "note": patient.get("note") or write_note(chance, CHINESE_PATTERNS, CHINESE_CHOICES, ""),
    }


def complete_english(chance: random.Random, given: Identifiers, patient: Mapping[str, str]) -> dict[str, str]:
    """Return a whole row: what the story fixed, and the rest invented; English patients have no resident ID."""
    street = f"{chance.randint(1, 240)} {chance.choice(ENGLISH_STREETS)}"
    return {
        "record_number": patient.get("record_number") or given.record_number(),
        "name": patient["name"],
        "resident_id": "",
        "phone": given.english_phone(),
        "mrn": given.mrn(),
        "email": given.email() if chance.random() < SHARE_WITH_MAIL["en"] else "",
        "birth_date": patient.get("birth_date") or birth_date(chance),
        "address": f"{street}, {chance.choice(ENGLISH_TOWNS)}",
        "department": patient.get("department") or chance.choice(ENGLISH_DEPARTMENTS),
        "note": patient.get("note") or write_note(chance, ENGLISH_PATTERNS, ENGLISH_CHOICES, " "),
    }


def make_patients() -> list[dict[str, str]]:
    """Return all patients in the order of the file: Chinese and English mixed, two of them under one telephone."""
    chance = random.Random(SEED)  # noqa: S311 - the same invented people every time, no secret
    given = Identifiers(chance)
    story_names = {patient["name"] for patient in STORY_PATIENTS}
    chinese = [patient for patient in STORY_PATIENTS if not patient["name"].isascii()]
    english = [patient for patient in STORY_PATIENTS if patient["name"].isascii()]
    names = set(story_names)
    while len(chinese) < CHINESE:
        if (name := chinese_name(chance)) not in names:
            names.add(name)
            chinese.append({"name": name})
    while len(english) < ENGLISH:
        if (name := english_name(chance)) not in names:
            names.add(name)
            english.append({"name": name})
    rows = [complete_chinese(chance, given, patient) for patient in chinese]
    rows += [complete_english(chance, given, patient) for patient in english]
    first, second = rows[CHINESE - 2], rows[CHINESE - 1]
    second["phone"], second["address"] = first["phone"], first["address"]
    chance.shuffle(rows)
    return rows


def make_bad_rows() -> list[dict[str, str]]:
    """Return five rows, two bad: `resident_id` of row 2 (two characters short), `birth_date` of row 4 (no such day)."""
    chance = random.Random(SEED + 1)  # noqa: S311 - the same invented people every time, no secret
    given = Identifiers(chance)
    names = ("温折枝", "裴临川", "Horace Whistlecraft", "Odette Inchbald", "褚青禾")
    rows = [(complete_english if name.isascii() else complete_chinese)(chance, given, {"name": name}) for name in names]
    rows[1]["resident_id"] = rows[1]["resident_id"][:-2]
    rows[3]["birth_date"] = "1987-13-45"
    return rows


def write(path: Path, rows: Sequence[Mapping[str, str]]) -> None:
    """Write the rows as UTF-8 CSV with a header."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def main() -> None:
    """Write both files beside this one."""
    here = Path(__file__).resolve().parent
    write(here / "patients.csv", make_patients())
    write(here / "patients_bad_rows.csv", make_bad_rows())


if __name__ == "__main__":
    main()
