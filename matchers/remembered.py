"""Traces at rest: sealed, padded, and filed under tags from which no thread, author or page can be read.

    tag    = HMAC-SHA256(K_tag, "thread" ‖ key of the thread), 16 bytes
    post   = HMAC-SHA256(K_tag, "post" ‖ tag ‖ page id), 16 bytes: the two threads of one page do not show as equal
    sealed = nonce ‖ AES-256-GCM(K_seal, padded trace; tag ‖ post)

Both keys come by HKDF-SHA256 (RFC 5869) from the thread key of an epoch. A trace moved to another row does not open.
"""

import hmac
import secrets
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from matchers.threads import Trace, pack, unpack
from model.errors import KeyUnusable

TAG_BYTES: Final = 16
NONCE_BYTES: Final = 12
LEAST_BYTES: Final = 1024
"""Smallest size of a trace; larger ones have four times, sixteen times … as many bytes."""


class TraceKey:
    """Names and seals what is remembered of posts, under one thread key. Its repr shows nothing."""

    __slots__ = ("_seal", "_tags")

    def __init__(self, thread_key: bytes) -> None:
        """Take the thread key, 32 bytes derived from the linkage key."""
        if len(thread_key) != 32:
            raise KeyUnusable("a thread key must be 32 bytes: derive it from the linkage key")
        self._tags, seal = (HKDFExpand(SHA256(), 32, use).derive(thread_key) for use in (b"tags", b"traces"))
        self._seal = AESGCM(seal)

    def tag(self, thread: str) -> bytes:
        """Return the 16 bytes under which a thread's posts are filed."""
        return self._digest(b"thread", thread.encode("utf-8", "surrogatepass"))

    def post(self, tag: bytes, page_id: str) -> bytes:
        """Return the 16 bytes that stand for a page among the posts of a thread."""
        return self._digest(b"post", tag + page_id.encode("utf-8"))

    def seal(self, tag: bytes, post: bytes, trace: Trace) -> bytes:
        """Return the trace, to be opened at this place only; all but the longest have one size."""
        return self.seal_packed(tag, post, packed(trace))

    def seal_packed(self, tag: bytes, post: bytes, padded: bytes) -> bytes:
        """The same for a trace that is packed already: one post may stand in several threads."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        return nonce + self._seal.encrypt(nonce, padded, tag + post)

    def open(self, tag: bytes, post: bytes, sealed: bytes) -> Trace:
        """Return the trace. Raises `KeyUnusable` if it is damaged or of another key or place."""
        try:
            opened = self._seal.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], tag + post)
        except (InvalidTag, ValueError):
            raise KeyUnusable(
                "a remembered trace does not open: it is damaged, or was sealed under another linkage key"
            ) from None
        (trace,) = unpack(opened)
        return trace

    def _digest(self, use: bytes, message: bytes) -> bytes:
        return hmac.digest(self._tags, use + b"\0" + message, "sha256")[:TAG_BYTES]

    def __repr__(self) -> str:
        """Show that it is a key, and nothing of it."""
        return "TraceKey(…)"


def packed(trace: Trace) -> bytes:
    """Return a trace as bytes; all but the longest have one size."""
    plain = pack([trace])
    size = LEAST_BYTES
    while size < len(plain):
        size *= 4
    return plain.ljust(size, b"\0")
