"""Ending processes by signals."""

import signal
import subprocess
import sys
import time

BUSY = """
import time
from app.child import told_to_stop
stopping = told_to_stop()
print("ready", flush=True)
end = time.monotonic() + 2
heard = 0
while time.monotonic() < end:
    heard += stopping.wait(0.001)
    stopping.clear()
print("heard" if heard else "deaf")
"""


def test_signals_one_on_another_do_not_hang_a_process() -> None:
    """A second signal comes while the first one is handled, or while the event is being waited for."""
    with subprocess.Popen([sys.executable, "-c", BUSY], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        end = time.monotonic() + 1.5
        while time.monotonic() < end:
            process.send_signal(signal.SIGTERM)
        try:
            assert process.communicate(timeout=30)[0] == "heard\n"
        finally:
            process.kill()
