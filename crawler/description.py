"""Site descriptions: one YAML file per site, read strictly. docs/sites.md explains the grammar with examples.

An unknown key is an error that names the file, the key and the nearest known key.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from crawler.interface import SiteSettings
from model.errors import ConfigError
from model.page import Reason

SHIPPED = Path(__file__).parent / "sites"
KINDS = ("html", "json", "feed", "text")
PAGERS = ("none", "page", "offset", "token", "link_header", "next", "before_id")
CURSORS = ("seen", "id", "time")
FIELDS = ("id", "title", "author", "time", "text", "html", "link", "files", "thread", "name", "media_type", "record")

_TOP = frozenset(
    [
        "name",
        "about",
        "kind",
        "list",
        "raw",
        "link",
        "page",
        "cursor",
        "require",
        "fail",
        "options",
        "headers",
        "encoding",
        "every",
        "delay",
        "robots",
        "note",
        "backfill",
        "conditional",
        "fetch_link",
        "tested",
    ]
)
_LIST = frozenset({"url", "items", "method", "body", *FIELDS})
_RAW = frozenset({"url", "type", "text", "each"})
_PAGE = frozenset({"kind", "param", "from", "start", "step", "css", "more"})
_FAIL = frozenset({"status", "re", "json", "means", "pause"})


@dataclass(frozen=True, slots=True)
class Pager:
    """How a list goes on."""

    kind: str = "none"
    param: str = ""
    """Query parameter that carries the page, offset, token or id."""
    source: str = ""
    """JMESPath of the token, or `min` / `max` of the items' ids."""
    start: int = 1
    step: int = 1
    css: str = ""
    """For `next`: where the address of the next page stands."""
    more: str = ""
    """JMESPath that is true while there is more."""


@dataclass(frozen=True, slots=True)
class Raw:
    """Where an item's content lies, if not in the list."""

    url: str
    type: str = "text"
    """`text` or `file` (the body is the content), `html` (a page, with its pictures), `json` (with `text`)."""
    text: str = ""
    """JMESPath of the text or texts in a JSON answer."""
    each: str = ""
    """The list field whose addresses are fetched instead of `url`."""


@dataclass(frozen=True, slots=True)
class FailRule:
    """A refusal of this site that the common table does not know."""

    means: Reason
    status: int | None = None
    pattern: str = ""
    json: str = ""
    pause: float = 0.0


