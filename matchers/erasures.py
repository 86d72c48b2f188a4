"""Takes records out of the label chains without their plaintext and without hiding those who share their values."""

from collections.abc import Iterable, Mapping, Sequence

from matchers.interface import PostingStore
from matchers.postings import label, seal, walk
from model.fingerprint import Erasure, Posting

_WHOLE_CHAIN = 1 << 32


class _Planned(PostingStore):
    """The store as it will be once the erasures planned so far are applied. Asks for nothing twice."""

    def __init__(self, store: PostingStore) -> None:
        self._store = store
        self._known: dict[bytes, bytes | None] = {}

    def postings(self, labels: Sequence[bytes]) -> Mapping[bytes, bytes]:
        """Return label → sealed payload, as planned."""
        asked = [name for name in labels if name not in self._known]
        if asked:
            self._known |= dict.fromkeys(asked) | dict(self._store.postings(asked))
        return {name: sealed for name in labels if (sealed := self._known[name]) is not None}

    def details(self, handles: Sequence[bytes]) -> Mapping[bytes, bytes]:
        """Return the details of the store beneath."""
        return self._store.details(handles)

    def delete(self, name: bytes) -> None:
        self._known[name] = None

    def put(self, posting: Posting) -> None:
        self._known[posting.label] = posting.sealed


def plan(records: Sequence[tuple[bytes, Sequence[bytes]]], store: PostingStore) -> list[Erasure]:
    """Return one erasure for each record (handle, its ys), to be applied in this order.

    Each sees the result of those before it, so records that share values may go in one batch. In each chain the last
    posting moves into the hole, sealed again for its new place.
    """
    planned = _Planned(store)
    walk(planned, list(dict.fromkeys(y for _, ys in records for y in ys)), _WHOLE_CHAIN)
    return [_erase(handle, ys, planned) for handle, ys in records]


def _erase(handle: bytes, ys: Iterable[bytes], planned: _Planned) -> Erasure:
    delete: list[bytes] = []
    put: list[Posting] = []
    distinct = list(dict.fromkeys(ys))
    for y, chain in zip(distinct, walk(planned, distinct, _WHOLE_CHAIN), strict=True):
        holes = [link for link, payload in enumerate(chain) if payload.handle == handle]
        for hole in reversed(holes):
            last = len(chain) - 1
            if hole != last:
                moved = seal(y, hole, chain[last])
                put.append(moved)
                planned.put(moved)
                chain[hole] = chain[last]
            chain.pop()
            delete.append(label(y, last))
            planned.delete(label(y, last))
    return Erasure(handle, tuple(delete), tuple(put))
