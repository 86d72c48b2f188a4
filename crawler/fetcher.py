"""One request, one answer: Scrapy's engine behind a function, with every failure told as a reason."""

import html
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import Message
from typing import Any
from urllib.parse import unquote, urlencode, urljoin, urlsplit

import structlog
from scrapy import Request
from scrapy.http import Response
from scrapy.http.request import NO_CALLBACK

from crawler.failures import failure_of
from crawler.handler import header_pairs
from crawler.health import FetchFailed, diagnose
from crawler.interface import Validators
from crawler.pace import MAX_WAIT, Pace
from crawler.rates import is_limit
from crawler.safety import plain
from crawler.tor import FILES
from model.page import Exchange, Headers, Part, Reason

MAX_TRIES = 3
FIRST_PAUSE = 5.0
"""Seconds, doubled with each try, that a host is left alone that says "too often" and not until when."""
_REFRESH = re.compile(rb"http-equiv=[\"']?refresh[^>]{0,40}url=([^\"'> ]{8,2000})", re.IGNORECASE)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that is content, decoded. Its repr shows no content."""

    url: str = field(repr=False)
    """Where redirects ended."""
    status: int
    headers: Headers = field(repr=False)
    body: bytes = field(repr=False)
    """Content-decoded, not charset-decoded."""
    exchanges: tuple[Exchange, ...] = field(repr=False)
    """As on the wire, redirects included."""
    fetched_at: datetime

    @property
    def unchanged(self) -> bool:
        """Whether the server said that nothing changed (304)."""
        return self.status == 304

    def header(self, name: str) -> str:
        """Return the first value of a header, or an empty string."""
        return next((value for key, value in self.headers if key.lower() == name), "")

    @property
    def media_type(self) -> str:
        """As declared, without parameters, lower case."""
        return self.header("content-type").partition(";")[0].strip().lower()

    @property
    def charset(self) -> str | None:
        """As declared, if declared."""
        found = re.search(r"charset\s*=\s*[\"']?([\w.:-]{1,40})", self.header("content-type"), re.IGNORECASE)
        return found.group(1).lower() if found else None

    @property
    def file_name(self) -> str:
        """The name that Content-Disposition gives, or the last segment of the path."""
        message = Message()
        message["content-disposition"] = self.header("content-disposition").replace("\n", " ").replace("\r", " ")
        named = message.get_filename()
        if named:
            return named[:255]
        return unquote(urlsplit(self.url).path.rsplit("/", 1)[-1])[:255]

    @property
    def validators(self) -> Validators:
        """What makes the next request conditional."""
        return Validators(etag=self.header("etag") or None, last_modified=self.header("last-modified") or None)

    def part(self, provenance: str, name: str = "") -> Part:
        """Return the whole body as a part to be decoded."""
        return Part(
            provenance=provenance,
            media_type=self.media_type,
            data=self.body,
            name=name or self.file_name,
            charset=self.charset,
        )


@dataclass(frozen=True, slots=True)
class Wants:
    """What an answer may be; one that is bigger or of another type is left at its headers."""

    max_bytes: int | None = None
    """Decoded; never more than `network.max_bytes`."""
    accepts: Callable[[str, str], bool] | None = None
    """Tells from media type and URL whether the body is wanted."""
    obey_robots: bool | None = None
    """A decision for this host alone; None: as the site of the scan decides."""


ANYTHING = Wants()


class Fetcher:
    """Fetches through Scrapy's downloader: its middlewares, its delays, its limits."""

    def __init__(self, crawler: Any) -> None:
        self.crawler = crawler
        self.over_tor = False
        """Whether an answer of this scan came over Tor: from then on it fetches no pictures or files from anywhere."""
        self.cookies = False
        """Whether requests share a jar of cookies, in memory and for this scan; each request may be told otherwise."""
        self._ignored: set[str] = set()

    @property
    def pace(self) -> Pace:
        """The delays and caps of this scan."""
        pace: Pace = self.crawler.get_extension(Pace)
        return pace

    def now(self) -> datetime:
        """Return the present moment."""
        return datetime.now(UTC)

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
        """Return the answer, or raise FetchFailed with the reason. Waits up to a minute when a host asks for it.

        `form` is sent as a form by POST. `robots` is `obey` or `ignore: <why this is permitted>`, for this host alone;
        empty, it is what the site decided. `delay` is the least number of seconds between requests to this host, from
        now on. With `text_only`, pictures and other files are refused before their body is read.
        """
        if role in FILES and self.over_tor:
            raise FetchFailed(Reason.UNSUPPORTED, "what a page of Tor shows or offers is not fetched")
        wish = _conditional(dict(headers or {}), validators)
        if form is not None:
            body = urlencode(form).encode()
            wish.setdefault("Content-Type", "application/x-www-form-urlencoded")
        meta = {
            "role": role,
            "secret_headers": tuple(secret_headers),
            "keep_cookies": self.cookies if cookies is None else cookies,
            "text_only": text_only,
            **self._robots(robots, _host(url)),
            **self._wishes(wants),
        }
        self.pace.keep_apart(_host(url), delay)
        for attempt in range(1, MAX_TRIES + 1):
            exchanges: list[Exchange] = []
            verb = method or ("GET" if form is None else "POST")
            response = await self._download(url, verb, wish, body, meta | {"exchanges": exchanges})
            answer = _answer(response, exchanges)
            self.over_tor = self.over_tor or bool(response.meta.get("over_tor"))
            reason = diagnose(answer.status, answer.headers, answer.url, url, answer.media_type, answer.body)
            if reason is None:
                return answer
            host = _host(answer.url)
            limited = reason is Reason.RATE_LIMITED or is_limit(answer.status, answer.headers)
            if not (limited or (answer.status == 503 and self.pace.left(host) > 0)):
                raise FetchFailed(reason, refusal=answer)
            if self.pace.left(host) == 0:
                self.pace.pause(host, FIRST_PAUSE * 2**attempt)
            if self.pace.left(host) > MAX_WAIT or attempt == MAX_TRIES:
                raise FetchFailed(Reason.RATE_LIMITED, pause=self.pace.left(host))
        raise AssertionError

    def pause(self, host: str, seconds: float) -> None:
        """Leave a host (or the host of a URL) alone for so long: for wishes in the content (`backoff`), not in headers.

        The next request waits for it, up to a minute; beyond, it raises FetchFailed with the reason RATE_LIMITED.
        """
        self.pace.pause(_host(host), seconds)

    def pauses(self) -> dict[str, float]:
        """Return the hosts that still want to be left alone, with the seconds left: for the next scan to keep."""
        return {host: left for host in self.pace.free_at if (left := self.pace.left(host)) > 0}

    async def target(self, url: str, wants: Wants = ANYTHING) -> str:
        """Return where an address redirects to, without going there; an empty string if it does not."""
        meta = {"dont_redirect": True, **self._robots("", _host(url)), **self._wishes(wants)}
        response = await self._download(url, "GET", {}, b"", meta)
        answer = _answer(response, [])
        if 300 <= answer.status < 400 and answer.header("location"):
            return urljoin(url, answer.header("location"))
        reason = diagnose(answer.status, answer.headers, answer.url, url, answer.media_type, answer.body)
        if reason is not None:
            raise FetchFailed(reason, pause=self.pace.left(_host(url)))
        return refresh_of(answer)

    def _robots(self, robots: str, host: str) -> dict[str, bool]:
        """Return what a decision about robots.txt means for a request, and log once per host that it is ignored."""
        chosen = robots or self.crawler.settings.get("SPILLWATCH_ROBOTS")
        verb, _, why = chosen.partition(":")
        if chosen != "obey" and (verb != "ignore" or not why.strip()):
            raise ValueError("robots must be `obey`, or `ignore: <why this is permitted>`")
        if chosen != "obey" and host not in self._ignored:
            self._ignored.add(host)
            log.info("robots_ignored", host=host, why=why.strip())
        return {"dont_obey_robotstxt": chosen != "obey", "robots_of_host": bool(robots)}

    def _wishes(self, wants: Wants) -> dict[str, Any]:
        """Return the wishes as Scrapy and our middlewares read them."""
        most: int = self.crawler.settings.getint("DOWNLOAD_MAXSIZE")
        meta: dict[str, Any] = {"accepts": wants.accepts, "download_maxsize": min(wants.max_bytes or most, most)}
        if wants.obey_robots is not None:
            meta |= {"dont_obey_robotstxt": not wants.obey_robots, "robots_of_host": True}
        return meta

    async def _download(
        self, url: str, method: str, headers: dict[str, str], body: bytes, meta: dict[str, Any]
    ) -> Response:
        """Run one request through the engine and translate what goes wrong."""
        try:
            request = Request(
                url, method=method, headers=headers, body=body, meta=meta, callback=NO_CALLBACK, dont_filter=True
            )
        except ValueError:
            raise FetchFailed(Reason.MALFORMED, "not a URL") from None
        try:
            response: Response = await self.crawler.engine.download_async(request)
        except Exception as error:
            failure = failure_of(error)
            if failure is None:
                raise
            raise failure from None
        return response


def refresh_of(answer: Answer) -> str:
    """Return where a page sends its readers on by itself, or an empty string."""
    found = _REFRESH.search(answer.body[:8192])
    return urljoin(answer.url, html.unescape(found[1].decode("ascii", "ignore"))) if found else ""


def _host(url: str) -> str:
    """Return the host of a URL, or of a bare `host` or `host:port`, as it is compared."""
    try:
        return plain(urlsplit(url if "://" in url else f"//{url}").hostname or "")
    except ValueError:
        return ""


def _conditional(headers: dict[str, str], validators: Validators | None) -> dict[str, str]:
    """Add what makes a request conditional."""
    if validators is not None and validators.etag:
        headers["If-None-Match"] = validators.etag
    if validators is not None and validators.last_modified:
        headers["If-Modified-Since"] = validators.last_modified
    return headers


def _answer(response: Response, exchanges: list[Exchange]) -> Answer:
    """Return Scrapy's response in our words."""
    return Answer(
        url=response.url,
        status=response.status,
        headers=header_pairs(response.headers),
        body=response.body,
        exchanges=tuple(exchanges),
        fetched_at=datetime.now(UTC),
    )
