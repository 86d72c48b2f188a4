"""What a thief without the key gets out of a whole database: no more than chance gives him, and nothing of the erased.

The attacks stand in tests/privacy. `SPILLWATCH_TEST_PRIVACY_RECORDS` and `…_SEEDS` ask for a larger hospital (10,000)
and for more of them (20); the suite takes as much as a minute allows.
"""

import os
import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from app.enrol import enrol, erase
from matchers.engine import Engine
from matchers.filter import BloomFilter
from matchers.interface import MatchingSettings
from matchers.kernel import Kernel
from matchers.keys import LinkageKey, LocalEvaluator
from model.page import Passage
from model.record import LinkageColumn, LinkageSchema, Record
from storage.database import Database
from tests.matchers.bench import Bench
from tests.privacy import attacks
from tests.privacy.loot import Installation, Loot, lying_in, naive, stolen
from tests.privacy.world import Patient, hospital

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]
RECORDS = int(os.environ.get("SPILLWATCH_TEST_PRIVACY_RECORDS", "2000"))
SEEDS = range(1, 1 + int(os.environ.get("SPILLWATCH_TEST_PRIVACY_SEEDS", "1")))
MOST_GAIN = 0.01
"""What an attack may win over chance."""
KEY = LinkageKey(bytes(range(32)))
THIEF = LinkageKey(bytes(range(100, 132)))


@pytest.fixture(scope="module", params=SEEDS)
def people(request: pytest.FixtureRequest) -> list[Patient]:
    """Give a hospital."""
    return hospital(RECORDS, request.param)


