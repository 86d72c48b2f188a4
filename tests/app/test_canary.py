"""The canary walks the whole line, through crashes, and is then looked for everywhere: promises 1 and 2."""

import base64
import binascii
import codecs
import hashlib
import io
import json
import os
import re
import resource
import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest
from PIL import Image, ImageDraw

from app.demo.content import Paste, Post, SiteContent, Thread
from app.demo.pastes import ORDINARY_PASTES
from app.demo.site import DemoSite
from tests.app.installation import ROOT, Ended, Installation, export, install
from tests.app.onlooker import Onlooker
from tests.app.test_kill_loop import EXAMINER, appears
from tests.app.traces import files_below, search, spellings, values_of
from tests.people import CANARY, COLUMNS, PEOPLE

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
HERS = values_of(CANARY)
ROW = "\t".join(CANARY.row[column] for column in COLUMNS)
SEALED = "content.age"
"""The one file in which she may be: sealed to the evidence recipient."""


def picture() -> bytes:
    """Return a picture of what can be drawn without Chinese letters."""
    image = Image.new("RGB", (900, 260), "white")
    draw = ImageDraw.Draw(image)
    for number, text in enumerate((CANARY.resident_id, CANARY.phone, CANARY.mrn, CANARY.email)):
        draw.text((20, 20 + 55 * number), text, fill="black", font_size=32)
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return stream.getvalue()


def content() -> SiteContent:
    """Return pastes and threads that show her in text, title, address, author, note and picture."""
    masked = f"{CANARY.name[0]}*{CANARY.name[-1]} {CANARY.phone[:3]}****{CANARY.phone[-4:]}"
    return SiteContent(
        pastes=(
            Paste("row1", f"{CANARY.name} {CANARY.phone}", "text", f"名单\n{ROW}\n{masked}\n", 5),
            Paste(f"{CANARY.mrn}-{CANARY.phone}", CANARY.email, "text", f"{CANARY.name} {CANARY.resident_id}", 6),
            *ORDINARY_PASTES[:3],
        ),
        threads=(
            Thread("7001", f"{CANARY.name}的病历", (Post(CANARY.name, CANARY.note), Post("路人", CANARY.address)), 7),
            Thread("7002", "……", (Post("匿名", "", image="seen.png"),), 8),
        ),
        images={"seen.png": picture()},
    )


@dataclass(frozen=True)
class Walk:
    """What remains of the canary's way."""

    installed: Installation
    sources: dict[str, bytes]
    """Everything in which she must not be, by where."""
    onlooker: Onlooker
    ended: dict[str, Ended]
    cores: list[Path]


@contextmanager
def crippled(database: Path) -> Iterator[None]:
    """Damage what is kept about every record meanwhile, as a failing disk would."""
    with closing(sqlite3.connect(database, timeout=30)) as connection:
        whole = connection.execute("SELECT handle, sealed_details FROM records").fetchall()
        with connection:
            connection.execute("UPDATE records SET sealed_details = zeroblob(length(sealed_details))")
        yield
        with connection:
            restored = [(details, handle) for handle, details in whole]
            connection.executemany("UPDATE records SET sealed_details = ? WHERE handle = ?", restored)


@contextmanager
def no_evidence_folder(installed: Installation) -> Iterator[None]:
    """Put a file where the evidence folder should be meanwhile."""
    kept = installed.evidence.with_name("evidence-kept")
    if installed.evidence.exists():
        installed.evidence.rename(kept)
    installed.evidence.write_bytes(b"")
    yield
    installed.evidence.unlink()
    if kept.exists():
        kept.rename(installed.evidence)


def killed_at_work(installed: Installation, number: int) -> Ended:
    """Scan, and end the examiner by this signal while it holds pages."""
    scan = installed.start("scan", stdout=-1, stderr=-1, preexec_fn=allow_cores)
    examiner = appears(scan, EXAMINER)
    held = "SELECT count(*) FROM pages WHERE owner IS NOT NULL"
    while scan.poll() is None:
        with closing(sqlite3.connect(installed.database, timeout=30)) as connection:
            if connection.execute(held).fetchone() != (0,):
                examiner.send_signal(number)
                break
        time.sleep(0.01)
    out, err = scan.communicate(timeout=300)
    installed.printed += [out, err]
    return Ended(scan.returncode, out.decode(), err.decode())


def allow_cores() -> None:
    """Let core files be written, as a developer's machine does."""
    most = resource.getrlimit(resource.RLIMIT_CORE)[1]
    resource.setrlimit(resource.RLIMIT_CORE, (most, most))


def crash(installed: Installation, seen: Path, ended: dict[str, Ended]) -> None:
    """Let everything go wrong that can go wrong while a process holds her page."""
    with no_evidence_folder(installed):
        ended["scan without evidence folder"] = installed.run("scan")
        ended["check without evidence folder"] = installed.run("check", "-", stdin=seen.read_bytes())
    with crippled(installed.database):
        ended["scan with damaged records"] = installed.run("scan")
        ended["check with damaged records"] = installed.run("check", str(seen))
    installed.run("quarantined", "--retry", ok=[0])
    ended["scan with aborted examiner"] = killed_at_work(installed, signal.SIGABRT)
    ended["scan with killed examiner"] = killed_at_work(installed, signal.SIGKILL)


