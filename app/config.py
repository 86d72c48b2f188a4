"""config.yaml, read once at the roof into frozen dataclasses.

Each room declares its own slice in its `interface.py`; this file only assembles them. An unknown key is an
error that names the key, its line and the nearest known one. Secrets stand in the file as references only
(`env:NAME`, `file:PATH`, `keyring:SERVICE/USER`); `app/secret.py` resolves them. Paths are relative to the
file's folder. Lengths of time are written `30s`, `10m`, `6h`, `7d`.
"""

import dataclasses
import difflib
import hashlib
import re
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pydantic
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import YAMLError

from alerts.interface import EmailSettings, EvidenceSettings, SpoolSettings
from app.logs import LoggingSettings
from app.sources.interface import EnrolmentSettings
from crawler.catalogue import is_stream
from crawler.interface import NetworkSettings, SiteSettings
from decoders.interface import DecodingSettings
from matchers.interface import MatchingSettings
from model.errors import ConfigError
from model.record import LinkageColumn

SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}
NOT_KEYS = {("Config", "path"), ("Config", "digest")}
DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*([smhdw])")


@dataclass(frozen=True, slots=True)
class StorageSettings:
    """`storage:` in config.yaml."""

    url: str = "sqlite:///var/spillwatch.db"
    """An SQLAlchemy URL: SQLite (the embedded default) or `postgresql+psycopg://…`."""
    filter: Path = Path("var/filter.bloom")
    """The filter file, derived from the database: deleted, it is rebuilt."""


@dataclass(frozen=True, slots=True)
class AlertSettings:
    """`alerts:` in config.yaml: one key per channel."""

    email: EmailSettings | None = None
    spool: SpoolSettings | None = None


@dataclass(frozen=True, slots=True)
class Config:
    """Everything the operator decided."""

    linkage_key: str
    """Reference to the linkage key; never the key."""
    evidence: EvidenceSettings
    enrolment: EnrolmentSettings
    previous_linkage_key: str | None = None
    """Reference to the linkage key that is being rotated away; none otherwise."""
    organisation: str = ""
    """Named in evidence as who captured it."""
    storage: StorageSettings = field(default_factory=StorageSettings)
    matching: MatchingSettings = field(default_factory=MatchingSettings)
    decoding: DecodingSettings = field(default_factory=DecodingSettings)
    network: NetworkSettings = field(default_factory=NetworkSettings)
    alerts: AlertSettings = field(default_factory=AlertSettings)
    logging: LoggingSettings = field(default_factory=LoggingSettings)
    sites: Mapping[str, SiteSettings] = field(default_factory=dict)
    path: Path = Path("config.yaml")
    """The file itself; not a key."""
    digest: str = ""
    """SHA-256 of the file, kept with evidence; not a key."""

    def resolve(self, path: Path) -> Path:
        """Return the path as seen from the folder of config.yaml."""
        return path if path.is_absolute() else self.path.parent / path

    def site(self, name: str) -> SiteSettings:
        """Return one site's settings; an unknown name is an error that names the nearest."""
        if name not in self.sites:
            raise ConfigError(f"{self.path}: there is no site {name!r} under sites:{_nearest(name, self.sites)}")
        return self.sites[name]


def read_config(path: Path) -> Config:
    """Return the configuration in the file.

    Raises `ConfigError` naming file, line and key for anything missing, unknown or of the wrong type.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or 'cannot be read'}. Make one with: spillwatch init") from error
    try:
        tree = YAML(typ="rt").load(raw)
    except (YAMLError, UnicodeDecodeError) as error:
        line = getattr(getattr(error, "problem_mark", None), "line", None)
        where = f"{path}:{line + 1}" if line is not None else str(path)
        raise ConfigError(f"{where}: not valid YAML: {getattr(error, 'problem', 'cannot be decoded')}") from error
    if not isinstance(tree, CommentedMap):
        raise ConfigError(f"{path}: expected keys and values at the top level")
    path = path.absolute()
    plain = _shape(tree, Config, "", path)
    plain.setdefault("path", path)
    plain.setdefault("digest", hashlib.sha256(raw).hexdigest())
    try:
        config = pydantic.TypeAdapter(Config).validate_python(plain)
    except pydantic.ValidationError as error:
        raise ConfigError(_explain(error, tree, path)) from error
    return _absolute(config)


def _shape(tree: Any, kind: Any, where: str, path: Path) -> Any:
    """Turn YAML into plain values shaped for `kind`, refusing unknown keys, reading durations."""
    kind = _unwrap(kind)
    if kind is LinkageColumn and isinstance(tree, str):
        return {"kind": str(tree)}
    if dataclasses.is_dataclass(kind) and isinstance(tree, CommentedMap):
        return _shape_fields(tree, kind, where, path)
    if kind is float and isinstance(tree, str):
        return _duration(tree)
    if typing.get_origin(kind) is Mapping and isinstance(tree, CommentedMap):
        inner = typing.get_args(kind)[1]
        if inner is SiteSettings:
            return {str(name): _shape_site(name, entry, f"{where}.{name}", path) for name, entry in tree.items()}
        return {str(name): _shape(entry, inner, f"{where}.{name}", path) for name, entry in tree.items()}
    return _plain(tree)


def _shape_fields(tree: CommentedMap, kind: Any, where: str, path: Path) -> dict[str, Any]:
    hints = typing.get_type_hints(kind)
    known = [entry.name for entry in dataclasses.fields(kind) if (kind.__name__, entry.name) not in NOT_KEYS]
    shaped = {}
    for key, value in tree.items():
        if key not in known:
            line = tree.lc.key(key)[0] + 1
            raise ConfigError(f"{path}:{line}: unknown key {_join(where, key)!r}{_nearest(str(key), known)}")
        if value is not None:
            shaped[str(key)] = _shape(value, hints[key], _join(where, key), path)
    return shaped


def _shape_site(name: Any, tree: Any, where: str, path: Path) -> dict[str, Any]:
    """A site: its own keys checked, everything else kept as options for its description or spider."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9_.-]{0,63}", str(name)) or name == "check":
        rule = "a name is lower case letters, digits, '.', '_', '-', and not 'check'"
        raise ConfigError(f"{path}: sites: {str(name)!r}: {rule}")
    if not isinstance(tree, CommentedMap):
        raise ConfigError(f"{path}: {where}: expected keys such as use: and every:")
    own = {entry.name for entry in dataclasses.fields(SiteSettings)} - {"name", "options"}
    hints = typing.get_type_hints(SiteSettings)
    shaped: dict[str, Any] = {
        str(key): _shape(value, hints[key], _join(where, key), path) for key, value in tree.items() if key in own
    }
    if is_stream(str(tree.get("use"))):
        if "every" in shaped:
            raise ConfigError(f"{path}: {where}.every: a stream is read as it comes; take every: out")
        shaped["every"] = 0.0
    shaped["name"] = str(name)
    shaped["options"] = {str(key): _plain(value) for key, value in tree.items() if key not in own}
    return shaped


