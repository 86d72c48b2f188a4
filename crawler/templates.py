"""Addresses, headers and bodies with `{names}` to be filled in."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit
from zoneinfo import ZoneInfo

from crawler.description import PLACEHOLDER
from crawler.expressions import moment
from model.errors import ConfigError


def fill(template: str, names: Mapping[str, str], *, quoted: bool = False) -> str:
    """Replace `{name}` by what it stands for; a name nobody knows is an error of the description.

    `{name|epoch}` and `{name|%Y-%m-%d}` (strftime, in the zone behind an `@`, else UTC) write a time in another form.
    """

    def replace(match: re.Match[str]) -> str:
        name, form = match.groups()
        if name not in names:
            raise ConfigError(f"a description uses {{{name}}}, which is neither a field nor an option")
        text = _written(names[name], form) if form else names[name]
        return quote(text, safe="/:@+") if quoted else text

    return PLACEHOLDER.sub(replace, template)


def fill_all(template: Any, names: Mapping[str, str]) -> Any:
    """Fill every text in a body; entries of a mapping that turn out empty are left out."""
    if isinstance(template, str):
        return fill(template, names)
    if isinstance(template, list):
        return [fill_all(entry, names) for entry in template]
    if not isinstance(template, Mapping):
        return template
    filled = {key: fill_all(entry, names) for key, entry in template.items()}
    return {key: entry for key, entry in filled.items() if entry != ""}


def list_url(template: str, names: Mapping[str, str]) -> str:
    """Fill an address; query parameters that wait for a cursor, or for an option left empty, are left out."""
    scheme, netloc, path, query, _ = urlsplit(template.replace("{root}", names.get("root", "")))
    pairs = []
    for key, entry in parse_qsl(query, keep_blank_values=True):
        waits = [match.group(1) for match in PLACEHOLDER.finditer(key + entry)]
        if any(names.get(name) == "" for name in waits):
            continue
        pairs.append((fill(key, names), fill(entry, names)))
    return urlunsplit((scheme, netloc, fill(path, names, quoted=True), urlencode(pairs), ""))


def with_parameter(url: str, name: str, text: str) -> str:
    """Return an address with one query parameter set."""
    scheme, netloc, path, query, _ = urlsplit(url)
    pairs = [(key, entry) for key, entry in parse_qsl(query, keep_blank_values=True) if key != name]
    return urlunsplit((scheme, netloc, path, urlencode([*pairs, (name, text)]), ""))


def parameter(url: str, name: str) -> str:
    """Return the value of one query parameter, or nothing."""
    return dict(parse_qsl(urlsplit(url).query)).get(name, "")


def _written(text: str, form: str) -> str:
    """Return a time in another form; a time that is none stays away."""
    when = moment(text)
    if when is None:
        return ""
    if form == "epoch":
        return str(int(when.timestamp()))
    pattern, _, zone = form.partition("@")
    if "%" not in pattern:
        raise ConfigError(f"a description writes a time as {form!r}: use epoch, or a pattern such as %Y-%m-%d")
    return when.astimezone(ZoneInfo(zone) if zone else UTC).strftime(pattern)


def now_text(now: datetime) -> str:
    """Return what `{now}` stands for."""
    return now.astimezone(UTC).isoformat(timespec="seconds")
