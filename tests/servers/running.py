"""A server as a child process on loopback: started, waited for, and ended with all that it started."""

import contextlib
import errno
import os
import secrets
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
INSTALLED = Path(os.environ.get("SPILLWATCH_SERVERS", ROOT / ".servers"))
PYTHON = INSTALLED / "venv" / "bin" / "python"
PORTS = range(10_000, 30_000)
NOT_INSTALLED = "the real servers are not installed; run `make servers`"


def free_port() -> int:
    """Give a port of loopback that nobody listens on now.

    Not one of those that the kernel gives to whoever asks for any: one of these could be taken again, by a connection
    of another test, before the server listens.
    """
    while True:
        try:
            with socket.create_server(("127.0.0.1", secrets.choice(PORTS))) as probe:
                return int(probe.getsockname()[1])
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise


def answers(url: str) -> bool:
    """Tell whether a web server answers there, whatever it answers."""
    try:
        with urllib.request.urlopen(url, timeout=5):
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False


@contextlib.contextmanager
def running(
    command: Sequence[str | Path],
    *,
    url: str,
    log: Path,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    within: float = 60,
) -> Iterator[None]:
    """Run a server until the block ends; it must answer at `url` within so many seconds."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(environment or {})},
            cwd=folder,
            start_new_session=True,
        )
    try:
        _wait(process, url, log, within)
        yield
    finally:
        _end(process)


def _wait(process: subprocess.Popen[bytes], url: str, log: Path, within: float) -> None:
    deadline = time.monotonic() + within
    while not answers(url):
        if process.poll() is not None or time.monotonic() > deadline:
            ended = f"ended with {process.returncode}" if process.returncode is not None else "does not answer"
            last = "\n".join(log.read_text(errors="replace").splitlines()[-20:])
            message = f"{Path(str(process.args[0])).name} {ended} after start; its last lines:\n{last}"  # type: ignore[index]
            raise RuntimeError(message)
        time.sleep(0.1)


def _end(process: subprocess.Popen[bytes]) -> None:
    # The child leads a session of its own, so its group holds exactly what it started.
    for sign in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, sign)
        try:
            process.wait(timeout=10)
            break
        except subprocess.TimeoutExpired:
            continue
    if process.stdin:
        process.stdin.close()
