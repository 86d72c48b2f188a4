"""What an examination remembers of the threads of a page: recalled from the database, written when the page ends."""

from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from matchers.remembered import TraceKey, packed
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

    def places(self, thread: str) -> dict[bytes, TraceKey]:
        """Return under which tags, each with its key, traces of a thread are filed."""
        return {key.tag(thread): key for key in self.keys}


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
        self._sealed: tuple[list[Kept], set[bytes]] | None = None

    @property
    def remembrance(self) -> Remembrance:
        """Return where traces rest."""
        return self._of

    @property
    def site(self) -> str:
        """Return the page's site."""
        return self._page.site

    def drop_unreadable(self, tx: Transaction) -> None:
        """Delete the traces that did not open."""
        if self._unreadable:
            self._of.store.drop(tx, self._unreadable)
            log.warning("traces dropped", page=self._page.page_id, site=self.site, traces=len(self._unreadable))

    @property
    def threads(self) -> tuple[str, ...]:
        """Return the keys of the threads that the page belongs to: its thread's, and its author's on the site."""
        return threads_of(self._page) if self._of.days > 0 else ()

    def recall(self, thread: str) -> Sequence[Trace]:
        """Return the traces of the latest other posts, oldest first: during one examination always the same."""
        if thread not in self._recalled:
            places = self._of.places(thread)
            self.know(thread, self._of.store.recall(list(places), self._of.days))
        return self._recalled[thread]

    def know(self, thread: str, kept: Sequence[Kept]) -> None:
        """Take what the store holds of a thread, oldest first."""
        places = self._of.places(thread)
        self._seen[thread] = {each.post for each in kept}
        others = [each for each in kept if each.post != places[each.tag].post(each.tag, self._page.page_id)]
        opened = (self._opened(places[each.tag], each) for each in others[-MOST_POSTS:])
        self._recalled[thread] = [trace for trace in opened if trace is not None]

    def remember(self, thread: str, trace: Trace) -> None:
        """Hold the trace of the page until it ends."""
        self._held[thread] = trace
        self._sealed = None

    def keep(self, tx: Transaction) -> None:
        """Write what is to be remembered, inside the transaction that ends the page.

        Raises `Outrun` if posts were added since they were recalled: then the transaction must not happen.
        """
        keep_all(tx, [self])

    def held(self) -> tuple[list[Kept], set[bytes]]:
        """Return what is to be kept, sealed, and which posts of its threads were known."""
        if self._sealed is None:
            self._sealed = self._seal()
        return self._sealed

    def _seal(self) -> tuple[list[Kept], set[bytes]]:
        key, page_id = self._of.keys[0], self._page.page_id
        plain = {id(trace): packed(trace) for trace in {id(each): each for each in self._held.values()}.values()}
        kept = [
            Kept(tag, post, key.seal_packed(tag, post, plain[id(trace)]))
            for thread, trace in self._held.items()
            for tag in [key.tag(thread)]
            for post in [key.post(tag, page_id)]
        ]
        known = set().union(*(self._seen.get(thread, set()) for thread in self._held), (each.post for each in kept))
        return kept, known

    def _opened(self, key: TraceKey, kept: Kept) -> Trace | None:
        try:
            return key.open(kept.tag, kept.post, kept.sealed)
        except KeyUnusable:
            self._unreadable.append(kept)
            return None


class BatchMemory(ThreadMemory):
    """The memories of pages that are examined together, no two of one thread: asked for in one statement."""

    def __init__(self, remembrance: Remembrance, pages: Sequence[Page]) -> None:
        """Begin an examination of these pages."""
        self._of = remembrance
        self.pages = [remembrance.of(page) for page in pages]
        self._owners = {thread: memory for memory in self.pages for thread in memory.threads}
        self._asked: set[str] = set()

    def recall(self, thread: str) -> Sequence[Trace]:
        """Return the traces of the latest other posts, oldest first."""
        owner, draft = self._owner(thread)
        if draft not in self._asked:
            self._ask(draft)
        return owner.recall(thread)

    def remember(self, thread: str, trace: Trace) -> None:
        """Hold the trace of a page until it ends."""
        self._owner(thread)[0].remember(thread, trace)

    def _owner(self, thread: str) -> tuple[PageMemory, str]:
        """Return whose thread it is, and what the draft of an epoch wrote behind it."""
        if thread in self._owners:
            return self._owners[thread], ""
        own, mark, epoch = thread.rpartition("|")
        return self._owners[own], mark + epoch

    def _ask(self, draft: str) -> None:
        """Read all threads of the batch as one draft calls them."""
        places = {tag: own + draft for own in self._owners for tag in self._of.places(own + draft)}
        found: dict[str, list[Kept]] = {own + draft: [] for own in self._owners}
        for kept in self._of.store.recall(list(places), self._of.days):
            found[places[kept.tag]].append(kept)
        for own, owner in self._owners.items():
            owner.know(own + draft, found[own + draft])
        self._asked.add(draft)


def keep_all(tx: Transaction, memories: Sequence[PageMemory]) -> None:
    """Write what is to be remembered of pages, inside the transaction that ends them.

    Raises `Outrun` if posts were added to their threads since they were recalled: then the transaction must not happen.
    """
    held = [(memory, *memory.held()) for memory in memories]
    kept = [each for _, some, _ in held for each in some]
    if kept:
        of = memories[0].remembrance
        present = of.store.posts(tx, [each.tag for each in kept], of.days)
        if present - set().union(*(known for _, _, known in held)):
            raise Outrun("a post of the same thread was examined at the same time: examine this one again")
        for site in dict.fromkeys(memory.site for memory in memories):
            of.store.remember(tx, site, [each for memory, some, _ in held if memory.site == site for each in some],
                              MOST_POSTS)  # fmt: skip
    for memory in memories:
        memory.drop_unreadable(tx)


def threads_of(page: Page) -> tuple[str, ...]:
    """Return the keys of the threads of a page: none, one or two."""
    keys = []
    if page.thread_id:
        keys.append(f"{page.site}\0thread\0{page.thread_id}")
    if page.author and page.author.strip().casefold() not in NOBODY:
        keys.append(f"{page.site}\0author\0{page.author}")
    return tuple(keys)
