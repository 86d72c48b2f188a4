"""Bluesky Jetstream, second wire: every event has a number, and the server says when it cannot go back so far.

`GET /xrpc/network.bsky.jetstream.subscribeEvents?kinds=commit&collections=…&cursor=…` (WebSocket, text frames of
`xrpc.v1.json`). The cursor is the number of the last event, and repeats it. A number that is no longer kept is refused
(`CursorTooOld`): then the time of that event is asked for, and the server begins at the oldest that it has. Numbers
are those of one server, so there is one `root`. Nothing is ever sent to it.
"""

import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Any, ClassVar
from urllib.parse import urlencode

from crawler.atproto import POSTS
from crawler.expressions import moment
from crawler.health import FetchFailed
from crawler.interface import SiteSettings
from crawler.profile import Profile, Tested
from crawler.streams.interface import Arrived, CaughtUp, Firehose, Happening, Missed, Passed
from crawler.streams.jetstream import IDLE, PICTURES, commit_item
from crawler.streams.wire import Channel, Frame, Refused, Wire
from model.page import Reason
from model.scan import GapReason

ROOT = "wss://jetstream.us-east.bsky.network"
METHOD = "/xrpc/network.bsky.jetstream.subscribeEvents"
KIND = "network.bsky.jetstream.subscribeEvents#"


class JetstreamV2(Firehose):
    """New and edited posts of everybody; deletions take nothing away."""

    options: ClassVar[frozenset[str]] = frozenset({"root", "collections", "pictures"})
    profile = Profile(
        about="Bluesky Jetstream, second wire: the posts of a whole network as they come",
        access="open",
        limits="as far back as the server keeps",
        terms="Open data. A deleted post that was kept stays kept.",
        tested=Tested("recording", "2026-11-24"),
    )

    def __init__(self, site: SiteSettings) -> None:
        """Take `root`, `collections` and `pictures` (the address of a picture, with `{did}` and `{cid}`)."""
        super().__init__(site)
        self.root = str(site.options.get("root") or ROOT).rstrip("/")
        self.collections = tuple(site.options.get("collections") or (POSTS,))
        self.pictures = str(site.options.get("pictures") or PICTURES)
        self._cut_off = False

    def streams(self) -> tuple[str, ...]:
        """Return the one stream: a server's numbers mean nothing elsewhere."""
        return (self.root,)

    async def follow(self, wire: Wire, stream: str, cursor: str | None) -> AsyncGenerator[Happening, None]:
        """Yield posts from the cursor (`number time`) on; where it is too old, from the oldest that there is."""
        number, _, time = (cursor or "").partition(" ")
        last = moment(time)
        reason = GapReason.TOO_SLOW if self._cut_off and cursor else None
        self._cut_off = False
        try:
            async with aclosing(self._read(wire, number or None, last, reason)) as happenings:
                async for happening in happenings:
                    yield happening
        except Refused as refused:
            if last is None or _error(refused.body) != "CursorTooOld":
                raise
            micros = str(int(last.timestamp() * 1e6))
            async with aclosing(self._read(wire, micros, last, GapReason.TOO_OLD)) as happenings:
                async for happening in happenings:
                    yield happening

    async def _read(
        self, wire: Wire, cursor: str | None, last: datetime | None, gap: GapReason | None
    ) -> AsyncGenerator[Happening, None]:
        """Read one connection; `gap` is told with the first event, filled if that is the one asked for."""
        began, live = datetime.now(UTC), False
        async with wire.websocket(self._url(cursor), protocols=("xrpc.v1.json",), idle=IDLE) as channel:
            async for frame in channel.frames():
                payload = self._payload(frame)
                if payload is None:
                    yield Passed(None, Reason.MALFORMED)
                    continue
                if payload.get("$type") == f"{KIND}info":
                    if payload.get("name") == "OutdatedCursor":
                        gap = gap or GapReason.CLAMPED
                    continue
                number, at = payload.get("seq"), moment(str(payload.get("time")))
                if type(number) is not int or at is None:
                    yield Passed(None, Reason.CHANGED)
                    continue
                if gap is not None:
                    yield Missed(last, at, gap, filled=gap is GapReason.TOO_SLOW and str(number) == cursor)
                    gap = None
                yield self._happening(payload, frame, channel, f"{number} {at.isoformat()}")
                if not live and at >= began:
                    live = True
                    yield CaughtUp()

    def _url(self, cursor: str | None) -> str:
        wish = [("kinds", "commit"), *(("collections", collection) for collection in self.collections)]
        if cursor is not None:
            wish.append(("cursor", cursor))
        return f"{self.root}{METHOD}?{urlencode(wish)}"

    def _payload(self, frame: Frame) -> dict[str, Any] | None:
        """Return the payload of a message; an error message is final and raises."""
        try:
            message = json.loads(frame.data)
        except (ValueError, RecursionError):
            return None
        if not isinstance(message, dict):
            return None
        if message.get("$type") == "error":
            self._cut_off = message.get("error") == "ConsumerTooSlow"
            raise FetchFailed(Reason.SERVER, "the server ended the stream" + (": too slow" if self._cut_off else ""))
        payload = message.get("payload")
        return payload if message.get("$type") == "message" and isinstance(payload, dict) else None

    def _happening(self, payload: dict[str, Any], frame: Frame, channel: Channel, cursor: str) -> Happening:
        """Return what one event is to us."""
        kind, did = str(payload.get("$type")), payload.get("did")
        if kind.startswith(KIND) and kind != f"{KIND}commit":
            return Passed(cursor)
        if kind != f"{KIND}commit" or not isinstance(did, str):
            return Passed(cursor, Reason.CHANGED)
        if payload.get("operation") == "delete" or payload.get("collection") not in self.collections:
            return Passed(cursor)
        item = commit_item(did, payload, self.pictures)
        if item is None:
            return Passed(cursor, Reason.CHANGED)
        return Arrived(item, (channel.exchange(frame),), cursor, 3 * len(frame.data) + 2000)


def _error(body: bytes) -> str:
    """Return the name of an XRPC error."""
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    return str(told.get("error", "")) if isinstance(told, dict) else ""
