"""Records → fingerprints: what is stored of a row, and how it is taken out again."""

import hmac
import secrets
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from numpy.typing import NDArray

from matchers import erasures
from matchers.chains import NO_POSTING, TOKEN_BYTES, Y_BYTES, Chains, chained, tokens
from matchers.columns import Cell, Columns, written
from matchers.commonness import Census
from matchers.details import Details, TokenSequence, seal_details
from matchers.drafts import Drafts
from matchers.interface import Evaluator, PostingStore
from matchers.kernel import Kernel
from matchers.keys import LinkageKey, LocalEvaluator
from matchers.padding import padded
from matchers.postings import chain_lengths, seal_many
from model.errors import EnrolmentError, KeyUnusable
from model.fingerprint import Batch, Erasure, Fingerprint
from model.record import LinkageSchema, Record

FORM = b"2"
"""Form of what is stored; another one changes every content tag, so that enrolling again stores everything anew."""
LEAST_TOKENS = 16 * TOKEN_BYTES
LEAST_REF = 64
_NONCE_BYTES = 12


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """Records fingerprinted as far as that goes without the store: only their links in the chains are open.

    Holds no key and no value, so it may be sent between processes.
    """

    fingerprints: tuple[Fingerprint, ...]
    problems: tuple[EnrolmentError, ...]
    chains: Chains
    slips: Mapping[str, int]
    """Column → values enrolled as they stand although they look mistyped, and parts of cells left out."""


