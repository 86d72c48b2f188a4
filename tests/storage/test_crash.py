"""Processes that are killed or compete: nothing is lost, nothing is done twice."""

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sqlalchemy import select

from storage.database import Database
from storage.pages import PageStore
from storage.tables import pages as page_table
from storage.tables import spool
from tests.storage.conftest import page

ROOT = Path(__file__).resolve().parents[2]
START = """
import itertools, sys
from model.match import Verdict
from storage.database import Database
from storage.pages import PageStore
from storage.sealing import keypair_from
from tests.storage.conftest import page
database = Database.open(sys.argv[1])
pages = PageStore(database, b"s" * 32, public_key=keypair_from(bytes(range(32))).public)
"""
KEEPER = (
    START
    + """
for number in itertools.count():
    one = page(f"{sys.argv[2]}-{number}")
    pages.keep(one)
    print(one.page_id, flush=True)
"""
)
EXAMINER = (
    START
    + """
while True:
    for leased in pages.lease(sys.argv[2], 0.05, 4):
        try:
            with database.transaction() as tx:
                pages.finish(tx, leased, Verdict.NOTHING)
        except Exception as error:
            if type(error).__name__ != "Superseded":
                raise
"""
)
LEASER = (
    START
    + """
print("ready", flush=True)
sys.stdin.readline()
while leased := pages.lease(sys.argv[2], 600, 3):
    for one in leased:
        print(one.page_id, flush=True)
"""
)


def start(code: str, url: str, name: str) -> "subprocess.Popen[str]":
    """Start a Python process that works on the database."""
    return subprocess.Popen(
        [sys.executable, "-c", code, url, name],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.slow
def test_kill_9_loses_no_page(tmp_path, keys):
    """Keepers and examiners are killed at random moments: each page that was kept is in exactly one state."""
    url = f"sqlite:///{tmp_path}/s.db"
    database = Database.open(url)
    pages = PageStore(database, b"s" * 32, public_key=keys.public)
    chance, told = random.Random(7), []
    for round_number in range(8):
        running = [start(KEEPER, url, f"keeper-{round_number}"), start(EXAMINER, url, f"examiner-{round_number}")]
        told.append(running[0].stdout.readline().strip())
        time.sleep(chance.uniform(0.05, 0.6))
        for process in chance.sample(running, 2):
            process.kill()
        for process in running:
            rest, _ = process.communicate()
            told += rest.split("\n")[:-1] if rest else []
    kept = {line for line in told if len(line) == 32}
    with database.reading() as tx:
        states = dict(tx.execute(select(page_table.c.page_id, page_table.c.state)).all())
        payloads = set(tx.scalars(select(spool.c.page_id)))
        assert tx.exec_driver_sql("PRAGMA integrity_check").scalar_one() == "ok"
    assert len(kept) > 20
    assert kept <= set(states), "a page was said to be kept and is gone"
    assert payloads == {page_id for page_id, state in states.items() if state != "examined"}
    assert "examined" in states.values()
    counts = pages.counts()
    assert counts.queued + counts.leased + counts.examined + counts.quarantined == len(states)
    database.close()


def test_two_processes_never_lease_the_same_page(database, url, keys):
    """Three processes empty the queue together: every page is leased once."""
    pages = PageStore(database, b"s" * 32, public_key=keys.public)
    kept = []
    for number in range(60):
        one = page(f"item-{number}")
        pages.keep(one)
        kept.append(one.page_id)
    running = [start(LEASER, url, f"leaser-{number}") for number in range(3)]
    for process in running:
        assert process.stdout.readline() == "ready\n"
    for process in running:
        process.stdin.write("go\n")
        process.stdin.flush()
    got = [line for process in running for line in process.communicate()[0].split()]
    assert [process.returncode for process in running] == [0, 0, 0]
    assert sorted(got) == sorted(kept)


def test_a_forked_child_has_connections_of_its_own(tmp_path):
    """A database that was open at the fork works on both sides."""
    database = Database.open(f"sqlite:///{tmp_path}/s.db")
    with database.reading() as tx:
        parents = tx.connection.dbapi_connection
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            with database.transaction() as tx:
                tx.exec_driver_sql("INSERT INTO facts (name, value) VALUES ('child', x'00')")
                code = int(tx.connection.dbapi_connection is parents)
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    with database.transaction() as tx:
        assert tx.exec_driver_sql("SELECT count(*) FROM facts").scalar_one() == 1
    database.close()
