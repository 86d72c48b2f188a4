"""Promise 3: no site is ever asked about a patient. Requests carry the operator's words and nothing enrolled."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote_plus

import pytest

from tests.app.installation import export, install
from tests.people import CANARY

HOSPITAL = "鹿鸣医院 病历"


class Search(ThreadingHTTPServer):
    """A search site that keeps whatever it was asked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[str] = []


class _Handler(BaseHTTPRequestHandler):
    server: Search

    def do_GET(self):
        self.server.asked.append(f"{unquote_plus(self.path)}\n{self.headers}")
        body = b"User-agent: *\nDisallow:\n"
        if not self.path.startswith("/robots"):
            text = f"{CANARY.name} {CANARY.resident_id}"
            body = json.dumps([{"id": "1", "text": text, "url": "https://example.org/1"}]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format, *args):  # noqa: A002
        pass


@pytest.fixture
def search() -> Iterator[Search]:
    """Give the running search site."""
    server = Search()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def test_requests_carry_the_operators_words_only(private_path: Path, search: Search):
    """While a leak is found twice over, every request holds the hospital's name and no value of the patient."""
    spillwatch = install(private_path)
    folder = spillwatch.folder / "sites"
    folder.mkdir()
    (folder / "search.yaml").write_text(
        "about: a search site\nkind: json\noptions: {root: null, q: null}\n"
        'list: {url: "{root}/search?q={q}", items: "[]", id: id, text: text, link: url}\n',
        "utf-8",
    )
    address = f"127.0.0.1:{search.server_port}"
    spillwatch.change(
        network={"allow": [address], "descriptions": "sites"},
        evidence={"screenshot": False},
        sites={"search": {"use": "search", "root": f"http://{address}", "q": HOSPITAL, "every": "10m", "delay": "0s"}},
    )
    spillwatch.run("enrol", str(export([CANARY], private_path / "export.csv")), ok=[0])
    spillwatch.run("scan", ok=[0])
    spillwatch.run("scan", ok=[0])
    assert any(HOSPITAL in asked for asked in search.asked)
    for asked in search.asked:
        for value in CANARY.values.values():
            assert value.lower() not in asked.lower()
    assert len(spillwatch.alerts()) == 1
