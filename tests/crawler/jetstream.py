"""A Jetstream on loopback: it speaks the documented wire, and misbehaves as a test tells it to."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from aiohttp import WSCloseCode, web

from tests.crawler.serving import Serving

POST = "app.bsky.feed.post"
START = 1_779_719_009_000_000
"""Time of the first event: long ago, so that whoever has no cursor gets nothing old."""


def post(number: int, text: str = "", *, at: int = 0, did: str = "did:plc:somebody", **commit: Any) -> dict[str, Any]:
    """Return the event of a post as the server tells it."""
    record = {"$type": POST, "createdAt": "2026-05-25T14:23:28.757Z", "langs": ["zh"], "text": text or f"post {number}"}
    return {
        "did": did,
        "time_us": at or START + number * 1000,
        "kind": "commit",
        "commit": {
            "rev": f"3r{number}",
            "operation": "create",
            "collection": POST,
            "rkey": f"k{number}",
            "record": record,
            "cid": f"bafy{number}",
            **commit,
        },
    }


@dataclass
class Misbehaviour:
    """What goes wrong on the next connections."""

    cut_after: int = 0
    """Frames after which the connection is cut without a word."""
    too_slow_after: int = 0
    """Frames after which the server says that we are too slow."""
    silent: bool = False
    """Takes the connection and says nothing, not even a ping: half open."""
    frames: dict[int, bytes] = field(default_factory=dict)
    """Raw text sent before the n-th event."""
    refuse: tuple[int, str] | None = None
    """Status and body instead of a stream."""
    redirect: str = ""
    hang_up: bool = False
    """Ends the connection properly as soon as it is open."""


class Jetstream(Serving):
    """The server; `say` makes events happen."""

    def __init__(self) -> None:
        super().__init__()
        self.events: list[dict[str, Any]] = []
        self.floor = 0
        """Time before which nothing is kept."""
        self.wrong = Misbehaviour()
        self.asked: list[dict[str, list[str]]] = []
        """Query of each connection."""
        self.headers: list[dict[str, str]] = []
        self.sent = 0
        self.pongs = 0
        self.open = 0

    def routes(self, router: web.UrlDispatcher) -> None:
        """Serve both wires."""
        router.add_get("/subscribe", self._subscribe)
        router.add_get("/xrpc/network.bsky.jetstream.subscribeEvents", self._subscribe_events)

    @property
    def root(self) -> str:
        """Return the address without a path."""
        return f"ws://{self.host}"

    def say(self, *events: dict[str, Any]) -> None:
        """Let these happen now."""

        async def happen() -> None:
            self.events.extend(events)
            self.tell()

        self.call(happen())

    def _refusal(self, request: web.Request) -> web.Response | None:
        self.asked.append({key: request.query.getall(key) for key in request.query})
        self.headers.append(dict(request.headers))
        if self.wrong.redirect:
            return web.Response(status=302, headers={"Location": self.wrong.redirect})
        if self.wrong.refuse:
            status, body = self.wrong.refuse
            return web.Response(status=status, text=body, content_type="application/json")
        return None

    async def _subscribe(self, request: web.Request) -> web.StreamResponse:
        refusal = self._refusal(request)
        if refusal is not None:
            return refusal
        cursor = request.query.get("cursor")
        begin = max(int(cursor), self.floor) if cursor else None
        wanted = set(request.query.getall("wantedCollections", []))

        def frame(event: dict[str, Any], number: int) -> str | None:
            if begin is not None and event["time_us"] < begin:
                return None
            if event["kind"] == "commit" and wanted and event["commit"]["collection"] not in wanted:
                return None
            return json.dumps(event, ensure_ascii=False)

        return await self._stream(request, frame, from_start=begin is not None)

    async def _subscribe_events(self, request: web.Request) -> web.StreamResponse:
        """Serve the second wire: sequence numbers are places in the list, 1 = first."""
        refusal = self._refusal(request)
        if refusal is not None:
            return refusal
        cursor = request.query.get("cursor")
        by_time = cursor is not None and int(cursor) >= 10**15
        floor = next((n for n, event in enumerate(self.events, 1) if event["time_us"] >= self.floor), 1)
        begin, info = None, ""
        if by_time:
            begin = next((n for n, e in enumerate(self.events, 1) if e["time_us"] >= int(cursor or 0)), 10**9)
            if int(cursor or 0) < self.floor:
                begin = floor
                payload = {"$type": "network.bsky.jetstream.subscribeEvents#info", "name": "OutdatedCursor"}
                info = json.dumps({"$type": "message", "payload": payload})
        elif cursor is not None:
            begin = int(cursor)
            if begin < floor and self.floor:
                body = json.dumps({"error": "CursorTooOld", "message": f"floor is {floor}"})
                return web.Response(status=400, text=body, content_type="application/json")

        def frame(event: dict[str, Any], number: int) -> str | None:
            return None if begin is not None and number < begin else json.dumps(_second(event, number))

        return await self._stream(request, frame, from_start=begin is not None, info=info)

    async def _stream(
        self, request: web.Request, frame: Any, *, from_start: bool, info: str = ""
    ) -> web.StreamResponse:
        wrong = self.wrong
        socket = web.WebSocketResponse(compress=False, protocols=("xrpc.v1.json",))
        await socket.prepare(request)
        self.open += 1
        listening = asyncio.create_task(self._listen(socket))
        serving = asyncio.current_task()
        assert serving is not None
        self.serving.add(serving)
        try:
            if wrong.hang_up:
                await socket.close()
            if wrong.silent:
                await asyncio.sleep(3600)
            place = 0 if from_start else len(self.events)
            sent = 0
            if info:
                await socket.send_str(info)
            while not socket.closed:
                news = self.news
                for place, event in enumerate(self._from(place), place + 1):  # noqa: B020 - goes on from there
                    text = frame(event, place)
                    if text is None:
                        continue
                    if sent in wrong.frames:
                        await socket.send_str(wrong.frames[sent].decode("utf-8", "surrogateescape"))
                    await socket.send_str(text)
                    sent += 1
                    self.sent += 1
                    if await _cut(request, socket, wrong, sent):
                        return socket
                if place == len(self.events):
                    await news.wait()
                if self.away:
                    break
        except (ConnectionError, OSError):
            pass
        finally:
            self.open -= 1
            self.serving.discard(serving)
            listening.cancel()
        return socket

    def _from(self, place: int) -> Iterator[dict[str, Any]]:
        return iter(self.events[place:])

    async def _listen(self, socket: web.WebSocketResponse) -> None:
        """Take what the client sends; only so are its pongs seen."""
        async for _ in socket:
            self.pongs += 1


async def _cut(request: web.Request, socket: web.WebSocketResponse, wrong: Misbehaviour, sent: int) -> bool:
    """End the connection after so many frames, if that is what goes wrong; tell whether it was ended."""
    if wrong.cut_after and sent >= wrong.cut_after:
        assert request.transport is not None
        request.transport.abort()
        return True
    if wrong.too_slow_after and sent >= wrong.too_slow_after:
        await socket.close(code=WSCloseCode.POLICY_VIOLATION, message=b"ConsumerTooSlow")
        return True
    return False


def _second(event: dict[str, Any], number: int) -> dict[str, Any]:
    """Return an event on the second wire."""
    kind = event["kind"]
    inner = event[kind] if kind == "commit" else {kind: event[kind]}
    when = event["time_us"]
    told = f"{_iso(when // 1_000_000)}.{when % 1_000_000:06d}Z"
    payload = {"$type": f"network.bsky.jetstream.subscribeEvents#{kind}", "seq": number, "did": event["did"]}
    return {"$type": "message", "payload": {**payload, "time": told, **inner}}


def _iso(seconds: int) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
