"""Nostr relays: notes and articles of everybody, as signed events over WebSockets (NIP-01, NIP-11).

Several relays carry the same event: it is kept once. Ids and signatures are verified (BIP-340); what does not verify
is counted and not kept. `created_at` is what an author says, so each connection asks again for some time before the
last one ended, and takes what comes live whatever its date. Whether a relay still has what it had is seen by asking
for the last events by id. Nothing is written to a relay, and nobody logs in.
"""

import hashlib
import json
import re
import time
from collections.abc import AsyncGenerator, Iterator
from datetime import UTC, datetime
from typing import Any, ClassVar

from coincurve import PublicKeyXOnly

from crawler.attachments import is_file
from crawler.health import FetchFailed
from crawler.interface import SiteSettings
from crawler.profile import Profile, Tested
from crawler.reading import text_part
from crawler.spider import Item
from crawler.streams.interface import Arrived, CaughtUp, Firehose, Happening, Missed, Passed
from crawler.streams.wire import Channel, Frame, Wire
from model.errors import ConfigError
from model.page import Reason
from model.scan import GapReason

KINDS = (1, 30_023)
"""Short notes and long articles."""
OVERLAP = 900
"""Seconds before the end of the last connection that are asked for again."""
PAGE = 500
MOST_PAGES = 200
REMEMBERED = 3
"""Last events that a relay is asked for by id, to see whether it still has them."""
HEARTBEAT = 30.0
NEW, OLD, KNOWN = "new", "old", "known"
"""Subscriptions: what happens now, what was stored meanwhile, what we had last."""
_REFUSED = {
    "auth-required": Reason.LOGIN,
    "restricted": Reason.LOGIN,
    "blocked": Reason.BLOCKED,
    "rate-limited": Reason.RATE_LIMITED,
    "error": Reason.SERVER,
}
"""Machine-readable prefixes of CLOSED (NIP-01, NIP-42); older relays say them in a NOTICE."""
_LINK = re.compile(r"https?://[^\s\"'<>]{4,2000}")


