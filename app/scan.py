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

from app import child, logs
from app.config import Config, read_config
from app.report import report_problem
from app.stores import Stores, open_stores
from crawler.catalogue import is_stream
from crawler.interface import SiteSettings
from model.alert import Subject
from model.errors import SpillwatchError
from model.page import Reason
from model.scan import ScanReport, SiteState
from storage.moments import utc_now as now

MOST_SECONDS = 3600.0
STREAM_SECONDS = 60.0
"""How long a scan reads a stream that it cannot catch up with."""
log = structlog.get_logger(__name__)


def run_child(
    config: Config,
    site: SiteSettings,
    due_at: datetime,
    stores: Stores,
    channels: Sequence[str],
    stopping: threading.Event,
    stream_seconds: float = STREAM_SECONDS,
) -> ScanReport:
    """Run one claimed scan in a child process, wait for it, and return its report, whatever becomes of the child.

    A child that dies or hangs is a failed scan. A change of the site's state is an alert. A stream is read for at most
    `stream_seconds`.
    """
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
    judge(report, site, stores, channels)
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


def judge(report: ScanReport, site: SiteSettings, stores: Stores, channels: Sequence[str]) -> None:
    """Move the site's state; a change for the worse is an alert, told before it is noted so that no crash hides it."""
    health = stores.scans.state(site.name)
    before = health.state if health else SiteState.WORKING
    log.info(
        "scan finished",
        site=site.name,
        listed=report.listed,
        fetched=report.fetched,
        known=report.known,
        failed=sum(report.failed.values()),
        state=report.state,
    )
    if report.state not in (before, SiteState.WORKING):
        words = [report.state.value, *([report.reason.value] if report.reason else [])]
        report_problem(stores, channels, Subject.SITE, site.name, words, now(), site_class=site.use)
    stores.scans.set_state(site.name, report.state, report.reason, report.finished_at)


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
            stores.scans.finish(run(site, config.network, stores.scanning(name, due_at), due_at))
    except SpillwatchError:
        log.exception("scan stopped by an error", site=name)
        sys.exit(1)


if __name__ == "__main__":
    main()
