"""What is kept of a record: nothing that can be read without guessing its values."""

from dataclasses import dataclass, field
from datetime import date


@dataclass(frozen=True, slots=True)
class Posting:
    """One searchable entry of a record: `label → sealed`. All postings look alike (see docs/fingerprints.md)."""

    label: bytes
    """16 bytes, HMAC(y, "L" ‖ c) truncated; unique over the whole store."""
    sealed: bytes
    """The payload (handle, element, weight, record key), sealed under a key that only the value yields."""


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What is kept of one record."""

    handle: bytes
    """16 random bytes: the record's name inside Spillwatch."""
    ref_tag: bytes
    """16 bytes: keyed tag of the hospital's reference, to find the record again without storing the reference."""
    content_tag: bytes
    """16 bytes: keyed tag of all canonical values; equal = enrolled already, unchanged."""
    epoch: int
    """Which linkage key made it."""
    sealed_ref: bytes = field(repr=False)
    """The hospital's reference, sealed under a key derived from the linkage key."""
    sealed_details: bytes = field(repr=False)
    """Supporting tags and token sequences, sealed under the record key that only a matching posting yields."""
    sealed_tokens: bytes = field(repr=False)
    """The y and filter tag of each posting, sealed under the erasure key: erasure, chain repair, filter rebuild."""
    postings: tuple[Posting, ...] = field(repr=False)
    """In random order."""
    retain_until: date | None = None
    """The day after which it is erased."""


@dataclass(frozen=True, slots=True)
class Erasure:
    """How to take one record out of the label chains without hiding those who share its values."""

    handle: bytes
    delete: tuple[bytes, ...]
    """Labels to remove."""
    put: tuple[Posting, ...]
    """Postings to write over labels that stay: the last link of a chain moved into the hole."""
