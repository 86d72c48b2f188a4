"""Records → fingerprints: what is stored of a row, and how it is taken out again."""

import hashlib
import hmac
import secrets
import struct
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from numpy.typing import NDArray

from matchers import erasures, passages
from matchers.conjunctions import ALONE, PARTNERS, conjunctions
from matchers.details import SUPPORT_BITS, Details, Support, TokenSequence, seal_details, support_mask
from matchers.interface import Evaluator, PostingStore
from matchers.kernel import Kernel
from matchers.keys import LinkageKey, LocalEvaluator
from matchers.kinds import birth_date, kinds
from matchers.kinds.kind import Kind, Term
from matchers.postings import Payload, chain_lengths, seal
from model.errors import ConfigError, EnrolmentError, KeyUnusable
from model.fingerprint import Erasure, Fingerprint, Posting
from model.record import LinkageSchema, Record, base_column

ROLES = ("auto", "primary", "supporting", "ignore")
COMMON = 3
"""A shingle that so many records share is a template: no further postings are made of it, and it weighs nothing."""
LAST_ELEMENT = 255
"""A posting has one byte for its element: values beyond share the last."""
_TOKEN = struct.Struct(">32sQ")
_NONCE_BYTES = 12


@dataclass(slots=True)
class _Draft:
    """What is to be stored of one record, before labels are known."""

    record: Record
    handle: bytes
    record_key: bytes
    passage_key: bytes
    salt: int
    wanted: list["_Wanted"] = field(default_factory=list)
    terms: list[tuple[Term, int, int]] = field(default_factory=list)
    """Each with its element and the code of its kind."""
    sequences: list[TokenSequence] = field(default_factory=list)


@dataclass(slots=True)
class _Wanted:
    """One posting to be made."""

    field: str
    value: bytes
    parts: tuple[Term, ...]
    """The term, or the two of a conjunction; empty for a shingle."""
    tag: int
    """Filter tag; of terms it is filled in for the whole batch at once."""
    element: int
    kind: int
    weight: float
    extra: int
    """Offset of a shingle; weight of the name in a conjunction, in 1/256 bit."""


