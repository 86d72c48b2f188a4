"""Verifies an evidence folder with nothing but the folder, and opens it with a private key."""

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from alerts.evidence import bundle, content, custody
from alerts.evidence.canonical import canonical_json, sha256
from alerts.evidence.durable import PRIVATE_FOLDER, write_durably
from model.errors import EvidenceError


@dataclass(frozen=True, slots=True)
class Verification:
    """What a verification found."""

    ok: bool
    lines: tuple[str, ...]
    """What holds, one sentence each."""
    problems: tuple[str, ...]
    """What does not; empty if ok."""


def verify(path: Path) -> Verification:
    """Return whether every byte of the folder is what was captured.

    Needs only the folder; where the custody log of its evidence root lies above it, the log is verified too.
    Raises `EvidenceError` if the path is not an evidence folder at all.
    """
    if not (path / bundle.MANIFEST).exists():
        raise EvidenceError("this is not an evidence folder: there is no manifest.json in it")
    files = _read(path)
    problems = [f"{name} is missing" for name in sorted(bundle.FILES - set(files))]
    problems += ["something lies in the folder that does not belong to it" for _ in _strangers(path)][:1]
    if problems:
        return Verification(False, (), tuple(problems))
    manifest = _tree(files[bundle.MANIFEST])
    lines = [f"{len(files)} files, {sum(map(len, files.values()))} bytes"]
    problems += _problems_of_manifest(files, manifest)
    problems += _problems_of_sums(files)
    problems += _problems_of_custody(files, manifest)
    log = _log_above(path)
    if log is None:
        lines.append("no custody log above this folder: compare the digest of manifest.json with one kept elsewhere")
    else:
        problems += custody.verify_chain(log)
        problems += _problems_of_log(log, files[bundle.CUSTODY])
    if not problems:
        lines.append(f"every file is as it was captured; sha256 of manifest.json: {sha256(files[bundle.MANIFEST])}")
        if log is not None:
            lines.append(f"the custody log holds the capture, and its {len(custody.entries(log))} entries are a chain")
    return Verification(not problems, tuple(lines), tuple(problems))


def open_evidence(path: Path, identity_file: Path, into: Path, *, actor: str, now: datetime) -> tuple[Path, ...]:
    """Decrypt the content into a new folder (0700) and return the files written, each readable by its owner only.

    The folder is verified first, the plain files against their inner manifest and that against the outer one.
    Where the custody log lies above the folder, the opening is logged before anything is decrypted to disk.
    Raises `EvidenceError` if anything does not hold, or `into` exists.
    """
    found = verify(path)
    if not found.ok:
        raise EvidenceError("not opened, the evidence does not verify: " + "; ".join(found.problems))
    manifest = (path / bundle.MANIFEST).read_bytes()
    told = json.loads(manifest)
    files = content.unseal((path / bundle.CONTENT).read_bytes(), identity_file)
    if sha256(files[content.INNER_MANIFEST]) != told["inner_manifest_sha256"]:
        raise EvidenceError("not opened: the content is whole, but it is not the content that was captured here")
    log = _log_above(path)
    if log is not None:
        custody.append(log.parent, custody.Action.OPEN, told["evidence_id"], sha256(manifest), actor=actor, now=now)
    try:
        into.mkdir(mode=PRIVATE_FOLDER, parents=True)
    except FileExistsError as err:
        raise EvidenceError("the folder to open into exists already; name a new one") from err
    for name, data in files.items():
        write_durably(into / name, data)
    return tuple(into / name for name in sorted(files))


def _read(path: Path) -> dict[str, bytes]:
    return {name: (path / name).read_bytes() for name in bundle.FILES if (path / name).is_file()}


def _strangers(path: Path) -> list[Path]:
    return [found for found in path.iterdir() if found.name not in bundle.FILES]


def _tree(data: bytes) -> Any:
    try:
        return json.loads(data, parse_constant=_refused)
    except ValueError:
        return None


def _refused(constant: str) -> None:
    raise ValueError(constant)


def _problems_of_manifest(files: dict[str, bytes], manifest: Any) -> list[str]:
    if not isinstance(manifest, dict) or manifest.get("format") != bundle.FORMAT:
        return ["manifest.json was changed: it is not a manifest of this format"]
    problems = []
    if canonical_json(manifest) != files[bundle.MANIFEST]:
        problems.append("manifest.json was changed: it is not written as Spillwatch writes it")
    expected = bundle.file_table({name: files[name] for name in bundle.LISTED})
    told = manifest.get("files")
    told = told if isinstance(told, dict) else {}
    problems += [f"{name} was changed" for name in bundle.LISTED if told.get(name) != expected[name]]
    if set(told) != set(bundle.LISTED):
        problems.append("manifest.json was changed: it lists other files")
    return problems


def _problems_of_sums(files: dict[str, bytes]) -> list[str]:
    expected = bundle.sums({name: data for name, data in files.items() if name != bundle.SUMS})
    return [] if files[bundle.SUMS] == expected else ["SHA256SUMS does not fit the files"]


def _problems_of_custody(files: dict[str, bytes], manifest: Any) -> list[str]:
    entry = custody.parse_line(files[bundle.CUSTODY])
    if entry is None:
        return ["custody.json was changed: it is not an entry as Spillwatch writes them"]
    problems = []
    if entry.hash != custody.hash_of(entry):
        problems.append("custody.json was changed: its hash does not fit")
    if entry.manifest_sha256 != sha256(files[bundle.MANIFEST]):
        problems.append("manifest.json is not the one whose capture was logged")
    if isinstance(manifest, dict) and entry.evidence_id != manifest.get("evidence_id"):
        problems.append("custody.json is about other evidence")
    return problems


def _log_above(path: Path) -> Path | None:
    """Return the custody log of the evidence root: three folders up, where captures lie."""
    parents = path.resolve().parents
    log = parents[2] / custody.LOG if len(parents) > 2 else None
    return log if log is not None and log.is_file() else None


def _problems_of_log(log: Path, captured: bytes) -> list[str]:
    held = log.read_bytes().splitlines(keepends=True)
    return [] if captured in held else ["the custody log above does not hold this capture"]
