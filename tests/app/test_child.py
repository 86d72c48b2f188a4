"""Ending processes by signals."""

import subprocess
import sys

BUSY = """
import os, signal
from app.child import told_to_stop
stopping = told_to_stop()
while not stopping.is_set():
    for _ in range(50):
        os.kill(os.getpid(), signal.SIGTERM)
        stopping.wait(0.0)
for _ in range(200):
    os.kill(os.getpid(), signal.SIGTERM)
print("ended")
"""


def test_signals_one_on_another_do_not_hang_a_process() -> None:
    """A second signal comes while the first one is handled, or while the event is being waited for."""
    done = subprocess.run([sys.executable, "-c", BUSY], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == "ended\n", done.stderr
