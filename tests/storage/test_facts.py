import threading

import pytest

from model.errors import StorageError
from storage.database import Database
from storage.facts import FactStore


def test_the_salt_is_made_once(database, url):
    """All who ask, also at the same moment and after opening again, get the same 32 bytes."""
    got, start = [], threading.Barrier(6)

    def ask():
        start.wait()
        got.append(FactStore(database).salt())

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    again = Database.open(url)
    assert {*got, FactStore(again).salt()} == {got[0]}
    assert len(got[0]) == 32
    again.close()


def test_two_installations_have_two_salts(tmp_path):
    """The salt is random."""
    salts = set()
    for name in "ab":
        database = Database.open(f"sqlite:///{tmp_path}/{name}.db")
        salts.add(FactStore(database).salt())
        database.close()
    assert len(salts) == 2


def test_the_first_writer_of_a_fact_counts(database):
    """The key check tag and the public key stay what they were; a second public key is refused."""
    facts = FactStore(database)
    assert facts.key_check() is None
    assert facts.set_key_check(b"one") == b"one"
    assert facts.set_key_check(b"two") == b"one" == facts.key_check()
    assert facts.public_key() is None
    facts.set_public_key(b"k" * 32)
    facts.set_public_key(b"k" * 32)
    with pytest.raises(StorageError, match="another public key"):
        facts.set_public_key(b"l" * 32)
    assert facts.public_key() == b"k" * 32


def test_a_fact_can_be_rotated(database):
    """`replace` overwrites what is known and adds what is not."""
    facts = FactStore(database)
    facts.replace("a", b"1")
    facts.replace("a", b"2")
    assert facts.get("a") == b"2"
    assert facts.get("b") is None


def test_the_filter_version_begins_at_zero(database):
    """Before the first enrolment there is nothing to filter."""
    assert FactStore(database).filter_version() == 0
