"""LynxChan (kohlchan, endchan …): new posts of boards, with their files.

Read-only JSON API: /{board}/catalog.json (threads with number of posts and last bump), /{board}/res/{id}.json (the
thread is its own first post; `markdown` is HTML, `message` is text, files have a `path`).
https://gitgud.io/LynxChan/LynxChan/-/blob/master/doc/Json.txt. Some servers show a page with a proof of work instead
(from memory): that is left alone.
"""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urljoin

from crawler.charset import text_of
from crawler.expressions import moment
from crawler.fetcher import Answer
from crawler.health import FetchFailed
from crawler.imageboards import Imageboard, post_parts, poster
from crawler.profile import Profile, Tested
from crawler.spider import Item
from model.page import Reason

SPLASH = re.compile(r"splash|disclaimer|proof.of.work|bypass|hashcash", re.IGNORECASE)


class Lynxchan(Imageboard):
    """New posts of boards of one server."""

    profile = Profile(
        about="LynxChan imageboards (kohlchan, endchan …), new posts of boards with their files",
        mode="watch list",
        limits="each server's own; some want a proof of work, which is not made",
        terms="Each server has rules of its own.",
        every=60.0,
        delay=2.0,
        tested=Tested("recording", "2026-11-24"),
    )

    def index_url(self, board: str) -> str:
        """Return the catalogue."""
        return f"{self.root}/{board}/catalog.json"

    def thread_url(self, board: str, thread: str) -> str:
        """Return where a thread lies."""
        return f"{self.root}/{board}/res/{thread}.json"

    def marks(self, index: Any) -> Mapping[str, str]:
        """Return thread → last bump and number of posts: a post below the bump limit or with sage bumps nothing."""
        return {str(entry["threadId"]): f"{entry.get('lastBump')} {entry.get('postCount', 0)}" for entry in index}

    def posts(self, board: str, thread: str, data: Any) -> list[Item]:
        """Return the thread itself and each answer."""
        first = {key: entry for key, entry in data.items() if key != "posts"} | {"postId": data["threadId"]}
        return [self._post(board, thread, post) for post in (first, *data["posts"])]

    def json(self, answer: Answer) -> Any:
        """Return an answer as JSON; a splash page instead is a refusal."""
        if answer.media_type == "text/html" and SPLASH.search(text_of(answer) + answer.url):
            raise FetchFailed(Reason.BLOCKED, "a splash page instead of JSON")
        return super().json(answer)

    def _post(self, board: str, thread: str, post: Mapping[str, Any]) -> Item:
        number, edited = str(post["postId"]), post.get("lastEditTime")
        text = post.get("message")
        html = None if text else post.get("markdown")
        return Item(
            item_id=f"{board}/{number}" + (f"@{edited}" if edited else ""),
            url=f"{self.root}/{board}/res/{thread}.html#{number}",
            parts=post_parts(post, html=html, text=text, title=post.get("subject"), author=post.get("name")),
            attachments=tuple(urljoin(f"{self.root}/", file["path"]) for file in post.get("files") or ()),
            published_at=moment(str(post.get("creation", ""))),
            author=poster(thread, post.get("id")),
            thread_id=f"{board}/{thread}",
        )
