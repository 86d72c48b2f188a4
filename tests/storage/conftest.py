"""One database per test, on each engine; and the makers of what is put into it."""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from model.fingerprint import Batch, Fingerprint, Posting
from model.page import Page, Part
from storage.database import Database
from storage.pages import PageStore
from storage.sealing import KeyPair, keypair_from

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


class HandClock:
    """A clock that moves when it is told to."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        """Tell the time."""
        return self.now

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.now += timedelta(seconds=seconds)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Give the URL of an empty database of this test's own."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/data/spillwatch.db"
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    """Give an open database with all its tables."""
    opened = Database.open(url)
    yield opened
    opened.close()


@pytest.fixture
def clock() -> HandClock:
    """Give a clock that stands at noon."""
    return HandClock()


@pytest.fixture(scope="session")
def keys() -> KeyPair:
    """Give the spool's key pair."""
    return keypair_from(bytes(range(32)))


@pytest.fixture
def pages(database: Database, keys: KeyPair, clock: HandClock) -> PageStore:
    """Give a page store on the test's clock."""
    return PageStore(database, b"s" * 32, public_key=keys.public, clock=clock)


def page(item: str = "item-1", site: str = "bazaar", text: str = "nothing to see") -> Page:
    """Make a page of one part."""
    part = Part("body", "text/plain", text.encode())
    return Page(secrets.token_hex(16), site, item, f"http://paste.example/{item}", NOON, (part,), (), "listed")


@dataclass(frozen=True)
class Person:
    """A fingerprint of random bytes and its postings."""

    fingerprint: Fingerprint
    postings: tuple[Posting, ...]

    def __getattr__(self, name: str) -> Any:
        """Give what the fingerprint has."""
        return getattr(self.fingerprint, name)

    @property
    def labels(self) -> tuple[bytes, ...]:
        """Give the labels of the postings."""
        return tuple(each.label for each in self.postings)


def person(
    postings: int = 3, *, ref_tag: bytes | None = None, sealed_bytes: int = 40, epoch: int = 1,
    retain_until: date | None = None,
) -> Person:  # fmt: skip
    """Make somebody of random bytes."""
    entries = tuple(Posting(secrets.token_bytes(16), secrets.token_bytes(sealed_bytes)) for _ in range(postings))
    made = Fingerprint(
        handle=secrets.token_bytes(16),
        ref_tag=ref_tag or secrets.token_bytes(16),
        content_tag=secrets.token_bytes(16),
        epoch=epoch,
        sealed_ref=secrets.token_bytes(30),
        sealed_details=secrets.token_bytes(60),
        sealed_tokens=secrets.token_bytes(90),
        retain_until=retain_until,
    )
    return Person(made, entries)


def batch(*people: Person) -> Batch:
    """Put people together as enrolment does: their postings ascending by label."""
    entries = sorted((each for one in people for each in one.postings), key=lambda each: each.label)
    return Batch(
        tuple(one.fingerprint for one in people),
        b"".join(each.label for each in entries),
        b"".join(each.sealed for each in entries),
    )
