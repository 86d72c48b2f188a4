"""The one door through which requests leave: Scrapy's HTTP handler, in its host's turn, with limits on headers.

Everything passes here, whatever asked for it: pages, pictures, redirects, retries, robots.txt.
"""

import re
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from scrapy import Request, signals
from scrapy.core.downloader.handlers.http11 import (
    HTTP11DownloadHandler,
    _LenientHTTP11ClientFactory,
    _LenientHTTP11ClientProtocol,
    _LenientHTTPClientParser,
    _ScrapyAgent,
)
from scrapy.exceptions import DownloadFailedError, ResponseDataLossError
from scrapy.http import Response
from scrapy.utils._download_handlers import wrap_twisted_exceptions
from scrapy.utils.defer import maybe_deferred_to_future
from twisted.web.client import Agent, HTTPConnectionPool

from crawler.health import FetchFailed
from crawler.pace import CapReached, Pace, Stopped
from crawler.safety import plain, tor_route
from crawler.tor import TorEndpoints
from model.page import Headers, Reason

TEXT = re.compile(r"text/(?!vnd\.)[\w.+-]+|application/([\w.-]+\+)?(json|xml)|")
"""Media types of text; where none is declared, the bytes decide."""
MAX_HEADER_BYTES = 262_144
"""All header lines of one answer, interim answers (1xx) included; Twisted limits a line but not how many there are."""


class HeadersTooBig(Exception):
    """A server sends header lines without end."""


class _Parser(_LenientHTTPClientParser):
    """Scrapy's parser, with a limit on what comes before a body, that counts what comes as it is on the wire."""

    head_bytes = 0
    pace: Pace
    transport: Any

    def lineReceived(self, line: bytes) -> None:  # noqa: N802 - Twisted's name
        """Count a line of the head and pass it on."""
        self.head_bytes += len(line) + 1
        if self.head_bytes > MAX_HEADER_BYTES:
            raise HeadersTooBig
        super().lineReceived(line)

    def rawDataReceived(self, data: bytes) -> None:  # noqa: N802 - Twisted's name
        """Count bytes of a body with its framing, once per read and not once per chunk, and pass them on."""
        self.pace.bytes += len(data)
        if self.pace.bytes > self.pace.max_bytes:
            self.transport.abortConnection()
            return
        super().rawDataReceived(data)  # type: ignore[no-untyped-call]


class _Protocol(_LenientHTTP11ClientProtocol):
    pace: Pace

    def request(self, request: Any) -> Any:
        """Send a request, and read its answer with our parser."""
        answer = super().request(request)
        # As in Scrapy: Twisted names the class of its parser itself, and ours adds no state that must be set up.
        parser: Any = self._parser
        parser.__class__ = _Parser
        parser.pace = self.pace
        return answer


class _Factory(_LenientHTTP11ClientFactory):
    def __init__(self, pace: Pace, *others: Any) -> None:
        super().__init__(*others)  # type: ignore[no-untyped-call]
        self.pace = pace

    def buildProtocol(self, addr: Any) -> Any:  # noqa: N802 - Twisted's name
        """Return the protocol of one connection."""
        protocol = _Protocol(self._quiescentCallback)  # type: ignore[no-untyped-call]
        protocol.pace = self.pace
        return protocol


class _TorAgent(_ScrapyAgent):
    """Scrapy's agent, on connections through the proxy."""

    def __init__(self, endpoints: TorEndpoints, **others: Any) -> None:
        super().__init__(**others)
        self.endpoints = endpoints

    def _get_agent(self, request: Request, timeout: float) -> Any:
        return Agent.usingEndpointFactory(  # type: ignore[no-untyped-call]
            self.endpoints.reactor, self.endpoints, pool=self._pool
        )


class LawfulHandler(HTTP11DownloadHandler):
    """Downloads over http and https when it is the host's turn, and onion hosts through Tor alone."""

    def __init__(self, crawler: Any) -> None:
        from twisted.internet import reactor

        super().__init__(crawler)
        self.pace: Pace = crawler.get_extension(Pace)
        factory: Any = partial(_Factory, self.pace)
        self._pool._factory = factory  # noqa: SLF001 - as Scrapy itself does
        # Connections through the proxy wait in a pool of their own: none is ever used for the other net.
        self.tor_pool: Any = HTTPConnectionPool(reactor)  # type: ignore[no-untyped-call]
        self.tor_pool.maxPersistentPerHost = 1
        self.tor_pool._factory = factory  # noqa: SLF001
        self.route = tor_route(crawler.settings)
        self.endpoints = TorEndpoints(reactor, self.route, self._contextFactory)
        crawler.signals.connect(only_wanted, signal=signals.headers_received)

    async def close(self) -> None:
        """Close what waits in the pools."""
        self.tor_pool.closeCachedConnections()
        await super().close()

    async def download_request(self, request: Request) -> Response:
        """Return the answer, and note what it says about the next request to this host."""
        host = plain(urlsplit(request.url).hostname or "")
        async with self.pace.turn(host):
            try:
                response = await self._download(request, host)
            except (DownloadFailedError, ResponseDataLossError) as error:
                if self.pace.bytes > self.pace.max_bytes:
                    raise CapReached("network.max_scan_bytes") from None
                if _has_endless_headers(error):
                    raise FetchFailed(Reason.TOO_BIG, "the answer has more headers than anybody needs") from None
                raise
            self.pace.answered(host, response.status, header_pairs(response.headers))
            return response

    async def _download(self, request: Request, host: str) -> Response:
        """Send a request on the way that its host is reached by."""
        if not self.route.carries(host):
            direct: Response = await super().download_request(request)
            return direct
        self.route.check(host)
        agent = _TorAgent(
            self.endpoints,
            contextFactory=self._contextFactory,
            pool=self.tor_pool,
            maxsize=self._default_maxsize,
            fail_on_dataloss=self._fail_on_dataloss,
            crawler=self._crawler,
        )
        with wrap_twisted_exceptions():
            response: Response = await maybe_deferred_to_future(agent.download_request(request))
        # Twisted knows the proxy's address, which says nothing about who answered.
        return response.replace(ip_address=None)


def only_wanted(headers: Any, request: Request) -> None:
    """Break off a download before its body: of a type that nobody wants, or not text where only text is wanted."""
    declared = (headers.get(b"Content-Type") or b"").partition(b";")[0].strip().lower().decode("latin-1")
    accepts = request.meta.get("accepts")
    if accepts is not None and not accepts(declared, request.url):
        raise Stopped(FetchFailed(Reason.UNSUPPORTED, "of a type that is not fetched"))
    if not request.meta.get("text_only"):
        return
    attached = (headers.get(b"Content-Disposition") or b"").strip().lower().startswith(b"attachment")
    if attached or not TEXT.fullmatch(declared):
        raise Stopped(FetchFailed(Reason.UNSUPPORTED, "only text is fetched here"))


def header_pairs(headers: Any) -> Headers:
    """Return Scrapy's headers as pairs of text."""
    return tuple(
        (name.decode("latin-1"), value.decode("latin-1")) for name in headers for value in headers.getlist(name)
    )


def _has_endless_headers(error: Exception) -> bool:
    reasons = getattr(error.__cause__, "reasons", ())
    return any(reason.check(HeadersTooBig) for reason in reasons)
