"""Whatever is killed, whenever: no page is lost, no alert is lost or doubled, and the evidence stands."""

import os
import random
import signal
import sqlite3
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psutil
import pytest

from alerts.evidence.custody import LOG, verify_chain
from alerts.evidence.verify import verify
from app.demo.content import Paste
from app.demo.pastes import ORDINARY_PASTES
from tests.app.growing import GrowingSite
from tests.app.installation import FORUM, Installation, export, install
from tests.people import CANARY, LIN_MUQING, MARGARET_HOLLOWAY, OWEN_PETTIGREW, PEOPLE, QIU_ANRAN, Person

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
KILLS = int(os.environ.get("SPILLWATCH_TEST_KILLS", "25"))
"""For each of the two commands."""
SEED = 20231218
LEAKED = (CANARY, LIN_MUQING, QIU_ANRAN, MARGARET_HOLLOWAY, OWEN_PETTIGREW)
TIMES = 3
"""Pastes in which each of them is leaked."""
SCANNER, EXAMINER, PARENT = "app.scan", "app.examiner", "app.cli"
FILLER = "".join(f"{paste.text}\n" for paste in ORDINARY_PASTES if paste.text.isascii())[:40_000]
"""Makes an examination long enough to be hit."""


def leak(person: Person, number: int) -> Paste:
    """Return a paste that shows the person's row between ordinary text."""
    row = "\t".join(person.row.values())
    return Paste(f"leak{number:02}", f"list {number}", "text", f"{FILLER}\n\n{row}\n\n{FILLER}")


def pastes() -> tuple[Paste, ...]:
    """Return ordinary pastes with the leaks among them, in a random order that is always the same."""
    ordinary = [
        Paste(f"day{number:02}", paste.title, "text", f"{FILLER}\n{paste.text}\n{number}")
        for number, paste in enumerate(ORDINARY_PASTES[:20])
    ]
    leaks = [leak(person, number) for number, person in enumerate(LEAKED * TIMES)]
    mixed = ordinary + leaks
    random.Random(SEED).shuffle(mixed)
    return tuple(mixed)


def children(parent: int, module: str) -> list[psutil.Process]:
    """Return the living children of a `spillwatch` process that run this module."""
    try:
        found = psutil.Process(parent).children()
        return [process for process in found if module in process.cmdline()]
    except psutil.NoSuchProcess:
        return []


def appears(parent: "subprocess.Popen[bytes]", module: str) -> psutil.Process | None:
    """Wait until a process of the module is there; None if the parent ends first."""
    while parent.poll() is None:
        if module == PARENT:
            return psutil.Process(parent.pid)
        found = children(parent.pid, module)
        if found:
            return found[0]
        time.sleep(0.01)
    return None


@contextmanager
def database(installed: Installation) -> Iterator[sqlite3.Connection]:
    """Open the database beside the product, for looking only."""
    with closing(sqlite3.connect(f"file:{installed.database}?mode=ro", uri=True, timeout=30)) as connection:
        yield connection


def rows(installed: Installation, statement: str) -> list[tuple]:
    """Return what a statement finds."""
    with database(installed) as connection:
        return connection.execute(statement).fetchall()


def measured_lives(installed: Installation) -> dict[str, float]:
    """Run one scan in peace and return how long each of its processes lived, in seconds."""
    born: dict[str, float] = {}
    lives: dict[str, float] = {}
    started = time.monotonic()
    scan = installed.start("scan")
    while scan.poll() is None:
        for module in (SCANNER, EXAMINER):
            if children(scan.pid, module):
                born.setdefault(module, time.monotonic())
                lives[module] = time.monotonic() - born[module]
        time.sleep(0.02)
    assert scan.returncode == 0
    return {**lives, PARENT: time.monotonic() - started}


class Killer:
    """Kills processes of a command that is started again and again."""

    def __init__(self, installed: Installation, command: str, lives: dict[str, float]) -> None:
        """Kill within these lifetimes."""
        self._installed = installed
        self._command = command
        self._lives = lives
        self._chance = random.Random(SEED)
        self._parent: subprocess.Popen[bytes] | None = None
        self.killed: Counter[str] = Counter()
        self.at_work = 0
        """Kills that left pages leased or a scan unfinished behind."""
        self.orphans: list[psutil.Process] = []

    def kill_one(self) -> None:
        """Kill the scanning child, the examining child or their parent at a random moment of its life."""
        while True:
            if self._parent is None or self._parent.poll() is not None:
                self._parent = self._installed.start(self._command, stderr=-3, stdout=-3)
            module = self._chance.choice((SCANNER, EXAMINER, PARENT))
            victim = appears(self._parent, module)
            # A process imports for most of its life here: every other kill waits until there is work to spoil.
            moment = self._lives[module] * self._chance.random() ** 0.5
            if self._chance.random() < 0.5:
                self._wait_for_work(module, victim)
            else:
                time.sleep(moment)
            if victim is None or not victim.is_running() or victim.status() == psutil.STATUS_ZOMBIE:
                self._lives[module] *= 0.8  # it was quicker this time: the machine has less to do
                continue
            if module == PARENT:
                self.orphans += victim.children(recursive=True)
            victim.kill()
            if module == PARENT:
                self._parent.wait()
            self.killed[module] += 1
            self.at_work += self._left_behind(module)
            return

    def rest(self) -> None:
        """Let the last one end: a scan by itself, the daemon by SIGTERM."""
        if self._parent is not None and self._parent.poll() is None:
            if self._command == "watch":
                self._parent.send_signal(signal.SIGTERM)
            self._parent.wait()

    def _wait_for_work(self, module: str, victim: psutil.Process | None) -> None:
        """Wait until pages are leased or a scan runs, for no longer than such a process lives."""
        deadline = time.monotonic() + self._lives[module]
        while victim and victim.is_running() and victim.status() != psutil.STATUS_ZOMBIE:
            if self._left_behind(module) or time.monotonic() > deadline:
                return
            time.sleep(0.005)

    def _left_behind(self, module: str) -> bool:
        statement = "SELECT count(*) FROM pages WHERE state = 'waiting' AND owner IS NOT NULL"
        if module == SCANNER:
            statement = "SELECT count(*) FROM scans WHERE status = 'running'"
        return rows(self._installed, statement) != [(0,)]


