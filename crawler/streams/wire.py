"""Connections of a stream worker: WebSocket, server-sent events and plain GET, all under the law of fetching.

The same law as in `crawler/safety.py`, held twice here too: `UrlLaw` looks at what is written; names lead only to
public addresses, and the very address that a socket is about to connect to is looked at once more, so that neither
an IP literal nor a second answer of the resolver gets around it. No proxy, no cookie, no redirect, TLS verified.
"""

import asyncio
import socket
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import inf
from typing import Any, Self
from urllib.parse import urljoin, urlsplit, urlunsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver
from protego import Protego

from crawler.fetcher import ANYTHING, Answer, Fetcher, Wants, refresh_of
from crawler.health import FetchFailed, diagnose
from crawler.interface import NetworkSettings, SiteSettings, Validators
from crawler.pace import Pace
from crawler.rates import retry_after
from crawler.safety import UrlLaw, is_public, user_agent
from model.page import Exchange, Headers, Reason

PLAIN = {"wss": "https", "ws": "http"}
MAX_REFUSAL = 100_000
"""Bytes read of an answer that is no stream."""
ROBOTS_SECONDS = 86_400.0
WITHHELD = "(withheld)"


@dataclass(frozen=True, slots=True)
class Frame:
    """One message of a WebSocket. Its repr shows no content."""

    data: bytes = field(repr=False)
    text: bool
    received_at: datetime


class Channel:
    """An open WebSocket."""

    def __init__(self, socket_: "aiohttp.ClientWebSocketResponse[Any]", asked: Exchange, idle: float) -> None:
        """Wrap a connection; it counts as broken when nothing, not even a ping, came for `idle` seconds."""
        self._socket = socket_
        self._asked = asked
        self._idle = idle
        self.close_code: int | None = None
        """Why the other side ended it (RFC 6455 §7.4), once it has."""
        self.close_reason = ""

    @property
    def url(self) -> str:
        """Return where it leads."""
        return self._asked.url

    @property
    def opening(self) -> Exchange:
        """Return the request that opened it, and the answer, as evidence."""
        return self._asked

    async def frames(self) -> AsyncIterator[Frame]:
        """Yield every message until the other side ends the connection; raises FetchFailed if it breaks."""
        while True:
            try:
                message = await self._socket.receive(self._idle)
            except TimeoutError:
                raise FetchFailed(Reason.TIMEOUT, "the stream fell silent; the connection may be half open") from None
            if message.type in {aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY}:
                is_text = message.type is aiohttp.WSMsgType.TEXT
                yield Frame(message.data, is_text, datetime.now(UTC))
            elif message.type is aiohttp.WSMsgType.PING:
                await self._pong(message.data)
            elif message.type is aiohttp.WSMsgType.ERROR:
                raise FetchFailed(self._why_broken(message.data))
            elif message.type is not aiohttp.WSMsgType.PONG:
                self._note_close(message)
                if self.close_code in {None, aiohttp.WSCloseCode.ABNORMAL_CLOSURE}:
                    raise FetchFailed(Reason.NETWORK, "the connection broke")
                return

    async def send(self, text: str) -> None:
        """Send a message."""
        try:
            await self._socket.send_str(text)
        except (aiohttp.ClientError, OSError) as error:
            raise FetchFailed(Reason.NETWORK, f"the connection broke ({type(error).__name__})") from None

    def exchange(self, frame: Frame) -> Exchange:
        """Return a message as evidence: the request that opened the stream, answered by this message."""
        asked = self._asked
        return Exchange(
            url=asked.url,
            method=asked.method,
            request_headers=asked.request_headers,
            status=asked.status,
            response_headers=asked.response_headers,
            body=frame.data,
            started_at=asked.started_at,
            finished_at=frame.received_at,
            role="item",
            peer=asked.peer,
        )

    async def _pong(self, data: bytes) -> None:
        try:
            await self._socket.pong(data)
        except (aiohttp.ClientError, OSError) as error:
            raise FetchFailed(Reason.NETWORK, f"the connection broke ({type(error).__name__})") from None

    def _note_close(self, message: aiohttp.WSMessage) -> None:
        self.close_code = self._socket.close_code
        if message.type is aiohttp.WSMsgType.CLOSE and isinstance(message.extra, str):
            self.close_reason = message.extra

    @staticmethod
    def _why_broken(error: object) -> Reason:
        code = getattr(error, "code", None)
        if code == aiohttp.WSCloseCode.MESSAGE_TOO_BIG:
            return Reason.TOO_BIG
        return Reason.MALFORMED if code is not None else Reason.NETWORK


