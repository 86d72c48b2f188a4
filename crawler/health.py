"""The one failure table: what an answer or an error means, for the site and for the item."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
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


class Action(StrEnum):
    """What is done about a failure."""

    AGAIN = "ask again at the next scan"
    WAIT = "leave the site alone for a while, longer each time"
    PERSON = "leave the site alone; a person must do something before it can work"
    SETTLE = "never ask for the item again"
    RESUME = "go on where the site still has something, and record the gap"
    GO_ON = "nothing"


@dataclass(frozen=True, slots=True)
class Consequence:
    """What a reason means for the site and for the item. What it means for people: `alerts.advice`."""

    state: SiteState
    """The site's state when its list fails so, or every one of its items."""
    action: Action = Action.AGAIN
    pause: float = 0.0
    """Seconds for which the whole site is left alone the first time."""
    longest: float = 0.0
    """Seconds to which the pause grows, doubling each time until the site works again."""
    anywhere: bool = False
    """Whether one item that fails so speaks for the whole site: nothing else is asked for in this scan either."""

    @property
    def settles(self) -> bool:
        """Whether asking for the item again is pointless."""
        return self.action is Action.SETTLE

    def pause_after(self, times: int, wish: float = 0.0) -> float:
        """Return the seconds to leave the site alone when it failed so for the nth time in a row.

        `wish` is what the site itself asked for: it is never cut short.
        """
        return max(wish, min(self.pause * 2.0 ** min(times - 1, 40), self.longest))


MINUTE, HOUR, DAY = 60.0, 3_600.0, 86_400.0

_LOGIN = (
    r"/(log-?in|sign-?in|register|users/sign_in|auth/login|accounts?/login)\b|login\.sina|accounts\.douban"
    r"|^https?://t\.me/(?!s/)"
)
_CAPTCHA = r"/antispider|/captcha|wappass\.baidu|sec\.douban|/unhuman"
_CHALLENGE = r"just a moment|attention required|verify you are human|checking your browser"
_ROBOT = r"are you a robot|captcha|安全验证|人机验证|请输入验证码"
_MEMBERS = r"not_logged_in|requires an authenticated user|login required|LTL_DISABLED|GTL_DISABLED|CREDENTIAL_REQUIRED"

SIGNATURES: tuple[Signature, ...] = (
    Signature(Reason.RATE_LIMITED, statuses=(429, 420)),
    Signature(Reason.RATE_LIMITED, statuses=(403,), header=("x-ratelimit-remaining", r"^0$")),
    Signature(Reason.CHALLENGE, header=("cf-mitigated", "challenge")),
    Signature(Reason.CAPTCHA, statuses=(461, 471)),
    Signature(Reason.CAPTCHA, header=("verifytype", ".")),
    Signature(Reason.SESSION, location=r"passport\.weibo\.c(om|n)/visitor"),
    Signature(Reason.SESSION, statuses=(432,)),
    Signature(Reason.CAPTCHA, location=_CAPTCHA),
    Signature(Reason.CHALLENGE, location=r"/challenge\b"),
    Signature(Reason.LOGIN, location=_LOGIN),
    Signature(Reason.CHALLENGE, title=_CHALLENGE),
    Signature(Reason.CAPTCHA, title=_ROBOT),
    Signature(Reason.CHALLENGE, statuses=(403, 503), body=rf"cf-chl|{_CHALLENGE}"),
    Signature(Reason.CAPTCHA, statuses=(403, 503), body=_ROBOT),
    Signature(Reason.BLOCKED, statuses=(403,), body=r"whoa there, pardner|blocked by network security"),
    Signature(Reason.LOGIN, statuses=(400, 403, 422), body=_MEMBERS),
    Signature(Reason.GAP, statuses=(400,), body=r"CursorTooOld|ConsumerTooSlow|OutdatedCursor"),
    Signature(Reason.LOGIN, statuses=(401, 407, 422)),
    Signature(Reason.GONE, statuses=(404, 410, 451)),
    Signature(Reason.BLOCKED, statuses=(402, 403)),
    Signature(Reason.TIMEOUT, statuses=(408, 504)),
    Signature(Reason.SERVER, statuses=(409, 425)),
    Signature(Reason.TOO_BIG, statuses=(413,)),
)
"""Read from the top; the first that fits says the reason. Sources: SearXNG's and RSS-Bridge's published behaviour,
Cloudflare's documentation of `cf-mitigated`, and the sites' own error pages. What only one site says (Pastebin's
refusals in a body of status 200, VK's error numbers) stands under `fail:` in its description."""

_BLOCKED, _FAILING = SiteState.BLOCKED, SiteState.FAILING

CONSEQUENCES: Mapping[Reason, Consequence] = {
    Reason.RATE_LIMITED: Consequence(_BLOCKED, Action.WAIT, MINUTE, HOUR, anywhere=True),
    Reason.BLOCKED: Consequence(_BLOCKED, Action.WAIT, 3 * MINUTE, 6 * HOUR),
    Reason.CAPTCHA: Consequence(_BLOCKED, Action.PERSON, 6 * HOUR, 15 * DAY, anywhere=True),
    Reason.CHALLENGE: Consequence(_BLOCKED, Action.PERSON, 6 * HOUR, 15 * DAY, anywhere=True),
    Reason.ACCESS: Consequence(_BLOCKED, Action.PERSON, 6 * HOUR, DAY, anywhere=True),
    Reason.ROBOTS: Consequence(_BLOCKED),
    Reason.LOGIN: Consequence(SiteState.LOGIN, Action.PERSON, HOUR, DAY),
    Reason.SESSION: Consequence(SiteState.LOGIN, Action.WAIT, 10 * MINUTE, 6 * HOUR, anywhere=True),
    Reason.CHANGED: Consequence(SiteState.CHANGED),
    Reason.GONE: Consequence(SiteState.CHANGED, Action.SETTLE),
    Reason.GAP: Consequence(_FAILING, Action.RESUME),
    Reason.EARLY: Consequence(SiteState.WORKING),
    Reason.TOO_BIG: Consequence(_FAILING, Action.SETTLE),
    Reason.BOMB: Consequence(_FAILING, Action.SETTLE),
    Reason.FORBIDDEN_ADDRESS: Consequence(_FAILING),
    Reason.MALFORMED: Consequence(_FAILING),
    Reason.NETWORK: Consequence(_FAILING),
    Reason.TIMEOUT: Consequence(_FAILING, Action.WAIT, MINUTE, 15 * MINUTE),
    Reason.SERVER: Consequence(_FAILING, Action.WAIT, MINUTE, 15 * MINUTE),
    Reason.INTERNAL: Consequence(_FAILING),
    Reason.UNSUPPORTED: Consequence(_FAILING),
    Reason.CRASH: Consequence(_FAILING),
    Reason.QUERY: Consequence(_FAILING, Action.PERSON),
    Reason.MISCONFIGURED: Consequence(_FAILING, Action.PERSON),
    Reason.LIMIT: Consequence(SiteState.SLOW, Action.GO_ON),
    Reason.LEFT_ALONE: Consequence(SiteState.WORKING, Action.GO_ON),
    Reason.PAUSED: Consequence(SiteState.WORKING, Action.GO_ON),
    Reason.STOPPED: Consequence(SiteState.WORKING, Action.GO_ON),
}
"""The one failure table. Pause lengths: those that SearXNG uses in production, and RSS-Bridge's for Reddit; a site's
own `fail:` rule may ask for a longer one, and `Retry-After` always counts."""


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
