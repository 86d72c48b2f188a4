"""Small named values of an installation: salt, spool public key, epochs of the linkage key, filter version."""

import secrets
from collections.abc import Sequence

from sqlalchemy import Connection, func, select, update

from model.errors import StorageError
from storage.database import Database
from storage.statements import insert_new
from storage.tables import counters, facts, records

SALT = "installation-salt"
PUBLIC_KEY = "spool-public-key"
KEY_CHECK = "key-check"
EPOCHS = "epochs"
FILTER_VERSION = "filter-version"


class FactStore:
    """The installation's own facts. Each is written once; the filter version moves, and rotation moves the keys'."""

    def __init__(self, database: Database) -> None:
        """Use the database; nothing is read yet."""
        self._database = database

    def salt(self) -> bytes:
        """Return the installation salt, 32 random bytes, made when first asked for.

        It keys digests of item ids, so that a dump of the database cannot be searched with a list of URLs
        from elsewhere. It is not a secret from whoever holds the database.
        """
        found = self.get(SALT)
        return found if found is not None else self.set_once(SALT, secrets.token_bytes(32))

    def public_key(self) -> bytes | None:
        """Return the X25519 public key that spooled pages are sealed to, or None before the first enrolment."""
        return self.get(PUBLIC_KEY)

    def set_public_key(self, public_key: bytes) -> None:
        """Keep the spool's public key. Raises StorageError when another one is there already."""
        if self.set_once(PUBLIC_KEY, public_key) != public_key:
            raise StorageError("the spool is sealed to another public key: use the linkage key that made it")

    def key_check(self) -> bytes | None:
        """Return the tag that tells whether a linkage key is the one used before, or None."""
        return self.get(KEY_CHECK)

    def set_key_check(self, tag: bytes) -> bytes:
        """Keep the key check tag if there is none; return the one that counts."""
        return self.set_once(KEY_CHECK, tag)

    def epochs(self) -> tuple[tuple[int, bytes], ...]:
        """Return the live epochs (number, key check tag), the current one first; empty before a key was used."""
        with self._database.reading() as tx:
            return _epochs(tx)

    def begin_epoch(self, check_tag: bytes, public_key: bytes) -> int:
        """Begin the next epoch under the key of these two and return its number, in one transaction.

        Raises StorageError while an earlier rotation is unfinished, or before any key was used.
        """
        with self._database.transaction() as tx:
            live = _epochs(tx)
            if not live:
                raise StorageError("no linkage key was used with this database yet: enrol records first")
            if len(live) > 1:
                advice = "enrol the export, then: spillwatch rotate --finish"
                raise StorageError(f"the rotation to epoch {live[0][0]} is not finished: {advice}")
            number = live[0][0] + 1
            _set_epochs(tx, [(number, check_tag), *live])
            _replace(tx, KEY_CHECK, check_tag)
            _replace(tx, PUBLIC_KEY, public_key)
            raise_filter_version(tx)
        return number

    def finish_epoch(self) -> int:
        """Forget every epoch but the current one; return its number.

        Raises StorageError while records of an earlier one remain.
        """
        with self._database.transaction() as tx:
            (current, tag), *_ = _epochs(tx)
            raise_filter_version(tx)  # enrolments wait here, so that none can slip in behind the count
            left = tx.scalar(select(func.count()).select_from(records).where(records.c.epoch != current)) or 0
            if left:
                raise StorageError(f"{left} records of an earlier epoch remain: enrol the export, or erase them")
            _set_epochs(tx, [(current, tag)])
        return current

    def filter_version(self) -> int:
        """Return the version the filter file must have: it rises with every change of the records."""
        with self._database.reading() as tx:
            return filter_version(tx)

    def get(self, name: str) -> bytes | None:
        """Return the fact's value, or None."""
        with self._database.reading() as tx:
            value: bytes | None = tx.scalar(select(facts.c.value).where(facts.c.name == name))
            return value

    def set_once(self, name: str, value: bytes) -> bytes:
        """Keep the value unless the fact is known; return the value that counts (the first writer's)."""
        with self._database.transaction() as tx:
            insert_new(tx, facts, {"name": name, "value": value})
            kept: bytes = tx.execute(select(facts.c.value).where(facts.c.name == name)).scalar_one()
            return kept

    def replace(self, name: str, value: bytes) -> None:
        """Overwrite a fact, known or not: for rotation of keys."""
        with self._database.transaction() as tx:
            _replace(tx, name, value)


def _replace(tx: Connection, name: str, value: bytes) -> None:
    if not insert_new(tx, facts, {"name": name, "value": value}):
        tx.execute(update(facts).where(facts.c.name == name).values(value=value))


def _epochs(tx: Connection) -> tuple[tuple[int, bytes], ...]:
    """Read the live epochs; before the first rotation there is epoch 1 under the first key."""
    rows = tx.execute(select(facts).where(facts.c.name.in_([EPOCHS, KEY_CHECK])))
    kept = {name: bytes(value) for name, value in rows}
    if EPOCHS not in kept:
        return ((1, kept[KEY_CHECK]),) if KEY_CHECK in kept else ()
    lines = (line.split(" ") for line in kept[EPOCHS].decode("ascii").splitlines())
    return tuple((int(number), bytes.fromhex(tag)) for number, tag in lines)


def _set_epochs(tx: Connection, live: Sequence[tuple[int, bytes]]) -> None:
    _replace(tx, EPOCHS, "\n".join(f"{number} {tag.hex()}" for number, tag in live).encode("ascii"))


def filter_version(tx: Connection) -> int:
    """Return the filter version inside the caller's transaction; 0 before the first change."""
    return tx.scalar(select(counters.c.value).where(counters.c.name == FILTER_VERSION)) or 0


def raise_filter_version(tx: Connection) -> int:
    """Raise the filter version by one and return it; concurrent changes of the records wait here for each other."""
    insert_new(tx, counters, {"name": FILTER_VERSION, "value": 0})
    tx.execute(update(counters).where(counters.c.name == FILTER_VERSION).values(value=counters.c.value + 1))
    return filter_version(tx)
