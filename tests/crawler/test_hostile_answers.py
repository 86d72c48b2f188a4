"""What a server sends to stop, drown or freeze a scan ends soon, with a reason, in little memory."""

import gzip
import json
import socket
import threading
import time
import zlib
from typing import Self

import brotli
import pytest
from backports import zstd

from model.page import Reason
from model.scan import SiteState
from tests.crawler.crawls import ask, network, scan, site
from tests.crawler.loopback import Loopback, Reply

ZEROS = b"\0" * 400_000_000
MEBIBYTES = 300
"""What the fetching process may take, whatever it is sent."""

MEASURED = """
import asyncio, re, time
gaps = [0.0]
async def beat():
    # Of this thread's own time: on a busy machine the clock on the wall says nothing about us.
    last = time.thread_time()
    while True:
        await asyncio.sleep(0.02)
        now = time.thread_time()
        gaps[0], last = max(gaps[0], now - last), now
def measured():
    # Not getrusage: its high water mark is the parent's at first, across exec.
    return int(re.search(r"VmHWM:\\s*(\\d+)", open("/proc/self/status").read())[1]) / 1024, gaps[0]
NAMES = {"beat": beat, "measured": measured}
"""


class Raw:
    """A server that answers each path with what a function writes to the bare socket."""

    def __init__(self, answers):
        self.answers = answers
        self.server = socket.create_server(("127.0.0.1", 0))
        self.host = f"127.0.0.1:{self.server.getsockname()[1]}"
        self.sent = 0

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self.server.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self.server.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client:
            try:
                head = b""
                while b"\r\n\r\n" not in head:
                    data = client.recv(65536)
                    if not data:
                        return
                    head += data
                path = head.split()[1].decode().strip("/")
                self.answers[path](lambda data: self._send(client, data))
            except OSError:
                return

    def _send(self, client: socket.socket, data: bytes) -> None:
        client.sendall(data)
        self.sent += len(data)


def endlessly(start, piece, pause=0.0):
    """Return an answer that begins so and goes on so, without end."""

    def answer(send):
        send(start)
        while True:
            send(piece)
            time.sleep(pause)

    return answer


def once(data):
    """Return an answer of these bytes, after which the server hangs up."""
    return lambda send: send(data)


OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
BOMB, TIME, BIG, NET = (reason.value for reason in (Reason.BOMB, Reason.TIMEOUT, Reason.TOO_BIG, Reason.NETWORK))
BAD, ADDRESS = Reason.MALFORMED.value, Reason.FORBIDDEN_ADDRESS.value

