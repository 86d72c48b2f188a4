"""The command line as people use it: what it prints, and what its exit codes mean."""

import json
import signal
import stat
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from app.demo.content import Paste
from app.demo.pastes import ORDINARY_PASTES
from app.demo.patients import demo_file
from tests.app.growing import GrowingSite
from tests.app.installation import FORUM, Installation, export, install
from tests.people import CANARY, HE_YUNSHU, PEOPLE, QIU_ANRAN

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
BAD_ROWS = "patients_bad_rows.csv"


@pytest.fixture(scope="module")
def enrolled(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """Give an installation with everybody enrolled, without pictures."""
    folder = tmp_path_factory.mktemp("cli")
    folder.chmod(0o700)
    installed = install(folder)
    installed.change(decoding={"ocr": False}, evidence={"screenshot": False})
    ended = installed.run("enrol", str(export(PEOPLE, folder / "export.csv")), ok=[0])
    assert f"added {len(PEOPLE)}, changed 0, unchanged 0, refused 0" in ended.out
    return installed


@pytest.fixture(scope="module")
def leak(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a file that shows one of them."""
    path = tmp_path_factory.mktemp("leak") / "seen.txt"
    path.write_text("\t".join(HE_YUNSHU.row.values()), "utf-8")
    return path


def test_init_writes_three_files_once(tmp_path):
    """The secrets are readable by their owner only; a second time nothing is written and the code is 2."""
    made = install(tmp_path, anew=True)
    key = made.folder / "spillwatch.key"
    assert {stat.S_IMODE(path.stat().st_mode) for path in (key, made.folder / "evidence-identity.txt")} == {0o600}
    before = key.read_bytes()
    again = made.run("init", "--into", str(made.folder), ok=[2])
    assert "nothing was written" in again.err
    assert key.read_bytes() == before


def test_help_names_every_verb(enrolled):
    """`spillwatch --help` lists the verbs."""
    shown = enrolled.run("--help", ok=[0], anew=True).out
    verbs = ("init", "enrol", "erase", "records", "kinds", "scan", "watch", "check", "alerts", "show", "acknowledge")
    assert [
        verb
        for verb in (*verbs, "close", "sites", "coverage", "quarantined", "doctor", "demo", "evidence")
        if f" {verb} " not in shown
    ] == []


def test_enrolling_again_changes_nothing(enrolled, tmp_path):
    """The same export again: every row is unchanged, and the count stays."""
    before = json.loads(enrolled.run("records", "--json", ok=[0]).out)
    ended = enrolled.run("enrol", str(export(PEOPLE, tmp_path / "again.csv")), ok=[0])
    assert f"added 0, changed 0, unchanged {len(PEOPLE)}, refused 0" in ended.out
    assert json.loads(enrolled.run("records", "--json", ok=[0]).out) == before
    assert before["records"] == len(PEOPLE)


def test_bad_rows_are_named_by_number_and_column_only(tmp_path):
    """Two of five rows are refused, named without any value of theirs; the other three are enrolled; code 1."""
    installed = install(tmp_path)
    path = tmp_path / "bad.csv"
    path.write_bytes(demo_file(BAD_ROWS))
    ended = installed.run("enrol", str(path), ok=[1])
    refused = [line for line in ended.err.splitlines() if "row " in line]
    assert [("row 2, column 'resident_id'" in line, "row 4, column 'birth_date'" in line) for line in refused] == [
        (True, False),
        (False, True),
    ]
    _, *rows = (line.split(",") for line in demo_file(BAD_ROWS).decode().splitlines())
    values = [value for row in rows for value in row if len(value) > 3]
    assert [value for value in values if value in ended.out + ended.err + installed.log()] == []
    assert "added 3, changed 0, unchanged 0, refused 2" in ended.out
    assert installed.run("records", ok=[0]).out.startswith("3 records")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "no column 'record_number'"),
        (b"record_number,name,blood_group\nR-1,x,y\n", "blood_group"),
        (b"record_number,name\n\xff\xff\xff", "neither UTF-8 nor GB18030"),
        (None, "No such file"),
    ],
)
def test_a_file_that_is_no_export_is_refused(enrolled, tmp_path, content, says):
    """One line says what is wrong with it; code 2."""
    path = tmp_path / "export.csv"
    if content is not None:
        path.write_bytes(content)
    ended = enrolled.run("enrol", str(path), ok=[2])
    complaints = [line for line in ended.err.splitlines() if not line.startswith("enrolling")]
    assert len(complaints) == 1
    assert says in complaints[0]


def test_a_killed_enrolment_does_not_lock_the_next_one_out(tmp_path):
    """The lease of an enrolment that died on this machine is taken over at once."""
    installed = install(tmp_path)
    path = tmp_path / "patients.csv"
    path.write_bytes(demo_file("patients.csv"))
    first = installed.start("enrol", str(path), stdout=-3, stderr=-3)
    while first.poll() is None and "enrolment" not in _leases(installed):
        time.sleep(0.01)
    first.kill()
    first.wait()
    ended = installed.run("enrol", str(path), ok=[0])
    assert "200 records are watched for" in ended.out


def _leases(installed: Installation) -> list[str]:
    if not installed.database.exists():
        return []
    words = ["sqlite3", str(installed.database), "SELECT name FROM leases"]
    return subprocess.run(words, capture_output=True, text=True, check=False).stdout.split()


def test_erase(enrolled, leak, tmp_path):
    """An erased record is not found any more; a reference that is not enrolled is code 1; enrolling brings it back."""
    path = tmp_path / "hers.txt"
    path.write_text("\t".join(QIU_ANRAN.row.values()), "utf-8")
    assert "erased 1, not enrolled 0" in enrolled.run("erase", QIU_ANRAN.ref, ok=[0], anew=True).out
    assert "nothing found" in enrolled.run("check", str(path), ok=[0]).out
    assert "erased 0, not enrolled 1" in enrolled.run("erase", stdin=QIU_ANRAN.ref.encode(), ok=[1]).out
    enrolled.run("enrol", str(export([QIU_ANRAN], tmp_path / "one.csv")), ok=[0])
    enrolled.run("check", str(path), ok=[1])


def test_kinds(enrolled):
    """Every kind is listed with a line about it."""
    lines = enrolled.run("kinds", ok=[0], anew=True).out.splitlines()
    names = {line.split()[0] for line in lines}
    assert {"resident_id", "phone", "email", "mrn", "person_name", "birth_date", "address", "note"} <= names
    assert all(len(line.split()) > 3 for line in lines)


def test_check_tells_by_its_code(enrolled, leak, tmp_path):
    """0: nothing found; 1: a leak; 2: could not tell; the worst of several counts."""
    clean, broken = tmp_path / "clean.txt", tmp_path / "broken.png"
    clean.write_text("今天天气很好，我们去公园散步。\n", "utf-8")
    broken.write_bytes(b"%PDF-1.7\nnot a document at all")
    assert f"{clean}: nothing found" in enrolled.run("check", str(clean), ok=[0]).out
    assert f"{leak}: leak" in enrolled.run("check", str(leak), ok=[1]).out
    assert "not read: malformed" in enrolled.run("check", str(broken), ok=[2]).out
    enrolled.run("check", str(clean), str(broken), ok=[2])
    enrolled.run("check", str(clean), str(leak), str(broken), ok=[1])
    assert "-: leak" in enrolled.run("check", "-", stdin=leak.read_bytes(), ok=[1]).out


@pytest.mark.parametrize(
    ("target", "says"),
    [
        ("http://no-such-host.invalid/p/1", "not read: network"),
        ("http://127.0.0.1:9/p/1", "not read: forbidden-address"),
        ("http://169.254.169.254/latest", "not read: forbidden-address"),
        ("ftp://127.0.0.1/x", "not read: "),
        ("/no/such/file", "No such file"),
    ],
)
def test_check_of_what_cannot_be_fetched(enrolled, target, says):
    """An address that does not answer or must not be asked is told in a fixed word; code 2."""
    ended = enrolled.run("check", target, ok=[2])
    assert says in ended.out + ended.err


def test_check_json(enrolled, leak):
    """--json is JSON, one document for each target, and names kinds and references only."""
    told = json.loads(enrolled.run("check", "--json", str(leak), ok=[1]).out)
    assert told["verdict"] == "leak"
    page = told["pages"][0]
    assert page["matches"][0]["elements"]
    assert Path(page["evidence"]).is_dir()
    assert [value for value in HE_YUNSHU.values.values() if value in json.dumps(told, ensure_ascii=False)] == []


def test_an_alert_from_open_to_closed(enrolled, leak):
    """Listed, shown with the hospital's reference, acknowledged, closed; what is closed is not moved again."""
    checked = json.loads(enrolled.run("check", "--json", str(leak), ok=[1]).out)
    alert = checked["pages"][0]["alerts"][0]
    assert alert in enrolled.run("alerts", ok=[0]).out
    shown = json.loads(enrolled.run("show", "--json", alert, ok=[0]).out)
    assert shown["ref"] == HE_YUNSHU.ref
    assert f"record       {HE_YUNSHU.ref}" in enrolled.run("show", alert, ok=[0]).out
    enrolled.run("acknowledge", alert, "--by", "officer", ok=[0])
    listed = json.loads(enrolled.run("alerts", "--json", "--status", "acknowledged", ok=[0]).out)
    assert alert in [each["alert"] for each in listed]
    assert "confirmed or false-alarm" in enrolled.run("close", alert, "--as", "open", ok=[2]).err
    enrolled.run("close", alert, "--as", "confirmed", ok=[0], anew=True)
    assert "is closed as confirmed" in enrolled.run("acknowledge", alert, ok=[2]).err
    assert "no alert of this id" in enrolled.run("show", "SW-00000000", ok=[2]).err
    assert "is not one of" in enrolled.run("alerts", "--status", "lost", ok=[2]).err


def test_evidence_verifies_until_a_byte_is_changed(enrolled, leak):
    """0 and a sentence for what holds, for one folder and for all; 1 after one byte was flipped; 2 for no evidence."""
    checked = json.loads(enrolled.run("check", "--json", str(leak), ok=[1]).out)
    folder = Path(checked["pages"][0]["evidence"])
    assert "every file is as it was captured" in enrolled.run("evidence", "verify", str(folder), ok=[0]).out
    assert f"{folder}: ok" in enrolled.run("evidence", "verify", str(enrolled.evidence), ok=[0]).out
    content = folder / "content.age"
    whole = content.read_bytes()
    content.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert "content.age was changed" in enrolled.run("evidence", "verify", str(folder), ok=[1]).err
    assert f"{folder}: BAD" in enrolled.run("evidence", "verify", str(enrolled.evidence), ok=[1]).out
    content.write_bytes(whole)
    assert "not an evidence folder" in enrolled.run("evidence", "verify", str(enrolled.temporary), ok=[2]).err


def test_doctor(enrolled):
    """Each line begins with a mark; a key that others can read is bad, says what to run, and is code 1."""
    lines = enrolled.run("doctor", ok=[0]).out.splitlines()
    assert all(line.split()[0] in {"ok", "note", "BAD"} for line in lines)
    told = {line.split(maxsplit=1)[1].partition(":")[0] for line in lines}
    wanted = {"configuration", "database", "linkage key", "evidence", "screenshots", "decoders", "disk", "sites"}
    assert wanted <= told
    key = enrolled.folder / "spillwatch.key"
    key.chmod(0o644)
    try:
        ended = enrolled.run("doctor", ok=[1])
    finally:
        key.chmod(0o600)
    assert f"BAD  linkage key: {key} can be read by others (mode 0644). Run: chmod 600" in ended.out


def test_another_key_is_refused(enrolled, tmp_path):
    """A key that this database was not made with stops everything that would write with it."""
    other = install(tmp_path)
    config = enrolled.config.read_text("utf-8")
    enrolled.config.write_text(
        config.replace("file:spillwatch.key", f"file:{other.folder / 'spillwatch.key'}"), "utf-8"
    )
    try:
        ended = enrolled.run("check", "-", stdin=b"x", ok=[2])
    finally:
        enrolled.config.write_text(config, "utf-8")
    assert "key" in ended.err
    assert len(ended.err.strip().splitlines()) == 1


def test_coverage_sites_and_quarantined(enrolled, tmp_path):
    """Coverage balances, quarantined pages are listed with their reason and can be queued again."""
    broken = tmp_path / "broken"
    broken.write_bytes(b"%PDF-1.7\nnot a document at all")
    enrolled.run("check", str(broken), ok=[2])
    told = json.loads(enrolled.run("coverage", "--json", "--since", "1h", ok=[0]).out)
    assert told["balances"]
    (site,) = told["sites"]
    assert site["scheduled"] == site["kept"] == site["examined"] + sum(site["quarantined"].values()) > 0
    assert "it balances" in enrolled.run("coverage", ok=[0]).out
    assert "--since takes a length of time" in enrolled.run("coverage", "--since", "soon", ok=[2]).err
    assert "malformed" in enrolled.run("quarantined", ok=[0]).out
    assert "queued again" in enrolled.run("quarantined", "--retry", ok=[0]).out
    told = json.loads(enrolled.run("sites", "--json", ok=[0]).out)
    assert "mastodon" in told["uses"]
    assert "mastodon" in enrolled.run("sites", "--all", ok=[0]).out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["scan"], "no sites to scan"),
        (["scan", "nowhere"], "there is no site 'nowhere'"),
        (["records", "--config", "/no/config.yaml"], "spillwatch init"),
    ],
)
def test_mistakes_are_one_line(enrolled, words, says):
    """What cannot be done is one line that says what to do; code 2."""
    ended = enrolled.run(*words, ok=[2])
    assert says in ended.err
    assert len(ended.err.strip().splitlines()) == 1


