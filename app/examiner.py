"""The examiner's process: waits for pages, examines them, erases what is due; holds the key, opens no connection.

Run as `python -m app.examiner CONFIG [--once]`; the daemon keeps one alive.
"""

import gc
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import structlog

from app import child, logs, owner
from app.config import Config, read_config
from app.deliver import open_channels
from app.enrol import erase_handle
from app.examine import Examiner
from app.filtering import FilterWatch
from app.refilter import Renewal
from app.report import report_problem
from app.stores import Stores, open_stores
from app.wiring import (
    folds_as_enrolled,
    open_enroller,
    open_examiner,
    open_filter,
    open_records,
    read_keys,
)
from model.alert import Subject
from model.errors import SpillwatchError
from storage.moments import utc_now as now

PAUSE = 1.0
HOUSEKEEPING = 3600.0
log = structlog.get_logger(__name__)


def work(config: Config, stores: Stores, stopping: threading.Event, *, once: bool = False) -> int:
    """Examine what waits until told to stop (or, with `once`, until nothing waits); return how many pages ended."""
    done = 0
    free_dead(stores)
    with closing(Renewal(config)) as renewal:
        while not stopping.is_set():
            erase_expired(config, stores)
            forget_traces(config, stores)
            if not folds_as_enrolled(stores):
                words = ["enrolment-outdated"]
                report_problem(stores, tuple(open_channels(config)), Subject.SYSTEM, "", words, now())
            members, watch = open_filter(config, stores)
            with open_examiner(config, stores, members) as examiner:
                log.info("examiner ready", isolation=examiner.context.isolation)
                _spare_the_collector()
                done += _until_changed(examiner, watch, renewal, stopping, once=once)
            if once and not watch.must_reopen():
                break
    return done


def _spare_the_collector() -> None:
    """Let the garbage collector pass over what stays for the examiner's life: that took a third of all time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


def free_dead(stores: Stores) -> int:
    """Give back at once what examiners that died on this machine had leased; return how many pages."""
    freed = sum(stores.pages.free(holder) for holder in stores.pages.holders() if owner.has_died(holder))
    if freed:
        log.warning("pages of a dead examiner freed", pages=freed)
    return freed


def erase_expired(config: Config, stores: Stores) -> int:
    """Erase every record whose last day has passed; return how many."""
    due = stores.records.expired(now().date())
    if due:
        enroller = open_enroller(config, read_keys(config, stores))
        with open_records(config, enroller, stores) as records:
            for handle in due:
                erase_handle(handle, enroller, records)
        stores.database.scrub()
        log.info("records erased by retention", records=len(due))
    return len(due)


def forget_traces(config: Config, stores: Stores) -> int:
    """Forget what was remembered of posts that are too old to be joined; return how many."""
    gone = stores.traces.forget(max(0, config.matching.join_days))
    if gone:
        log.info("traces forgotten", traces=gone)
    return gone


def _until_changed(
    examiner: Examiner, watch: FilterWatch, renewal: Renewal, stopping: threading.Event, *, once: bool
) -> int:
    """Examine until the filter must be opened anew, or the hour is over; what is enrolled meanwhile is found."""
    done, until = 0, time.monotonic() + HOUSEKEEPING
    me = owner.me()
    while not stopping.is_set() and time.monotonic() < until and not watch.must_reopen():
        if not once:
            renewal.consider(watch)
        worked, looked = 0, time.monotonic()
        with closing(examiner.examine_due(me)) as ended:
            for _ in ended:
                worked += 1
                if stopping.is_set() or time.monotonic() - looked > PAUSE:
                    break
        done += worked
        if once and not worked:
            break
        if not worked:
            stopping.wait(PAUSE)
    return done


def main() -> None:
    """Be the examiner of a daemon."""
    child.end_with_parent()
    child.leave_no_core()
    config = read_config(Path(sys.argv[1]))
    logs.configure(config.logging)
    stopping = child.told_to_stop()
    try:
        with open_stores(config) as stores:
            work(config, stores, stopping, once="--once" in sys.argv)
    except SpillwatchError:
        log.exception("examiner stopped by an error")
        sys.exit(1)


if __name__ == "__main__":
    main()
