"""Label chains: how `y → postings` rests in a store without showing which postings share a value.

For c = 0, 1, 2 … (four bytes) every link has a label and a sealed payload, all under HMAC-SHA256 keyed by y:

    label  = HMAC(y, "L" ‖ c)[:16]
    stream = HMAC(y, "S" ‖ c ‖ nonce ‖ 0) ‖ HMAC(y, "S" ‖ c ‖ nonce ‖ 1) …
    text   = payload ⊕ stream
    sealed = nonce ‖ text ‖ HMAC(y, "T" ‖ c ‖ nonce ‖ text)[:16]

Each repeated value takes the next link of its own chain, so all labels differ; reading a chain needs y. After the
labels of structured encryption (Cash et al., "Dynamic Searchable Encryption in Very-Large Databases", 2014). Sealing is
a pseudo-random function in counter mode, then authenticated (Bellare, Namprempre 2000: encrypt-then-MAC). One key
serves all three because their messages begin with different letters: a PRF on different messages is independent.
The nonce has 16 random bytes because erasure writes a link again under the same y and c; the tag binds it to both,
hence to its label. Every payload has one size. All steps are bulk work (`matchers.sha256`); docs/adr/0003 says why.
"""

import hmac
import secrets
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from numpy.typing import NDArray

from matchers.interface import PostingStore
from matchers.sha256 import DIGEST, Keys
from model.errors import KeyUnusable
from model.fingerprint import LABEL_BYTES, Posting

NONCE_BYTES = 16
TAG_BYTES = 16
MAXIMUM_CHAIN = 4096
"""Links of one chain at most; a value shared by more records than this identifies nobody and gets no more postings."""

