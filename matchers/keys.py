"""The linkage key and everything derived from it.

One secret of 32 bytes; every use has a key of its own, derived by HKDF-SHA256 (RFC 5869), so that no two uses can be
played against each other. The info string is `spillwatch|<purpose>|epoch=<n>|…`.
"""

import base64
import binascii
import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from matchers.interface import Evaluator
from matchers.sha256 import hmac_each
from model.errors import KeyUnusable

KEY_BYTES = 32
CANON_VERSION = 2
"""Version of the canonical forms (canonical.py and kinds/): a change of theirs needs a new one and a new enrolment."""

_MANY = 16
"""Values from which evaluating them together is the quicker way."""
_HEX = re.compile(r"[0-9a-fA-F]{64}")
_BASE64 = re.compile(r"[0-9A-Za-z_-]{43}=?")
_CHECKED = b"spillwatch linkage key"


class LinkageKey:
    """The secret from which every other key comes. Its repr and str show nothing."""

    __slots__ = ("_root",)

    def __init__(self, root: bytes) -> None:
        """Take the 32 bytes."""
        if len(root) != KEY_BYTES:
            raise KeyUnusable(f"a linkage key has {KEY_BYTES} bytes, this one has {len(root)}. Run: spillwatch init")
        if len(set(root)) < 8:
            raise KeyUnusable("this linkage key is not random (too few different bytes). Run: spillwatch init")
        self._root = root

    @classmethod
    def generate(cls) -> "LinkageKey":
        """Return a new random key."""
        return cls(secrets.token_bytes(KEY_BYTES))

    @classmethod
    def parse(cls, text: str) -> "LinkageKey":
        """Return the key written as base64url (43 characters) or as 64 hex digits."""
        stripped = text.strip()
        if not stripped:
            raise KeyUnusable("the linkage key is empty. Run: spillwatch init")
        if _HEX.fullmatch(stripped):
            return cls(bytes.fromhex(stripped))
        if not _BASE64.fullmatch(stripped):
            raise KeyUnusable(
                f"a linkage key has 43 characters of base64url or 64 hex digits, this has {len(stripped)} characters"
            )
        try:
            return cls(base64.urlsafe_b64decode(stripped.rstrip("=") + "="))
        except binascii.Error as error:
            raise KeyUnusable("the linkage key is not valid base64url; restore it from where it was kept") from error

    def text(self) -> str:
        """Return the key as base64url, to be written to a file of mode 0600 and nowhere else."""
        return base64.urlsafe_b64encode(self._root).decode("ascii").rstrip("=")

    def field_key(self, field: str, epoch: int = 1) -> bytes:
        """Return K_f, under which the values of one field are evaluated in one epoch."""
        return self._derive(f"field|epoch={epoch}|field={field}|canon={CANON_VERSION}")

    def kernel_key(self, epoch: int = 1) -> bytes:
        """Return the key of the scanning kernel's 64-bit filter tags."""
        return self._derive(f"kernel|epoch={epoch}|canon={CANON_VERSION}")

    def ref_key(self, epoch: int = 1) -> bytes:
        """Return the key under which the hospital's references are sealed."""
        return self._derive(f"ref|epoch={epoch}")

    def ref_tag_key(self) -> bytes:
        """Return the key of reference tags; the same in every epoch, so that a record is found again."""
        return self._derive("ref-tag")

    def content_tag_key(self, epoch: int = 1) -> bytes:
        """Return the key of content tags: another epoch, another tag, so rotation enrols everything anew."""
        return self._derive(f"content-tag|epoch={epoch}|canon={CANON_VERSION}")

    def erasure_key(self, epoch: int = 1) -> bytes:
        """Return K_erase, under which a record's list of postings is sealed."""
        return self._derive(f"erase|epoch={epoch}")

    def thread_key(self, epoch: int = 1) -> bytes:
        """Return the key of what is remembered of posts until the rest of a leak comes in another one."""
        return self._derive(f"thread|epoch={epoch}")

    def spool_seed(self) -> bytes:
        """Return the private seed (X25519, 32 bytes) of the examiner to whom waiting pages are sealed."""
        return self._derive("spool-x25519")

    def check_tag(self) -> bytes:
        """Return 16 bytes that tell this key from another: kept beside the data, so a wrong key is noticed."""
        return hmac.digest(self._derive("check"), _CHECKED, hashlib.sha256)[:16]

    def made(self, check_tag: bytes) -> bool:
        """Tell whether `check_tag` was made by this key."""
        return hmac.compare_digest(self.check_tag(), check_tag)

    def require(self, check_tag: bytes) -> None:
        """Raise `KeyUnusable` unless `check_tag` was made by this key."""
        if not self.made(check_tag):
            raise KeyUnusable("this is not the linkage key that the records were enrolled with; restore that one")

    def __repr__(self) -> str:
        """Show that it is a key, and nothing of it."""
        return "LinkageKey(…)"

    def __eq__(self, other: object) -> bool:
        """Compare in constant time."""
        return isinstance(other, LinkageKey) and hmac.compare_digest(self._root, other._root)

    def __hash__(self) -> int:
        """Hash the check tag, so that keys can stand in sets without showing themselves."""
        return hash(self.check_tag())

    def __reduce__(self) -> tuple[object, ...]:
        """Refuse to be pickled: a key never travels by accident."""
        raise TypeError("a linkage key cannot be pickled; hand the process its reference instead")

    def _derive(self, purpose: str) -> bytes:
        info = b"spillwatch|" + purpose.encode("utf-8")
        return HKDF(algorithm=hashes.SHA256(), length=KEY_BYTES, salt=b"spillwatch/1", info=info).derive(self._root)


class LocalEvaluator(Evaluator):
    """Computes y in this process: y = HMAC-SHA256(K_f, length ‖ canonical value)."""

    def __init__(self, key: LinkageKey, epoch: int = 1) -> None:
        """Evaluate under the field keys of one epoch."""
        self._key = key
        self._epoch = epoch
        self._field_keys: dict[str, bytes] = {}

    @property
    def epoch(self) -> int:
        """The epoch whose field keys are used."""
        return self._epoch

    def evaluate(self, field: str, values: Sequence[bytes]) -> list[bytes]:
        """Return one 32-byte y per canonical value of the field, in order."""
        field_key = self._field_keys.get(field)
        if field_key is None:
            field_key = self._field_keys[field] = self._key.field_key(field, self._epoch)
        heads = {length: length.to_bytes(4, "big") for length in set(map(len, values))}
        messages = [heads[len(value)] + value for value in values]
        if len(messages) < _MANY:
            return [hmac.digest(field_key, message, "sha256") for message in messages]
        data = hmac_each(field_key, messages).tobytes()
        return [data[at : at + 32] for at in range(0, len(data), 32)]

    def __repr__(self) -> str:
        """Show the epoch and nothing of the key."""
        return f"LocalEvaluator(epoch={self._epoch})"
