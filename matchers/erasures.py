"""Takes records out of the label chains without their plaintext and without hiding those who share their values."""

from collections.abc import Iterable, Mapping, Sequence

from matchers.interface import PostingStore
from matchers.postings import label, open_sealed, seal
from model.fingerprint import Erasure, Posting


class _Planned(PostingStore):
    """The store as it will be once the erasures planned so far are applied."""

    def __init__(self, store: PostingStore) -> None:
        self._store = store
        self._changed: dict[bytes, bytes | None] = {}

    def postings(self, labels: Sequence[bytes]) -> Mapping[bytes, bytes]:
        """Return label → sealed payload, as planned."""
        asked = [name for name in labels if name not in self._changed]
        found = dict(self._store.postings(asked)) if asked else {}
        found.update({name: sealed for name in labels if (sealed := self._changed.get(name)) is not None})
        return found

    def details(self, handles: Sequence[bytes]) -> Mapping[bytes, bytes]:
        """Return the details of the store beneath."""
        return self._store.details(handles)

    def delete(self, name: bytes) -> None:
        self._changed[name] = None

    def put(self, posting: Posting) -> None:
        self._changed[posting.label] = posting.sealed


def plan(records: Sequence[tuple[bytes, Sequence[bytes]]], store: PostingStore) -> list[Erasure]:
    """Return one erasure for each record (handle, its ys), to be applied in this order.

    Each sees the result of those before it, so records that share values may go in one batch. In each chain the last
    posting moves into the hole, sealed again for its new place.
    """
    planned = _Planned(store)
    return [_erase(handle, ys, planned) for handle, ys in records]


def _erase(handle: bytes, ys: Iterable[bytes], planned: _Planned) -> Erasure:
    delete: list[bytes] = []
    put: list[Posting] = []
    for y, chain in zip(distinct := list(dict.fromkeys(ys)), _chains(planned, distinct), strict=True):
        holes = [link for link, sealed in enumerate(chain) if open_sealed(y, link, sealed).handle == handle]
        for hole in reversed(holes):
            last = len(chain) - 1
            if hole != last:
                moved = seal(y, hole, open_sealed(y, last, chain[last]))
                put.append(moved)
                planned.put(moved)
                chain[hole] = moved.sealed
            chain.pop()
            delete.append(label(y, last))
            planned.delete(label(y, last))
    return Erasure(handle, tuple(delete), tuple(put))


def _chains(store: PostingStore, ys: Sequence[bytes]) -> list[list[bytes]]:
    """Return the sealed links of each whole chain."""
    chains: list[list[bytes]] = [[] for _ in ys]
    alive = list(range(len(ys)))
    link = 0
    while alive:
        labels = [label(ys[index], link) for index in alive]
        stored = store.postings(labels)
        alive = [index for index, name in zip(alive, labels, strict=True) if name in stored]
        for index in alive:
            chains[index].append(stored[label(ys[index], link)])
        link += 1
    return chains
