"""The small language in which a description says where a field stands.

HTML:  `css`, `css::text`, `css::attr(name)`, `xpath:…`, `re:…` on the entry's source, `a || b` for the first with a
       value. JSON: JMESPath with more functions: `entries(object)` → `[{key, value}]`; `beside(list, any)` → each
       entry with `any` under `beside`; `having(list, 'key', values)` → the entries whose `key` is one of the values.
       Text: `re:…`.
All:   filters behind `|`: `epoch`, `tz:Area/City` (a time without a zone), `date:%d.%m.%Y` (strptime), `zh_time` (as
       Chinese sites write it, in their zone: 5分钟前, 今天 10:00, 11月21日), `strip`, `unquote`, `digest` (a mark of a
       value: what changes is new), `sub:a=>b`, `re:…`: the first group, else all.
"""

import json
import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import lru_cache
from hashlib import sha256
from typing import Any
from urllib.parse import unquote
from zoneinfo import ZoneInfo

import jmespath  # type: ignore[import-untyped]
from jmespath import exceptions, functions
from parsel import Selector

_FILTERS = re.compile(r"\|(?=(?:epoch|strip|unquote|digest|zh_time)(?:\||$)|re:|tz:|date:|sub:)")
_NUMBER = re.compile(r"-?\d+(\.\d+)?")


Unlike = exceptions.JMESPathTypeError
"""JSON has a value of another type where an expression wants a text, a list or an object."""


class _Functions(functions.Functions):
    """JMESPath's functions and ours."""

    @functions.signature({"types": ["object"]})  # type: ignore[untyped-decorator]
    def _func_entries(self, mapping: dict[str, Any]) -> list[dict[str, Any]]:
        """Return an object as a list of its keys and values."""
        return [{"key": key, "value": value} for key, value in mapping.items()]

    @functions.signature({"types": ["array"]}, {"types": []})  # type: ignore[untyped-decorator]
    def _func_beside(self, entries: list[dict[str, Any]], shared: Any) -> list[dict[str, Any]]:
        """Return each entry with what all share: an entry's fields cannot see what stands beside the list."""
        return [{**entry, "beside": shared} for entry in entries]

    @functions.signature({"types": ["array"]}, {"types": ["string"]}, {"types": ["array"]})  # type: ignore[untyped-decorator]
    def _func_having(self, entries: list[dict[str, Any]], key: str, wanted: list[Any]) -> list[dict[str, Any]]:
        """Return the entries whose value under `key` is wanted: what ids refer to."""
        return [entry for entry in entries if entry.get(key) in wanted]


_OPTIONS = jmespath.Options(custom_functions=_Functions())


@lru_cache(maxsize=1024)
def _path(expression: str) -> Any:
    return jmespath.compile(expression)


def search(expression: str, data: Any) -> Any:
    """Return what a JMESPath expression finds."""
    return _path(expression).search(data, options=_OPTIONS)


def values(expression: str, item: Any, *, as_html: bool = False, now: datetime | None = None) -> list[str]:
    """Return every value of a field; `item` is a parsel Selector, a string, or JSON data.

    `now` is when the answer was fetched: times like "5 minutes ago" are counted from it.
    """
    moment_of = now or datetime.now(UTC)
    if isinstance(item, Selector):
        for alternative in expression.split(" || "):
            found = _filtered(alternative, lambda base: _from_html(base, item, as_html=as_html), moment_of)
            if found:
                return found
        return []
    if isinstance(item, str):
        return _filtered(expression, lambda base: _from_text(base, item), moment_of)
    return _filtered(expression, lambda base: _from_json(base, item), moment_of)


def value(expression: str, item: Any, *, as_html: bool = False, now: datetime | None = None) -> str | None:
    """Return the first value of a field."""
    return next(iter(values(expression, item, as_html=as_html, now=now)), None)


def moment(text: str | None) -> datetime | None:
    """Return a time in UTC: ISO 8601, RFC 5322, or seconds (or milliseconds) since 1970; None if it is none of them."""
    if not text:
        return None
    if _NUMBER.fullmatch(text):
        seconds = float(text)
        try:
            return datetime.fromtimestamp(seconds / 1000 if seconds > 1e11 else seconds, UTC)
        except (OverflowError, ValueError, OSError):
            return None
    for parse in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            when = parse(text.strip())
        except (ValueError, TypeError, IndexError):
            continue
        return when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC)
    return None


def _filtered(expression: str, source: Any, now: datetime) -> list[str]:
    """Evaluate an expression and send each value through its filters."""
    base, *filters = _FILTERS.split(expression.strip())
    found: list[str] = source(base.strip())
    for name in filters:
        found = [kept for kept in (_filter(name.strip(), text, now) for text in found) if kept]
    return found