class Enroller:
    """Makes fingerprints of records, opens references, and plans erasures. Holds the linkage key."""

    def __init__(
        self, key: LinkageKey, schema: LinkageSchema, epoch: int = 1, evaluator: Evaluator | None = None
    ) -> None:
        """Raise `ConfigError` if the schema names a kind or a role that does not exist."""
        self.epoch = epoch
        self._key, self._schema = key, schema
        self.slips: Counter[str] = Counter()
        """Column → values enrolled as they stand although they look mistyped, and parts of cells left out."""
        self.census = Census()
        """What phrases the notes prepared by this object have in common."""
        self._columns = Columns(schema)
        self._evaluator = evaluator or LocalEvaluator(key, epoch)
        self._kernel = Kernel(key.kernel_key(epoch))
        self._ref_tag_key = key.ref_tag_key()
        self._content_tag_key = key.content_tag_key(epoch)
        self._ref_seal = AESGCM(key.ref_key(epoch))
        self._token_seal = AESGCM(key.erasure_key(epoch))

    def fingerprint(self, records: Sequence[Record], store: PostingStore) -> tuple[Batch, list[EnrolmentError]]:
        """Return the good rows as a batch, in order, and one error per bad row; a bad row is left out whole.

        `store` tells which labels are taken; the caller writes the batch before it asks for the next one.
        """
        prepared = self.prepare(records)
        self.slips.update(prepared.slips)
        return self.finish(prepared, store), list(prepared.problems)

    def prepare(self, records: Sequence[Record], handles: Mapping[str, bytes] = MappingProxyType({})) -> Prepared:
        """Return everything of the records that does not depend on what is stored already.

        `handles` has, by reference, the handles of records that are enrolled again: alerts name a record by its handle.
        """
        good: list[Record] = []
        rows: list[Sequence[Cell]] = []
        problems: list[EnrolmentError] = []
        for record in records:
            try:
                rows.append(self._columns.canonical(record))
            except EnrolmentError as problem:
                problems.append(problem)
            else:
                good.append(record)
        drafts = Drafts(self._kernel, rows, [record.public_figure for record in good])
        salts = np.frombuffer(secrets.token_bytes(8 * len(good)), np.uint64) >> np.uint64(1)
        texts, sequences = drafts.excerpts(salts, self.census)
        wanted = [each for each in (*drafts.wanted(), *texts) if len(each.values)]
        searchable = np.zeros(len(good), np.bool_)
        for each in wanted:
            searchable[each.record] = True
        problems += [_nothing(good[number]) for number in np.flatnonzero(~searchable).tolist()]
        keys = _keys(good, handles)
        chains = chained(self._evaluator, wanted, np.frombuffer(keys, np.uint8))
        plain, support = tokens(chains, drafts.marks(), len(good)), drafts.support(salts)
        fingerprints = tuple(
            self._fingerprint(
                good[number],
                rows[number],
                keys[48 * number : 48 * (number + 1)],
                plain[number],
                Details(int(salts[number]), tuple(support.get(number, ()))),
                sequences.get(number, ()),
            )
            for number in np.flatnonzero(searchable).tolist()
        )
        slips: Counter[str] = Counter()
        for row in rows:
            slips.update({column.name: reading.slips for column, _, reading in row if reading.slips})
        return Prepared(fingerprints, tuple(sorted(problems, key=lambda problem: problem.row)), chains, slips)

    def finish(self, prepared: Prepared, store: PostingStore) -> Batch:
        """Return the batch: every posting at the next link of its chain, and sealed."""
        chains = prepared.chains
        taken = chain_lengths(store, chains.ys, chains.longest)
        links = taken[chains.chain] + chains.turn
        kept = np.flatnonzero(links < chains.longest[chains.chain])
        names, sealed = seal_many(chains.ys[chains.chain[kept]], links[kept], chains.payloads[kept])
        high, low = np.ascontiguousarray(names).view(">u8").astype(np.uint64).T
        order = np.argsort(high)
        if (np.diff(high[order]) == 0).any():
            order = np.lexsort((low, high))
        return Batch(prepared.fingerprints, names[order].tobytes(), sealed[order].tobytes())

    def handover(self) -> tuple[str, LinkageSchema, int]:
        """Return key, schema and epoch for another process of ours: to be sent through a pipe and nowhere else."""
        return self._key.text(), self._schema, self.epoch

    def ref_tag(self, ref: str) -> bytes:
        """Return the 16-byte tag under which the record of this reference is found."""
        return hmac.digest(self._ref_tag_key, ref.strip().encode("utf-8"), "sha256")[:16]

    def ref_tags(self, ref: str) -> tuple[bytes, ...]:
        """Return every tag under which the record of this reference may stand, the one for new records first."""
        return (self.ref_tag(ref),)

    def content_tag(self, record: Record) -> bytes:
        """Return 16 bytes that stay equal as long as the row's canonical values, their kinds and roles do."""
        return self._tag_of(self._columns.content(record))

    def reference(self, sealed_ref: bytes) -> str:
        """Return the hospital's reference of a record."""
        return _open(self._ref_seal, sealed_ref, b"ref").rstrip(b"\0").decode("utf-8")

    def erasures(self, records: Sequence[tuple[bytes, bytes]], store: PostingStore) -> list[Erasure]:
        """Return how to erase the records (handle, sealed tokens), to be applied in this order."""
        return erasures.plan([(handle, list(self._ys(sealed))) for handle, sealed in records], store)

    def erasure(self, handle: bytes, sealed_tokens: bytes, store: PostingStore) -> Erasure:
        """Return how to erase one record."""
        return self.erasures([(handle, sealed_tokens)], store)[0]

    def filter_tags(self, sealed_tokens: bytes) -> NDArray[np.uint64]:
        """Return the record's 64-bit filter tags, so that the filter can be rebuilt from the database alone."""
        plain = np.frombuffer(_open(self._token_seal, sealed_tokens, b"tokens"), np.uint8).reshape(-1, TOKEN_BYTES)
        return plain[plain.any(axis=1), Y_BYTES:].copy().view(">u8").astype(np.uint64)[:, 0]

    def _ys(self, sealed: bytes) -> Iterator[bytes]:
        """Yield the y of each posting of a record."""
        plain = _open(self._token_seal, sealed, b"tokens")
        ys = (plain[at : at + Y_BYTES] for at in range(0, len(plain), TOKEN_BYTES))
        return (y for y in ys if y != NO_POSTING)

    def _tag_of(self, content: bytes) -> bytes:
        return hmac.digest(self._content_tag_key, FORM + content, "sha256")[:16]

    def _fingerprint(
        self,
        record: Record,
        row: Sequence[Cell],
        keys: bytes,
        tokens: bytes,
        details: Details,
        sequences: Sequence[TokenSequence],
    ) -> Fingerprint:
        """Seal what is kept of one record; `keys` are its handle, record key and passage key."""
        handle, record_key, passage_key = keys[:16], keys[16:32], keys[32:]
        return Fingerprint(
            handle=handle,
            ref_tag=self.ref_tag(record.ref),
            content_tag=self._tag_of(written(record, row)),
            epoch=self.epoch,
            sealed_ref=_seal(self._ref_seal, padded(record.ref.strip().encode("utf-8"), LEAST_REF), b"ref"),
            sealed_details=seal_details(details, sequences, record_key, passage_key, handle),
            sealed_tokens=_seal(self._token_seal, padded(tokens, LEAST_TOKENS), b"tokens"),
            retain_until=record.retain_until,
        )


def _keys(records: Sequence[Record], handles: Mapping[str, bytes]) -> bytes:
    """Return handle, record key and passage key of each record, 48 bytes, random but for the handles that are given."""
    keys = secrets.token_bytes(48 * len(records))
    if not handles:
        return keys
    own = (keys[at : at + 48] for at in range(0, len(keys), 48))
    return b"".join(handles.get(record.ref, each[:16]) + each[16:] for record, each in zip(records, own, strict=True))


def _nothing(record: Record) -> EnrolmentError:
    told = "nothing in this row can be searched for; it needs an identifier or a note"
    return EnrolmentError(record.row, "", told)


def _seal(cipher: AESGCM, plain: bytes, bound: bytes) -> bytes:
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return nonce + cipher.encrypt(nonce, plain, bound)


def _open(cipher: AESGCM, sealed: bytes, bound: bytes) -> bytes:
    try:
        return cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], bound)
    except InvalidTag as error:
        raise KeyUnusable("a sealed part of a record does not open: wrong linkage key, or it was altered") from error