class Nostr(Firehose):
    """Events of some kinds from one or several relays."""

    options: ClassVar[frozenset[str]] = frozenset({"root", "kinds", "overlap"})
    profile = Profile(
        about="Nostr relays: notes and articles of everybody, by signed events",
        access="open",
        limits="what each relay says under NIP-11",
        terms="Public events. Nothing is written, nobody logs in.",
        tested=Tested("real server", "2026-11-24"),
    )

    def __init__(self, site: SiteSettings) -> None:
        """Take `root` (one relay or several), `kinds` and `overlap` (seconds)."""
        super().__init__(site)
        root = site.options.get("root")
        if not root:
            raise ConfigError(f"sites.{site.name}: 'nostr' needs the option 'root': the address of a relay, or several")
        self.roots = tuple(str(entry).rstrip("/") for entry in ([root] if isinstance(root, str) else root))
        self.kinds = [int(kind) for kind in site.options.get("kinds") or KINDS]
        self.overlap = int(site.options.get("overlap", OVERLAP))

    def streams(self) -> tuple[str, ...]:
        """Return the relays: each has its own idea of what there was."""
        return self.roots

    async def follow(self, wire: Wire, stream: str, cursor: str | None) -> AsyncGenerator[Happening, None]:
        """Yield events as they come, and those that were stored since the cursor: a time, and the last ids."""
        limit = await self._limit(wire, stream)
        began = int(time.time())
        state = _State(cursor, began, self.overlap, limit)
        async with wire.websocket(stream, heartbeat=HEARTBEAT, idle=4 * HEARTBEAT) as channel:
            for name, *filters in state.questions():
                await self._ask(channel, name, *filters)
            async for frame in channel.frames():
                message = _loaded(frame.data)
                verb, name = _verb(message)
                if verb == "EVENT" and len(message) == 3 and isinstance(message[2], dict):
                    for happening in self._event(name, message[2], state, frame, channel):
                        yield happening
                elif verb == "EOSE":
                    for happening in state.end(name):
                        yield happening
                    if state.goes_on(name):
                        await self._ask(channel, OLD, state.wish())
                elif verb in {"CLOSED", "NOTICE"}:
                    _refuse(verb, message)
                elif verb not in {"AUTH", "OK"}:
                    yield Passed(None, Reason.MALFORMED if verb is None else Reason.CHANGED)
        raise FetchFailed(Reason.NETWORK, "the relay ended the connection")

    async def _limit(self, wire: Wire, stream: str) -> int:
        """Return how many events to ask for at once; refuse a relay that says it wants a login or money (NIP-11)."""
        url = "http" + stream.removeprefix("ws")
        try:
            answer = await wire.get(url, "listing", headers={"Accept": "application/nostr+json"})
        except FetchFailed as failure:
            if failure.reason is Reason.FORBIDDEN_ADDRESS:
                raise
            return PAGE  # the document is a courtesy
        told = _loaded(answer.body)
        limits = told.get("limitation") if isinstance(told, dict) else None
        limits = limits if isinstance(limits, dict) else {}
        if limits.get("auth_required") or limits.get("payment_required"):
            raise FetchFailed(Reason.LOGIN, "the relay says that it wants a login or payment")
        most = limits.get("max_limit")
        return min(PAGE, most) if type(most) is int and most > 0 else PAGE

    async def _ask(self, channel: Channel, name: str, *filters: dict[str, Any]) -> None:
        kinds = {} if name == KNOWN else {"kinds": self.kinds}
        await channel.send(json.dumps(["REQ", name, *({**kinds, **each} for each in filters)]))

    def _event(
        self, name: str, event: dict[str, Any], state: "_State", frame: Frame, channel: Channel
    ) -> Iterator[Happening]:
        """Yield what an event of a subscription is to us."""
        if name == KNOWN:
            state.missing.discard(str(event.get("id")))
        elif not verified(event):
            yield Passed(None, Reason.MALFORMED)
        else:
            state.saw(name, event)
            yield self._arrived(event, frame, channel, state.cursor())

    def _arrived(self, event: dict[str, Any], frame: Frame, channel: Channel, cursor: str | None) -> Arrived:
        """Return a verified event as an item."""
        content, tags = event["content"], event["tags"]
        links = _LINK.findall(content) if self.images else []
        item = Item(
            item_id=event["id"],
            url=f"{channel.url}#{event['id']}",
            parts=(
                *([text_part("body", content)] if content else []),
                *([text_part("tags", json.dumps(tags, ensure_ascii=False), "application/json")] if tags else []),
            ),
            attachments=tuple(dict.fromkeys(link for link in links if is_file(link))),
            published_at=_date(event["created_at"]),
            author=event["pubkey"],
            thread_id=_thread(tags) or event["id"],
        )
        return Arrived(item, (channel.exchange(frame),), cursor, 3 * len(frame.data) + 2000)


