"""Keyed 64-bit tags of many windows at once: AES-128 as the pseudo-random function, numpy around it.

A window of at most 16 bytes is one AES block; a longer one is chained (CBC-MAC), with a key of its own for each
number of blocks, so that no window is the beginning of another. Packing is injective: one byte per unit where all
units are below 256, two bytes otherwise, each under its own key, padded with zeros, which canonical text never
holds. Tags are the first 64 bits: enough for a filter, never stored elsewhere.
"""

import hashlib
from collections.abc import Sequence
from typing import Final

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext, algorithms, modes
from numpy.typing import NDArray

from model.errors import KeyUnusable

BLOCK: Final = 16
"""Bytes of one AES block."""
_BATCH: Final = 1 << 14
"""Windows encrypted at once: 256 KiB of blocks stay in the processor's cache."""
_CROWDED: Final = 4
"""Units per window up to which all windows of a stretch are copied first."""
_BLOCK_TYPE: Final = np.dtype(np.complex128)
"""A type of 16 bytes that numpy copies as one thing, several times faster than two words; never computed with."""
_LINE_FEED: Final = 0x0A
_LOW: Final = np.uint64(0xFFFFFFFF)
_KEEP: Final = np.frombuffer(
    b"".join(b"\xff" * length + b"\0" * (BLOCK - length) for length in range(BLOCK + 1)), np.uint64
).reshape(BLOCK + 1, 2)
"""For each number of bytes the mask that keeps so many of a block."""


