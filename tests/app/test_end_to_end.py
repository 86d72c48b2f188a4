"""The main job against servers that nobody here wrote: what is posted is found once, told by mail, and kept."""

import json
import os
from collections.abc import Callable, Mapping
from email.message import EmailMessage
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.app.installation import Installation, export, install
from tests.people import CANARY, PEOPLE, Person
from tests.servers.bepasty import Bepasty
from tests.servers.mail import MailServer
from tests.servers.pds import PersonalDataServer
from tests.servers.pinnwand import Pinnwand

pytestmark = [pytest.mark.server, pytest.mark.slow, pytest.mark.timeout(900)]
ALONE = [person for person in PEOPLE if [other.phone for other in PEOPLE].count(person.phone) == 1]
CHINESE, OTHER = [person for person in ALONE if person.resident_id and person is not CANARY][:2]


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> str:
    """Give the URL of an empty database, on either engine."""
    return "sqlite:///var/spillwatch.db" if request.param == "sqlite" else request.getfixturevalue("postgres_url")


@pytest.fixture
def watching(private_path: Path, database: str, mail_server: MailServer) -> Callable[..., Installation]:
    """Give a function that installs Spillwatch with these sites, real SMTP, and the invented people enrolled."""

    def begin(sites: Mapping[str, Mapping[str, str]], links: Mapping[str, list[str]] | None = None) -> Installation:
        made = install(private_path)
        secret = private_path / "smtp.password"
        secret.touch(0o600)
        secret.write_text(mail_server.password, "utf-8")
        hosts = [urlsplit(site["root"]).netloc for site in sites.values()]
        made.change(
            storage={"url": database},
            evidence={"screenshot": False},  # tests/alerts has the browser; here each page would cost seconds
            network={"allow": hosts + [host for some in (links or {}).values() for host in some], "link_hosts": links},
            sites={name: {"every": "10m", "delay": "0s", **site} for name, site in sites.items()},
            alerts={
                "spool": None,
                "email": {
                    "to": ["privacy@example.org", "security@example.org"],
                    "sender": "spillwatch@example.org",
                    "host": "localhost",
                    "port": mail_server.port,
                    "user": mail_server.user,
                    "password": f"file:{secret}",
                    "ca_file": str(mail_server.authority),
                },
            },
        )
        made.run("enrol", str(export(PEOPLE, private_path / "export.csv")), ok=[0])
        return made

    return begin


def test_bepasty_leak_becomes_alert_mail_and_evidence(watching, bepasty: Bepasty, mail_server: MailServer):
    """A row pasted among ordinary pastes is found once; a second scan finds only what is new."""
    spillwatch = watching({"pastes": {"use": "bepasty", "root": bepasty.url}})
    posted = [
        bepasty.post_text("今天食堂的红烧肉不错，大家可以去试试。", "lunch.txt"),
        bepasty.post_text(f"{CHINESE.name} {CHINESE.resident_id} {CHINESE.phone}", "row.txt"),
    ]
    assert "1 new alerts" in spillwatch.run("scan", "pastes", ok=[0]).out
    assert refs(spillwatch) == {CHINESE.ref}

    (alert,) = spillwatch.alerts()
    assert alert["verdict"] == "leak"
    folder = spillwatch.evidence / alert["sightings"][0]["evidence"]
    assert "as it was captured" in spillwatch.run("evidence", "verify", str(folder), ok=[0]).out
    assert CHINESE.resident_id.encode() in opened(spillwatch, folder)

    (mail,) = [mail for mail in mail_server.received if alert["alert"] in str(mail.message()["Subject"])]
    assert set(mail.recipients) == {"privacy@example.org", "security@example.org"}
    assert mail.encrypted
    assert_free_of(mail.message(), CHINESE)

    posted.append(bepasty.post_text(f"{OTHER.name}，{OTHER.resident_id}", "second.txt"))
    assert "1 new alerts" in spillwatch.run("scan", "pastes", ok=[0]).out
    assert refs(spillwatch) == {CHINESE.ref, OTHER.ref}
    assert "0 new alerts" in spillwatch.run("scan", "pastes", ok=[0]).out
    for address in posted:
        bepasty.delete(address)


def test_social_post_leads_to_the_unlisted_paste(watching, pds: PersonalDataServer, pinnwand: Pinnwand):
    """A post on the AT Protocol server that links to a pinnwand paste leads there; ordinary posts raise nothing."""
    paste = pinnwand.post_text(f"患者{OTHER.name}，身份证 {OTHER.resident_id}", "x.txt")
    account = pds.join(f"teller{os.getpid()}{len(pds.accounts())}")
    pds.post(account, "周末去爬山，天气真好。")
    pds.post(account, f"看这个 {paste}")
    host = urlsplit(pinnwand.url).netloc
    spillwatch = watching({"square": {"use": "atproto_pds", "root": pds.url}}, {"pinnwand": [host]})
    spillwatch.run("scan", ok=[0])
    assert OTHER.ref in refs(spillwatch)
    pds.post(account, f"{CHINESE.name}的病历：{CHINESE.note[:60]}")
    spillwatch.run("scan", ok=[0])
    assert {OTHER.ref, CHINESE.ref} <= refs(spillwatch)


def refs(spillwatch: Installation) -> set[str]:
    """Return the references that the alerts are about."""
    return {json.loads(spillwatch.run("show", alert["alert"], "--json").out)["ref"] for alert in spillwatch.alerts()}


def opened(spillwatch: Installation, folder: Path) -> bytes:
    """Open the sealed content with the organisation's identity and return the WARC."""
    into = spillwatch.folder / "opened"
    identity = spillwatch.folder / "evidence-identity.txt"
    spillwatch.run("evidence", "open", str(folder), "--into", str(into), "--identity", str(identity), ok=[0])
    return (into / "page.warc").read_bytes()


def assert_free_of(message: EmailMessage, person: Person) -> None:
    """No value of the person stands in any part or header."""
    texts = [str(value) for value in message.values()]
    texts += [part.get_content() for part in message.walk() if not part.is_multipart()]
    for text in texts:
        for value in person.values.values():
            assert value not in text
