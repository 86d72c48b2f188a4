"""EXAMINE: page → passages → matches → triage → alert, evidence and outbox row, in one transaction."""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime

import structlog

from alerts import triage
from alerts.evidence import snapshot
from alerts.interface import EvidenceSettings
from app.remembering import BatchMemory, PageMemory, Remembrance, keep_all, threads_of
from app.report import report_within, write
from app.stores import Stores
from decoders.interface import Sandbox
from matchers.epochs import Examines
from model.alert import Subject
from model.errors import EvidenceError, KeyUnusable, Outrun, StorageError, Superseded
from model.match import Match, Verdict
from model.page import Decoded, Page, Reason
from storage.database import Transaction
from storage.pages import LeasedPage
from storage.sealing import unseal

LEASE_SECONDS = 300.0
TOGETHER = 512
"""Pages that are leased at one stroke."""
BATCH = 128
"""Pages that are decoded, and matched, at one stroke: the next ones while these are matched."""
TOGETHER_BYTES = 1_000_000
"""Sealed bytes that they hold at most: pages with pictures come alone or in small groups."""
Read = tuple[LeasedPage, Page, Decoded]
"""A page on its way from the decoders to the matchers."""
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Examined:
    """What one page turned out to be; counts, references and fixed words only."""

    page_id: str
    site: str
    verdict: Verdict
    matches: tuple[Match, ...] = ()
    unread: tuple[Reason, ...] = ()
    """Why parts of the page were not read; empty when everything was."""
    alerts: tuple[str, ...] = ()
    """Ids of the alerts raised or sighted again."""
    evidence: str = ""
    """Folder of the snapshot below the evidence root; empty if nothing matched."""


