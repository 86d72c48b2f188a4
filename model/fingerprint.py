"""What is kept of a record: nothing that can be read without guessing its values."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date

LABEL_BYTES = 16


@dataclass(frozen=True, slots=True)
class Posting:
    """One searchable entry of a record: `label → sealed`. All postings look alike (see docs/fingerprints.md)."""

    label: bytes
    """16 bytes, HMAC(y, "L" ‖ c) truncated; unique over the whole store."""
    sealed: bytes
    """The payload (handle, element, weight, record key), sealed under keys that only the value yields."""


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
    """The y and filter tag of each posting and the tags of marks, sealed under the erasure key: to erase, to mend
    chains, to rebuild the filter."""
    retain_until: date | None = None
    """The day after which it is erased."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Records that are stored together, and the postings of all of them, which do not say whose they are."""

    fingerprints: tuple[Fingerprint, ...] = ()
    labels: bytes = field(default=b"", repr=False)
    """Labels of all postings one after another, ascending: an order that says nothing of the records."""
    sealed: bytes = field(default=b"", repr=False)
    """Their sealed payloads, all of one size, in the same order."""

    def __len__(self) -> int:
        """Return the number of records."""
        return len(self.fingerprints)

    @property
    def posting_count(self) -> int:
        """The number of postings."""
        return len(self.labels) // LABEL_BYTES

    def postings(self) -> Iterator[Posting]:
        """Yield the postings one by one."""
        size = len(self.sealed) // self.posting_count if self.labels else 0
        for number in range(self.posting_count):
            name = self.labels[LABEL_BYTES * number : LABEL_BYTES * (number + 1)]
            yield Posting(name, self.sealed[size * number : size * (number + 1)])


@dataclass(frozen=True, slots=True)
class Erasure:
    """How to take one record out of the label chains without hiding those who share its values."""

    handle: bytes
    delete: tuple[bytes, ...]
    """Labels to remove."""
    put: tuple[Posting, ...]
    """Postings to write over labels that stay: the last link of a chain moved into the hole."""
