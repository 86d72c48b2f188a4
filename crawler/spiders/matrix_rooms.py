"""Matrix: messages of public rooms that anybody may read, with their pictures and files.

With an account's access token, without joining: GET or POST /_matrix/client/v3/publicRooms (the directory; goes on at
`next_batch`), /directory/room/{alias}, /rooms/{id}/messages?dir=b (newest first; goes on at `end`, is finished when
`end` is missing, not when a page is empty), /_matrix/client/v1/media/download (with the token), else
/_matrix/media/v3/download. https://spec.matrix.org/latest/client-server-api/. Only rooms whose history is
`world_readable` answer. `start` is no cursor: servers need not take it back, so a scan reads down to what it knows.
"""

import json
import re
from collections.abc import AsyncIterator, Mapping
from typing import Any, ClassVar
from urllib.parse import quote, urlencode

from crawler.capture import attachment_part
from crawler.expressions import moment
from crawler.fetcher import Answer, Fetcher
from crawler.generic import revealed
from crawler.health import FetchFailed
from crawler.interface import SiteSettings, Validators
from crawler.profile import Profile, Tested
from crawler.reading import json_of, text_part
from crawler.session import json_bytes
from crawler.spider import Capture, Item, Listing, SiteSpider, Stream
from model.errors import ConfigError
from model.page import Reason

TOLD = frozenset(
    ["m.room.message", "m.sticker", "m.room.name", "m.room.topic", "m.poll.start", "org.matrix.msc3381.poll.start"]
)
"""Events in which people say something."""
PICTURED = frozenset(["m.image", "m.file", "m.sticker"])
_MEDIA = re.compile(r"mxc://([\w.:\[\]-]+)/([\w-]+)")