ANSWERS = {
    # name: (answer, what it may end as)
    "drip": (endlessly(OK + b"Content-Length: 9999\r\n\r\n", b"x", 0.1), {TIME}),
    "drip-chunked": (endlessly(CHUNKED, b"1\r\nx\r\n", 0.1), {TIME}),
    "drip-without-length": (endlessly(OK + b"\r\n", b"x", 0.1), {TIME}),
    "drip-headers": (endlessly(OK, b"X-A: b\r\n", 0.1), {TIME}),
    "drip-status": (endlessly(b"HTTP", b"/", 0.1), {TIME, NET}),
    "silence": (endlessly(b"", b"", 0.1), {TIME}),
    "endless-headers": (endlessly(OK, b"X-A: " + b"b" * 1000 + b"\r\n"), {BIG}),
    "endless-header": (endlessly(OK + b"X-A: ", b"b" * 65536), {NET}),
    "endless-folded-header": (endlessly(OK + b"X-A: b\r\n", b" " + b"c" * 1000 + b"\r\n"), {BIG}),
    "endless-interim": (endlessly(b"", b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" * 100), {BIG}),
    "endless-continue": (endlessly(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100), {BIG}),
    "endless-status": (endlessly(b"", b"HTTP/1.1"), {NET}),
    "endless-chunks": (endlessly(CHUNKED, b"10000\r\n" + b"x" * 65536 + b"\r\n"), {BIG}),
    "endless-tiny-chunks": (endlessly(CHUNKED, b"1\r\nx\r\n" * 1000), {BIG, TIME}),
    "endless-chunk-size": (endlessly(CHUNKED, b"0" * 65536), {NET}),
    "endless-chunk-extension": (endlessly(CHUNKED, b"1;" + b"e" * 900 + b"\r\nx\r\n"), {BIG, TIME}),
    "endless-trailer": (endlessly(CHUNKED + b"0\r\n", b"X-A: b\r\n" * 100), {NET}),
    "huge-length": (once(OK + b"Content-Length: 99999999999999\r\n\r\nx"), {BIG}),
    "absurd-length": (once(OK + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\nx"), {BIG, NET}),
    "negative-length": (once(OK + b"Content-Length: -1\r\n\r\nx"), {NET}),
    "two-lengths": (once(OK + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nxy"), {NET}),
    "short": (once(OK + b"Content-Length: 100\r\n\r\nx"), {NET}),
    "bad-chunk": (once(CHUNKED + b"zz\r\nx"), {NET}),
    "odd-coding": (once(OK + b"Transfer-Encoding: gzip\r\n\r\nx"), {NET}),
    "no-http": (once(b"SSH-2.0-OpenSSH_9\r\n"), {NET}),
    "old-http": (once(b"<html>0.9</html>"), {NET}),
    "nothing": (once(b""), {NET}),
    "switch": (once(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"), {NET, BAD}),
    "status-999": (once(b"HTTP/1.1 999 No\r\nContent-Length: 0\r\n\r\n"), {Reason.SERVER.value}),
    "status-0": (once(b"HTTP/1.1 0 No\r\nContent-Length: 0\r\n\r\n"), {NET, "0", BAD}),
    "status-text": (once(b"HTTP/1.1 abc No\r\n\r\n"), {NET}),
    "redirect-nowhere": (once(b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n"), {BAD}),
    "redirect-bytes": (once(b"HTTP/1.1 302 F\r\nLocation: http://\xff\xfe\0/\r\nContent-Length: 0\r\n\r\n"), {ADDRESS}),
}  # fmt: skip


@pytest.mark.slow
def test_whatever_is_on_the_wire_ends_in_time_and_with_a_reason(tmp_path):
    """Drips, floods, broken framing: each ends within the time limit, in little memory, and never as our own fault."""
    with Raw({name: answer for name, (answer, _) in ANSWERS.items()}) as server:
        told = ask(
            "[asyncio.ensure_future(beat()),"
            f" [(n, t := asyncio.get_running_loop().time(), await told(fetcher.get('http://{server.host}/' + n)),"
            f" asyncio.get_running_loop().time() - t) for n in {list(ANSWERS)}], measured()][1:]",
            network(server.host, timeout=1.5, max_bytes=20_000_000, max_scan_bytes=10**10), tmp_path,
            site=site("", robots="ignore: ours"), prelude=MEASURED,
        )  # fmt: skip
    results, (memory, gap) = told.result
    wrong = {n: r for n, _, r, _ in results if ANSWERS[n][1] is not None and str(r) not in ANSWERS[n][1]}
    assert wrong == {}
    assert {n: took for n, _, _, took in results if took > 4.5} == {}
    assert memory < MEBIBYTES
    assert gap < 1.0


def layers(count):
    """Return a body under so many layers of deflate."""
    body = b"hello" * 1000
    for _ in range(count):
        body = zlib.compress(body)
    return body


BOMBS = {
    "gzip": ("gzip", gzip.compress(ZEROS, 9), BOMB),
    "deflate": ("deflate", zlib.compress(ZEROS, 9), BOMB),
    "raw-deflate": ("deflate", zlib.compress(ZEROS, 9)[2:-4], BOMB),
    "br": ("br", brotli.compress(ZEROS, quality=5), BOMB),
    "zstd": ("zstd", zstd.compress(ZEROS), BOMB),
    "zstd-window": (
        "zstd",
        zstd.compress(ZEROS[:200_000_000], options={zstd.CompressionParameter.window_log: 30}),
        None,
    ),
    "gzip-members": ("gzip", gzip.compress(b"\0" * 1_000_000) * 400, BOMB),
    "gzip-twice": ("gzip, gzip", gzip.compress(gzip.compress(ZEROS)), BOMB),
    "br-gzip": ("br, gzip", gzip.compress(brotli.compress(ZEROS, quality=5)), BOMB),
    "sixty": (", ".join(["deflate"] * 60), layers(60), BOMB),
    "three": ("gzip, identity, deflate, br", b"x", BOMB),
    "broken-br": ("br", b"not brotli at all", BAD),
    "broken-zstd": ("zstd", b"not zstd at all", BAD),
    "broken-gzip": ("gzip", b"not gzip at all", BAD),
    "broken-deflate": ("deflate", b"not deflate at all", BAD),
    "unknown": ("rot13", b"x", Reason.UNSUPPORTED.value),
    "upper": ("GZIP", gzip.compress(b"fine"), 200),
    "two": ("deflate, gzip", gzip.compress(zlib.compress(b"fine")), 200),
    "zstd-fine": ("zstd", zstd.compress(b"fine"), 200),
}


@pytest.mark.slow
def test_no_coding_explodes(tmp_path):
    """Bombs of every coding, stacked, in many members, broken: a reason, less than 300 MiB, no second of standstill."""
    with Loopback() as server:
        for name, (coding, body, _) in BOMBS.items():
            server.routes[f"/{name}"] = Reply(body, headers={"Content-Encoding": coding})
        told = ask(
            "[asyncio.ensure_future(beat()),"
            f" [await told(fetcher.get('{server.root}/' + n)) for n in {list(BOMBS)}], measured()][1:]",
            network(server.host, timeout=10.0), tmp_path, site=site("", robots="ignore: ours"), prelude=MEASURED,
        )  # fmt: skip
    results, (memory, gap) = told.result
    expected = {name: result for name, (_, _, result) in BOMBS.items()}
    assert {n: r for n, r in zip(BOMBS, results, strict=True) if expected[n] not in {None, r}} == {}
    assert memory < MEBIBYTES
    assert gap < 1.0


def test_a_list_without_an_end_is_left(tmp_path):
    """Each page of the list leads to another with something new: the cap ends it, and is told."""
    with Loopback() as server:
        turn = [10**6]

        def page(asked):
            turn[0] += 1
            post = {
                "id": str(10**9 + turn[0]), "content": "<p>x</p>", "url": "https://social.example.org/1",
                "account": {"acct": "a"}, "created_at": "2026-11-20T10:00:00Z", "media_attachments": [],
            }  # fmt: skip
            link = f'<{server.root}/api/v1/timelines/public?max_id={turn[0]}>; rel="next"'
            return Reply(json.dumps([post]), headers={"Content-Type": "application/json", "Link": link})

        server.routes["/api/v1/timelines/public"] = page
        town = site("mastodon", options={"root": server.root})
        assert scan(town, network(server.host), tmp_path).result.fetched == 1
        report = scan(town, network(server.host, max_pages=30), tmp_path).result
        assert len(server.asked) <= 32
        assert report.failed[Reason.LIMIT] == 1
        assert (report.state, report.reason) in {(SiteState.WORKING, Reason.LIMIT), (SiteState.SLOW, Reason.LIMIT)}


def test_redirects_in_a_circle_or_without_end_are_left(tmp_path):
    """Five redirects are followed and no more, in a circle, to ever new places, and for robots.txt."""
    with Loopback() as server:
        server.routes["/circle"] = Reply(status=302, headers={"Location": "/circle"})
        for n in range(12):
            server.routes[f"/{n}"] = Reply(status=307, headers={"Location": f"/{n + 1}"})
        server.routes["/12"] = Reply("end")
        told = ask(
            f"[await told(fetcher.get('{server.root}/' + n)) for n in ('circle', '0', '7')]",
            network(server.host), tmp_path,
        )  # fmt: skip
        assert told.result == ["malformed", "malformed", 200]
        assert server.paths().count("/circle") == 6
        server.routes["/robots.txt"] = Reply(status=302, headers={"Location": "/robots.txt?"})
        told = ask(f"await told(fetcher.get('{server.root}/7'))", network(server.host), tmp_path / "b")
        assert told.result == "malformed"


def test_a_secret_and_an_exception_go_to_no_other_host(tmp_path):
    """A redirect to another host carries no secret header, no account, no cookie."""
    with Loopback() as server, Loopback() as other:
        far = other.root.replace("127.0.0.1", "localhost")
        server.routes["/go"] = Reply(status=302, headers={"Location": far + "/x"})
        other.routes["/x"] = Reply("x")
        told = ask(
            f"await told(fetcher.get('{server.root}/go', headers={{'X-Key': 'k', 'Authorization': 'a', 'Cookie': 'c=1',"
            " 'Accept': 'text/plain'}, secret_headers=('X-Key',)))",
            network(server.host, f"localhost:{other.host.split(':')[1]}"), tmp_path,
        )  # fmt: skip
        assert told.result == 200
        (last,) = [asked for asked in other.asked if asked.path == "/x"]
        assert not {"x-key", "authorization", "cookie", "referer"} & set(last.headers)
        assert last.headers["accept"] == "text/plain"