def look(installed: Installation, site: DemoSite, seen: Path, ended: dict[str, Ended]) -> None:
    """Use every verb that shows something."""
    ended["scan"] = installed.run("scan", ok=[0])
    ended["check file"] = installed.run("check", str(seen), ok=[1])
    ended["check input"] = installed.run("check", "--json", "-", stdin=seen.read_bytes(), ok=[1])
    ended["check address"] = installed.run("check", "--json", f"{site.paste_root}/p/row1", ok=[1])
    named = f"{site.paste_root}/p/{quote(CANARY.name)}?q={CANARY.phone}"
    ended["check of what is not there"] = installed.run("check", "--json", named, ok=[2])
    for alert in installed.alerts():
        ended["show"] = installed.run("show", alert["alert"], ok=[0])
        installed.run("show", "--json", alert["alert"], ok=[0])
        installed.run("evidence", "verify", str(installed.evidence / alert["sightings"][0]["evidence"]), ok=[0])
        installed.run("acknowledge", alert["alert"], ok=[0])
    for words in (["alerts"], ["records"], ["sites"], ["coverage"], ["doctor"], ["quarantined"]):
        installed.run(*words)


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Walk:
    """Give what remains after the canary was enrolled, leaked, found, checked, mailed and crashed with."""
    folder = tmp_path_factory.mktemp("canary")
    folder.chmod(0o700)
    outside = tmp_path_factory.mktemp("tester")
    seen = outside / "seen.txt"
    seen.write_text(f"看看这个\n{ROW}\n", "utf-8")
    installed = install(folder, anew=True)
    ended: dict[str, Ended] = {}
    before = cores()
    onlooker = Onlooker(installed.temporary)
    with DemoSite(content()) as site:
        installed.configure(site, logging={"file": "var/spillwatch.log", "level": "debug"})
        ended["enrol"] = installed.run("enrol", str(export(PEOPLE, outside / "export.csv")), ok=[0])
        ended["enrol bad rows"] = installed.run("enrol", str(bad_export(outside / "bad.csv")), ok=[1])
        # An open connection keeps the write-ahead log on the disk, to be searched.
        with closing(sqlite3.connect(installed.database)) as connection:
            connection.execute("SELECT count(*) FROM records").fetchone()
            crash(installed, seen, ended)
            look(installed, site, seen, ended)
            with crippled(installed.database):
                installed.run("check", "-", stdin=seen.read_bytes())
            onlooker.close()
            sources = files_below(folder, but=SEALED)
    sources |= {f"output {number}": text for number, text in enumerate(installed.printed)} | onlooker.seen
    return Walk(installed, sources, onlooker, ended, sorted(cores() - before))


def bad_export(path: Path) -> Path:
    """Write her row with a birth date that is none, and one with a field too many."""
    wrong = {**CANARY.row, "record_number": "R-777002", "birth_date": "1961-08-32"}
    lines = ["record_number," + ",".join(COLUMNS), ",".join(wrong.values()), ",".join(CANARY.row.values()) + ",more"]
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


def cores() -> set[Path]:
    """Return the core files where a crashed process would leave them."""
    return {path for place in (ROOT, Path("/"), Path("/tmp")) for path in place.glob("core*") if path.is_file()}


def test_she_is_nowhere(walk):
    """None of her values, in any spelling, stands in database, logs, mail, evidence, spool, output or processes."""
    assert search(walk.sources, HERS) == []


def test_she_was_there(walk):
    """She was found on every page that shows her, mail went out, and the search looked at what it had to."""
    alerts = walk.installed.alerts()
    assert [json.loads(walk.installed.run("show", "--json", a["alert"]).out)["ref"] for a in alerts] == [CANARY.ref]
    by_site = [sighting["site"] for sighting in alerts[0]["sightings"]]
    assert by_site.count("demo-pastes") == 2
    assert by_site.count("demo-forum") == 2
    assert by_site.count("check") >= 3
    names = "\n".join(walk.sources)
    for part in ("spillwatch.db", "db-wal", "db-shm", "filter.bloom", "spillwatch.log", ".eml, part", "manifest.json"):
        assert part in names
    for module in ("app.cli", "app.scan", "app.examiner", "app.check", "decoders.worker"):
        assert module in walk.onlooker.modules
    assert any(name.startswith("arguments of app.examiner") for name in walk.sources)


