"""How long a server wants to be left alone, read from every rate header that is in use.

`Retry-After` (RFC 9110 §10.2.3); `RateLimit`, `RateLimit-*` (draft-ietf-httpapi-ratelimit-headers, old form and new);
`X-RateLimit-*` as GitHub (epoch), Mastodon (ISO), Reddit (floats, seconds) and Discord (`-reset-after`) send them;
`X-Rate-Limit-*` of X.
"""

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from model.page import Headers

LONGEST = 86_400.0 * 7
"""Seconds; no server is left alone for longer on its own word."""
NO_RESET = 60.0
"""Seconds that an exhausted quota is left alone when the server does not say until when."""

_FAMILIES = ("x-ratelimit-", "x-rate-limit-", "ratelimit-")
_EPOCH = 1e9
"""From here on a number is a moment, not a length of time; thousand times that, milliseconds."""
_NO_QUOTA = re.compile(r"\b(?:remaining|r)\s*=\s*0(?:\.0+)?\s*(?:[;,]|$)")
_RESET = re.compile(r"\b(?:reset|t)\s*=\s*(\d+(?:\.\d+)?)")


def wait(status: int, headers: Headers, now: datetime | None = None) -> float:
    """Return the seconds for which a server wants to be left alone after this answer; 0 if it does not say so.

    A quota that is used up counts whatever the status, `Retry-After` only where the answer is not content.
    """
    now = now or datetime.now(UTC)
    given = {name.lower(): value for name, value in headers}
    asked = 0.0 if 200 <= status < 300 else retry_after(given.get("retry-after", ""), now)
    return min(max(asked, _quota(given, now), _structured(headers)), LONGEST)


def is_limit(status: int, headers: Headers) -> bool:
    """Tell whether a refusal is a rate limit: GitHub, for one, answers 403 and means 429."""
    given = {name.lower(): value for name, value in headers}
    return status == 429 or (status == 403 and ("retry-after" in given or wait(status, headers) > 0))


def retry_after(value: str, now: datetime | None = None) -> float:
    """Return the seconds that a Retry-After header asks for, 0 if it asks for nothing readable."""
    value = value.strip()
    if re.fullmatch(r"\d{1,12}(\.\d{1,9})?", value):
        return min(float(value), LONGEST)
    try:
        when = parsedate_to_datetime(value)
    except (ValueError, TypeError, OverflowError):
        return 0.0
    return min(_until(when, now or datetime.now(UTC)), LONGEST)


def _quota(given: Mapping[str, str], now: datetime) -> float:
    """Return how long a quota told in separate headers is used up."""
    longest = 0.0
    for family in _FAMILIES:
        left = _number(given.get(family + "remaining", ""))
        if left is None or left >= 1:
            continue
        after = _number(given.get(family + "reset-after", ""))
        reset = given.get(family + "reset", "")
        longest = max(longest, after if after is not None else _reset(reset, now))
    return longest


def _structured(headers: Headers) -> float:
    """Return how long a quota told in one `RateLimit` header is used up, in either form of the draft."""
    longest = 0.0
    for name, value in headers:
        if name.lower() != "ratelimit":
            continue
        old = "limit=" in value.replace(" ", "") or "remaining" in value
        for policy in [value] if old else value.split(","):
            if _NO_QUOTA.search(policy.lower()):
                reset = _RESET.search(policy.lower())
                longest = max(longest, float(reset.group(1)) if reset else NO_RESET)
    return longest


def _reset(value: str, now: datetime) -> float:
    """Return the seconds to a reset told as seconds, epoch, epoch milliseconds, ISO 8601 or an HTTP date."""
    number = _number(value)
    if number is not None:
        if number >= _EPOCH * 1000:
            number /= 1000
        return max(number - now.timestamp(), 0.0) if number >= _EPOCH else max(number, 0.0)
    try:
        return _until(datetime.fromisoformat(value.strip()), now)
    except ValueError:
        return retry_after(value, now) or NO_RESET


def _until(when: datetime, now: datetime) -> float:
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return max((when - now).total_seconds(), 0.0)


def _number(value: str) -> float | None:
    try:
        number = float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
