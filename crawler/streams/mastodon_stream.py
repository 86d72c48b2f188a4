"""Mastodon streaming (and compatible servers): posts and edits of a public timeline, as they come.

`GET /api/v1/streaming/public/local` as server-sent events, or `…/streaming?stream=public:local` as a WebSocket. The
server repeats nothing: what came while nobody was connected is fetched over the timeline of the same name, with the
mapping of `crawler/sites/mastodon.yaml`, from the last known post on. Since Mastodon 4.2 a user's token is needed.
"""

import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, ClassVar
from urllib.parse import urlencode, urlsplit

from crawler import description
from crawler.cursors import rank
from crawler.fetcher import Answer
from crawler.generic import revealed
from crawler.health import FetchFailed
from crawler.interface import SiteSettings
from crawler.profile import Profile, Tested
from crawler.reading import read_list
from crawler.spider import Item
from crawler.streams.interface import Arrived, CaughtUp, Firehose, Happening, Missed, Passed
from crawler.streams.wire import Wire
from model.errors import ConfigError
from model.page import Exchange, Reason
from model.scan import GapReason

TIMELINES = {"local": "public:local", "public": "public", "remote": "public:remote"}
PATHS = {"local": "public/local", "public": "public", "remote": "public/remote"}
FILTERS = {"local": "&local=true", "public": "", "remote": "&remote=true"}
PAGE = 40
MOST_PAGES = 50
"""Pages of the timeline that a back-fill reads: 2,000 posts."""
IDLE = 60.0
"""Seconds of silence after which a connection counts as broken; servers send a sign of life every fifteen."""


