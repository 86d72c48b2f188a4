"""The kinds of leak that are to be found, each with the recall wanted of it: the rows of the table."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from benchmarks.accuracy import disguises, dumps
from benchmarks.accuracy.cases import Case
from benchmarks.accuracy.leaks import ENCODINGS, TWO_LAYERS, Leaks
from benchmarks.accuracy.records import Patient

BOTH = ("zh", "en")
Make = Callable[[Leaks, Patient], Sequence[str] | str | None]
"""Posts that show the patient; None if this patient has nothing to be shown so."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of leak."""

    name: str
    goal: float
    languages: tuple[str, ...]
    make: Make
    public_figure: bool = False


def cases(leaks: Leaks, each: int) -> Iterator[Case]:
    """Yield so many leaks of each kind and language, every other one buried in a long text about other things."""
    for kind in KINDS:
        for language in kind.languages:
            for number in range(each):
                yield _case(leaks, kind, language, buried=number % 2 == 1)


def _case(leaks: Leaks, kind: Kind, language: str, *, buried: bool) -> Case:
    made = None
    while not made:
        patient = leaks.hospital.of(language, public_figure=kind.public_figure)
        made = kind.make(leaks, patient)
    posts = [made] if isinstance(made, str) else list(made)
    if buried:
        posts = [leaks.bury(post, language) for post in posts]
    fair = tuple(leaks.hospital.namesakes(patient))
    return Case(kind.name, language, tuple(posts), (patient.record_id,), fair, buried)


def _row(leaks: Leaks, patient: Patient) -> str:
    return leaks.row(patient)


def _dump(shape: str) -> Make:
    return lambda leaks, patient: leaks.dump(shape, patient)


def _disguised(way: str) -> Make:
    return lambda leaks, patient: leaks.disguised(way, patient)


def _written(column: str) -> Make:
    return lambda leaks, patient: leaks.written(column, patient)


def _masked(what: str) -> Make:
    return lambda leaks, patient: leaks.masked(what, patient)


def _name_and(what: str) -> Make:
    return lambda leaks, patient: leaks.name_and(what, patient)


def _name_as(form: str) -> Make:
    return lambda leaks, patient: leaks.name_as(form, patient)


def _excerpt(length: int) -> Make:
    return lambda leaks, patient: leaks.excerpt(length, patient)


def _edited(share: float) -> Make:
    return lambda leaks, patient: leaks.edited(100, share, patient)


def _typed(share: float) -> Make:
    return lambda leaks, patient: leaks.slips.typed(leaks.chance, leaks.row(patient), share)


def _read(share: float) -> Make:
    return lambda leaks, patient: leaks.slips.read(leaks.chance, leaks.row(patient), share)


def _encoded(layer: str) -> Make:
    return lambda leaks, patient: leaks.encoded((layer,), patient)


def _twice(leaks: Leaks, patient: Patient) -> str:
    return leaks.encoded(leaks.chance.choice(TWO_LAYERS), patient)


def _split(parts: int) -> Make:
    return lambda leaks, patient: leaks.thread(parts, patient)


def _figure(what: str) -> Make:
    return lambda leaks, patient: leaks.figure(what, patient)


MASKS = ("name, masked phone", "name, masked ID", "name, birth date", "phone", "ID", "last digits", "first digits")
FIELDS = ("birth date", "age and visit day", "phone tail", "department and day", "address part")
EXCERPTS = {"zh": {20: 0.8, 40: 0.95, 80: 0.99, 160: 0.995}, "en": {80: 0.85, 160: 0.97, 320: 0.99}}
EDITS = {0.05: 0.99, 0.1: 0.98, 0.2: 0.88}
SLIPS = {0.01: 0.99, 0.03: 0.97, 0.05: 0.93, 0.1: 0.8}

KINDS = (
    Kind("verbatim row", 0.995, BOTH, _row),
    *(Kind(shape, 0.995, BOTH, _dump(shape)) for shape in dumps.FORMATS),
    *(Kind(f"identifier: {way}", 0.99, BOTH, _disguised(way)) for way in disguises.DIGITS),
    Kind("resident ID in 15 digits", 0.99, ("zh",), _written("national_id")),
    Kind("phone as written", 0.99, BOTH, _written("phone")),
    Kind("date as written, with name", 0.99, BOTH, _written("birth_date")),
    Kind("e-mail (at) [dot]", 0.99, BOTH, _written("email")),
    *(Kind(f"masked {what}", 0.95, BOTH, _masked(what)) for what in MASKS),
    *(Kind(f"name and {what}", 0.95, BOTH, _name_and(what)) for what in FIELDS),
    Kind("name traditional, one field", 0.95, ("zh",), _name_as("traditional")),
    Kind("name pinyin with tones, one field", 0.95, ("zh",), _name_as("toned")),
    Kind("name pinyin without tones, one field", 0.95, ("zh",), _name_as("plain")),
    Kind("name swapped, one field", 0.95, ("en",), _name_as("swapped")),
    Kind("name initials, one field", 0.95, ("en",), _name_as("initials")),
    Kind("name short form, one field", 0.95, ("en",), _name_as("short form")),
    *(
        Kind(f"excerpt of {length}", goal, (language,), _excerpt(length))
        for language, goals in EXCERPTS.items()
        for length, goal in goals.items()
    ),
    *(Kind(f"excerpt of 100, {share:.0%} edited", goal, BOTH, _edited(share)) for share, goal in EDITS.items()),
    *(Kind(f"row typed, {share:.0%} wrong", goal, BOTH, _typed(share)) for share, goal in SLIPS.items()),
    *(Kind(f"row OCR, {share:.0%} wrong", goal, BOTH, _read(share)) for share, goal in SLIPS.items()),
    *(Kind(f"encoded: {layer}", 0.99, BOTH, _encoded(layer)) for layer in ENCODINGS),
    Kind("encoded: two layers", 0.99, BOTH, _twice),
    *(Kind(f"split over {parts} posts", 0.9, BOTH, _split(parts)) for parts in (2, 3)),
    Kind("public figure, diagnosis", 0.9, BOTH, _figure("diagnosis"), public_figure=True),
    Kind("public figure, narrative", 0.9, BOTH, _figure("narrative"), public_figure=True),
)
"""Every kind, in the order of the table."""
