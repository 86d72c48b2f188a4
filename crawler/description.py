"""Site descriptions: one YAML file per site, read strictly. docs/sites.md explains the grammar with examples.

Each section of a file is one dataclass here, and its fields are the keys there. An unknown key is an error that names
the file, the key and the nearest known key.
"""

import dataclasses
import re
import types
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from crawler.interface import SiteSettings
from crawler.profile import Profile
from model.errors import ConfigError
from model.page import Reason

SHIPPED = Path(__file__).parent / "sites"
FIELDS = (
    "id", "order", "version", "title", "author", "time", "text", "html", "link", "files", "thread", "name", "record",
)  # fmt: skip
SHARED = ("page", "cursor", "raw", "permalink")
"""What several lists of a site may have in common."""
PLACEHOLDER = re.compile(r"\{(\w+)(?:\|([^{}]*))?\}")
"""`{name}` or `{name|form}` in an address, a header or a body."""


def _key(name: str, default: Any) -> Any:
    """Return a field whose key in the file is a word that Python keeps for itself."""
    return field(default=default, metadata={"key": name})


@dataclass(frozen=True, slots=True)
class Pager:
    """`page:` how a list goes on; a word alone is its kind."""

    kind: Literal["none", "page", "offset", "token", "link_header", "next", "before_id", "after_id"] = "none"
    param: str = ""
    """Query parameter (or key of a POST body) that carries the page, offset, token or id."""
    source: str = _key("from", "")
    """JMESPath of the token, or `min` / `max` of the items' ids."""
    start: int = 1
    step: int = 1
    """For `before_id`: how many ids a page spans, for a site whose pages may show few of them or none."""
    css: str = ""
    """For `next`: where the address of the next page stands."""
    more: str = ""
    """JMESPath that is true while there is more."""
    most: int = 0
    """For `page` and `offset`: how many pages one scan reads at most; 0 is no limit."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """`cursor:` where the next scan stops; a word alone is its kind."""

    kind: Literal["seen", "id", "time", "token"] = "seen"
    source: str = _key("from", "")
    """For `token`: JMESPath of the token in the answer."""
    keep: Literal["first", "last"] = "first"
    """For `token`: whether the first page of a scan has the token to save, or the last one."""
    overlap: float = 300.0
    """For `time`: seconds before the cursor that are read again; lists are sorted by update or filled late."""


@dataclass(frozen=True, slots=True)
class Raw:
    """`raw:` where an item's content lies, if not in the list."""

    url: str = ""
    type: Literal["text", "file", "html", "json"] = "text"
    """`text` or `file` (the body is the content), `html` (a page, with its pictures), `json` (with `text`, `html`)."""
    each: bool = False
    """Whether the list's `files` are the content, instead of `url`."""
    when: str = ""
    """An expression on the list's entry: only entries for which it holds are fetched so."""
    text: str = ""
    html: str = ""
    title: str = ""
    author: str = ""
    time: str = ""
    files: str = ""
    gone: str = ""
    """A regular expression for a body that says the item is no more, with status 200."""


@dataclass(frozen=True, slots=True)
class FailRule:
    """`fail:` a refusal of this site that the common table does not know; every condition given must hold."""

    means: Reason = Reason.BLOCKED
    status: int | None = None
    pattern: str = _key("re", "")
    """A regular expression for the first 100 KB of the body."""
    json: str = ""
    """JMESPath that is true when the site refuses."""
    url: str = ""
    """A regular expression for the address at which redirects ended."""
    pause: float = 0.0
    """Seconds for which the site is left alone."""


@dataclass(frozen=True, slots=True)
class Step:
    """`session:` one request before the lists, whose answer gives names to fill in: a token, a visitor's cookie."""

    url: str = ""
    method: Literal["GET", "POST"] = "GET"
    body: Mapping[str, Any] | None = None
    form: Mapping[str, str] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    basic: str = ""
    """`{user}:{password}` of HTTP Basic authentication (RFC 7617)."""
    kind: Literal["json", "html", "text"] = "json"
    take: Mapping[str, str] = field(default_factory=dict)
    """Name → expression on the answer."""