_LAYOUT = struct.Struct(">16s16s16sBBHI")
PAYLOAD = np.dtype([
    ("handle", "V16"), ("record_key", "V16"), ("passage_key", "V16"),
    ("element", "u1"), ("kind", "u1"), ("weight", ">u2"), ("offset", ">u4"),
])  # fmt: skip
"""The layout of `Payload.pack`, for many at once."""
SEALED_BYTES = NONCE_BYTES + _LAYOUT.size + TAG_BYTES
"""Size of every sealed payload."""
_STREAM_BLOCKS = -(-_LAYOUT.size // DIGEST)
_FIRST_FORM_BYTES = 12 + _LAYOUT.size + 16
"""Size of what the first version sealed: nonce ‖ AES-256-GCM under HMAC(y, "V" ‖ c), bound to the label."""

Rows = NDArray[np.uint8]
"""Byte strings of one length, one a row."""


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


def labels(ys: Rows | Keys, links: NDArray[np.integer]) -> Rows:
    """Return the label of each link, 16 bytes a row, from the y of each."""
    keys = ys if isinstance(ys, Keys) else Keys.each(ys)
    return keys.hmac(_message(b"L", links))[:, :LABEL_BYTES]


def seal(y: bytes, link: int, payload: Payload) -> Posting:
    """Return the posting that holds `payload` at one link of the chain of y."""
    payloads = np.frombuffer(payload.pack(), np.uint8).reshape(1, -1)
    name, sealed = seal_many(_rows([y]), np.array([link]), payloads)
    return Posting(name.tobytes(), sealed.tobytes())


def seal_many(ys: Rows, links: NDArray[np.integer], payloads: Rows) -> tuple[Rows, Rows]:
    """Return label and sealed payload of each link, each with a fresh nonce."""
    keys = Keys.each(ys)
    nonces = np.frombuffer(secrets.token_bytes(NONCE_BYTES * len(ys)), np.uint8).reshape(-1, NONCE_BYTES)
    text = payloads ^ _stream(keys, links, nonces)
    tags = keys.hmac(_message(b"T", links, nonces, text))[:, :TAG_BYTES]
    return labels(keys, links), np.concatenate([nonces, text, tags], axis=1)


def open_sealed(y: bytes, link: int, sealed: bytes) -> Payload:
    """Return the payload of one link; raises `KeyUnusable` if it was not sealed for it."""
    return open_many(_rows([y]), np.array([link]), [sealed])[0]


def open_many(ys: Rows, links: NDArray[np.integer], sealed: Sequence[bytes]) -> list[Payload]:
    """Return the payload of each link; raises `KeyUnusable` if one was not sealed for its y and link."""
    found: list[Payload | None] = [None] * len(sealed)
    first_form = [index for index, each in enumerate(sealed) if len(each) == _FIRST_FORM_BYTES]
    for index in first_form:
        found[index] = _open_first_form(ys[index].tobytes(), int(links[index]), sealed[index])
    rest = [index for index, each in enumerate(found) if each is None]
    if any(len(sealed[index]) != SEALED_BYTES for index in rest):
        raise KeyUnusable(_DAMAGED)
    if rest:
        if first_form:
            ys, links = ys[rest], links[rest]
        for index, packed in zip(rest, _opened(ys, links, _rows([sealed[index] for index in rest])), strict=True):
            found[index] = Payload.unpack(packed.tobytes())
    return [each for each in found if each is not None]


def walk(store: PostingStore, ys: Sequence[bytes], longest: int = MAXIMUM_CHAIN) -> list[list[Payload]]:
    """Return for each y the payloads of its chain, in chain order.

    All chains advance together: the store is asked once per link number, not once per value.
    """
    found: list[list[Payload]] = [[] for _ in ys]
    rows, alive = _rows(ys), np.arange(len(ys))
    for link in range(longest):
        if not len(alive):
            break
        links = np.full(len(alive), link)
        names = _listed(labels(rows[alive], links))
        stored = store.postings(names)
        there = [index for index, name in enumerate(names) if name in stored]
        alive = alive[there]
        sealed = [stored[names[index]] for index in there]
        for index, payload in zip(alive.tolist(), open_many(rows[alive], links[there], sealed), strict=True):
            found[index].append(payload)
    return found


def chain_lengths(store: PostingStore, ys: Rows, longest: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return how many links the chain of each y has, counted up to `longest` of each.

    Chains have no gaps, so that a long one is measured in steps that grow by half, and then halved: the store is asked
    once per step for all that are still open, and once for a value that nobody has.
    """
    least, most = np.zeros(len(ys), np.int64), longest.astype(np.int64)
    open_ones = np.flatnonzero(least < most)
    while len(open_ones):
        low, high = least[open_ones], most[open_ones]
        asked = np.minimum(low + low // 2, (low + high) // 2)
        names = _listed(labels(ys[open_ones], asked))
        stored = store.postings(names)
        there = np.fromiter(map(stored.__contains__, names), np.bool_, len(names))
        least[open_ones[there]] = asked[there] + 1
        most[open_ones[~there]] = asked[~there]
        open_ones = open_ones[least[open_ones] < most[open_ones]]
    return least


_DAMAGED = "a posting does not open: wrong linkage key, or the database was altered"


def _opened(ys: Rows, links: NDArray[np.integer], sealed: Rows) -> Rows:
    """Return the packed payloads."""
    keys = Keys.each(ys)
    nonces, text, tags = np.split(sealed, (NONCE_BYTES, SEALED_BYTES - TAG_BYTES), axis=1)
    expected = keys.hmac(_message(b"T", links, nonces, text))[:, :TAG_BYTES]
    if not hmac.compare_digest(np.ascontiguousarray(expected).data.tobytes(), tags.tobytes()):
        raise KeyUnusable(_DAMAGED)
    return text ^ _stream(keys, links, nonces)


def _stream(keys: Keys, links: NDArray[np.integer], nonces: Rows) -> Rows:
    """Return as many pseudo-random bytes as a payload has, for each link and nonce."""
    parts = [
        keys.hmac(_message(b"S", links, nonces, np.full((len(nonces), 1), number, np.uint8)))
        for number in range(_STREAM_BLOCKS)
    ]
    return np.concatenate(parts, axis=1)[:, : _LAYOUT.size]


def _message(purpose: bytes, links: NDArray[np.integer], *parts: Rows) -> Rows:
    """Return purpose ‖ c ‖ parts for each link: all of one purpose have one length, so no two are alike."""
    numbers = links.astype(">u4").view(np.uint8).reshape(-1, 4)
    return np.concatenate([np.full((len(links), 1), purpose[0], np.uint8), numbers, *parts], axis=1)


def _open_first_form(y: bytes, link: int, sealed: bytes) -> Payload:
    key = hmac.digest(y, b"V" + link.to_bytes(4, "big"), "sha256")
    try:
        return Payload.unpack(AESGCM(key).decrypt(sealed[:12], sealed[12:], label(y, link)))
    except InvalidTag as error:
        raise KeyUnusable(_DAMAGED) from error


def _rows(values: Sequence[bytes]) -> Rows:
    """Return byte strings of one length as rows."""
    return np.frombuffer(b"".join(values), np.uint8).reshape(len(values), -1 if values else DIGEST)


def _listed(rows: Rows) -> list[bytes]:
    """Return the rows as byte strings."""
    size, data = rows.shape[1], rows.tobytes()
    return [data[at : at + size] for at in range(0, len(data), size)]