@dataclass(frozen=True, slots=True)
class Description:
    """One described site."""

    name: str
    kind: str
    list_url: str
    fields: Mapping[str, str]
    """Field → expression."""
    items: str = ""
    """CSS, JMESPath or regular expression of the entries."""
    method: str = "GET"
    body: Mapping[str, Any] | None = None
    """JSON body of a POST."""
    raw: Raw | None = None
    link: str = ""
    """Permalink, with `{field}`."""
    pager: Pager = field(default_factory=Pager)
    cursor: str = "seen"
    require: str = ""
    """What must stand on a list even when it is empty; without it nothing, or an empty list of HTML, is a change."""
    fail: tuple[FailRule, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    """Option → default; null means that config.yaml must give it."""
    headers: Mapping[str, str] = field(default_factory=dict)
    encoding: str = "auto"
    backfill: int = 1
    """Pages of a list that the first scan reads."""
    conditional: bool = True
    fetch_link: bool = False
    """The list only finds addresses: fetch what `link` names as a web page."""
    about: str = ""
    note: str = ""
    """Terms and access, for people."""


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
    return _description(file, data)


def resolve_options(description: Description, site: SiteSettings) -> dict[str, Any]:
    """Return the site's options with the description's defaults; unknown and missing ones are errors."""
    known = {"root", *description.options}
    for name in site.options:
        if name not in known:
            raise ConfigError(f"sites.{site.name}: unknown option {name!r}{_nearest(name, known)}")
    options = {**description.options, **site.options}
    for name in placeholders(description) & known:
        if options.get(name) is None:
            raise ConfigError(f"sites.{site.name}: {site.use!r} needs the option {name!r}")
    return options


def placeholders(description: Description) -> set[str]:
    """Return every `{name}` that stands in the description's addresses, headers and body."""
    text = " ".join([description.list_url, description.link, str(description.body or "")])
    text += " ".join(description.headers.values()) + (description.raw.url if description.raw else "")
    return set(re.findall(r"\{(\w+)(?:\|\w+)?\}", text))


def _description(file: Path, data: Mapping[str, Any]) -> Description:
    """Build a description from what the file says, refusing what it must not say."""
    _known(file, "", data, _TOP)
    rules = _section(file, data, "list", _LIST)
    kind = _choice(file, "kind", data.get("kind"), KINDS)
    if not rules.get("url"):
        raise ConfigError(f"{file.name}: list.url is missing: say where the list lies")
    if kind != "feed" and not (rules.get("items") and rules.get("id")):
        raise ConfigError(f"{file.name}: list.items and list.id are missing: say what an entry is and what names it")
    raw = _section(file, data, "raw", _RAW)
    options = data.get("options") or {}
    if not isinstance(options, dict):
        raise ConfigError(f"{file.name}: options must be a mapping of option to default")
    return Description(
        name=file.stem,
        kind=kind,
        list_url=str(rules["url"]),
        fields={key: str(value) for key, value in rules.items() if key in FIELDS},
        items=str(rules.get("items", "")),
        method=_choice(file, "list.method", rules.get("method", "GET"), ("GET", "POST")),
        body=rules.get("body"),
        raw=Raw(**{key: str(value) for key, value in ({"url": ""} | raw).items()}) if raw else None,
        link=str(data.get("link", "")),
        pager=_pager(file, data.get("page", "none")),
        cursor=_choice(file, "cursor", data.get("cursor", "seen"), CURSORS),
        require=str(data.get("require", "")),
        fail=tuple(_fail(file, number, rule) for number, rule in enumerate(data.get("fail", ()), 1)),
        options=options,
        headers={str(key): str(value) for key, value in (data.get("headers") or {}).items()},
        encoding=str(data.get("encoding", "auto")),
        backfill=int(data.get("backfill", 1)),
        conditional=bool(data.get("conditional", True)),
        fetch_link=bool(data.get("fetch_link", False)),
        about=str(data.get("about", "")),
        note=str(data.get("note", "")),
    )


def _pager(file: Path, data: Any) -> Pager:
    """Read `page:`, a word or a mapping with `kind`."""
    if isinstance(data, str):
        return Pager(kind=_choice(file, "page", data, PAGERS))
    if not isinstance(data, dict):
        raise ConfigError(f"{file.name}: page must be a word or a mapping with `kind`")
    _known(file, "page.", data, _PAGE)
    return Pager(
        kind=_choice(file, "page.kind", data.get("kind"), PAGERS),
        param=str(data.get("param", "")),
        source=str(data.get("from", "")),
        start=int(data.get("start", 1)),
        step=int(data.get("step", 1)),
        css=str(data.get("css", "")),
        more=str(data.get("more", "")),
    )


def _fail(file: Path, number: int, data: Any) -> FailRule:
    """Read one rule of the site's failure table."""
    if not isinstance(data, dict):
        raise ConfigError(f"{file.name}: fail rule {number} must be a mapping")
    _known(file, f"fail rule {number}: ", data, _FAIL)
    means = _choice(file, f"fail rule {number}: means", data.get("means"), tuple(reason.value for reason in Reason))
    status = data.get("status")
    return FailRule(
        means=Reason(means),
        status=int(status) if status is not None else None,
        pattern=str(data.get("re", "")),
        json=str(data.get("json", "")),
        pause=float(data.get("pause", 0)),
    )


def _section(file: Path, data: Mapping[str, Any], name: str, known: frozenset[str]) -> dict[str, Any]:
    """Return one mapping of the file, with only known keys."""
    section = data.get(name) or {}
    if not isinstance(section, dict):
        raise ConfigError(f"{file.name}: {name} must be a mapping")
    _known(file, f"{name}.", section, known)
    return section


def _known(file: Path, prefix: str, data: Mapping[str, Any], known: frozenset[str]) -> None:
    """Refuse keys that nobody reads."""
    for key in data:
        if key not in known:
            raise ConfigError(f"{file.name}: unknown key {prefix}{key}{_nearest(str(key), known)}")


def _choice(file: Path, key: str, value: Any, choices: tuple[str, ...]) -> str:
    """Return a word that must be one of several."""
    if value not in choices:
        raise ConfigError(f"{file.name}: {key} must be one of {', '.join(choices)}{_nearest(str(value), choices)}")
    return str(value)


def _nearest(word: str, known: Any) -> str:
    """Return `; did you mean …?`, if something is near."""
    near = get_close_matches(word, sorted(known), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""
