"""Label chains: how `y → postings` rests in a store without showing which postings share a value.

label_c = HMAC-SHA256(y, "L" ‖ c)[:16] and
sealed_c = nonce ‖ AES-256-GCM(HMAC-SHA256(y, "V" ‖ c), payload, aad = label_c) for c = 0, 1, 2 …
Each repeated value takes the next link of its own chain, so all labels differ; reading a chain needs y.
The nonce is random because erasure writes a link again under the same key. Every payload has one size.
After the labels of structured encryption (Cash et al., "Dynamic Searchable Encryption in Very-Large Databases", 2014).
"""

import hmac
import secrets
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from matchers.interface import PostingStore
from model.errors import KeyUnusable
from model.fingerprint import Posting

LABEL_BYTES = 16
NONCE_BYTES = 12
MAXIMUM_CHAIN = 4096
"""Links read of one chain on a page; a value shared by more records than this identifies nobody."""

_LAYOUT = struct.Struct(">16s16s16sBBHI")
SEALED_BYTES = NONCE_BYTES + _LAYOUT.size + 16
"""Size of every sealed payload."""


@dataclass(frozen=True, slots=True)
class Payload:
    """What one posting yields to whoever knows its value."""

    handle: bytes
    """The record's handle, 16 bytes."""
    record_key: bytes = field(repr=False)
    """Opens the record's details, 16 bytes."""
    passage_key: bytes = field(repr=False)
    """Opens the record's token sequences; zeros unless the posting is a shingle of a passage."""
    element: int
    """Number of the record's element it came from: postings of one element count once."""
    kind: int
    """Code of the identifier kind it came from (`matchers.kinds`)."""
    weight: int
    """Rarity in 1/256 bit."""
    offset: int
    """For shingles: where in the passage it starts, in compact characters."""

    def pack(self) -> bytes:
        """Return the fixed-size bytes."""
        return _LAYOUT.pack(
            self.handle, self.record_key, self.passage_key, self.element, self.kind, self.weight, self.offset
        )

    @classmethod
    def unpack(cls, packed: bytes) -> "Payload":
        """Return the payload that `pack` wrote."""
        return cls(*_LAYOUT.unpack(packed))


def label(y: bytes, link: int) -> bytes:
    """Return the label of one link of the chain of y."""
    return hmac.digest(y, b"L" + link.to_bytes(4, "big"), "sha256")[:LABEL_BYTES]


def seal(y: bytes, link: int, payload: Payload) -> Posting:
    """Return the posting that holds `payload` at one link of the chain of y."""
    name = label(y, link)
    nonce = secrets.token_bytes(NONCE_BYTES)
    sealed = AESGCM(_link_key(y, link)).encrypt(nonce, payload.pack(), name)
    return Posting(name, nonce + sealed)


def open_sealed(y: bytes, link: int, sealed: bytes) -> Payload:
    """Return the payload of one link; raises `KeyUnusable` if it was not sealed for it."""
    nonce, body = sealed[:NONCE_BYTES], sealed[NONCE_BYTES:]
    try:
        return Payload.unpack(AESGCM(_link_key(y, link)).decrypt(nonce, body, label(y, link)))
    except (InvalidTag, ValueError) as error:
        raise KeyUnusable("a posting does not open: wrong linkage key, or the database was altered") from error


def walk(store: PostingStore, ys: Sequence[bytes], longest: int = MAXIMUM_CHAIN) -> list[list[Payload]]:
    """Return for each y the payloads of its chain, in chain order.

    All chains advance together: the store is asked once per link number, not once per value.
    """
    found: list[list[Payload]] = [[] for _ in ys]
    alive = list(range(len(ys)))
    for link in range(longest):
        if not alive:
            break
        labels = [label(ys[index], link) for index in alive]
        stored: Mapping[bytes, bytes] = store.postings(labels)
        still = []
        for index, name in zip(alive, labels, strict=True):
            sealed = stored.get(name)
            if sealed is not None:
                found[index].append(open_sealed(ys[index], link, sealed))
                still.append(index)
        alive = still
    return found


def chain_lengths(store: PostingStore, ys: Sequence[bytes], longest: int = MAXIMUM_CHAIN) -> dict[bytes, int]:
    """Return for each distinct y how many links its chain has, asking the store for many at once."""
    lengths = dict.fromkeys(ys, 0)
    alive = list(lengths)
    for link in range(longest):
        if not alive:
            break
        labels = {label(y, link): y for y in alive}
        stored = store.postings(list(labels))
        alive = [y for name, y in labels.items() if name in stored]
        for y in alive:
            lengths[y] = link + 1
    return lengths


def _link_key(y: bytes, link: int) -> bytes:
    return hmac.digest(y, b"V" + link.to_bytes(4, "big"), "sha256")