class Wire(Fetcher):
    """Opens connections for one worker. Enter it before use."""

    def __init__(self, site: SiteSettings, network: NetworkSettings) -> None:
        super().__init__(None)
        self.site = site
        self.network = network
        self.law = UrlLaw(network.allow)
        self._doorman = _Doorman(self.law)
        self._session: aiohttp.ClientSession | None = None
        self._rules: dict[str, tuple[float, Protego | None]] = {}
        # A worker has no end, so no caps; a scan of its own begins with each restart.
        self._pace = Pace(max_requests=sys.maxsize, max_per_host=sys.maxsize, max_bytes=sys.maxsize, max_seconds=inf)

    @property
    def pace(self) -> Pace:
        """The delays of this worker."""
        return self._pace

    async def __aenter__(self) -> Self:
        """Open the session."""
        refuse = aiohttp.TraceConfig()
        refuse.on_request_redirect.append(_refuse_redirect)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                resolver=self._doorman, use_dns_cache=False, socket_factory=self._doorman.socket, limit=100
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": user_agent(self.network.contact)},
            timeout=aiohttp.ClientTimeout(total=None, connect=self.network.timeout, sock_connect=self.network.timeout),
            trust_env=False,
            trace_configs=[refuse],
        )
        return self

    async def __aexit__(self, *error: object) -> None:
        """Close every connection."""
        if self._session is not None:
            await self._session.close()

    @asynccontextmanager
    async def websocket(
        self,
        url: str,
        *,
        protocols: Sequence[str] = (),
        headers: Mapping[str, str] | None = None,
        secret_headers: Sequence[str] = (),
        idle: float = 90.0,
        heartbeat: float | None = None,
    ) -> AsyncIterator[Channel]:
        """Open a WebSocket; raises FetchFailed, and `Refused` when the server answers with anything else.

        Messages are at most `network.max_bytes` long, and never compressed: what is not offered cannot be a bomb.
        `heartbeat` sends a ping of our own every so many seconds, for streams that may be silent by nature.
        """
        self._check(url)
        started_at = datetime.now(UTC)
        async with self._translated(url):
            try:
                async with asyncio.timeout(self.network.timeout):
                    opened = await self._opened().ws_connect(
                        url,
                        protocols=protocols,
                        headers=headers,
                        # Not waiting long for the other side's close: it may never come.
                        timeout=aiohttp.ClientWSTimeout(ws_close=2.0),
                        autoping=False,
                        heartbeat=heartbeat,
                        compress=0,
                        max_msg_size=self.network.max_bytes,
                        decode_text=False,
                    )
            except aiohttp.WSServerHandshakeError as error:
                raise await self._refusal(url, error, headers) from None
        asked = self._exchange(url, headers, secret_headers, opened, started_at)
        try:
            yield Channel(opened, asked, idle)
        finally:
            await opened.close()

    @asynccontextmanager
    async def lines(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        secret_headers: Sequence[str] = (),
        idle: float = 90.0,
    ) -> AsyncIterator[tuple[Exchange, AsyncIterator[bytes]]]:
        """Open a response that does not end; yields what was asked, and its lines without their ends as they come."""
        self._check(url)
        await self._permit(url)
        started_at = datetime.now(UTC)
        async with self._translated(url):
            response = await self._opened().get(
                url,
                headers={"Accept": "text/event-stream", "Accept-Encoding": "identity", **(headers or {})},
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(
                    total=None, connect=self.network.timeout, sock_connect=self.network.timeout, sock_read=idle
                ),
            )
        async with response:
            if response.status != 200:
                body = await _at_most(response, MAX_REFUSAL)
                raise Refused(_reason(response.status, _pairs(response.headers), url, body), response.status, body)
            asked = self._exchange(url, headers, secret_headers, response, started_at)
            yield asked, self._lines(response, url)

    async def get(
        self,
        url: str,
        role: str = "item",
        *,
        method: str = "",
        headers: Mapping[str, str] | None = None,
        secret_headers: Sequence[str] = (),
        body: bytes = b"",
        form: Mapping[str, str] | None = None,
        validators: Validators | None = None,
        cookies: bool | None = None,
        robots: str = "",
        delay: float = 0.0,
        text_only: bool = False,
        wants: Wants = ANYTHING,
    ) -> Answer:
        """Return an answer, or raise FetchFailed with the reason: one request per host at a time, robots obeyed.

        Answers are whole each time, and there are no cookies and no forms here: what asks for them is told so.
        """
        if form is not None or cookies or text_only:
            raise ValueError("a stream's wire keeps no cookies, sends no forms and tells no text from files")
        self._check(url)
        if not robots.startswith("ignore") and wants.obey_robots is not False:
            await self._permit(url)
        host = urlsplit(url).hostname or ""
        self.pace.keep_apart(host, max(delay, self.site.delay))
        async with self.pace.turn(host):
            return await self._get(url, role, method or "GET", dict(headers or {}), secret_headers, body, wants=wants)

    async def target(self, url: str, wants: Wants = ANYTHING) -> str:
        """Return where an address redirects to, without going there; an empty string if it does not."""
        try:
            answer = await self.get(url, "item", wants=wants)
        except Refused as refused:
            if refused.location:
                return urljoin(url, refused.location)
            raise
        return refresh_of(answer)

    async def _get(
        self,
        url: str,
        role: str,
        method: str,
        headers: dict[str, str],
        secret_headers: Sequence[str],
        body: bytes,
        wants: Wants = ANYTHING,
    ) -> Answer:
        started_at = datetime.now(UTC)
        async with (
            self._translated(url),
            asyncio.timeout(self.network.timeout),
            self._opened().request(
                method,
                url,
                headers={"Accept-Encoding": "identity", **headers},
                data=body or None,
                allow_redirects=False,
            ) as response,
        ):
            if wants.accepts is not None and not wants.accepts(response.content_type, url):
                raise FetchFailed(Reason.UNSUPPORTED, "of a type that is not fetched")
            data = await _at_most(response, min(wants.max_bytes or sys.maxsize, self.network.max_bytes))
            exchange = self._exchange(url, headers, secret_headers, response, started_at, data, role, method)
        pairs = _pairs(response.headers)
        if response.headers.get("Content-Encoding", "identity").strip().lower() not in {"", "identity"}:
            raise FetchFailed(Reason.UNSUPPORTED, "a content coding that was not asked for")
        reason = diagnose(response.status, pairs, url, url, response.content_type, data)
        if reason is not None:
            pause = retry_after(response.headers.get("Retry-After", ""))
            if reason is Reason.RATE_LIMITED:
                pause = pause or 60.0
                self.pause(url, pause)
            location = response.headers.get("Location", "") if 300 <= response.status < 400 else ""
            raise Refused(reason, response.status, data[:MAX_REFUSAL], pause, location)
        return Answer(url, response.status, pairs, data, (exchange,), exchange.finished_at)

    async def _permit(self, url: str) -> None:
        """Raise FetchFailed if the host's robots.txt forbids the address and the operator has not said otherwise."""
        if self.site.robots.startswith("ignore"):
            return
        parts = urlsplit(url)
        loop = asyncio.get_running_loop()
        known = self._rules.get(parts.netloc)
        if known is None or known[0] < loop.time():
            rules = await self._read_robots(f"{parts.scheme}://{parts.netloc}/robots.txt")
            known = self._rules[parts.netloc] = (loop.time() + ROBOTS_SECONDS, rules)
        if known[1] is not None and not known[1].can_fetch(url, "Spillwatch"):
            raise FetchFailed(Reason.ROBOTS, "robots.txt forbids it")

    async def _read_robots(self, url: str) -> Protego | None:
        """Return a host's rules, or None where it has none (RFC 9309: unavailable is no rule, unreachable is)."""
        try:
            answer = await self._get(url, "robots", "GET", {}, (), b"")
        except Refused as refused:
            if 400 <= refused.status < 500:
                return None
            raise
        return Protego.parse(answer.body[:500_000].decode("utf-8", "replace"))

    async def _refusal(
        self, url: str, error: aiohttp.WSServerHandshakeError, headers: Mapping[str, str] | None
    ) -> "Refused":
        """Return why a WebSocket was refused; the reason stands in a body that only a plain request shows."""
        pairs = _pairs(error.headers or {})
        body = b""
        if 400 <= error.status < 500 and error.status != 429:
            async with (
                self._translated(url),
                asyncio.timeout(self.network.timeout),
                self._opened().get(_plain(url), headers=headers, allow_redirects=False) as response,
            ):
                if response.status == error.status:
                    body = await _at_most(response, MAX_REFUSAL)
        reason = _reason(error.status, pairs, url, body)
        return Refused(reason, error.status, body, retry_after(dict(pairs).get("Retry-After", "")))

    async def _lines(self, response: aiohttp.ClientResponse, url: str) -> AsyncIterator[bytes]:
        """Yield lines of any length up to the cap; CR, LF and CRLF all end one."""
        waiting = bytearray()
        async with self._translated(url):
            async for chunk in response.content.iter_any():
                waiting += chunk
                *whole, rest = waiting.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
                if len(rest) > self.network.max_bytes:
                    raise FetchFailed(Reason.TOO_BIG, "larger than network.max_bytes")
                waiting = bytearray(rest)
                for line in whole:
                    yield bytes(line)

    def _check(self, url: str) -> None:
        self.law.check(_plain(url))

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise RuntimeError("enter the wire before using it")
        return self._session

    @asynccontextmanager
    async def _translated(self, url: str) -> AsyncIterator[None]:
        """Tell what goes wrong below as a reason."""
        host, refused = urlsplit(url).hostname or "", self._doorman.refused
        refused.discard(host)
        try:
            yield
        except FetchFailed:
            raise
        except (TimeoutError, aiohttp.ServerTimeoutError):
            raise FetchFailed(Reason.TIMEOUT) from None
        except aiohttp.InvalidURL:
            raise FetchFailed(Reason.MALFORMED, "not a URL") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            if host in refused:
                raise FetchFailed(Reason.FORBIDDEN_ADDRESS, "the name leads to an address that is not public") from None
            raise FetchFailed(Reason.NETWORK, f"the connection failed ({type(error).__name__})") from None

    def _exchange(
        self,
        url: str,
        headers: Mapping[str, str] | None,
        secret_headers: Sequence[str],
        answered: Any,
        started_at: datetime,
        body: bytes = b"",
        role: str = "item",
        method: str = "GET",
    ) -> Exchange:
        """Return a request and its answer as evidence, without secrets."""
        hidden = {name.lower() for name in secret_headers}
        told = {"Host": urlsplit(url).netloc, "User-Agent": user_agent(self.network.contact), **(headers or {})}
        response = getattr(answered, "_response", answered)
        connection = response.connection
        peer = connection.transport.get_extra_info("peername") if connection and connection.transport else None
        return Exchange(
            url=_plain(url),
            method=method,
            request_headers=tuple((name, WITHHELD if name.lower() in hidden else text) for name, text in told.items()),
            status=response.status,
            response_headers=_pairs(response.headers),
            body=body,
            started_at=started_at,
            finished_at=datetime.now(UTC),
            role=role,
            peer=str(peer[0]) if peer else None,
        )


