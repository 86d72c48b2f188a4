"""The accuracy benchmark makes what it says: leaks that show their patient, clean items that show nobody, by seed."""

import random
import re

import pytest

from benchmarks.accuracy import kinds, rivals, tables
from benchmarks.accuracy.cases import numbered, shuffled
from benchmarks.accuracy.clean import Clean
from benchmarks.accuracy.leaks import Leaks
from benchmarks.accuracy.public import Sources
from benchmarks.accuracy.records import Hospital


def made(seed: int):
    """Return a small hospital and its cases, of invented material."""
    hospital = Hospital(Sources(None, random.Random(seed)), 600)
    return hospital, numbered([*kinds.cases(Leaks(hospital), 2), *Clean(hospital).cases(70, 50)])


@pytest.fixture(scope="module")
def bench():
    """Give one hospital and its cases."""
    return made(5)


def test_the_same_seed_makes_the_same_bench_and_another_another(bench):
    """Everything is drawn from the seed."""
    assert made(5)[1] == bench[1]
    assert made(6)[1] != bench[1]


def test_every_kind_is_made_alone_and_buried(bench):
    """Two leaks of each kind and language, one of them in a long text."""
    found = {(case.kind, case.language, case.buried) for case in bench[1] if case.truth}
    wanted = {(kind.name, each, buried) for kind in kinds.KINDS for each in kind.languages for buried in (False, True)}
    assert found == wanted
    assert min(sum(map(len, case.posts)) for case in bench[1] if case.buried) > 1000


def test_a_plain_row_shows_its_patient_and_a_disguise_hides_it(bench):
    """What stands verbatim in a verbatim row stands in no disguised one."""
    hospital, cases = bench
    people = {patient.record_id: patient for patient in hospital.patients}
    for case in cases:
        (text,) = case.posts if len(case.posts) == 1 else (" ".join(case.posts),)
        patient = people[case.truth[0]] if case.truth else None
        if case.kind == "verbatim row":
            assert patient.phone in text
        if case.kind.startswith("identifier: "):
            assert not any(value in text for value in (patient.national_id, patient.phone) if value)


def test_nobody_stands_on_a_clean_item(bench):
    """Plaintext search for identifiers finds nobody on clean items."""
    hospital, cases = bench
    held = {value for patient in hospital.patients for value in (patient.national_id, patient.phone, patient.mrn)}
    texts = [case.posts[0] for case in cases if not case.truth]
    assert [value for value in held if any(value in text for text in texts)] == []


def test_threads_keep_their_order_in_the_feed(bench):
    """The feed is shuffled, but the posts of a thread follow each other as they were written."""
    feed = shuffled(bench[1])
    for thread in {item["thread_id"] for item in feed} - {None}:
        parts = [int(item["item_id"].partition("-")[2]) for item in feed if item["thread_id"] == thread]
        assert parts == sorted(parts)
        assert len(parts) > 1


def test_the_tables_count_what_was_found(bench, capsys):
    """A perfect answer reads 100 %, an alert on every clean item 100,000 per 100,000."""
    _, cases = bench
    leaked, clean = [case for case in cases if case.truth], [case for case in cases if not case.truth]
    tables.print_recall(leaked, {case.number: set(case.truth) for case in leaked}, {})
    tables.print_false_alerts(clean, {case.number: {"A0000000"} for case in clean}, {})
    printed = capsys.readouterr().out
    assert "**" not in printed
    assert len(re.findall(r"\| 100\.0% \|", printed)) > len(kinds.KINDS)
    assert "all ordinary, per 100,000 | 70 | 100,000.0 (70 of 70)" in printed


def test_the_rivals_find_plain_rows(bench):
    """Plaintext Aho-Corasick and rapidfuzz find what stands verbatim: the comparison is not with a broken tool."""
    hospital, cases = bench
    rows = [case for case in cases if case.kind in {"verbatim row", "dump CSV"}]
    for finds in (rivals.aho_corasick(hospital), rivals.rapidfuzz(hospital.patients)):
        answers = rivals.answers(rows, finds)
        assert all(set(case.truth) <= answers[case.number] for case in rows)
