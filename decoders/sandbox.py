"""The pool of child processes in which decoders run: no key, no network where the kernel allows, bounded in all things.

The caller holds the linkage key and database connections, so a child is a fresh interpreter (`python -m
decoders.worker`), never a fork of the caller, and gets an environment of a few fixed variables. What a child sends
is text in bounded frames; a child that hangs, dies or misbehaves is killed and costs the part it was reading.
"""

import queue
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import structlog

from decoders.child import Answer, Child
from decoders.interface import DecodingSettings, Sandbox
from model.errors import DecodeError
from model.page import Decoded, Part, PartOutcome, Passage, Reason

log = structlog.get_logger(__name__)

RECYCLE_AFTER = 200
"""Conversations with one child, of one part or a batch of small ones, before a fresh one takes its place."""
SMALL = 256 * 1024
"""Bytes up to which a part is read in a batch with others."""
BATCH_BYTES = 1024 * 1024
BATCH_PARTS = 256
PICTURE_SIGNS = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"RIFF", b"BM", b"II*\x00", b"MM\x00*", b"%PDF", b"PK")
"""First bytes of pictures and of files that may hold pictures."""


def open_sandbox(settings: DecodingSettings, *, decoders: Sequence[str] = ()) -> Sandbox:
    """Start the child processes and return the sandbox; close it when done.

    `decoders` names further decoders as `module:Class`, tried before the built-in ones.
    Raises `DecodeError` with reason `internal-error` if a child cannot be started: nothing is ever decoded in the
    calling process instead.
    """
    return ProcessSandbox(settings, tuple(decoders))


class ProcessSandbox(Sandbox):
    """A pool of `settings.workers` child processes; safe to use from several threads."""

    def __init__(self, settings: DecodingSettings, decoders: tuple[str, ...]) -> None:
        """Start one child at once, so that a sandbox that cannot work is noticed here; the others when needed."""
        self._settings = settings
        self._decoders = decoders
        self._closed = False
        self._idle: queue.LifoQueue[Child | None] = queue.LifoQueue()
        first = self._start()
        self._level = first.level
        for _ in range(settings.workers - 1):
            self._idle.put(None)
        self._idle.put(first)
        self._threads = ThreadPoolExecutor(settings.workers, thread_name_prefix="decode")
        log.info("decoders started", workers=settings.workers, isolation=self._level)

    @property
    def level(self) -> str:
        """Say in words which isolation is active, as measured inside the first child."""
        return self._level

    def decode(self, parts: Sequence[Part]) -> Decoded:
        """Decode every part; each part ends as read, skipped or quarantined, whatever it contains."""
        answers = list(self._threads.map(self._read, parts))
        passages: list[Passage] = []
        outcomes: list[PartOutcome] = []
        for index, answer in enumerate(answers):
            passages.extend(answer.passages)
            outcomes.extend(PartOutcome(index, state, reason) for state, reason in answer.outcomes)
        return Decoded(tuple(passages), tuple(outcomes))

    def decode_each(self, parts: Sequence[Part]) -> list[Decoded]:
        """Decode parts that have nothing to do with each other; each ends as read, skipped or quarantined."""
        answers = [answer for some in self._threads.map(self._read_batch, _batches(parts)) for answer in some]
        return [
            Decoded(answer.passages, tuple(PartOutcome(0, state, reason) for state, reason in answer.outcomes))
            for answer in answers
        ]

    def close(self) -> None:
        """End the child processes."""
        if self._closed:
            return
        self._closed = True
        self._threads.shutdown(wait=True, cancel_futures=True)
        while not self._idle.empty():
            child = self._idle.get_nowait()
            if child is not None:
                child.end()

    def _start(self) -> Child:
        return Child(self._settings, self._decoders)

    def _read(self, part: Part) -> Answer:
        """Read one part in an idle child, and put a child that can go on back into the pool."""
        child = self._idle.get()
        try:
            if child is None:
                child = self._start()
            answer = child.read(part, self._seconds(part))
        except DecodeError as error:
            # The pool keeps its size: a slot without a child starts a new one with the next part.
            answer = Answer((), (("quarantined", Reason(error.reason)),))
            log.error("decoder not started", reason=error.reason)
        finally:
            self._give_back(child)
        return answer

    def _read_batch(self, parts: Sequence[Part]) -> list[Answer]:
        """Read parts in one conversation; from the one on at which a child fails, each is read by itself."""
        answers: list[Answer] = []
        child = self._idle.get()
        try:
            if child is None:
                child = self._start()
            answers = child.read_many(parts, self._settings.seconds)
        except DecodeError as error:
            log.error("decoder not started", reason=error.reason)
        finally:
            self._give_back(child)
        return [*answers, *(self._read(part) for part in parts[len(answers) :])]

    def _give_back(self, child: Child | None) -> None:
        """Put a child that can go on back into the pool, or a slot in which the next reading starts a new one."""
        if child is not None and (not child.alive or child.conversations >= RECYCLE_AFTER):
            child.end()
            child = None
        self._idle.put(child)

    def _seconds(self, part: Part) -> float:
        """Return the wall clock for a part: more where pictures may have to be read."""
        return self._settings.picture_seconds if _has_pictures(part) else self._settings.seconds


def _has_pictures(part: Part) -> bool:
    return part.data.startswith(PICTURE_SIGNS) or b"data:image" in part.data


def _batches(parts: Sequence[Part]) -> Iterator[Sequence[Part]]:
    """Yield the parts in order, small ones together, a large one or one with pictures alone."""
    batch: list[Part] = []
    size = 0
    for part in parts:
        if len(part.data) > SMALL or _has_pictures(part):
            yield from filter(None, (batch, [part]))
            batch, size = [], 0
            continue
        batch.append(part)
        size += len(part.data)
        if size >= BATCH_BYTES or len(batch) >= BATCH_PARTS:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
