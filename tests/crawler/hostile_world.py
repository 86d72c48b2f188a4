"""A small internet in a network namespace: a name server that lies, a public web server, addresses nobody may reach.

Run by `in_hostile_world` before the process under test. Each TCP connection to an address of `FORBIDDEN` is a line in
the file `reached`, each request to the public server one in `asked`. The name server is the one that libc itself asks,
through /etc/resolv.conf.
"""

import selectors
import shlex
import socket
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote_to_bytes

PUBLIC = "93.184.215.14"
PUBLIC_6 = "2606:4700::1111"
FORBIDDEN = [
    "127.0.0.1", "127.0.0.2", "127.255.255.254", "10.0.0.5", "172.16.0.1", "192.168.1.1", "169.254.169.254",
    "100.64.0.1", "198.18.0.1", "192.0.0.192", "168.63.129.16", "::1", "fd00:ec2::254", "fec0::1", "64:ff9b::7f00:1",
    "2002:7f00:1::1",
]  # fmt: skip
PORTS = (80, 443, 22, 6379, 8080)
NAMES = {
    # name → the answers of one query after another; each answer is a list of addresses
    "rebind.example.org": [[PUBLIC], ["127.0.0.1"]],
    "late.example.org": [[PUBLIC], [PUBLIC], ["127.0.0.2"], ["169.254.169.254"]],
    "mixed.example.org": [["127.0.0.1", PUBLIC, "::1", PUBLIC_6], [PUBLIC, "10.0.0.5"]],
    "inner.example.org": [["10.0.0.5"]],
    "meta.example.org": [["169.254.169.254"]],
    "cgnat.example.org": [["100.64.0.1"]],
    "six.example.org": [["::ffff:127.0.0.1", "64:ff9b::7f00:1", "::1", "fd00:ec2::254", "fec0::1", "2002:7f00:1::1"]],
    "slow.example.org": [["127.0.0.1"]],
    "loop.example.org": [["127.0.0.1", "127.0.0.2", "127.255.255.254"]],
}
"""Names that lead, always or now and then, to where nothing may be fetched; every other name leads to the public."""
NEVER_PUBLIC = sorted(
    name for name, answers in NAMES.items() if not any(a in {PUBLIC, PUBLIC_6} for answer in answers for a in answer)
)


def in_hostile_world(folder: Path) -> tuple[str, ...]:
    """Return the command that is put before another to run it in this world; its records lie in the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "resolv.conf").write_text("nameserver 127.0.0.1\noptions timeout:8 attempts:1\n", encoding="utf-8")
    addresses = " && ".join(
        f"ip addr add {a}/{128 if ':' in a else 32} dev lo"
        for a in [PUBLIC, PUBLIC_6, *FORBIDDEN]
        if a not in {"127.0.0.1", "::1"}
    )
    script = (
        f"ip link set lo up && {addresses}"
        f" && mount --bind {shlex.quote(str(folder / 'resolv.conf'))} /etc/resolv.conf"
        f" && {{ {shlex.quote(sys.executable)} {shlex.quote(__file__)} {shlex.quote(str(folder))} & }}"
        f" && while ! test -e {shlex.quote(str(folder / 'ready'))}; do sleep 0.1; done"
        ' && exec "$@"'
    )
    return ("unshare", "-r", "-n", "-m", "-p", "-f", "--kill-child", "sh", "-c", script, "world")


class NameServer:
    """Answers A and AAAA questions over UDP, with a time to live of zero."""

    def __init__(self) -> None:
        self.turns: dict[str, int] = {}
        self.lock = threading.Lock()

    def serve(self) -> None:
        """Answer for ever."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind(("127.0.0.1", 53))
            while True:
                question, asker = sock.recvfrom(4096)
                threading.Thread(target=self._reply, args=(sock, question, asker), daemon=True).start()

    def _reply(self, sock: socket.socket, question: bytes, asker: tuple) -> None:
        labels, place = [], 12
        while length := question[place]:
            labels.append(question[place + 1 : place + 1 + length].decode("ascii", "replace").lower())
            place += length + 1
        kind = int.from_bytes(question[place + 1 : place + 3], "big")
        asked = question[12 : place + 5]
        name = ".".join(labels)
        if name == "never.example.org":
            return
        if name == "slow.example.org":
            time.sleep(0.5)
        family = {1: socket.AF_INET, 28: socket.AF_INET6}.get(kind)
        records = [socket.inet_pton(family, a) for a in self._addresses(name, kind) if (":" in a) == (kind == 28)]
        # A pointer to the name in the question, the type, class IN, a time to live of zero, and the address.
        answer = b"".join(
            b"\xc0\x0c" + kind.to_bytes(2, "big") + b"\0\1\0\0\0\0" + len(r).to_bytes(2, "big") + r for r in records
        )
        head = question[:2] + b"\x81\x80\0\1" + len(records).to_bytes(2, "big") + b"\0\0\0\0"
        sock.sendto(head + asked + answer, asker)

    def _addresses(self, name: str, kind: int) -> list[str]:
        if kind not in {1, 28}:
            return []
        answers = NAMES.get(name, [[PUBLIC, PUBLIC_6]])
        with self.lock:
            turn = self.turns.get(name, 0)
            self.turns[name] = turn + (kind == 1)
        return answers[turn % len(answers)]


