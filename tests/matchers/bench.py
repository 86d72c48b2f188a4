"""A small bench: a store in memory, an enroller and an engine over the people of a test."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from matchers.engine import Engine
from matchers.filter import BloomFilter
from matchers.fingerprints import Enroller
from matchers.interface import Examination, MatchingSettings, PostingStore
from matchers.kernel import Kernel
from matchers.keys import LinkageKey, LocalEvaluator
from matchers.sightings import Hit
from model.errors import EnrolmentError
from model.fingerprint import Batch, Erasure, Fingerprint
from model.match import Match
from model.page import Passage
from model.record import LinkageColumn, LinkageSchema, Record

ENROLLED = 100
"""Records that an engine believes to be enrolled, at least."""


class MemoryStore(PostingStore):
    """Postings and details in dictionaries; a label may be written once."""

    def __init__(self) -> None:
        """Begin empty."""
        self.labels: dict[bytes, bytes] = {}
        self.records: dict[bytes, Fingerprint] = {}

    def postings(self, labels: Sequence[bytes]) -> Mapping[bytes, bytes]:
        """Return those that exist."""
        return {label: self.labels[label] for label in labels if label in self.labels}

    def details(self, handles: Sequence[bytes]) -> Mapping[bytes, bytes]:
        """Return those that exist."""
        return {handle: self.records[handle].sealed_details for handle in handles if handle in self.records}

    def add(self, batch: Batch) -> None:
        """Write a batch; a label that exists already is an error."""
        for posting in batch.postings():
            assert posting.label not in self.labels, "a label was given twice"
            self.labels[posting.label] = posting.sealed
        self.records |= {fingerprint.handle: fingerprint for fingerprint in batch.fingerprints}

    def apply(self, erasure: Erasure) -> None:
        """Carry out an erasure."""
        for posting in erasure.put:
            assert posting.label in self.labels
            self.labels[posting.label] = posting.sealed
        for label in erasure.delete:
            del self.labels[label]
        del self.records[erasure.handle]


@dataclass
class Bench:
    """Everything that a matching test needs."""

    key: LinkageKey
    store: MemoryStore
    enroller: Enroller
    problems: list[EnrolmentError]

    @classmethod
    def enrol(cls, schema: LinkageSchema, records: Sequence[Record], key: LinkageKey | None = None) -> Self:
        """Enrol records in one batch."""
        key = key or LinkageKey.generate()
        enroller, store = Enroller(key, schema), MemoryStore()
        made, problems = enroller.fingerprint(records, store)
        store.add(made)
        return cls(key, store, enroller, problems)

    @classmethod
    def of(cls, values: Mapping[str, tuple[str, str]]) -> Self:
        """Enrol one record given as column → (kind, value)."""
        schema = LinkageSchema("ref", {name: LinkageColumn(kind) for name, (kind, _) in values.items()})
        return cls.enrol(schema, [Record("R-1", 1, {name: value for name, (_, value) in values.items()})])

    def engine(self) -> Engine:
        """Return an engine over what is stored now, its filter rebuilt from the store alone."""
        tags = [self.enroller.filter_tags(each.sealed_tokens) for each in self.store.records.values()]
        known = BloomFilter.build(np.concatenate(tags) if tags else np.zeros(0, np.uint64))
        kernel = Kernel(self.key.kernel_key())
        return Engine(
            LocalEvaluator(self.key),
            kernel,
            known,
            self.store,
            MatchingSettings(),
            max(ENROLLED, len(self.store.records)),
            commonness=self.enroller.census.commonness(),
        )

    def examine(self, *texts: str, ocr: bool = False) -> Examination:
        """Examine one page."""
        return self.engine().examine([Passage(text, "body", ocr) for text in texts])

    def found(self, *texts: str, ocr: bool = False) -> dict[str, Match]:
        """Return the matches of one page by the reference of the record."""
        return {self.ref(match.handle): match for match in self.examine(*texts, ocr=ocr).matches}

    def ref(self, handle: bytes) -> str:
        """Return the reference of a record."""
        return self.enroller.reference(self.store.records[handle].sealed_ref)

    def shingles(self, text: str) -> list[Hit]:
        """Return the shingles of enrolled text that stand on a page, before anything is weighed."""
        return [hit for hit in self.engine().hits([Passage(text, "body")]) if hit.kind in ("note", "address")]
