"""One decoder process, seen from the parent: start it, give it a part, read its bounded answer, kill it."""

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import structlog

from decoders import messages
from decoders.interface import DecodingSettings
from decoders.isolation import describe
from model.errors import DecodeError
from model.page import Part, Passage, Reason

log = structlog.get_logger(__name__)

START_SECONDS = 60.0
"""Wall clock for a child to start and say hello; generous, for machines under load."""
GRACE_SECONDS = 2.0
"""What the parent waits beyond the child's own clock."""
TEXT_LIMIT = 12 * 1024 * 1024
"""Bytes of text that the parent accepts for one part, whatever the child says."""
FRAMES_LIMIT = 60_000
"""Frames that the parent accepts for one part."""
CHUNK = 1 << 16
CLOCK_SIGNALS = (signal.SIGXCPU, signal.SIGALRM)
"""How the kernel ends a child that has used up its processor time or its wall clock."""
ENVIRONMENT = {
    "LC_ALL": "C.UTF-8",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONNOUSERSITE": "1",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}
"""The whole environment of a child: nothing of the caller's is passed on."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back for one part. Its repr shows no content."""

    passages: tuple[Passage, ...] = field(repr=False)
    outcomes: tuple[tuple[str, Reason | None], ...]


class Child:
    """A decoder process. Not for use by two threads at once."""

    def __init__(self, settings: DecodingSettings, decoders: tuple[str, ...]) -> None:
        """Start the process and wait for its hello.

        Raises `DecodeError` with reason `internal-error` if it does not come up.
        """
        root = Path(__file__).resolve().parent.parent
        arguments = json.dumps({"settings": asdict(settings), "decoders": decoders})
        self._process = subprocess.Popen(
            [sys.executable, "-m", "decoders.worker", arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=root,
            env=ENVIRONMENT,
            close_fds=True,
            start_new_session=True,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._input, self._output = self._process.stdin.fileno(), self._process.stdout.fileno()
        os.set_blocking(self._input, False)
        os.set_blocking(self._output, False)
        self._received = bytearray()
        self._waiting = memoryview(b"")
        self.conversations = 0
        self.alive = True
        self.level = self._hello()

    def read(self, part: Part, seconds: float) -> Answer:
        """Have a part decoded within so many seconds; a child that fails is killed, and what it said first counts."""
        if len(part.data) > messages.REQUEST_LIMIT:
            return Answer((), (("quarantined", Reason.TOO_BIG),))
        self.conversations += 1
        passages: list[Passage] = []
        outcomes: list[tuple[str, Reason | None]] = []
        try:
            self._waiting = memoryview(messages.request(part, seconds))
            self._listen(time.monotonic() + seconds, passages, outcomes)
        except DecodeError as error:
            self.kill()
            outcomes.append(("quarantined", Reason(error.reason)))
            log.warning("decoder killed", reason=error.reason, bytes=len(part.data), passages=len(passages))
        return Answer(tuple(passages), tuple(outcomes or [("quarantined", Reason.CRASH)]))

    def read_many(self, parts: Sequence[Part], seconds: float) -> list[Answer]:
        """Have small parts decoded one after the other within so many seconds in all, asked for at once.

        A child that fails is killed: the answers are then those given whole before, fewer than the parts.
        """
        if len(parts) == 1:
            return [self.read(parts[0], seconds)]
        self.conversations += 1
        answers: list[Answer] = []
        last = len(parts) - 1
        requests = (messages.request(part, seconds, more=number < last) for number, part in enumerate(parts))
        self._waiting = memoryview(b"".join(requests))
        deadline = time.monotonic() + seconds
        try:
            for _ in parts:
                passages: list[Passage] = []
                outcomes: list[tuple[str, Reason | None]] = []
                self._listen(deadline, passages, outcomes)
                answers.append(Answer(tuple(passages), tuple(outcomes or [("quarantined", Reason.CRASH)])))
        except DecodeError as error:
            self.kill()
            log.warning("decoder killed", reason=error.reason, parts=len(parts), answered=len(answers))
        return answers

    def end(self) -> None:
        """Let the child end by closing its input; kill it if it does not. Its pipes are closed."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(timeout=GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
        self._process.stdout.close()
        self.alive = False

    def kill(self) -> None:
        """End the child at once."""
        self.alive = False
        self._process.kill()
        self._process.wait()

    def _hello(self) -> str:
        """Return the level of isolation that the child has measured."""
        deadline = time.monotonic() + START_SECONDS
        try:
            while (frame := messages.take_frame(self._received)) is None:
                self._exchange(deadline)
            if frame[0]["say"] != "hello":
                raise messages.broken("it did not say hello")
        except DecodeError as error:
            self.kill()
            raise DecodeError(
                Reason.INTERNAL, "a decoder process did not start: run `spillwatch doctor` to see why"
            ) from error
        return describe(frame[0])

    def _listen(self, deadline: float, passages: list[Passage], outcomes: list[tuple[str, Reason | None]]) -> None:
        """Send what waits and collect frames until the child says that it is done with one part."""
        text_size = frames = 0
        while True:
            while (frame := messages.take_frame(self._received)) is None:
                self._exchange(deadline + GRACE_SECONDS)
            frames += 1
            text_size += len(frame[1])
            if frames > FRAMES_LIMIT or text_size > TEXT_LIMIT:
                raise DecodeError(Reason.LIMIT, "a decoder process sent more than allowed")
            kind = frame[0]["say"]
            if kind == "passage":
                passages.append(messages.passage_in(frame))
            elif kind == "outcome":
                outcomes.append(messages.outcome_in(frame))
                _log_error(frame[0].get("error"))
            elif kind == "done":
                return
            else:
                raise messages.broken("a frame of unknown kind")

    def _exchange(self, deadline: float) -> None:
        """Move some bytes in either direction."""
        left = deadline - time.monotonic()
        if left <= 0:
            raise DecodeError(Reason.TIMEOUT, "a decoder process took too long")
        to_send = [self._input] if self._waiting else []
        readable, writable, _ = select.select([self._output], to_send, [], min(left, 1.0))
        if writable:
            try:
                self._waiting = self._waiting[os.write(self._input, self._waiting[:CHUNK]) :]
            except BrokenPipeError as error:
                raise self._died() from error
        if readable:
            chunk = os.read(self._output, CHUNK)
            if not chunk:
                raise self._died()
            self._received += chunk

    def _died(self) -> DecodeError:
        """Return the error for a child that ended by itself: by its own clock, or by a crash."""
        status = self._process.wait()
        if -status in CLOCK_SIGNALS:
            return DecodeError(Reason.TIMEOUT, "a decoder process used up its time")
        return DecodeError(Reason.CRASH, f"a decoder process ended with status {status}")


def _log_error(name: object) -> None:
    """Log the class of an error that a decoder did not expect; never more, since the child may say anything."""
    if isinstance(name, str) and name.isalpha() and name.isascii() and name.endswith(("Error", "Exception")):
        log.warning("decoder failed", error=name[:40])
