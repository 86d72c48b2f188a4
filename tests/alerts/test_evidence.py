"""Snapshots: whole, sealed, verifiable with public tools, and nothing of the content outside the sealed part."""

import io
import os
import random
import shutil
import subprocess
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace

import pyrage
import pytest
from warcio.archiveiterator import ArchiveIterator
from warcio.checker import Checker

from alerts.evidence import content, custody, snapshot
from alerts.evidence.screenshot import browser_path, render
from alerts.evidence.verify import open_evidence, verify
from alerts.evidence.warc import uri_for_header, warc_of
from alerts.interface import EvidenceSettings
from model.errors import EvidenceError
from tests.alerts.captures import CONTEXT, LEAKED, NOW, PAGE_ID, decoded, exchange, flip, key_pair, match, page
from tests.needs import require

PUBLIC, PRIVATE = key_pair()


def take(root, shown=None, **changes):
    """Take a snapshot without a picture, unless told otherwise."""
    settings = replace(EvidenceSettings(root, (PUBLIC,), screenshot=False), **changes)
    return snapshot.take(shown or page(), decoded(), [match(1)], settings=settings, context=CONTEXT, now=NOW)


def found_in(told: str) -> list[str]:
    """Return the runs of four characters of the leak that stand in the text; digits alone prove nothing."""
    grams = [LEAKED[at : at + 4] for at in range(len(LEAKED) - 3)]
    return [gram for gram in grams if gram in told and not gram.isdigit()]


@pytest.fixture
def identity(tmp_path):
    """Return the file with the private key, as age-keygen writes it."""
    path = tmp_path / "key.txt"
    path.write_text(f"# created: today\n{PRIVATE}\n")
    return path


def test_folder_is_whole_private_and_where_it_belongs(tmp_path):
    """The folder lies under year, month and page id, holds five private files and verifies."""
    kept = take(tmp_path / "evidence")
    assert kept.folder == tmp_path / "evidence" / "2026" / "11" / PAGE_ID
    assert {one.name for one in kept.folder.iterdir()} == {
        "content.age", "manifest.json", "custody.json", "README.txt", "SHA256SUMS"
    }  # fmt: skip
    assert {one.stat().st_mode & 0o777 for one in kept.folder.iterdir()} == {0o600}
    assert kept.folder.stat().st_mode & 0o777 == 0o700
    found = verify(kept.folder)
    assert (found.ok, found.problems) == (True, ())
    assert kept.manifest_sha256 in found.lines[1]


def test_asking_again_returns_the_same_snapshot(tmp_path):
    """A page has one snapshot and one capture entry, however often it is taken."""
    first = take(tmp_path)
    bytes_of_first = {one.name: one.read_bytes() for one in first.folder.iterdir()}
    assert take(tmp_path) == first
    assert {one.name: one.read_bytes() for one in first.folder.iterdir()} == bytes_of_first
    assert len(custody.entries(tmp_path / custody.LOG)) == 1
    assert [one.name for one in first.folder.parent.iterdir()] == [PAGE_ID]


@pytest.mark.parametrize("step", range(1, 16))
def test_a_crash_at_any_write_is_healed_by_asking_again(tmp_path, monkeypatch, step):
    """Whatever write fails, no half folder is shown, and the next attempt ends in one valid snapshot and capture."""
    real, count = os.fsync, iter(range(1, 1000))

    def failing(descriptor):
        if next(count) == step:
            raise OSError(28, "no space")
        real(descriptor)

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", failing)
        with suppress(EvidenceError):
            take(tmp_path)
    shown = tmp_path / "2026" / "11" / PAGE_ID
    assert not shown.exists() or verify(shown).ok
    kept = take(tmp_path)
    assert verify(kept.folder).ok, verify(kept.folder).problems
    captures = [entry for entry in custody.entries(tmp_path / custody.LOG) if entry.evidence_id == PAGE_ID]
    assert len(captures) == 1


def test_sha256sum_verifies_the_folder(tmp_path):
    """The public tool accepts the clean folder and refuses a changed one."""
    require(shutil.which("sha256sum"), "sha256sum is not installed")
    folder = take(tmp_path).folder
    assert subprocess.run(["sha256sum", "-c", "--strict", "SHA256SUMS"], cwd=folder, check=False).returncode == 0
    (folder / "README.txt").write_bytes(b"x" + (folder / "README.txt").read_bytes())
    assert subprocess.run(["sha256sum", "-c", "--strict", "SHA256SUMS"], cwd=folder, check=False).returncode != 0


