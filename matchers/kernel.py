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
        sizes = np.broadcast_to(np.asarray(lengths), starts.shape)
        if not len(starts):
            return np.zeros(0, np.uint64)
        if sizes.min() < 1 or starts.min() < 0 or (starts + sizes).max() > len(units):
            raise ValueError("a window must hold at least one unit and lie within the units")
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
        joined = "".join(values)
        lengths = np.fromiter(map(len, values), np.intp, len(values))
        units = np.frombuffer(joined.encode("utf-16-le", "surrogatepass"), np.uint16)
        if len(units) != len(joined):
            lengths = np.fromiter((len(v.encode("utf-16-le", "surrogatepass")) // 2 for v in values), np.intp)
        return self.tags(field, units, np.cumsum(lengths) - lengths, lengths)

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
        count = len(units) - k + 1
        if count < 1:
            return np.zeros(0, np.uint64), np.zeros(0, np.int64)
        tags = np.empty(count, np.uint64)
        for first in range(0, count, _BATCH):
            part = min(_BATCH, count - first)
            tags[first : first + part] = self._dense(field, units[first : first + part + k - 1], k)
        border = np.zeros(len(units) + 1, np.int32)
        np.cumsum((units == 0) | (units == _LINE_FEED), out=border[1:])
        positions = _winnow(tags, border[k:] == border[:-k], w)
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
                _words(data)[...] &= _KEEP[2 * (k % 8)]
            if chain is not None:
                _words(data)[...] ^= _words(chain)
            chain = _encrypt(encryptor, data)
        assert chain is not None
        return _first_half(chain)

    def _batches(
        self, field: str, one: NDArray[np.uint8], two: NDArray[np.uint8] | None, seen: NDArray[np.int32] | None,
        starts: NDArray[np.integer], lengths: NDArray[np.integer],
    ) -> NDArray[np.uint64]:  # fmt: skip
        """Return the tags of all windows, from the units in one and in two bytes and the count of wide ones before."""
        tags = np.empty(len(starts), np.uint64)
        for first in range(0, len(starts), _BATCH):
            begins = starts[first : first + _BATCH].astype(np.intp, copy=False)
            sizes = lengths[first : first + _BATCH].astype(np.intp, copy=False)
            is_wide = None if seen is None else seen.take(begins + sizes) != seen.take(begins)
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
    ) -> NDArray[np.uint64]:
        """Return the tags of windows (in bytes) of one width, grouped by their number of blocks."""
        blocks = (extents + (BLOCK - 1)) >> 4
        if (blocks == blocks[0]).all():
            return self._group(field, width, data, begins, extents, int(blocks[0]))
        tags = np.empty(len(begins), np.uint64)
        small = blocks.astype(np.uint16) if blocks.max() < 1 << 16 else blocks  # numpy sorts short integers by radix
        order = np.argsort(small, kind="stable")
        for chosen in np.split(order, np.flatnonzero(np.diff(blocks[order])) + 1):
            tags[chosen] = self._group(field, width, data, begins[chosen], extents[chosen], int(blocks[chosen[0]]))
        return tags

    def _group(
        self, field: str, width: str, data: NDArray[np.uint8], begins: NDArray[np.intp], extents: NDArray[np.intp],
        blocks: int,
    ) -> NDArray[np.uint64]:  # fmt: skip
        """Return the tags of windows (in bytes) that all fill the same number of blocks."""
        encryptor = self._encryptor(field, width, blocks)
        windows = _windows(data, 1)
        low, high = int(begins.min()), int(begins.max()) + 1
        crowded = high - low <= _CROWDED * len(begins)
        places = begins - low if crowded else begins
        partial = bool((extents != BLOCK * blocks).any())
        chain: NDArray[np.complex128] | None = None
        for block in range(blocks):
            skip = BLOCK * block
            # Copying every window of a stretch and taking from the copy beats taking from overlapping windows.
            part = windows[low + skip : high + skip].copy().take(places) if crowded else windows[places + skip]
            if partial and block == blocks - 1:
                _words(part)[...] &= _KEEP.take(extents - BLOCK * block, axis=0)
            if chain is not None:
                _words(part)[...] ^= _words(chain)
            chain = _encrypt(encryptor, part)
        assert chain is not None
        return _first_half(chain)

    def _encryptor(self, field: str, width: str, blocks: int) -> CipherContext:
        """Return the encryptor of one purpose, the same object each time."""
        name = (field, width, blocks)
        found = self._encryptors.get(name)
        if found is None:
            info = f"spillwatch kernel 1\0{width}\0{blocks}\0{field}".encode()
            subkey = hashlib.blake2b(info, key=self._key, digest_size=16, person=b"spillwatch aes").digest()
            found = Cipher(algorithms.AES(subkey), modes.ECB()).encryptor()
            self._encryptors[name] = found
        return found


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


def _encrypt(encryptor: CipherContext, blocks: NDArray[np.complex128]) -> NDArray[np.complex128]:
    """Return the blocks encrypted one by one."""
    out = np.empty(len(blocks) + 1, _BLOCK_TYPE)
    encryptor.update_into(blocks.view(np.uint8).data, out.view(np.uint8).data)
    return out[:-1]


def _first_half(blocks: NDArray[np.complex128]) -> NDArray[np.uint64]:
    """Return the first word of each block."""
    return blocks.view(np.uint64)[::2].copy()


def _winnow(tags: NDArray[np.uint64], valid: NDArray[np.bool_], w: int) -> NDArray[np.int64]:
    """Return the indices of the shingles kept, ascending: of each w valid neighbours the rightmost smallest one.

    A run of fewer than w valid shingles keeps one.
    """
    edges = np.flatnonzero(np.diff(valid, prepend=False, append=False))
    begins, ends = edges[::2], edges[1::2]
    if not len(begins):
        return np.zeros(0, np.int64)
    # The order is the tag's upper half; the lower half becomes the index from the right, so that minima are unique.
    last = np.uint64(0xFFFFFFFF)
    rank = (tags & ~last) | (last - np.arange(len(tags), dtype=np.uint64))
    minima, span = rank, 1
    while span < w and span < len(rank):
        step = min(span, w - span)
        if len(minima) <= step:
            break
        minima = np.minimum(minima[:-step], minima[step:])
        span += step
    full = np.zeros(len(tags) + 1, np.int32)
    np.cumsum(valid, out=full[1:])
    kept = np.zeros(len(tags), np.bool_)
    if len(tags) >= w:
        inside = (full[w:] - full[:-w]) == w
        kept[(last - (minima[inside] & last)).view(np.int64)] = True
    short = ends - begins < w
    if short.any():
        cuts = np.stack([begins[short], ends[short]], axis=1).ravel()
        smallest = np.minimum.reduceat(np.append(rank, np.uint64(0xFFFFFFFFFFFFFFFF)), cuts)[::2]
        kept[(last - (smallest & last)).view(np.int64)] = True
    return np.flatnonzero(kept)