def watching(installed: Installation) -> "subprocess.Popen[bytes]":
    """Start a daemon and wait until it has the database, or stands by."""
    marks = ("daemon started", "another daemon works on this database; standing by")
    before = sum(installed.log().count(mark) for mark in marks)
    daemon = installed.start("watch", stdout=-3, stderr=-3)
    wait_for(lambda: sum(installed.log().count(mark) for mark in marks) > before)
    return daemon


def wait_for(holds, seconds: float = 120.0) -> None:
    """Wait until something holds; fail if it never does."""
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until, "it never came true"
        time.sleep(0.1)


def stopped(daemon: "subprocess.Popen[bytes]") -> int:
    """End a daemon by SIGTERM and return its code; with all its children."""
    family = psutil.Process(daemon.pid).children(recursive=True)
    daemon.send_signal(signal.SIGTERM)
    code = daemon.wait(60)
    assert psutil.wait_procs(family, timeout=20)[1] == [], "children outlived the daemon"
    return code


@pytest.fixture
def watched(tmp_path: Path) -> Installation:
    """Give an installation that watches a site on which nothing was posted yet; its site is `installed.site`."""
    installed = install(tmp_path)
    leaked = Paste("leak1", "list", "text", "\t".join(CANARY.row.values()))
    with GrowingSite((*ORDINARY_PASTES[:2], leaked)) as site:
        installed.configure(site, decoding={"ocr": False}, evidence={"screenshot": False})
        installed.change(sites={FORUM: None})
        installed.run("enrol", str(export(PEOPLE, tmp_path / "export.csv")), ok=[0])
        site.publish(2)
        installed.site = site
        yield installed


def test_the_daemon_watches_until_it_is_told_to_stop(watched):
    """A leak that is posted while it watches becomes an alert and a message; SIGTERM ends all of it with code 0."""
    daemon = watching(watched)
    watched.site.publish(3)
    wait_for(lambda: list((watched.folder / "var/outgoing").glob("*.eml")))
    assert stopped(daemon) == 0
    assert [alert["verdict"] for alert in watched.alerts()] == ["leak"]
    assert "daemon stopped" in watched.log()


def test_a_second_daemon_stands_by_and_takes_over(watched):
    """It does nothing while the first one lives; once that was killed it goes on, and `scan` is refused meanwhile."""
    first = watching(watched)
    second = watching(watched)
    assert watched.log().count("daemon started") == 1
    assert "a daemon works on this database" in watched.run("scan", ok=[2]).err
    first.kill()
    first.wait()
    wait_for(lambda: watched.log().count("daemon started") == 2)
    watched.site.publish(3)
    wait_for(lambda: list((watched.folder / "var/outgoing").glob("*.eml")))
    assert stopped(second) == 0
