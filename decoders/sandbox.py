"""The pool of child processes in which decoders run: no key, no network where the kernel allows, bounded in all things.

The caller holds the linkage key and database connections, so a child is a fresh interpreter (`python -m
decoders.worker`), never a fork of the caller, and gets an environment of a few fixed variables. What a child sends
is text in bounded frames; a child that hangs, dies or misbehaves is killed and costs the part it was reading.
"""

import queue
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import structlog

from decoders.child import Answer, Child
from decoders.interface import DecodingSettings, Sandbox
from model.errors import DecodeError
from model.page import Decoded, Part, PartOutcome, Passage, Reason

log = structlog.get_logger(__name__)

RECYCLE_AFTER = 200
"""Parts read by one child before a fresh one takes its place."""
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
            if child is not None and (not child.alive or child.parts_read >= RECYCLE_AFTER):
                child.end()
                child = None
            self._idle.put(child)
        return answer

    def _seconds(self, part: Part) -> float:
        """Return the wall clock for a part: more where pictures may have to be read."""
        head = part.data[:16]
        pictures = head.startswith(PICTURE_SIGNS) or b"data:image" in part.data
        return self._settings.picture_seconds if pictures else self._settings.seconds
