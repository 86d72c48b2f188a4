"""The crawler beside plain Scrapy on the same loopback site: pages per second between the first and the last request.

`python -m benchmarks.crawl [--pages N]`. All read a JSON list and then each paste, one request at a time and without
delay, as the law of fetching has it; plain Scrapy writes its items as JSON lines. Starting and ending are left out, so
that a site of a million pages and a site of a thousand give the same figure. The site is a process of its own; with
examination, three processes share the cores, and the figure is what they give together.
"""

import argparse
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from app.init import init
from benchmarks.kernel import corpus

PLAIN = """
import json, sys
import scrapy
from scrapy.crawler import CrawlerProcess

class Pastes(scrapy.Spider):
    name = "pastes"
    start_urls = [sys.argv[1] + "/recent"]
    def parse(self, response):
        for entry in json.loads(response.body):
            yield scrapy.Request(entry["raw"], self.paste, cb_kwargs={"entry": entry})
    def paste(self, response, entry):
        yield {**entry, "body": response.text}

process = CrawlerProcess({
    "LOG_ENABLED": False, "TELNETCONSOLE_ENABLED": False, "REMOTE_CONTROL_ENABLED": False,
    "CONCURRENT_REQUESTS_PER_DOMAIN": int(sys.argv[3]), "DOWNLOAD_DELAY": 0, "ROBOTSTXT_OBEY": True,
    "FEEDS": {sys.argv[2]: {"format": "jsonlines"}},
})
process.crawl(Pastes)
process.start()
"""
DESCRIPTION = """
about: the pastes of the benchmark
kind: json
options: {root: null}
list: {url: "{root}/recent", items: "[]", id: id, title: title, link: raw}
raw: {url: "{root}/raw/{id}", type: text}
"""


class _Pastes(ThreadingHTTPServer):
    """A site that keeps when it was asked first and last."""

    def __init__(self, posts: list[str]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        root = f"http://127.0.0.1:{self.server_port}"
        pages = {f"/raw/p{number:06}": post.encode() for number, post in enumerate(posts)}
        listed = [{"id": path[5:], "title": "paste", "raw": root + path} for path in pages]
        self.pages = {**pages, "/recent": json.dumps(listed).encode(), "/robots.txt": b"User-agent: *\nDisallow:\n"}
        self.times: list[float] = []


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Pastes

    def do_GET(self) -> None:
        """Answer, or say how long the pastes took."""
        if self.path == "/times":
            body = json.dumps(self.server.times).encode()
            self.server.times = []
        else:
            body = self.server.pages[self.path]
            if self.path.startswith("/raw/"):
                self.server.times.append(time.perf_counter())
        self.send_response(200)
        self.send_header("Content-Type", "application/json" if self.path == "/recent" else "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
        """Say nothing."""


def serve(pages: int) -> None:
    """Be the site, and print the address."""
    _, posts = corpus(pages * 4000)
    server = _Pastes([posts[number % len(posts)] + f"\n{number}" for number in range(pages)])
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()


@contextmanager
def _site(pages: int) -> Iterator[str]:
    command = [sys.executable, "-m", "benchmarks.crawl", "--serve", str(pages)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def _rate(root: str, pages: int) -> float:
    """Return pages per second between the first and the last paste that the site was asked for."""
    with urlopen(root + "/times") as answer:  # noqa: S310 - our own site
        times = json.loads(answer.read())
    assert len(times) == pages, f"{len(times)} of {pages} pastes were asked for"
    return (pages - 1) / float(times[-1] - times[0])


def _installed(folder: Path, root: str) -> Path:
    made = init(folder)
    (folder / "sites").mkdir()
    (folder / "sites/pastes.yaml").write_text(DESCRIPTION, "utf-8")
    text = made.config.read_text("utf-8").replace("sites: {}", "sites:")
    allow = f'allow: ["{root.removeprefix("http://")}"]\n  descriptions: sites'
    text = text.replace("allow: []", allow).replace("max_pages: 2000", "max_pages: 1000000")
    made.config.write_text(text + f"  pastes: {{use: pastes, root: '{root}', every: 10m, delay: 0s}}\n", "utf-8")
    patients = Path(__file__).resolve().parents[1] / "app/demo/patients.csv"
    (folder / "patients.csv").write_bytes(patients.read_bytes())
    enrol = [sys.executable, "-m", "app.cli", "enrol", str(folder / "patients.csv"), "--config", str(made.config)]
    subprocess.run(enrol, check=True, capture_output=True)
    return made.config


def _scan(config: Path, due: str) -> None:
    script = "import sys; from app.scan import main; sys.argv = ['scan', *sys.argv[1:]]; main()"
    subprocess.run([sys.executable, "-c", script, str(config), "pastes", f"2026-01-01T00:00:0{due}+00:00"], check=True)


def measure(pages: int) -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as name, _site(pages) as root:
        folder = Path(name)
        os.chdir(folder)
        subprocess.run([sys.executable, "-c", PLAIN, root, "items.jsonl", "1"], check=True)
        plain = _rate(root, pages)
        print(f"| plain Scrapy, items as JSON lines | {plain:.0f} pages/s | 1.00 |", flush=True)
        config = _installed(folder / "stored", root)
        _scan(config, "1")
        stored = _rate(root, pages)
        print(f"| scan, pages stored sealed | {stored:.0f} pages/s | {stored / plain:.2f} |", flush=True)
        config = _installed(folder / "examined", root)
        examiner = subprocess.Popen([sys.executable, "-m", "app.examiner", str(config)])
        time.sleep(8)
        try:
            began = time.perf_counter()
            _scan(config, "2")
            fetched = _rate(root, pages)
            while not _drained(config, pages):
                time.sleep(0.2)
            whole = pages / (time.perf_counter() - began)
        finally:
            examiner.terminate()
            examiner.wait()
        print(f"| scan while an examiner works | {fetched:.0f} pages/s | {fetched / plain:.2f} |")
        print(f"| until the last page was examined | {whole:.0f} pages/s | {whole / plain:.2f} |")


def _drained(config: Path, pages: int) -> bool:
    """Tell whether every page was examined."""
    with sqlite3.connect(config.parent / "var/spillwatch.db") as database:
        ((done,),) = database.execute("SELECT count(*) FROM pages WHERE state = 'examined'").fetchall()
    return bool(done >= pages)


def main() -> None:
    """Measure, or be the site."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pages", type=int, default=1000)
    parser.add_argument("--serve", type=int, default=0, help=argparse.SUPPRESS)
    options = parser.parse_args()
    serve(options.serve) if options.serve else measure(options.pages)


if __name__ == "__main__":
    main()
