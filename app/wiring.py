"""Knows everybody: opens the examiner and all that it needs, as a configuration says.

Who holds no key takes the stores and the channels from where they are, and starts without what matches. Who enrols
or opens a reference starts without what reads pages: that is imported where it is opened.
"""

import platform
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from app.config import Config
from app.deliver import open_channels as open_channels  # noqa: PLC0414  (re-exported: had here with the rest)
from app.filtering import FilterChanges, FilteredRecords, FilterWatch, current_filter
from app.secret import resolve
from app.stores import Stores
from app.stores import open_stores as open_stores  # noqa: PLC0414  (the same)
from matchers import foldtables
from matchers.commonness import Commonness
from matchers.epochs import EpochEngine, EpochEnroller, Keyring
from matchers.filter import BloomFilter
from matchers.fingerprints import Enroller
from matchers.interface import TagFilter
from matchers.keys import LinkageKey
from model.errors import ConfigError
from storage.moments import utc_now
from storage.sealing import KeyPair, keypair_from

if TYPE_CHECKING:
    from alerts.evidence.snapshot import CaptureContext
    from app.bulk import BulkExaminer
    from app.examine import Examiner
    from app.remembering import Remembrance
    from matchers.engine import Engine

PROGRAMS = ("spillwatch", "scrapy", "sqlalchemy", "rapidocr", "rapidfuzz", "warcio", "pyrage", "cryptography")


now = utc_now
"""Tells the time, UTC."""


def read_keys(config: Config, stores: Stores) -> Keyring:
    """Return the linkage key of every live epoch, each proved to be the one that its records were made with.

    On a new database `linkage_key` is bound to it: its check tag and the public key that seals the spool are kept.
    """
    offered = offered_keys(config)
    stores.facts.set_key_check(offered[0].check_tag())
    keys = Keyring.choose(stores.facts.epochs(), offered)
    stores.facts.set_public_key(spool_pair(keys.current.key).public)
    return keys


def offered_keys(config: Config) -> tuple[LinkageKey, ...]:
    """Return the linkage keys that the configuration refers to, whether or not the database knows them."""
    folder = config.path.parent
    references = (config.linkage_key, config.previous_linkage_key)
    return tuple(LinkageKey.parse(resolve(reference, folder)) for reference in references if reference)


def spool_pair(key: LinkageKey) -> KeyPair:
    """Return the key pair to which waiting pages are sealed."""
    return keypair_from(key.spool_seed())


def folds_as_enrolled(stores: Stores) -> bool:
    """Tell whether text is folded as when the first record was enrolled.

    Another Python or another OpenCC may fold a rare character otherwise, and a record that holds it would be missed:
    enrol anew then.
    """
    present = foldtables.digest().encode()
    return stores.facts.set_once("fold-tables", present) == present


def note_enrolment(stores: Stores, enroller: EpochEnroller, enrolled: int) -> None:
    """Remember, after an enrolment of so many rows, how text is folded and which phrases are common in its notes.

    An export of everything settles both anew; a smaller one leaves the phrases that more notes have taught.
    """
    known = common_phrases(stores, enroller.epoch)
    counted = enroller.census.commonness()
    if counted.notes and (known is None or counted.notes >= known.notes):
        stores.facts.replace(_phrases(enroller.epoch), counted.to_bytes())
    if enrolled >= stores.records.count().records:
        stores.facts.replace("fold-tables", foldtables.digest().encode())
    else:
        folds_as_enrolled(stores)


def common_phrases(stores: Stores, epoch: int) -> Commonness | None:
    """Return which phrases are common in the notes enrolled in an epoch, None as long as none were counted."""
    packed = stores.facts.get(_phrases(epoch))
    return Commonness.from_bytes(packed) if packed is not None else None


def _phrases(epoch: int) -> str:
    return f"common-phrases-{epoch}"


def open_enroller(config: Config, keys: Keyring) -> EpochEnroller:
    """Return what turns records into fingerprints."""
    return EpochEnroller(keys, config.enrolment)


def open_filter(config: Config, stores: Stores) -> tuple[BloomFilter, FilterWatch]:
    """Return the filter for the present state of the records, and what tells when to open it again."""
    return current_filter(config.storage.filter, open_enroller(config, read_keys(config, stores)), stores)


