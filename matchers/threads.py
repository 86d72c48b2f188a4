"""What is remembered of a post until the rest of a leak comes in another post of the same thread or author.

A leak may be split: the name in one post, the number in the next. Of each post the pieces that could be halves of a
conjunction are kept as keyed blocks (16 bytes of AES output, `Kernel.blocks_of`), and what was found of a record but
was not enough for a leak, as kinds and bits. No text is kept; without the key the blocks mean nothing.
"""

import base64
import json
import zlib
from collections import OrderedDict, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from matchers.sightings import Evidence

MOST_POSTS: Final = 12
"""Posts of one thread that are remembered, the latest."""
MOST_HALVES: Final = 96
"""Names, and other values, that are remembered of one post."""
MOST_FOUND: Final = 64
"""Records of which one post may be remembered to have shown something."""
MOST_THREADS: Final = 10_000
"""Threads that one process remembers; those that were silent longest are forgotten."""


class Half(NamedTuple):
    """One half of a conjunction that may be completed in another post."""

    field: str
    block: bytes
    form: int


@dataclass(frozen=True, slots=True)
class Trace:
    """What is remembered of one post."""

    left: tuple[Half, ...] = field(default=(), repr=False)
    """Names."""
    right: tuple[Half, ...] = field(default=(), repr=False)
    """Values that stand with names."""
    found: Mapping[bytes, tuple[Evidence, ...]] = field(default_factory=dict, repr=False)
    """What spoke of a record, by handle; spans are of no use any more."""


class ThreadMemory(Protocol):
    """Where traces rest between posts: in a process, or sealed in the database for some days."""

    def recall(self, thread: str) -> Sequence[Trace]:
        """Return the traces of the latest posts, oldest first."""
        ...

    def remember(self, thread: str, trace: Trace) -> None:
        """Keep the trace of a further post."""
        ...


class BriefMemory(ThreadMemory):
    """Remembers as long as it lives, and so many threads."""

    def __init__(self, most: int = MOST_THREADS) -> None:
        """Begin with nothing."""
        self._most = most
        self._threads: OrderedDict[str, list[Trace]] = OrderedDict()

    def recall(self, thread: str) -> Sequence[Trace]:
        """Return the traces of the latest posts, oldest first."""
        return tuple(self._threads.get(thread, ()))

    def remember(self, thread: str, trace: Trace) -> None:
        """Keep the trace of a further post."""
        kept = self._threads.setdefault(thread, [])
        self._threads.move_to_end(thread)
        kept.append(trace)
        del kept[:-MOST_POSTS]
        if len(self._threads) > self._most:
            self._threads.popitem(last=False)


class Draft(ThreadMemory):
    """Keeps nothing for good until told to: what failed and is tried again must not be joined with itself."""

    def __init__(self, memory: ThreadMemory, epoch: int | None = None) -> None:
        """Recall from that memory, and remember there at the end; what one epoch remembers is its own.

        Traces that were made under another key say nothing under this one.
        """
        self._memory = memory
        self._suffix = "" if epoch is None else f"|{epoch}"
        self._fresh: defaultdict[str, list[Trace]] = defaultdict(list)

    def recall(self, thread: str) -> Sequence[Trace]:
        """Return the traces of the latest posts, oldest first."""
        return [*self._memory.recall(thread + self._suffix), *self._fresh.get(thread, ())][-MOST_POSTS:]

    def remember(self, thread: str, trace: Trace) -> None:
        """Keep the trace for now."""
        self._fresh[thread].append(trace)

    def keep(self) -> None:
        """Remember everything for good."""
        for thread, traces in self._fresh.items():
            for trace in traces:
                self._memory.remember(thread + self._suffix, trace)
        self._fresh.clear()


