"""The custody log: who did what with which evidence, as a chain of hashes.

`<evidence root>/custody.jsonl` holds one entry per line: canonical JSON with a sequence number, the time, who, what,
the evidence id, the SHA-256 of its manifest, the hash of the entry before and the hash of this one. An edit, an
insertion, a deletion or a change of order breaks the chain. Cutting off the end does not; it shows against the
capture entry that lies in every evidence folder, and against any head that was noted outside.
"""

import fcntl
import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from alerts.evidence.canonical import canonical_line, sha256, utc
from alerts.evidence.durable import PRIVATE_FILE, make_private_folder, sync_folder
from model.errors import EvidenceError

LOG = "custody.jsonl"
GENESIS = "0" * 64

EVIDENCE_ID = re.compile(r"[0-9a-f]{32}")
DIGEST = re.compile(r"[0-9a-f]{64}")
ACTOR = re.compile(r"[^\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]{1,200}")
"""The operator's own words: the organisation, the system, a person's login."""
NOTE = re.compile(r"[A-Za-z0-9 .,:;@()_+-]{0,300}")
KEYS = frozenset({"sequence", "time", "actor", "action", "evidence_id", "manifest_sha256", "note", "previous", "hash"})


class Action(StrEnum):
    """What can happen to evidence."""

    CAPTURE = "capture"
    VIEW = "view"
    OPEN = "open"
    EXPORT = "export"
    DELETE = "delete"
    REPAIR = "repair"
    """The log itself: an unfinished last line, left by a crash, was taken out."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the log."""

    sequence: int
    """0, 1, 2 …"""
    time: str
    actor: str
    action: str
    evidence_id: str
    """Empty for a repair."""
    manifest_sha256: str
    """Empty for a repair."""
    note: str
    previous: str
    """Hash of the entry before; 64 zeros for the first."""
    hash: str
    """SHA-256 of the canonical JSON of all the other fields."""


def append(
    root: Path, action: Action, evidence_id: str, manifest_sha256: str, *, actor: str, now: datetime, note: str = ""
) -> Entry:
    """Write one entry to the log of the evidence root and return it once it is on the disk.

    The same capture (evidence id and manifest) a second time is not written again: the entry that stands is returned.
    Raises `EvidenceError` for a field that is not a reference or a plain word, and for a log that cannot be continued.
    """
    _require(EVIDENCE_ID.fullmatch(evidence_id), "evidence id")
    _require(DIGEST.fullmatch(manifest_sha256), "manifest digest")
    _require(ACTOR.fullmatch(actor), "actor")
    _require(NOTE.fullmatch(note), "note")
    if action is Action.REPAIR:
        raise EvidenceError("a repair is written by the log itself, never from outside")
    make_private_folder(root)
    with _locked(root / LOG) as descriptor:
        content = _read_all(descriptor)
        if action is Action.CAPTURE:
            standing = _capture_in(content, evidence_id, manifest_sha256)
            if standing is not None:
                return standing
        last = _repaired_tail(descriptor, content, actor, now)
        entry = _entry_after(last, action.value, evidence_id, manifest_sha256, actor, now, note)
        _write_all(descriptor, line_of(entry))
        os.fsync(descriptor)
    sync_folder(root)
    return entry


def entries(log: Path) -> list[Entry]:
    """Return the whole entries of a log in order; an unfinished last line is left out.

    Raises `EvidenceError` naming the line that is not an entry.
    """
    found = []
    for number, line in enumerate(_whole_lines(log.read_bytes()), start=1):
        entry = parse_line(line)
        if entry is None:
            raise EvidenceError(f"line {number} of the custody log is not an entry; run `spillwatch evidence verify`")
        found.append(entry)
    return found


def verify_chain(log: Path, *, heads: Mapping[int, str] | None = None) -> list[str]:
    """Return what is wrong with the log, one sentence each; nothing wrong, empty list.

    Beside the chain itself the capture entry of every folder under the log's root is looked for, and the `heads`
    (sequence number → hash) that somebody noted outside: both show when the end was cut off.
    """
    if not log.is_file():
        return ["there is no custody log"]
    content = log.read_bytes()
    problems = []
    if content and not content.endswith(b"\n"):
        problems.append("the last line is unfinished (a crash while writing); the next entry will say so")
    previous, hashes = GENESIS, {}
    for number, line in enumerate(_whole_lines(content)):
        entry = parse_line(line)
        if entry is None:
            problems.append(f"line {number + 1} is not an entry as Spillwatch writes them")
            previous = ""
            continue
        problems.extend(_problems_of(entry, number, previous))
        previous = entry.hash
        hashes[entry.sequence] = entry.hash
    for sequence, head in {**_captures_under(log.parent), **(heads or {})}.items():
        if hashes.get(sequence) != head:
            problems.append(f"entry {sequence} is not the one that was noted elsewhere: changed, or cut off")
    return problems


