"""How a decoder process locks itself in, and how it measures what is really active.

Everything is asked of the kernel through its own interfaces (no helper program, no privilege needed) before the first
foreign byte is read: limits on memory, time and files; namespaces of its own, without a network; no capability; no
file readable but the interpreter's and the libraries' (Landlock); no socket, no new program (seccomp). A kernel or a
container may refuse any of these, so each is tried by itself and then probed: what the product says is what was found.
"""

import contextlib
import ctypes
import errno
import os
import resource
import signal
import socket
import sys
from pathlib import Path

from decoders.seccomp import forbid_calls

LIBC = ctypes.CDLL(None, use_errno=True)

# Numbers of the kernel's stable interface: prctl(2), unshare(2), landlock(7).
PR_SET_DUMPABLE, PR_SET_NO_NEW_PRIVS = 4, 38
CLONE_NEWUTS, CLONE_NEWIPC, CLONE_NEWUSER, CLONE_NEWNET = 0x04000000, 0x08000000, 0x10000000, 0x40000000
LANDLOCK_CREATE, LANDLOCK_ADD, LANDLOCK_RESTRICT, LANDLOCK_PATH_BENEATH = 444, 445, 446, 1
LANDLOCK_EXECUTE, LANDLOCK_READ_FILE, LANDLOCK_READ_DIR = 1 << 0, 1 << 2, 1 << 3
LANDLOCK_FIRST_VERSION = (1 << 13) - 1
"""Every right that the first version of Landlock can take away: execute, write, read, remove, make."""

LIBRARY_ROOM = 1_500_000_000
"""Bytes of address space beyond a worker's own data: mapped libraries, models, thread stacks."""
OPEN_FILES = 128
CLOCK_FLOOR = 1
"""Seconds of processor time always left, since the kernel counts in whole seconds."""
READABLE = ("/usr", "/lib", "/lib64", "/etc/ld.so.cache", "/proc/cpuinfo", "/proc/meminfo", "/sys/devices/system/cpu")
"""What libraries read when they load; holds nothing of the operator's."""


def isolate(memory: int) -> dict[str, object]:
    """Lock this process in for good and return what was found active."""
    namespaces = enter_namespaces()
    LIBC.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    LIBC.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
    limit_resources(memory)
    drop_capabilities()
    restrict_files()
    forbid_calls(LIBC)
    return {
        "namespaces": tuple(namespaces),
        "network": reaches_network(),
        "files": reads_other_files(),
        "programs": starts_programs(),
        "memory": resource.getrlimit(resource.RLIMIT_DATA)[0],
    }


def limit_resources(memory: int) -> None:
    """Bound memory, files and dumps; processor time is bounded part by part (`start_clock`)."""
    limits = (
        (resource.RLIMIT_DATA, memory),
        (resource.RLIMIT_AS, memory + LIBRARY_ROOM),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, OPEN_FILES),
    )
    for kind, value in limits:
        hard = resource.getrlimit(kind)[1]
        allowed = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (allowed, allowed))