class Kernel:
    """The pseudo-random function of one 32-byte kernel key.

    One encryptor per (field, width, number of blocks) is derived when first needed and kept. An instance belongs
    to one thread; make one per process.
    """

    def __init__(self, key: bytes) -> None:
        """Take the kernel key, 32 bytes derived from the linkage key; raise `KeyUnusable` for another length."""
        if len(key) != 32:
            raise KeyUnusable("the kernel key must be 32 bytes: derive it from the linkage key")
        self._key = key
        self._encryptors: dict[tuple[str, str, int], CipherContext] = {}

    def __repr__(self) -> str:
        """Return the class name only: the key is never shown."""
        return "Kernel(key hidden)"

    def tags(
        self, field: str, units: NDArray[np.uint16], starts: NDArray[np.integer], lengths: NDArray[np.integer] | int
    ) -> NDArray[np.uint64]:
        """Return the tag of each window `units[start:start + length]` under the field's key.

        `lengths` is one number for all windows or one per window, at least 1. Windows of 1 to 64 units are what it
        is made for; longer ones cost in proportion. The tag depends on the field and the units alone.
        """
        return _first_half(self._blocks(field, units, starts, lengths))

    def blocks_of(self, field: str, values: Sequence[str]) -> NDArray[np.uint8]:
        """Return the 16 bytes of which `tags_of` gives the first 8, a row for each canonical string.

        They stand for a value in a conjunction, so that two halves can be brought together without plaintext.
        """
        return self._blocks(field, *_joined(values)).view(np.uint8).reshape(-1, BLOCK)

    def _blocks(
        self, field: str, units: NDArray[np.uint16], starts: NDArray[np.integer], lengths: NDArray[np.integer] | int
    ) -> NDArray[np.complex128]:
        """Return the block of each window."""
        sizes = np.full(min(len(starts), _BATCH), lengths) if isinstance(lengths, int) else lengths
        if not len(starts):
            return np.zeros(0, _BLOCK_TYPE)
        if not units.all():  # 0 pads a block, so within a window it counts as a unit that canonical text cannot hold
            units = np.where(units == 0, np.uint16(0xFFFF), units)
        one = _padded(units.astype(np.uint8))
        wide = units > 0xFF
        if not wide.any():
            return self._batches(field, one, None, None, starts, sizes)
        seen = np.zeros(len(units) + 1, np.int32)
        np.cumsum(wide, out=seen[1:])
        return self._batches(field, one, _padded(units.view(np.uint8)), seen, starts, sizes)

    def tags_of(self, field: str, values: Sequence[str]) -> NDArray[np.uint64]:
        """Return the tag of each canonical string, the same as `tags` gives for its window."""
        return self.tags(field, *_joined(values))

    def combine(self, field: str, left: NDArray[np.uint64], right: NDArray[np.uint64]) -> NDArray[np.uint64]:
        """Return the tag of each conjunction of two tags; order matters."""
        blocks = np.empty((len(left), 2), np.uint64)
        blocks[:, 0], blocks[:, 1] = left, right
        return _first_half(_encrypt(self._encryptor(field, "pair", 1), blocks.view(_BLOCK_TYPE).ravel()))

    def shingles(
        self, field: str, units: NDArray[np.uint16], k: int, w: int
    ) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
        """Return winnowed keyed shingles: tags of k units each, and the index of the first unit of each.

        Of every w neighbouring shingles the one with the smallest tag is kept, the rightmost where equal, so that
        two texts which share a run of w + k - 1 units share a shingle (Schleimer, Wilkerson, Aiken 2003). The
        order is keyed: without the key nobody knows which are kept. The unit 0 and the line feed end a run.
        """
        if k < 1 or w < 1:
            raise ValueError("a shingle needs k >= 1 units and a window w >= 1 shingles")
        border = (units == 0) | (units == _LINE_FEED)
        count = len(units) - k + 1
        tags = np.zeros(max(count, 0), np.uint64)
        kept = [np.zeros(0, np.int64)]
        for first in range(0, count, _BATCH):
            reach = min(first + _BATCH + w - 1, count)
            part = self._dense(field, units[first : reach + k - 1], k)
            tags[first:reach] = part
            kept.append(_winnow(part, border[first : reach + k - 1], k, w) + first)
        short, groups = _short_runs(border, k, w)
        if len(groups):
            kept.append(short.take(_smallest(tags.take(short), groups)))
        positions = np.sort(np.concatenate(kept), kind="stable")  # neighbouring batches and short runs interleave
        positions = positions[np.append(True, positions[1:] != positions[:-1])[: len(positions)]]
        return tags.take(positions), positions

    def _dense(self, field: str, units: NDArray[np.uint16], k: int) -> NDArray[np.uint64]:
        """Return the tag of the k units at every index, two bytes each under keys of their own."""
        count = len(units) - k + 1
        blocks = -(-2 * k // BLOCK)
        padded = np.zeros(count + 8 * blocks, np.uint16)
        padded[: len(units)] = units
        encryptor = self._encryptor(field, f"shingle {k}", blocks)
        chain: NDArray[np.complex128] | None = None
        for block in range(blocks):
            data = _windows(padded[8 * block :].view(np.uint8), 2)[:count].copy()
            if block == blocks - 1 and k % 8:
                _keep(data, 2 * (k % 8))
            if chain is not None:
                _words(data)[...] ^= _words(chain)
            chain = _encrypt(encryptor, data)
        assert chain is not None
        return _first_half(chain)

    def _batches(
        self, field: str, one: NDArray[np.uint8], two: NDArray[np.uint8] | None, seen: NDArray[np.int32] | None,
        starts: NDArray[np.integer], lengths: NDArray[np.integer],
    ) -> NDArray[np.complex128]:  # fmt: skip
        """Return the blocks of all windows, from the units in one and in two bytes and the count of wide ones before."""
        tags = np.empty(len(starts), _BLOCK_TYPE)
        for first in range(0, len(starts), _BATCH):
            begins = starts[first : first + _BATCH].astype(np.intp, copy=False)
            extents = lengths[first : first + _BATCH] if len(lengths) == len(starts) else lengths[: len(begins)]
            sizes = extents.astype(np.intp, copy=False)
            ends = begins + sizes
            # Seen without sign a negative start is a huge one.
            if sizes.min() < 1 or begins.view(np.uintp).max() >= len(one) or ends.max() > len(one) - BLOCK:
                raise ValueError("a window must hold at least one unit and lie within the units")
            is_wide = None if seen is None else seen.take(ends) != seen.take(begins)
            if two is None or is_wide is None or not is_wide.any():
                tags[first : first + len(begins)] = self._chained(field, "narrow", one, begins, sizes)
                continue
            for width, data, size, chosen in (
                ("narrow", one, 1, np.flatnonzero(~is_wide)), ("wide", two, 2, np.flatnonzero(is_wide))
            ):  # fmt: skip
                if len(chosen):
                    tags[first + chosen] = self._chained(
                        field, width, data, begins[chosen] * size, sizes[chosen] * size
                    )
        return tags

    def _chained(
        self, field: str, width: str, data: NDArray[np.uint8], begins: NDArray[np.intp], extents: NDArray[np.intp]
    ) -> NDArray[np.complex128]:
        """Return the blocks of windows (in bytes) of one width, grouped by their number of blocks."""
        least, most = -(-int(extents.min()) // BLOCK), -(-int(extents.max()) // BLOCK)
        if least == most:
            return self._group(field, width, data, begins, extents, most)
        blocks = (extents + (BLOCK - 1)) >> 4
        tags = np.empty(len(begins), _BLOCK_TYPE)
        small = blocks.astype(np.uint16) if blocks.max() < 1 << 16 else blocks  # numpy sorts short integers by radix
        order = np.argsort(small, kind="stable")
        for chosen in np.split(order, np.flatnonzero(np.diff(blocks[order])) + 1):
            tags[chosen] = self._group(field, width, data, begins[chosen], extents[chosen], int(blocks[chosen[0]]))
        return tags

    def _group(
        self, field: str, width: str, data: NDArray[np.uint8], begins: NDArray[np.intp], extents: NDArray[np.intp],
        blocks: int,
    ) -> NDArray[np.complex128]:  # fmt: skip
        """Return the blocks of windows (in bytes) that all fill the same number of blocks."""
        encryptor = self._encryptor(field, width, blocks)
        windows = _windows(data, 1)
        low, high = int(begins.min()), int(begins.max()) + 1
        crowded = high - low <= _CROWDED * len(begins)
        places = begins - low if crowded else begins
        least, most = int(extents.min()), int(extents.max())
        chain: NDArray[np.complex128] | None = None
        for block in range(blocks):
            skip = BLOCK * block
            # Copying every window of a stretch and taking from the copy beats taking from overlapping windows.
            part = windows[low + skip : high + skip].copy().take(places) if crowded else windows[places + skip]
            if block == blocks - 1 and least != most:
                _words(part)[...] &= _KEEP.take(extents - skip, axis=0)
            elif block == blocks - 1 and most != BLOCK * blocks:
                _keep(part, most - skip)
            if chain is not None:
                _words(part)[...] ^= _words(chain)
            chain = _encrypt(encryptor, part)
        assert chain is not None
        return chain

    def _encryptor(self, field: str, width: str, blocks: int) -> CipherContext:
        """Return the encryptor of one purpose, the same object each time."""
        name = (field, width, blocks)
        found = self._encryptors.get(name)
        if found is None:
            info = f"spillwatch kernel 1\0{width}\0{blocks}\0{field}".encode()
            subkey = hashlib.blake2b(info, key=self._key, digest_size=16, person=b"spillwatch aes").digest()
            found = Cipher(algorithms.AES(subkey), modes.ECB()).encryptor()  # noqa: S305  each block is one PRF call
            self._encryptors[name] = found
        return found


def _joined(values: Sequence[str]) -> tuple[NDArray[np.uint16], NDArray[np.intp], NDArray[np.intp]]:
    """Return the units of all strings, where each starts, and its length."""
    joined = "".join(values)
    lengths = np.fromiter(map(len, values), np.intp, len(values))
    units = np.frombuffer(joined.encode("utf-16-le", "surrogatepass"), np.uint16)
    if len(units) != len(joined):
        lengths = np.fromiter((len(v.encode("utf-16-le", "surrogatepass")) // 2 for v in values), np.intp)
    return units, np.cumsum(lengths) - lengths, lengths


def _padded(data: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the bytes with a block of zeros behind, so that a block may be read at each of them."""
    return np.append(data, np.zeros(BLOCK, np.uint8))


def _windows(data: NDArray[np.uint8], step: int) -> NDArray[np.complex128]:
    """Return the overlapping blocks of 16 bytes that start at every `step` bytes, without copying."""
    count = (len(data) - BLOCK) // step + 1
    return np.ndarray((count,), _BLOCK_TYPE, data, 0, (step,))


def _words(blocks: NDArray[np.complex128]) -> NDArray[np.uint64]:
    """Return contiguous blocks as two words each, the same memory."""
    return blocks.view(np.uint64).reshape(-1, 2)


def _keep(blocks: NDArray[np.complex128], size: int) -> None:
    """Keep the first bytes of every block, in place; each half is one pass, which two words a row are not."""
    words = blocks.view(np.uint64)
    words[::2] &= _KEEP[size, 0]
    words[1::2] &= _KEEP[size, 1]


def _encrypt(encryptor: CipherContext, blocks: NDArray[np.complex128]) -> NDArray[np.complex128]:
    """Return the blocks encrypted one by one."""
    out = np.empty(len(blocks) + 1, _BLOCK_TYPE)
    encryptor.update_into(blocks.view(np.uint8).data, out.view(np.uint8).data)
    return out[:-1]


def _first_half(blocks: NDArray[np.complex128]) -> NDArray[np.uint64]:
    """Return the first word of each block."""
    return blocks.view(np.uint64)[::2].copy()


def _winnow(tags: NDArray[np.uint64], border: NDArray[np.bool_], k: int, w: int) -> NDArray[np.int64]:
    """Return the indices of the shingles kept: of each w neighbours without a border the rightmost smallest."""
    if len(tags) < w:
        return np.zeros(0, np.int64)
    minima, span = _rank(tags), 1
    while span < w:
        step = min(span, w - span)
        minima = np.minimum(minima[:-step], minima[step:])
        span += step
    reach = k + w - 1
    if border.any():
        before = np.zeros(len(border) + 1, np.int32)
        np.cumsum(border, out=before[1:])
        minima = minima[before[reach:] == before[:-reach]]
    kept = (_LOW - (minima & _LOW)).view(np.int64)
    return kept[np.append(True, kept[1:] != kept[:-1])] if len(kept) else kept


def _rank(tags: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return the order of shingles: the tag's upper half, then the index from the right, so that none are equal."""
    return (tags & ~_LOW) | (_LOW - np.arange(len(tags), dtype=np.uint64))


def _short_runs(border: NDArray[np.bool_], k: int, w: int) -> tuple[NDArray[np.int64], NDArray[np.intp]]:
    """Return the positions of all shingles of runs that hold fewer than w, and where each run starts among them."""
    edges = np.concatenate([[-1], np.flatnonzero(border), [len(border)]])
    begins, sizes = edges[:-1] + 1, np.diff(edges) - k
    chosen = (sizes > 0) & (sizes < w)
    begins, sizes = begins[chosen], sizes[chosen]
    groups = np.cumsum(sizes) - sizes
    return np.repeat(begins - groups, sizes) + np.arange(sizes.sum()), groups


def _smallest(tags: NDArray[np.uint64], groups: NDArray[np.intp]) -> NDArray[np.int64]:
    """Return the index of the rightmost smallest tag of each group, a run of fewer than w shingles."""
    return (_LOW - (np.minimum.reduceat(_rank(tags), groups) & _LOW)).view(np.int64)
