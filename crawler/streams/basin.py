"""Where happenings wait between the connection and the database: bounded in number and in bytes."""

import asyncio
from collections.abc import Sequence

from crawler.streams.interface import Happening

BATCH = 500
"""Happenings that make a batch worth storing at once."""
MOST = 2 * BATCH
MOST_BYTES = 16_000_000
LINGER = 0.3
"""Seconds for which the first of a batch waits for others."""


class Basin:
    """A queue that is emptied at one stroke. Whoever puts waits while it is full: then the socket is not read."""

    def __init__(self) -> None:
        """Begin empty."""
        self._waiting: list[Happening] = []
        self._bytes = 0
        self._taken = False
        self._closed = False
        self._something = asyncio.Event()
        self._enough = asyncio.Event()
        self._room = asyncio.Event()
        self._settled = asyncio.Event()
        self._room.set()
        self._settled.set()

    async def put(self, happening: Happening) -> None:
        """Add a happening, once there is room."""
        if not self._room.is_set():
            await self._room.wait()
        self._waiting.append(happening)
        self._bytes += happening.size
        self._settled.clear()
        self._something.set()
        if len(self._waiting) >= BATCH or self._bytes >= MOST_BYTES:
            self._enough.set()
            if len(self._waiting) >= MOST or self._bytes >= MOST_BYTES:
                self._room.clear()

    async def take(self) -> Sequence[Happening] | None:
        """Return all that waits, once it is a batch or has waited for a moment; None when closed and empty.

        What was taken before counts as settled now.
        """
        if not self._waiting:
            self._settled.set()
        if not self._waiting and not self._closed:
            await self._something.wait()
        if not self._waiting:
            return None
        if not (self._enough.is_set() or self._closed):
            try:
                async with asyncio.timeout(LINGER):
                    await self._enough.wait()
            except TimeoutError:
                self._enough.clear()
        batch, self._waiting, self._bytes = self._waiting, [], 0
        if not self._closed:
            self._something.clear()
            self._enough.clear()
        self._room.set()
        return batch

    async def settled(self) -> None:
        """Wait until everything that was put was taken and dealt with."""
        await self._settled.wait()

    def close(self) -> None:
        """Let nothing more come: whoever takes gets the rest, then None."""
        self._closed = True
        self._something.set()
        self._enough.set()
