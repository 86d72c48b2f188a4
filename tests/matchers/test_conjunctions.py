"""Which pieces of a record are searched together, and how many."""

import pytest

from matchers.conjunctions import ALIAS_PARTNERS, ALONE, PARTNERS, ages, days
from matchers.fingerprints import Enroller
from matchers.keys import LinkageKey
from matchers.kinds import kinds
from matchers.kinds.kind import Term, read
from matchers.score import score
from model.errors import ConfigError
from model.record import LinkageColumn, LinkageSchema, Record
from tests.matchers.bench import Bench
from tests.people import HE_YUNSHU, PEOPLE, SCHEMA, Person

MOST = 50


def _terms(columns: dict[str, str]) -> list[Term]:
    """Return the terms of a record given as kind → value."""
    return [
        term
        for kind, value in columns.items()
        for canonical in read(kinds()[kind], value).values
        for term in kinds()[kind].terms(canonical)
    ]


def _pairs(columns: dict[str, str]) -> set[tuple[str, str, str]]:
    """Return field and both values of every conjunction."""
    terms = _terms(columns)
    terms += [term for term, _ in days(terms)]
    return {
        (f"{left.field}+{right.field}", left.value, right.value)
        for left in terms
        for right in terms
        if right.field in (ALIAS_PARTNERS if left.alias else PARTNERS.get(left.field, ()))
    }


def test_no_weak_value_is_searched_alone() -> None:
    """Names, dates, ages, departments and places stand in no list of what is searched alone."""
    weak = {
        "name",
        "pinyin",
        "initial",
        "birth_date",
        "age",
        "department",
        "visit_day",
        "address_part",
        "id_tail",
    }
    assert not weak & ALONE
    assert not ALONE & set(PARTNERS)


def test_a_day_of_visit_is_bound_to_age_and_department() -> None:
    """The age then follows from the birth date, and the department stands beside the day."""
    person = {"person_name": "何云舒", "birth_date": "1985-03-14", "age": "70"}
    pairs = _pairs({**person, "visit_day": "2024-03-13", "department": "心内科"})
    assert ("name+age_day", "何云舒", "38|20240313") in pairs
    assert ("name+department_day", "何云舒", "心血管内科|20240313") in pairs
    assert ("pinyin+age_day", "heyunshu", "38|20240313") in pairs


@pytest.mark.parametrize(
    ("columns", "day", "expected"),
    [
        ({"birth_date": "1985-03-14"}, "20240314", ("39",)),
        ({"birth_date": "1985-03-14"}, "20240313", ("38",)),
        ({"age": "45岁"}, "20240313", ("45",)),
        ({"birth_date": "2030-01-01", "age": "3"}, "20240313", ("3",)),
        ({}, "20240313", ()),
    ],
)
def test_the_age_on_a_day(columns: dict[str, str], day: str, expected: tuple[str, ...]) -> None:
    """The birth date decides if it can; else what the file says."""
    assert tuple(ages(_terms(columns), day)) == expected


def test_a_name_and_a_day_alone_weigh_less_than_a_suspicion() -> None:
    """The commonest coincidence, a name and a date, stays below; an age or a department lifts it above."""
    name = max(term.weight for term in _terms({"person_name": "何云舒"}) if term.field == "name")
    terms = _terms({"birth_date": "1985-03-14", "visit_day": "2024-03-13", "department": "骨科"})
    weights = {term.field: term.weight for term in (*terms, *(term for term, _ in days(terms)))}
    most = 1_000_000
    bits = {"person_name": name, "visit_day": weights["visit_day"]}
    assert score(bits, most) < 0.6
    assert score(bits, most) < score({**bits, "visit_day": weights["department_day"]}, most)
    assert score({**bits, "visit_day": weights["age_day"]}, most) > 0.6


def test_a_further_spelling_has_few_partners() -> None:
    """A nickname is looked for beside a date of birth and a telephone, not beside everything."""
    pairs = _pairs(
        {"person_name": "Theodore Ashby", "birth_date": "1979-10-02", "phone": "07700 900271", "mrn": "MR61078830"}
    )
    fields = {field for field, left, _ in pairs if left == "ashby ted"}
    assert {"name+birth_date", "name+phone_tail"} <= fields <= {f"name+{each}" for each in ALIAS_PARTNERS}


@pytest.mark.parametrize("person", PEOPLE, ids=lambda person: person.ref)
def test_a_record_has_a_bounded_number_of_postings(person: Person) -> None:
    """Each is stored, and postings are what enrolment costs; a note has its own number."""
    values = {name: value for name, value in person.values.items() if name != "note"}
    bench = Bench.enrol(SCHEMA, [Record(person.ref, 1, values)])
    assert 10 <= len(bench.store.labels) <= MOST


def test_a_mistyped_number_is_watched_for_and_counted() -> None:
    """A wrong check character no longer loses the patient: the same wrong number on a page finds the record."""
    wrong = HE_YUNSHU.resident_id[:-1] + "7"
    bench = Bench.of({"id": ("resident_id", wrong), "name": ("person_name", HE_YUNSHU.name)})
    assert bench.enroller.slips == {"id": 1}
    assert set(bench.found(f"{HE_YUNSHU.name} {wrong}")) == {"R-1"}


def test_a_cell_of_which_one_part_is_bad_keeps_the_rest() -> None:
    """The good number is watched for, the bad part is counted."""
    bench = Bench.of({"phone": ("phone", "15402200417 / 12"), "name": ("person_name", HE_YUNSHU.name)})
    assert set(bench.found(f"{HE_YUNSHU.name} 15402200417")) == {"R-1"}


@pytest.mark.parametrize("value", ["无", "N/A", "-", "00000000000", "不详"])
def test_a_word_for_unknown_is_no_value(value: str) -> None:
    """A cell that says that nothing is known neither refuses the row nor is searched for."""
    bench = Bench.of({"phone": ("phone", value), "mail": ("email", "someone@example.com")})
    assert not bench.problems
    assert not bench.found(f"电话 {value}")


def test_a_pattern_refuses_what_does_not_fit() -> None:
    """A number of the hospital's own form that is none is refused by row and column, without the value."""
    schema = LinkageSchema("ref", {"admission": LinkageColumn("mrn", pattern=r"ZY\d{8}")})
    rows = [Record("R-1", 1, {"admission": "ZY77669742"}), Record("R-2", 2, {"admission": "ZY7766974"})]
    bench = Bench.enrol(schema, rows)
    (problem,) = bench.problems
    assert (problem.row, problem.column) == (2, "admission")
    assert "7766974" not in str(problem)


def test_a_pattern_that_is_none_is_a_configuration_error() -> None:
    """The column is named."""
    with pytest.raises(ConfigError, match="column 'x'"):
        Enroller(LinkageKey.generate(), LinkageSchema("ref", {"x": LinkageColumn("mrn", pattern="(")}))