def start_clock(seconds: float) -> None:
    """Have the kernel end this process if the next part takes longer, in processor or wall-clock time."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    spent = usage.ru_utime + usage.ru_stime
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    resource.setrlimit(resource.RLIMIT_CPU, (int(spent + seconds) + CLOCK_FLOOR + 1, hard))
    signal.setitimer(signal.ITIMER_REAL, seconds + CLOCK_FLOOR)


def stop_clock() -> None:
    """End what `start_clock` began."""
    signal.setitimer(signal.ITIMER_REAL, 0)


def enter_namespaces() -> list[str]:
    """Move into namespaces of our own and return their names; an empty list where the kernel refuses."""
    user, group = os.getuid(), os.getgid()
    others = CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS
    if LIBC.unshare(CLONE_NEWUSER | others) == 0:
        # Without a map the process would be nobody inside; a refusal changes no right that it has outside.
        for name, line in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
            with contextlib.suppress(OSError):
                Path("/proc/self", name).write_text(line)
        return ["user", "network", "ipc", "host name"]
    if LIBC.unshare(others) == 0:
        return ["network", "ipc", "host name"]
    return []


def drop_capabilities() -> None:
    """Give up every capability, in whichever user namespace this is."""
    version_3, this_process = 0x20080522, 0
    header = (ctypes.c_uint32 * 2)(version_3, this_process)
    nothing = (ctypes.c_uint32 * 6)()
    LIBC.capset(header, nothing)


def restrict_files() -> None:
    """Allow reading of the interpreter and the libraries only, and writing nowhere, where the kernel has Landlock."""
    handled = ctypes.c_uint64(LANDLOCK_FIRST_VERSION)
    ruleset = LIBC.syscall(LANDLOCK_CREATE, ctypes.byref(handled), ctypes.sizeof(handled), 0)
    if ruleset < 0:
        return
    room = Path(__file__).resolve().parent
    own = {sys.prefix, sys.base_prefix, sys.exec_prefix, str(room), str(room.parent / "model")}
    for path in sorted({*own, *READABLE, *(entry for entry in sys.path if entry.endswith("-packages"))}):
        _allow_reading(ruleset, path)
    LIBC.syscall(LANDLOCK_RESTRICT, ruleset, 0)
    os.close(ruleset)


def _allow_reading(ruleset: int, path: str) -> None:
    """Add one file or folder to a Landlock rule set; a path that does not exist is left out."""
    try:
        opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    rights = LANDLOCK_READ_FILE | LANDLOCK_EXECUTE | (LANDLOCK_READ_DIR if Path(path).is_dir() else 0)
    # struct landlock_path_beneath_attr: u64 rights, s32 file, packed.
    rule = rights.to_bytes(8, sys.byteorder) + opened.to_bytes(4, sys.byteorder, signed=True)
    LIBC.syscall(LANDLOCK_ADD, ruleset, LANDLOCK_PATH_BENEATH, ctypes.c_char_p(rule), 0)
    os.close(opened)


def reaches_network() -> str:
    """Try to connect over loopback and tell what stopped it: `open`, `no socket` or `no route`."""
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.settimeout(1.0)
            refused = probe.connect_ex(("127.0.0.1", 9))
    except OSError:
        return "no socket"
    return "no route" if refused in (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL) else "open"


def reads_other_files() -> str:
    """Try to list the root folder and tell whether files of others can be read: `open` or `closed`."""
    try:
        next(Path("/").iterdir(), None)
    except OSError:
        return "closed"
    return "open"


def starts_programs() -> str:
    """Try to start a program in a child of our own and tell whether it could: `open` or `closed`."""
    try:
        child = os.fork()
    except OSError:
        return "closed"
    if child == 0:
        try:
            os.execv(sys.executable, [sys.executable, "-c", ""])  # noqa: S606 - the probe itself
        finally:
            os._exit(127)
    return "open" if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0 else "closed"


def describe(found: dict[str, object]) -> str:
    """Say in words what a child has found active."""
    namespaces = found.get("namespaces")
    names = [name for name in namespaces if isinstance(name, str)] if isinstance(namespaces, list) else []
    network = "NETWORK OPEN" if found.get("network") == "open" else f"no network ({found.get('network')})"
    files = "only library files readable" if found.get("files") == "closed" else "FILES OF THIS USER READABLE"
    programs = "no programs" if found.get("programs") == "closed" else "PROGRAMS CAN BE STARTED"
    own = f"namespaces of its own: {', '.join(names)}" if names else "NO NAMESPACES OF ITS OWN"
    memory = found.get("memory")
    megabytes = f"{memory // 1_000_000} MB" if isinstance(memory, int) else "unknown"
    return f"child processes with {network}; {own}; {files}; {programs}; memory {megabytes}; time limited; no dumps"