@dataclass(frozen=True, slots=True)
class Examiner:
    """Everything one examination needs. Only its process holds the linkage key and crawled bytes together."""

    stores: Stores
    sandbox: Sandbox
    engine: Examines
    spool_keys: tuple[bytes, ...]
    """X25519 private keys that open the spool: the current one first."""
    evidence: EvidenceSettings
    context: snapshot.CaptureContext
    channels: tuple[str, ...]
    """Names of the channels that each notice goes to."""
    site_classes: Mapping[str, str]
    """Configured site → the description or spider that reads it, as messages tell it."""
    clock: Callable[[], datetime]
    remembrance: Remembrance
    """What was shown by other posts of a page's threads."""

    def examine_due(self, owner: str, limit: int = TOGETHER) -> Generator[Examined, None, None]:
        """Lease what waits in the spool and carry each page to its end, until nothing waits.

        Small pages are read together, and those that show nothing end together; whatever shows something, or fails,
        is examined by itself. Pages that were leased and not reached, because the caller stops or the disk fails, are
        given back.
        """
        while leased := self._lease(owner, limit):
            waiting = deque(leased)
            try:
                # A page that was leased before may have killed an examiner: it endangers no others.
                first_time = [page for page in leased if page.attempts == 1]
                if len(first_time) > 1:
                    ended = self._dismiss_many(first_time)
                    waiting = deque(page for page in leased if page.page_id not in ended)
                    yield from ended.values()
                while waiting:
                    examined = self._examine_guarded(waiting[0])
                    waiting.popleft()
                    if examined is not None:
                        yield examined
            finally:
                self._give_back(waiting)

    def _lease(self, owner: str, limit: int) -> list[LeasedPage]:
        pages = self.stores.pages
        return pages.lease(owner, LEASE_SECONDS, limit, tell=self._tell_crash, most_bytes=TOGETHER_BYTES)

    def _dismiss_many(self, leased: Sequence[LeasedPage]) -> dict[str, Examined]:
        """End those of the pages that were read whole and show nothing; return them by id. The others wait on."""
        ended: dict[str, Examined] = {}
        try:
            for batch in self._read_many(leased):
                for chosen in apart([threads_of(page) for _, page, _ in batch]):
                    ended |= self._dismiss_apart([batch[each] for each in chosen])
        except (Superseded, Outrun):
            log.info("pages examined one by one", pages=len(leased) - len(ended))
        except (StorageError, EvidenceError, KeyUnusable):
            raise  # not the pages' fault
        except Exception:
            log.exception("pages could not be examined together", pages=len(leased) - len(ended))
        return ended

    def _read_many(self, leased: Sequence[LeasedPage]) -> Iterator[list[Read]]:
        """Yield the pages as the decoders read them, in batches, always one batch ahead of the caller."""
        with ThreadPoolExecutor(1, thread_name_prefix="ahead") as ahead:
            coming = [ahead.submit(self._read, leased[at : at + BATCH]) for at in range(0, len(leased), BATCH)]
            for each in coming:
                yield each.result()

    def _read(self, leased: Sequence[LeasedPage]) -> list[Read]:
        pages = [unseal(each.sealed, *self.spool_keys) for each in leased]
        parts = iter(self.sandbox.decode_each([part for page in pages for part in page.parts]))
        decoded = [_whole([next(parts) for _ in page.parts]) for page in pages]
        return list(zip(leased, pages, decoded, strict=True))

    def _dismiss_apart(self, batch: Sequence[Read]) -> dict[str, Examined]:
        """The same for pages of which no two belong to one thread."""
        memory = BatchMemory(self.remembrance, [page for _, page, _ in batch])
        passages = [decoded.passages for _, _, decoded in batch]
        found = self.engine.examine_many(passages, [each.threads for each in memory.pages], memory)
        clean = [
            (leased, decoded, own)
            for (leased, _, decoded), own, examination in zip(batch, memory.pages, found, strict=True)
            if not examination.matches and not _unread(decoded, capped=examination.capped)
        ]
        memories = [own for _, _, own in clean]
        for each in memories:
            each.held()  # sealed before the transaction: nobody else should wait for arithmetic
        with self.stores.database.transaction() as tx:
            outcomes = [(leased, decoded.outcomes) for leased, decoded, _ in clean]
            self.stores.pages.finish_many(tx, outcomes, Verdict.NOTHING)
            keep_all(tx, memories)
        log.debug("pages examined", pages=len(clean), verdict=Verdict.NOTHING)
        return {leased.page_id: Examined(leased.page_id, leased.site, Verdict.NOTHING) for leased, _, _ in clean}

    def _give_back(self, waiting: Iterable[LeasedPage]) -> None:
        for page in waiting:
            try:
                self.stores.pages.release(page)
            except Superseded:
                log.warning("page taken over by another examiner", page=page.page_id)

    def _examine_guarded(self, page: LeasedPage) -> Examined | None:
        """Examine a page; what fails for the page's own sake ends it as quarantined. None if another has it now."""
        try:
            return self.examine(page)
        except Superseded:
            log.warning("page taken over by another examiner", page=page.page_id)
            return None
        except (StorageError, EvidenceError, KeyUnusable):
            raise  # not the page's fault: it is examined again once the disk is well, or the key there
        except Exception:
            log.exception("page could not be examined", page=page.page_id, site=page.site)
            return self._quarantine(page, Decoded((), ()), (Reason.INTERNAL,))

    def examine(self, leased: LeasedPage) -> Examined:
        """Carry one leased page to its end: examined, or quarantined with a reason."""
        page = unseal(leased.sealed, *self.spool_keys)
        decoded = self.sandbox.decode(page.parts)
        while True:
            memory = self.remembrance.of(page)
            try:
                return self._end(leased, page, decoded, memory)
            except Outrun:
                log.info("page examined again with a post of its thread", page=page.page_id, site=page.site)

    def _end(self, leased: LeasedPage, page: Page, decoded: Decoded, memory: PageMemory) -> Examined:
        """Match a page and write how it ended. Raises `Outrun` if nothing was written, and all must be done again."""
        examination = self.engine.examine_many([decoded.passages], [memory.threads], memory)[0]
        unread = _unread(decoded, capped=examination.capped)
        if examination.matches:
            return self._raise(leased, page, decoded, examination.matches, unread, memory)
        if unread:
            return self._quarantine(leased, decoded, unread, memory)
        return self._dismiss(leased, decoded, memory)

    def _quarantine(
        self, leased: LeasedPage, decoded: Decoded, unread: tuple[Reason, ...], memory: PageMemory | None = None
    ) -> Examined:
        """Keep the page sealed, with the reason, until all of it can be read; tell people."""
        with self.stores.database.transaction() as tx:
            self.stores.pages.quarantine(tx, leased, unread[0], decoded.outcomes)
            if memory is not None:
                memory.keep(tx)
            self._tell_unread(tx, leased.site, unread)
        log.warning("page quarantined", page=leased.page_id, site=leased.site, reason=unread[0])
        return Examined(leased.page_id, leased.site, Verdict.UNREADABLE, unread=unread)

    def _dismiss(self, leased: LeasedPage, decoded: Decoded, memory: PageMemory) -> Examined:
        """Everything was read and nothing matched: delete what was captured, keep the count."""
        with self.stores.database.transaction() as tx:
            self.stores.pages.finish(tx, leased, Verdict.NOTHING, decoded.outcomes)
            memory.keep(tx)
        log.debug("page examined", page=leased.page_id, site=leased.site, verdict=Verdict.NOTHING)
        return Examined(leased.page_id, leased.site, Verdict.NOTHING)

    def _raise(
        self,
        leased: LeasedPage,
        page: Page,
        decoded: Decoded,
        matches: Sequence[Match],
        unread: tuple[Reason, ...],
        memory: PageMemory,
    ) -> Examined:
        """Keep evidence first (idempotent by page id), then alert, outbox and page in one transaction."""
        now = self.clock()
        kept = snapshot.take(page, decoded, matches, settings=self.evidence, context=self.context, now=now)
        evidence = str(kept.folder.relative_to(self.evidence.folder))
        verdict = Verdict.LEAK if any(match.verdict is Verdict.LEAK for match in matches) else Verdict.SUSPICIOUS
        with self.stores.database.transaction() as tx:
            raised = triage.triage(
                page_id=page.page_id,
                site=page.site,
                seen_at=page.fetched_at,
                published_at=page.published_at,
                matches=matches,
                open_alerts=self.stores.alerts.open_for(tx, [match.handle for match in matches]),
                evidence=evidence,
                site_class=self.site_classes.get(page.site, ""),
            )
            write(tx, self.stores, self.channels, raised, now)
            self.stores.pages.finish(tx, leased, verdict, decoded.outcomes)
            memory.keep(tx)
            self._tell_unread(tx, page.site, unread)
        alerts = [alert.alert_id for alert in raised.new] + [update.alert_id for update in raised.sightings]
        log.warning("alert raised", page=page.page_id, site=page.site, verdict=verdict, alerts=alerts[:20])
        return Examined(page.page_id, page.site, verdict, tuple(matches), unread, tuple(alerts), evidence)

    def _tell_crash(self, tx: Transaction, site: str) -> None:
        """A page was given up because whoever examined it died, time and again."""
        log.error("page quarantined", site=site, reason=Reason.CRASH)
        self._tell_unread(tx, site, (Reason.CRASH,))

    def _tell_unread(self, tx: Transaction, site: str, unread: Sequence[Reason]) -> None:
        """What could not be read becomes an alert about the site, except where a person is told on the spot."""
        if unread and site in self.site_classes:
            words = [f"unread-{reason}" for reason in unread]
            kind = self.site_classes[site]
            report_within(tx, self.stores, self.channels, Subject.SITE, site, words, self.clock(), site_class=kind)


def apart(threads: Sequence[Sequence[str]]) -> list[list[int]]:
    """Return the places of the pages in rounds: in one round no two of one thread, over the rounds in their order."""
    rounds: list[list[int]] = []
    reached: dict[str, int] = {}
    for place, keys in enumerate(threads):
        number = max((reached.get(key, 0) for key in keys), default=0)
        if number == len(rounds):
            rounds.append([])
        rounds[number].append(place)
        reached.update(dict.fromkeys(keys, number + 1))
    return rounds


def _whole(parts: Sequence[Decoded]) -> Decoded:
    """Return as one what was made of each part of a page."""
    return Decoded(
        tuple(passage for part in parts for passage in part.passages),
        tuple(replace(outcome, part=number) for number, part in enumerate(parts) for outcome in part.outcomes),
    )


def _unread(decoded: Decoded, *, capped: bool) -> tuple[Reason, ...]:
    """Return why something was not read, each reason once, in the order met."""
    reasons = [outcome.reason for outcome in decoded.outcomes if outcome.state == "quarantined" and outcome.reason]
    return tuple(dict.fromkeys([*reasons, *([Reason.LIMIT] if capped else [])]))
