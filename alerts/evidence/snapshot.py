"""Takes the snapshot of a page that matched: sealed content, clear manifest, custody entry.

Folder `<evidence root>/<yyyy>/<mm>/<page id>/` (year and month of the fetch, UTC). It is made in a hidden sibling and
renamed when complete, so a folder that is there is whole. A crash anywhere is healed by asking again: a sibling whose
manifest is already in the custody log is finished, any other is made anew.
"""

import fcntl
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from alerts.evidence import bundle, content, custody
from alerts.evidence.canonical import canonical_json, sha256, utc
from alerts.evidence.durable import PRIVATE_FILE, PRIVATE_FOLDER, make_private_folder, sync_folder, write_durably
from alerts.evidence.screenshot import Rendering, render
from alerts.evidence.warc import warc_of
from alerts.interface import EvidenceSettings
from model.errors import EvidenceError
from model.match import Match
from model.page import Decoded, Page
from model.snapshot import Snapshot

TOOLS = ("spillwatch", "warcio", "pyrage", "playwright")


@dataclass(frozen=True, slots=True)
class CaptureContext:
    """Under which circumstances a snapshot is taken; told in clear, so it holds no content."""

    configuration_digest: str
    """SHA-256 of the configuration in force, 64 hex digits."""
    isolation: str
    """`Sandbox.level` of the decoders."""
    operator: str
    """Who or which system captures: `spillwatch@host`, or a person's login."""
    why: str = ""
    """Fixed words; empty = as the page says."""
    versions: Mapping[str, str] = field(default_factory=dict)
    """Further tools and their versions; those of this room are added."""


def take(
    page: Page,
    decoded: Decoded,
    matches: Sequence[Match],
    *,
    settings: EvidenceSettings,
    context: CaptureContext,
    now: datetime,
) -> Snapshot:
    """Return the complete, sealed snapshot of the page; asking again for the same page returns the same one.

    Raises `EvidenceError` if the folder cannot be written, a recipient is not an age public key, or something that
    would stand in clear is not a plain word.
    """
    bundle.require_plain(custody.EVIDENCE_ID, page.page_id, "the page id")
    content.require_recipients(settings.recipients)
    day = page.fetched_at.astimezone(UTC)
    folder = settings.folder / f"{day:%Y}" / f"{day:%m}" / page.page_id
    try:
        make_private_folder(folder.parent)
        with _only_one(folder):
            if not folder.is_dir():
                _make(folder, page, decoded, matches, settings, context, now)
            return _snapshot_in(folder)
    except OSError as err:
        reason = os.strerror(err.errno) if err.errno else "the disk"
        raise EvidenceError(f"evidence {page.page_id} could not be written: {reason}; see the evidence folder") from err


def folder_of(root: Path, evidence: str) -> Path:
    """Return the folder of `Sighting.evidence` under the evidence root."""
    return root / evidence


def _make(
    folder: Path,
    page: Page,
    decoded: Decoded,
    matches: Sequence[Match],
    settings: EvidenceSettings,
    context: CaptureContext,
    now: datetime,
) -> None:
    """Build the folder in its hidden sibling, log the capture, then show it."""
    partial = folder.with_name(f".{folder.name}.partial")
    if not _is_logged(partial, settings.folder):
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(mode=PRIVATE_FOLDER)
        for name, data in _clear_files(page, decoded, matches, settings, context, now).items():
            write_durably(partial / name, data)
        sync_folder(partial)
    digest = sha256((partial / bundle.MANIFEST).read_bytes())
    entry = custody.append(
        settings.folder, custody.Action.CAPTURE, page.page_id, digest, actor=context.operator, now=now
    )
    write_durably(partial / bundle.CUSTODY, custody.line_of(entry))
    summed = bundle.FILES - {bundle.SUMS}
    write_durably(partial / bundle.SUMS, bundle.sums({name: (partial / name).read_bytes() for name in summed}))
    sync_folder(partial)
    partial.rename(folder)
    sync_folder(folder.parent)


