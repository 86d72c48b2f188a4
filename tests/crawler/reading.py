"""Reads streams in tests: once until caught up, or in a thread until the test has seen enough."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from crawler.interface import SiteSettings
from crawler.streams.runner import StreamScan, firehose_for
from model.scan import ScanReport
from tests.crawler.crawls import FileSink, network


def hosts_of(here: SiteSettings) -> list[str]:
    """Return host:port of every address of a site."""
    root = here.options["root"]
    return [entry.partition("://")[2] for entry in ([root] if isinstance(root, str) else root)]


def read(here: SiteSettings, sink: FileSink, seconds: float = 20.0, **rules: Any) -> ScanReport:
    """Read until caught up; return the report."""
    hosts = rules.pop("hosts", None) or hosts_of(here)
    scan = StreamScan(here, network(*hosts, **rules), sink, firehose_for(here), threading.Event())
    return asyncio.run(scan.read(datetime.now(UTC), seconds))


@contextmanager
def watching(here: SiteSettings, sink: FileSink, **rules: Any) -> Iterator[list[ScanReport]]:
    """Watch in a thread until the block ends; yields the reports told so far."""
    stopping, told, errors = threading.Event(), list[ScanReport](), list[BaseException]()
    scan = StreamScan(here, network(*hosts_of(here), **rules), sink, firehose_for(here), stopping)

    def tell(report: ScanReport) -> datetime:
        told.append(report)
        return datetime.now(UTC)

    def run() -> None:
        try:
            asyncio.run(scan.watch(tell, datetime.now(UTC)))
        except BaseException as error:  # noqa: BLE001 - told to the test
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield told
    finally:
        stopping.set()
        thread.join(20)
    assert not thread.is_alive()
    assert errors == []


def until(condition: Callable[[], object], seconds: float = 20.0) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.02)
