"""A stream through the whole line: kept alive by the daemon, killed at random, told in coverage and alerts."""

import json
import random
import signal
import subprocess
import sys
import time
from itertools import pairwise

import psutil
import pytest

from app.keeping import Keeper
from tests.app.installation import ROOT, export, install
from tests.app.test_kill_loop import rows
from tests.crawler.jetstream import START, Jetstream, post
from tests.crawler.reading import until
from tests.people import PEOPLE

SEED = 20261124


@pytest.fixture
def server():
    """Give a Jetstream that is up."""
    with Jetstream() as running:
        yield running


@pytest.fixture
def installed(private_path, server):
    """Give an installation that watches it and nothing else, with everybody enrolled."""
    made = install(private_path)
    made.change(
        network={"allow": [server.host]},
        sites={"sky": {"use": "jetstream", "root": server.root, "delay": "0s"}},
        decoding={"ocr": False},
        evidence={"screenshot": False},
    )
    made.run("enrol", str(export(PEOPLE, private_path / "export.csv")), ok=[0])
    return made


def items(installed):
    """Return how many items were kept."""
    return rows(installed, "SELECT count(*) FROM items")[0][0]


def leak(number):
    """Return a post that leaks somebody."""
    person = PEOPLE[number]
    return f"{person.row['name']} {person.row['resident_id']} {person.row['phone']}"


@pytest.mark.timeout(400)
def test_a_scan_reads_a_stream_until_it_has_caught_up(installed, server):
    """The first time for as long as was said, then from the cursor to the present; leaks are found, gaps told."""
    scan = installed.start("scan", "sky", "--for", "15s", stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    until(lambda: server.open == 1, 60)
    now = int(time.time() * 1e6)
    server.say(post(1, leak(0), at=now), post(2, "nothing", at=now + 1))
    assert scan.wait(200) == 0
    assert rows(installed, "SELECT state, count(*) FROM pages GROUP BY state") == [("examined", 2)]
    # What follows the cursor is gone, and what is left began an hour later.
    server.say(post(3, leak(1), at=now + 3_600_000_000))
    server.floor = now + 3_000_000_000
    ended = installed.run("scan", "sky", "--for", "60s", ok=[1])
    assert "stream-gap" in ended.out
    assert "look-back-exceeded, NOT filled" in installed.run("coverage", ok=[0]).out
    told = json.loads(installed.run("alerts", "--json", ok=[0]).out)
    assert [each["kinds"] for each in told if each["subject"] == "site"] == [["failing", "stream-gap"]]
    assert rows(installed, "SELECT count(*) FROM pages WHERE verdict = 'leak'") == [(2,)]


def test_a_stream_has_no_every(installed):
    """A key that means nothing is refused with its name."""
    installed.change(sites={"sky": {"use": "jetstream", "every": "5m"}})
    assert "a stream is read as it comes" in installed.run("sites", ok=[2]).err


@pytest.mark.timeout(300)
def test_the_daemon_keeps_the_worker_alive_and_takes_it_along(installed, server):
    """The worker is killed: another one goes on from its cursor. The daemon stops: no worker is left."""
    daemon = installed.start("watch", stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        until(lambda: server.open == 1, 60)
        server.say(*(post(number) for number in range(1, 20)))
        until(lambda: items(installed) == 19, 60)
        (worker,) = _workers(daemon)
        worker.kill()
        server.say(post(20, leak(2)), *(post(number) for number in range(21, 40)))
        until(lambda: items(installed) == 39, 100)
        until(lambda: rows(installed, "SELECT count(*) FROM pages WHERE verdict = 'leak'") == [(1,)], 150)
        left = _workers(daemon)
    finally:
        daemon.send_signal(signal.SIGTERM)
        daemon.wait(60)
    assert len(left) == 1
    assert not left[0].is_running()
    (told,) = rows(installed, "SELECT sum(fetched) FROM scans WHERE site = 'sky' AND status = 'finished'")
    assert 20 <= told[0] <= 39
    assert "it balances" in installed.run("coverage", ok=[0]).out


def _workers(daemon):
    return [each for each in psutil.Process(daemon.pid).children() if "app.stream" in each.cmdline()]


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_wherever_the_worker_is_killed_no_post_is_skipped(installed, server):
    """SIGKILL after a random number of posts, twelve times, while posts go on: each is kept exactly once."""
    chance = random.Random(SEED)
    said, kills = 0, 12
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]); from pathlib import Path; from app.config import read_config;"
        "from app.wiring import open_stores, read_keys\n"
        "config = read_config(Path(sys.argv[2]))\n"
        "with open_stores(config) as stores:\n"
        "    read_keys(config, stores); stores.pages.save_cursor('sky', 'jetstream', sys.argv[3])"
    )
    subprocess.run([sys.executable, "-c", program, str(ROOT), str(installed.config), str(START)], check=True)
    for _ in range(kills):
        before = items(installed)
        worker = subprocess.Popen(
            [sys.executable, "-m", "app.stream", str(installed.config), "sky"], cwd=ROOT, stderr=subprocess.DEVNULL
        )
        more = chance.randrange(1, 1500)
        server.say(*(post(said + number, "x" * chance.randrange(1, 300)) for number in range(1, more + 1)))
        said += more
        # Killed before anything was stored, in the middle of it, or after all of it.
        goal = min(said, before + chance.choice((0, 1, more // 2, more)))
        deadline = time.monotonic() + 20
        while items(installed) < goal and time.monotonic() < deadline:
            time.sleep(0.005)
        time.sleep(chance.random() * 0.6)
        worker.kill()
        worker.wait()
    worker = subprocess.Popen([sys.executable, "-m", "app.stream", str(installed.config), "sky"], cwd=ROOT)
    try:
        until(lambda: items(installed) == said, 90)
    finally:
        worker.terminate()
        # All was stored by the one before, maybe: then it is told before it has begun.
        assert worker.wait(30) in (0, -signal.SIGTERM)
    assert rows(installed, "SELECT count(*) FROM pages") == [(said,)]
    assert rows(installed, "SELECT count(*) FROM spool") == [(said,)]
    assert rows(installed, "SELECT count(*) FROM stream_gaps") == [(0,)]


def test_a_child_that_keeps_dying_is_told_and_left_alone_for_longer_each_time(monkeypatch):
    """Three deaths within ten minutes are an alarm; pauses double; a child that lives is let be."""
    clock = [0.0]
    monkeypatch.setattr("app.keeping.time.monotonic", lambda: clock[0])
    started = []

    def start():
        started.append(clock[0])
        return subprocess.Popen([sys.executable, "-c", "raise SystemExit(1)"])

    keeper = Keeper("child", start)
    alarms = []
    for _ in range(60):
        alarms.append(keeper.tend())
        if keeper._child is not None:
            keeper._child.wait(20)
        clock[0] += 5.0
    pauses = [later - earlier for earlier, later in pairwise(started)]
    assert pauses[:2] == [5.0, 10.0]
    assert pauses == sorted(pauses)
    assert max(pauses) <= 130
    assert alarms.index(True) <= 5
    keeper.stop()
