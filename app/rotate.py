"""ROTATE: a new epoch of the linkage key begins, records move to it by enrolment, and the old one is forgotten."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import structlog

from app.config import Config
from app.init import write_secret
from app.stores import Stores
from app.wiring import offered_keys, open_enroller, read_keys, spool_pair
from matchers.keys import LinkageKey
from model.errors import ConfigError, StorageError

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Begun:
    """A rotation that was begun."""

    epoch: int
    new_key: bool
    """Whether the new epoch comes from another linkage key, or from the same one."""


def make_key(path: Path) -> None:
    """Write a new linkage key into a new file that only its owner can read."""
    try:
        write_secret(path, LinkageKey.generate().text() + "\n")
    except FileExistsError as error:
        raise ConfigError(f"{path} is there already; nothing was written. A lost key cannot be made again") from error
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error


def begin(config: Config, stores: Stores) -> Begun:
    """Begin the next epoch under `linkage_key`: from now on records are enrolled under it.

    Raises `StorageError` while an earlier rotation is unfinished, `KeyUnusable` if the key of the present records is
    neither `linkage_key` nor `previous_linkage_key`.
    """
    before = read_keys(config, stores).current.key
    key = offered_keys(config)[0]
    epoch = stores.facts.begin_epoch(key.check_tag(), spool_pair(key).public)
    log.info("rotation begun", epoch=epoch, new_key=key != before)
    return Begun(epoch, key != before)


def remaining(config: Config, stores: Stores) -> Iterator[str]:
    """Yield the references of the records that are still of an older epoch."""
    keys = read_keys(config, stores)
    enroller = open_enroller(config, keys)
    for epoch in keys.older:
        handles = stores.records.of_epoch(epoch.epoch)
        for sealed in stores.records.sealed_refs(handles).values():
            yield enroller.reference(sealed)


def finish(config: Config, stores: Stores) -> int:
    """Forget every epoch but the current one and return its number; pages that wait are sealed to its key first.

    Raises `StorageError` while records of an older epoch remain, or if no rotation was begun.
    """
    keys = read_keys(config, stores)
    if not keys.older:
        raise StorageError(f"no rotation is going on: everything is of epoch {keys.current.epoch}")
    left = sum(len(stores.records.of_epoch(each.epoch)) for each in keys.older)
    if left:
        raise StorageError(
            f"{left} records of an older epoch remain, and would be lost: enrol the export again, or erase them "
            "(spillwatch rotate --remaining lists their references)"
        )
    public = spool_pair(keys.current.key).public
    resealed = sum(stores.pages.reseal(spool_pair(old).private, public) for old in keys.roots[1:])
    stores.database.scrub()  # labels of the old epoch are guesses that whoever has its key can test
    epoch = stores.facts.finish_epoch()
    log.info("rotation finished", epoch=epoch, pages_resealed=resealed)
    return epoch
