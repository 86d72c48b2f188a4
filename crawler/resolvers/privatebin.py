"""PrivateBin: a paste that only the key in the link's fragment opens.

The server holds ciphertext; what it answers is the evidence, and what the key makes of it is read. Format 2 of
PrivateBin ≥ 1.3 (its `encryption format`): AES-256-GCM under a key that PBKDF2-HMAC-SHA256 derives from the fragment
and, if there is one, a password; the parameters in `adata` are authenticated with it.
"""

import asyncio
import base64
import binascii
import json
import re
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote_to_bytes

import structlog
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC

from crawler.charset import text_in
from crawler.health import FetchFailed
from crawler.resolvers.files import text_part, tree_of
from crawler.resolvers.interface import Link, Opener
from crawler.spider import Capture
from model.page import Part, Reason

ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
MOST_ROUNDS = 1_000_000
"""PBKDF2 iterations; the product uses 100,000. A server could ask for years."""
MOST_BYTES = 20_000_000
"""Of one decrypted text, inflated."""
MOST_PASSWORDS = 5
MOST_COMMENTS = 50
MOST_FILES = 20
HEADERS = {"X-Requested-With": "JSONHttpRequest", "Accept": "application/json"}
_PASSWORD = re.compile(
    r"(?:密码|密碼|口令|提取码|提取碼|访问码|暗号|password|passwd|passwort|pass|pwd|pw)"
    r"\s{0,3}(?:is|是|为|為)?\s{0,3}[:：=＝]?\s{0,3}[\"'“‘「`]?([^\s\"'”’」`，。；、,;<>（）()]{1,64})",
    re.IGNORECASE,
)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Sealed:
    """One ciphertext with its parameters, checked. Its repr shows no content."""

    iv: bytes = field(repr=False)
    salt: bytes = field(repr=False)
    rounds: int
    key_bytes: int
    tag_bytes: int
    deflated: bool
    authenticated: bytes = field(repr=False)
    data: bytes = field(repr=False)


async def read(opener: Opener, link: Link, post: Sequence[Part]) -> Capture:
    """Return the decrypted text, comments and attachments as parts; the exchange stays as it was on the wire.

    Raises FetchFailed with `encrypted` if neither the key alone nor a password that stands in the same post opens it.
    """
    key = key_of(link.fragment)
    answer = await opener.get(link.content_url, headers=HEADERS)
    told = tree_of(answer)
    if told.get("status", 0) != 0:
        raise FetchFailed(Reason.GONE, "the paste does not exist, or not any more")
    if _is_burnt(told):
        log.warning("burn_after_reading_was_opened", resolver=link.resolver.name)
    passwords = ("", *passwords_in(post))
    parts = await asyncio.to_thread(opened, told, key, passwords)
    return Capture(parts, answer.exchanges)


def key_of(fragment: str) -> bytes:
    """Return the 32 bytes that a fragment stands for."""
    number = 0
    for letter in fragment.removeprefix("-").partition("&")[0]:
        digit = ALPHABET.find(letter)
        if digit < 0:
            raise FetchFailed(Reason.ENCRYPTED, "the fragment is no key of this format")
        number = number * 58 + digit
    if number >> 256:
        raise FetchFailed(Reason.ENCRYPTED, "the fragment is longer than a key")
    return number.to_bytes(32, "big")


def opened(told: dict[str, Any], key: bytes, passwords: Sequence[str]) -> tuple[Part, ...]:
    """Return everything in a paste as parts, opened with the first password that fits."""
    paste = _sealed(told)
    for password in passwords:
        plain = _decrypt(paste, key, password)
        if plain is not None:
            break
    else:
        raise FetchFailed(Reason.ENCRYPTED, "the key in the link does not open it alone")
    content = _json(plain)
    # A link that did not say so: the server has deleted the paste by answering, and what came is the only copy.
    how = "decrypted; deleted by being read" if _is_burnt(told) else "decrypted"
    parts = [text_part(f"body (PrivateBin, {how})", str(content.get("paste") or ""))]
    parts += _attachments(content)
    comments = told.get("comments")
    for number, comment in enumerate((comments if isinstance(comments, list) else [])[:MOST_COMMENTS], 1):
        said = _decrypt(_sealed(comment), key, password)
        if said is None:
            raise FetchFailed(Reason.ENCRYPTED, "a comment does not open with the key of its paste")
        words = _json(said)
        text = "\n".join(str(words[name]) for name in ("nickname", "comment") if words.get(name))
        parts.append(text_part(f"comment {number} (PrivateBin, decrypted)", text))
    return tuple(parts)