class MatrixRooms(SiteSpider):
    """New messages of rooms: those that `rooms` names, else all of the directory that anybody may read."""

    options: ClassVar[frozenset[str]] = frozenset({"root", "token", "rooms", "term", "backfill"})
    profile = Profile(
        about="Matrix, messages of public rooms that anybody may read, with their files",
        mode="watch list",
        access="login",
        limits="each server's own; it answers 429. Encrypted rooms cannot be read",
        terms="Each server has rules of its own; rooms are read without joining them.",
        off="it asks with an account of yours. Make one on a server that lets it, and give its access token as token, "
        "by reference.",
        every=60.0,
        tested=Tested("real server", "2026-11-24"),
    )

    def __init__(self, site: SiteSettings) -> None:
        """Take `root`, `token`, `rooms` (ids or aliases), or `term` to search the directory, and `backfill` (pages)."""
        super().__init__(site)
        for name in ("root", "token"):
            if not site.options.get(name):
                raise ConfigError(f"sites.{site.name}: 'matrix_rooms' needs the option {name!r}")
        rooms = site.options.get("rooms") or []
        self.root = str(site.options["root"]).rstrip("/")
        self.rooms = [str(room) for room in (rooms if isinstance(rooms, list) else [rooms])]
        self.term = str(site.options.get("term") or "")
        self.backfill = int(site.options.get("backfill", 1))
        self.ids: dict[str, str] = {}
        """Alias → the room that it means."""

    async def streams(self, fetcher: Fetcher) -> AsyncIterator[Stream]:
        """Yield one list per room."""
        for room in self.rooms:
            yield self._stream(room)
        if not self.rooms:
            async for room in self._directory(fetcher):
                yield self._stream(room)

    async def listing(
        self, fetcher: Fetcher, stream: Stream, place: str, cursor: str | None, validators: Validators | None
    ) -> Listing:
        """Return one page of a room's messages, from the newest back."""
        room = await self._room(fetcher, stream.start)
        wish = {"dir": "b", "limit": "100"} | ({"from": place} if place != stream.start else {})
        answer = await self._ask(fetcher, f"rooms/{quote(room, safe='')}/messages", wish)
        events, further = _list(answer, "chunk"), json_of(answer).get("end")
        items = [item for event in events if (item := self._item(room, event)) is not None]
        return Listing(items=tuple(items), answer=answer, next=further if further and further != place else None)

    async def capture(self, fetcher: Fetcher, item: Item, listing: Listing) -> Capture:
        """Return the message with its file, which wants the token; an older server gives it without, elsewhere."""
        parts, exchanges, open_ones = list(item.parts), list(listing.answer.exchanges), []
        for number, media in enumerate(item.fields["media"], 1):
            url = f"{self.root}/_matrix/client/v1/media/download/{media}"
            try:
                answer = await fetcher.get(
                    url, "attachment", headers=self._headers(), secret_headers=("Authorization",)
                )
            except FetchFailed:
                # The scan itself tries this one, and counts it if it fails as well.
                open_ones.append(f"{self.root}/_matrix/media/v3/download/{media}")
                continue
            parts.append(attachment_part(answer, number))
            exchanges.extend(answer.exchanges)
        return Capture(tuple(parts), tuple(exchanges), tuple(open_ones))

    def _stream(self, room: str) -> Stream:
        return Stream(name=f"room {room}", backfill=self.backfill, conditional=False, start=room)

    async def _room(self, fetcher: Fetcher, room: str) -> str:
        """Return the id of a room that may be named by an alias."""
        if room.startswith("#") and room not in self.ids:
            found = json_of(await self._ask(fetcher, f"directory/room/{quote(room, safe='')}", {}))
            if not isinstance(found, dict) or not found.get("room_id"):
                raise FetchFailed(Reason.CHANGED, "the answer does not say which room an alias means")
            self.ids[room] = str(found["room_id"])
        return self.ids.get(room, room)

    async def _directory(self, fetcher: Fetcher) -> AsyncIterator[str]:
        """Yield the rooms of the directory that anybody may read."""
        since = ""
        while True:
            paging = {"limit": 100} | ({"since": since} if since else {})
            if self.term:
                body = json_bytes(paging | {"filter": {"generic_search_term": self.term}})
                answer = await self._ask(fetcher, "publicRooms", {}, body)
            else:
                answer = await self._ask(fetcher, "publicRooms", paging)
            for room in _list(answer, "chunk"):
                if room.get("world_readable"):
                    yield str(room["room_id"])
            following = json_of(answer).get("next_batch") or ""
            if not following or following == since:
                return
            since = following

    async def _ask(self, fetcher: Fetcher, call: str, wish: Mapping[str, Any], body: bytes = b"") -> Answer:
        """Return what the server answers to a call of version 3."""
        query = f"?{urlencode(wish)}" if wish else ""
        headers = self._headers() | ({"Content-Type": "application/json"} if body else {})
        return await fetcher.get(
            f"{self.root}/_matrix/client/v3/{call}{query}", "listing", method="POST" if body else "GET",
            headers=headers, secret_headers=("Authorization",), body=body,
        )  # fmt: skip

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {revealed(str(self.site.options['token']), self.site.name)}"}

    def _item(self, room: str, event: Mapping[str, Any]) -> Item | None:
        """Return a message as an item; an edit is one of its own. A redacted one has no content left."""
        event_id, content = event.get("event_id"), event.get("content")
        if event.get("type") not in TOLD or not isinstance(event_id, str):
            return None
        if not isinstance(content, dict) or not content:
            return None
        said = content.get("m.new_content") or content
        text = "\n".join(str(said[key]) for key in ("body", "name", "topic", "filename") if said.get(key))
        return Item(
            item_id=event_id,
            url=f"https://matrix.to/#/{room}/{event_id}",
            parts=(
                *([text_part("body", text)] if text else []),
                *([text_part("body", str(said["formatted_body"]), "text/html")] if said.get("formatted_body") else []),
                text_part("record", json.dumps(content, ensure_ascii=False), "application/json"),
            ),
            published_at=moment(str(event.get("origin_server_ts", ""))),
            author=event.get("sender"),
            thread_id=_thread(content) or event_id,
            fields={"media": _media(said, str(event.get("type")))},
        )


def _list(answer: Answer, key: str) -> list[dict[str, Any]]:
    """Return the list that an answer must have under a key."""
    data = json_of(answer)
    if not isinstance(data, dict) or not isinstance(data.get(key), list):
        raise FetchFailed(Reason.CHANGED, f"the answer has no list {key!r}")
    return [entry for entry in data[key] if isinstance(entry, dict)]


def _thread(content: Mapping[str, Any]) -> str | None:
    """Return the message that began what this one belongs to."""
    relation = content.get("m.relates_to") or {}
    answered = relation.get("m.in_reply_to") or {}
    return relation.get("event_id") or answered.get("event_id")


def _media(said: Mapping[str, Any], kind: str) -> tuple[str, ...]:
    """Return server and id of a picture or file; of a video, of its preview."""
    info = said.get("info") or {}
    whole = said.get("msgtype", kind) in PICTURED
    found = _MEDIA.fullmatch(str(said.get("url") if whole else info.get("thumbnail_url")))
    return (f"{found.group(1)}/{found.group(2)}",) if found else ()
