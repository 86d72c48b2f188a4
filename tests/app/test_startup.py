"""Each process imports only what it uses: nobody waits for Scrapy to read a list, and no keyless process can match."""

import subprocess
import sys

import pytest

from tests.app.installation import ROOT, Installation, install

CRAWLS, MATCHES, STORES = {"scrapy", "twisted.internet"}, {"numba", "matchers.engine"}, {"sqlalchemy"}
MIGRATES, READS = {"alembic"}, {"decoders.sandbox", "rapidocr", "onnxruntime"}

RUN = """
import sys
sys.argv = ["spillwatch", *sys.argv[1:]]
from app import cli
try:
    cli.main()
finally:
    print("\\0" + " ".join(sys.modules))
"""
IMPORT = """
import importlib, sys
importlib.import_module(sys.argv[1])
print("\\0" + " ".join(sys.modules))
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """Give an installation whose database is up to date."""
    folder = tmp_path_factory.mktemp("startup")
    folder.chmod(0o700)
    made = install(folder)
    made.run("records", ok=[0])
    return made


def imported(code: str, *words: str, environment: dict[str, str] | None = None) -> set[str]:
    """Return the modules that a process has when it ends."""
    arguments = [sys.executable, "-c", code, *words]
    ended = subprocess.run(arguments, cwd=ROOT, env=environment, capture_output=True, check=False)
    assert b"\0" in ended.stdout, ended.stderr.decode()
    return set(ended.stdout.rpartition(b"\0")[2].decode().split())


@pytest.mark.parametrize(
    ("words", "unused"),
    [
        ("--help", CRAWLS | MATCHES | STORES | {"numpy", "app.config"}),
        ("records", CRAWLS | MATCHES | MIGRATES | READS),
        ("alerts", CRAWLS | MATCHES | MIGRATES | READS),
        ("sites", CRAWLS | MATCHES | MIGRATES | READS),
        ("kinds", CRAWLS | STORES | {"matchers.engine"}),
        ("erase nobody", CRAWLS | MIGRATES | READS | {"matchers.engine"}),
    ],
)
def test_a_command_imports_what_it_uses(installed: Installation, words: str, unused: set[str]):
    """Neither crawling nor matching for a list, no Alembic for a schema that is current."""
    assert imported(RUN, *words.split(), environment=installed.environment) & unused == set()


@pytest.mark.parametrize(
    ("module", "unused"),
    [
        ("app.scan", CRAWLS | MATCHES | MIGRATES | READS),
        ("app.daemon", CRAWLS | MATCHES | MIGRATES | READS),
        ("crawler.runner", MATCHES | STORES | READS),
        ("app.examiner", CRAWLS | MIGRATES),
        ("decoders.worker", CRAWLS | MATCHES | STORES),
    ],
)
def test_a_process_imports_what_it_uses(module: str, unused: set[str]):
    """The daemon neither crawls nor matches, its scanning child does not match, a decoder has no database."""
    assert imported(IMPORT, module) & unused == set()
