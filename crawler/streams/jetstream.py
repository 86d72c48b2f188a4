"""Bluesky Jetstream, first wire: the posts of a whole AT Protocol network as JSON, with 36 hours to go back.

`GET /subscribe?wantedCollections=…&cursor=…` (WebSocket, text frames). The cursor is the time in microseconds at
which Jetstream saw an event; times are not quite in order, so each connection goes back some seconds further. A
cursor older than what the server keeps is moved up in silence: that shows only in the time of the first event.
"""

import json
from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from typing import Any, ClassVar
from urllib.parse import urlencode

from crawler.atproto import POSTS, blobs, post_parts, thread
from crawler.expressions import moment
from crawler.interface import SiteSettings
from crawler.profile import Profile, Tested
from crawler.spider import Item
from crawler.streams.interface import Arrived, CaughtUp, Firehose, Happening, Missed, Passed
from crawler.streams.wire import Channel, Frame, Wire
from model.page import Reason
from model.scan import GapReason

ROOTS = ("wss://jetstream1.us-east.bsky.network", "wss://jetstream2.us-east.bsky.network")
REWIND = 10_000_000
"""Microseconds by which a connection goes back behind the cursor: events are out of order by a second or two."""
IDLE = 90.0
"""Seconds of complete silence after which a connection counts as broken."""
LULL = 60.0
"""Seconds for which nothing at all may happen on the network before it looks as if something was left out."""
PICTURES = "https://cdn.bsky.app/img/feed_fullsize/plain/{did}/{cid}"


class Jetstream(Firehose):
    """New and edited posts of everybody. A deleted post that was kept stays kept: it was public, and is evidence."""

    options: ClassVar[frozenset[str]] = frozenset({"root", "collections", "lull", "pictures"})
    profile = Profile(
        about="Bluesky Jetstream, first wire: the posts of a whole network as they come",
        limits="36 hours to go back",
        terms="Open data. A deleted post that was kept stays kept.",
        tested=Tested("recording", "2026-11-24"),
    )

    def __init__(self, site: SiteSettings) -> None:
        """Take `root` (one address, or several that stand in for each other), `collections`, `lull`, `pictures`."""
        super().__init__(site)
        root = site.options.get("root") or ROOTS
        self.roots = tuple(str(entry).rstrip("/") for entry in ([root] if isinstance(root, str) else root))
        self.collections = tuple(site.options.get("collections") or (POSTS,))
        self.lull = float(site.options.get("lull", LULL))
        self.pictures = str(site.options.get("pictures") or PICTURES)
        self._connections = 0
        self._cut_off = False

    def streams(self) -> tuple[str, ...]:
        """Return the one stream: servers that stand in for each other tell the same times."""
        return ("jetstream",)

    async def follow(self, wire: Wire, stream: str, cursor: str | None) -> AsyncGenerator[Happening, None]:
        """Yield posts from ten seconds before the cursor on, and whatever else moves the cursor."""
        root = self.roots[self._connections % len(self.roots)]
        self._connections += 1
        asked = max(0, int(cursor) - REWIND) if cursor else None
        latest = int(cursor or 0)
        began = _micros(datetime.now(UTC))
        first, live = True, False
        async with wire.websocket(self._url(root, asked), idle=IDLE) as channel:
            async for frame in channel.frames():
                event = _event(frame)
                if event is None:
                    yield Passed(None, Reason.MALFORMED)
                    continue
                at = event["time_us"]
                if first and asked is not None:
                    for missed in self._missed(int(cursor or 0), asked, at):
                        yield missed
                first = False
                latest = max(latest, at)
                yield self._happening(event, frame, channel, str(latest))
                if not live and at >= began:
                    live = True
                    yield CaughtUp()
            self._cut_off = "slow" in channel.close_reason.lower()

    def _url(self, root: str, asked: int | None) -> str:
        wish = [("wantedCollections", collection) for collection in self.collections]
        if asked is not None:
            wish.append(("cursor", str(asked)))
        return f"{root}/subscribe?{urlencode(wish)}"

    def _missed(self, cursor: int, asked: int, first: int) -> list[Missed]:
        """Return the gap that the first event after a cursor shows; a cut connection is told even without one."""
        complete = first <= max(asked + REWIND, asked + self.lull * 1e6)
        cut_off, self._cut_off = self._cut_off, False
        if complete and not cut_off:
            return []
        reason = GapReason.TOO_SLOW if cut_off else GapReason.CLAMPED
        return [Missed(_time(cursor), _time(max(first, cursor)), reason, filled=complete)]

    def _happening(self, event: dict[str, Any], frame: Frame, channel: Channel, cursor: str) -> Happening:
        """Return what one event is to us."""
        commit = event.get("commit")
        if event.get("kind") in {"account", "identity"}:
            return Passed(cursor)
        if event.get("kind") != "commit" or not isinstance(commit, dict):
            return Passed(cursor, Reason.CHANGED)
        if commit.get("operation") == "delete" or commit.get("collection") not in self.collections:
            return Passed(cursor)
        item = commit_item(event["did"], commit, self.pictures)
        if item is None:
            return Passed(cursor, Reason.CHANGED)
        return Arrived(item, (channel.exchange(frame),), cursor, 3 * len(frame.data) + 2000)


def commit_item(did: str, commit: dict[str, Any], pictures: str) -> Item | None:
    """Return the item of a created or edited record, or None if it is not told as documented.

    An edit is an item of its own: what was public for a while may be in one of both only.
    """
    record, key, collection = commit.get("record"), commit.get("rkey"), commit.get("collection")
    if not isinstance(record, dict) or not isinstance(key, str) or commit.get("operation") not in {"create", "update"}:
        return None
    address = f"at://{did}/{collection}/{key}"
    edit = f"#{commit.get('cid')}" if commit["operation"] == "update" else ""
    return Item(
        item_id=address + edit,
        url=f"https://bsky.app/profile/{did}/post/{key}" if collection == POSTS else address,
        parts=post_parts(record),
        attachments=tuple(pictures.format(did=did, cid=cid) for cid in dict.fromkeys(blobs(record.get("embed")))),
        published_at=moment(str(record.get("createdAt", ""))),
        author=did,
        thread_id=thread(record) or address,
    )


def _event(frame: Frame) -> dict[str, Any] | None:
    """Return the event in a frame, or None if it is none."""
    try:
        event = json.loads(frame.data)
    except (ValueError, RecursionError):
        return None
    if not isinstance(event, dict) or type(event.get("time_us")) is not int or not isinstance(event.get("did"), str):
        return None
    return event


def _micros(when: datetime) -> int:
    return int(when.timestamp() * 1e6)


def _time(micros: int) -> datetime:
    return datetime.fromtimestamp(micros / 1e6, UTC)
