"""One database per test, on each engine; and the makers of what is put into it."""

import secrets
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from model.fingerprint import Fingerprint, Posting
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


def fingerprint(postings: int = 3, *, ref_tag: bytes | None = None, **others: object) -> Fingerprint:
    """Make a fingerprint of random bytes."""
    entries = tuple(Posting(secrets.token_bytes(16), secrets.token_bytes(40)) for _ in range(postings))
    given = {
        "handle": secrets.token_bytes(16),
        "ref_tag": ref_tag or secrets.token_bytes(16),
        "content_tag": secrets.token_bytes(16),
        "epoch": 1,
        "sealed_ref": secrets.token_bytes(30),
        "sealed_details": secrets.token_bytes(60),
        "sealed_tokens": secrets.token_bytes(90),
        "postings": entries,
    }
    return Fingerprint(**(given | others))  # type: ignore[arg-type]
