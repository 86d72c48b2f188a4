"""Keyed 64-bit tags of many windows at once: AES-128 as the pseudo-random function, compiled packing around it.

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

from matchers.packing import BLOCK, longer, pack, pack_block, scatter, winnow, words_of
from model.errors import KeyUnusable

_BATCH: Final = 1 << 13
"""Windows encrypted at once: their blocks stay in the processor's cache, before and after."""
_LINE_FEED: Final = 0x0A
_TAG: Final = 1
_WHOLE: Final = 2
"""Words of a block that are asked for."""


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
        return self._words(field, units, starts, lengths, _TAG)

    def blocks_of(self, field: str, values: Sequence[str]) -> NDArray[np.uint8]:
        """Return the 16 bytes of which `tags_of` gives the first 8, a row for each canonical string.

        They stand for a value in a conjunction, so that two halves can be brought together without plaintext.
        """
        return self._words(field, *_joined(values), _WHOLE).view(np.uint8).reshape(-1, BLOCK)

    def tags_of(self, field: str, values: Sequence[str]) -> NDArray[np.uint64]:
        """Return the tag of each canonical string, the same as `tags` gives for its window."""
        return self.tags(field, *_joined(values))

    def combine(self, field: str, left: NDArray[np.uint64], right: NDArray[np.uint64]) -> NDArray[np.uint64]:
        """Return the tag of each conjunction of two tags; order matters."""
        blocks = np.empty((len(left), 2), np.uint64)
        blocks[:, 0], blocks[:, 1] = left, right
        return _encrypt(self._encryptor(field, "pair", 1), blocks.ravel())[::2].copy()

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
        units = _readable(units)
        count = max(len(units) - k + 1, 0)
        tags = np.empty(count, np.uint64)
        blocks, every = -(-2 * k // BLOCK), np.arange(count)
        encryptor, words = self._encryptor(field, f"shingle {k}", blocks), words_of(units)
        for first in range(0, count, _BATCH):
            begins = every[first : first + _BATCH]
            chain = _chained(encryptor, words, units, begins, np.full(1, k), True, blocks)
            tags[first : first + _BATCH] = chain[::2]
        positions = winnow(tags, units, k, w, _LINE_FEED)
        return tags.take(positions), positions

    def _words(
        self, field: str, units: NDArray[np.uint16], starts: NDArray[np.integer],
        lengths: NDArray[np.integer] | int, asked: int,
    ) -> NDArray[np.uint64]:  # fmt: skip
        """Return the first one or two words of the block of each window."""
        out = np.empty(asked * len(starts), np.uint64)
        units = _readable(units)
        words = words_of(units)
        begins = np.ascontiguousarray(starts, np.int64)
        sizes = np.ascontiguousarray(np.full(1, lengths) if isinstance(lengths, int) else lengths, np.int64)
        for first in range(0, len(begins), _BATCH):
            some = begins[first : first + _BATCH]
            own = sizes[first : first + _BATCH] if len(sizes) > 1 else sizes
            self._batch(field, words, units, some, own, asked, out[asked * first :])
        return out

    def _batch(
        self, field: str, words: NDArray[np.uint64], units: NDArray[np.uint16], starts: NDArray[np.int64],
        lengths: NDArray[np.int64], asked: int, out: NDArray[np.uint64],
    ) -> None:  # fmt: skip
        """Write the words asked for of so many windows as are encrypted at once."""
        blocks = np.empty(2 * len(starts), np.uint64)
        places, others = np.empty(len(starts), np.int64), np.empty(len(starts), np.int64)
        narrow, wide, more = pack(words, units, starts, lengths, blocks, places, others)
        if narrow < 0:
            raise ValueError("a window must hold at least one unit and lie within the units")
        if narrow == len(starts):
            cipher = _encrypt(self._encryptor(field, "narrow", 1), blocks)
            out[: asked * narrow] = cipher if asked == _WHOLE else cipher[::2]
            return
        if narrow:
            scatter(_encrypt(self._encryptor(field, "narrow", 1), blocks[: 2 * narrow]), places[:narrow], asked, out)
        if wide:
            first = len(starts) - wide
            scatter(_encrypt(self._encryptor(field, "wide", 1), blocks[2 * first :]), places[first:], asked, out)
        if not more:
            return
        chosen, kinds, ends = longer(words, units, starts, lengths, others[:more])
        first = 0
        for kind, end in zip(kinds.tolist(), ends.tolist(), strict=True):
            some = chosen[first:end]
            own = lengths[some] if len(lengths) > 1 else lengths
            encryptor = self._encryptor(field, "wide" if kind & 1 else "narrow", kind >> 1)
            chain = _chained(encryptor, words, units, starts[some], own, bool(kind & 1), kind >> 1)
            scatter(chain, some, asked, out)
            first = end

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


def _readable(units: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """Return the units in one piece and not to be written, as the compiled loops take them."""
    whole = np.ascontiguousarray(units).view()
    whole.flags.writeable = False
    return whole


def _chained(
    encryptor: CipherContext, words: NDArray[np.uint64], units: NDArray[np.uint16], starts: NDArray[np.int64],
    lengths: NDArray[np.int64], wide: bool, blocks: int,
) -> NDArray[np.uint64]:  # fmt: skip
    """Return the last block of the chain of each window, two words each; all have one width and number of blocks."""
    packed = np.empty(2 * len(starts), np.uint64)
    chain = packed
    for block in range(blocks):
        pack_block(words, units, starts, lengths, wide, block, chain, packed)
        chain = _encrypt(encryptor, packed)
    return chain


def _encrypt(encryptor: CipherContext, blocks: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return the blocks, two words each, encrypted one by one."""
    out = np.empty(len(blocks) + 2, np.uint64)
    encryptor.update_into(blocks.view(np.uint8).data, out.view(np.uint8).data)
    return out[:-2]
