"""What an examination remembers of the threads of a page: recalled from the database, written when the page ends."""

from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from matchers.remembered import TraceKey
from matchers.threads import MOST_POSTS, ThreadMemory, Trace
from model.errors import KeyUnusable, Outrun
from model.page import Page
from storage.database import Transaction
from storage.traces import Kept, TraceStore

NOBODY = frozenset({
    "", "-", "?", "n/a", "none", "null", "unknown", "not available", "user", "anon", "anonymous", "anonymous user",
    "guest", "a guest", "deleted", "[deleted]", "[removed]",
    "匿名", "匿名用户", "匿名者", "游客", "访客", "网友", "未知", "佚名", "已注销", "已注销用户", "名無しさん",
})  # fmt: skip
"""Authors that are many people: their posts belong together no more than those of strangers."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Remembrance:
    """Where traces of posts rest between examinations, and for how long they are joined."""

    store: TraceStore
    keys: tuple[TraceKey, ...]
    """Of every live epoch: traces are sealed under the first."""
    days: float
    """0: nothing is joined or remembered."""

    def of(self, page: Page) -> "PageMemory":
        """Return the memory for one examination of a page."""
        return PageMemory(self, page)


class PageMemory(ThreadMemory):
    """The memory of one examination of one page. Nothing is written before `keep`."""

    def __init__(self, remembrance: Remembrance, page: Page) -> None:
        """Begin an examination."""
        self._of = remembrance
        self._page = page
        self._seen: dict[str, set[bytes]] = {}
        self._recalled: dict[str, Sequence[Trace]] = {}
        self._held: dict[str, Trace] = {}
        self._unreadable: list[Kept] = []

    @property
    def threads(self) -> tuple[str, ...]:
        """Return the keys of the threads that the page belongs to: its thread's, and its author's on the site."""
        return threads_of(self._page) if self._of.days > 0 else ()

    def recall(self, thread: str) -> Sequence[Trace]:
        """Return the traces of the latest other posts, oldest first: during one examination always the same."""
        if thread not in self._recalled:
            self._recalled[thread] = self._read(thread)
        return self._recalled[thread]

    def _read(self, thread: str) -> Sequence[Trace]:
        places = {key.tag(thread): key for key in self._of.keys}
        kept = self._of.store.recall(list(places), self._of.days)
        self._seen[thread] = {each.post for each in kept}
        others = [each for each in kept if each.post != places[each.tag].post(each.tag, self._page.page_id)]
        opened = (self._opened(places[each.tag], each) for each in others[-MOST_POSTS:])
        return [trace for trace in opened if trace is not None]

    def remember(self, thread: str, trace: Trace) -> None:
        """Hold the trace of the page until it ends."""
        self._held[thread] = trace

    def keep(self, tx: Transaction) -> None:
        """Write what is to be remembered, inside the transaction that ends the page.

        Raises `Outrun` if posts were added since they were recalled: then the transaction must not happen.
        """
        key, store = self._of.keys[0], self._of.store
        places = {
            thread: (tag, key.post(tag, self._page.page_id)) for thread in self._held for tag in [key.tag(thread)]
        }
        present = store.posts(tx, [tag for tag, _ in places.values()], self._of.days)
        known = set().union(
            *(self._seen.get(thread, set()) for thread in places), (post for _, post in places.values())
        )
        if present - known:
            raise Outrun("a post of the same thread was examined at the same time: examine this one again")
        sealed = [Kept(tag, post, key.seal(tag, post, self._held[thread])) for thread, (tag, post) in places.items()]
        store.remember(tx, self._page.site, sealed, MOST_POSTS)
        if self._unreadable:
            store.drop(tx, self._unreadable)
            log.warning("traces dropped", page=self._page.page_id, site=self._page.site, traces=len(self._unreadable))

    def _opened(self, key: TraceKey, kept: Kept) -> Trace | None:
        try:
            return key.open(kept.tag, kept.post, kept.sealed)
        except KeyUnusable:
            self._unreadable.append(kept)
            return None


def threads_of(page: Page) -> tuple[str, ...]:
    """Return the keys of the threads of a page: none, one or two."""
    keys = []
    if page.thread_id:
        keys.append(f"{page.site}\0thread\0{page.thread_id}")
    if page.author and page.author.strip().casefold() not in NOBODY:
        keys.append(f"{page.site}\0author\0{page.author}")
    return tuple(keys)
