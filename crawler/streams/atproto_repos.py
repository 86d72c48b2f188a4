"""AT Protocol event stream of a data server or relay: posts as they are committed, from a cursor on.

`com.atproto.sync.subscribeRepos` (WebSocket, binary frames): a header and a body in DAG-CBOR, the records of a commit
as blocks of a CAR file. https://atproto.com/specs/event-stream. The cursor is the number of the last event; a server
that no longer has what follows it says so (`OutdatedCursor`) and begins at the oldest that it has.
"""

import base64
from collections.abc import AsyncGenerator, Iterator
from datetime import UTC, datetime
from typing import Any, ClassVar
from urllib.parse import quote, urlencode

import libipld

from crawler.atproto import POSTS, post_parts, thread
from crawler.atproto import blobs as blobs_of
from crawler.expressions import moment
from crawler.health import FetchFailed
from crawler.interface import SiteSettings
from crawler.profile import Profile, Tested
from crawler.spider import Item
from crawler.streams.interface import Arrived, CaughtUp, Firehose, Happening, Missed, Passed
from crawler.streams.wire import Channel, Frame, Wire
from model.errors import ConfigError
from model.page import Reason
from model.scan import GapReason

METHOD = "/xrpc/com.atproto.sync.subscribeRepos"
HEARTBEAT = 30.0
SILENT = frozenset({"#identity", "#account", "#sync", "#handle", "#migrate", "#tombstone"})
"""Events that hold no record."""


class AtprotoRepos(Firehose):
    """New and edited posts of every account of a server, or of all servers that a relay knows."""

    options: ClassVar[frozenset[str]] = frozenset({"root", "collections"})
    profile = Profile(
        about="an AT Protocol data server or relay: posts of all its accounts as they come",
        access="open",
        limits="as far back as the server keeps",
        terms="Open data. A deleted post that was kept stays kept.",
        tested=Tested("real server", "2026-11-24"),
    )

    def __init__(self, site: SiteSettings) -> None:
        """Take `root` (http or https) and `collections`."""
        super().__init__(site)
        if not site.options.get("root"):
            raise ConfigError(f"sites.{site.name}: 'atproto_repos' needs the option 'root'")
        self.root = str(site.options["root"]).rstrip("/")
        self.collections = tuple(site.options.get("collections") or (POSTS,))
        self._cut_off = False

    def streams(self) -> tuple[str, ...]:
        """Return the one stream: a server's numbers mean nothing elsewhere."""
        return (self.root,)

    async def follow(self, wire: Wire, stream: str, cursor: str | None) -> AsyncGenerator[Happening, None]:
        """Yield posts after the cursor (`number time`)."""
        number, _, time = (cursor or "").partition(" ")
        last, began, live = moment(time), datetime.now(UTC), False
        gap = GapReason.TOO_SLOW if self._cut_off and cursor else None
        self._cut_off = False
        query = f"?{urlencode({'cursor': number})}" if number else ""
        url = f"{self.root.replace('http', 'ws', 1)}{METHOD}{query}"
        async with wire.websocket(url, heartbeat=HEARTBEAT, idle=4 * HEARTBEAT) as channel:
            async for frame in channel.frames():
                read = _read(frame.data)
                if read is None:
                    yield Passed(None, Reason.MALFORMED)
                    continue
                kind, body = read
                if kind == "#info":
                    gap = GapReason.TOO_OLD if body.get("name") == "OutdatedCursor" else gap
                    continue
                if kind is None:
                    self._refuse(body)
                at = moment(str(body.get("time"))) or frame.received_at
                if type(body.get("seq")) is not int:
                    yield Passed(None, Reason.CHANGED)
                    continue
                if gap is not None:
                    yield Missed(last, at, gap, filled=gap is GapReason.TOO_SLOW)
                    gap = None
                for happening in self._happenings(kind, body, at, frame, channel):
                    yield happening
                if not live and at >= began:
                    live = True
                    yield CaughtUp()

    def _refuse(self, body: dict[str, Any]) -> None:
        """Raise what an error frame says; it is the last one."""
        self._cut_off = body.get("error") == "ConsumerTooSlow"
        if body.get("error") == "FutureCursor":
            raise FetchFailed(Reason.CHANGED, "the server does not know our cursor: it was set up anew")
        raise FetchFailed(Reason.SERVER, "the server ended the stream" + (": too slow" if self._cut_off else ""))

    def _happenings(
        self, kind: str | None, body: dict[str, Any], at: datetime, frame: Frame, channel: Channel
    ) -> Iterator[Happening]:
        """Yield the posts of a commit; the last happening moves the cursor past all of it."""
        cursor = f"{body['seq']} {at.isoformat()}"
        if kind != "#commit":
            yield Passed(cursor, None if kind in SILENT else Reason.CHANGED)
            return
        wanted = [op for op in body.get("ops") or () if _is_wanted(op, self.collections)]
        blocks = _blocks(body.get("blocks")) if wanted else {}
        unread = 0
        for op in wanted:
            record = blocks.get(op.get("cid"))
            if isinstance(record, dict):
                item = self._item(str(body.get("repo")), op, _plain(record))
                yield Arrived(item, (channel.exchange(frame),), None, 4 * len(frame.data) + 2000)
            else:
                unread += 1
        if unread:
            yield Missed(at, at, GapReason.TOO_BIG)
        yield Passed(cursor)

    def _item(self, did: str, op: dict[str, Any], record: dict[str, Any]) -> Item:
        """Return a record as an item; an edit is an item of its own."""
        collection, _, key = op["path"].partition("/")
        edit = f"#{libipld.encode_cid(op['cid'])}" if op["action"] == "update" else ""
        wish = {"repo": did, "collection": collection, "rkey": key}
        return Item(
            item_id=f"at://{did}/{op['path']}{edit}",
            url=f"{self.root}/xrpc/com.atproto.repo.getRecord?{urlencode(wish, quote_via=quote)}",
            parts=post_parts(record),
            attachments=tuple(
                f"{self.root}/xrpc/com.atproto.sync.getBlob?{urlencode({'did': did, 'cid': cid}, quote_via=quote)}"
                for cid in dict.fromkeys(blobs_of(record))
            ),
            published_at=moment(str(record.get("createdAt", ""))),
            author=did,
            thread_id=thread(record) or f"at://{did}/{op['path']}",
        )