def _clear_files(
    page: Page,
    decoded: Decoded,
    matches: Sequence[Match],
    settings: EvidenceSettings,
    context: CaptureContext,
    now: datetime,
) -> dict[str, bytes]:
    """Return the files of the folder up to the manifest, which is the last."""
    rendering = render(page) if settings.screenshot else Rendering(None, "switched-off")
    plain = content.plain_files(page, decoded, matches, warc_of(page, _software()), rendering.png)
    files = {
        bundle.README: bundle.readme(page.page_id, utc(page.fetched_at), utc(now)),
        bundle.CONTENT: content.seal(plain, settings.recipients, now),
    }
    manifest = _manifest(page, decoded, matches, settings, context, rendering, now)
    manifest["inner_manifest_sha256"] = sha256(plain[content.INNER_MANIFEST])
    manifest["files"] = bundle.file_table(files)
    return {**files, bundle.MANIFEST: canonical_json(manifest)}


def _manifest(
    page: Page,
    decoded: Decoded,
    matches: Sequence[Match],
    settings: EvidenceSettings,
    context: CaptureContext,
    rendering: Rendering,
    now: datetime,
) -> dict[str, Any]:
    versions = {**context.versions, **_versions()}
    return {
        "format": bundle.FORMAT,
        "evidence_id": page.page_id,
        "site": bundle.require_plain(bundle.SITE, page.site, "the site"),
        "why": bundle.require_plain(bundle.WHY, context.why or page.why, "why it was fetched"),
        "fetched_at": utc(page.fetched_at),
        "published_at": utc(page.published_at) if page.published_at else None,
        "taken_at": utc(now),
        "operator": bundle.require_plain(bundle.PLAIN, context.operator, "the operator"),
        "isolation": bundle.require_plain(bundle.PLAIN, context.isolation, "the isolation level"),
        "configuration_sha256": context.configuration_digest,
        "versions": {
            bundle.require_plain(bundle.PLAIN, name, "a tool"): bundle.require_plain(bundle.PLAIN, text, "a version")
            for name, text in versions.items()
        },
        "screenshot": {"state": "made" if rendering.png else "absent", "reason": rendering.reason, **rendering.how},
        "counts": {
            "exchanges": len(page.exchanges),
            "parts": len(page.parts),
            "parts_not_read": sum(one.state != "read" for one in decoded.outcomes),
            "passages": len(decoded.passages),
            "matches": len(matches),
        },
        "recipients": list(settings.recipients),
    }


def _snapshot_in(folder: Path) -> Snapshot:
    manifest = (folder / bundle.MANIFEST).read_bytes()
    told = json.loads(manifest)
    return Snapshot(told["evidence_id"], folder, sha256(manifest), datetime.fromisoformat(told["taken_at"]))


def _is_logged(partial: Path, root: Path) -> bool:
    """Tell whether an unfinished folder has its capture in the custody log already, so that only the rest is due."""
    manifest, log = partial / bundle.MANIFEST, root / custody.LOG
    if not manifest.is_file() or not log.is_file():
        return False
    return sha256(manifest.read_bytes()).encode() in log.read_bytes()


@contextmanager
def _only_one(folder: Path) -> Iterator[None]:
    """Let one process at a time make this folder; the lock file goes once the folder is there."""
    lock = folder.with_name(f".{folder.name}.lock")
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, PRIVATE_FILE)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
        lock.unlink(missing_ok=True)
    finally:
        os.close(descriptor)


def _software() -> str:
    return f"Spillwatch {_versions()['spillwatch']}, warcio {_versions()['warcio']}"


def _versions() -> dict[str, str]:
    found = {}
    for tool in TOOLS:
        try:
            found[tool] = version(tool)
        except PackageNotFoundError:
            found[tool] = "not installed"
    return found
