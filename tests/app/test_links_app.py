"""The main job over a link: a post leads to an encrypted paste, which is opened, matched, told by mail and kept."""

import json
import os
from pathlib import Path

import pytest

from tests.app.installation import Installation, export, install
from tests.crawler.loopback import Loopback, Reply
from tests.crawler.test_privatebin import fragment_of, seal
from tests.people import CANARY, PEOPLE

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
JSON = {"Content-Type": "application/json"}
BIN, BURNING, SHARE = "5b65a01b43987bc2", "0123456789abcdef", "https://pan.baidu.com/s/1AbCdEfGhIj"
SECOND = next(person for person in PEOPLE if person.resident_id and person is not CANARY)


def watching(folder: Path, square: Loopback, bin_: Loopback) -> Installation:
    """Install Spillwatch with the invented people enrolled, and a timeline to watch."""
    made = install(folder)
    made.change(
        network={"allow": [square.host, bin_.host]},
        evidence={"screenshot": False},
        sites={"square": {"use": "mastodon", "root": square.root, "every": "10m", "delay": "0s"}},
    )
    made.run("enrol", str(export(PEOPLE, folder / "export.csv")), ok=[0])
    return made


def post(square: Loopback, *texts: str) -> None:
    """Serve a timeline of posts."""
    posts = [
        {"id": str(number), "content": text, "url": f"https://social.example.org/@a/{number}", "media_attachments": [],
         "account": {"acct": "ann"}, "created_at": "2026-11-20T10:00:00Z"}
        for number, text in enumerate(texts, 1)
    ]  # fmt: skip
    square.routes["/api/v1/timelines/public"] = Reply(json.dumps(posts[::-1]), headers=JSON)


def opened(spillwatch: Installation, alert: dict) -> dict[str, bytes]:
    """Open the sealed content of an alert's evidence with the organisation's identity."""
    folder = spillwatch.evidence / alert["sightings"][0]["evidence"]
    into = spillwatch.folder / f"opened-{alert['alert']}"
    identity = spillwatch.folder / "evidence-identity.txt"
    assert "as it was captured" in spillwatch.run("evidence", "verify", str(folder), ok=[0]).out
    spillwatch.run("evidence", "open", str(folder), "--into", str(into), "--identity", str(identity), ok=[0])
    return {path.name: path.read_bytes() for path in into.rglob("*") if path.is_file()}


def test_a_post_leads_to_an_encrypted_paste_that_is_matched_and_kept(private_path):
    """The leak is in the paste alone: it is found; the evidence holds the ciphertext as sent, and what was read."""
    key = os.urandom(32)
    fragment = fragment_of(key)
    with Loopback() as square, Loopback() as bin_:
        told = seal({"paste": f"患者{CANARY.name}，身份证 {CANARY.resident_id}"}, key, "k8d2")
        bin_.routes[f"/?{BIN}"] = Reply(json.dumps(told), headers=JSON)
        post(square, "<p>天气真好</p>", f"<p>名单 {bin_.root}/?{BIN}#{fragment} 密码：k8d2</p>")
        spillwatch = watching(private_path, square, bin_)
        assert "1 new alerts" in spillwatch.run("scan", "square", ok=[0]).out
        assert "0 new alerts" in spillwatch.run("scan", "square", ok=[0]).out
        assert len(bin_.paths()) == 1
    (alert,) = spillwatch.alerts()
    kept = opened(spillwatch, alert)
    assert told["ct"].encode() in kept["page.warc"]
    assert CANARY.resident_id.encode() not in kept["page.warc"]
    assert "body (PrivateBin, decrypted)" in kept["passages.json"].decode()
    assert f"#{fragment}" in kept["page.json"].decode()
    said = b"\n".join([*spillwatch.printed, spillwatch.log().encode()])
    said += b"\n".join(path.read_bytes() for path in (spillwatch.folder / "var/outgoing").rglob("*.eml"))
    for secret in (fragment, BIN, CANARY.resident_id, CANARY.name, "k8d2"):
        assert secret.encode() not in said


def test_the_evidence_of_a_leak_says_which_links_were_not_opened(private_path):
    """The post itself matches; whoever opens its evidence reads what it also links to, and why nobody looked."""
    with Loopback() as square, Loopback() as bin_:
        burning = f"{bin_.root}/?{BURNING}#-{fragment_of(os.urandom(32))}"
        post(square, f"<p>{SECOND.name} {SECOND.resident_id} 全部：{SHARE} 提取码：ab12，{burning}</p>")
        spillwatch = watching(private_path, square, bin_)
        out = spillwatch.run("scan", "square", ok=[0]).out
        assert bin_.asked == []
    assert "3 listed = 1 fetched + 0 known + failed: 1 left-alone, 1 login-needed" in out
    (alert,) = spillwatch.alerts()
    kept = opened(spillwatch, alert)
    passages = kept["passages.txt"].decode()
    assert "links not followed" in passages
    assert f"login-needed: {SHARE} (百度网盘" in passages
    assert f"left-alone: {burning}" in passages
    assert "codes: ab12" in passages
    assert "baidu" not in spillwatch.log()