class _State:
    """How far one connection has come: what was stored meanwhile is asked for page by page, the newest first."""

    def __init__(self, cursor: str | None, began: int, overlap: int, limit: int) -> None:
        time_, *self.ids = (cursor or "").split() or [""]
        self.missing = set(self.ids)
        self.began = began
        self.ended = int(time_) if time_ else None
        self._since = max(0, self.ended - overlap) if self.ended is not None else None
        """From when on stored events are asked for; None when all have come."""
        self._until: int | None = None
        self._limit = limit
        self._last = self.ids
        self._pages = 1
        self._seen: set[str] = set()
        self._fresh = 0
        self._dates: list[int] = []
        """Of the events of the present page."""
        self._largest = 0
        """Events of the largest page so far: as many as the relay gives at once, whatever it says."""
        self._cut: int | None = None
        """A second of which there are more events than the relay gives."""

    def questions(self) -> Iterator[tuple[Any, ...]]:
        """Yield the subscriptions to begin with; the first time one page of what is stored is among them."""
        # Two filters, one of them without a date: what comes live may bear any.
        yield NEW, {"since": self.began - 1}, {"limit": self._limit if self.ended is None else 1}
        if self.ids:
            yield KNOWN, {"ids": self.ids}
        if self._since is not None:
            yield OLD, self.wish()

    def wish(self) -> dict[str, int]:
        """Return the filter of the next page of stored events."""
        until = {} if self._until is None else {"until": self._until}
        return {"since": self._since or 0, "limit": self._limit, **until}

    def saw(self, name: str, event: dict[str, Any]) -> None:
        """Take a verified event into account."""
        if name != OLD:
            self._last = [event["id"], *(each for each in self._last if each != event["id"])][:REMEMBERED]
            return
        self._fresh += event["id"] not in self._seen
        self._seen.add(event["id"])
        self._dates.append(event["created_at"])

    def cursor(self) -> str | None:
        """Return the cursor that passes everything so far; None while stored events are still missing."""
        return None if self._since is not None else " ".join([str(int(time.time())), *self._last])

    def end(self, name: str) -> Iterator[Happening]:
        """Yield what the end of stored events of a subscription means."""
        if name == KNOWN and self.ids and self.missing == set(self.ids) and self.ended is not None:
            yield Missed(_date(self.ended), datetime.fromtimestamp(self.began, UTC), GapReason.LOST)
        if name == OLD and self._since is not None and not self._next_page():
            if self._pages >= MOST_PAGES:
                yield Missed(_date(self._since), datetime.fromtimestamp(self._until or 0, UTC), GapReason.CLAMPED)
            if self._cut is not None:
                yield Missed(_date(self._cut), datetime.fromtimestamp(self._cut + 1, UTC), GapReason.CLAMPED)
            self._since = None
            yield Passed(f"{self.began} {' '.join(self._last)}".strip())
            yield CaughtUp()
        if name == NEW and self._since is None:
            yield Passed(self.cursor())
            yield CaughtUp()

    def goes_on(self, name: str) -> bool:
        """Tell whether another page of stored events is to be asked for."""
        return name == OLD and self._since is not None

    def _next_page(self) -> bool:
        """Move to the page before; False when there is none."""
        whole, fresh, dates = len(self._dates) < self._largest, self._fresh, self._dates
        self._largest = max(self._largest, len(dates))
        self._fresh, self._dates = 0, []
        if not dates or self._pages >= MOST_PAGES or (not fresh and whole):
            return False
        if not fresh and min(dates) == max(dates):
            self._cut = dates[0]
        # One second further than needed: some relays count `until` itself in, as NIP-01 says, and some do not.
        until = min(dates) + 1
        self._until = until if self._until is None or until < self._until else self._until - 1
        self._pages += 1
        return self._until >= (self._since or 0)


def verified(event: dict[str, Any]) -> bool:
    """Tell whether an event has the shape of NIP-01, is what its id says, and was signed by its author (BIP-340)."""
    shape = {"id": str, "pubkey": str, "created_at": int, "kind": int, "tags": list, "content": str, "sig": str}
    if not all(type(event.get(name)) is kind for name, kind in shape.items()):
        return False
    signed = [0, event["pubkey"], event["created_at"], event["kind"], event["tags"], event["content"]]
    try:
        digest = hashlib.sha256(json.dumps(signed, ensure_ascii=False, separators=(",", ":")).encode()).digest()
        if digest.hex() != event["id"]:
            return False
        return bool(PublicKeyXOnly(bytes.fromhex(event["pubkey"])).verify(bytes.fromhex(event["sig"]), digest))
    except (ValueError, RecursionError):
        return False


def _refuse(verb: str, message: list[Any]) -> None:
    """Raise what the relay refuses; a notice that is no refusal is passed over."""
    reason = _REFUSED.get(str(message[-1]).partition(":")[0])
    if reason is not None or verb == "CLOSED":
        raise FetchFailed(reason or Reason.CHANGED, "the relay refuses")


def _verb(message: Any) -> tuple[str | None, str]:
    """Return what a message says, and about which subscription."""
    if not isinstance(message, list) or not message or not isinstance(message[0], str):
        return None, ""
    return message[0], str(message[1]) if len(message) > 1 else ""


def _thread(tags: list[Any]) -> str | None:
    """Return the id of the event that began the thread (NIP-10)."""
    named = [
        tag for tag in tags if isinstance(tag, list) and len(tag) > 1 and tag[0] == "e" and isinstance(tag[1], str)
    ]
    roots = [tag[1] for tag in named if len(tag) > 3 and tag[3] == "root"]
    return next(iter([*roots, *(tag[1] for tag in named)]), None)


def _date(seconds: int) -> datetime | None:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _loaded(data: bytes) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None