def _read(data: bytes) -> tuple[str | None, dict[str, Any]] | None:
    """Return kind and body of a frame, the kind None for an error frame; None if it is no frame."""
    try:
        header, body = libipld.decode_dag_cbor_multi(data)
    except (ValueError, TypeError):
        return None
    if not isinstance(header, dict) or not isinstance(body, dict):
        return None
    return (str(header.get("t")) if header.get("op") == 1 else None), body


def _is_wanted(op: Any, collections: tuple[str, ...]) -> bool:
    return (
        isinstance(op, dict)
        and op.get("action") in {"create", "update"}
        and isinstance(op.get("path"), str)
        and op["path"].partition("/")[0] in collections
    )


def _blocks(data: Any) -> dict[Any, Any]:
    """Return the blocks of a CAR file by content id."""
    try:
        return dict(libipld.decode_car(bytes(data or b""))[1])
    except (ValueError, TypeError):
        return {}


def _plain(node: Any) -> Any:
    """Return data as AT Protocol writes it in JSON: content ids as `$link`, bytes as `$bytes`."""
    if isinstance(node, dict):
        return {str(key): _plain(entry) for key, entry in node.items()}
    if isinstance(node, list):
        return [_plain(entry) for entry in node]
    if isinstance(node, bytes):
        if len(node) == 36 and node[:2] in {b"\x01\x71", b"\x01\x55"}:
            return {"$link": libipld.encode_cid(node)}
        return {"$bytes": base64.b64encode(node).decode()}
    return node
