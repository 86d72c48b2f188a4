"""The spool as one scan sees it: what the scan has done so far stands in the database, whatever becomes of its process.

The counts are written in the transaction of each page that is kept and each item that is given up. A scan that dies
has told what it kept to the last page; what it had merely looked at since is forgotten with it.
"""

from sqlalchemy import Connection, update

from model.page import Reason
from storage.database import Database
from storage.moments import Clock, utc_now
from storage.pages import PageStore
from storage.statements import insert_new
from storage.tables import scan_failures, scans


class ScanningPages(PageStore):
    """A page store for the child process of one scan."""

    def __init__(
        self, database: Database, salt: bytes, scan_id: int, *, public_key: bytes | None = None, clock: Clock = utc_now
    ) -> None:
        """Use the database and the salt as `PageStore` does; `scan_id` is the number of the running scan."""
        super().__init__(database, salt, public_key=public_key, clock=clock)
        self.begin(scan_id)

    def begin(self, scan_id: int) -> None:
        """Count for this scan from now on: a stream is told of scan by scan, without an end between them."""
        self.scan_id = scan_id
        self._looked_at = 0
        self._known = 0
        self._pages = 0

    def is_new(self, site: str, item_id: str) -> bool:
        """Tell whether this item was neither kept nor given up before; the scan has looked at one more."""
        new = super().is_new(site, item_id)
        self._looked_at += 1
        self._known += not new
        return new

    def _kept(self, tx: Connection) -> None:
        self._pages += 1
        self._note(tx)

    def _kept_many(self, tx: Connection, seen: int, new: int) -> None:
        self._looked_at += seen
        self._known += seen - new
        self._pages += new
        self._note(tx)

    def _given_up(self, tx: Connection, reason: Reason) -> None:
        place = {"scan_id": self.scan_id, "reason": reason.value}
        if not insert_new(tx, scan_failures, {**place, "items": 1}):
            number = scan_failures.c["items"] + 1
            row = (scan_failures.c.scan_id == self.scan_id, scan_failures.c.reason == reason.value)
            tx.execute(update(scan_failures).where(*row).values({"items": number}))
        self._note(tx)

    def _note(self, tx: Connection) -> None:
        row = (scans.c.scan_id == self.scan_id, scans.c.status == "running")
        counts = {"listed": self._looked_at, "known": self._known, "fetched": self._pages}
        tx.execute(update(scans).where(*row).values(**counts))