class MastodonStream(Firehose):
    """New and edited posts of one server's local, public or remote timeline. Deletions take nothing away."""

    options: ClassVar[frozenset[str]] = frozenset({"root", "stream", "transport", "streaming", "token"})
    profile = Profile(
        about="Mastodon and compatible servers: public posts as they come, and from the timeline what came between",
        access="key",
        limits="a token of a user, with read:statuses",
        terms="Rules of each server. Ask the administrators of small ones.",
        tested=Tested("recording", "2026-11-24"),
    )

    def __init__(self, site: SiteSettings) -> None:
        """Take `root`, `stream` (local, public, remote), `transport` (sse, websocket), `streaming` and `token`.

        `streaming` is the streaming server's address where it differs (`configuration.urls.streaming`).
        """
        super().__init__(site)
        if not site.options.get("root"):
            raise ConfigError(f"sites.{site.name}: 'mastodon_stream' needs the option 'root'")
        self.root = str(site.options["root"]).rstrip("/")
        self.timeline = _word(site, "stream", "local", TIMELINES)
        self.transport = _word(site, "transport", "sse", {"sse": "", "websocket": ""})
        self.streaming = str(site.options.get("streaming") or self.root).rstrip("/")
        self.token = str(site.options.get("token") or "")
        found = description.load("mastodon")
        assert found is not None
        self.description = found

    def streams(self) -> tuple[str, ...]:
        """Return the one stream."""
        return (f"{self.timeline} {urlsplit(self.root).netloc}",)

    async def follow(self, wire: Wire, stream: str, cursor: str | None) -> AsyncGenerator[Happening, None]:
        """Yield posts as they come; as soon as the stream is open, first those that came since the cursor.

        The cursor is the id of the last post and when we last were connected.
        """
        last, _, time = (cursor or "").partition(" ")
        reading = self._events if self.transport == "sse" else self._messages
        opened = False
        latest = last
        async with aclosing(reading(wire)) as events:
            async for name, data, exchange in events:
                if not opened:
                    opened = True
                    async for happening in self._backfill(wire, last, time):
                        latest = _last(happening) or latest
                        yield happening
                    yield CaughtUp()
                happening = self._happening(name, data, exchange, latest)
                latest = _last(happening) or latest
                yield happening

    async def _events(self, wire: Wire) -> AsyncGenerator[tuple[str, bytes, Exchange], None]:
        """Yield the server-sent events (name, data) of the stream; a line of comment is an event without a name."""
        headers, secret = self._headers()
        url = f"{self.streaming}/api/v1/streaming/{PATHS[self.timeline]}"
        async with wire.lines(url, headers=headers, secret_headers=secret, idle=IDLE) as (asked, lines):
            name, data = "", list[bytes]()
            yield "", b"", asked
            async for line in lines:
                if line.startswith(b":"):
                    yield "", b"", asked
                elif not line and (name or data):
                    body = b"\n".join(data)
                    yield name or "message", body, replace(asked, body=body, finished_at=datetime.now(UTC))
                    name, data = "", []
                else:
                    key, _, text = line.partition(b":")
                    text = text.removeprefix(b" ")
                    if key == b"event":
                        name = text.decode("utf-8", "replace")
                    elif key == b"data":
                        data.append(text)
        raise FetchFailed(Reason.NETWORK, "the stream ended")

    async def _messages(self, wire: Wire) -> AsyncGenerator[tuple[str, bytes, Exchange], None]:
        """Yield the events (name, payload) of a WebSocket."""
        headers, secret = self._headers()
        wish = urlencode({"stream": TIMELINES[self.timeline]})
        scheme, _, rest = self.streaming.partition("://")
        url = f"{scheme.replace('http', 'ws')}://{rest}/api/v1/streaming?{wish}"
        async with wire.websocket(url, headers=headers, secret_headers=secret, idle=IDLE, heartbeat=20.0) as channel:
            yield "", b"", channel.opening
            async for frame in channel.frames():
                told = _loaded(frame.data)
                if not isinstance(told, dict) or not isinstance(told.get("event"), str):
                    yield "?", b"", channel.exchange(frame)
                    continue
                payload = told.get("payload")
                yield told["event"], payload.encode() if isinstance(payload, str) else b"", channel.exchange(frame)
        raise FetchFailed(Reason.NETWORK, "the stream ended")

    def _happening(self, name: str, data: bytes, exchange: Exchange, latest: str) -> Happening:
        """Return what an event is to us."""
        cursor = _cursor(latest)
        if name in {"", "delete", "filters_changed", "announcement", "announcement.reaction", "announcement.delete",
                    "conversation", "notification", "encrypted_message", "notifications_merged"}:  # fmt: skip
            return Passed(cursor)
        if name not in {"update", "status.update"}:
            return Passed(cursor, Reason.CHANGED)
        status = _loaded(data)
        item = self._item(status, exchange)
        if item is None:
            return Passed(cursor, Reason.MALFORMED if status is None else Reason.CHANGED)
        newest = max(latest, _number(item), key=rank) if name == "update" else latest
        return Arrived(item, (exchange,), _cursor(newest), 4 * len(data) + 2000)

    def _item(self, status: Any, exchange: Exchange) -> Item | None:
        """Return a post as the site's description reads it; there an edit is an item of its own."""
        if not isinstance(status, dict):
            return None
        answer = Answer(self.root, 200, (), json.dumps([status]).encode(), (exchange,), exchange.finished_at)
        try:
            listing = read_list(self.description, self.description.lists[0], answer, {"root": self.root}, self.root)
        except FetchFailed:
            return None
        return listing.items[0] if listing.items else None

    async def _backfill(self, wire: Wire, last: str, time: str) -> AsyncGenerator[Happening, None]:
        """Yield what the timeline has since the last known post, oldest first, then the gap that this fills.

        The first time it yields one page: then there is a last known post.
        """
        headers, secret = self._headers()
        query, until, complete = f"?limit={PAGE}{FILTERS[self.timeline]}", datetime.now(UTC), False
        since, first = datetime.fromisoformat(time) if time else None, not last
        try:
            for _ in range(1 if first else MOST_PAGES):
                url = f"{self.root}/api/v1/timelines/public{query}" + (f"&min_id={last}" if last else "")
                answer = await wire.get(url, "listing", headers=headers, secret_headers=secret)
                listing = read_list(self.description, self.description.lists[0], answer, {"root": self.root}, url)
                items = sorted(listing.items, key=lambda item: rank(_number(item)))
                for item in items:
                    last = max(last, _number(item), key=rank)
                    yield Arrived(item, answer.exchanges, _cursor(last, since or until), 8000)
                if not items:
                    complete = True
                    break
        except FetchFailed as failure:
            # The stream itself works: it is read on, and the gap stays open and is told as one.
            yield Passed(None, failure.reason)
        if not first:
            yield Missed(since, until, GapReason.NO_REPLAY, filled=complete)

    def _headers(self) -> tuple[dict[str, str], tuple[str, ...]]:
        if not self.token:
            return {}, ()
        return {"Authorization": f"Bearer {revealed(self.token, self.site.name)}"}, ("Authorization",)


def _number(item: Item) -> str:
    """Return the number of a post, without what tells its edits apart."""
    return str(item.fields["id"])


def _cursor(last: str, at: datetime | None = None) -> str | None:
    return f"{last} {(at or datetime.now(UTC)).isoformat()}" if last else None


def _last(happening: Happening) -> str:
    """Return the id of the last post that a happening's cursor names."""
    return ((happening.cursor or "") if isinstance(happening, Arrived) else "").partition(" ")[0]


def _loaded(data: bytes) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None


def _word(site: SiteSettings, option: str, usual: str, known: dict[str, str]) -> str:
    word = str(site.options.get(option) or usual)
    if word not in known:
        raise ConfigError(f"sites.{site.name}.{option}: {word!r} is not one of: {', '.join(known)}")
    return word
