"""A page sealed to the examiner's public key: whoever fetches cannot open what was fetched yesterday.

Sealed = magic ‖ ephemeral public key ‖ AES-256-GCM(serialised page). The key comes from X25519 (RFC 7748)
between a fresh ephemeral key and the examiner's, through HKDF-SHA256 (RFC 5869) bound to both public keys.
Serialised = length ‖ zlib(header length ‖ JSON header ‖ blobs); equal blobs are stored once. No pickle.
"""

import json
import zlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from model.errors import StorageError
from model.page import Exchange, Headers, Page, Part

MAGIC = b"SPW-PAGE\x01"
MAX_BYTES = 512 * 1024 * 1024
"""Largest serialised page, before compression."""


class KeyPair(NamedTuple):
    """An X25519 key pair, raw, 32 bytes each. Its repr shows nothing of the private half."""

    private: bytes
    public: bytes

    def __repr__(self) -> str:
        return f"KeyPair(public={self.public.hex()})"


def keypair_from(seed: bytes) -> KeyPair:
    """Return the key pair of a 32-byte secret seed; the same seed gives the same pair."""
    if len(seed) != 32:
        raise ValueError("the seed of a spool key has 32 bytes")
    private = X25519PrivateKey.from_private_bytes(seed)
    return KeyPair(private.private_bytes_raw(), private.public_key().public_bytes_raw())


def seal(page: Page, public_key: bytes) -> bytes:
    """Return the page sealed to the public key. Raises StorageError when it is larger than MAX_BYTES."""
    raw = _serialise(page)
    if len(raw) > MAX_BYTES:
        raise StorageError(f"a page of {len(raw)} bytes is too large for the spool: lower network.max_bytes")
    return _close(len(raw).to_bytes(8, "big") + zlib.compress(raw, 1), public_key)


def unseal(sealed: bytes, private_key: bytes, *older: bytes) -> Page:
    """Return the page, opened by the key or, while keys are rotated, by an older one.

    Raises StorageError when it was sealed to none of them, or the bytes are damaged.
    """
    for key in older:
        try:
            return _deserialise(_inflate(_open(sealed, key)))
        except StorageError:
            continue
    return _deserialise(_inflate(_open(sealed, private_key)))


def reseal(sealed: bytes, private_key: bytes, public_key: bytes) -> bytes:
    """Return the page that the private key opens sealed to another public key; its content is not looked at."""
    return _close(_open(sealed, private_key), public_key)


def _close(payload: bytes, public_key: bytes) -> bytes:
    ephemeral = X25519PrivateKey.generate()
    own = ephemeral.public_key().public_bytes_raw()
    key, nonce = _derive(ephemeral.exchange(X25519PublicKey.from_public_bytes(public_key)), own, public_key)
    return MAGIC + own + AESGCM(key).encrypt(nonce, payload, MAGIC)


def _open(sealed: bytes, private_key: bytes) -> bytes:
    head = len(MAGIC) + 32
    if len(sealed) < head or not sealed.startswith(MAGIC):
        raise StorageError("a spooled page is not in a known form: it was damaged, or written by a newer version")
    secret = X25519PrivateKey.from_private_bytes(private_key)
    own = sealed[len(MAGIC) : head]
    try:
        shared = secret.exchange(X25519PublicKey.from_public_bytes(own))
        key, nonce = _derive(shared, own, secret.public_key().public_bytes_raw())
        return AESGCM(key).decrypt(nonce, sealed[head:], MAGIC)
    except (InvalidTag, ValueError):
        raise StorageError(
            "a spooled page does not open: it is damaged, or sealed to another linkage key than this one"
        ) from None


def _derive(shared: bytes, ephemeral: bytes, recipient: bytes) -> tuple[bytes, bytes]:
    material = HKDF(SHA256(), 44, salt=ephemeral + recipient, info=b"spillwatch spooled page 1").derive(shared)
    return material[:32], material[32:]


def _inflate(payload: bytes) -> bytes:
    size = int.from_bytes(payload[:8], "big")
    if size > MAX_BYTES:
        raise StorageError("a spooled page is larger than allowed: it was not written by Spillwatch")
    inflater = zlib.decompressobj()
    raw = inflater.decompress(payload[8:], size + 1)
    if len(raw) != size:
        raise StorageError("a spooled page has not the size it says: it was not written by Spillwatch")
    return raw


class _Blobs:
    """Byte strings of one page, each kept once."""

    def __init__(self) -> None:
        self.all: list[bytes] = []
        self._places: dict[bytes, int] = {}

    def place(self, data: bytes) -> int:
        """Return the index of the bytes, adding them if they are new."""
        known = self._places.setdefault(data, len(self.all))
        if known == len(self.all):
            self.all.append(data)
        return known


def _serialise(page: Page) -> bytes:
    blobs = _Blobs()
    header = {
        "page": [page.page_id, page.site, page.item_id, page.url, page.why, page.thread_id, page.author],
        "times": [_written(page.fetched_at), _written(page.published_at)],
        "parts": [
            [part.provenance, part.media_type, blobs.place(part.data), part.name, part.charset] for part in page.parts
        ],
        "exchanges": [_exchange_row(exchange, blobs) for exchange in page.exchanges],
    }
    head = json.dumps({**header, "blobs": [len(blob) for blob in blobs.all]}, separators=(",", ":")).encode()
    return b"".join([len(head).to_bytes(8, "big"), head, *blobs.all])


def _exchange_row(exchange: Exchange, blobs: _Blobs) -> list[object]:
    return [
        exchange.url,
        exchange.method,
        exchange.request_headers,
        exchange.status,
        exchange.response_headers,
        blobs.place(exchange.body),
        _written(exchange.started_at),
        _written(exchange.finished_at),
        exchange.role,
        exchange.peer,
    ]


def _deserialise(raw: bytes) -> Page:
    size = int.from_bytes(raw[:8], "big")
    header: Mapping[str, Any] = json.loads(raw[8 : 8 + size])
    blobs = _cut(memoryview(raw)[8 + size :], header["blobs"])
    page_id, site, item_id, url, why, thread_id, author = header["page"]
    fetched_at, published_at = header["times"]
    return Page(
        page_id=page_id,
        site=site,
        item_id=item_id,
        url=url,
        fetched_at=datetime.fromisoformat(fetched_at),
        parts=tuple(Part(where, kind, blobs[at], name, charset) for where, kind, at, name, charset in header["parts"]),
        exchanges=tuple(_exchange(row, blobs) for row in header["exchanges"]),
        why=why,
        published_at=None if published_at is None else datetime.fromisoformat(published_at),
        thread_id=thread_id,
        author=author,
    )


def _exchange(row: Sequence[Any], blobs: Sequence[bytes]) -> Exchange:
    url, method, asked, status, answered, at, started_at, finished_at, role, peer = row
    return Exchange(
        url=url,
        method=method,
        request_headers=_headers(asked),
        status=status,
        response_headers=_headers(answered),
        body=blobs[at],
        started_at=datetime.fromisoformat(started_at),
        finished_at=datetime.fromisoformat(finished_at),
        role=role,
        peer=peer,
    )


def _headers(rows: Iterable[Sequence[str]]) -> Headers:
    return tuple((name, value) for name, value in rows)


def _cut(data: memoryview, sizes: Iterable[int]) -> list[bytes]:
    blobs, start = [], 0
    for size in sizes:
        blobs.append(bytes(data[start : start + size]))
        start += size
    return blobs


def _written(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