class Enroller:
    """Makes fingerprints of records, opens references, and plans erasures. Holds the linkage key."""

    def __init__(
        self, key: LinkageKey, schema: LinkageSchema, epoch: int = 1, evaluator: Evaluator | None = None
    ) -> None:
        """Raise `ConfigError` if the schema names a kind or a role that does not exist."""
        self.epoch = epoch
        self._key = key
        self._evaluator = evaluator or LocalEvaluator(key, epoch)
        self._kernel = Kernel(key.kernel_key(epoch))
        self._columns = {name: _column(name, each.kind, each.role) for name, each in schema.columns.items()}
        self._numbers = {name: number for number, name in enumerate(sorted(self._columns))}

    def fingerprint(
        self, records: Sequence[Record], store: PostingStore
    ) -> tuple[list[Fingerprint], list[EnrolmentError]]:
        """Return fingerprints of the good rows, in order, and one error per bad row; a bad row is left out whole.

        `store` tells which labels are taken; the caller writes the fingerprints before it asks for the next batch.
        """
        drafts: list[_Draft] = []
        problems: list[EnrolmentError] = []
        for record in records:
            try:
                drafts.append(self._draft(record))
            except EnrolmentError as problem:
                problems.append(problem)
        tags = self._tags(drafts)
        evaluated = self._evaluate(drafts)
        taken = chain_lengths(store, [y for ys in evaluated for y in ys])
        made = [
            self._finish(draft, ys, taken, self._support(draft, tags))
            for draft, ys in zip(drafts, evaluated, strict=True)
        ]
        return made, problems

    def ref_tag(self, ref: str) -> bytes:
        """Return the 16-byte tag under which the record of this reference is found."""
        return hmac.digest(self._key.ref_tag_key(), ref.strip().encode("utf-8"), "sha256")[:16]

    def content_tag(self, record: Record) -> bytes:
        """Return 16 bytes that stay equal as long as the row's canonical values, their kinds and roles do."""
        digest = hmac.new(self._key.content_tag_key(self.epoch), digestmod=hashlib.sha256)
        for name, value in sorted(record.values.items()):
            column = self._column(name)
            if column is None or column.role == "ignore":
                continue
            try:
                text = column.kind.canonicalise(value)
            except ValueError:
                text = value
            for part in (name, str(column.kind.CODE), column.role, text, str(record.retain_until)):
                encoded = part.encode("utf-8", "surrogatepass")
                digest.update(len(encoded).to_bytes(4, "big") + encoded)
        return digest.digest()[:16]

    def reference(self, sealed_ref: bytes) -> str:
        """Return the hospital's reference of a record."""
        return _open(self._key.ref_key(self.epoch), sealed_ref, b"ref").decode("utf-8")

    def erasures(self, records: Sequence[tuple[bytes, bytes]], store: PostingStore) -> list[Erasure]:
        """Return how to erase the records (handle, sealed tokens), to be applied in this order."""
        return erasures.plan([(handle, [y for y, _ in self._tokens(sealed)]) for handle, sealed in records], store)

    def erasure(self, handle: bytes, sealed_tokens: bytes, store: PostingStore) -> Erasure:
        """Return how to erase one record."""
        return self.erasures([(handle, sealed_tokens)], store)[0]

    def filter_tags(self, sealed_tokens: bytes) -> NDArray[np.uint64]:
        """Return the record's 64-bit filter tags, so that the filter can be rebuilt from the database alone."""
        return np.array([tag for _, tag in self._tokens(sealed_tokens)], np.uint64)

    def _tokens(self, sealed: bytes) -> list[tuple[bytes, int]]:
        plain = _open(self._key.erasure_key(self.epoch), sealed, b"tokens")
        return [(y, tag) for y, tag in _TOKEN.iter_unpack(plain)]

    def _column(self, name: str) -> "_Column | None":
        """Return what a column of a record holds; `phone#2` is a further `phone`."""
        return self._columns.get(name) or self._columns.get(base_column(name))

    def _draft(self, record: Record) -> _Draft:
        """Return what is to be stored of one record; raises `EnrolmentError` for the first bad value."""
        draft = _Draft(
            record, secrets.token_bytes(16), secrets.token_bytes(16), secrets.token_bytes(16), secrets.randbits(63)
        )
        further = len(self._numbers)
        for name, value in record.values.items():
            column = self._column(name)
            if column is None:
                raise EnrolmentError(record.row, name, "the column is not in the linkage schema; name it, or ignore it")
            if column.role == "ignore" or not value.strip():
                continue
            element = min(self._numbers.get(name, further), LAST_ELEMENT)
            further += name not in self._numbers
            canonical = _canonical(record, name, column.kind, value)
            made = column.kind.terms(canonical)
            draft.terms.extend((term, element, _code(term, column.kind)) for term in made)
            if column.role == "primary":
                _add_alone(draft, made, element, column.kind.CODE)
            self._add_text(draft, column.kind, value, element)
        _add_conjunctions(draft)
        if not draft.wanted:
            nothing = "nothing in this row can be searched for; it needs an identifier or a note"
            raise EnrolmentError(record.row, "", nothing)
        return draft

    def _tags(self, drafts: Sequence[_Draft]) -> dict[tuple[str, str], int]:
        """Fill in the filter tags of a batch, and return the tag of each of its terms."""
        values: dict[str, dict[str, None]] = defaultdict(dict)
        for draft in drafts:
            for term, _, _ in draft.terms:
                values[term.field][term.value] = None
        tags = {
            (name, value): tag
            for name, some in values.items()
            for value, tag in zip(some, self._kernel.tags_of(name, list(some)).tolist(), strict=True)
        }
        pairs: dict[str, list[_Wanted]] = defaultdict(list)
        for draft in drafts:
            for wanted in draft.wanted:
                if len(wanted.parts) == 1:
                    wanted.tag = tags[wanted.parts[0][:2]]
                elif wanted.parts:
                    pairs[wanted.field].append(wanted)
        for name, some_wanted in pairs.items():
            left, right = (
                np.array([tags[wanted.parts[side][:2]] for wanted in some_wanted], np.uint64) for side in (0, 1)
            )
            for wanted, tag in zip(some_wanted, self._kernel.combine("pair", left, right).tolist(), strict=True):
                wanted.tag = tag
        return tags

    def _support(self, draft: _Draft, tags: Mapping[tuple[str, str], int]) -> list[Support]:
        """Return the supporting tags of a record: the first value of each field that has them."""
        found: dict[str, Support] = {}
        salt = np.array([draft.salt], np.uint64)
        for term, _, kind in draft.terms:
            if term.field in SUPPORT_BITS and term.field not in found:
                plain = np.array([tags[term[:2]]], np.uint64)
                tag = int(self._kernel.combine("support", plain, salt)[0] & support_mask(term.field))
                found[term.field] = Support(term.field, tag, kind, round(256 * term.weight))
        return list(found.values())

    def _add_text(self, draft: _Draft, kind: Kind, value: str, element: int) -> None:
        if not kind.GRAMS:
            return
        stream = passages.compact_text(value)
        for grams in kind.GRAMS:
            tags, starts = passages.winnowed(self._kernel, stream, grams)
            for tag, start in zip(tags.tolist(), starts.tolist(), strict=True):
                gram = stream.units[start : start + grams.size].tobytes()
                draft.wanted.append(_Wanted(grams.field, gram, (), tag, element, kind.CODE, grams.weight, start))
        if not kind.GRAMS[0].digit:
            width = passages.token_width(stream)
            made = passages.tokens(self._kernel, stream.units, width, draft.salt)
            draft.sequences.append(TokenSequence(element, width, made))

    def _evaluate(self, drafts: Sequence[_Draft]) -> list[list[bytes]]:
        """Return the y of every wanted posting, one call of the evaluator per field; each value of a record once."""
        by_field: dict[str, list[tuple[int, int]]] = defaultdict(list)
        for number, draft in enumerate(drafts):
            seen: set[tuple[str, bytes]] = set()
            kept = []
            for wanted in draft.wanted:
                if (wanted.field, wanted.value) not in seen:
                    seen.add((wanted.field, wanted.value))
                    kept.append(wanted)
            draft.wanted = kept
            for index, wanted in enumerate(kept):
                by_field[wanted.field].append((number, index))
        answers: list[list[bytes]] = [[b""] * len(draft.wanted) for draft in drafts]
        for name, places in by_field.items():
            values = [drafts[number].wanted[index].value for number, index in places]
            for (number, index), y in zip(places, self._evaluator.evaluate(name, values), strict=True):
                answers[number][index] = y
        return answers

    def _finish(
        self, draft: _Draft, ys: Sequence[bytes], taken: dict[bytes, int], support: Sequence[Support]
    ) -> Fingerprint:
        """Give every posting the next link of its chain and seal everything."""
        postings: list[Posting] = []
        tokens: list[bytes] = []
        for wanted, y in zip(draft.wanted, ys, strict=True):
            link = taken[y]
            shingle = wanted.field.split("_")[0] in ("note", "address")
            if shingle and link >= COMMON:
                continue
            taken[y] = link + 1
            passage_key = draft.passage_key if shingle else bytes(16)
            weight = round(256 * wanted.weight)
            payload = Payload(
                draft.handle, draft.record_key, passage_key, wanted.element, wanted.kind, weight, wanted.extra
            )
            postings.append(seal(y, link, payload))
            tokens.append(_TOKEN.pack(y, wanted.tag))
        order = secrets.SystemRandom()
        order.shuffle(postings)
        order.shuffle(tokens)
        details = Details(draft.salt, tuple(support))
        return Fingerprint(
            handle=draft.handle,
            ref_tag=self.ref_tag(draft.record.ref),
            content_tag=self.content_tag(draft.record),
            epoch=self.epoch,
            sealed_ref=_seal(self._key.ref_key(self.epoch), draft.record.ref.strip().encode("utf-8"), b"ref"),
            sealed_details=seal_details(details, draft.sequences, draft.record_key, draft.passage_key, draft.handle),
            sealed_tokens=_seal(self._key.erasure_key(self.epoch), b"".join(tokens), b"tokens"),
            postings=tuple(postings),
            retain_until=draft.record.retain_until,
        )