@dataclass(slots=True)
class Post:
    """A post of a thread while it is examined, piece by piece."""

    halves: tuple[list[Half], list[Half]] = field(default_factory=lambda: ([], []), repr=False)
    """Names, and values that stand with names."""
    spans: dict[int, tuple[int, int, int]] = field(default_factory=dict)
    """Passage, first character and one past the last of each half, by its identity."""
    taken: list[int] = field(default_factory=lambda: [0, 0])
    """How many of each side there are or will be."""

    def has_room(self, side: int) -> bool:
        """Tell whether a further half of a side is remembered."""
        return self.taken[side] < MOST_HALVES

    def add(self, side: int, half: Half, span: tuple[int, int, int]) -> None:
        """Add a half, and where it stands."""
        self.halves[side].append(half)
        self.spans[id(half)] = span

    def trace(self, found: Mapping[bytes, tuple[Evidence, ...]]) -> Trace:
        """Return what is to be remembered, with what was found of records."""
        return Trace(tuple(self.halves[0]), tuple(self.halves[1]), found)


class Crossing(NamedTuple):
    """Conjunctions of which one half stands in the present post and the other in an earlier one."""

    lefts: list[Half]
    rights: list[Half]
    one: NDArray[np.intp]
    """For each conjunction the index of its name."""
    other: NDArray[np.intp]
    """For each conjunction the index of its other value."""

    def tags(self) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
        """Return the filter tags of both halves of each conjunction."""
        return _tags(self.lefts).take(self.one), _tags(self.rights).take(self.other)


def crossed(before: Sequence[Trace], now: Trace, partners: Mapping[str, Sequence[str]], most: int) -> list[Crossing]:
    """Return the conjunctions between the present post and earlier ones; each way so many, of the latest posts."""
    rights = [half for trace in reversed(before) for half in trace.right]
    lefts = [half for trace in reversed(before) for half in trace.left]
    one, other = _allowed(now.left, rights, partners)
    earlier, own = _allowed(lefts, now.right, partners)
    by_time = np.argsort(other, kind="stable")[:most]
    return [
        Crossing(list(now.left), rights, one.take(by_time), other.take(by_time)),
        Crossing(lefts, list(now.right), earlier[:most], own[:most]),
    ]


def _allowed(
    lefts: Sequence[Half], rights: Sequence[Half], partners: Mapping[str, Sequence[str]]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the indices of the left and the right halves that go together, ascending by the left one."""
    names, values = (
        {field: code for code, field in enumerate(dict.fromkeys(half.field for half in side))}
        for side in (lefts, rights)
    )
    table = np.array([[value in partners.get(name, ()) for value in values] for name in names], np.bool_)
    if not table.any():
        return np.zeros(0, np.intp), np.zeros(0, np.intp)
    one, other = np.array([names[half.field] for half in lefts]), np.array([values[half.field] for half in rights])
    found = np.nonzero(table[one[:, None], other[None, :]])
    return found[0], found[1]


def _tags(halves: Sequence[Half]) -> NDArray[np.uint64]:
    return np.frombuffer(b"".join(half.block for half in halves), np.uint64)[::2]


def pack(traces: Sequence[Trace]) -> bytes:
    """Return traces as bytes, to be sealed."""
    return zlib.compress(json.dumps([_plain(trace) for trace in traces], separators=(",", ":")).encode())


def unpack(packed: bytes) -> list[Trace]:
    """Return the traces that `pack` wrote; zeros may stand behind them."""
    return [
        Trace(
            tuple(Half(name, base64.b64decode(block), form) for name, block, form in plain["left"]),
            tuple(Half(name, base64.b64decode(block), form) for name, block, form in plain["right"]),
            {
                base64.b64decode(handle): tuple(
                    Evidence(tuple(kinds), role, form, similarity, 0, 0, 0, tuple(bits), group)
                    for kinds, role, form, similarity, bits, group in evidence
                )
                for handle, evidence in plain["found"].items()
            },
        )
        for plain in json.loads(zlib.decompressobj().decompress(packed))
    ]


def _plain(trace: Trace) -> dict[str, object]:
    return {
        "left": [(half.field, base64.b64encode(half.block).decode(), half.form) for half in trace.left],
        "right": [(half.field, base64.b64encode(half.block).decode(), half.form) for half in trace.right],
        "found": {
            base64.b64encode(handle).decode(): [
                (each.kinds, each.role, each.form, each.similarity, each.bits, each.group) for each in evidence
            ]
            for handle, evidence in trace.found.items()
        },
    }
