"""A Mastodon on loopback: a public timeline over REST, and its stream over server-sent events and WebSocket."""

import asyncio
import json
from typing import Any

from aiohttp import web

from tests.crawler.serving import Serving


def status(number: int, text: str = "", **more: Any) -> dict[str, Any]:
    """Return a post as the API tells it."""
    return {
        "id": str(number),
        "created_at": "2026-08-02T05:25:16.840Z",
        "content": f"<p>{text or f'post {number}'}</p>",
        "url": f"https://town.example/@ann/{number}",
        "account": {"acct": "ann"},
        "media_attachments": [],
        **more,
    }


class Mastodon(Serving):
    """The server; `post` publishes, `say` sends any event to whoever listens."""

    def __init__(self) -> None:
        super().__init__()
        self.posts: list[dict[str, Any]] = []
        self.sent: list[tuple[str, str]] = []
        """Every event, by name and payload."""
        self.raw: list[bytes] = []
        """Bytes sent in the stream of server-sent events right after it opens."""
        self.token = ""
        self.timeline_status = 200
        self.asked: list[str] = []
        self.open = 0
        self.most = 40
        """Posts that the timeline gives at once."""

    @property
    def root(self) -> str:
        """Return the address."""
        return f"http://{self.host}"

    def routes(self, router: web.UrlDispatcher) -> None:
        """Serve timeline and streams."""
        router.add_get("/api/v1/timelines/public", self._timeline)
        router.add_get("/api/v1/streaming/public/local", self._events)
        router.add_get("/api/v1/streaming", self._messages)

    def post(self, *statuses: dict[str, Any], quietly: bool = False) -> None:
        """Publish; `quietly` only in the timeline, as if nobody had listened."""

        async def publish() -> None:
            self.posts += statuses
            if not quietly:
                self.sent += [("update", json.dumps(each, ensure_ascii=False)) for each in statuses]
            self.tell()

        self.call(publish())

    def say(self, name: str, payload: str) -> None:
        """Send an event."""

        async def happen() -> None:
            self.sent.append((name, payload))
            self.tell()

        self.call(happen())

    def _admitted(self, request: web.Request) -> bool:
        self.asked.append(request.path_qs)
        return not self.token or request.headers.get("Authorization") == f"Bearer {self.token}"

    async def _timeline(self, request: web.Request) -> web.Response:
        if not self._admitted(request):
            return web.json_response({"error": "This method requires an authenticated user"}, status=422)
        if self.timeline_status != 200:
            return web.json_response({"error": "broken"}, status=self.timeline_status)
        least = int(request.query.get("min_id", 0))
        newer = sorted((each for each in self.posts if int(each["id"]) > least), key=lambda each: int(each["id"]))
        most = min(self.most, int(request.query.get("limit", 20)))
        page = newer[:most] if "min_id" in request.query else newer[-most:]
        return web.json_response(list(reversed(page)))

    async def _events(self, request: web.Request) -> web.StreamResponse:
        if not self._admitted(request):
            return web.json_response({"error": "Missing access token"}, status=401)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(b":)\n" + b"".join(self.raw))

        async def send(name: str, payload: str) -> None:
            lines = "".join(f"data: {line}\n" for line in payload.split("\n"))
            whole = f"event: {name}\n{lines}\n".encode()
            # Cut anywhere, in the middle of characters too.
            await response.write(whole[: len(whole) // 2])
            await asyncio.sleep(0)
            await response.write(whole[len(whole) // 2 :])

        await self._follow(send)
        return response

    async def _messages(self, request: web.Request) -> web.StreamResponse:
        if not self._admitted(request):
            return web.json_response({"error": "Missing access token"}, status=401)
        socket = web.WebSocketResponse(compress=False, autoping=True)
        await socket.prepare(request)

        async def send(name: str, payload: str) -> None:
            await socket.send_json({"stream": [request.query["stream"]], "event": name, "payload": payload})

        listening = asyncio.create_task(self._listen(socket))
        try:
            await self._follow(send)
        finally:
            listening.cancel()
        return socket

    async def _listen(self, socket: web.WebSocketResponse) -> None:
        async for _ in socket:
            pass

    async def _follow(self, send: Any) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.serving.add(task)
        self.open += 1
        try:
            place = len(self.sent)
            while not self.away:
                news = self.news
                for name, payload in self.sent[place:]:
                    await send(name, payload)
                place = len(self.sent)
                await news.wait()
        finally:
            self.open -= 1
            self.serving.discard(task)