@contextmanager
def open_records(config: Config, enroller: Enroller, stores: Stores) -> Iterator[FilteredRecords]:
    """Open the records for changing, so that what is enrolled is searchable at once."""
    with FilterChanges(config.storage.filter, stores.facts) as changes:
        yield FilteredRecords(stores.database, enroller, changes)


def open_engine(config: Config, stores: Stores, members: TagFilter) -> EpochEngine:
    """Return the matching engine over everything enrolled; it follows the epochs."""
    return EpochEngine(lambda: open_engines(config, stores, members), stores.facts.filter_version)


def open_engines(config: Config, stores: Stores, members: TagFilter) -> "dict[int, Engine]":
    """Return an engine for each epoch that has records, the older ones first: a record moves from old to new."""
    from matchers.engine import Engine
    from matchers.kernel import Kernel
    from matchers.keys import LocalEvaluator

    keys = read_keys(config, stores)
    older = [each for each in keys.older if stores.records.of_epoch(each.epoch, limit=1)]
    records = stores.records.count().records
    return {
        each.epoch: Engine(
            LocalEvaluator(each.key, each.epoch),
            Kernel(each.key.kernel_key(each.epoch)),
            members,
            stores.records,
            config.matching,
            records,
            common_phrases(stores, each.epoch),
        )
        for each in (*reversed(older), keys.current)
    }


@contextmanager
def open_examiner(config: Config, stores: Stores, members: TagFilter | None = None) -> "Iterator[Examiner]":
    """Open everything an examination needs; the only place where key and crawled bytes meet.

    Without a filter the present one is opened, for an examination that is soon over.
    """
    from app.examine import Examiner
    from decoders.sandbox import open_sandbox

    keys = read_keys(config, stores)
    if not config.evidence.recipients:
        raise ConfigError(
            f"{config.path}: evidence.recipients is empty: nobody could open it. Put an age public key there"
        )
    sandbox = open_sandbox(config.decoding)
    try:
        yield Examiner(
            stores=stores,
            sandbox=sandbox,
            engine=open_engine(config, stores, members or open_filter(config, stores)[0]),
            spool_keys=tuple(spool_pair(key).private for key in keys.roots),
            evidence=config.evidence,
            context=capture_context(config, sandbox.level),
            channels=tuple(open_channels(config)),
            site_classes={name: site.use for name, site in config.sites.items()},
            clock=now,
            remembrance=open_remembrance(config, keys, stores),
        )
    finally:
        sandbox.close()


@contextmanager
def open_bulk(config: Config, stores: Stores) -> "Iterator[BulkExaminer]":
    """Open what an examination in bulk needs; it has no way to raise an alert or to keep evidence."""
    from app.bulk import BulkExaminer
    from decoders.sandbox import open_sandbox

    enroller = open_enroller(config, read_keys(config, stores))
    sandbox = open_sandbox(config.decoding)
    try:
        yield BulkExaminer(
            sandbox,
            open_engine(config, stores, open_filter(config, stores)[0]),
            lambda handles: {
                handle: enroller.reference(sealed) for handle, sealed in stores.records.sealed_refs(handles).items()
            },
        )
    finally:
        sandbox.close()


def open_remembrance(config: Config, keys: Keyring, stores: Stores) -> "Remembrance":
    """Return what is remembered of posts; what was sealed under an older epoch opens too."""
    from app.remembering import Remembrance
    from matchers.remembered import TraceKey

    live = tuple(TraceKey(each.key.thread_key(each.epoch)) for each in keys.all)
    return Remembrance(stores.traces, live, config.matching.join_days)


def capture_context(config: Config, isolation: str) -> "CaptureContext":
    """Return under which circumstances evidence is taken here."""
    from alerts.evidence.snapshot import CaptureContext

    operator = f"spillwatch@{socket.gethostname()}"
    if config.organisation:
        operator = f"{config.organisation}, {operator}"
    return CaptureContext(config.digest, isolation, operator, versions=versions())


def versions() -> Mapping[str, str]:
    """Return the versions of everything that has a part in a capture."""
    found = {"python": platform.python_version(), "system": platform.platform()}
    for program in PROGRAMS:
        try:
            found[program] = version(program)
        except PackageNotFoundError:
            found[program] = "not installed"
    return found