def _unwrap(kind: Any) -> Any:
    """`X | None` → `X`."""
    if typing.get_origin(kind) in (types.UnionType, typing.Union):
        return next(choice for choice in typing.get_args(kind) if choice is not type(None))
    return kind


def _plain(tree: Any) -> Any:
    if isinstance(tree, Mapping):
        return {str(key): _plain(value) for key, value in tree.items()}
    if isinstance(tree, list):
        return [_plain(value) for value in tree]
    for scalar in (bool, int, float, str):
        if isinstance(tree, scalar):
            return scalar(tree)
    return tree


def _duration(text: str) -> float | str:
    match = DURATION.fullmatch(text.strip())
    return float(match[1]) * SECONDS[match[2]] if match else text


def _join(where: str, key: Any) -> str:
    return f"{where}.{key}".lstrip(".")


def _nearest(name: str, known: Any) -> str:
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(sorted(known)) or 'none'}"


def _explain(error: pydantic.ValidationError, tree: CommentedMap, path: Path) -> str:
    first = error.errors(include_input=False, include_url=False)[0]
    location = [str(step) for step in first["loc"] if not str(step).startswith("function-")]
    line = _line(tree, location)
    where = f"{path}:{line}" if line else str(path)
    what = (
        "is missing"
        if first["type"] in ("missing", "missing_argument")
        else first["msg"][:1].lower() + first["msg"][1:]
    )
    return f"{where}: {'.'.join(location)}: {what}"


def _line(tree: Any, location: list[str]) -> int | None:
    """The line (1 = first) of the deepest part of the location that stands in the file."""
    line = None
    for step in location:
        if not isinstance(tree, CommentedMap) or step not in tree:
            break
        line = tree.lc.key(step)[0] + 1
        tree = tree[step]
    return line


def _absolute(config: Config) -> Config:
    """Resolve the paths of every room against the folder of the file."""
    storage = dataclasses.replace(
        config.storage,
        filter=config.resolve(config.storage.filter),
        url=_absolute_url(config.storage.url, config.path.parent),
    )
    evidence = dataclasses.replace(config.evidence, folder=config.resolve(config.evidence.folder))
    spool, email, network = config.alerts.spool, config.alerts.email, config.network
    if spool:
        spool = dataclasses.replace(spool, folder=config.resolve(spool.folder))
    if email and email.ca_file:
        email = dataclasses.replace(email, ca_file=config.resolve(email.ca_file))
    if network.descriptions:
        network = dataclasses.replace(network, descriptions=config.resolve(network.descriptions))
    alerts = AlertSettings(email=email, spool=spool)
    enrolment, figures = config.enrolment, config.enrolment.public_figures
    if figures.file:
        figures = dataclasses.replace(figures, file=config.resolve(figures.file))
        enrolment = dataclasses.replace(enrolment, public_figures=figures)
    logging = config.logging
    if logging.file:
        logging = dataclasses.replace(logging, file=config.resolve(logging.file))
    return dataclasses.replace(
        config,
        storage=storage,
        evidence=evidence,
        enrolment=enrolment,
        alerts=alerts,
        network=network,
        logging=logging,
    )


def _absolute_url(url: str, folder: Path) -> str:
    prefix = "sqlite:///"
    if url.startswith(prefix) and not url.startswith(prefix + "/") and url != prefix + ":memory:":
        return f"{prefix}{folder / url.removeprefix(prefix)}"
    return url