@pytest.fixture(scope="module")
def installed(people: list[Patient], tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """Give the database in which it is enrolled; tests that change it take a copy."""
    return Installation.enrol(tmp_path_factory.mktemp("ours") / "spillwatch.db", people, KEY)


@pytest.fixture(scope="module")
def own(people: list[Patient], tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """Give the database that the thief makes of the same people, who are all known to him, under a key of his."""
    return Installation.enrol(tmp_path_factory.mktemp("his") / "spillwatch.db", people, THIEF)


@pytest.fixture(scope="module")
def loot(installed: Installation, own: Installation, people: list[Patient]) -> Loot:
    """Give what was stolen."""
    return stolen(installed, own, people)


@pytest.fixture
def copied(installed: Installation, tmp_path: Path) -> Installation:
    """Give a copy of the database that a test may change."""
    installed.database.scrub()  # nothing is left in the write-ahead log
    shutil.copy(installed.path, tmp_path / "copy.db")
    database = Database.open(f"sqlite:///{tmp_path}/copy.db")
    return Installation(tmp_path / "copy.db", database, installed.enroller, installed.evaluator)


def test_no_attack_does_better_than_chance(loot: Loot, people: list[Patient]):
    """Equality, frequency, order, neighbourhood, lengths, graphs: what each wins over chance is below 1 %."""
    outcomes = attacks.everything(loot, people)
    print(*outcomes, sep="\n")
    assert [str(outcome) for outcome in outcomes if outcome.gain > MOST_GAIN] == []


def test_every_attack_breaks_a_naive_column(people: list[Patient], tmp_path: Path):
    """The same attacks on keyed hashes in columns, an encrypted note beside them: each wins, so none is blind."""
    outcomes = attacks.everything(naive(tmp_path / "naive.db", people), people)
    print(*outcomes, sep="\n")
    assert [str(outcome) for outcome in outcomes if outcome.gain <= MOST_GAIN or outcome.rate <= outcome.high] == []


def test_two_snapshots_show_entries_and_their_number(installed: Installation, copied: Installation, own, people):
    """Who is enrolled alone shows how many entries he has, and changes no other; that number links to nobody."""
    refs = [patient.record.ref for patient in people[:: RECORDS // 2]]
    records = {patient.record.ref: patient.record for patient in people}
    assert erase(refs, copied.enroller, copied.store) == (len(refs), [])
    before = copied.labels()
    for ref in refs:
        sealed = copied.store.postings(list(before))
        assert enrol([records[ref]], copied.enroller, copied.store).added == 1
        after = copied.labels()
        new = {name: meaning for name, meaning in after.items() if name not in before}
        assert {copied.refs([handle])[handle] for handle, _ in new.values()} == {ref}
        assert copied.store.postings(list(before)) == sealed, "an entry of somebody else changed: they share a value"
        before = after
    outcome = by_number(_entries(installed), _entries(own))
    print(f"two snapshots: {outcome:.3%}, chance {1 / RECORDS:.3%}")
    assert outcome <= 1 / RECORDS + MOST_GAIN
    assert by_number(_known_lengths(people), _known_lengths(people)) > 2 * MOST_GAIN, "exact lengths would link"


def _entries(installed: Installation) -> dict[str, int]:
    """Return reference → number of entries."""
    counts = Counter(handle for handle, _ in installed.labels().values())
    refs = installed.refs(list(counts))
    return {refs[handle]: number for handle, number in counts.items()}


def _known_lengths(people: Sequence[Patient]) -> dict[str, int]:
    """Return what a naive database would show of each newcomer: the length of the note."""
    return {patient.record.ref: len(patient.record.values.get("note", "")) for patient in people}


def by_number(seen: dict[str, int], expected: dict[str, int]) -> float:
    """Return how often a record is linked by one number: each guess is one of those with the nearest number."""
    those = Counter(expected.values())
    rate = 0.0
    for ref, number in seen.items():
        nearest = min(those, key=lambda each: (abs(each - number), each))
        rate += (expected[ref] == nearest) / those[nearest]
    return rate / len(seen)


def test_a_codebook_is_worth_nothing_elsewhere(people: list[Patient], tmp_path: Path):
    """Who knows what every entry of one database means recognises none under another epoch, another key, anew."""
    some = people[:100]
    first = Installation.enrol(tmp_path / "first.db", some, KEY)
    book = {label: value for label, (_, value) in first.labels().items()}
    again = Installation.enrol(tmp_path / "again.db", some, KEY)
    assert set(again.labels()) == set(book), "the book is not blind: same key, same epoch, same entries"
    later = Installation.enrol(tmp_path / "later.db", some, KEY, epoch=2)
    other = Installation.enrol(tmp_path / "other.db", some, THIEF)
    for elsewhere in (later, other):
        assert len(elsewhere.labels()) > len(some)
        assert not set(elsewhere.labels()) & set(book)
    raw = later.bytes() + other.bytes()
    assert lying_in(raw, list(book)) == []


def test_a_value_in_two_columns_shows_nowhere():
    """The same string as telephone and as record number makes entries that have nothing in common."""
    found = {}
    for kind in ("phone", "mrn"):
        schema = LinkageSchema("ref", {"it": LinkageColumn(kind)})
        found[kind] = Bench.enrol(schema, [Record("R-1", 1, {"it": "15400000001"})], KEY).store.labels
    assert all(found.values())
    assert not set(found["phone"]) & set(found["mrn"])


def test_the_filter_tells_nothing_without_the_key(installed: Installation, own: Installation):
    """Tags made of the right values under another key are in the filter as often as noise is; under the key, always."""
    ours, his = _tags(installed), _tags(own)
    known = BloomFilter.build(ours)
    noise = np.random.default_rng(3).integers(0, 1 << 64, len(his), np.uint64)
    guessed, chance = (len(known.survivors(some)) / len(some) for some in (his, noise))
    assert abs(guessed - chance) <= MOST_GAIN
    assert len(known.survivors(ours)) == len(ours), "the test is not blind: the right tags are all there"


def _tags(installed: Installation) -> np.ndarray:
    return np.concatenate([installed.enroller.filter_tags(tokens) for _, tokens in installed.store.tokens()])


def test_erasing_a_tenth_leaves_no_trace_of_it(copied: Installation, people: list[Patient]):
    """The erased match nothing, every survivor is still found, no label of theirs is in the database or its log."""
    gone = {patient.record.ref for patient in people[3::10]}
    before = copied.labels()
    refs = copied.refs(list({handle for handle, _ in before.values()}))
    raw = copied.bytes()
    assert len(lying_in(raw, list(before))) > 0.9 * len(before), "the search is blind"
    assert sum(label in raw for label in list(before)[:: len(before) // 50]) > 45, "the labels lie elsewhere"
    assert found(copied, people[3::10]) == gone

    assert erase(gone, copied.enroller, copied.store) == (len(gone), [])
    copied.database.scrub()
    after = copied.labels()
    assert {refs[handle] for handle, _ in after.values()} == set(refs.values()) - gone
    assert len(after) == sum(refs[handle] not in gone for handle, _ in before.values())
    erased = set(before) - set(after)
    assert len(erased) == sum(refs[handle] in gone for handle, _ in before.values())
    assert found(copied, people) == set(refs.values()) - gone
    raw = copied.bytes()
    traces = [*erased, *(handle for handle, ref in refs.items() if ref in gone)]
    assert lying_in(raw, traces) == []


def found(installed: Installation, people: Sequence[Patient]) -> set[str]:
    """Return whom a page with their own telephone and record number finds."""
    engine = Engine(
        LocalEvaluator(KEY),
        Kernel(KEY.kernel_key()),
        BloomFilter.build(_tags(installed)),
        installed.store,
        MatchingSettings(),
    )
    seen: set[str] = set()
    for first in range(0, len(people), 64):
        some = people[first : first + 64]
        texts = [f"{one.record.values['name']} {one.record.values['phone']} {one.record.values['mrn']}" for one in some]
        answers = engine.examine_many([[Passage(text, "body")] for text in texts])
        handles = {match.handle for answer in answers for match in answer.matches}
        by_handle = installed.refs(list(handles))
        assert len(by_handle) == len(handles), "a match leads to a record that is not there"
        for one, answer in zip(some, answers, strict=True):
            seen |= {by_handle[match.handle] for match in answer.matches} & {one.record.ref}
    return seen
