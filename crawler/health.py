"""The one failure table: what an answer or an error means, for the site and for the item."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from model.errors import SiteError
from model.page import Reason
from model.scan import SiteState

if TYPE_CHECKING:
    from crawler.fetcher import Answer


class FetchFailed(SiteError):
    """A request that gave no page. Carries the reason; its message never quotes a URL or a body."""

    def __init__(self, reason: Reason, message: str = "", pause: float = 0.0, refusal: "Answer | None" = None) -> None:
        """Take the reason, a message without content, and the seconds for which the site wants to be left alone.

        `refusal` is the answer that was none, for a site whose own rules know better what it means.
        """
        super().__init__(message or reason.value)
        self.reason = reason
        self.pause = pause
        self.refusal = refusal


@dataclass(frozen=True, slots=True)
class Signature:
    """How a refusal looks on the wire: every condition given must hold."""

    reason: Reason
    statuses: tuple[int, ...] = ()
    """Empty: any status."""
    header: tuple[str, str] | None = None
    """A header's name and a regular expression for its value."""
    location: str = ""
    """A regular expression for the address at which redirects ended; only looked at after a redirect."""
    title: str = ""
    """A regular expression for the title of an HTML page."""
    body: str = ""
    """A regular expression for the first 4 KB of the body; only looked at for refusals (status ≥ 400)."""


@dataclass(frozen=True, slots=True)
class Consequence:
    """What a reason means for the site and for the item."""

    state: SiteState
    """The site's state when its list fails so, or every one of its items."""
    settles: bool = False
    """Whether asking for the item again is pointless."""


_LOGIN = r"/(log-?in|sign-?in|register|users/sign_in|auth/login|accounts?/login)\b|passport\.weibo|login\.sina"
_CAPTCHA = r"/antispider|/captcha|wappass\.baidu|sec\.douban|/unhuman|/challenge\b"
_CHALLENGE = r"just a moment|attention required|verify you are human|are you a robot|captcha|安全验证|人机验证"

SIGNATURES: tuple[Signature, ...] = (
    Signature(Reason.RATE_LIMITED, statuses=(429, 420)),
    Signature(Reason.BLOCKED, header=("cf-mitigated", "challenge")),
    Signature(Reason.BLOCKED, location=_CAPTCHA),
    Signature(Reason.LOGIN, location=_LOGIN),
    Signature(Reason.BLOCKED, title=_CHALLENGE),
    Signature(Reason.BLOCKED, statuses=(403, 503), body=rf"cf-chl|whoa there, pardner|{_CHALLENGE}"),
    Signature(Reason.LOGIN, statuses=(403, 422), body=r"not_logged_in|requires an authenticated user|login required"),
    Signature(Reason.LOGIN, statuses=(401, 407)),
    Signature(Reason.GONE, statuses=(404, 410, 451)),
    Signature(Reason.BLOCKED, statuses=(402, 403, 432, 461, 471)),
    Signature(Reason.TIMEOUT, statuses=(408, 504)),
    Signature(Reason.SERVER, statuses=(409, 425)),
    Signature(Reason.TOO_BIG, statuses=(413,)),
)
"""Read from the top; the first that fits says the reason. Sources: SearXNG's and RSS-Bridge's published behaviour,
Cloudflare's documentation of `cf-mitigated`, and the sites' own error pages."""

CONSEQUENCES: Mapping[Reason, Consequence] = {
    Reason.RATE_LIMITED: Consequence(SiteState.BLOCKED),
    Reason.BLOCKED: Consequence(SiteState.BLOCKED),
    Reason.ROBOTS: Consequence(SiteState.BLOCKED),
    Reason.LOGIN: Consequence(SiteState.LOGIN),
    Reason.CHANGED: Consequence(SiteState.CHANGED),
    Reason.GONE: Consequence(SiteState.CHANGED, settles=True),
    Reason.TOO_BIG: Consequence(SiteState.FAILING, settles=True),
    Reason.BOMB: Consequence(SiteState.FAILING, settles=True),
    Reason.FORBIDDEN_ADDRESS: Consequence(SiteState.FAILING),
    Reason.MALFORMED: Consequence(SiteState.FAILING),
    Reason.NETWORK: Consequence(SiteState.FAILING),
    Reason.TIMEOUT: Consequence(SiteState.FAILING),
    Reason.SERVER: Consequence(SiteState.FAILING),
    Reason.INTERNAL: Consequence(SiteState.FAILING),
    Reason.LIMIT: Consequence(SiteState.FAILING),
    Reason.LEFT_ALONE: Consequence(SiteState.WORKING),
    Reason.GAP: Consequence(SiteState.FAILING),
}


def consequence(reason: Reason) -> Consequence:
    """Return what a reason means; a reason without an entry fails loudly rather than passing as harmless."""
    return CONSEQUENCES.get(reason, Consequence(SiteState.FAILING))


def diagnose(
    status: int, headers: tuple[tuple[str, str], ...], url: str, asked: str, media_type: str, body: bytes
) -> Reason | None:
    """Return why an answer is not what was asked for, or None if it looks like content."""
    for signature in SIGNATURES:
        if _fits(signature, status, headers, url, asked, media_type, body):
            return signature.reason
    if status >= 500:
        return Reason.SERVER
    if status >= 400:
        return Reason.CHANGED
    if 300 <= status < 400 and status != 304:
        return Reason.MALFORMED
    return None


def _fits(
    signature: Signature,
    status: int,
    headers: tuple[tuple[str, str], ...],
    url: str,
    asked: str,
    media_type: str,
    body: bytes,
) -> bool:
    """Tell whether every condition of a signature holds."""
    if signature.statuses and status not in signature.statuses:
        return False
    if signature.header is not None:
        name, pattern = signature.header
        if not any(key.lower() == name and re.search(pattern, value, re.IGNORECASE) for key, value in headers):
            return False
    if signature.location and (url == asked or not re.search(signature.location, url, re.IGNORECASE)):
        return False
    if signature.title and not (media_type == "text/html" and re.search(signature.title, _title(body), re.IGNORECASE)):
        return False
    if signature.body:
        start = body[:4096].decode("utf-8", "replace")
        return status >= 400 and re.search(signature.body, start, re.IGNORECASE) is not None
    return True


def _title(body: bytes) -> str:
    """Return the title of an HTML page, if it stands where titles stand."""
    found = re.search(rb"<title[^>]{0,200}>([^<]{0,300})", body[:8192], re.IGNORECASE)
    return found.group(1).decode("utf-8", "replace") if found else ""