@dataclass(frozen=True, slots=True)
class ListRules:
    """`list:` one list of a site."""

    url: str = ""
    items: str = ""
    """CSS, JMESPath or regular expression of the entries."""
    fields: Mapping[str, str] = field(default_factory=dict)
    """Field → expression."""
    stream: str = ""
    """Tells several lists of one site apart: the cursor is kept under it."""
    method: Literal["GET", "POST"] = "GET"
    body: Mapping[str, Any] | None = None
    """JSON body of a POST."""
    form: Mapping[str, str] | None = None
    """Form body of a POST."""
    page: Pager = Pager()
    cursor: Cursor = Cursor()
    raw: Raw | None = None
    permalink: str = ""
    """Address for people, with `{field}`; without it the field `link`."""
    prefix: str = ""
    """Stands before every id, with `{option}`: for ids that are unique only within what an option names."""


@dataclass(frozen=True, slots=True)
class Description:
    """One described site."""

    name: str
    kind: Literal["html", "json", "feed", "text"]
    lists: tuple[ListRules, ...]
    """At least one; a site with several reads them in this order."""
    profile: Profile
    """What an operator should know of it; its keys stand among the others."""
    require: str = ""
    """What must stand on a list even when it is empty; without it nothing, or an empty list of HTML, is a change."""
    fail: tuple[FailRule, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    """Option → default; null means that config.yaml must give it."""
    headers: Mapping[str, str] = field(default_factory=dict)
    attachment_headers: Mapping[str, str] = field(default_factory=dict)
    """Sent with the requests for pictures and files; no secrets."""
    session: tuple[Step, ...] = ()
    cookies: bool = False
    """Whether cookies are kept for the length of a scan."""
    encoding: str = "auto"
    backfill: int = 1
    """Pages of a list that the first scan reads."""
    conditional: bool = True
    fetch_link: bool = False
    """The list only finds addresses: fetch what `link` names as a web page."""
    wait: str = ""
    """JMESPath of seconds that the answer asks to wait."""
    cost: float = 0.0
    """Money that one listed item costs; the option `budget` caps it per month."""


def load(name: str, folder: Path | None = None) -> Description | None:
    """Return a description by name, the operator's before the shipped one, or None if there is none."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,63}", name):
        return None
    for place in (folder, SHIPPED):
        file = place / f"{name}.yaml" if place is not None else None
        if file is not None and file.is_file():
            return read(file)
    return None


def names(folder: Path | None = None) -> tuple[str, ...]:
    """Return the names of all descriptions there are."""
    places = [place for place in (folder, SHIPPED) if place is not None]
    return tuple(sorted({file.stem for place in places for file in place.glob("*.yaml")}))


def read(file: Path) -> Description:
    """Read one file; raises ConfigError naming file and key."""
    try:
        data = YAML(typ="safe").load(file.read_text(encoding="utf-8"))
    except (YAMLError, OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file.name}: cannot be read as YAML ({type(error).__name__}); check its syntax") from error
    if not isinstance(data, dict):
        raise ConfigError(f"{file.name}: must be a mapping of keys; see docs/sites.md")
    return _Reader(file).description(data)


def resolve_options(description: Description, site: SiteSettings) -> dict[str, Any]:
    """Return the site's options with the description's defaults; unknown and missing ones are errors."""
    known = {"root", *description.options} | ({"budget"} if description.cost else set())
    for name in site.options:
        if name not in known:
            raise ConfigError(f"sites.{site.name}: unknown option {name!r}{_nearest(name, known)}")
    options = {**description.options, **site.options}
    for name in sorted((placeholders(description) | ({"budget"} if description.cost else set())) & known):
        if options.get(name) is None:
            raise ConfigError(f"sites.{site.name}: {site.use!r} needs the option {name!r}")
    return options


def placeholders(description: Description) -> set[str]:
    """Return every `{name}` that stands in the description's addresses, headers and bodies."""
    texts = [*description.headers.values()]
    for step in description.session:
        texts += [step.url, str(step.body or ""), str(step.form or ""), step.basic, *step.headers.values()]
    for rules in description.lists:
        texts += [rules.url, rules.permalink, rules.prefix, str(rules.body or ""), str(rules.form or "")]
        texts += [rules.raw.url] if rules.raw else []
    return {match.group(1) for text in texts for match in PLACEHOLDER.finditer(text)}


class _Reader:
    """Builds a description from what a file says, refusing what it must not say."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def description(self, data: Mapping[str, Any]) -> Description:
        """Return the whole; what several lists share stands above them."""
        whole = {key: value for key, value in data.items() if key != "list"}
        shared = {key: whole.pop(key) for key in SHARED if key in whole}
        known = {"list", *SHARED, *_keys(Description), *_keys(Profile)} - {"name", "lists", "profile"}
        self._known("", whole, known)
        if not isinstance(whole.get("options", {}), dict):
            raise self._error("options must be a mapping of option to default")
        told = {key: whole.pop(key) for key in _keys(Profile) if key in whole}
        profile = self._section(Profile, {"about": "", **told}, "")
        described: Description = dataclasses.replace(
            self._section(Description, {**whole, "name": self.file.stem, "lists": (), "profile": {"about": ""}}, ""),
            profile=profile,
        )
        entries = data["list"] if isinstance(data.get("list"), list) else [data.get("list")]
        rules = tuple(self._list(described, shared, entry) for entry in entries)
        if len({entry.stream for entry in rules}) < len(rules):
            raise self._error("of several lists, each needs a list.stream of its own: its cursor is kept under it")
        return dataclasses.replace(described, lists=rules)

    def _list(self, described: Description, shared: Mapping[str, Any], entry: Any) -> ListRules:
        """Return one list; its own `page`, `cursor`, `raw` and `permalink` go before the shared ones."""
        if not isinstance(entry, dict) or not entry.get("url"):
            raise self._error("list.url is missing: say where the list lies")
        if described.kind != "feed" and not (entry.get("items") and entry.get("id")):
            raise self._error("list.items and list.id are missing: say what an entry is and what names it")
        self._known("list.", entry, {*_keys(ListRules), *FIELDS} - {"fields"})
        own = {key: value for key, value in entry.items() if key not in FIELDS}
        rules: ListRules = self._section(ListRules, {**shared, **own}, "list.")
        return dataclasses.replace(rules, fields={key: str(entry[key]) for key in FIELDS if key in entry})

    def _section(self, kind: Any, data: Any, where: str) -> Any:
        """Build one dataclass of the grammar from a mapping, or from the word that is its kind."""
        if isinstance(data, str) and kind in (Pager, Cursor):
            data = {"kind": data}
        if not isinstance(data, dict):
            raise self._error(f"{where.rstrip('.')} must be a mapping of keys")
        keys = _keys(kind)
        self._known(where, data, keys)
        hints = typing.get_type_hints(kind)
        values = {keys[key]: self._value(hints[keys[key]], value, where + key) for key, value in data.items()}
        return kind(**values)

    def _value(self, kind: Any, value: Any, where: str) -> Any:
        """Return one value as its key wants it."""
        if typing.get_origin(kind) is types.UnionType:
            kind = next(choice for choice in typing.get_args(kind) if choice is not type(None))
        if dataclasses.is_dataclass(kind):
            return self._section(kind, value, f"{where}.")
        if typing.get_origin(kind) is Literal:
            return self._choice(where, value, typing.get_args(kind))
        if kind is Reason:
            return Reason(self._choice(where, value, [reason.value for reason in Reason]))
        if typing.get_origin(kind) is tuple and isinstance(value, list):
            of = typing.get_args(kind)[0]
            return tuple(self._section(of, entry, f"{where} {number}: ") for number, entry in enumerate(value, 1))
        if kind in (str, int, float, bool):
            return self._scalar(kind, value, where)
        return value

    def _scalar(self, kind: Any, value: Any, where: str) -> Any:
        """Return text, a number or a truth value; a number may stand where text is wanted, not the other way round."""
        if kind is str:
            return "" if value is None else str(value)
        if not (isinstance(value, bool) if kind is bool else type(value) in (int, float)):
            raise self._error(f"{where} must be {'true or false' if kind is bool else 'a number'}")
        return kind(value)

    def _choice(self, where: str, value: Any, choices: Iterable[str]) -> str:
        """Return a word that must be one of several."""
        if value not in choices:
            words = ", ".join(choice or "nothing" for choice in choices)
            raise self._error(f"{where} must be one of {words}{_nearest(str(value), choices)}")
        return str(value)

    def _known(self, where: str, data: Mapping[str, Any], known: Iterable[str]) -> None:
        """Refuse keys that nobody reads."""
        for key in data:
            if key not in known:
                raise self._error(f"unknown key {where}{key}{_nearest(str(key), known)}")

    def _error(self, text: str) -> ConfigError:
        return ConfigError(f"{self.file.name}: {text}")


def _keys(kind: Any) -> dict[str, str]:
    """Return key in the file → field of a section."""
    return {entry.metadata.get("key", entry.name): entry.name for entry in dataclasses.fields(kind)}


def _nearest(word: str, known: Iterable[str]) -> str:
    """Return `; did you mean …?`, if something is near."""
    near = get_close_matches(word, sorted(known), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""
