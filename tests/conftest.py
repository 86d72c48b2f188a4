"""What every test may rely on: a shut network, private folders, PostgreSQL, and real servers on loopback."""

import os
import socket
import uuid
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import settings

from tests.needs import require

pytest_plugins = ["tests.servers.fixtures", "tests.spreading"]

# The first call of a compiled loop compiles it, and no example can help that.
settings.register_profile("compiled", deadline=None)
settings.load_profile("compiled")

POSTGRES = os.environ.get("SPILLWATCH_TEST_POSTGRES", "postgresql://postgres@127.0.0.1:5432/postgres")


class NetworkShut(RuntimeError):
    """A test tried to leave this machine."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave tests that ask the real internet out, unless they were asked for."""
    if os.environ.get("SPILLWATCH_ONLINE") == "1":
        return
    for item in items:
        if item.get_closest_marker("online"):
            item.add_marker(pytest.mark.skip(reason="asks the real internet; set SPILLWATCH_ONLINE=1"))


def stays_here(family: int, address: Any) -> bool:
    """Tell whether a socket address is on this machine: a Unix socket, or a loopback literal or name."""
    if family not in {socket.AF_INET, socket.AF_INET6}:
        return True
    host = address[0]
    if host in {"localhost", ""}:
        return True
    try:
        literal = ip_address(host.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(literal, "ipv4_mapped", None)
    return bool((mapped or literal).is_loopback)


@pytest.fixture(autouse=True)
def _network_shut(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Shut every door out of this process except loopback, unless the test is marked `online`."""
    if request.node.get_closest_marker("online"):
        return

    def guarded(method: Any, position: int) -> Any:
        def call(self: socket.socket, *arguments: Any) -> Any:
            address = arguments[position] if len(arguments) > position else arguments[-1]
            if not stays_here(self.family, address):
                message = "a test tried to reach another machine; only loopback is open (mark it `online` if it must)"
                raise NetworkShut(message)
            return method(self, *arguments)

        return call

    for name, position in {"connect": 0, "connect_ex": 0, "sendto": -1}.items():
        monkeypatch.setattr(socket.socket, name, guarded(getattr(socket.socket, name), position))

    resolve = socket.getaddrinfo

    def getaddrinfo(host: Any, *arguments: Any, **options: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        if name is not None and not stays_here(socket.AF_INET, (name,)) and not _is_literal(name):
            message = "a test tried to look up a name; only localhost is known here"
            raise socket.gaierror(socket.EAI_NONAME, message)
        return resolve(host, *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


def _is_literal(name: str) -> bool:
    try:
        ip_address(name.partition("%")[0])
    except ValueError:
        return False
    return True


@pytest.fixture
def private_path(tmp_path: Path) -> Path:
    """Give a new folder that only this user may enter (0700), as the product asks of its own."""
    folder = tmp_path / "private"
    folder.mkdir(mode=0o700)
    return folder


@pytest.fixture(scope="session")
def postgres_server() -> str:
    """Give the address of a PostgreSQL on loopback where databases may be made."""
    try:
        psycopg.connect(POSTGRES, connect_timeout=5).close()
    except psycopg.OperationalError:
        require(False, "no PostgreSQL answers; start one, or name it in SPILLWATCH_TEST_POSTGRES")
    return POSTGRES


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """Give the SQLAlchemy URL of an empty database of this test's own; it is dropped afterwards."""
    name = f"spillwatch_{uuid.uuid4().hex[:16]}"
    with psycopg.connect(postgres_server, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE \"{name}\" ENCODING 'UTF8' TEMPLATE template0")  # type: ignore[arg-type]
    base = postgres_server.split("://", 1)[1].rsplit("/", 1)[0]
    try:
        yield f"postgresql+psycopg://{base}/{name}"
    finally:
        with psycopg.connect(postgres_server, autocommit=True) as admin:
            admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')  # type: ignore[arg-type]
