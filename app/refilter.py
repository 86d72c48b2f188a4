"""Builds the filter anew in a process of its own, while the examiner goes on with the old one.

Run as `python -m app.refilter CONFIG`; the examiner starts it when erased records left bits behind, or when more was
added than the file was sized for.
"""

import subprocess
import sys
import time
from pathlib import Path

import structlog

from app import child, logs
from app.config import Config, read_config
from app.filtering import FilterWatch, rebuild
from app.wiring import open_enroller, open_stores, read_keys
from model.errors import SpillwatchError

EVERY = 3600.0
"""Seconds that bits of erased records may stay, and between two attempts after a failed one."""
log = structlog.get_logger(__name__)


class Renewal:
    """Sees to it that the filter is built anew when that is due: one child process at a time."""

    def __init__(self, config: Config) -> None:
        """Begin with nothing due."""
        self._config = config
        self._child: subprocess.Popen[bytes] | None = None
        self._last = time.monotonic()
        self._failed = False

    def consider(self, watch: FilterWatch) -> None:
        """Start building if it is due; say so if the last one failed."""
        if self._child is not None:
            if self._child.poll() is None:
                return
            self._failed = self._child.returncode != 0
            if self._failed:
                log.error("filter could not be rebuilt", exit_code=self._child.returncode)
            self._child = None
        waited = time.monotonic() - self._last >= EVERY
        if (watch.stale and waited) or (watch.full and (waited or not self._failed)):
            self._last = time.monotonic()
            self._child = child.start("app.refilter", self._config, keyless=False)

    def close(self) -> None:
        """Stop what is being built; the old filter stays."""
        if self._child is not None:
            child.stop(self._child)


def main() -> None:
    """Build the filter of the configuration anew."""
    child.end_with_parent()
    child.leave_no_core()
    config = read_config(Path(sys.argv[1]))
    logs.configure(config.logging)
    try:
        with open_stores(config) as stores:
            rebuild(config.storage.filter, open_enroller(config, read_keys(config, stores)), stores)
    except SpillwatchError:
        log.exception("filter could not be rebuilt")
        sys.exit(1)


if __name__ == "__main__":
    main()
