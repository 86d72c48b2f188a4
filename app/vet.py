"""VET: do the queries of a site name a record? Asked before any of them is sent.

The fetching process holds no key, and the daemon neither. A short-lived child with the key examines every word that a
site's options could send, and the verdict stays in the database, with a digest of what was examined (the whole
configuration, the operator's descriptions) and against what (the state of the records). While that digest is the same,
asking costs nothing. Run as `python -m app.vet CONFIG`, this module is that child; with `-` behind, it examines the one
site that comes on its standard input and answers on its standard output.
"""

import dataclasses
import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_plus

import structlog
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from app import child, logs
from app.config import Config, read_config
from app.stores import Stores, open_stores
from crawler.interface import SiteSettings
from model.errors import SiteError, SpillwatchError
from storage.moments import utc_now

if TYPE_CHECKING:  # matching belongs to the child: the daemon, which asks, never loads it
    from matchers.queries import QueryVetter

SECONDS = 600.0
"""After which a child that has no verdict yet is ended."""
FRESH = 60.0
"""Seconds for which a verdict holds while an enrolment changes the records all the time."""
TOGETHER = "all options together"
DESCRIPTION = "description"
FORM = b"1"
"""Version of what is examined and how: a change of it makes every verdict be found anew."""
TOLD_TO_PEOPLE = frozenset(("about", "access", "limits", "mode", "off", "tested", "terms"))
"""Keys of a description that are never sent."""
REFERENCE = re.compile(r"(?:env|file|keyring):\S+")
"""A secret by reference: it goes into a header, and is not known here."""

_alone = threading.Lock()
log = structlog.get_logger(__name__)


def refused(config: Config, site: SiteSettings, stores: Stores) -> tuple[str, ...]:
    """Return the names of the site's options that hold something enrolled; empty if it may be asked.

    Raises `SpillwatchError` if that cannot be found out: then it must not be asked.
    """
    if stores.facts.filter_version() == 0:
        return ()  # nobody was ever enrolled
    with _alone:
        if not _holds(config, site, stores):
            _examine_in_child(config)
        verdict = stores.queries.of(site.name)
    if verdict is None:
        raise SpillwatchError(f"the queries of the site {site.name!r} were not examined; it is not asked")
    return verdict.refused


def require(config: Config, site: SiteSettings, stores: Stores) -> None:
    """Return if the site may be asked. Raises `SiteError` naming the site and the options, never what they hold."""
    options = refused(config, site, stores)
    if options:
        raise SiteError(refusal(site.name, options))


def require_now(config: Config, site: SiteSettings) -> None:
    """Return if a site may be asked that need not stand in config.yaml, or with other options: nothing is remembered.

    Raises `SiteError` as `require` does.
    """
    file = Path(config.storage.url.removeprefix("sqlite:///"))
    if config.storage.url.startswith("sqlite:///") and not file.exists():
        return  # nobody was ever enrolled, and trying makes no database
    with open_stores(config) as stores:
        if stores.facts.filter_version() == 0:
            return
    process = child.start("app.vet", config, "-", keyless=False, piped=True)
    try:
        answer, _ = process.communicate(json.dumps(dataclasses.asdict(site)).encode(), timeout=SECONDS)
    finally:
        child.stop(process, 1.0)
    if process.returncode != 0:
        raise SpillwatchError("the words could not be examined, so nothing is asked; the log says why")
    options = tuple(json.loads(answer))
    if options:
        raise SiteError(refusal(site.name, options))


def refusal(site: str, options: tuple[str, ...]) -> str:
    """Return what a person is told about a refused site."""
    named = ", ".join(f"'{option}'" for option in options)
    return (
        f"{site}: not asked, no request was made: {named} holds something of an enrolled record. A query may hold only "
        f"words of your own (the hospital's name, say). Take it out of sites.{site} in config.yaml"
    )


def texts(config: Config, site: SiteSettings) -> Iterator[tuple[str, str]]:
    """Yield everything of a site that may be sent: the name of the option, and the text, as written and unquoted.

    Whatever else a site will send must be yielded here.
    """
    options = [each for each in _scalars(site.options, "") if not REFERENCE.fullmatch(each[1])]
    for name, text in [*_scalars(_own_description(config, site), DESCRIPTION), *options]:
        yield name, text
        if unquote_plus(text) != text:
            yield name, unquote_plus(text)
    if len(options) > 1:
        yield TOGETHER, " ".join(text for _, text in options)


