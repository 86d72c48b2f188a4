"""DOCTOR: is everything in place? Each line says what is, and if it is not well, what to do."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass

from alerts.channels.email import EmailChannel
from alerts.evidence.screenshot import browser_path
from app.config import Config
from app.selftest import recognises
from app.wiring import folds_as_enrolled, offered_keys, open_channels, open_stores, read_keys
from crawler.entry import check
from decoders.sandbox import open_sandbox
from matchers.epochs import Keyring
from model.errors import ConfigError, SpillwatchError

FREE_FLOOR = 0.1


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the doctor."""

    what: str
    ok: bool | None
    """None = works, but could be better."""
    says: str


def examine_installation(config: Config) -> Iterator[Finding]:
    """Yield one finding after the other; a failing one never hides the next."""
    yield Finding("configuration", True, f"{config.path}, {len(config.sites)} sites")
    yield from _database(config)
    yield _matching()
    yield _evidence(config)
    yield _screenshots(config)
    yield _isolation(config)
    yield from _channels(config)
    yield from _sites(config)
    yield _disk(config)


def _database(config: Config) -> Iterator[Finding]:
    try:
        with open_stores(config) as stores:
            counts = stores.records.count()
            yield Finding("database", True, f"{stores.database.dialect}, {counts.records} records enrolled")
            try:
                keys = read_keys(config, stores)
            except SpillwatchError as error:
                yield Finding("linkage key", False, str(error))
            else:
                yield Finding("linkage key", True, "readable, and the one that this database was made with")
                yield from _rotation(config, keys)
            if counts.records and not folds_as_enrolled(stores):
                advice = "enrol your export again: Python or OpenCC changed since, and rare characters fold otherwise"
                yield Finding("enrolment", None, advice)
            if not counts.records:
                yield Finding("records", None, "none enrolled yet. Run: spillwatch enrol FILE.csv")
            waiting = len(stores.outbox.pending())
            if waiting:
                yield Finding("outbox", None, f"{waiting} messages wait to be accepted; see the channel lines below")
    except SpillwatchError as error:
        yield Finding("database", False, str(error))


def _matching() -> Finding:
    if recognises():
        return Finding("matching", True, "an invented record is found in an invented post that disguises it")
    return Finding("matching", False, "an invented record is not found: do not rely on this installation, reinstall it")


def _rotation(config: Config, keys: Keyring) -> Iterator[Finding]:
    """Say which step of a rotation is due, if one is."""
    if keys.older:
        advice = f"under way to epoch {keys.current.epoch}: enrol the whole export, then: spillwatch rotate --finish"
        yield Finding("rotation", None, advice)
    elif keys.current.key != offered_keys(config)[0]:
        yield Finding("rotation", None, "linkage_key refers to a key that is not in use yet. Run: spillwatch rotate")
    elif config.previous_linkage_key:
        yield Finding("rotation", None, "finished: take previous_linkage_key out of config.yaml, destroy that key")


def _evidence(config: Config) -> Finding:
    if not config.evidence.recipients:
        return Finding(
            "evidence", False, "evidence.recipients is empty: nobody could open it. Put an age public key there"
        )
    identity = config.path.parent / "evidence-identity.txt"
    if identity.exists():
        advice = (
            f"move {identity.name} to the privacy officer's machine: whoever takes this machine could open the evidence"
        )
        return Finding("evidence", None, advice)
    return Finding("evidence", True, f"sealed to {len(config.evidence.recipients)} public key(s)")


def _screenshots(config: Config) -> Finding:
    if not config.evidence.screenshot:
        return Finding("screenshots", True, "off by configuration")
    browser = browser_path()
    if browser is None:
        advice = "no Chromium found, evidence is kept without a picture. Install the Debian package chromium"
        return Finding("screenshots", None, f"{advice} and spillwatch[browser]")
    return Finding("screenshots", True, str(browser))


def _isolation(config: Config) -> Finding:
    try:
        sandbox = open_sandbox(config.decoding)
    except SpillwatchError as error:
        return Finding("decoders", False, str(error))
    try:
        level = sandbox.level
    finally:
        sandbox.close()
    return Finding("decoders", True if "no network" in level else None, level)


def _channels(config: Config) -> Iterator[Finding]:
    channels = open_channels(config)
    if not channels:
        yield Finding("alerts", False, "no channel under alerts: nobody would ever hear of a leak")
    for name, channel in channels.items():
        if isinstance(channel, EmailChannel):
            yield _mail(name, channel)
        else:
            carried = "email" in channels
            says = "messages become .eml files" + ("" if carried else "; see that something carries them to people")
            yield Finding(f"alerts.{name}", True if carried else None, says)


def _mail(name: str, channel: EmailChannel) -> Finding:
    try:
        channel.reach()
    except SpillwatchError as error:
        return Finding(f"alerts.{name}", False, str(error))
    return Finding(f"alerts.{name}", True, "server reached, certificate verified, login accepted")


def _sites(config: Config) -> Iterator[Finding]:
    if not config.sites:
        yield Finding("sites", None, "none configured: nothing is watched. See sites: in config.yaml")
    for site in config.sites.values():
        try:
            check(site, config.network)
        except ConfigError as error:
            yield Finding(f"site {site.name}", False, str(error))
            continue
        if site.expect is None:
            yield Finding(f"site {site.name}", None, "has no expect: its silence would not be noticed")
    if not config.network.contact:
        yield Finding("network.contact", None, "empty: a site that is troubled by the spider can reach nobody")


def _disk(config: Config) -> Finding:
    folder = config.evidence.folder
    while not folder.exists():
        folder = folder.parent
    usage = shutil.disk_usage(folder)
    share = usage.free / usage.total
    says = f"{usage.free / 1e9:.1f} GB free ({share:.0%}) for evidence"
    return Finding(
        "disk", share >= FREE_FLOOR, says if share >= FREE_FLOOR else f"{says}: make room, evidence needs it"
    )
