"""Worker processes that fingerprint rows while one process writes: everything that does not need the database.

The key goes to them through a pipe that has no name, never on a command line or in the environment. Each has one batch
at a time, so that memory stays bounded; answers come in the order of the questions.
"""

import gc
import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Self

from app.child import leave_no_core
from matchers.commonness import Census
from matchers.fingerprints import Enroller, Prepared
from matchers.keys import LinkageKey
from model.errors import SpillwatchError
from model.record import Record
from storage.records import KnownRecord


@dataclass(frozen=True, slots=True)
class Fingerprinted:
    """What became of a batch."""

    unchanged: int
    """Rows that are enrolled as they are."""
    prepared: Prepared


def fingerprinted(enroller: Enroller, records: Sequence[Record], known: Sequence[KnownRecord | None]) -> Fingerprinted:
    """Return the fingerprints of the rows that are new or changed; `known` has each that is enrolled, or None."""
    fresh, handles = [], {}
    for record, before in zip(records, known, strict=True):
        if before is not None and before.content_tag == enroller.content_tag(record):
            continue
        fresh.append(record)
        if before is not None:
            handles[record.ref] = before.handle
    return Fingerprinted(len(records) - len(fresh), enroller.prepare(fresh, handles))


class Fingerprinters:
    """Some worker processes, asked in turn. Closing it ends them."""

    def __init__(self, enroller: Enroller, count: int) -> None:
        """Start the processes; each makes itself the same enroller."""
        context = get_context("spawn")
        self._workers = []
        self._waiting: list[int] = []
        self._next = 0
        for _ in range(count):
            ours, theirs = context.Pipe()
            process = context.Process(target=_work, args=(theirs,), daemon=True)
            process.start()
            theirs.close()
            ours.send(enroller.handover())
            self._workers.append((process, ours))

    @property
    def full(self) -> bool:
        """Whether every process has a batch: an answer must be taken before the next question."""
        return len(self._waiting) == len(self._workers)

    @property
    def idle(self) -> bool:
        """Whether no process has a batch."""
        return not self._waiting

    def ask(self, records: Sequence[Record], known: Sequence[KnownRecord | None]) -> None:
        """Give the next process a batch."""
        self._waiting.append(self._next)
        with _told():
            self._workers[self._next][1].send((records, known))
        self._next = (self._next + 1) % len(self._workers)

    def answer(self) -> Fingerprinted:
        """Return what became of the batch that was asked first; waits for it."""
        with _told():
            answer = self._workers[self._waiting.pop(0)][1].recv()
        assert isinstance(answer, Fingerprinted)
        return answer

    def censuses(self) -> Iterator[Census]:
        """Yield what each process counted in notes. To be asked for when no process has a batch, and once."""
        for _, ours in self._workers:
            with _told():
                ours.send(None)
                census = ours.recv()
            if census is not None:
                assert isinstance(census, Census)
                yield census

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *error: object) -> None:
        """End the processes: what they were at is dropped."""
        for process, ours in self._workers:
            ours.close()
            process.terminate()
            process.join()


@contextmanager
def _told() -> Iterator[None]:
    """Turn the end of a process into an error that says so."""
    try:
        yield
    except (EOFError, OSError):
        raise SpillwatchError(
            "a process that fingerprints rows ended early; what was stored is whole: enrol the file again"
        ) from None


def processors() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _work(pipe: Connection) -> None:
    """Answer batches until the pipe is closed at the other end, or what was counted is asked for."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends the writer, and the writer ends us
    leave_no_core()
    gc.disable()  # nothing here has cycles, and looking for them costs a third of the time
    with suppress(EOFError, OSError):
        key, schema, epoch = pipe.recv()
        enroller = Enroller(LinkageKey.parse(key), schema, epoch)
        while (question := pipe.recv()) is not None:
            pipe.send(_answered(enroller, *question))
        pipe.send(enroller.census if enroller.census.notes else None)


def _answered(enroller: Enroller, records: Sequence[Record], known: Sequence[KnownRecord | None]) -> Fingerprinted:
    try:
        return fingerprinted(enroller, records, known)
    except Exception as error:  # noqa: BLE001  its words and its trace could quote a value
        raise SystemExit(f"fingerprinting failed: {type(error).__name__}") from None
