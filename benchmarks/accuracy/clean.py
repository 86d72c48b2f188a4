"""What is not to be found: posts, sources, logs, numbers, questions and lives of others; and hard negatives."""

import random
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import date, timedelta

from stdnum.cn import ric

from benchmarks.accuracy import disguises, dumps, phrases
from benchmarks.accuracy.cases import Case
from benchmarks.accuracy.records import Hospital, Patient

SENTENCES = re.compile(r"[^。！？.!?\n]+[。！？.!?\n]?")
MODULES = ("config", "parser", "session", "queue", "worker", "index", "cache", "router", "schema", "metrics")
VERBS = ("load", "merge", "scan", "flush", "encode", "split", "retry", "close", "bind", "resolve")


class Clean:
    """Makes items in which nobody of a hospital is shown."""

    def __init__(self, hospital: Hospital) -> None:
        """Keep the sentences of ordinary posts."""
        self.hospital = hospital
        self.chance: random.Random = hospital.chance
        self._sentences = {
            language: [found for post in posts for found in SENTENCES.findall(post) if len(found) > 8]
            for language, posts in hospital.sources.posts.items()
        }

    def cases(self, ordinary: int, hard: int) -> Iterator[Case]:
        """Yield so many ordinary items and so many hard ones, kinds and languages in turn."""
        for kinds, count in ((ORDINARY, ordinary), (HARD, hard)):
            names = list(kinds)
            for number in range(count):
                name, language = names[number % len(names)], ("zh", "en")[number // len(names) % 2]
                yield Case(name, language, (kinds[name](self, language),), hard=kinds is HARD)

    def post(self, language: str) -> str:
        """Return a short post: one of somebody, or sentences of several."""
        if self.chance.random() < 0.3:
            return self.chance.choice(self.hospital.sources.posts[language])
        return "".join(self.chance.choices(self._sentences[language], k=self.chance.randint(1, 6)))

    def article(self, language: str) -> str:
        """Return a long text."""
        return "\n".join(self.post(language) for _ in range(self.chance.randint(5, 20)))

    def source(self, language: str) -> str:
        """Return a source file."""
        chance, lines = self.chance, [f"import {module}" for module in self.chance.sample(MODULES, 3)]
        for _ in range(chance.randint(3, 25)):
            module, verb = chance.choice(MODULES), chance.choice(VERBS)
            lines += [
                f"def {verb}_{module}(self, limit={chance.randint(1, 9999)}):",
                f"    # {'处理缓存' if language == 'zh' else 'see ticket'} {chance.randint(1000, 99999)}",
                f"    digest = '{chance.randbytes(16).hex()}'",
                f"    return {module}.{verb}(limit, 0x{chance.randrange(2**32):08x})",
            ]
        return "\n".join(lines)

    def log(self, language: str) -> str:
        """Return lines of a log."""
        chance = self.chance
        moment = date(2024, 1, 1) + timedelta(days=chance.randrange(600))
        word = "请求完成" if language == "zh" else "request served"
        lines = []
        for _ in range(chance.randint(5, 60)):
            hour, minute, second = chance.randrange(24), chance.randrange(60), chance.randrange(60)
            level, number = chance.choice(("INFO", "WARN", "DEBUG")), chance.randrange(10**11)
            host = ".".join(str(chance.randrange(256)) for _ in range(3))
            lines.append(
                f"{moment} {hour:02}:{minute:02}:{second:02},{chance.randrange(1000):03} {level} "
                f"[{chance.randrange(10**6)}] {word} id={number} ip=10.{host} {chance.randbytes(8).hex()}"
            )
        return "\n".join(lines)

    def numbers(self, language: str) -> str:
        """Return a list of random numbers of the lengths of identifiers."""
        chance = self.chance
        lengths = [chance.choice((7, 8, 10, 11, 11, 15, 18, 18, 19)) for _ in range(chance.randint(5, 200))]
        return chance.choice((" ", "\n", ", ")).join(str(chance.randrange(10 ** (n - 1), 10**n)) for n in lengths)

    def question(self, language: str) -> str:
        """Return a medical question of somebody else: half of them real where public data is there."""
        real = self.hospital.sources.questions[language]
        if real and self.chance.random() < 0.5:
            return self.chance.choice(real)
        note = self.hospital.sources.note(language)
        return f"医生您好，{note}请问怎么办？" if language == "zh" else f"Hello doctor. {note} What should I do?"

    def biography(self, language: str) -> str:
        """Return a life of somebody not enrolled, who may well have an enrolled patient's name."""
        person = self.hospital.person(language)
        born = disguises.written_date(self.chance, person.birth_date, language)
        more = self.post(language)
        if language == "zh":
            return f"{person.name}，{born}生于{person.address[:9]}，著名作家，曾任教授。{more}"
        return f"{person.name} (born {born}) is a writer from {person.address.partition(',')[2].strip()}. {more}"

    # ── Hard ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def namesake(self, language: str) -> str:
        """Return the row of another person of the same name."""
        somebody, other = self.hospital.of(language), self.hospital.person(language)
        return dumps.sentence(self.chance, _with(other, name=somebody.name))

    def same_diagnosis(self, language: str) -> str:
        """Return a stranger's case of an illness that patients have."""
        person, illness = self.hospital.person(language), self.chance.choice(phrases.DIAGNOSES[language])
        note = self.hospital.sources.note(language)
        if language == "zh":
            return f"{person.name}，{person.sex}，{person.age}岁，诊断：{illness}。{note}"
        return f"{person.name}, {person.sex}, {person.age}, diagnosis: {illness}. {note}"

    def near_miss(self, language: str) -> str:
        """Return a stranger whose ID or phone has one other digit; the check digit is right."""
        somebody, other = self.hospital.of(language), self.hospital.person(language)
        if language == "zh" and self.chance.random() < 0.5:
            first = _one_other_digit(self.chance, somebody.national_id[:17], (14, 15, 16))
            return dumps.sentence(
                self.chance, _with(other, national_id=first + ric.calc_check_digit(first + "0"), email="")
            )
        at = [number for number, sign in enumerate(somebody.phone) if sign.isdigit()][-4:]
        return dumps.sentence(
            self.chance, _with(other, phone=_one_other_digit(self.chance, somebody.phone, at), email="")
        )

    def template(self, language: str) -> str:
        """Return what stands under many notes of the hospital, and nothing else of them."""
        lines = self.hospital.boilerplate(language)
        return "\n".join([*self.chance.choices(lines, k=self.chance.randint(1, 3)), self.post(language)])

    def signature(self, language: str) -> str:
        """Return a text of a stranger under which a colleague has signed who has signed patients' notes too."""
        text = self.hospital.sources.note(language)
        return f"{text}\n{self.chance.choice(phrases.DOCTORS[language])}"


def _with(patient: Patient, **values: str) -> Patient:
    fields = {name: getattr(patient, name) for name in Patient.__slots__}
    return Patient(**{**fields, **values})


def _one_other_digit(chance: random.Random, text: str, at: list[int] | tuple[int, ...]) -> str:
    place = chance.choice(at)
    other = chance.choice([digit for digit in "0123456789" if digit != text[place]])
    return text[:place] + other + text[place + 1 :]


Maker = Callable[[Clean, str], str]
ORDINARY: Mapping[str, Maker] = {
    "post": Clean.post, "article": Clean.article, "source file": Clean.source, "log": Clean.log,
    "random numbers": Clean.numbers, "medical question": Clean.question, "biography": Clean.biography,
}  # fmt: skip
HARD: Mapping[str, Maker] = {
    "namesake": Clean.namesake, "same diagnosis": Clean.same_diagnosis, "one digit different": Clean.near_miss,
    "template text": Clean.template, "colleague's signature": Clean.signature,
}  # fmt: skip
