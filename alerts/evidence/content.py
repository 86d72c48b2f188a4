"""The content of a snapshot: plain files in memory, packed with tar, sealed with age.

Plain content never touches the disk of the machine that captures it: it is built, packed and encrypted in memory.
The age format is public (age-encryption.org/v1); anybody who holds a private key of the recipients opens it with the
`age` tool and `tar`.
"""

import io
import json
import secrets
import tarfile
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pyrage

from alerts.evidence.canonical import canonical_json, sha256
from model.errors import EvidenceError
from model.match import Element, Match
from model.page import Decoded, Page

INNER_MANIFEST = "inner-manifest.json"
INNER_FILES = frozenset(
    {"page.warc", "page.json", "passages.txt", "passages.json", "match.json", "screenshot.png", INNER_MANIFEST}
)
MOST_BYTES = 2_000_000_000


def plain_files(
    page: Page, decoded: Decoded, matches: Sequence[Match], warc: bytes, screenshot: bytes | None
) -> dict[str, bytes]:
    """Return file name → bytes of everything that is sealed, the inner manifest included."""
    files = {
        "page.warc": warc,
        "page.json": canonical_json(_page_tree(page)),
        "passages.txt": _passages_text(decoded).encode("utf-8", "surrogatepass"),
        "passages.json": canonical_json(_passages_tree(decoded)),
        "match.json": canonical_json([_match_tree(match) for match in matches]),
    }
    if screenshot is not None:
        files["screenshot.png"] = screenshot
    # The salt keeps the digest of the inner manifest, which is public, from confirming a guess of the content.
    told = {
        "salt": secrets.token_hex(32),
        "files": {name: {"bytes": len(content), "sha256": sha256(content)} for name, content in files.items()},
    }
    return {**files, INNER_MANIFEST: canonical_json(told)}


def seal(files: Mapping[str, bytes], recipients: Sequence[str], packed_at: datetime) -> bytes:
    """Return the files as a tar archive inside age encryption to all recipients.

    Raises `EvidenceError` naming the number of the recipient that is not an age public key.
    """
    sealed: bytes = pyrage.encrypt(_packed(files, packed_at), _recipients(recipients))
    return sealed


def unseal(sealed: bytes, identity_file: Path) -> dict[str, bytes]:
    """Return file name → bytes, once the inner manifest holds for every one.

    Raises `EvidenceError` if the key does not fit, the archive holds anything else than the plain files Spillwatch
    writes, or a digest differs.
    """
    try:
        archive = pyrage.decrypt(sealed, _identities(identity_file))
    except pyrage.DecryptError as err:
        raise EvidenceError(
            "the content cannot be decrypted: this private key is not one of its recipients', or the file was changed"
        ) from err
    files = _unpacked(archive)
    problems = inner_problems(files)
    if problems:
        raise EvidenceError("the content does not hold: " + "; ".join(problems))
    return files


def inner_problems(files: Mapping[str, bytes]) -> list[str]:
    """Return what differs between the plain files and their inner manifest."""
    if INNER_MANIFEST not in files:
        return ["there is no inner manifest"]
    told = json.loads(files[INNER_MANIFEST])["files"]
    problems = [f"{name} is missing" for name in sorted(set(told) - set(files))]
    for name in sorted(set(files) - {INNER_MANIFEST}):
        if name not in told:
            problems.append(f"{name} is not in the inner manifest")
        elif told[name] != {"bytes": len(files[name]), "sha256": sha256(files[name])}:
            problems.append(f"{name} was changed")
    return problems


def require_recipients(recipients: Sequence[str]) -> None:
    """Return if evidence can be encrypted to these age public keys; raises `EvidenceError` otherwise."""
    _recipients(recipients)


def _recipients(recipients: Sequence[str]) -> list[pyrage.x25519.Recipient]:
    if not recipients:
        raise EvidenceError("no recipients: set `evidence: recipients:` to age public keys (`age1…`)")
    found = []
    for number, text in enumerate(recipients, start=1):
        try:
            found.append(pyrage.x25519.Recipient.from_str(text))
        except pyrage.RecipientError as err:
            raise EvidenceError(
                f"recipient {number} of `evidence: recipients:` is not an age public key (`age1…`, as `age-keygen` "
                "prints it)"
            ) from err
    return found


