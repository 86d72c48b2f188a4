"""STREAM: what a site sends by itself → pages → storage, in a process that has the network and no key.

Run as `python -m app.stream CONFIG SITE`, this module is the worker that the daemon keeps alive: it reads until told
to stop. With `DUE SECONDS` behind, it is one scan: it reads until it has caught up, for at most so many seconds.
"""

import sys
import threading
from datetime import datetime
from pathlib import Path

import structlog

from app import child, logs, standing
from app.config import Config, read_config
from app.scan import misconfigured
from app.stores import Stores
from app.wiring import open_channels, open_stores
from crawler.interface import SiteSettings
from crawler.streams.runner import read, watch
from model.errors import ConfigError, SpillwatchError
from model.scan import ScanReport
from storage.moments import utc_now as now

log = structlog.get_logger(__name__)


def main() -> None:
    """Be the worker of a stream."""
    child.end_with_parent()
    child.leave_no_core()
    config, name, *bounds = read_config(Path(sys.argv[1])), *sys.argv[2:]
    logs.configure(config.logging)
    stopping = child.told_to_stop()
    site = config.site(name)
    log.info("stream started", site=name)
    try:
        with open_stores(config) as stores:
            if bounds:
                due_at, seconds = datetime.fromisoformat(bounds[0]), float(bounds[1])
                try:
                    sink = stores.scanning(name, due_at)
                    report = read(site, config.network, sink, stopping, due_at, seconds)
                except ConfigError as error:
                    report = misconfigured(site, due_at, error)
                stores.scans.finish(report)
            else:
                _watch(site, config, stores, stopping)
    except SpillwatchError:
        log.exception("stream stopped by an error", site=name)
        sys.exit(1)


def _watch(site: SiteSettings, config: Config, stores: Stores, stopping: threading.Event) -> None:
    """Read on until told to stop. Each minute is a scan of its own: counted, finished, and judged."""
    channels = tuple(open_channels(config))
    stores.scans.close_running(site.name)
    due_at = now()
    sink = stores.scanning(site.name, due_at)

    def finished(report: ScanReport) -> datetime:
        stores.scans.finish(report)
        standing.after_scan(report, site, stores, channels, now())
        following = now()
        if not stopping.is_set():
            sink.begin(stores.scans.start(site.name, following))
        return following

    try:
        watch(site, config.network, sink, stopping, finished, due_at)
    except ConfigError as error:
        finished(misconfigured(site, due_at, error))
        stopping.wait()  # the configuration is read once: starting again would only say the same


if __name__ == "__main__":
    main()
