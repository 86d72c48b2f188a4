"""The main job against servers that nobody here wrote: what is posted is found once, told by mail, and kept."""

import csv
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from ruamel.yaml import YAML

from tests.people import CANARY, COLUMNS, PEOPLE, SCHEMA, Person
from tests.servers.bepasty import Bepasty
from tests.servers.mail import MailServer
from tests.servers.pds import PersonalDataServer
from tests.servers.pinnwand import Pinnwand

pytestmark = [pytest.mark.server, pytest.mark.slow, pytest.mark.timeout(300)]
ALONE = [person for person in PEOPLE if [other.phone for other in PEOPLE].count(person.phone) == 1]
CHINESE, OTHER = [person for person in ALONE if person.resident_id and person is not CANARY][:2]
PASSWORD = "SPILLWATCH_TEST_MAIL_PASSWORD"


@dataclass
class Installation:
    """A configured Spillwatch in a folder of its own, used by its command line only."""

    folder: Path
    environment: dict[str, str]

    def run(self, *words: str, ok: Sequence[int] = (0,), stdin: bytes = b"") -> str:
        """Run a command; return what it printed."""
        done = subprocess.run(
            [sys.executable, "-m", "app.cli", *words],
            cwd=Path(__file__).resolve().parents[2],
            env={**os.environ, **self.environment, "SPILLWATCH_CONFIG": str(self.folder / "config.yaml")},
            input=stdin,
            capture_output=True,
            timeout=240,
            check=False,
        )
        log = self.folder / "var/spillwatch.log"
        told = done.stdout.decode() + done.stderr.decode() + (log.read_text() if log.exists() else "")
        assert done.returncode in ok, told[-4000:]
        return done.stdout.decode()

    def alerts(self) -> list[dict]:
        """Return the alerts about records."""
        return [alert for alert in json.loads(self.run("alerts", "--json")) if alert["subject"] == "record"]

    def refs(self) -> set[str]:
        """Return the references that the alerts are about."""
        return {json.loads(self.run("show", alert["alert"], "--json"))["ref"] for alert in self.alerts()}


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> str:
    """Give the URL of an empty database, on either engine."""
    return "sqlite:///var/spillwatch.db" if request.param == "sqlite" else request.getfixturevalue("postgres_url")


@pytest.fixture
def installed(tmp_path: Path, database: str, mail_server: MailServer) -> Callable[..., Installation]:
    """Give a function that installs Spillwatch with these sites, real SMTP, and the invented people enrolled."""

    def install(sites: Mapping[str, Mapping], links: Mapping[str, list[str]] | None = None) -> Installation:
        made = Installation(tmp_path / "spillwatch", {PASSWORD: mail_server.password})
        made.run("init", "--into", str(made.folder))
        path = made.folder / "config.yaml"
        yaml = YAML()
        tree = yaml.load(path.read_text("utf-8"))
        tree["storage"]["url"] = database
        tree["evidence"]["screenshot"] = False  # tests/alerts has the browser; here each page would cost seconds
        tree["network"]["allow"] = [urlsplit(site["root"]).netloc for site in sites.values()]
        tree["network"]["allow"] += [host for hosts in (links or {}).values() for host in hosts]
        tree["network"]["link_hosts"] = dict(links or {})
        tree["sites"] = {name: {"every": "10m", "delay": "0s", **site} for name, site in sites.items()}
        tree["enrolment"] = {
            "ref": SCHEMA.ref,
            "columns": {name: {"kind": column.kind, "role": column.role} for name, column in SCHEMA.columns.items()},
        }
        tree["alerts"] = {
            "email": {
                "to": ["privacy@example.org", "security@example.org"],
                "sender": "spillwatch@example.org",
                "host": "localhost",
                "port": mail_server.port,
                "user": mail_server.user,
                "password": f"env:{PASSWORD}",
                "ca_file": str(mail_server.authority),
            }
        }
        with path.open("w", encoding="utf-8") as file:
            yaml.dump(tree, file)
        export = tmp_path / "export.csv"
        export.write_text(_csv(PEOPLE), "utf-8")
        made.run("enrol", str(export))
        export.unlink()
        return made

    return install