def _identities(identity_file: Path) -> list[pyrage.x25519.Identity]:
    try:
        text = identity_file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as err:
        raise EvidenceError("the file with the private key cannot be read") from err
    lines = [line.strip() for line in text.splitlines()]
    try:
        found = [pyrage.x25519.Identity.from_str(line) for line in lines if line and not line.startswith("#")]
    except pyrage.IdentityError as err:
        raise EvidenceError("the file does not hold an age private key as `age-keygen` writes it") from err
    if not found:
        raise EvidenceError("the file does not hold an age private key as `age-keygen` writes it")
    return found


def _packed(files: Mapping[str, bytes], packed_at: datetime) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name in sorted(files):
            member = tarfile.TarInfo(name)
            member.size = len(files[name])
            member.mode = 0o600
            member.mtime = int(packed_at.timestamp())
            archive.addfile(member, io.BytesIO(files[name]))
    return out.getvalue()


def _unpacked(archive: bytes) -> dict[str, bytes]:
    """Read members by name from a closed list; nothing is ever extracted to a path that the archive names."""
    files: dict[str, bytes] = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(archive), mode="r:") as opened:
            for member in opened:
                if not member.isreg() or member.name not in INNER_FILES or member.name in files:
                    raise EvidenceError("the archive holds something that Spillwatch does not write; not unpacked")
                if member.size > MOST_BYTES:
                    raise EvidenceError("the archive holds a file larger than Spillwatch writes; not unpacked")
                content = opened.extractfile(member)
                files[member.name] = content.read() if content else b""
    except tarfile.TarError as err:
        raise EvidenceError("the decrypted content is not a tar archive") from err
    return files


def _page_tree(page: Page) -> dict[str, Any]:
    return {
        "page_id": page.page_id,
        "site": page.site,
        "item_id": page.item_id,
        "url": page.url,
        "why": page.why,
        "thread_id": page.thread_id,
        "author": page.author,
        "fetched_at": page.fetched_at.isoformat(),
        "published_at": page.published_at.isoformat() if page.published_at else None,
        "exchanges": [
            {"url": one.url, "method": one.method, "status": one.status, "role": one.role, "peer": one.peer}
            for one in page.exchanges
        ],
        "parts": [
            {
                "provenance": part.provenance,
                "media_type": part.media_type,
                "name": part.name,
                "charset": part.charset,
                "bytes": len(part.data),
                "sha256": sha256(part.data),
            }
            for part in page.parts
        ],
    }


def _passages_tree(decoded: Decoded) -> dict[str, Any]:
    passages = [
        {"passage": number, "provenance": passage.provenance, "ocr": passage.ocr, "text": passage.text}
        for number, passage in enumerate(decoded.passages)
    ]
    outcomes = [
        {"part": one.part, "state": one.state, "reason": one.reason.value if one.reason else None}
        for one in decoded.outcomes
    ]
    return {"passages": passages, "outcomes": outcomes}


def _passages_text(decoded: Decoded) -> str:
    return "".join(
        f"--- passage {number}: {passage.provenance}{' (read from pixels)' if passage.ocr else ''}\n{passage.text}\n\n"
        for number, passage in enumerate(decoded.passages)
    )


def _match_tree(match: Match) -> dict[str, Any]:
    return {
        "handle": match.handle.hex(),
        "verdict": match.verdict.value,
        "score": match.score,
        "elements": [_element_tree(element) for element in match.elements],
    }


def _element_tree(element: Element) -> dict[str, Any]:
    return {
        "kinds": list(element.kinds),
        "role": element.role,
        "form": element.form,
        "similarity": element.similarity,
        "passage": element.passage,
        "span": [element.start, element.end],
        "joined": element.joined,
    }
