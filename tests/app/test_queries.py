"""Promise 3: no site is ever asked about a patient. Requests carry the operator's words and nothing enrolled."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote_plus

import pytest

from app.init import init
from tests.people import CANARY, COLUMNS

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


def test_requests_carry_the_operators_words_only(tmp_path: Path, search: Search):
    """While a leak is found twice over, every request holds the hospital's name and no value of the patient."""
    made = init(tmp_path / "installation")
    address = f"127.0.0.1:{search.server_port}"
    folder = made.config.parent / "sites"
    folder.mkdir()
    (folder / "search.yaml").write_text(
        "about: a search site\nkind: json\noptions: {root: null, q: null}\n"
        'list: {url: "{root}/search?q={q}", items: "[]", id: id, text: text, link: url}\n',
        "utf-8",
    )
    text = made.config.read_text("utf-8").replace("sites: {}", "sites:")
    text = text.replace("allow: []", f'allow: ["{address}"]\n  descriptions: sites')
    text = text.replace("screenshot: true", "screenshot: false")
    text += f"  search: {{use: search, root: 'http://{address}', q: '{HOSPITAL}', every: 10m, delay: 0s}}\n"
    made.config.write_text(text, "utf-8")
    export = tmp_path / "export.csv"
    export.write_text(",".join(["record_number", *COLUMNS]) + "\n" + ",".join(CANARY.row.values()) + "\n", "utf-8")
    for words in (["enrol", str(export)], ["scan"], ["scan"]):
        _run(made.config, words)
    assert any(HOSPITAL in asked for asked in search.asked)
    for asked in search.asked:
        for value in CANARY.values.values():
            assert value.lower() not in asked.lower()
    assert '"subject": "record"' in _run(made.config, ["alerts", "--json"])


def _run(config: Path, words: list[str]) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "app.cli", *words, "--config", str(config)],
        cwd=Path(__file__).resolve().parents[2],
        env=os.environ,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout.decode() + done.stderr.decode()
    return done.stdout.decode()
