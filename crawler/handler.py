"""The one door through which requests leave: Scrapy's HTTP handler, in its host's turn, with limits on headers.

Everything passes here, whatever asked for it: pages, pictures, redirects, retries, robots.txt.
"""

from typing import Any
from urllib.parse import urlsplit

from scrapy import Request
from scrapy.core.downloader.handlers.http11 import (
    HTTP11DownloadHandler,
    _LenientHTTP11ClientFactory,
    _LenientHTTP11ClientProtocol,
    _LenientHTTPClientParser,
)
from scrapy.exceptions import DownloadFailedError
from scrapy.http import Response

from crawler.health import FetchFailed
from crawler.pace import Pace
from crawler.safety import plain
from model.page import Headers, Reason

MAX_HEADER_BYTES = 262_144
"""All header lines of one answer, interim answers (1xx) included; Twisted limits a line but not how many there are."""


class HeadersTooBig(Exception):
    """A server sends header lines without end."""


class _Parser(_LenientHTTPClientParser):
    """Scrapy's parser, with a limit on what comes before a body."""

    head_bytes = 0

    def lineReceived(self, line: bytes) -> None:  # noqa: N802 - Twisted's name
        """Count a line of the head and pass it on."""
        self.head_bytes += len(line) + 1
        if self.head_bytes > MAX_HEADER_BYTES:
            raise HeadersTooBig
        super().lineReceived(line)


class _Protocol(_LenientHTTP11ClientProtocol):
    def request(self, request: Any) -> Any:
        """Send a request, and read its answer with our parser."""
        answer = super().request(request)
        # As in Scrapy: Twisted names the class of its parser itself, and ours adds no state that must be set up.
        self._parser.__class__ = _Parser
        return answer


class _Factory(_LenientHTTP11ClientFactory):
    def buildProtocol(self, addr: Any) -> Any:  # noqa: N802 - Twisted's name
        """Return the protocol of one connection."""
        return _Protocol(self._quiescentCallback)  # type: ignore[no-untyped-call]


class LawfulHandler(HTTP11DownloadHandler):
    """Downloads over http and https when it is the host's turn."""

    def __init__(self, crawler: Any) -> None:
        super().__init__(crawler)
        self._pool._factory = _Factory  # noqa: SLF001 - as Scrapy itself does
        self.pace: Pace = crawler.get_extension(Pace)

    async def download_request(self, request: Request) -> Response:
        """Return the answer, and note what it says about the next request to this host."""
        host = plain(urlsplit(request.url).hostname or "")
        async with self.pace.turn(host):
            try:
                response: Response = await super().download_request(request)
            except DownloadFailedError as error:
                if _has_endless_headers(error):
                    raise FetchFailed(Reason.TOO_BIG, "the answer has more headers than anybody needs") from None
                raise
            self.pace.answered(host, response.status, header_pairs(response.headers))
            return response


def header_pairs(headers: Any) -> Headers:
    """Return Scrapy's headers as pairs of text."""
    return tuple(
        (name.decode("latin-1"), value.decode("latin-1")) for name in headers for value in headers.getlist(name)
    )


def _has_endless_headers(error: DownloadFailedError) -> bool:
    reasons = getattr(error.__cause__, "reasons", ())
    return any(reason.check(HeadersTooBig) for reason in reasons)
