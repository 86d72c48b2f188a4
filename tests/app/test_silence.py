"""Promise 4: silence is never success. A site that refuses or falls silent raises an alert and a mail, once."""

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.app.installation import Installation, export, install
from tests.people import PEOPLE

pytestmark = pytest.mark.slow


class Site(ThreadingHTTPServer):
    """A list with one item, as long as it answers at all."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.refuses = False


class _Handler(BaseHTTPRequestHandler):
    server: Site

    def do_GET(self):
        body = json.dumps([{"id": "1", "text": "an ordinary post"}]).encode()
        refused = self.server.refuses and self.path != "/robots.txt"
        self.send_response(403 if refused else 404 if self.path == "/robots.txt" else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format, *args):  # noqa: A002
        pass


@pytest.fixture
def site() -> Iterator[Site]:
    """Give the running site."""
    server = Site()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def watching(folder: Path, site: Site, **more: object) -> Installation:
    """Install Spillwatch for that site."""
    made = install(folder)
    descriptions = made.folder / "sites"
    descriptions.mkdir()
    (descriptions / "posts.yaml").write_text(
        "about: posts\nkind: json\noptions: {root: null}\n"
        'list: {url: "{root}/posts", items: "[]", id: id, text: text}\n',
        "utf-8",
    )
    address = f"127.0.0.1:{site.server_port}"
    made.change(
        network={"allow": [address], "descriptions": "sites"},
        decoding={"ocr": False},
        sites={"posts": {"use": "posts", "root": f"http://{address}", "every": "10m", "delay": "0s", **more}},
    )
    made.run("enrol", str(export(PEOPLE, folder / "export.csv")), ok=[0])
    return made


def problems(made: Installation) -> list[tuple[str, ...]]:
    """Return the reason words of each alert about a site."""
    told = json.loads(made.run("alerts", "--json", ok=[0]).out)
    return [tuple(alert["kinds"]) for alert in told if alert["subject"] == "site"]


def mails(made: Installation) -> int:
    """Return how many messages went out."""
    return len(list((made.folder / "var/outgoing").glob("*.eml")))


def test_a_site_that_refuses_is_an_alert_once(private_path: Path, site: Site):
    """The first refusal is told by mail, the second adds nothing."""
    made = watching(private_path, site)
    made.run("scan", ok=[0])
    assert problems(made) == []
    site.refuses = True
    made.run("scan", ok=[1])
    assert ["blocked" in words for words in problems(made)] == [True]
    made.run("scan", ok=[1])
    assert len(problems(made)) == 1
    assert mails(made) == 1


def test_a_site_without_anything_new_is_an_alert(private_path: Path, site: Site):
    """Scans that succeed and find nothing new for longer than expected are told too."""
    made = watching(private_path, site, expect={"items": 1, "within": "1s"})
    made.run("scan", ok=[0])
    time.sleep(1.2)
    made.run("scan", ok=[0])
    assert problems(made) == [("silent",)]
    assert mails(made) == 1


def test_a_site_that_cannot_be_used_is_told_and_not_asked(tmp_path):
    """Terms that nobody accepted, a secret that is not there: no request, and the way to the reason."""
    made = install(tmp_path)
    made.change(
        sites={
            "weibo": {"use": "weibo_mobile_search", "q": "鹿鸣医院", "every": "1h"},
            "town": {"use": "mastodon", "root": "https://social.example", "token": "env:NOT_SET", "every": "1h"},
        }
    )
    ended = made.run("scan", ok=[1])
    assert ended.out.count("failing (misconfigured)") == 2
    assert "spillwatch doctor" in ended.err
    told = made.run("doctor", ok=[1]).out
    assert "terms: accepted" in told
    assert "NOT_SET" in (made.folder / "var/spillwatch.log").read_text("utf-8")
