"""Fixtures of the real servers: one of each per session, empty at its start, ended with it.

`bepasty`, `pinnwand`, `synapse` and `pds` need `make servers`; `mail_server` needs nothing and is empty for each test.
What one test posts, the next one sees: post with names of your own, or take away what you posted.
"""

from collections.abc import Iterator

import pytest

from tests.needs import require
from tests.servers.bepasty import Bepasty, bepasty_running
from tests.servers.mail import MailServer, mail_running
from tests.servers.pds import PersonalDataServer, pds_running
from tests.servers.pinnwand import Pinnwand, pinnwand_running
from tests.servers.running import INSTALLED, NOT_INSTALLED, PYTHON
from tests.servers.synapse import Synapse, synapse_running


@pytest.fixture(scope="session")
def bepasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bepasty]:
    """Give a bepasty with a public list."""
    require(PYTHON.exists(), NOT_INSTALLED)
    with bepasty_running(tmp_path_factory.mktemp("bepasty")) as server:
        yield server


@pytest.fixture(scope="session")
def pinnwand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pinnwand]:
    """Give a pinnwand, which lists nothing."""
    require(PYTHON.exists(), NOT_INSTALLED)
    with pinnwand_running(tmp_path_factory.mktemp("pinnwand")) as server:
        yield server


@pytest.fixture(scope="session")
def synapse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Synapse]:
    """Give a Matrix server without accounts."""
    require(any(INSTALLED.glob("venv/lib/python*/site-packages/synapse")), NOT_INSTALLED)
    with synapse_running(tmp_path_factory.mktemp("synapse")) as server:
        yield server


@pytest.fixture(scope="session")
def pds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PersonalDataServer]:
    """Give an AT Protocol data server without accounts."""
    require((INSTALLED / "node").exists(), NOT_INSTALLED)
    with pds_running(tmp_path_factory.mktemp("pds")) as server:
        yield server


@pytest.fixture(scope="session")
def _mail_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MailServer]:
    with mail_running(tmp_path_factory.mktemp("mail")) as server:
        yield server


@pytest.fixture
def mail_server(_mail_server: MailServer) -> MailServer:
    """Give a mail server with TLS and a login, and nothing in it."""
    _mail_server.received.clear()
    _mail_server.refusals.clear()
    return _mail_server
