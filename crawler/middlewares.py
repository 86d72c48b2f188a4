"""What every request and answer passes through on its way, inside Scrapy's downloader."""

import sys
import zlib
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import brotli  # type: ignore[import-untyped]
from scrapy import Request
from scrapy.downloadermiddlewares import cookies as scrapy_cookies
from scrapy.downloadermiddlewares.httpcompression import HttpCompressionMiddleware
from scrapy.downloadermiddlewares.redirect import RedirectMiddleware as ScrapyRedirects
from scrapy.exceptions import IgnoreRequest
from scrapy.http import Response
from tldextract import TLDExtract

from crawler.handler import header_pairs
from crawler.health import FetchFailed
from crawler.pace import Pace
from crawler.resolver import PublicOnlyResolver
from crawler.safety import MAX_CODINGS, UrlLaw, plain, tor_route, user_agent
from crawler.tor import FILES, TorRoute
from crawler.tor import TIMEOUT as TOR_TIMEOUT
from model.page import Exchange, Headers, Reason

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

# Cookies of a domain are checked against the list of public suffixes that tldextract brings along; by default it would
# fetch a newer one with `requests`, past our resolver and the whole law.
_no_fetch = TLDExtract(cache_dir=None, suffix_list_urls=(), include_psl_private_domains=True)
scrapy_cookies._split_domain = _no_fetch  # noqa: SLF001 - there is no setting


NOT_TEXT = (
    b"\xff\xd8\xff",
    b"\x89PNG",
    b"GIF8",
    b"RIFF",
    b"PK\x03\x04",
    b"%PDF-",
    b"Rar!",
    b"7z\xbc\xaf",
    b"\x1f\x8b",
    b"ID3",
)
"""How pictures, documents, archives and sounds begin; most others have a zero byte early on."""
BOMS = {b"\xff\xfe", b"\xfe\xff"}
"""Text in UTF-16 has zero bytes and says so at its start."""
BROKEN_CODINGS = (
    OSError,
    EOFError,
    ValueError,
    zlib.error,
    brotli.error,
    zstd.ZstdError,
)


class LawMiddleware:
    """Refuses URLs outside the law: first requests, redirects, robots.txt, images and links alike."""

    def __init__(self, law: UrlLaw, pace: Pace, route: TorRoute) -> None:
        self.law = law
        self.pace = pace
        self.route = route

    @classmethod
    def from_crawler(cls, crawler: Any) -> "LawMiddleware":
        """Build from the settings; refuse to work in a process whose resolver is not ours."""
        from twisted.internet import reactor

        resolver: Any = getattr(reactor, "nameResolver", None)
        if not isinstance(resolver, PublicOnlyResolver):
            raise RuntimeError("the filtering resolver is not installed: nothing may be fetched")
        route = tor_route(crawler.settings)
        law = UrlLaw(crawler.settings.getlist("SPILLWATCH_ALLOW"), onions=route.proxy is not None)
        return cls(law, crawler.get_extension(Pace), route)

    def process_request(self, request: Request) -> None:
        """Check one request, and count it."""
        self.law.check(request.url)
        if request.meta.get("proxy"):
            raise FetchFailed(Reason.FORBIDDEN_ADDRESS, "requests through a proxy would not pass the resolver")
        host = plain(urlsplit(request.url).hostname or "")
        # Set anew each time: a redirect takes the meta of its request along, and would queue under the old host.
        request.meta["download_slot"] = host
        request.meta["dont_merge_cookies"] = not request.meta.get("keep_cookies", False)
        self._over_tor(request, over_tor=self.route.carries(host))
        self.pace.spend(host)

    def _over_tor(self, request: Request, *, over_tor: bool) -> None:
        """Let no request change nets on its way, and only text come over Tor."""
        begun = request.meta.setdefault("over_tor", over_tor)
        if begun is not over_tor:
            # Else a hidden service learns who asks by sending us to its other host.
            raise FetchFailed(Reason.FORBIDDEN_ADDRESS, "a redirect does not lead from Tor to the clear net, or back")
        if not over_tor:
            return
        if request.meta.get("role") in FILES:
            raise FetchFailed(Reason.UNSUPPORTED, "over Tor only text is fetched")
        request.meta["text_only"] = True
        request.meta["download_timeout"] = TOR_TIMEOUT
        # Honest about what we are; who we are is not the business of those who sell records.
        request.headers["User-Agent"] = user_agent("")


class CookiesMiddleware(scrapy_cookies.CookiesMiddleware):
    """Keeps cookies in memory for one scan, for requests whose spider asked for it, each for its own host."""


