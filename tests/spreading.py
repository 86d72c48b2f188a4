"""How the suite is spread over worker processes: `pytest -n auto`; `-n0` runs everything in one.

A file stays with one worker, for the tests of a file share installations and servers. Of each server there is one per
worker that asks for it. The slowest files begin first, so that no worker has a long one left when the others are done.
"""

import os
import re
from typing import Any

import pytest

SLOWEST_FIRST = (
    "tests/app/test_kill_loop.py",
    "tests/app/test_canary.py",
    "tests/app/test_cli.py",
    "tests/app/test_rotation.py",
    "tests/app/test_end_to_end.py",
    "tests/crawler/test_scan.py",
    "tests/crawler/test_safety.py",
    "tests/decoders/test_formats.py",
    "tests/alerts/test_mail.py",
    "tests/app/test_filtering.py",
)
"""Files of more than half a minute each, as `--durations=0` tells."""
PARTED = re.compile(r"(tests/app/test_kill_loop\.py)::.*(\[\w+\])")
"""Files in which each parameter has an installation of its own: they may go to different workers."""
MOST_WORKERS = 8


def unit(nodeid: str) -> str:
    """Return what must stay together with this test: its file, or a part of it."""
    parted = PARTED.fullmatch(nodeid)
    return "".join(parted.groups()) if parted else nodeid.partition("::")[0]


def rank(nodeid: str) -> int:
    """Return the place of a test's file among those that begin first."""
    file = nodeid.partition("::")[0]
    return SLOWEST_FIRST.index(file) if file in SLOWEST_FIRST else len(SLOWEST_FIRST)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the slowest files begin; the others follow in their order."""
    items.sort(key=lambda item: rank(item.nodeid))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Return one worker more than there are processors: tests of the command line wait half of their time."""
    return min(len(os.sched_getaffinity(0)) + 1, MOST_WORKERS)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Give workers whole units, in the order of the tests."""
    from xdist.scheduler import LoadScopeScheduling  # only where there are workers

    class Spreading(LoadScopeScheduling):
        """Units instead of scopes."""

        def _split_scope(self, nodeid: str) -> str:
            return unit(nodeid)

    config.option.loadscopereorder = False
    return Spreading(config, log)
