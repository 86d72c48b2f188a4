"""Commands in processes that are forked from one which has imported everything: what is imported is not what is tested.

Started as a shell does it, a command spends a second or more on importing. A forked one is a process of its own all the
same, with arguments, environment, folder, streams and exit code of its own, and it runs `app.cli.main` to its end.
Run as `python -m tests.app.forked FD`, this module is the process that forks.
"""

import atexit
import gc
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MOST_BYTES = 1 << 18
"""Of an order; it holds an environment."""


class Forking:
    """A process that forks commands, one after the other; it ends with this one."""

    def __init__(self) -> None:
        """Start it; it imports while it is given its first order."""
        self._door, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with other:
            words = [sys.executable, "-m", "tests.app.forked", str(other.fileno())]
            streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL}
            self._process = subprocess.Popen(words, cwd=ROOT, pass_fds=[other.fileno()], **streams)

    def run(
        self, words: Sequence[str], environment: Mapping[str, str], stdin: bytes, seconds: float
    ) -> tuple[int, bytes, bytes]:
        """Run `spillwatch WORDS` and return its exit code and what it printed; it is killed after so many seconds."""
        with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            given.write(stdin)
            given.seek(0)
            order = json.dumps({"words": words, "environment": dict(environment)}).encode()
            self._door.settimeout(seconds)
            socket.send_fds(self._door, [order], [given.fileno(), out.fileno(), err.fileno()])
            number = json.loads(self._answer())
            try:
                code = json.loads(self._answer())
            except TimeoutError:
                os.kill(number, signal.SIGKILL)
                self._door.settimeout(60)
                self._answer()
                raise
            for stream in (out, err):
                stream.seek(0)
            return code, out.read(), err.read()

    def close(self) -> None:
        """End it."""
        self._door.close()
        self._process.wait(60)

    def _answer(self) -> bytes:
        answer = self._door.recv(MOST_BYTES)
        assert answer, "the forking process is gone: its traceback is above"
        return answer


@cache
def forking() -> Forking:
    """Return the forking process of this process."""
    made = Forking()
    atexit.register(made.close)
    return made


def serve(door: socket.socket) -> dict | None:
    """Fork for every order; return it in the forked process, and None in this one once nobody orders any more."""
    while True:
        message, streams, _, _ = socket.recv_fds(door, MOST_BYTES, 3)
        if not message:
            return None
        number = os.fork()
        if number == 0:
            door.close()
            for at, stream in enumerate(streams):
                os.dup2(stream, at)
                os.close(stream)
            return json.loads(message)
        for stream in streams:
            os.close(stream)
        door.send(json.dumps(number).encode())
        door.send(json.dumps(os.waitstatus_to_exitcode(os.waitpid(number, 0)[1])).encode())


def main() -> None:
    """Be the process that forks, and in each fork the command."""
    from app import cli, daemon, doctor, examine, selftest, wiring  # noqa: F401
    from app.sources import enrolment  # noqa: F401

    selftest.recognises()  # what matches is loaded as well
    gc.collect()
    gc.freeze()
    order = serve(socket.socket(fileno=int(sys.argv[1])))
    if order is None:
        return
    os.environ.clear()
    os.environ.update(order["environment"])
    sys.argv = ["spillwatch", *order["words"]]
    cli.main()


if __name__ == "__main__":
    main()
