"""Imageboards that answer in JSON: which threads of a board changed since the last scan, then every post of those.

The engines differ only in addresses and fields; each is a file in `crawler/spiders/`. The cursor of a board is how each
of its threads stood when it was last read, so a thread is asked for again only when it stands otherwise. A thread that
was pruned in between is no failure: that is what these boards do with threads.
"""

import json
from abc import abstractmethod
from collections.abc import AsyncIterator, Mapping
from typing import Any, ClassVar

from crawler.expressions import moment
from crawler.fetcher import Answer, Fetcher
from crawler.health import FetchFailed
from crawler.interface import SiteSettings, Validators
from crawler.reading import json_of, text_part
from crawler.spider import Item, Listing, SiteSpider, Stream
from model.errors import ConfigError
from model.page import Part, Reason


class Imageboard(SiteSpider):
    """New posts of the boards that `boards` names, each with its files."""

    options: ClassVar[frozenset[str]] = frozenset({"root", "boards", "backfill"})
    root: str = ""
    """Where it lies if config.yaml does not say."""

    def __init__(self, site: SiteSettings) -> None:
        """Take `root`, `boards` (one or several) and `backfill` (threads of a board that the first scan reads)."""
        super().__init__(site)
        boards = site.options.get("boards")
        self.root = str(site.options.get("root") or self.root).rstrip("/")
        self.boards = [str(board).strip("/") for board in (boards if isinstance(boards, list) else [boards]) if board]
        self.backfill = int(site.options.get("backfill", 10))
        if not self.root or not self.boards:
            raise ConfigError(f"sites.{site.name}: {site.use!r} needs the options 'root' and 'boards'")
        self.indexes: dict[str, Answer] = {}
        """Board → the list of its threads, as it was answered."""

    @abstractmethod
    def index_url(self, board: str) -> str:
        """Return where the threads of a board are listed."""

    @abstractmethod
    def thread_url(self, board: str, thread: str) -> str:
        """Return where a thread lies with all of its posts."""

    @abstractmethod
    def marks(self, index: Any) -> Mapping[str, str]:
        """Return thread → what changes about it with every post; raises TypeError or KeyError if there is none."""

    @abstractmethod
    def posts(self, board: str, thread: str, data: Any) -> list[Item]:
        """Return the posts of a thread; raises TypeError or KeyError if there are none."""

    def since(self, mark: str) -> Validators | None:
        """Return what makes asking for a thread conditional, given how it stood."""
        return None

    async def streams(self, fetcher: Fetcher) -> AsyncIterator[Stream]:
        """Yield one list per board."""
        for board in self.boards:
            yield Stream(name=f"board {board}", cursor="token", backfill=1 + self.backfill, start=board)

    async def listing(
        self, fetcher: Fetcher, stream: Stream, place: str, cursor: str | None, validators: Validators | None
    ) -> Listing:
        """Return the threads of a board, which are no items, or the posts of one thread."""
        board, *waiting = place.split()
        known = json.loads(cursor) if cursor else {}
        if waiting:
            return await self._thread(fetcher, board, waiting, known)
        answer = await fetcher.get(self.index_url(board), "listing", validators=validators)
        if answer.unchanged:
            return Listing(items=(), answer=answer)
        try:
            marks = dict(self.marks(self.json(answer)))
        except (TypeError, KeyError):
            raise FetchFailed(Reason.CHANGED, "the answer is not a list of threads") from None
        self.indexes[board] = answer
        changed = [thread for thread, mark in marks.items() if known.get(thread) != mark]
        token = json.dumps(marks, separators=(",", ":"))
        return Listing(items=(), answer=answer, next=_place(board, changed), token=token)

    async def _thread(self, fetcher: Fetcher, board: str, waiting: list[str], known: Mapping[str, str]) -> Listing:
        """Return the posts of the first thread that waits; none if it is pruned by now."""
        thread, *others = waiting
        following = _place(board, others)
        since = self.since(known[thread]) if thread in known else None
        try:
            answer = await fetcher.get(self.thread_url(board, thread), "listing", validators=since)
        except FetchFailed as failure:
            if failure.reason is not Reason.GONE:
                raise
            return Listing(items=(), answer=self.indexes[board], next=following)
        if answer.unchanged:
            return Listing(items=(), answer=self.indexes[board], next=following)
        try:
            posts = self.posts(board, thread, self.json(answer))
        except (TypeError, KeyError):
            raise FetchFailed(Reason.CHANGED, "the answer is not a thread") from None
        return Listing(items=tuple(posts), answer=answer, next=following)

    def json(self, answer: Answer) -> Any:
        """Return an answer as JSON; raises FetchFailed if it is none."""
        return json_of(answer)


class VichanLike(Imageboard):
    """What 4chan, vichan and their kin share: `threads.json`, and the names of a post's fields."""

    def index_url(self, board: str) -> str:
        """Return the short list of threads."""
        return f"{self.root}/{board}/threads.json"

    def marks(self, index: Any) -> Mapping[str, str]:
        """Return thread → second of the last change and number of replies: two may fall into one second."""
        threads = [thread for page in index for thread in page["threads"]]
        return {str(entry["no"]): f"{entry['last_modified']} {entry.get('replies', '')}" for entry in threads}

    def posts(self, board: str, thread: str, data: Any) -> list[Item]:
        """Return each post; nobody is called by the name that everybody has."""
        return [self._post(board, thread, post) for post in data["posts"]]

    @abstractmethod
    def permalink(self, board: str, thread: str, post: str) -> str:
        """Return the address of a post for people."""

    @abstractmethod
    def file_url(self, board: str, file: Mapping[str, Any]) -> str:
        """Return where a file lies."""

    def _post(self, board: str, thread: str, post: Mapping[str, Any]) -> Item:
        number = str(post["no"])
        named = " ".join(str(post[key]) for key in ("name", "trip") if post.get(key))
        files = [file for file in (post, *post.get("extra_files", ())) if file.get("tim") and file.get("ext")]
        kept = [file for file in files if not file.get("filedeleted") and file["ext"] != "deleted"]
        return Item(
            item_id=f"{board}/{number}",
            url=self.permalink(board, thread, number),
            parts=post_parts(post, html=post.get("com"), title=post.get("sub"), author=named),
            attachments=tuple(self.file_url(board, file) for file in kept),
            published_at=moment(str(post.get("time", ""))),
            author=named if post.get("trip") else poster(thread, post.get("id")),
            thread_id=f"{board}/{thread}",
        )


def post_parts(
    post: Mapping[str, Any], *, html: str | None = None, text: str | None = None, title: str | None, author: str | None
) -> tuple[Part, ...]:
    """Return the parts of a post: its text, and all of it as JSON (the names that files had)."""
    told = [("body", html, "text/html"), ("body", text, "text/plain")]
    told += [("title", title, "text/plain"), ("author", author, "text/plain")]
    return (
        *(text_part(part, words, media_type) for part, words, media_type in told if words),
        text_part("record", json.dumps(post, ensure_ascii=False), "application/json"),
    )


def poster(thread: str, poster_id: str | None) -> str | None:
    """Return who wrote a post, as far as the board tells: an id that holds within its thread."""
    return f"{thread} {poster_id}" if poster_id else None


def _place(board: str, threads: list[str]) -> str | None:
    """Return where the list goes on: the threads that wait, or nowhere."""
    return " ".join([board, *threads]) if threads else None
