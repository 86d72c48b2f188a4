"""BULK: lines of JSON → a verdict on each, at bulk speed; no alert is raised and no evidence kept.

For benches of outsiders and for archives: what is examined here leaves nothing behind but the answers. Texts go
through the sandbox in batches while the batch before is matched. Items of one thread are examined in one call, in
the order of the file, once the file has ended or as many as are held in memory have come together.
"""

import gzip
import itertools
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import structlog

from decoders.interface import Sandbox
from matchers.epochs import Examines
from matchers.interface import Examination
from matchers.threads import BriefMemory, Draft, ThreadMemory
from model.errors import SpillwatchError
from model.match import Element, Match, Verdict
from model.page import Decoded, Part, Passage, Reason

log = structlog.get_logger(__name__)
BATCH_ITEMS = 512
BATCH_BYTES = 1_000_000
"""A batch is full with so many items or bytes of UTF-8; one call of the engine is held in memory whole."""
HELD_BYTES = 64_000_000
"""Bytes of threads kept back until their other items come; beyond it the threads so far are examined."""


@dataclass(frozen=True, slots=True)
class Item:
    """One line of the input. Its repr shows no content."""

    item_id: str | None
    """None if the line has none."""
    thread_id: str | None
    part: Part | None
    """The text; None if the line could not be read."""
    line: int
    """Number of the line, 1 = first."""


@dataclass(frozen=True, slots=True)
class BulkExaminer:
    """What an examination of lines needs."""

    sandbox: Sandbox
    engine: Examines
    references: Callable[[Sequence[bytes]], Mapping[bytes, str]]
    """Handles → the operator's references of those still enrolled."""

    def examine(self, lines: Iterable[bytes | str]) -> Iterator[dict[str, Any]]:
        """Yield one answer for each line that is not empty: alone ones as they come, those of threads at the end."""
        memory = BriefMemory()
        for items, decoded in self._decoded(batches(items_in(lines))):
            yield from self._answers(items, decoded, memory)

    def _decoded(self, batched: Iterable[list[Item]]) -> Iterator[tuple[list[Item], list[Decoded]]]:
        """Yield batches with what the decoders made of them, always one batch ahead of the caller."""
        with ThreadPoolExecutor(1, thread_name_prefix="bulk") as ahead:
            waiting = None
            for items in batched:
                following = items, ahead.submit(self._decode, items)
                if waiting is not None:
                    yield waiting[0], waiting[1].result()
                waiting = following
            if waiting is not None:
                yield waiting[0], waiting[1].result()

    def _decode(self, items: Sequence[Item]) -> list[Decoded]:
        decoded = iter(self.sandbox.decode_each([item.part for item in items if item.part is not None]))
        return [next(decoded) if item.part is not None else Decoded((), ()) for item in items]

    def _answers(
        self, items: Sequence[Item], decoded: Sequence[Decoded], memory: ThreadMemory
    ) -> Iterator[dict[str, Any]]:
        pages = [each.passages for each in decoded]
        examinations = self._match(
            pages, [() if item.thread_id is None else (item.thread_id,) for item in items], memory
        )
        handles = list(dict.fromkeys(match.handle for each in examinations if each for match in each.matches))
        refs = self.references(handles) if handles else {}
        for item, each, examination in zip(items, decoded, examinations, strict=True):
            yield answer(item, each, examination, refs)

    def _match(
        self, pages: Sequence[Sequence[Passage]], threads: Sequence[tuple[str, ...]], memory: ThreadMemory
    ) -> list[Examination | None]:
        """Return the examination of each page, joined with the posts of its thread so far.

        If a batch fails, its pages are examined one by one, and the one at fault has no examination.
        """
        draft = Draft(memory)
        try:
            found = list[Examination | None](self.engine.examine_many(pages, threads, draft))
        except SpillwatchError:
            raise  # not the fault of a page
        except Exception:
            log.exception("page could not be examined" if len(pages) == 1 else "batch could not be examined")
        else:
            draft.keep()
            return found
        if len(pages) == 1:
            return [None]
        each = (self._match([page], [thread], memory) for page, thread in zip(pages, threads, strict=True))
        return [examination for alone in each for examination in alone]


def items_in(lines: Iterable[bytes | str]) -> Iterator[Item]:
    """Yield the item of each line that is not empty; a line that cannot be read is an item without a text."""
    for number, line in enumerate(lines, 1):
        if line.strip():
            yield _item(line, number)


