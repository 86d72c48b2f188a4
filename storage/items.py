"""What the fetcher remembers of a site: items seen, cursors, validators; nothing of it readable at a glance.

Item ids and list names come from sites and can contain names: they rest as BLAKE2b digests keyed with the
installation salt. Cursors and validators must be given back, so they rest veiled: encrypted under a key derived
from the salt. That keeps them out of searches, dumps and logs; it does not keep them from somebody who holds the
whole database, because the salt is in it.
"""

import json
import secrets
from collections.abc import Iterable
from datetime import datetime
from hashlib import blake2b

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import Connection, select

from model.errors import StorageError
from model.page import Reason
from model.scan import Validators
from storage.database import Database
from storage.moments import Clock, utc_now
from storage.statements import batches, insert_new, put
from storage.tables import items, streams


class ItemMemory:
    """Items seen, cursors and validators of each site."""

    def __init__(self, database: Database, salt: bytes, clock: Clock = utc_now) -> None:
        """Use the database and the installation salt."""
        self._database = database
        self._salt = salt
        self._clock = clock
        self._veil = AESGCM(blake2b(key=salt, person=b"spw veil", digest_size=32).digest())

    def is_new(self, site: str, item_id: str) -> bool:
        """Tell whether this item was neither kept nor given up before."""
        wanted = (items.c.site == site, items.c.item_digest == self._digest(b"spw item", item_id))
        with self._database.reading() as tx:
            return tx.execute(select(items.c.site).where(*wanted)).first() is None

    def give_up(self, site: str, item_id: str, reason: Reason) -> None:
        """Remember an item that will never be fetched, so that it is not asked for again."""
        with self._database.transaction() as tx:
            self._remember(tx, site, item_id, self._clock(), reason)
            self._given_up(tx, reason)

    def cursor(self, site: str, stream: str) -> str | None:
        """Return the cursor saved for one list of the site."""
        veiled = self._of_stream(site, stream, "cursor")
        return None if veiled is None else self._unveil(veiled).decode()

    def save_cursor(self, site: str, stream: str, cursor: str) -> None:
        """Save the cursor of one list."""
        self._save(site, stream, "cursor", cursor.encode())

    def validators(self, site: str, stream: str) -> Validators:
        """Return what the server last gave for this list; both fields None when nothing is known."""
        veiled = self._of_stream(site, stream, "validators")
        if veiled is None:
            return Validators()
        etag, last_modified = json.loads(self._unveil(veiled))
        return Validators(etag, last_modified)

    def save_validators(self, site: str, stream: str, validators: Validators) -> None:
        """Save what the server gave for one list."""
        self._save(site, stream, "validators", json.dumps([validators.etag, validators.last_modified]).encode())

    def _unseen(self, tx: Connection, site: str, item_ids: Iterable[str]) -> dict[str, bytes]:
        """Return which of the items were neither kept nor given up, each once, with their digests."""
        digests = {item_id: self._digest(b"spw item", item_id) for item_id in item_ids}
        seen: set[bytes] = set()
        for some in batches(list(digests.values())):
            known = (items.c.site == site, items.c.item_digest.in_(some))
            seen |= {bytes(digest) for digest in tx.scalars(select(items.c.item_digest).where(*known))}
        return {item_id: digest for item_id, digest in digests.items() if digest not in seen}
    def _given_up(self, tx: Connection, reason: Reason) -> None:
        """Called with each item that is given up, in its transaction."""

    def _remember(self, tx: Connection, site: str, item_id: str, now: datetime, reason: Reason | None) -> None:
        row = {
            "site": site,
            "item_digest": self._digest(b"spw item", item_id),
            "reason": reason.value if reason else None,
            "seen_at": now,
        }
        insert_new(tx, items, row)

    def _digest(self, person: bytes, text: str) -> bytes:
        return blake2b(text.encode("utf-8", "surrogatepass"), key=self._salt, person=person, digest_size=16).digest()

    def _of_stream(self, site: str, stream: str, column: str) -> bytes | None:
        wanted = (streams.c.site == site, streams.c.stream_digest == self._digest(b"spw stream", stream))
        with self._database.reading() as tx:
            return tx.scalar(select(streams.c[column]).where(*wanted))

    def _save(self, site: str, stream: str, column: str, value: bytes) -> None:
        with self._database.transaction() as tx:
            self._save_within(tx, site, stream, column, value)

    def _save_within(self, tx: Connection, site: str, stream: str, column: str, value: bytes) -> None:
        nonce = secrets.token_bytes(12)
        key = {"site": site, "stream_digest": self._digest(b"spw stream", stream)}
        put(tx, streams, key, {column: nonce + self._veil.encrypt(nonce, value, None)})

    def _unveil(self, veiled: bytes) -> bytes:
        try:
            return self._veil.decrypt(bytes(veiled[:12]), bytes(veiled[12:]), None)
        except InvalidTag:
            raise StorageError(
                "a saved cursor does not open: it is damaged, or the installation salt was changed"
            ) from None