def _csv(people: Sequence[Person]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, ["record_number", *COLUMNS])
    writer.writeheader()
    writer.writerows(person.row for person in people)
    return text.getvalue()


def test_bepasty_leak_becomes_alert_mail_and_evidence(installed, bepasty: Bepasty, mail_server: MailServer):
    """A row pasted among ordinary pastes is found once; a second scan finds only what is new."""
    spillwatch = installed({"pastes": {"use": "bepasty", "root": bepasty.url}})
    posted = [
        bepasty.post_text("今天食堂的红烧肉不错，大家可以去试试。", "lunch.txt"),
        bepasty.post_text(f"{CHINESE.name} {CHINESE.resident_id} {CHINESE.phone}", "row.txt"),
    ]
    told = spillwatch.run("scan", "pastes")
    assert "1 new alerts" in told
    assert spillwatch.refs() == {CHINESE.ref}

    (alert,) = spillwatch.alerts()
    assert alert["verdict"] == "leak"
    folder = spillwatch.folder / "var/evidence" / alert["sightings"][0]["evidence"]
    assert "as it was captured" in spillwatch.run("evidence", "verify", str(folder))
    _opened(spillwatch, folder, CHINESE.resident_id)

    mails = [mail for mail in mail_server.received if alert["alert"] in mail.raw.decode("utf-8", "replace")]
    assert len(mails) == 1
    assert set(mails[0].recipients) == {"privacy@example.org", "security@example.org"}
    assert mails[0].encrypted
    _content_free(mails[0].message(), CHINESE)

    posted.append(bepasty.post_text(f"{OTHER.name}，{OTHER.resident_id}", "second.txt"))
    assert "1 new alerts" in spillwatch.run("scan", "pastes")
    assert spillwatch.refs() == {CHINESE.ref, OTHER.ref}
    assert "0 new alerts" in spillwatch.run("scan", "pastes")
    for address in posted:
        bepasty.delete(address)


def test_social_post_leads_to_the_unlisted_paste(installed, pds: PersonalDataServer, pinnwand: Pinnwand):
    """A post on the AT Protocol server that links to a pinnwand paste leads there; ordinary posts raise nothing."""
    paste = pinnwand.post_text(f"患者{OTHER.name}，身份证 {OTHER.resident_id}", "x.txt")
    account = pds.join(f"teller{os.getpid()}{len(pds.accounts())}")
    pds.post(account, "周末去爬山，天气真好。")
    pds.post(account, f"看这个 {paste}")
    host = urlsplit(pinnwand.url).netloc
    spillwatch = installed({"square": {"use": "atproto_pds", "root": pds.url}}, {"pinnwand": [host]})
    spillwatch.run("scan")
    assert OTHER.ref in spillwatch.refs()
    pds.post(account, f"{CHINESE.name}的病历：{CHINESE.note[:60]}")
    spillwatch.run("scan")
    assert {OTHER.ref, CHINESE.ref} <= spillwatch.refs()


def _opened(spillwatch: Installation, folder: Path, value: str) -> None:
    """The sealed content opens with the organisation's identity, and holds the page as it was fetched."""
    into = spillwatch.folder / "opened"
    identity = spillwatch.folder / "evidence-identity.txt"
    spillwatch.run("evidence", "open", str(folder), "--into", str(into), "--identity", str(identity))
    assert value.encode() in (into / "page.warc").read_bytes()


def _content_free(message, person: Person) -> None:
    """No value of the person, and nothing of the page, stands in any part or header."""
    texts = [str(value) for value in message.values()]
    texts += [part.get_content() for part in message.walk() if not part.is_multipart()]
    for text in texts:
        for value in person.values.values():
            assert value not in text