def _add_alone(draft: _Draft, terms: Iterable[Term], element: int, kind: int) -> None:
    """Want the terms that may be searched alone."""
    for term in terms:
        if term.field in ALONE:
            draft.wanted.append(_Wanted(term.field, term.value.encode(), (term,), 0, element, kind, term.weight, 0))


def _add_conjunctions(draft: _Draft) -> None:
    """Want every conjunction of the record's terms; the name's weight goes into `extra`."""
    terms = [term for term, _, _ in draft.terms]
    names = [term for term in terms if term.field in PARTNERS]
    for each, index in conjunctions(names, terms):
        _, element, kind = draft.terms[index]
        extra = round(256 * each.left.weight)
        parts = (each.left, each.right)
        draft.wanted.append(_Wanted(each.field, each.value, parts, 0, element, kind, each.right.weight, extra))


@dataclass(frozen=True, slots=True)
class _Column:
    kind: Kind
    role: str


def _column(name: str, kind_name: str, role: str) -> _Column:
    """Return the kind and the settled role of a column."""
    known: Mapping[str, Kind] = kinds()
    if role not in ROLES:
        raise ConfigError(f"column {name!r}: there is no role {role!r}; it is one of {', '.join(ROLES)}")
    if kind_name == "ignore" or role == "ignore":
        return _Column(known["note"], "ignore")
    if kind_name not in known:
        raise ConfigError(f"column {name!r}: no kind {kind_name!r}; it is one of {', '.join(known)}, or ignore")
    kind = known[kind_name]
    if role == "primary" and kind.ROLE == "supporting":
        raise ConfigError(f"column {name!r}: {kind_name} is too common to be searched alone; make its role supporting")
    return _Column(kind, kind.ROLE if role == "auto" else role)


def _code(term: Term, kind: Kind) -> int:
    """Return the kind that a term speaks of: the birth date in a resident ID is a birth date."""
    return birth_date.CODE if term.field == "birth_date" else kind.CODE


def _canonical(record: Record, name: str, kind: Kind, value: str) -> str:
    try:
        return kind.canonicalise(value)
    except ValueError as error:
        raise EnrolmentError(record.row, name, str(error)) from None


def _seal(key: bytes, plain: bytes, bound: bytes) -> bytes:
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, plain, bound)


def _open(key: bytes, sealed: bytes, bound: bytes) -> bytes:
    try:
        return AESGCM(key).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], bound)
    except InvalidTag as error:
        raise KeyUnusable("a sealed part of a record does not open: wrong linkage key, or it was altered") from error