def test_the_crashes_happened_while_her_page_was_held(walk):
    """Each provoked failure was one, and left its frames in the log."""
    for what in ("scan without evidence folder", "check without evidence folder", "check with damaged records"):
        assert walk.ended[what].code == 2, what
    assert walk.ended["scan with aborted examiner"].code == 2
    assert walk.ended["scan with killed examiner"].code == 2
    events = [json.loads(line) for line in walk.installed.log().splitlines()]
    told = {event["event"] for event in events if event.get("frames")}
    assert {"examiner stopped by an error", "page could not be examined", "stopped by an unforeseen error"} <= told
    with closing(sqlite3.connect(walk.installed.database)) as connection:
        assert connection.execute("SELECT count(*) FROM spool").fetchone()[0] > 0, "no page lies in the spool"


def test_no_core_file_is_left(walk):
    """A process that dies of SIGABRT writes no core file, though the tester's limits would let it."""
    assert walk.cores == []
    for module in ("app.examiner", "app.scan", "app.check", "decoders.worker"):
        assert re.search(rb"size\s+0\s+0", walk.onlooker.core_limits[module]), module


def test_she_is_inside_the_sealed_content(walk, tmp_path):
    """The same search finds her in the evidence once it is opened: what is sealed is the leak."""
    alert = walk.installed.alerts()[0]
    identity = walk.installed.folder / "evidence-identity.txt"
    for number, sighting in enumerate(alert["sightings"]):
        into = tmp_path / str(number)
        words = ["evidence", "open", str(walk.installed.evidence / sighting["evidence"])]
        walk.installed.run(*words, "--into", str(into), "--identity", str(identity), ok=[0])
    found = search(files_below(tmp_path), HERS)
    for value in ("name", "resident_id", "phone", "mrn", "email", "address", "piece 2 of the note"):
        assert any(line.startswith(f"{value} as utf-8") for line in found), value


PLANTED = {
    "utf-8": str.encode,
    "utf-16-le": lambda value: codecs.encode(value, "utf-16-le"),
    "utf-16-be": lambda value: codecs.encode(value, "utf-16-be"),
    "utf-32-le": lambda value: codecs.encode(value, "utf-32-le"),
    "gb18030": lambda value: codecs.encode(value, "gb18030"),
    "hex": lambda value: binascii.hexlify(value.encode()),
    "HEX": lambda value: binascii.hexlify(value.encode()).upper(),
    "base64, alignment 0": lambda value: base64.b64encode(b"abc" + value.encode() + b"z"),
    "base64, alignment 1": lambda value: base64.b64encode(b"abcd" + value.encode() + b"yz"),
    "base64, alignment 2": lambda value: base64.b64encode(b"abcde" + value.encode() + b"xyz"),
    "base64 in lines": lambda value: base64.b64encode(b"\0" * 30 + value.encode()[:27]),
    "percent": lambda value: quote(value, safe="").encode(),
    "percent, small": lambda value: quote(value, safe="").lower().encode(),
    "JSON": lambda value: json.dumps({"note": value}).encode(),
    "Python": lambda value: ascii(value).encode(),
    "HTML": lambda value: value.encode("ascii", "xmlcharrefreplace"),
    "reversed": lambda value: "".join(reversed(value)).encode(),
    "md5": lambda value: hashlib.md5(value.encode()).digest(),
    "sha1, hex": lambda value: hashlib.sha1(value.encode()).hexdigest().encode(),
    "sha256": lambda value: hashlib.sha256(value.encode()).digest(),
    "sha256, HEX": lambda value: hashlib.sha256(value.encode()).hexdigest().upper().encode(),
    "sha256 of digits and letters": lambda value: hashlib.sha256(
        "".join(filter(str.isalnum, value.lower())).encode()
    ).digest(),
}


@pytest.mark.parametrize("spelling", PLANTED)
def test_the_search_is_not_blind(tmp_path, spelling):
    """Each value is found in a file among noise in each spelling, written by other means than those of the search."""
    for field, value in HERS.items():
        if spelling == "base64 in lines" and field not in ("resident_id", "phone", "mrn", "birth_date", "name"):
            continue
        path = tmp_path / "planted.db"
        path.write_bytes(os.urandom(500) + PLANTED[spelling](value) + os.urandom(501))
        assert [line for line in search(files_below(tmp_path), {field: value}) if "planted" in line], (field, spelling)
        path.write_bytes(os.urandom(2000))
        assert search(files_below(tmp_path), {field: value}) == []


def test_the_search_opens_messages(tmp_path):
    """A value in an encoded header or part of a message is found."""
    header = f"Subject: =?gb18030?b?{base64.b64encode(CANARY.name.encode('gb18030')).decode()}?=\n"
    part = base64.b64encode(CANARY.email.encode()).decode()
    wrapped = "\n".join(part[start : start + 20] for start in range(0, len(part), 20))
    body = f"Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: base64\n\n{wrapped}\n"
    (tmp_path / "one.eml").write_text(header + body)
    found = search(files_below(tmp_path), {"name": CANARY.name, "email": CANARY.email})
    assert {line.partition(" as ")[0] for line in found} == {"name", "email"}


def test_ten_spellings_and_more():
    """Every Chinese value is looked for in more than thirty spellings."""
    assert len(spellings(CANARY.name)) > 30
