"""What is remembered of a post until the rest of a leak comes in another post of the same thread or author.

A leak may be split: the name in one post, the number in the next. Of each post the pieces that could be halves of a
conjunction are kept as keyed blocks (16 bytes of AES output, `Kernel.blocks_of`), and what was found of a record but
was not enough to speak of, as kinds and bits. No text is kept; without the key the blocks mean nothing.
"""

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Protocol

from matchers.sightings import Evidence

MOST_POSTS: Final = 12
"""Posts of one thread that are remembered, the latest."""
MOST_HALVES: Final = 96
"""Names, and other values, that are remembered of one post."""


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
    """Remembers as long as it lives."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._threads: dict[str, list[Trace]] = {}

    def recall(self, thread: str) -> Sequence[Trace]:
        """Return the traces of the latest posts, oldest first."""
        return self._threads.get(thread, ())

    def remember(self, thread: str, trace: Trace) -> None:
        """Keep the trace of a further post."""
        kept = self._threads.setdefault(thread, [])
        kept.append(trace)
        del kept[:-MOST_POSTS]


def crossed(before: Sequence[Trace], now: Trace, partners: Mapping[str, Sequence[str]]) -> Iterator[tuple[Half, Half]]:
    """Yield the conjunctions of a name in one post and another value in another: one of them in the present post."""
    for trace in before:
        for lefts, rights in ((trace.left, now.right), (now.left, trace.right)):
            for left in lefts:
                wanted = partners.get(left.field, ())
                yield from ((left, right) for right in rights if right.field in wanted)


def pack(traces: Sequence[Trace]) -> bytes:
    """Return traces as bytes, to be sealed."""
    return json.dumps([_plain(trace) for trace in traces], separators=(",", ":")).encode()


def unpack(packed: bytes) -> list[Trace]:
    """Return the traces that `pack` wrote."""
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
        for plain in json.loads(packed)
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
