"""Children that are kept alive: started again when they die, told of when they keep dying."""

import subprocess
import time
from collections.abc import Callable

import structlog

from app import child

RESTARTS_BEFORE_ALARM = 3
RESTART_WINDOW = 600.0
LONGEST_PAUSE = 120.0
log = structlog.get_logger(__name__)


class Keeper:
    """Keeps one child alive. A child that dies soon is started again after a pause that grows with each death."""

    def __init__(self, name: str, start: Callable[[], "subprocess.Popen[bytes]"]) -> None:
        """Take a name for the log and what starts the child; nothing starts yet."""
        self._name = name
        self._start = start
        self._child: subprocess.Popen[bytes] | None = None
        self._deaths: list[float] = []
        self._next = 0.0

    def tend(self) -> bool:
        """Start the child unless it lives; tell whether people should hear that it keeps dying."""
        if self._child is not None and self._child.poll() is None:
            return False
        moment, alarm = time.monotonic(), False
        if self._child is not None:
            self._deaths = [death for death in self._deaths if moment - death < RESTART_WINDOW] + [moment]
            log.error("child died", child=self._name, exit=self._child.returncode, deaths=len(self._deaths))
            self._child = None
            self._next = moment + min(LONGEST_PAUSE, 5.0 * 2.0 ** (len(self._deaths) - 2))
            alarm = len(self._deaths) >= RESTARTS_BEFORE_ALARM
        if moment >= self._next or len(self._deaths) < 2:
            self._child = self._start()
        return alarm

    def stop(self) -> None:
        """End the child, if it lives."""
        if self._child is not None:
            child.stop(self._child)
