"""Child processes: each scan, each check and the examiner live in one of their own.

A fetching child gets an environment without the variables that the key and the passwords are read from.
"""

import _thread
import ctypes
import os
import resource
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from app.secret import environment_without

if TYPE_CHECKING:  # to start a child, nothing of the configuration need be imported
    from app.config import Config

PR_SET_PDEATHSIG, PR_SET_DUMPABLE = 1, 4
PARENT = "SPILLWATCH_PARENT"
"""Environment variable that tells a child who started it: an orphan's parent need not be process 1."""


def start(
    module: str, config: "Config", *arguments: str, keyless: bool, piped: bool = False
) -> "subprocess.Popen[bytes]":
    """Start `python -m MODULE CONFIG ARGUMENTS…`; its log goes to our standard error.

    `piped` connects its standard input and output to us.
    """
    email = config.alerts.email
    secrets = (config.linkage_key, config.previous_linkage_key, email.password if email else None)
    hidden = secrets if keyless else ()
    return subprocess.Popen(
        [sys.executable, "-m", module, str(config.path), *arguments],
        env=environment_without(*hidden) | {"PYTHONUNBUFFERED": "1", PARENT: str(os.getpid())},
        stdin=subprocess.PIPE if piped else subprocess.DEVNULL,
        stdout=subprocess.PIPE if piped else subprocess.DEVNULL,
        cwd=Path("/") if _installed() else Path(__file__).parents[1],
    )


def told_to_stop() -> threading.Event:
    """Return an event that SIGTERM and SIGINT set."""
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        # Set by another thread: a handler that interrupts `set` or `wait` would wait for a lock that it holds itself.
        signal.signal(number, lambda *_: _thread.start_new_thread(stopping.set, ()))
    return stopping


def stop(child: "subprocess.Popen[bytes]", seconds: float = 20.0) -> None:
    """End a child: SIGTERM, and SIGKILL for one that does not listen."""
    if child.poll() is None:
        child.terminate()
        try:
            child.wait(seconds)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def end_with_parent() -> None:
    """Ask the kernel to end this process when its parent dies, however it dies (Linux; elsewhere nothing happens)."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != int(os.environ.get(PARENT, os.getppid())):
            sys.exit("the parent ended before this process could follow it")


def leave_no_core() -> None:
    """Forbid core dumps and reading this process's memory from outside: it holds the key, records or pages."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_DUMPABLE, 0)


def _installed() -> bool:
    return "site-packages" in __file__
