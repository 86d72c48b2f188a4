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
        stops = np.asarray(starts) + lengths
        return np.array(
            [self._slow(field, units[a:b]) for a, b in zip(starts.tolist(), stops.tolist(), strict=True)], np.uint64
        )

    def tags_of(self, field: str, values: Sequence[str]) -> NDArray[np.uint64]:
        """Return the tag of each canonical string, the same as `tags` gives for its window."""
        arrays = [np.frombuffer(v.encode("utf-16-le", "surrogatepass"), np.uint16) for v in values]
        return np.array([self._slow(field, a) for a in arrays], np.uint64)

    def combine(self, field: str, left: NDArray[np.uint64], right: NDArray[np.uint64]) -> NDArray[np.uint64]:
        """Return the tag of each conjunction of two tags; order matters."""
        blocks = np.empty((len(left), 2), np.uint64)
        blocks[:, 0], blocks[:, 1] = left, right
        data = self._encryptor(field, "pair", 1).update(blocks.tobytes())
        return np.frombuffer(data, np.uint64)[::2].copy()

    def shingles(
        self, field: str, units: NDArray[np.uint16], k: int, w: int
    ) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
        """Return winnowed keyed shingles: tags of k units each, and the index of the first unit of each.

        Of every w neighbouring shingles the one with the smallest tag is kept, the rightmost where equal, so that
        two texts which share a run of w + k - 1 units share a shingle (Schleimer, Wilkerson, Aiken 2003). The
        order is keyed: without the key nobody knows which are kept. The unit 0 and the line feed end a run.
        """
        raise NotImplementedError

    def _slow(self, field: str, window: NDArray[np.uint16]) -> int:
        """Return one tag."""
        narrow = not (window.size and (window.max() > 255 or window.min() == 0))
        data = (window.astype(np.uint8) if narrow else np.where(window == 0, 0xFFFF, window).astype("<u2")).tobytes()
        count = max(1, -(-len(data) // BLOCK))
        data = data.ljust(count * BLOCK, b"\0")
        cipher = self._encryptor(field, "narrow" if narrow else "wide", count)
        chain = bytes(BLOCK)
        for i in range(count):
            block = bytes(a ^ b for a, b in zip(chain, data[i * BLOCK : (i + 1) * BLOCK], strict=True))
            chain = cipher.update(block)
        return int.from_bytes(chain[:8], "little")

    def _encryptor(self, field: str, width: str, blocks: int) -> CipherContext:
        """Return the encryptor of one purpose, the same object each time."""
        name = (field, width, blocks)
        found = self._encryptors.get(name)
        if found is None:
            info = f"spillwatch kernel 1\0{width}\0{blocks}\0{field}".encode()
            subkey = hashlib.blake2b(info, key=self._key, digest_size=16, person=b"spillwatch aes").digest()
            found = Cipher(algorithms.AES(subkey), modes.ECB()).encryptor()  # noqa: S305  one block is one PRF call
            self._encryptors[name] = found
        return found
