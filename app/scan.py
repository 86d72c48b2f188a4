"""SCAN: schedule → spider → pages → storage, in a process that has the network and no key.

Run as `python -m app.scan CONFIG SITE DUE`, this module is that process. Scrapy is imported there and nowhere else: the
parent, which is the daemon or a command, does not fetch.
"""

import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import structlog

from app import child, logs, standing, vet
from app.config import Config, read_config
from app.stores import Stores, open_stores
from crawler import pauses
from crawler.catalogue import is_stream
from crawler.health import consequence
from crawler.interface import SiteSettings
from model.errors import ConfigError, SpillwatchError
from model.page import Reason
from model.scan import ScanReport
from storage.moments import utc_now as now

MOST_SECONDS = 3600.0
STREAM_SECONDS = 60.0
"""How long a scan reads a stream that it cannot catch up with."""
log = structlog.get_logger(__name__)


def run_due(
    config: Config,
    site: SiteSettings,
    due_at: datetime,
    stores: Stores,
    channels: Sequence[str],
    stopping: threading.Event,
    stream_seconds: float = STREAM_SECONDS,
) -> ScanReport | None:
    """Run the scan of a site that is due, and return its report, or None if somebody else has claimed it.

    A site whose queries name a record, or that wants to be left alone, is not asked; both end as a report. A change of
    the site's state is an alert. A stream is read for at most `stream_seconds`. Raises `SpillwatchError` if it cannot
    be found out what the queries hold: nothing is claimed then, and the tick counts as not run.
    """
    refused = vet.refused(config, site, stores)
    if not stores.scans.claim(site.name, due_at, every=site.every):
        return None
    if refused:
        log.error("queries refused, site not asked", site=site.name, options=list(refused))
        report = _unasked(site, due_at, Reason.QUERY, Reason.QUERY, stores)
    elif pause := pauses.present(site, stores.pages, now()):
        report = _unasked(site, due_at, Reason.PAUSED, pause.reason, stores, pause.until)
    else:
        report = _in_child(config, site, due_at, stores, stopping, stream_seconds)
    log.info(
        "scan finished",
        site=site.name,
        listed=report.listed,
        fetched=report.fetched,
        known=report.known,
        failed=sum(report.failed.values()),
        state=report.state,
    )
    standing.after_scan(report, site, stores, channels, now())
    return report


def _unasked(
    site: SiteSettings,
    due_at: datetime,
    failed: Reason,
    why: Reason,
    stores: Stores,
    until: datetime | None = None,
) -> ScanReport:
    """Store the report of a scan for which no request was made."""
    state, moment = consequence(why).state, now()
    report = ScanReport(
        site.name, due_at, moment, moment, 1, failed={failed: 1}, state=state, reason=why, paused_until=until
    )
    stores.scans.finish(report)
    return report


def _in_child(
    config: Config,
    site: SiteSettings,
    due_at: datetime,
    stores: Stores,
    stopping: threading.Event,
    stream_seconds: float,
) -> ScanReport:
    """Run a claimed scan in a child process and return its report; a child that dies or hangs is a failed scan."""
    words = (site.name, due_at.isoformat())
    if is_stream(site.use):
        process = child.start("app.stream", config, *words, str(stream_seconds), keyless=True)
    else:
        process = child.start("app.scan", config, *words, keyless=True)
    ended = _wait(process, stopping)
    report = stores.scans.report(site.name, due_at)
    if report is None:
        reason = Reason.STOPPED if stopping.is_set() else Reason.CRASH if ended else Reason.TIMEOUT
        log.error("scan died", site=site.name, exit=process.returncode, reason=reason)
        report = stores.scans.abandon(site.name, due_at, reason)
    return report


def _wait(process: "subprocess.Popen[bytes]", stopping: threading.Event) -> bool:
    """Wait for the child; end it when it takes too long (return False) or when the daemon is told to stop."""
    deadline = time.monotonic() + MOST_SECONDS
    while process.poll() is None:
        if stopping.is_set() or time.monotonic() > deadline:
            child.stop(process)
            return stopping.is_set()
        time.sleep(0.1)
    return True


def misconfigured(site: SiteSettings, due_at: datetime, error: ConfigError) -> ScanReport:
    """Return the report of a site whose entry in config.yaml cannot be used, and say in the log why."""
    why, at = Reason.MISCONFIGURED, now()
    log.error("site cannot be used as configured", site=site.name, why=str(error))
    return ScanReport(site.name, due_at, at, at, 1, failed={why: 1}, state=consequence(why).state, reason=why)


def main() -> None:
    """Be the scanning child."""
    from crawler.runner import run

    child.end_with_parent()
    child.leave_no_core()
    config, name, due_at = read_config(Path(sys.argv[1])), sys.argv[2], datetime.fromisoformat(sys.argv[3])
    logs.configure(config.logging)
    site = config.site(name)
    log.info("scan started", site=name, robots=site.robots)
    try:
        with open_stores(config) as stores:
            try:
                report = run(site, config.network, stores.scanning(name, due_at), due_at)
            except ConfigError as error:
                report = misconfigured(site, due_at, error)
            stores.scans.finish(report)
    except SpillwatchError:
        log.exception("scan stopped by an error", site=name)
        sys.exit(1)


if __name__ == "__main__":
    main()
