"""A server of asyncio in a thread, for tests: it can go away and come back on the same port."""

import asyncio
import threading
from abc import ABC, abstractmethod
from typing import Any, Self

from aiohttp import web


class Serving(ABC):
    """Serves on loopback while it is entered; subclasses say what."""

    def __init__(self) -> None:
        self.away = False
        self.news = asyncio.Event()
        """Set, and replaced, whenever something happened."""
        self.serving: set[asyncio.Task[Any]] = set()
        """Connections that stay open: whoever serves one adds its task here."""
        self._loop = asyncio.new_event_loop()
        self._port = 0
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    @abstractmethod
    def routes(self, router: web.UrlDispatcher) -> None:
        """Add what is served."""

    @property
    def host(self) -> str:
        """Return host:port."""
        return f"127.0.0.1:{self._port}"

    def __enter__(self) -> Self:
        self._thread.start()
        self.call(self._start())
        return self

    def __exit__(self, *error: object) -> None:
        self.call(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def restart(self) -> None:
        """End every connection, be away for a moment, and come back."""
        self.call(self._stop())
        self.call(self._start())

    def call(self, work: Any) -> Any:
        """Run a coroutine in the server's loop, and wait for it."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    def tell(self) -> None:
        """Let those who wait for news go on (in the server's loop)."""
        self.news.set()
        self.news = asyncio.Event()

    async def _start(self) -> None:
        app = web.Application()
        self.routes(app.router)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port, reuse_address=True).start()
        self._port = self._runner.addresses[0][1]

    async def _stop(self) -> None:
        self.away = True
        self.news.set()
        for task in self.serving:
            task.cancel()
        await self._runner.cleanup()
        self.news = asyncio.Event()
        self.away = False
