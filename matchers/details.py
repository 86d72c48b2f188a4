"""What a record's details hold, and how they rest: support under the record key, passages under the passage key.

Support: short salted tags of weak values (16 bits of a name, 8 of a birth date), so that even who opens the details
is left with several candidates of each. Passages: sequences of 16-bit tokens under the record's own salt; their key is
in the shingle postings alone, so a telephone number does not open a note.
"""

import secrets
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from numpy.typing import NDArray

from matchers.padding import padded
from model.errors import KeyUnusable

SUPPORT_BITS = {"name": 16, "birth_date": 8}
"""Field → bits of its supporting tag; together at most 24 per record."""
LEAST_SUPPORT = 32
"""Bytes that the supporting tags are filled up to."""
LEAST_PASSAGES = 512
"""Bytes that the token sequences are filled up to, where there are any: a note of 250 Han characters."""
NONCE_BYTES = 12
_HEAD = struct.Struct(">QB")
_SUPPORT = struct.Struct(">BHBH")
_PASSAGE = struct.Struct(">BBI")
_FIELDS = tuple(sorted(SUPPORT_BITS))


@dataclass(frozen=True, slots=True)
class Support:
    """One supporting tag."""

    field: str
    tag: int
    kind: int
    weight: int
    """In 1/256 bit."""


@dataclass(frozen=True, slots=True)
class Details:
    """What a posting of the record opens."""

    salt: int
    support: tuple[Support, ...] = field(repr=False)


@dataclass(frozen=True, slots=True, eq=False)
class TokenSequence:
    """One passage of the record."""

    element: int
    width: int
    tokens: NDArray[np.uint16] = field(repr=False)


def support_mask(name: str) -> np.uint64:
    """Return the mask that cuts a 64-bit tag to the bits kept of this field."""
    return np.uint64((1 << SUPPORT_BITS[name]) - 1)


def seal_details(
    details: Details, passages: Sequence[TokenSequence], record_key: bytes, passage_key: bytes, handle: bytes
) -> bytes:
    """Return both parts sealed, bound to the handle."""
    plain = _HEAD.pack(details.salt, len(details.support))
    for each in details.support:
        plain += _SUPPORT.pack(_FIELDS.index(each.field), each.tag, each.kind, each.weight)
    first = _seal(record_key, padded(plain, LEAST_SUPPORT), b"support" + handle)
    text = b"".join(
        _PASSAGE.pack(each.element, each.width, len(each.tokens)) + each.tokens.astype("<u2").tobytes()
        for each in passages
    )
    second = _seal(passage_key, padded(text, LEAST_PASSAGES), b"passages" + handle) if passages else b""
    return len(first).to_bytes(2, "big") + first + second


def open_details(sealed: bytes, record_key: bytes, handle: bytes) -> Details:
    """Return the supporting tags."""
    size = int.from_bytes(sealed[:2], "big")
    plain = _open(record_key, sealed[2 : 2 + size], b"support" + handle)
    salt, count = _HEAD.unpack_from(plain)
    entries = [_SUPPORT.unpack_from(plain, _HEAD.size + index * _SUPPORT.size) for index in range(count)]
    return Details(salt, tuple(Support(_FIELDS[code], tag, kind, weight) for code, tag, kind, weight in entries))


def open_passages(sealed: bytes, passage_key: bytes, handle: bytes) -> tuple[TokenSequence, ...]:
    """Return the token sequences."""
    size = int.from_bytes(sealed[:2], "big")
    if len(sealed) == 2 + size:
        return ()
    plain = _open(passage_key, sealed[2 + size :], b"passages" + handle)
    found = []
    at = 0
    while at + _PASSAGE.size <= len(plain):
        element, width, count = _PASSAGE.unpack_from(plain, at)
        if not width:
            break
        at += _PASSAGE.size
        found.append(TokenSequence(element, width, np.frombuffer(plain, "<u2", count, at)))
        at += 2 * count
    return tuple(found)


def _seal(key: bytes, plain: bytes, bound: bytes) -> bytes:
    nonce = secrets.token_bytes(NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, plain, bound)


def _open(key: bytes, sealed: bytes, bound: bytes) -> bytes:
    try:
        return AESGCM(key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], bound)
    except InvalidTag as error:
        raise KeyUnusable("a record's details do not open: wrong linkage key, or the database was altered") from error
