"""Several epochs of the linkage key side by side: which keys are live, and enrolment and examination under all of them.

While keys are rotated, a record is fingerprinted either under the old epoch or under the new one, and moves from one
to the other in one transaction. Whatever looks at records has to look under both.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from matchers.fingerprints import Enroller
from matchers.interface import Examination, PostingStore
from matchers.keys import LinkageKey
from matchers.threads import BriefMemory, Draft, ThreadMemory
from model.errors import KeyUnusable
from model.fingerprint import Erasure
from model.match import Match
from model.page import Passage
from model.record import LinkageSchema

MOST_PASSES = 3


@dataclass(frozen=True, slots=True)
class EpochKey:
    """One epoch and the linkage key it is derived from; two epochs may have the same key."""

    epoch: int
    key: LinkageKey


@dataclass(frozen=True, slots=True)
class Keyring:
    """The live epochs of an installation."""

    current: EpochKey
    """Under this one records are enrolled."""
    older: tuple[EpochKey, ...] = ()
    """Under these ones records may still be, newest first."""

    @classmethod
    def choose(cls, epochs: Sequence[tuple[int, bytes]], offered: Sequence[LinkageKey]) -> "Keyring":
        """Return the keys of these epochs (number, check tag; the current one first), found by their check tags.

        Raises `KeyUnusable` if the key of one of them is not among those offered.
        """
        found = [EpochKey(number, _made_by(tag, number, offered)) for number, tag in epochs]
        return cls(found[0], tuple(found[1:]))

    @property
    def all(self) -> tuple[EpochKey, ...]:
        """Every live epoch, the current one first."""
        return (self.current, *self.older)

    @property
    def roots(self) -> tuple[LinkageKey, ...]:
        """The different linkage keys, the current one first."""
        return tuple(dict.fromkeys(each.key for each in self.all))


class EpochEnroller(Enroller):
    """Enrols under the current epoch; finds, opens and erases records of every live one."""

    def __init__(self, keys: Keyring, schema: LinkageSchema) -> None:
        """Raise `ConfigError` if the schema names a kind or a role that does not exist."""
        super().__init__(keys.current.key, schema, keys.current.epoch)
        self._older = tuple(Enroller(each.key, schema, each.epoch) for each in keys.older)

    def ref_tags(self, ref: str) -> tuple[bytes, ...]:
        """Return every tag under which the record may stand: another linkage key, another tag."""
        return tuple(dict.fromkeys((self.ref_tag(ref), *(tag for each in self._older for tag in each.ref_tags(ref)))))

    def reference(self, sealed_ref: bytes) -> str:
        """Return the hospital's reference of a record of any live epoch."""
        for each in self._older:
            try:
                return each.reference(sealed_ref)
            except KeyUnusable:
                continue
        return super().reference(sealed_ref)

    def erasures(self, records: Sequence[tuple[bytes, bytes]], store: PostingStore) -> list[Erasure]:
        """Return how to erase the records (handle, sealed tokens): chains of different epochs never meet."""
        rest, planned = list(records), []
        for each in self._older:
            mine = [record for record in rest if _opens(each, record[1])]
            rest = [record for record in rest if record not in mine] if mine else rest
            planned += each.erasures(mine, store)
        return planned + super().erasures(rest, store)

    def filter_tags(self, sealed_tokens: bytes) -> NDArray[np.uint64]:
        """Return the record's filter tags, whatever its epoch: one filter serves them all."""
        for each in self._older:
            if _opens(each, sealed_tokens):
                return each.filter_tags(sealed_tokens)
        return super().filter_tags(sealed_tokens)


class Examines(Protocol):
    """What can examine pages: the engine of one epoch."""

    def examine_many(
        self,
        pages: Sequence[Sequence[Passage]],
        threads: Sequence[tuple[str, ...] | None] | None = None,
        memory: ThreadMemory | None = None,
    ) -> list[Examination]:
        """Return the examination of each page, in order; posts of one thread are joined."""
        ...


class EpochEngine:
    """Examines pages under every live epoch, and misses no record because it moves or changes meanwhile.

    A pass looks a record up at different moments under each epoch. So pages that were examined while records changed
    are examined again, at most `MOST_PASSES` times, and what any pass found counts: only a record that changes during
    every pass could be missed. Posts of a thread are remembered for each epoch by itself, once.
    """

    def __init__(self, opened: Callable[[], Mapping[int, Examines]], version: Callable[[], int]) -> None:
        """Take what opens the engine of each epoch, the oldest first, and what tells the version of the records."""
        self._opened = opened
        self._version = version
        self._state = -1
        self._engines: Mapping[int, Examines] = {}
        self.refresh()

    def refresh(self) -> None:
        """Open the engines anew if the records changed since."""
        version = self._version()
        if version != self._state:
            self._engines = self._opened()
            self._state = version

    def examine(self, passages: Sequence[Passage]) -> Examination:
        """Return the examination of one page."""
        return self.examine_many([passages])[0]

    def examine_many(
        self,
        pages: Sequence[Sequence[Passage]],
        threads: Sequence[tuple[str, ...] | None] | None = None,
        memory: ThreadMemory | None = None,
    ) -> list[Examination]:
        """Return the examination of each page, in order: what it matches of any epoch."""
        answers: list[list[Examination]] = []
        kept = memory or BriefMemory()
        drafts: list[Draft] = []
        passes = 0
        while passes < MOST_PASSES:
            self.refresh()
            drafts = [Draft(kept, epoch) for epoch in self._engines]
            try:
                answers += [
                    engine.examine_many(pages, threads, draft)
                    for engine, draft in zip(self._engines.values(), drafts, strict=True)
                ]
            except KeyUnusable:
                if self._version() == self._state:
                    raise
                continue  # a record was replaced between its posting and its details: this pass says nothing
            passes += 1
            if self._version() == self._state:
                break
        for draft in drafts:
            draft.keep()
        return [_merged([answer[number] for answer in answers]) for number in range(len(pages))]


def _merged(examinations: Sequence[Examination]) -> Examination:
    """Return the matches of all epochs, the surest first; of one record the surest only."""
    surest: dict[bytes, Match] = {}
    for match in (match for each in examinations for match in each.matches):
        if match.handle not in surest or surest[match.handle].score < match.score:
            surest[match.handle] = match
    ordered = sorted(surest.values(), key=lambda match: -match.score)
    return Examination(tuple(ordered), any(each.capped for each in examinations))


def _made_by(tag: bytes, number: int, offered: Sequence[LinkageKey]) -> LinkageKey:
    for key in offered:
        if key.made(tag):
            return key
    if number == 1 or len(offered) == 1:
        raise KeyUnusable(
            "this is not the linkage key that the records were enrolled with; restore that one "
            f"(epoch {number}; while keys are rotated, previous_linkage_key refers to the old one)"
        )
    raise KeyUnusable(f"neither linkage_key nor previous_linkage_key is the key of epoch {number}; restore that one")


def _opens(enroller: Enroller, sealed_tokens: bytes) -> bool:
    try:
        enroller.filter_tags(sealed_tokens)
    except KeyUnusable:
        return False
    return True
