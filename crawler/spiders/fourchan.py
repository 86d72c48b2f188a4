"""4chan: new posts of boards, with their files.

Read-only JSON API: /{board}/threads.json (thread numbers and their last change), /{board}/thread/{no}.json (all posts);
files at i.4cdn.org/{board}/{tim}{ext}. https://github.com/4chan/4chan-API. Its rules: one request in a second, a
thread again after ten seconds at least, If-Modified-Since. 404 means that the thread was pruned.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any, ClassVar

from crawler.imageboards import VichanLike
from crawler.interface import Validators
from crawler.profile import Profile, Tested


class Fourchan(VichanLike):
    """New posts of boards of 4chan."""

    options: ClassVar[frozenset[str]] = frozenset({"boards", "backfill"})
    root = "https://a.4cdn.org"
    profile = Profile(
        about="4chan, new posts of boards with their files",
        mode="watch list",
        limits="one request in a second; threads are pruned after minutes to days",
        terms="Name 4chan as the source and link to it; do not clone it. Asked for only what changed.",
        every=60.0,
        delay=2.0,  # jitter may halve it
        tested=Tested("recording", "2026-11-24"),
    )

    def thread_url(self, board: str, thread: str) -> str:
        """Return where a thread lies."""
        return f"{self.root}/{board}/thread/{thread}.json"

    def permalink(self, board: str, thread: str, post: str) -> str:
        """Return the address of a post for people."""
        return f"https://boards.4chan.org/{board}/thread/{thread}#p{post}"

    def file_url(self, board: str, file: Mapping[str, Any]) -> str:
        """Return where a file lies."""
        return f"https://i.4cdn.org/{board}/{file['tim']}{file['ext']}"

    def since(self, mark: str) -> Validators | None:
        """Return a moment before the change that was read, as the API's rules ask: two may fall into one second."""
        second = mark.partition(" ")[0]
        return Validators(last_modified=format_datetime(datetime.fromtimestamp(int(second) - 1, UTC), usegmt=True))
