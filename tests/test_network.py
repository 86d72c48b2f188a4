"""The network is shut, except loopback."""

import socket

import psycopg
import pytest

from tests.conftest import NetworkShut
from tests.needs import require


@pytest.mark.parametrize("address", [("192.0.2.1", 80), ("::ffff:192.0.2.1", 80, 0, 0), ("2001:db8::1", 80, 0, 0)])
def test_another_machine_is_out_of_reach(address):
    """A connection to an address that is not loopback is refused before a packet leaves."""
    family = socket.AF_INET if len(address) == 2 else socket.AF_INET6
    with socket.socket(family, socket.SOCK_STREAM) as door, pytest.raises(NetworkShut):
        door.connect(address)
    with socket.socket(family, socket.SOCK_DGRAM) as door, pytest.raises(NetworkShut):
        door.sendto(b"x", address)


def test_names_are_not_looked_up():
    """Only localhost has an address in a test."""
    with pytest.raises(socket.gaierror):
        socket.getaddrinfo("clinic.example", 80)
    assert socket.getaddrinfo("localhost", 80)


def test_loopback_is_open():
    """A server on loopback answers as ever."""
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        peer, _ = server.accept()
        with peer:
            client.sendall(b"ok")
            assert peer.recv(2) == b"ok"


def test_each_postgres_database_is_new_and_goes_away(postgres_url, postgres_server):
    """The fixture gives a database of its own, with no table in it."""
    with psycopg.connect(postgres_url.replace("+psycopg", "")) as database:
        assert database.execute("select count(*) from pg_tables where schemaname = 'public'").fetchone() == (0,)
        assert database.info.dbname != psycopg.conninfo.conninfo_to_dict(postgres_server).get("dbname")


def test_private_folder_is_private(private_path):
    """Nobody else may enter the private folder."""
    assert private_path.stat().st_mode & 0o777 == 0o700


def test_a_missing_need_skips_at_home_and_fails_in_ci(monkeypatch):
    """`require` skips with its reason, and fails where everything must be there."""
    require(True, "never said")
    monkeypatch.delenv("SPILLWATCH_REQUIRE_ALL", raising=False)
    with pytest.raises(pytest.skip.Exception, match="no such thing"):
        require(False, "no such thing")
    monkeypatch.setenv("SPILLWATCH_REQUIRE_ALL", "1")
    with pytest.raises(pytest.fail.Exception, match="no such thing"):
        require(False, "no such thing")
