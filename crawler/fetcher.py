"""One request, one answer: Scrapy's engine behind a function, with every failure told as a reason."""

import asyncio
import html
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import Message
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

from scrapy import Request
from scrapy.exceptions import (
    CannotResolveHostError,
    DownloadCancelledError,
    DownloadConnectionRefusedError,
    DownloadFailedError,
    DownloadTimeoutError,
    ResponseDataLossError,
    StopDownload,
    UnsupportedURLSchemeError,
)
from scrapy.http import Response
from scrapy.http.request import NO_CALLBACK

from crawler.health import FetchFailed, diagnose
from crawler.interface import Validators
from model.page import Exchange, Headers, Part, Reason

MAX_WAIT = 60.0
"""Seconds of `Retry-After` that a scan waits for; a longer wish ends the scan and is kept by the next ones."""
MAX_TRIES = 3
_REFRESH = re.compile(rb"http-equiv=[\"']?refresh[^>]{0,40}url=([^\"'> ]{8,2000})", re.IGNORECASE)


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
        self.paused: dict[str, float] = {}
        """Host → loop time before which it is left alone."""

    async def get(
        self,
        url: str,
        role: str = "item",
        *,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        secret_headers: Sequence[str] = (),
        body: bytes = b"",
        validators: Validators | None = None,
        wants: Wants = ANYTHING,
    ) -> Answer:
        """Return the answer, or raise FetchFailed with the reason. Obeys Retry-After up to a minute."""
        wish = _conditional(dict(headers or {}), validators)
        for attempt in range(1, MAX_TRIES + 1):
            await self._wait_for(url)
            exchanges: list[Exchange] = []
            meta = {"exchanges": exchanges, "role": role, "secret_headers": tuple(secret_headers), **self._meta(wants)}
            response = await self._download(url, method, wish, body, meta)
            answer = _answer(response, exchanges)
            reason = diagnose(answer.status, answer.headers, answer.url, url, answer.media_type, answer.body)
            if reason is None:
                return answer
            pause = retry_after(answer.header("retry-after"))
            if not (reason is Reason.RATE_LIMITED or (answer.status == 503 and pause)):
                raise FetchFailed(reason)
            pause = pause or 5.0 * 2**attempt
            self.paused[urlsplit(url).netloc] = asyncio.get_running_loop().time() + pause
            if pause > MAX_WAIT or attempt == MAX_TRIES:
                raise FetchFailed(Reason.RATE_LIMITED, pause=pause)
        raise AssertionError

    async def target(self, url: str, wants: Wants = ANYTHING) -> str:
        """Return where an address redirects to, without going there; an empty string if it does not."""
        await self._wait_for(url)
        response = await self._download(url, "GET", {}, b"", {"dont_redirect": True, **self._meta(wants)})
        answer = _answer(response, [])
        if 300 <= answer.status < 400 and answer.header("location"):
            return urljoin(url, answer.header("location"))
        reason = diagnose(answer.status, answer.headers, answer.url, url, answer.media_type, answer.body)
        if reason is not None:
            raise FetchFailed(reason, pause=retry_after(answer.header("retry-after")))
        found = _REFRESH.search(answer.body[:8192])
        return urljoin(url, html.unescape(found[1].decode("ascii", "ignore"))) if found else ""

    def _meta(self, wants: Wants) -> dict[str, Any]:
        """Return the wishes as Scrapy and our middlewares read them."""
        settings = self.crawler.settings
        obeys, most = settings.getbool("SPILLWATCH_OBEY_ROBOTS"), settings.getint("DOWNLOAD_MAXSIZE")
        return {
            "dont_obey_robotstxt": not (obeys if wants.obey_robots is None else wants.obey_robots),
            "robots_decided_for_host": wants.obey_robots is not None,
            "download_maxsize": min(wants.max_bytes or most, most),
            "accepts": wants.accepts,
        }

    async def _wait_for(self, url: str) -> None:
        """Wait until the host may be asked again; refuse if that is too far away."""
        left = self.paused.get(urlsplit(url).netloc, 0.0) - asyncio.get_running_loop().time()
        if left > MAX_WAIT:
            raise FetchFailed(Reason.RATE_LIMITED, pause=left)
        if left > 0:
            await asyncio.sleep(left)

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
        except StopDownload:
            raise FetchFailed(Reason.UNSUPPORTED, "of a type that is not fetched") from None
        except DownloadTimeoutError:
            raise FetchFailed(Reason.TIMEOUT) from None
        except CannotResolveHostError:
            raise FetchFailed(self._why_unresolved()) from None
        except DownloadCancelledError:
            raise FetchFailed(Reason.TOO_BIG, "larger than network.max_bytes") from None
        except UnsupportedURLSchemeError:
            raise FetchFailed(Reason.FORBIDDEN_ADDRESS) from None
        except (ValueError, TypeError) as error:
            raise FetchFailed(Reason.MALFORMED, f"Scrapy cannot use the address ({type(error).__name__})") from None
        except (DownloadConnectionRefusedError, DownloadFailedError, ResponseDataLossError, OSError) as error:
            raise FetchFailed(Reason.NETWORK, f"the connection failed ({type(error).__name__})") from None
        return response

    def _why_unresolved(self) -> Reason:
        """Tell an address that we refuse from a name that does not exist."""
        from twisted.internet import reactor

        refused: set[str] = reactor.nameResolver.refused
        found = bool(refused)
        refused.clear()
        return Reason.FORBIDDEN_ADDRESS if found else Reason.NETWORK


def retry_after(value: str) -> float:
    """Return the seconds that a Retry-After header asks for (RFC 9110 §10.2.3), 0 if it asks for nothing readable."""
    value = value.strip()
    if value.isdigit():
        return min(float(value), 86_400.0 * 7)
    try:
        when = parsedate_to_datetime(value)
    except (ValueError, TypeError):
        return 0.0
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return max((when - datetime.now(UTC)).total_seconds(), 0.0)


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
        headers=tuple(
            (name.decode("latin-1"), value.decode("latin-1"))
            for name in response.headers
            for value in response.headers.getlist(name)
        ),
        body=response.body,
        exchanges=tuple(exchanges),
        fetched_at=datetime.now(UTC),
    )