class Refused(FetchFailed):
    """The server answered, but not with what was asked for."""

    def __init__(self, reason: Reason, status: int, body: bytes, pause: float = 0.0, location: str = "") -> None:
        """Keep what it answered for who knows the protocol's own words; the message does not quote it."""
        super().__init__(reason, f"the server answered {status}", pause)
        self.status = status
        self.body = body
        self.location = location
        """Where it sends us, which is not followed."""


class _Doorman(AbstractResolver):
    """Lets only public addresses through, and what the operator allows: when names are looked up, and at the socket."""

    def __init__(self, law: UrlLaw) -> None:
        self._law = law
        self._system: AbstractResolver | None = None
        self._allowed: set[tuple[str, int]] = set()
        self.refused: set[str] = set()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return the addresses of a name that may be connected to."""
        self._system = self._system or ThreadedResolver()
        found = await self._system.resolve(host, port, family)
        if self._law.permits(host, port):
            self._allowed |= {(each["host"], port) for each in found}
            return found
        public = [each for each in found if is_public(each["host"])]
        if not public:
            self.refused.add(host)
            raise OSError("no public address")
        return public

    async def close(self) -> None:
        """Nothing is held."""

    def socket(self, address: Any) -> socket.socket:
        """Make the socket for an address, having looked at it once more."""
        family, kind, protocol, _, where = address
        host, port = str(where[0]), int(where[1])
        if not (is_public(host) or (host, port) in self._allowed or self._law.permits(host, port)):
            self.refused.add(host)
            raise OSError("not a public address")
        return socket.socket(family, kind, protocol)


async def _refuse_redirect(*ignored: object) -> None:
    raise FetchFailed(Reason.MALFORMED, "the stream leads elsewhere: give its final address")


async def _at_most(response: aiohttp.ClientResponse, limit: int) -> bytes:
    """Return the body; raises FetchFailed when it is longer than the limit."""
    data = bytearray()
    async for chunk in response.content.iter_any():
        data += chunk
        if len(data) > limit:
            raise FetchFailed(Reason.TOO_BIG, "larger than network.max_bytes")
    return bytes(data)


def _reason(status: int, headers: Headers, url: str, body: bytes) -> Reason:
    media_type = next((text for name, text in headers if name.lower() == "content-type"), "").partition(";")[0]
    return diagnose(status, headers, url, url, media_type.strip().lower(), body) or Reason.MALFORMED


def _plain(url: str) -> str:
    """Return the address with `https` for `wss` and `http` for `ws`: the same host, port and law."""
    scheme, netloc, path, query, fragment = urlsplit(url)
    return urlunsplit((PLAIN.get(scheme, scheme), netloc, path, query, fragment))


def _pairs(headers: Any) -> Headers:
    return tuple((str(name), str(text)) for name, text in headers.items())
