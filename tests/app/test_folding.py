"""A change of the folding tables is noticed, and settled by enrolling everything again."""

from pathlib import Path

from app.stores import Stores
from app.wiring import common_phrases, folds_as_enrolled, note_enrolment
from matchers.epochs import EpochEnroller, EpochKey, Keyring
from matchers.keys import LinkageKey
from storage.database import Database
from tests.people import PEOPLE, SCHEMA


def test_another_folding_is_noticed_until_everything_is_enrolled_again(tmp_path: Path):
    """A part of the export does not settle it: the other records could still be missed."""
    database = Database.open(f"sqlite:///{tmp_path}/test.db")
    stores = Stores.of(database)
    enroller = EpochEnroller(Keyring(EpochKey(1, LinkageKey.generate())), SCHEMA)
    made, refused = enroller.fingerprint([person.record() for person in PEOPLE], stores.records)
    assert not refused
    stores.records.add(made)
    note_enrolment(stores, enroller, len(made))
    assert folds_as_enrolled(stores)
    phrases = common_phrases(stores, enroller.epoch)
    assert phrases is not None
    assert phrases.notes == sum("note" in person.values for person in PEOPLE)
    stores.facts.replace("fold-tables", b"made by another Python")
    assert not folds_as_enrolled(stores)
    note_enrolment(stores, enroller, 1)
    assert not folds_as_enrolled(stores)
    note_enrolment(stores, enroller, len(made))
    assert folds_as_enrolled(stores)
    database.close()
