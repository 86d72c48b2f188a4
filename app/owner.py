"""Who holds a lease: a name for this process, and whether the process behind such a name is known to be dead.

`<host>/<boot>/<process namespace>/<pid>/<start>`: with the kernel's boot id, the process namespace and the start time
beside it, a process number that was given out again, a reboot, or two containers of one host name are never mistaken
for each other. Where the kernel does not tell (no /proc), nobody is known to be dead, and leases run out by themselves.
"""

import os
import socket
from pathlib import Path

import structlog

from storage.leases import Lease, Leases

PROC = Path("/proc")
UNKNOWN = "?"
ENROLMENT = "enrolment"
"""Name of the lease that is held while records are enrolled or erased."""
log = structlog.get_logger(__name__)


def me() -> str:
    """Return the name under which this process holds leases; at most 200 characters."""
    place, pid = _here(), os.getpid()
    return "/".join([*place, str(pid), UNKNOWN if UNKNOWN in place else str(_started(pid))])


def has_died(owner: str) -> bool:
    """Tell whether the owner was a process of this machine, since it started, in this namespace, and is no more.

    False for whatever cannot be known: other machines, other containers, an earlier boot, a name of another form.
    """
    *place, pid, started = owner.split("/") if owner.count("/") == 4 else ("", "")
    here = _here()
    if UNKNOWN in here or place != here or not pid.isdecimal():
        return False
    try:
        os.kill(int(pid), 0)
        return _started(int(pid)) != started
    except ProcessLookupError:
        return True
    except OSError:  # it is there, and we may not look at it (another user, a hidden /proc)
        return False


def take(leases: Leases, name: str, seconds: float) -> Lease | None:
    """Take a lease for this process, or return None while somebody has it who is not known to be dead."""
    mine = me()
    lease = leases.acquire(name, mine, seconds)
    holder = leases.holder(name) if lease is None else None
    if holder is not None and has_died(holder.owner):
        log.warning("lease of a dead process taken over", lease=name)
        return leases.acquire(name, mine, seconds, displacing=holder.owner)
    return lease


def _here() -> list[str]:
    """Return host, boot and process namespace."""
    try:
        boot = (PROC / "sys/kernel/random/boot_id").read_text("ascii").strip()
        namespace = (PROC / "self/ns/pid").stat().st_ino
    except OSError:
        return [_host(), UNKNOWN, UNKNOWN]
    return [_host(), boot, str(namespace)]


def _host() -> str:
    return socket.gethostname().replace("/", "-")[:64]


def _started(pid: int) -> str | None:
    """Return when a process started, in clock ticks since the boot; None for one that has ended and was not buried."""
    after_name = (PROC / str(pid) / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()
    state, started = after_name[0], after_name[19]
    return None if state in "ZX" else started
