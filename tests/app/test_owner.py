"""Who holds a lease, and who is known to be dead."""

import os
import subprocess
import sys

import pytest

from app import owner

ME = owner.me()
PLACE, PID, START = ME.rsplit("/", 2)


def other_machine(name: str) -> str:
    """Return the name as it would be on another host."""
    return f"elsewhere/{name.partition('/')[2]}"


@pytest.mark.parametrize(
    ("name", "died"),
    [
        (ME, False),
        (f"{PLACE}/{PID}/{int(START) + 1}", True),
        (f"{PLACE}/{2**22 + 1}/5", True),
        (other_machine(f"{PLACE}/{2**22 + 1}/5"), False),
        (f"{PLACE}0/{2**22 + 1}/5", False),
        (f"host-{os.getpid()}", False),
        ("", False),
    ],
    ids=["me", "another start", "dead", "elsewhere", "another place", "another form", "nothing"],
)
def test_only_the_provably_dead_are_dead(name, died):
    """A reused process number is dead; another host, another namespace, or another form is not known to be."""
    assert owner.has_died(name) is died


def test_a_zombie_is_dead():
    """A process that was killed and that its parent has not noticed yet holds nothing any more."""
    words = [sys.executable, "-c", "from app import owner; print(owner.me(), flush=True); input()"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        name = process.stdout.readline().strip()
        assert not owner.has_died(name)
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert owner.has_died(name)
    assert owner.has_died(name)