def _filter(name: str, text: str, now: datetime) -> str | None:
    """Apply one filter to one value; None drops it."""
    verb, _, rest = name.partition(":")
    if verb == "re":
        match = re.search(rest, text, re.DOTALL)
        return None if match is None else next((group for group in match.groups() if group is not None), match.group())
    if verb == "sub":
        pattern, _, instead = rest.partition("=>")
        return re.sub(pattern, instead, text, flags=re.DOTALL)
    if verb in {"epoch", "tz", "date", "zh_time"}:
        when = _time(verb, rest, text.strip(), now)
        return when.astimezone(UTC).isoformat() if when is not None else None
    if verb == "digest":
        return sha256("".join(text.split()).encode()).hexdigest()[:16]
    return unquote(text) if verb == "unquote" else text.strip()


def _time(verb: str, rest: str, text: str, now: datetime) -> datetime | None:
    """Return the time that a filter reads, or None if it is none."""
    if verb == "zh_time":
        return chinese_moment(text, now)
    if verb == "date":
        try:
            when = datetime.strptime(text, rest)  # noqa: DTZ007 - a zone is read if there is one
        except ValueError:
            return None
        return when if when.tzinfo is not None else when.replace(tzinfo=UTC)
    when_read = moment(text)
    return when_read.replace(tzinfo=ZoneInfo(rest)) if verb == "tz" and when_read is not None else when_read


CHINA = ZoneInfo("Asia/Shanghai")
_AGO = re.compile(r"(\d+)\s*(秒|分钟|分|小时|天)前")
_UNITS = {"秒": 1, "分": 60, "分钟": 60, "小时": 3600, "天": 86_400}
_DAYS = {"今天": 0, "昨天": 1, "前天": 2}
_CHINESE = re.compile(
    r"(?:(?:(\d{4})[年/.-])?(\d{1,2})[月/.-](\d{1,2})日?|(今天|昨天|前天))\s*(?:(\d{1,2}):(\d{2})(?::(\d{2}))?)?"
)


def chinese_moment(text: str, now: datetime) -> datetime | None:
    """Return a time as Chinese sites write it, or None; a day without a year is the last such day before `now`."""
    here = now.astimezone(CHINA)
    if "刚刚" in text:
        return here
    ago = _AGO.search(text)
    if ago:
        return here - timedelta(seconds=int(ago.group(1)) * _UNITS[ago.group(2)])
    found = _CHINESE.search(text)
    if not found:
        return None
    year, month, day, word, hour, minute, second = found.groups()
    try:
        at = here.replace(hour=int(hour or 0), minute=int(minute or 0), second=int(second or 0), microsecond=0)
        if word:
            return at - timedelta(days=_DAYS[word])
        when = at.replace(year=int(year or here.year), month=int(month), day=int(day))
        return when.replace(year=when.year - 1) if not year and when > here + timedelta(days=1) else when
    except ValueError:
        return None


def _from_html(base: str, item: Selector, *, as_html: bool) -> list[str]:
    """Evaluate CSS, XPath or a regular expression on an entry."""
    if base.startswith("re:"):
        return _from_text(base, item.get())
    if base.startswith("xpath:"):
        return [text for text in item.xpath(base[6:]).getall() if text.strip()]
    if base.startswith("::"):
        base = ":scope" + base if item.root is not None else base
        attribute = re.fullmatch(r":scope::attr\(([\w-]+)\)", base)
        found = item.attrib.get(attribute.group(1)) if attribute else item.xpath("string(.)").get()
        return [found] if found and found.strip() else []
    chosen = item.css(base)
    if "::" in base or as_html:
        return [text for text in chosen.getall() if text.strip()]
    texts = [node.xpath("string(.)").get("") for node in chosen]
    return [text.strip() for text in texts if text.strip()]


def _from_text(base: str, text: str) -> list[str]:
    """Evaluate a regular expression on source text."""
    pattern = base.removeprefix("re:")
    found = (next((g for g in m.groups() if g is not None), m.group()) for m in re.finditer(pattern, text, re.DOTALL))
    return [value for value in found if value]


def _from_json(base: str, data: Any) -> list[str]:
    """Evaluate JMESPath; numbers and booleans become text, lists stay several values."""
    found = search(base, data)
    several = found if isinstance(found, list) else [found]
    return [text for text in (_as_text(entry) for entry in several) if text]


def _as_text(entry: Any) -> str:
    if entry is None:
        return ""
    if isinstance(entry, str):
        return entry
    return json.dumps(entry, ensure_ascii=False)
