"""What was found out about the queries of each site: whether they name a record, and as of which state of things.

No word of a query is kept, only under which options a refused one stands.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from storage.database import Database
from storage.moments import Clock, utc_now
from storage.statements import put
from storage.tables import query_verdicts


@dataclass(frozen=True, slots=True)
class QueryVerdict:
    """One site's queries, examined."""

    digest: bytes
    """Of what was examined and against what: another digest, another examination."""
    refused: tuple[str, ...]
    """Names of the options that hold something enrolled."""
    vetted_at: datetime


class QueryVerdicts:
    """The last verdict on each site's queries."""

    def __init__(self, database: Database, clock: Clock = utc_now) -> None:
        """Use the database and the clock."""
        self._database = database
        self._clock = clock

    def of(self, site: str) -> QueryVerdict | None:
        """Return the last verdict, or None before the first."""
        with self._database.reading() as tx:
            row = tx.execute(select(query_verdicts).where(query_verdicts.c.site == site)).one_or_none()
        return None if row is None else QueryVerdict(bytes(row.digest), tuple(json.loads(row.refused)), row.vetted_at)

    def keep(self, digest: bytes, refused: Mapping[str, tuple[str, ...]]) -> None:
        """Write the verdicts on these sites (site → refused options) over the earlier ones."""
        now = self._clock()
        with self._database.transaction() as tx:
            for site, options in refused.items():
                row = {"digest": digest, "refused": json.dumps(list(options)), "vetted_at": now}
                put(tx, query_verdicts, {"site": site}, row)
