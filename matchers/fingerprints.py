"""Records → fingerprints: what is stored of a row, and how it is taken out again."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from matchers.interface import Evaluator, PostingStore
from matchers.kernel import Kernel
from matchers.keys import LinkageKey
from model.errors import EnrolmentError
from model.fingerprint import Erasure, Fingerprint
from model.record import LinkageSchema, Record


class Enroller:
    """Makes fingerprints of records, opens references, and plans erasures. Holds the linkage key."""

    def __init__(
        self,
        key: LinkageKey,
        kernel: Kernel,
        store: PostingStore,
        schema: LinkageSchema,
        epoch: int = 1,
        evaluator: Evaluator | None = None,
    ) -> None:
        """Raise `ConfigError` if the schema names a kind or a role that does not exist."""

    def fingerprint(self, records: Sequence[Record]) -> tuple[list[Fingerprint], list[EnrolmentError]]:
        """Return fingerprints of the good rows, in order, and one error per bad row; a bad row is left out whole."""
        raise NotImplementedError

    def ref_tag(self, ref: str) -> bytes:
        """Return the 16-byte tag under which the record of this reference is found."""
        raise NotImplementedError

    def content_tag(self, record: Record) -> bytes:
        """Return 16 bytes that stay equal as long as the row's canonical values do; raises `EnrolmentError`."""
        raise NotImplementedError

    def reference(self, sealed_ref: bytes) -> str:
        """Return the hospital's reference of a record."""
        raise NotImplementedError

    def erasures(self, records: Sequence[tuple[bytes, bytes]], store: PostingStore) -> list[Erasure]:
        """Return how to erase the records (handle, sealed tokens), to be applied in this order."""
        raise NotImplementedError

    def erasure(self, handle: bytes, sealed_tokens: bytes, store: PostingStore) -> Erasure:
        """Return how to erase one record."""
        return self.erasures([(handle, sealed_tokens)], store)[0]

    def filter_tags(self, sealed_tokens: bytes) -> NDArray[np.uint64]:
        """Return the record's 64-bit filter tags, so that the filter can be rebuilt from the database alone."""
        raise NotImplementedError
