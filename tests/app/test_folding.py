"""A change of the folding tables is noticed, and settled by enrolling everything again."""

from pathlib import Path

from app.stores import Stores
from app.wiring import folds_as_enrolled, note_folding
from matchers.fingerprints import Enroller
from matchers.keys import LinkageKey
from storage.database import Database
from tests.people import PEOPLE, SCHEMA


def test_another_folding_is_noticed_until_everything_is_enrolled_again(tmp_path: Path):
    """A part of the export does not settle it: the other records could still be missed."""
    database = Database.open(f"sqlite:///{tmp_path}/test.db")
    stores = Stores.of(database)
    made, refused = Enroller(LinkageKey.generate(), SCHEMA).fingerprint(
        [person.record() for person in PEOPLE], stores.records
    )
    assert not refused
    stores.records.add(made)
    note_folding(stores, len(made))
    assert folds_as_enrolled(stores)
    stores.facts.replace("fold-tables", b"made by another Python")
    assert not folds_as_enrolled(stores)
    note_folding(stores, 1)
    assert not folds_as_enrolled(stores)
    note_folding(stores, len(made))
    assert folds_as_enrolled(stores)
    database.close()
