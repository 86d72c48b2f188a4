"""What every request and answer passes through on its way, inside Scrapy's downloader."""

import zlib
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from scrapy import Request, signals
from scrapy.downloadermiddlewares.httpcompression import HttpCompressionMiddleware
from scrapy.downloadermiddlewares.redirect import RedirectMiddleware as ScrapyRedirects
from scrapy.downloadermiddlewares.robotstxt import RobotsTxtMiddleware
from scrapy.exceptions import IgnoreRequest, StopDownload
from scrapy.http import Response

from crawler.health import FetchFailed
from crawler.resolver import PublicOnlyResolver
from crawler.safety import MAX_CODINGS, UrlLaw
from model.page import Exchange, Reason


class LawMiddleware:
    """Refuses URLs outside the law: first requests, redirects, robots.txt, images and links alike."""

    def __init__(self, law: UrlLaw, *, max_requests: int) -> None:
        self.law = law
        self.left = max_requests

    @classmethod
    def from_crawler(cls, crawler: Any) -> "LawMiddleware":
        """Build from the settings; refuse to work in a process whose resolver is not ours."""
        from twisted.internet import reactor

        resolver: Any = getattr(reactor, "nameResolver", None)
        if not isinstance(resolver, PublicOnlyResolver):
            raise RuntimeError("the filtering resolver is not installed: nothing may be fetched")
        return cls(
            UrlLaw(crawler.settings.getlist("SPILLWATCH_ALLOW")),
            max_requests=crawler.settings.getint("SPILLWATCH_MAX_REQUESTS"),
        )

    def process_request(self, request: Request) -> None:
        """Check one request, and count it."""
        self.law.check(request.url)
        if request.meta.get("proxy"):
            raise FetchFailed(Reason.FORBIDDEN_ADDRESS, "requests through a proxy would not pass the resolver")
        if self.left <= 0:
            raise FetchFailed(Reason.LIMIT, "network.max_pages is reached")
        self.left -= 1


class RobotsMiddleware(RobotsTxtMiddleware):
    """Obeys robots.txt, and says so in the words of the house."""

    def process_request_2(self, rp: Any, request: Request) -> None:
        """Refuse what robots.txt refuses."""
        try:
            super().process_request_2(rp, request)
        except IgnoreRequest:
            raise FetchFailed(Reason.ROBOTS, "robots.txt forbids it") from None


class RedirectMiddleware(ScrapyRedirects):
    """Follows redirects, and carries neither a secret header nor a decision on robots to another host."""

    def _build_redirect_request(self, source_request: Request, response: Response, *, url: str, **kwargs: Any) -> Any:
        request = super()._build_redirect_request(source_request, response, url=url, **kwargs)
        if urlsplit(source_request.url).netloc != urlsplit(request.url).netloc:
            for name in source_request.meta.get("secret_headers", ()):
                request.headers.pop(name, None)
            if source_request.meta.get("robots_decided_for_host"):
                request.meta["dont_obey_robotstxt"] = False
        return request

    def _redirect(self, redirected: Request, request: Request, reason: Any) -> Request:
        try:
            followed: Request = super()._redirect(redirected, request, reason)
        except IgnoreRequest:
            raise FetchFailed(Reason.LIMIT, "too many redirects") from None
        return followed


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
        except (OSError, EOFError, ValueError, zlib.error) as error:
            raise FetchFailed(Reason.MALFORMED, f"the content coding is broken ({type(error).__name__})") from None
        if decoded.headers.getlist("Content-Encoding"):
            raise FetchFailed(Reason.UNSUPPORTED, "an unknown content coding")
        return decoded


class WireMiddleware:
    """Keeps each request and answer as they were on the wire, before anything is decoded: the evidence."""

    @classmethod
    def from_crawler(cls, crawler: Any) -> "WireMiddleware":
        """Build, and have each answer looked at when its headers are there."""
        crawler.signals.connect(leave_unwanted, signal=signals.headers_received, weak=False)
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


def leave_unwanted(headers: Any, request: Request, **_: Any) -> None:
    """Stop a download at its headers if nobody wants a body of its type."""
    accepts = request.meta.get("accepts")
    declared = (headers.get("Content-Type") or b"").decode("latin-1").partition(";")[0].strip().lower()
    if accepts is not None and not accepts(declared, request.url):
        raise StopDownload(fail=True)


def _exchange(request: Request, response: Response) -> Exchange:
    """Return one request and its answer as evidence."""
    redirected = response.status in {301, 302, 303, 307, 308}
    sent = _header_pairs(request.headers)
    if not any(name.lower() == "host" for name, _ in sent):
        sent = (("Host", urlsplit(request.url).netloc), *sent)
    hidden = {name.lower() for name in request.meta.get("secret_headers", ())}
    return Exchange(
        url=request.url,
        method=request.method,
        request_headers=tuple((name, "(withheld)" if name.lower() in hidden else value) for name, value in sent),
        status=response.status,
        response_headers=_header_pairs(response.headers),
        body=response.body,
        started_at=request.meta["started_at"],
        finished_at=datetime.now(UTC),
        role="redirect" if redirected else request.meta.get("role", "item"),
        peer=str(response.ip_address) if response.ip_address is not None else None,
    )


def _header_pairs(headers: Any) -> tuple[tuple[str, str], ...]:
    """Return Scrapy's headers as pairs of text."""
    return tuple(
        (name.decode("latin-1"), value.decode("latin-1")) for name in headers for value in headers.getlist(name)
    )