class RedirectMiddleware(ScrapyRedirects):
    """Follows redirects, and takes nothing along to another host that was meant for the first."""

    def _build_redirect_request(self, source_request: Request, response: Response, *, url: str, **kwargs: Any) -> Any:
        request = super()._build_redirect_request(source_request, response, url=url, **kwargs)
        if urlsplit(source_request.url).netloc != urlsplit(request.url).netloc:
            for name in source_request.meta.get("secret_headers", ()):
                request.headers.pop(name, None)
            if request.meta.get("robots_of_host"):
                request.meta["dont_obey_robotstxt"] = False
        return request

    def _redirect(self, redirected: Request, request: Request, reason: Any) -> Request:
        try:
            followed: Request = super()._redirect(redirected, request, reason)
        except IgnoreRequest:
            raise FetchFailed(Reason.MALFORMED, "too many redirects") from None
        return followed

    def process_response(self, request: Request, response: Response) -> Any:  # type: ignore[override]  # the spider argument is deprecated
        """Follow a redirect; an address that nobody can read ends as malformed, not as a fault of ours."""
        try:
            return super().process_response(request, response)
        except ValueError:
            raise FetchFailed(Reason.MALFORMED, "the address of a redirect cannot be read") from None


class DecodingMiddleware(HttpCompressionMiddleware):
    """Undoes at most two content codings, within the size limit."""

    def process_response(self, request: Request, response: Response) -> Any:  # type: ignore[override]  # the spider argument is deprecated
        """Return the answer decoded."""
        codings = [
            coding
            for line in response.headers.getlist("Content-Encoding")
            for coding in line.split(b",")
            if coding.strip().lower() not in {b"", b"identity"}
        ]
        if len(codings) > MAX_CODINGS:
            raise FetchFailed(Reason.BOMB, "more content codings than anybody needs")
        if not codings:
            return response
        try:
            decoded = super().process_response(request, response)
        except IgnoreRequest:
            raise FetchFailed(Reason.BOMB, "the body grows beyond network.max_bytes when decoded") from None
        except BROKEN_CODINGS as error:
            raise FetchFailed(Reason.MALFORMED, f"the content coding is broken ({type(error).__name__})") from None
        if decoded.headers.getlist("Content-Encoding"):
            raise FetchFailed(Reason.UNSUPPORTED, "an unknown content coding")
        return decoded


class TextMiddleware:
    """Refuses what calls itself text and is not, where only text is wanted; behind the decoding."""

    @classmethod
    def from_crawler(cls, crawler: Any) -> "TextMiddleware":  # noqa: ARG003 - Scrapy's signature
        """Build; there is nothing to configure."""
        return cls()

    def process_response(self, request: Request, response: Response) -> Response:
        """Look at the first bytes."""
        start = response.body[:1024]
        if request.meta.get("text_only") and (start.startswith(NOT_TEXT) or (b"\0" in start and start[:2] not in BOMS)):
            raise FetchFailed(Reason.UNSUPPORTED, "only text is fetched here")
        return response


class WireMiddleware:
    """Keeps each request and answer as they were on the wire, before anything is decoded: the evidence."""

    @classmethod
    def from_crawler(cls, crawler: Any) -> "WireMiddleware":  # noqa: ARG003 - Scrapy's signature
        """Build; there is nothing to configure."""
        return cls()

    def process_request(self, request: Request) -> None:
        """Note when the request leaves."""
        request.meta["started_at"] = datetime.now(UTC)

    def process_response(self, request: Request, response: Response) -> Response:
        """Add the exchange to what the caller collects."""
        collected = request.meta.get("exchanges")
        if collected is not None:
            collected.append(_exchange(request, response))
        return response


def _exchange(request: Request, response: Response) -> Exchange:
    """Return one request and its answer as evidence."""
    redirected = response.status in {301, 302, 303, 307, 308}
    sent = header_pairs(request.headers)
    if not any(name.lower() == "host" for name, _ in sent):
        sent = (("Host", urlsplit(request.url).netloc), *sent)
    hidden = {"authorization", "cookie", *(name.lower() for name in request.meta.get("secret_headers", ()))}
    received = header_pairs(response.headers)
    if request.meta.get("keep_cookies"):
        received = _withheld(received, {"set-cookie"})
    return Exchange(
        url=request.url,
        method=request.method,
        request_headers=_withheld(sent, hidden),
        status=response.status,
        response_headers=received,
        body=response.body,
        started_at=request.meta["started_at"],
        finished_at=datetime.now(UTC),
        role="redirect" if redirected else request.meta.get("role", "item"),
        peer=str(response.ip_address) if response.ip_address is not None else None,
    )


def _withheld(pairs: Headers, names: set[str]) -> Headers:
    """Return headers without the values of those that open an account: evidence is handed on."""
    return tuple((name, "(withheld)" if name.lower() in names else value) for name, value in pairs)
