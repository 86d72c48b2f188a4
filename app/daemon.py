"""WATCH: the alarm clock, the children and the outbox. Holds no linkage key and reads no page.

APScheduler only rings: what is due, leased and done stands in the database. One daemon works on a database; a second
one stands by until the first has ended, is seen to be dead, or (on another machine) has been silent for a minute.
"""

import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime

import structlog
from apscheduler.executors.pool import ThreadPoolExecutor as SchedulerPool
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.interval import IntervalTrigger

from app import child, owner, standing, vet
from app.config import Config
from app.deliver import deliver_due, open_channels
from app.keeping import Keeper
from app.report import report_problem
from app.scan import STREAM_SECONDS, run_due
from app.stores import Stores
from crawler.catalogue import is_stream
from crawler.interface import SiteSettings
from model.alert import Subject
from model.errors import SpillwatchError, Superseded
from model.page import Reason
from model.scan import ScanReport, SiteState
from storage.leases import Lease
from storage.moments import utc_now as now

LEASE = "daemon"
LEASE_SECONDS = 60.0
SCANS_AT_ONCE = 4
POLL = 0.1
log = structlog.get_logger(__name__)


class Daemon:
    """One daemon on one database."""

    def __init__(self, config: Config, stores: Stores, stopping: threading.Event) -> None:
        """Use the configuration; nothing starts yet. `stopping` is set by a signal, or by losing the lease."""
        self._config = config
        self._stores = stores
        self._stopping = stopping
        self._channels = open_channels(config)
        self._examiner = Keeper("examiner", lambda: child.start("app.examiner", config, keyless=False))
        self._streams = {
            site.name: Keeper(f"stream {site.name}", lambda site=site: self._start_stream(site))  # type: ignore[misc]
            for site in config.sites.values()
            if is_stream(site.use)
        }
        self._lease: Lease | None = None

    def run(self) -> None:
        """Watch until told to stop; then let running scans and deliveries end."""
        if not self._stand_by():
            return
        scheduler = self._clock()
        log.info("daemon started", sites=len(self._config.sites), channels=sorted(self._channels))
        scheduler.start()
        try:
            self._stopping.wait()
        finally:
            scheduler.shutdown(wait=True)
            for keeper in (*self._streams.values(), self._examiner):
                keeper.stop()
            self._stores.leases.release(self._lease) if self._lease else None
            log.info("daemon stopped")

    def run_once(
        self,
        sites: Sequence[SiteSettings],
        told: Callable[[ScanReport], None] | None = None,
        stream_seconds: float = STREAM_SECONDS,
    ) -> list[ScanReport]:
        """Do one tick, whatever the schedule says: scan these sites, examine all pages, deliver all messages.

        A stream is read until it has caught up with the present, the first time and at most for `stream_seconds`.
        Raises `SpillwatchError` if another daemon works on this database.
        """
        self._lease = self._acquire()
        if self._lease is None:
            raise SpillwatchError("a daemon works on this database: stop it first, or leave the work to it")
        reports = []
        try:
            with self._renewing(), ThreadPoolExecutor(SCANS_AT_ONCE) as pool:
                for report in pool.map(lambda site: self._scan(site, now(), stream_seconds), sites):
                    if report is None:
                        continue
                    reports.append(report)
                    if told is not None:
                        told(report)
                self._examine_once()
                self._look_for_silence()
                self._deliver()
        finally:
            self._stores.leases.release(self._lease)
        return reports

    def _examine_once(self) -> None:
        """Let an examiner end all pages that wait, or stop it when told to stop."""
        if self._stopping.is_set():
            return
        examiner = child.start("app.examiner", self._config, "--once", keyless=False)
        try:
            while examiner.poll() is None and not self._stopping.wait(POLL):
                pass
        finally:
            child.stop(examiner)
        if examiner.returncode != 0:
            raise SpillwatchError("the examiner ended with an error; its log line above says which")

    @contextmanager
    def _renewing(self) -> Iterator[None]:
        """Keep the lease meanwhile; stop when it is lost."""
        ended = threading.Event()

        def renew() -> None:
            while not ended.wait(LEASE_SECONDS / 4):
                try:
                    self._renew()
                except SpillwatchError:
                    log.exception("lease lost, stopping")
                    self._stopping.set()
                    return

        renewer = threading.Thread(target=renew, daemon=True)
        renewer.start()
        try:
            yield
        finally:
            ended.set()
            renewer.join()

    def tick(self, site: SiteSettings) -> None:
        """Run the scan of a site that is due now, unless this tick was run already."""
        present = now().timestamp()
        due_at = datetime.fromtimestamp(present - present % site.every, UTC)
        self._scan(site, due_at)

    def _scan(self, site: SiteSettings, due_at: datetime, stream_seconds: float = STREAM_SECONDS) -> ScanReport | None:
        channels = tuple(self._channels)
        return run_due(self._config, site, due_at, self._stores, channels, self._stopping, stream_seconds)

    def _clock(self) -> BackgroundScheduler:
        scheduler = BackgroundScheduler(
            timezone=UTC,
            executors={"default": SchedulerPool(4), "scans": SchedulerPool(SCANS_AT_ONCE)},
            job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1},
        )

        def ring(name: str, work: Callable[[], object], seconds: float, executor: str = "default") -> None:
            scheduler.add_job(
                self._guarded(name, work),
                IntervalTrigger(seconds=seconds, timezone=UTC),
                id=name,
                executor=executor,
                next_run_time=now(),
            )

        for site in self._config.sites.values():
            if site.name in self._streams:
                ring(f"stream {site.name}", lambda site=site: self._keep_stream(site), 5.0)  # type: ignore[misc]
            else:
                ring(f"scan {site.name}", lambda site=site: self.tick(site), site.every, "scans")  # type: ignore[misc]
        ring("lease", self._renew, LEASE_SECONDS / 4)
        ring("examiner", self._keep_examiner, 5.0)
        ring("deliver", self._deliver, 5.0)
        ring("silence", self._look_for_silence, 60.0)
        return scheduler

    def _guarded(self, name: str, work: Callable[[], object]) -> Callable[[], None]:
        """A job that fails is told in the log and, where the database still answers, as an alert; the clock goes on."""

        def run() -> None:
            try:
                work()
            except Superseded:
                log.critical("another daemon took over, stopping", job=name)
                self._stopping.set()
            except Exception as error:
                log.exception("job failed", job=name)
                word = "internal-error" if not isinstance(error, SpillwatchError) else "job-failed"
                report_problem(self._stores, tuple(self._channels), Subject.SYSTEM, "", [word], now())

        return run

    def _stand_by(self) -> bool:
        """Wait for the lease; tell whether it was had before being told to stop."""
        told = False
        while not self._stopping.is_set():
            self._lease = self._acquire()
            if self._lease is not None:
                closed = self._stores.scans.close_orphans()
                if closed:
                    log.warning("scans of a dead daemon closed", scans=closed)
                return True
            if not told:
                log.warning("another daemon works on this database; standing by")
                told = True
            self._stopping.wait(5.0)
        return False

    def _acquire(self) -> Lease | None:
        return owner.take(self._stores.leases, LEASE, LEASE_SECONDS)

    def _renew(self) -> None:
        if self._lease is not None:
            self._lease = self._stores.leases.renew(self._lease, LEASE_SECONDS)

    def _keep_examiner(self) -> None:
        """Start the examiner; start it again when it dies, and raise an alarm when it keeps dying."""
        if not self._stopping.is_set() and self._examiner.tend():
            report_problem(self._stores, tuple(self._channels), Subject.SYSTEM, "", ["examiner-died"], now())

    def _keep_stream(self, site: SiteSettings) -> None:
        """The same for the worker of a stream; one whose options name a record is not started, or is stopped."""
        if vet.refused(self._config, site, self._stores):
            self._streams[site.name].stop()
            standing.note(site, SiteState.FAILING, Reason.QUERY, self._stores, tuple(self._channels), now())
            return
        if not self._stopping.is_set() and self._streams[site.name].tend():
            words = [SiteState.FAILING.value, "stream-died"]
            at = now()
            report_problem(self._stores, tuple(self._channels), Subject.SITE, site.name, words, at, site_class=site.use)
            self._stores.scans.set_state(site.name, SiteState.FAILING, Reason.CRASH, at)

    def _start_stream(self, site: SiteSettings) -> "subprocess.Popen[bytes]":
        return child.start("app.stream", self._config, site.name, keyless=True)

    def _deliver(self) -> None:
        deliver_due(self._stores.outbox, self._channels, now())

    def _look_for_silence(self) -> None:
        """Look at each site that should give new items, whether or not it is scanned."""
        for site in self._config.sites.values():
            standing.look_for_silence(site, self._stores, tuple(self._channels), now())