def line_of(entry: Entry) -> bytes:
    """Return the entry as its line of the log."""
    return canonical_line(_tree(entry))


def parse_line(line: bytes) -> Entry | None:
    """Return the entry of a line, or None unless the line is exactly what `line_of` writes."""
    try:
        tree = json.loads(line)
    except ValueError:
        return None
    if not isinstance(tree, dict) or set(tree) != KEYS or not isinstance(tree["sequence"], int):
        return None
    if not all(isinstance(tree[key], str) for key in KEYS - {"sequence"}):
        return None
    entry = Entry(**tree)
    return entry if line_of(entry) == line else None


def hash_of(entry: Entry) -> str:
    """Return the hash that the entry must carry."""
    tree = _tree(entry)
    del tree["hash"]
    return sha256(canonical_line(tree))


def _tree(entry: Entry) -> dict[str, Any]:
    return {name: getattr(entry, name) for name in Entry.__slots__}


def _problems_of(entry: Entry, number: int, previous: str) -> list[str]:
    problems = []
    if entry.sequence != number:
        problems.append(f"line {number + 1} carries sequence number {entry.sequence}: inserted, deleted or moved")
    if entry.hash != hash_of(entry):
        problems.append(f"line {number + 1} was changed: its hash does not fit")
    if entry.previous != previous:
        problems.append(f"line {number + 1} does not follow the line before it")
    return problems


def _captures_under(root: Path) -> dict[int, str]:
    """Return sequence number → hash of the capture entries that lie in the folders under the root."""
    found = {}
    for path in root.glob("[0-9]*/[0-9]*/*/custody.json"):
        for line in _whole_lines(path.read_bytes()):
            entry = parse_line(line)
            if entry is not None:
                found[entry.sequence] = entry.hash
    return found


def _capture_in(content: bytes, evidence_id: str, manifest_sha256: str) -> Entry | None:
    wanted = manifest_sha256.encode()
    if wanted not in content:
        return None
    for line in _whole_lines(content):
        entry = parse_line(line) if wanted in line else None
        if entry is None or entry.action != Action.CAPTURE:
            continue
        if entry.evidence_id == evidence_id and entry.manifest_sha256 == manifest_sha256:
            return entry
    return None


def _repaired_tail(descriptor: int, content: bytes, actor: str, now: datetime) -> Entry | None:
    """Return the last whole entry, after an unfinished line was taken out and that was noted."""
    end = content.rfind(b"\n") + 1
    start = content.rfind(b"\n", 0, max(end - 1, 0)) + 1
    last = parse_line(content[start:end]) if end else None
    if end and last is None:
        raise EvidenceError(
            "the last line of the custody log is not an entry: it was edited, or is not a custody log; "
            "nothing was written; keep a copy and run `spillwatch evidence verify`"
        )
    unfinished = content[end:]
    if not unfinished:
        return last
    os.ftruncate(descriptor, end)
    note = f"unfinished line of {len(unfinished)} bytes taken out, SHA-256 {sha256(unfinished)}"
    repair = _entry_after(last, Action.REPAIR.value, "", "", actor, now, note)
    _write_all(descriptor, line_of(repair))
    return repair


def _entry_after(
    last: Entry | None, action: str, evidence_id: str, manifest_sha256: str, actor: str, now: datetime, note: str
) -> Entry:
    sequence, previous = (last.sequence + 1, last.hash) if last else (0, GENESIS)
    unhashed = Entry(sequence, utc(now), actor, action, evidence_id, manifest_sha256, note, previous, "")
    return Entry(
        sequence, unhashed.time, actor, action, evidence_id, manifest_sha256, note, previous, hash_of(unhashed)
    )


@contextmanager
def _locked(log: Path) -> Iterator[int]:
    """Give a descriptor of the log that no other process writes to meanwhile."""
    descriptor = os.open(log, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, PRIVATE_FILE)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)


def _read_all(descriptor: int) -> bytes:
    os.lseek(descriptor, 0, os.SEEK_SET)
    with os.fdopen(os.dup(descriptor), "rb") as file:
        return file.read()


def _write_all(descriptor: int, line: bytes) -> None:
    while line:
        line = line[os.write(descriptor, line) :]


def _whole_lines(content: bytes) -> list[bytes]:
    return [line + b"\n" for line in content.split(b"\n")[:-1]]


def _require(holds: object, field: str) -> None:
    if not holds:
        raise EvidenceError(f"the {field} of a custody entry is not a reference or a plain word; nothing was written")