def passwords_in(post: Iterable[Part]) -> tuple[str, ...]:
    """Return the few words that stand as a password in a post."""
    found: dict[str, None] = {}
    for part in post:
        if part.media_type.startswith("text/") or not part.media_type:
            text = re.sub(r"<[^<>]{0,1000}>", " ", text_in(part.data[:200_000], part.charset))
            found |= dict.fromkeys(match[1] for match in _PASSWORD.finditer(text))
    return tuple(found)[:MOST_PASSWORDS]


def _sealed(told: Any) -> Sealed:
    """Return ciphertext and parameters of a paste or comment, or raise FetchFailed."""
    try:
        adata = told["adata"]
        spec = adata[0] if isinstance(adata[0], list) else adata
        iv, salt, rounds, key_bits, tag_bits, algorithm, mode, packing = spec
        sealed = Sealed(
            iv=base64.b64decode(iv),
            salt=base64.b64decode(salt),
            rounds=int(rounds),
            key_bytes=int(key_bits) // 8,
            tag_bytes=int(tag_bits) // 8,
            deflated=packing == "zlib",
            authenticated=json.dumps(adata, separators=(",", ":"), ensure_ascii=False).encode(),
            data=base64.b64decode(told["ct"]),
        )
    except (KeyError, IndexError, TypeError, ValueError):
        raise FetchFailed(Reason.UNSUPPORTED, "not a paste of format 2") from None
    plausible = (
        (algorithm, mode) == ("aes", "gcm")
        and packing in {"zlib", "none"}
        and 0 < sealed.rounds <= MOST_ROUNDS
        and sealed.key_bytes in {16, 24, 32}
        and 12 <= sealed.tag_bytes <= 16
        and 8 <= len(sealed.iv) <= 128
        and len(sealed.data) >= sealed.tag_bytes
    )
    if not plausible:
        raise FetchFailed(Reason.UNSUPPORTED, "parameters that no paste has")
    return sealed


def _decrypt(sealed: Sealed, key: bytes, password: str) -> bytes | None:
    """Return the plain text, or None if key and password are not those."""
    derived = PBKDF2HMAC(hashes.SHA256(), sealed.key_bytes, sealed.salt, sealed.rounds).derive(key + password.encode())
    text, tag = sealed.data[: -sealed.tag_bytes], sealed.data[-sealed.tag_bytes :]
    decryptor = Cipher(algorithms.AES(derived), modes.GCM(sealed.iv, tag, sealed.tag_bytes)).decryptor()
    decryptor.authenticate_additional_data(sealed.authenticated)
    try:
        plain = decryptor.update(text) + decryptor.finalize()
    except InvalidTag:
        return None
    return _inflated(plain) if sealed.deflated else plain


def _inflated(data: bytes) -> bytes:
    inflater = zlib.decompressobj(wbits=-15)
    try:
        plain = inflater.decompress(data, MOST_BYTES)
    except zlib.error:
        raise FetchFailed(Reason.MALFORMED, "the packing is broken") from None
    if inflater.unconsumed_tail:
        raise FetchFailed(Reason.BOMB, "the text grows beyond measure when inflated")
    return plain


def _json(plain: bytes) -> dict[str, Any]:
    try:
        content = json.loads(plain)
    except (ValueError, RecursionError):
        raise FetchFailed(Reason.MALFORMED, "the plain text is not what this format says") from None
    return content if isinstance(content, dict) else {"paste": content}


def _attachments(content: dict[str, Any]) -> list[Part]:
    """Return the files that were attached, from their data URLs; one before version 2, several since."""
    urls, names = content.get("attachment"), content.get("attachment_name")
    urls = urls if isinstance(urls, list) else [urls]
    names = names if isinstance(names, list) else [names]
    parts = []
    for number, url in enumerate(urls[:MOST_FILES]):
        if isinstance(url, str) and (found := re.match(r"data:([^;,]{0,200})((?:;[^;,]{0,200})*),", url)):
            name = str(names[number])[:255] if number < len(names) and names[number] else f"{number + 1}"
            parts.append(
                Part(f"attachment {name} (PrivateBin, decrypted)", found[1].lower(), _payload(url, found), name)
            )
    return parts


def _payload(url: str, found: re.Match[str]) -> bytes:
    data = unquote_to_bytes(url[found.end() :])
    if not found[2].lower().endswith(";base64"):
        return data
    try:
        return base64.b64decode(data)
    except binascii.Error:
        raise FetchFailed(Reason.MALFORMED, "an attachment that is not base64") from None


def _is_burnt(told: dict[str, Any]) -> bool:
    adata = told.get("adata")
    return isinstance(adata, list) and len(adata) > 3 and adata[3] == 1
