"""vichan and its kin (8kun, lainchan …): new posts of boards, with their files.

JSON as 4chan's: /{board}/threads.json (pages from 0), /{board}/res/{no}.json (all posts); `tim` is a string, further
files are `extra_files`. https://github.com/vichan-devel/vichan-API. Files lie at /{board}/src/{tim}{ext} unless `media`
says otherwise: 8kun has them at https://media.128ducks.com/file_store/.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from crawler.imageboards import VichanLike
from crawler.interface import SiteSettings
from crawler.profile import Profile, Tested


class Vichan(VichanLike):
    """New posts of boards of one server."""

    options: ClassVar[frozenset[str]] = frozenset({"root", "boards", "backfill", "media"})
    profile = Profile(
        about="vichan imageboards (8kun …), new posts of boards with their files",
        mode="watch list",
        limits="each server's own; often behind Cloudflare, often down",
        terms="Each server has rules of its own.",
        every=60.0,
        delay=2.0,
        tested=Tested("recording", "2026-11-24"),
    )

    def __init__(self, site: SiteSettings) -> None:
        """Take also `media`: where files lie, with `{board}`."""
        super().__init__(site)
        self.media = str(site.options.get("media") or f"{self.root}/{{board}}/src/")

    def thread_url(self, board: str, thread: str) -> str:
        """Return where a thread lies."""
        return f"{self.root}/{board}/res/{thread}.json"

    def permalink(self, board: str, thread: str, post: str) -> str:
        """Return the address of a post for people."""
        return f"{self.root}/{board}/res/{thread}.html#{post}"

    def file_url(self, board: str, file: Mapping[str, Any]) -> str:
        """Return where a file lies."""
        return f"{self.media.replace('{board}', board)}{file['tim']}{file['ext']}"
