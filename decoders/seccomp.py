"""A filter in the kernel that refuses the calls no decoder needs: sockets, new programs, tracing, mounts, keys.

Classic BPF as described in seccomp(2). The filter works where namespaces are refused too (most containers), and it
closes what a network namespace leaves open: sockets in the file system. A refused call returns EPERM, so a library
that merely tries goes on.
"""

import ctypes
import platform
import struct

PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 22, 2
ALLOW, REFUSE_EPERM, KILL = 0x7FFF0000, 0x00050001, 0x80000000
LOAD_WORD, JUMP_EQUAL, JUMP_GREATER_EQUAL, JUMP_ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
CALL_NUMBER, ARCHITECTURE, FIRST_ARGUMENT = 0, 4, 16
"""Offsets in struct seccomp_data (low word of the argument, little endian)."""
CLONE_THREAD = 0x00010000
X32_CALLS = 0x40000000

# name: (x86_64, aarch64); None where the architecture has no such call.
REFUSED: dict[str, tuple[int | None, int | None]] = {
    "socket": (41, 198),
    "socketpair": (53, 199),
    "connect": (42, 203),
    "bind": (49, 200),
    "sendto": (44, 206),
    "sendmsg": (46, 211),
    "fork": (57, None),
    "vfork": (58, None),
    "execve": (59, 221),
    "execveat": (322, 281),
    "clone3": (435, 435),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "pidfd_getfd": (438, 438),
    "kcmp": (312, 272),
    "mount": (165, 40),
    "umount2": (166, 39),
    "unshare": (272, 97),
    "setns": (308, 268),
    "chroot": (161, 51),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "keyctl": (250, 219),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "init_module": (175, 105),
    "kexec_load": (246, 104),
}
CLONE = (56, 220)
ARCHITECTURES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
CLONE3 = "clone3"


def forbid_calls(libc: ctypes.CDLL) -> None:
    """Install the filter in this process; nothing happens on an architecture or a kernel that has none."""
    if platform.machine() not in ARCHITECTURES:
        return
    program = filter_program(platform.machine())
    instructions = ctypes.create_string_buffer(program, len(program))

    class Program(ctypes.Structure):
        _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_void_p))

    description = Program(len(program) // 8, ctypes.addressof(instructions))
    libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(description), 0, 0)


def filter_program(machine: str) -> bytes:
    """Return the filter for an architecture as BPF instructions of 8 bytes each."""
    column, architecture = ARCHITECTURES[machine]
    lines = [
        _line(LOAD_WORD, ARCHITECTURE),
        _line(JUMP_EQUAL, architecture, 1, 0),
        _line(RETURN, KILL),
        _line(LOAD_WORD, CALL_NUMBER),
        _line(JUMP_GREATER_EQUAL, X32_CALLS, 0, 1),
        _line(RETURN, REFUSE_EPERM),
    ]
    for name, numbers in REFUSED.items():
        number = numbers[column]
        if number is not None:
            # ENOSYS for clone3 makes the C library fall back to clone, whose flags the filter can see.
            refusal = 0x00050000 | 38 if name == CLONE3 else REFUSE_EPERM
            lines += [_line(JUMP_EQUAL, number, 0, 1), _line(RETURN, refusal)]
    lines += [
        _line(JUMP_EQUAL, CLONE[column], 0, 3),
        _line(LOAD_WORD, FIRST_ARGUMENT),
        _line(JUMP_ANY_BIT, CLONE_THREAD, 1, 0),
        _line(RETURN, REFUSE_EPERM),
        _line(RETURN, ALLOW),
    ]
    return b"".join(lines)


def _line(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)