def batches(items: Iterable[Item]) -> Iterator[list[Item]]:
    """Yield items in batches, those of threads last and together; a thread is torn only where one batch is too small.

    A thread that is larger than a batch is cut into several; so is one of whose items some come after the held ones
    had grown too many.
    """
    batch, size = list[Item](), 0
    threads: dict[str, list[Item]] = {}
    held = 0
    for item in items:
        if item.thread_id is not None:
            threads.setdefault(item.thread_id, []).append(item)
            held += _length(item)
            if held > HELD_BYTES:
                yield from _together(threads.values())
                threads, held = {}, 0
            continue
        batch.append(item)
        size += _length(item)
        if len(batch) >= BATCH_ITEMS or size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    yield from _together(itertools.chain(threads.values(), ([item] for item in batch)))


def answer(item: Item, decoded: Decoded, found: Examination | None, refs: Mapping[bytes, str]) -> dict[str, Any]:
    """Return what is written about one item: references, scores, kinds and spans, never a value."""
    matches = [match for match in found.matches if match.handle in refs] if found else []
    unread = _unread(item, decoded, found)
    if any(match.verdict is Verdict.LEAK for match in matches):
        verdict = Verdict.LEAK
    elif matches:
        verdict = Verdict.SUSPICIOUS
    else:
        verdict = Verdict.UNREADABLE if unread else Verdict.NOTHING
    told: dict[str, Any] = {"item_id": item.item_id, "verdict": verdict.value}
    told["matches"] = [_told(match, refs) for match in matches]
    if item.item_id is None:
        told["line"] = item.line
    if unread:
        told["not_read"] = [reason.value for reason in unread]
    return told


def open_lines(source: str) -> AbstractContextManager[IO[bytes]]:
    """Open a file of lines, gzipped or not, or `-` for standard input."""
    if source == "-":
        return nullcontext(sys.stdin.buffer)
    path = Path(source)
    try:
        file = path.open("rb")
        zipped = file.read(2) == b"\x1f\x8b"
        file.seek(0)
    except OSError as error:
        raise SpillwatchError(f"{path}: {error.strerror}") from error
    return gzip.open(file) if zipped else file  # type: ignore[return-value]


def open_answers(target: str) -> AbstractContextManager[IO[str]]:
    """Open a file to be written, gzipped if it ends in .gz, or `-` for standard output."""
    if target == "-":
        return nullcontext(sys.stdout)
    try:
        if target.endswith(".gz"):
            return gzip.open(target, "wt", encoding="utf-8")
        return Path(target).open("w", encoding="utf-8")
    except OSError as error:
        raise SpillwatchError(f"{target}: {error.strerror}") from error


def _item(line: bytes | str, number: int) -> Item:
    try:
        tree = json.loads(line)
        item_id, thread_id, text = tree["item_id"], tree.get("thread_id"), tree["text"]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return Item(_id_in(line), None, None, number)
    name = None if item_id is None else str(item_id)
    if not isinstance(text, str):
        return Item(name, None, None, number)
    part = Part("body", "", text.encode("utf-8", "replace"), charset="utf-8")
    return Item(name, None if thread_id is None else str(thread_id), part, number)


def _id_in(line: bytes | str) -> str | None:
    """Return the id of a line without a readable text, if it has at least that."""
    try:
        item_id = json.loads(line)["item_id"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return None if item_id is None else str(item_id)


def _length(item: Item) -> int:
    return len(item.part.data) if item.part is not None else 0


def _together(groups: Iterable[Sequence[Item]]) -> Iterator[list[Item]]:
    """Yield batches in which each group stands whole, unless it alone is more than a batch."""
    batch, size = list[Item](), 0
    for group in groups:
        more = sum(_length(item) for item in group)
        if batch and (len(batch) + len(group) > BATCH_ITEMS or size + more > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        for item in group:
            batch.append(item)
            size += _length(item)
            if len(batch) >= BATCH_ITEMS or size >= BATCH_BYTES:
                yield batch
                batch, size = [], 0
    if batch:
        yield batch


def _unread(item: Item, decoded: Decoded, found: Examination | None) -> list[Reason]:
    """Return why something was not read, each reason once."""
    reasons = [Reason.MALFORMED] if item.part is None else []
    reasons += [each.reason for each in decoded.outcomes if each.state == "quarantined" and each.reason is not None]
    if found is None:
        reasons.append(Reason.INTERNAL)
    elif found.capped:
        reasons.append(Reason.LIMIT)
    return list(dict.fromkeys(reasons))


def _told(match: Match, refs: Mapping[bytes, str]) -> dict[str, Any]:
    elements = [_element(element) for element in match.elements]
    return {
        "ref": refs[match.handle],
        "verdict": match.verdict.value,
        "score": round(match.score, 4),
        "elements": elements,
    }


def _element(element: Element) -> dict[str, Any]:
    return {
        "kinds": list(element.kinds),
        "role": element.role,
        "form": element.form,
        "similarity": round(element.similarity, 3),
        "passage": element.passage,
        "span": [element.start, element.end],
    } | ({"joined": True} if element.joined else {})