@pytest.fixture(scope="module", params=["scan", "watch"])
def survived(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """Give an installation whose processes were killed time and again while people went on posting."""
    folder = tmp_path_factory.mktemp("killed")
    folder.chmod(0o700)
    installed = install(folder)
    with GrowingSite(pastes()) as site:
        installed.configure(site, decoding={"ocr": False}, evidence={"screenshot": False})
        installed.change(sites={FORUM: None})
        installed.run("enrol", str(export(PEOPLE, folder / "export.csv")), ok=[0])
        site.publish(4)
        killer = Killer(installed, request.param, measured_lives(installed))
        began = time.monotonic()
        try:
            for number in range(KILLS):
                site.publish(5 + number * (len(pastes()) - 5) // (KILLS - 1))
                killer.kill_one()
            site.publish(len(pastes()))
        finally:
            killer.rest()  # also of a run that was broken off: a daemon would go on for ever
        print(f"{dict(killer.killed)} killed in {time.monotonic() - began:.0f} s, {killer.at_work} at work")
        psutil.wait_procs(killer.orphans, timeout=60)
        # A page that met death three times is kept for a person to decide; here the person says: again.
        print(installed.run("quarantined", "--retry").out)
        installed.run("scan", ok=[0])
        assert sum(killer.killed.values()) == KILLS
        assert killer.at_work >= KILLS // 8, "the kills met idle processes only: this run shows nothing"
        assert not [process for process in killer.orphans if process.is_running()], "children outlived their parent"
    return installed


def test_no_page_is_lost_or_examined_twice(survived):
    """Every paste of the site was kept once and ended as examined; nothing waits, nothing lies in the spool."""
    posted = len(pastes())
    assert rows(survived, "SELECT count(*) FROM items") == [(posted,)]
    assert rows(survived, "SELECT state, count(*) FROM pages GROUP BY state") == [("examined", posted)]
    assert rows(survived, "SELECT count(*) FROM spool") == [(0,)]
    assert rows(survived, "SELECT count(*) FROM pages WHERE verdict = 'leak'") == [(len(LEAKED) * TIMES,)]


def test_no_alert_is_lost_or_doubled(survived):
    """One alert for each leaked person, with one sighting for each page, and one message for each incident."""
    alerts = rows(survived, "SELECT alert_id, incident FROM alerts WHERE subject = 'record'")
    assert len(alerts) == len(LEAKED)
    refs = [survived.run("show", alert_id).out for alert_id, _ in alerts]
    assert all(any(person.ref in shown for shown in refs) for person in LEAKED)
    seen = rows(survived, "SELECT alert_id, count(DISTINCT page_id), count(*) FROM sightings GROUP BY alert_id")
    assert sorted(seen) == sorted((alert_id, TIMES, TIMES) for alert_id, _ in alerts)
    assert rows(survived, "SELECT count(DISTINCT page_id) FROM sightings") == [(len(LEAKED) * TIMES,)]
    messages = Counter(incident for (incident,) in rows(survived, "SELECT incident FROM outbox"))
    assert set(messages.values()) == {1}
    assert {incident for _, incident in alerts} <= set(messages)


def test_messages_were_written_once(survived):
    """Every accepted message is one file."""
    accepted = rows(survived, "SELECT incident FROM outbox WHERE accepted_at IS NOT NULL")
    waiting = rows(survived, "SELECT incident FROM outbox WHERE accepted_at IS NULL")
    files = {path.stem for path in (survived.folder / "var/outgoing").glob("*.eml")}
    assert {incident for (incident,) in accepted} <= files <= {incident for (incident,) in accepted + waiting}


def test_evidence_is_whole_and_its_log_a_chain(survived):
    """Each sighting has its folder, each folder verifies, nothing half made is left, and the custody log holds."""
    told = {Path(evidence) for (evidence,) in rows(survived, "SELECT evidence FROM sightings")}
    found = {path.parent.relative_to(survived.evidence) for path in survived.evidence.rglob("manifest.json")}
    assert told == found
    assert [problem for folder in found for problem in verify(survived.evidence / folder).problems] == []
    assert verify_chain(survived.evidence / LOG) == []
    assert [path.name for path in survived.evidence.rglob(".*")] == []
