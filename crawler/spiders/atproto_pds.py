"""AT Protocol personal data server: every account it hosts, each account's posts, their pictures.

Open XRPC calls without login: com.atproto.sync.listRepos (cursor pages), com.atproto.repo.listRecords (newest first,
cursor pages), com.atproto.sync.getBlob. https://atproto.com/specs/xrpc. Deactivated accounts are listed as inactive
and answer 400.
"""

import json
from collections.abc import AsyncIterator
from typing import Any, ClassVar
from urllib.parse import quote, urlencode

from crawler.atproto import POSTS, blobs, post_parts, thread
from crawler.expressions import moment
from crawler.fetcher import Answer, Fetcher
from crawler.health import FetchFailed
from crawler.interface import SiteSettings, Validators
from crawler.profile import Profile, Tested
from crawler.spider import Item, Listing, SiteSpider, Stream
from model.errors import ConfigError
from model.page import Reason


class AtprotoPds(SiteSpider):
    """New public posts of all accounts of one server."""

    options: ClassVar[frozenset[str]] = frozenset({"root", "backfill", "collection"})
    profile = Profile(
        about="an AT Protocol data server: all accounts, posts, pictures",
        limits="3,000 requests in 5 minutes",
        terms="Open data; deleted posts are not asked for again.",
        tested=Tested("real server", "2026-11-24"),
    )

    def __init__(self, site: SiteSettings) -> None:
        """Take `root`, and optionally `collection` and `backfill` (pages per account on the first scan)."""
        super().__init__(site)
        if not site.options.get("root"):
            raise ConfigError(f"sites.{site.name}: 'atproto_pds' needs the option 'root'")
        self.root = str(site.options["root"]).rstrip("/")
        self.collection = str(site.options.get("collection", POSTS))
        self.backfill = int(site.options.get("backfill", 10))

    async def streams(self, fetcher: Fetcher) -> AsyncIterator[Stream]:
        """Yield one list per account."""
        cursor = ""
        while True:
            wish = {"limit": "500", **({"cursor": cursor} if cursor else {})}
            answer = await fetcher.get(self._call("com.atproto.sync.listRepos", wish), "listing")
            data = _object(answer, "repos")
            for repo in data["repos"]:
                if repo.get("active", True):
                    yield Stream(
                        name=f"posts {repo['did']}", cursor="id", backfill=self.backfill, start=str(repo["did"])
                    )
            cursor = data.get("cursor") or ""
            if not cursor or not data["repos"]:
                return

    async def listing(
        self,
        fetcher: Fetcher,
        stream: Stream,
        place: str,
        cursor: str | None,
        validators: Validators | None,
    ) -> Listing:
        """Return one page of an account's posts."""
        wish = {"repo": stream.start, "collection": self.collection, "limit": "100"}
        if place != stream.start:
            wish["cursor"] = place
        answer = await fetcher.get(self._call("com.atproto.repo.listRecords", wish), "listing", validators=validators)
        if answer.unchanged:
            return Listing(items=(), answer=answer)
        data = _object(answer, "records")
        items = [self._item(stream.start, record) for record in data["records"]]
        readable = tuple(item for item in items if item is not None)
        return Listing(
            items=readable,
            answer=answer,
            next=data.get("cursor") if readable else None,
            unreadable=len(items) - len(readable),
        )

    def _item(self, did: str, record: dict[str, Any]) -> Item | None:
        """Return one record as an item: its text, and all of it as JSON (alt texts, facets, embeds)."""
        uri, post = record.get("uri"), record.get("value")
        if not isinstance(uri, str) or not isinstance(post, dict):
            return None
        key = uri.rsplit("/", 1)[-1]
        return Item(
            item_id=uri,
            url=self._call("com.atproto.repo.getRecord", {"repo": did, "collection": self.collection, "rkey": key}),
            parts=post_parts(post),
            attachments=tuple(
                self._call("com.atproto.sync.getBlob", {"did": did, "cid": cid}) for cid in dict.fromkeys(blobs(post))
            ),
            published_at=moment(str(post.get("createdAt", ""))),
            author=did,
            thread_id=thread(post),
            fields={"id": key},
        )

    def _call(self, method: str, wish: dict[str, str]) -> str:
        return f"{self.root}/xrpc/{method}?{urlencode(wish, quote_via=quote)}"


def _object(answer: Answer, key: str) -> dict[str, Any]:
    """Return the answer as an object that has a list under `key`."""
    try:
        data = json.loads(answer.body)
    except (ValueError, RecursionError):
        raise FetchFailed(Reason.CHANGED, "the answer is not JSON") from None
    if not isinstance(data, dict) or not isinstance(data.get(key), list):
        raise FetchFailed(Reason.CHANGED, f"the answer has no list {key!r}")
    return data
