"""A small web server on loopback whose answers a test writes, and that remembers what it was asked."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self


@dataclass
class Reply:
    """One answer."""

    body: bytes | str = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    stream: Callable | None = None
    """Writes the body itself (endless, slow) when given; gets the socket's file."""


@dataclass
class Asked:
    """One request as it came in."""

    path: str
    headers: dict[str, str]
    at: float
    body: bytes


class Loopback:
    """Answers by path; `routes` maps a path (with query, or without) to a Reply or to a function of the request."""

    def __init__(self) -> None:
        self.routes: dict[str, Reply | Callable[[Asked], Reply]] = {}
        self.asked: list[Asked] = []
        self.parallel = 0
        self.most_parallel = 0
        self.lock = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                with outer.lock:
                    outer.parallel += 1
                    outer.most_parallel = max(outer.most_parallel, outer.parallel)
                try:
                    self.answer()
                finally:
                    with outer.lock:
                        outer.parallel -= 1

            do_POST = do_GET  # noqa: N815 - the library's name

            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                asked = Asked(self.path, {k.lower(): v for k, v in self.headers.items()}, time.monotonic(), body)
                outer.asked.append(asked)
                route = outer.routes.get(self.path) or outer.routes.get(self.path.partition("?")[0])
                reply = route(asked) if callable(route) else route or Reply(status=404)
                data = reply.body.encode() if isinstance(reply.body, str) else reply.body
                self.send_response(reply.status)
                headers = {"Content-Type": "text/plain; charset=utf-8"} | reply.headers
                if reply.stream is None:
                    headers |= {"Content-Length": str(len(data))}
                else:
                    headers |= {"Connection": "close"}
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                try:
                    if reply.stream is not None:
                        self.close_connection = True
                        reply.stream(self.wfile)
                    elif reply.status != 304:
                        self.wfile.write(data)
                except OSError:
                    self.close_connection = True

            def log_message(self, *args: object) -> None:
                """Stay silent."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.host = f"127.0.0.1:{self.server.server_address[1]}"
        self.root = f"http://{self.host}"

    def __enter__(self) -> Self:
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self.server.shutdown()
        self.server.server_close()

    def paths(self) -> list[str]:
        """Return the paths asked for, without robots.txt."""
        return [asked.path for asked in self.asked if asked.path != "/robots.txt"]