class Handler(BaseHTTPRequestHandler):
    """The public server: `/to?LOCATION` redirects there, `/page?HTML` is that page; both percent-encoded, raw."""

    folder: Path

    def do_GET(self) -> None:
        """Answer one request."""
        with (self.folder / "asked").open("a", encoding="utf-8") as file:
            print(self.headers["Host"], self.path, "X-Injected" in self.headers, file=file)
        path, _, rest = self.path.partition("?")
        raw = unquote_to_bytes(rest)
        if path == "/robots.txt" and self.headers["Host"].startswith("robots-to-"):
            name = self.headers["Host"].removeprefix("robots-to-").removesuffix(".example.com")
            self._raw(b"302 Found", f"Location: http://{name}.example.org/robots.txt\r\n".encode())
        elif path == "/to":
            self._raw(b"302 Found", b"Location: " + raw + b"\r\n")
        elif path == "/page":
            self._raw(b"200 OK", b"Content-Type: text/html; charset=utf-8\r\n", raw)
        elif path == "/robots.txt":
            self._raw(b"404 Not Found", b"")
        else:
            self._raw(b"200 OK", b"Content-Type: text/plain\r\n", b"public")

    def _raw(self, status: bytes, headers: bytes, body: bytes = b"") -> None:
        length = b"Content-Length: " + str(len(body)).encode()
        self.wfile.write(b"HTTP/1.1 " + status + b"\r\n" + headers + length + b"\r\n\r\n" + body)

    def log_message(self, *args: object) -> None:
        """Stay silent."""


class SixServer(ThreadingHTTPServer):
    """The same over IPv6."""

    address_family = socket.AF_INET6


def watch(folder: Path) -> None:
    """Accept every connection to an address that nobody may reach, write it down, and close it."""
    waiting = selectors.DefaultSelector()
    for address in FORBIDDEN:
        for port in PORTS:
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            sock = socket.create_server((address, port), family=family)
            waiting.register(sock, selectors.EVENT_READ)
    (folder / "ready").touch()
    while True:
        for key, _ in waiting.select():
            client, _ = key.fileobj.accept()  # type: ignore[union-attr]
            with client, (folder / "reached").open("a", encoding="utf-8") as file:
                print(*client.getsockname()[:2], file=file)


def main() -> None:
    """Be the world."""
    folder = Path(sys.argv[1])
    Handler.folder = folder
    (folder / "reached").touch()
    (folder / "asked").touch()
    threading.Thread(target=NameServer().serve, daemon=True).start()
    for server in (ThreadingHTTPServer((PUBLIC, 80), Handler), SixServer((PUBLIC_6, 80), Handler)):
        threading.Thread(target=server.serve_forever, daemon=True).start()
    watch(folder)


if __name__ == "__main__":
    main()