@pytest.mark.parametrize("name", ["content.age", "manifest.json", "custody.json", "README.txt", "SHA256SUMS"])
def test_a_flipped_bit_in_each_file_is_found(tmp_path, name):
    """Sixty flips spread over a file are all found, the case of a hex digit among them."""
    folder = take(tmp_path).folder
    clean = (folder / name).read_bytes()
    places = [(at * len(clean) // 60, bit) for at in range(60) for bit in (at % 8, 5)]
    for at, bit in places:
        flipped = bytearray(clean)
        flipped[at] ^= 1 << bit
        (folder / name).write_bytes(flipped)
        assert not verify(folder).ok, (at, bit)


@pytest.mark.slow
def test_every_flipped_bit_is_found(tmp_path):
    """Ten thousand random single-bit flips over all files of the folder: all are found."""
    folder = take(tmp_path).folder
    source = random.Random(3)
    clean = {one: one.read_bytes() for one in folder.iterdir()}
    paths = sorted(clean)
    for _ in range(10_000):
        path = source.choice(paths)
        bit = source.randrange(len(clean[path]) * 8)
        flip(path, bit)
        assert not verify(folder).ok, (path.name, bit)
        flip(path, bit)
    assert verify(folder).ok
    assert {one: one.read_bytes() for one in folder.iterdir()} == clean


@pytest.mark.parametrize("name", ["content.age", "manifest.json", "custody.json", "README.txt", "SHA256SUMS"])
def test_missing_file_is_found(tmp_path, name):
    """A folder without one of its files does not verify."""
    folder = take(tmp_path).folder
    (folder / name).unlink()
    try:
        assert not verify(folder).ok
    except EvidenceError:
        assert name == "manifest.json"


def test_foreign_file_and_exchanged_content_are_found(tmp_path):
    """An added file, and the content of another snapshot, are found."""
    folder, other = take(tmp_path).folder, take(tmp_path, page("f" * 32)).folder
    (folder / "extra").write_text("x")
    assert not verify(folder).ok
    (folder / "extra").unlink()
    shutil.copy(other / "content.age", folder / "content.age")
    assert "content.age was changed" in verify(folder).problems


def test_folder_verifies_alone_and_says_so(tmp_path):
    """A copy far from the log verifies with nothing but itself."""
    copied = tmp_path / "elsewhere" / "copy"
    shutil.copytree(take(tmp_path / "evidence").folder, copied)
    found = verify(copied)
    assert found.ok
    assert "no custody log" in found.lines[1]


def test_tampered_log_spoils_the_verification(tmp_path):
    """Evidence under a log whose chain is broken does not verify."""
    folder = take(tmp_path).folder
    take(tmp_path, page("f" * 32))
    log = tmp_path / custody.LOG
    log.write_bytes(log.read_bytes().splitlines(keepends=True)[1])
    assert not verify(folder).ok


def test_cut_off_log_shows_against_the_folders(tmp_path):
    """A log without its last entry is found because the folder of that capture is still there."""
    folder = take(tmp_path).folder
    take(tmp_path, page("f" * 32))
    log = tmp_path / custody.LOG
    log.write_bytes(log.read_bytes().splitlines(keepends=True)[0])
    assert any("cut off" in problem for problem in verify(folder).problems)


def test_no_content_outside_the_sealed_part(tmp_path):
    """No four characters of the page, its address, file name or author stand in any clear file, name or the log."""
    folder = take(tmp_path).folder
    clear = "".join(one.read_text() for one in folder.iterdir() if one.name != "content.age")
    clear += (tmp_path / custody.LOG).read_text() + " ".join(str(one) for one in tmp_path.rglob("*"))
    assert not found_in(clear)
    assert not any(text in clear for text in ("paste.example", "15400001234", "text/plain"))


def test_opened_content_is_what_was_captured(tmp_path, identity):
    """With the private key the content opens into private files, and the opening is logged."""
    kept = take(tmp_path / "evidence")
    later = NOW + timedelta(hours=1)
    files = open_evidence(kept.folder, identity, tmp_path / "opened", actor="officer", now=later)
    assert {one.name for one in files} == content.INNER_FILES - {"screenshot.png"}
    assert {one.stat().st_mode & 0o777 for one in files} == {0o600}
    assert LEAKED in (tmp_path / "opened" / "passages.txt").read_text()
    last = custody.entries(tmp_path / "evidence" / custody.LOG)[-1]
    assert (last.action, last.actor, last.evidence_id) == (custody.Action.OPEN, "officer", PAGE_ID)
    assert verify(kept.folder).ok


def test_match_report_holds_no_values(tmp_path, identity):
    """The match report tells kinds, forms and spans, and nothing of the text."""
    open_evidence(take(tmp_path / "evidence").folder, identity, tmp_path / "opened", actor="x", now=NOW)
    told = (tmp_path / "opened" / "match.json").read_text()
    assert '"resident_id"' in told
    assert not found_in(told)


def test_wrong_key_opens_nothing(tmp_path):
    """Another private key is refused, and nothing is written."""
    (tmp_path / "key.txt").write_text(key_pair()[1])
    with pytest.raises(EvidenceError, match="cannot be decrypted"):
        open_evidence(take(tmp_path / "e").folder, tmp_path / "key.txt", tmp_path / "opened", actor="x", now=NOW)
    assert not (tmp_path / "opened").exists()


@pytest.mark.parametrize("text", ["", "AGE-SECRET-KEY-1XYZ", "钟离", pytest.param(PUBLIC, id="public")])
def test_a_file_that_is_no_key_is_refused(tmp_path, text):
    """A file without an age private key is told as such."""
    (tmp_path / "key.txt").write_text(text)
    with pytest.raises(EvidenceError, match="private key"):
        open_evidence(take(tmp_path / "e").folder, tmp_path / "key.txt", tmp_path / "opened", actor="x", now=NOW)


@pytest.mark.parametrize(
    ("name", "kind"), [("../evil", None), ("/etc/evil", None), ("page.warc", b"2"), ("page.warc", b"1"), ("odd", None)]
)
def test_hostile_archive_is_not_unpacked(tmp_path, identity, name, kind):
    """A path, a link or a stranger inside the archive is refused, although the encryption is right."""
    import tarfile

    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        member = tarfile.TarInfo(name)
        if kind:
            member.type, member.linkname = kind, "/etc/passwd"
        archive.addfile(member, io.BytesIO())
    sealed = pyrage.encrypt(out.getvalue(), [pyrage.x25519.Recipient.from_str(PUBLIC)])
    with pytest.raises(EvidenceError, match="not unpacked"):
        content.unseal(sealed, identity)


def test_the_age_tool_opens_the_content(tmp_path, identity):
    """The line of the README opens the content without any program of ours."""
    require(shutil.which("age"), "the age tool is not installed (Debian package age)")
    folder = take(tmp_path / "evidence").folder
    (tmp_path / "out").mkdir()
    line = f"age -d -i {identity} {folder}/content.age | tar x"
    subprocess.run(["sh", "-c", line], cwd=tmp_path / "out", check=True)
    assert LEAKED in (tmp_path / "out" / "passages.txt").read_text()


def test_every_recipient_can_open(tmp_path):
    """Content sealed to two officers opens with either key."""
    public, private = key_pair()
    (tmp_path / "key.txt").write_text(private)
    folder = take(tmp_path / "e", recipients=(PUBLIC, public)).folder
    assert open_evidence(folder, tmp_path / "key.txt", tmp_path / "opened", actor="x", now=NOW)


@pytest.mark.parametrize("recipients", [(), ("age1nonsense",), (PUBLIC, "ssh-rsa x")])
def test_unusable_recipients_are_refused_before_anything_is_written(tmp_path, recipients):
    """Without usable public keys no evidence is written in the clear, or at all."""
    with pytest.raises(EvidenceError, match="recipient"):
        take(tmp_path / "e", recipients=recipients)
    assert not (tmp_path / "e").exists()


def test_content_in_clear_fields_is_refused(tmp_path):
    """A site, reason or page id that is not a plain word never stands beside the evidence."""
    for changed in ({"site": "钟离未央"}, {"why": "Found 钟离未央"}, {"page_id": "../x"}):
        with pytest.raises(EvidenceError):
            take(tmp_path / "e", replace(page(), **changed))


def test_warc_checks_and_holds_the_wire(tmp_path):
    """The library accepts every digest, and the records give back status, fields and bodies as captured."""
    path = tmp_path / "page.warc"
    path.write_bytes(warc_of(page(), "test"))
    checker = Checker(SimpleNamespace(inputs=[str(path)], verbose=True))
    assert checker.process_all() == 0
    with path.open("rb") as stream:
        records = [
            (one.rec_type, one.http_headers, one.rec_headers, one.raw_stream.read()) for one in ArchiveIterator(stream)
        ]
    assert [one[0] for one in records] == ["warcinfo", "response", "request", "response", "request"]
    _, fields, about, body = records[3]
    captured = page().exchanges[1]
    assert body == captured.body
    assert fields.get_statuscode() == "200"
    assert fields.get_header("X-Archive-Orig-Transfer-Encoding") == "chunked"
    assert about.get_header("WARC-IP-Address") == "127.0.0.1"
    assert about.get_header("WARC-Date") == "2026-11-24T00:30:00.000000Z"
    assert about.get_header("WARC-Payload-Digest").startswith("sha256:")
    assert records[4][2].get_header("WARC-Concurrent-To") == about.get_header("WARC-Record-ID")
    assert records[1][1].get_header("Location")
    assert b"X-Title: \xe9\x92\x9f\r\n" in path.read_bytes()


def test_a_changed_warc_does_not_check(tmp_path):
    """The checker that accepts the clean file refuses a changed body."""
    path = tmp_path / "page.warc"
    warc = warc_of(page(exchanges=(exchange("http://a.example/", b"body text", "text/plain"),)), "test")
    path.write_bytes(warc.replace(b"body text", b"body tExt"))
    assert Checker(SimpleNamespace(inputs=[str(path)], verbose=False)).process_all() == 1


def test_warc_of_a_local_file_holds_its_parts(tmp_path):
    """What never came over HTTP is kept as resource records."""
    stream = io.BytesIO(warc_of(page(exchanges=()), "test"))
    records = [(one.rec_type, one.raw_stream.read()) for one in ArchiveIterator(stream)]
    assert records[1] == ("resource", LEAKED.encode())


@pytest.mark.parametrize(
    "hostile", ["http://a.example/x\r\nWARC-Type: evil\r\n\r\n", "http://a.example/\0", "http://a b\nc/"]
)
def test_hostile_fields_cannot_forge_warc_records(tmp_path, hostile):
    """Line ends in an address, field, method or peer do not make another header or record."""
    shown = replace(
        exchange(hostile, b"x", "text/plain\r\nX: y", X_Evil=hostile), method="GET\r\nX: y", peer="1.1.1.1\r\nX: y"
    )
    path = tmp_path / "page.warc"
    path.write_bytes(warc_of(page(exchanges=(shown,)), "test"))
    assert Checker(SimpleNamespace(inputs=[str(path)], verbose=False)).process_all() == 0
    with path.open("rb") as stream:
        assert [one.rec_type for one in ArchiveIterator(stream)] == ["warcinfo", "response", "request"]
    assert not set("\r\n\0 ") & set(uri_for_header(hostile))


def test_picture_of_the_captured_bytes(tmp_path):
    """Where there is a browser the sealed content holds a PNG, and the manifest says how it was made."""
    require(browser_path(), "no Chromium or no playwright here")
    made = render(page())
    assert made.reason == ""
    assert made.png.startswith(b"\x89PNG")
    assert made.how["browser"].startswith("Chromium")
    assert made.how["sandbox"].startswith("off" if os.geteuid() == 0 else "on")


def test_picture_is_made_without_scripts_and_without_leaving(tmp_path):
    """A page that would rewrite itself, lead elsewhere or load from elsewhere is shown as captured."""
    require(browser_path(), "no Chromium or no playwright here")
    from PIL import Image

    hostile = (
        b"<meta http-equiv=refresh content='0;url=http://127.0.0.1:9/'><body style='background:#00ff00'>"
        b"<script>document.body.style.background='#ff0000'</script><img src=http://127.0.0.1:9/x.png>"
    )
    made = render(page(exchanges=(exchange("http://paste.example/张", hostile, "text/html"),)))
    assert Image.open(io.BytesIO(made.png)).convert("RGB").getpixel((600, 100)) == (0, 255, 0)


@pytest.mark.parametrize(
    ("exchanges", "reason"),
    [
        ((exchange("http://a.example/", b"gone", "text/html", status=404),), "nothing-to-render"),
        ((exchange("http://a.example/x.zip", b"PK\3\4", "application/zip"),), "type-not-shown"),
    ],
)
def test_no_picture_says_why(exchanges, reason):
    """What cannot be shown has a reason word, never an error."""
    require(browser_path(), "no Chromium or no playwright here")
    made = render(page(exchanges=exchanges))
    assert (made.png, made.reason) == (None, reason)


def test_slow_browser_is_ended_with_all_it_started():
    """After the time limit there is no picture, and no process is left."""
    require(browser_path(), "no Chromium or no playwright here")
    assert render(page(), seconds=0.8).reason == "timeout"
    children = subprocess.run(["ps", "-eo", "ppid=,args="], capture_output=True, text=True, check=True).stdout
    ours = [line for line in children.splitlines() if line.split()[0] == str(os.getpid()) and "alerts.evidence" in line]
    assert ours == []


def test_machine_without_browser_says_so(tmp_path, monkeypatch):
    """Without Chromium the snapshot is taken all the same and the manifest names the reason."""
    monkeypatch.setenv("PATH", str(tmp_path))
    kept = take(tmp_path / "e", screenshot=True)
    assert '"reason": "browser-not-installed"' in (kept.folder / "manifest.json").read_text()
    assert verify(kept.folder).ok
