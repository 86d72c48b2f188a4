"""Looks for a person's values in bytes of any kind, in every spelling in which a careless program leaves them."""

import base64
import email
import email.policy
import hashlib
import json
import quopri
from collections.abc import Iterable, Mapping
from html import escape
from pathlib import Path
from urllib.parse import quote

from tests.people import Person

DIGESTS = ("md5", "sha1", "sha256", "sha512", "blake2b")
PIECE = 12
"""Characters of a note that are hers alone."""


def values_of(person: Person) -> dict[str, str]:
    """Return what must not be found: every field but the ignored department, and pieces of the note."""
    values = {name: value for name, value in person.values.items() if name != "department"}
    pieces = [person.note[start : start + PIECE] for start in (0, 37, len(person.note) - PIECE - 1)]
    return values | {f"piece {number} of the note": piece for number, piece in enumerate(pieces, 1)}


def spellings(value: str) -> dict[bytes, str]:
    """Return the bytes to look for → the name of the spelling."""
    plain = value.encode()
    found = {"utf-8": plain, "reversed": value[::-1].encode()}
    for codec in ("utf-16-le", "utf-16-be", "utf-32-le", "gb18030", "utf-7"):
        found[codec] = value.encode(codec)
    found["hex"], found["HEX"] = plain.hex().encode(), plain.hex().upper().encode()
    for alignment in range(3):
        for name, encode in (("base64", base64.b64encode), ("base64url", base64.urlsafe_b64encode)):
            found[f"{name}, alignment {alignment}"] = _inside_base64(encode(b"\0" * alignment + plain), alignment)
    escaped = json.dumps(value)[1:-1]
    found["JSON"], found["JSON, capitals"] = escaped.encode(), escaped.upper().replace("\\U", "\\u").encode()
    found["percent"] = quote(value, safe="").encode()
    found["percent, small"] = quote(value, safe="").lower().encode()
    found["percent, every byte"] = "".join(f"%{byte:02X}" for byte in plain).encode()
    found["HTML"] = escape(value).encode()
    found["HTML, ASCII"] = value.encode("ascii", "xmlcharrefreplace")
    found["HTML, decimal"] = "".join(f"&#{ord(sign)};" for sign in value).encode()
    found["HTML, hex"] = "".join(f"&#x{ord(sign):x};" for sign in value).encode()
    found["quoted-printable"] = quopri.encodestring(plain).replace(b"=\n", b"")
    found["Python bytes"] = repr(plain)[2:-1].encode()
    for form in {value, value.lower(), "".join(sign for sign in value.lower() if sign.isalnum())}:
        for name in DIGESTS:
            digest = hashlib.new(name, form.encode())
            found[f"{name} of {form == value}"] = digest.digest()
            found[f"{name}, hex, of {form == value}"] = digest.hexdigest().encode()
            found[f"{name}, HEX, of {form == value}"] = digest.hexdigest().upper().encode()
    return {needle: name for name, needle in reversed(found.items())}


def _inside_base64(encoded: bytes, alignment: int) -> bytes:
    """Return the characters that the value alone decides, whatever stands before and after it."""
    start = (8 * alignment + 5) // 6
    whole = encoded.rstrip(b"=")
    return whole[start:] if len(whole) == len(encoded) else whole[start:-1]


def search(sources: Mapping[str, bytes] | Iterable[tuple[str, bytes]], values: Mapping[str, str]) -> list[str]:
    """Return which value was found in which spelling in which source; empty if none."""
    needles = [(needle, f"{field} as {name}") for field, value in values.items() for needle, name in _listed(value)]
    found = []
    for source, content in sources.items() if isinstance(sources, Mapping) else sources:
        found += [f"{what} in {source}" for needle, what in needles if needle in content]
    return found


def _listed(value: str) -> list[tuple[bytes, str]]:
    return list(spellings(value).items())


def files_below(folder: Path, *, but: str = "") -> dict[str, bytes]:
    """Return name → content of every file below a folder, messages with their decoded parts and headers too."""
    found: dict[str, bytes] = {}
    for path in sorted(folder.rglob("*")):
        found[f"the name of {path}"] = str(path.relative_to(folder)).encode()
        if path.is_file() and not path.is_symlink() and path.name != but:
            found[str(path)] = path.read_bytes()
        if path.suffix == ".eml":
            found |= _decoded(path)
    return found


def _decoded(path: Path) -> dict[str, bytes]:
    message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
    headers = "\n".join(f"{name}: {value}" for name, value in message.items())
    parts = [part.get_payload(decode=True) or b"" for part in message.walk() if not part.is_multipart()]
    return {f"{path}, headers": headers.encode()} | {f"{path}, part {n}": part for n, part in enumerate(parts)}
