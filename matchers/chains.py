"""Postings of a batch grouped into the chains that they continue: everything but the links taken already."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from matchers.drafts import Wanted
from matchers.interface import Evaluator
from matchers.postings import MAXIMUM_CHAIN, PAYLOAD

COMMON = 3
"""A shingle that so many records share is a template: no further postings are made of it, and it weighs nothing."""
Y_BYTES = 32
TOKEN_BYTES = Y_BYTES + 8
"""y ‖ filter tag."""
NO_POSTING = bytes(Y_BYTES)
"""Stands for y in the token of a mark."""


@dataclass(frozen=True, slots=True, eq=False)
class Chains:
    """The postings of a batch, those of one chain together. Holds no key and no value."""

    ys: NDArray[np.uint8] = field(repr=False)
    """Each distinct y, 32 bytes a row."""
    longest: NDArray[np.int64] = field(repr=False)
    """How long the chain of each y may become."""
    chain: NDArray[np.int64] = field(repr=False)
    """For each posting the number of its y."""
    turn: NDArray[np.int64] = field(repr=False)
    """For each posting how many of this batch come before it in its chain."""
    payloads: NDArray[np.uint8] = field(repr=False)
    """Packed, one a row."""
    record: NDArray[np.int64] = field(repr=False)
    """For each posting the number of its record."""
    tags: NDArray[np.uint64] = field(repr=False)
    """For each posting its filter tag."""


def chained(evaluator: Evaluator, wanted: Sequence[Wanted], keys: NDArray[np.uint8]) -> Chains:
    """Evaluate what is wanted and group it; the same value of one record counts once.

    `keys` has 48 bytes for each record: handle, record key, passage key.
    """
    evaluated = b"".join(b"".join(evaluator.evaluate(each.field, each.values)) for each in wanted)
    ys = np.frombuffer(evaluated, np.uint8).reshape(-1, Y_BYTES)
    record, element, kind, weight, extra, tags = (
        np.concatenate([np.zeros(0, sort), *(getattr(each, name) for each in wanted)])
        for name, sort in (*((name, np.int64) for name in ("record", "element", "kind", "weight", "extra")),
                           ("tag", np.uint64))
    )  # fmt: skip
    shingle = np.repeat(np.array([each.shingle for each in wanted], np.bool_), [len(each.values) for each in wanted])
    order, new = _grouped(ys)
    # Within a chain the records ascend, so that a record's second posting comes right behind its first.
    again = np.append(False, (record[order][1:] == record[order][:-1]) & ~new[1:])[: len(order)]
    order, new = order[~again], new[~again]
    first, chain = np.flatnonzero(new), np.cumsum(new) - 1
    payloads = np.zeros(len(order), PAYLOAD)
    secret = np.ascontiguousarray(keys).view("V16").reshape(-1, 3)[record[order]]
    payloads["handle"], payloads["record_key"], payloads["passage_key"] = secret.T
    payloads["passage_key"][~shingle[order]] = np.void(bytes(16))
    payloads["element"], payloads["kind"] = element[order], kind[order]
    payloads["weight"], payloads["offset"] = weight[order], extra[order]
    return Chains(
        ys=ys[order[first]],
        longest=np.where(shingle[order[first]], COMMON, MAXIMUM_CHAIN),
        chain=chain,
        turn=np.arange(len(order)) - first[chain],
        payloads=payloads.view(np.uint8).reshape(len(order), PAYLOAD.itemsize),
        record=record[order],
        tags=tags[order],
    )


def tokens(chains: Chains, marks: tuple[NDArray[np.int64], NDArray[np.uint64]], count: int) -> list[bytes]:
    """Return the tokens of each record in random order: y and filter tag of its postings, and its marks."""
    record = np.concatenate([chains.record, marks[0]])
    rows = np.zeros((len(record), TOKEN_BYTES), np.uint8)
    rows[: len(chains.record), :Y_BYTES] = chains.ys[chains.chain]
    tags = np.concatenate([chains.tags, marks[1]])
    rows[:, Y_BYTES:] = tags.astype(">u8").view(np.uint8).reshape(-1, 8)
    chance = np.frombuffer(secrets.token_bytes(8 * len(record)), np.uint64)
    order = np.argsort(record.astype(np.uint64) << np.uint64(40) | chance >> np.uint64(24))
    data = rows[order].tobytes()
    ends = TOKEN_BYTES * np.cumsum(np.bincount(record, minlength=count))
    return [data[begin:end] for begin, end in zip([0, *ends.tolist()], ends.tolist(), strict=False)]


def _grouped(ys: NDArray[np.uint8]) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Return an order in which equal rows stand together, first come first, and which of them begin a group."""
    if not len(ys):
        return np.zeros(0, np.intp), np.zeros(0, np.bool_)
    words = ys.view(np.uint64).reshape(len(ys), -1)
    order = np.argsort(words[:, 0], kind="stable")
    ranked = words[order]
    alike = ranked[1:, 0] == ranked[:-1, 0]
    if (ranked[1:][alike] != ranked[:-1][alike]).any():
        order = np.lexsort(words.T)
        ranked = words[order]
        alike = (ranked[1:] == ranked[:-1]).all(axis=1)
    return order, np.append(True, ~alike)
