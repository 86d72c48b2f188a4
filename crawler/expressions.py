"""The small language in which a description says where a field stands.

HTML:  `css`, `css::text`, `css::attr(name)`, `xpath:…`, `re:…` on the entry's source, `a || b` for the first with a
       value. JSON: JMESPath with one more function, `entries(object)` → `[{key, value}]`. Text: `re:…`.
All:   filters behind `|`: `epoch`, `epoch_ms`, `tz:Area/City`, `strip`, `unquote`, `re:…` (first group, else all).
"""

import json
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Any
from urllib.parse import unquote
from zoneinfo import ZoneInfo

import jmespath  # type: ignore[import-untyped]
from jmespath import functions
from parsel import Selector

_FILTERS = re.compile(r"\|(?=(?:epoch_ms|epoch|strip|unquote)(?:\||$)|re:|tz:)")
_NUMBER = re.compile(r"-?\d+(\.\d+)?")


class _Functions(functions.Functions):
    """JMESPath's functions and `entries`."""

    @functions.signature({"types": ["object"]})  # type: ignore[untyped-decorator]
    def _func_entries(self, mapping: dict[str, Any]) -> list[dict[str, Any]]:
        """Return an object as a list of its keys and values."""
        return [{"key": key, "value": value} for key, value in mapping.items()]


_OPTIONS = jmespath.Options(custom_functions=_Functions())


@lru_cache(maxsize=1024)
def _path(expression: str) -> Any:
    return jmespath.compile(expression)


def search(expression: str, data: Any) -> Any:
    """Return what a JMESPath expression finds."""
    return _path(expression).search(data, options=_OPTIONS)


def values(expression: str, item: Any, *, as_html: bool = False) -> list[str]:
    """Return every value of a field; `item` is a parsel Selector, a string, or JSON data."""
    if isinstance(item, Selector):
        for alternative in expression.split(" || "):
            found = _filtered(alternative, lambda base: _from_html(base, item, as_html=as_html))
            if found:
                return found
        return []
    if isinstance(item, str):
        return _filtered(expression, lambda base: _from_text(base, item))
    return _filtered(expression, lambda base: _from_json(base, item))


def value(expression: str, item: Any, *, as_html: bool = False) -> str | None:
    """Return the first value of a field."""
    return next(iter(values(expression, item, as_html=as_html)), None)


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


def _filtered(expression: str, source: Any) -> list[str]:
    """Evaluate an expression and send each value through its filters."""
    base, *filters = _FILTERS.split(expression.strip())
    found: list[str] = source(base.strip())
    for name in filters:
        found = [kept for kept in (_filter(name.strip(), text) for text in found) if kept]
    return found


def _filter(name: str, text: str) -> str | None:
    """Apply one filter to one value; None drops it."""
    if name.startswith("re:"):
        match = re.search(name[3:], text, re.DOTALL)
        return None if match is None else next((group for group in match.groups() if group is not None), match.group())
    if name in {"epoch", "epoch_ms"}:
        when = moment(text)
        return when.isoformat() if when is not None else None
    if name.startswith("tz:"):
        when = moment(text)
        return when.replace(tzinfo=ZoneInfo(name[3:])).astimezone(UTC).isoformat() if when is not None else None
    return unquote(text) if name == "unquote" else text.strip()


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