def digest(config: Config, stores: Stores) -> bytes:
    """Return 32 bytes that stay the same while neither the words nor the records change.

    Keyed with the installation salt. The words go in with the whole file that they stand in: who could guess that,
    has it.
    """
    words = blake2b(FORM, key=stores.facts.salt(), digest_size=16, person=b"spw vet words")
    words.update(config.digest.encode() + repr(config.organisation).encode())
    folder = config.network.descriptions
    for file in sorted(folder.glob("*.yaml")) if folder is not None else ():
        words.update(file.name.encode() + b"\0" + blake2b(file.read_bytes()).digest())
    state = blake2b(key=stores.facts.salt(), digest_size=16, person=b"spw vet state")
    state.update(repr((stores.facts.epochs(), stores.facts.filter_version())).encode())
    return words.digest() + state.digest()


def _holds(config: Config, site: SiteSettings, stores: Stores) -> bool:
    """Tell whether the last verdict is about these words and these records."""
    verdict, present = stores.queries.of(site.name), digest(config, stores)
    if verdict is None or verdict.digest[:16] != present[:16]:
        return False
    if verdict.digest == present:
        return True
    is_fresh = (utc_now() - verdict.vetted_at).total_seconds() < FRESH
    return is_fresh and stores.leases.holder("enrolment") is not None


def _examine_in_child(config: Config) -> None:
    process = child.start("app.vet", config, keyless=False)
    try:
        process.wait(SECONDS)
    except subprocess.TimeoutExpired:
        log.warning("the examination of queries takes too long", seconds=SECONDS)
    finally:
        child.stop(process, 1.0)
    if process.returncode != 0:
        raise SpillwatchError("the queries of the sites could not be examined, so no site is asked; the log says why")


def examine(config: Config, stores: Stores) -> Mapping[str, tuple[str, ...]]:
    """Examine the queries of every site against every live epoch; keep and return what is refused (site → options)."""
    state = digest(config, stores)
    vetters = _vetters(config, stores)
    found = {site.name: _named(config, site, vetters) for site in config.sites.values()}
    stores.queries.keep(state, found)
    return found


def _named(config: Config, site: SiteSettings, vetters: "list[QueryVetter]") -> tuple[str, ...]:
    """Return the options of a site that name a record."""
    named = [
        name
        for name, text in texts(config, site)
        if any(vetter.names_a_record(text, config.organisation) for vetter in vetters)
    ]
    alone = [name for name in named if name != TOGETHER]
    return tuple(dict.fromkeys(alone or named))


def _vetters(config: Config, stores: Stores) -> "list[QueryVetter]":
    from app.wiring import open_engines, open_filter, read_keys
    from matchers.kernel import Kernel
    from matchers.keys import LocalEvaluator
    from matchers.queries import QueryVetter

    members, _ = open_filter(config, stores)
    engines, keys = open_engines(config, stores, members), read_keys(config, stores)
    return [
        QueryVetter(
            engines[each.epoch],
            LocalEvaluator(each.key, each.epoch),
            Kernel(each.key.kernel_key(each.epoch)),
            members,
            stores.records,
        )
        for each in keys.all
        if each.epoch in engines
    ]


def _own_description(config: Config, site: SiteSettings) -> Any:
    """Return the operator's own description of the site without what is only for people; a shipped one names nobody."""
    folder = config.network.descriptions
    file = folder / f"{site.use}.yaml" if folder is not None else None
    if file is None or not file.is_file():
        return {}
    try:
        tree = YAML(typ="safe").load(file.read_text("utf-8"))
    except (YAMLError, UnicodeDecodeError):
        return {}  # it cannot be used either: the scan says so
    return {key: part for key, part in tree.items() if key not in TOLD_TO_PEOPLE} if isinstance(tree, dict) else {}


def _scalars(tree: Any, name: str) -> Iterator[tuple[str, str]]:
    """Yield every text and number of a tree with the name under which it stands; inner keys are sent too."""
    if isinstance(tree, Mapping):
        for key, part in tree.items():
            if name:
                yield name, str(key)
            yield from _scalars(part, f"{name}.{key}" if name else str(key))
    elif isinstance(tree, list | tuple):
        for number, part in enumerate(tree, 1):
            yield from _scalars(part, f"{name}[{number}]")
    elif tree is not None and not isinstance(tree, bool):
        yield name, str(tree)


def main() -> None:
    """Be the examining child."""
    child.end_with_parent()
    child.leave_no_core()
    config = read_config(Path(sys.argv[1]))
    logs.configure(config.logging)
    try:
        with open_stores(config) as stores:
            if sys.argv[2:] == ["-"]:
                site = SiteSettings(**json.load(sys.stdin))
                json.dump(_named(config, site, _vetters(config, stores)), sys.stdout)
                return
            found = examine(config, stores)
    except SpillwatchError:
        log.exception("examination of queries stopped by an error")
        sys.exit(1)
    log.info("queries examined", sites=len(found), refused=sum(bool(options) for options in found.values()))


if __name__ == "__main__":
    main()
