"""A SOCKS5 proxy on loopback that a test tells how to behave, and that remembers what it was asked for."""

import contextlib
import socket
import threading
from dataclasses import dataclass
from typing import Self


@dataclass
class Wanted:
    """One request as the proxy read it."""

    user: str
    kind: int
    """Address type: 1 and 4 are addresses, 3 is a name."""
    host: str
    port: int


class Proxy:
    """Connects every name of `leads` to a port of loopback; refuses the others with `code`."""

    def __init__(self, leads: dict[str, int] | None = None, *, users: bool = True, code: int = 4, raw: bytes = b""):
        self.leads = leads or {}
        self.users = users
        self.code = code
        self.raw = raw
        """Sent instead of any SOCKS5, if given; `hang` sends nothing."""
        self.wanted: list[Wanted] = []
        self.connections = 0
        self.server = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self.server.getsockname()[1]}"

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
            self.connections += 1
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, client.makefile("rb") as read:
            try:
                self._speak(client, read)
            except OSError:
                return

    def _speak(self, client: socket.socket, read) -> None:
        if self.raw == b"hang":
            read.read(1 << 20)
            return
        methods = read.read(read.read(2)[1])
        if self.raw:
            client.sendall(self.raw)
            return
        user = ""
        if self.users and 2 in methods:
            client.sendall(b"\x05\x02")
            user = read.read(read.read(2)[1]).decode()
            read.read(read.read(1)[0])
            client.sendall(b"\x01\x00")
        else:
            client.sendall(b"\x05\x00")
        kind = read.read(4)[3]
        host = read.read(read.read(1)[0]).decode() if kind == 3 else read.read(4 if kind == 1 else 16).hex()
        port = int.from_bytes(read.read(2), "big")
        self.wanted.append(Wanted(user, kind, host, port))
        if host not in self.leads:
            client.sendall(bytes([5, self.code, 0, 1, 0, 0, 0, 0, 0, 0]))
            return
        with socket.create_connection(("127.0.0.1", self.leads[host])) as server:
            # Byte by byte, and with a name as bound address: an answer may come in pieces and be of any kind.
            for byte in b"\x05\x00\x00\x03\x04here\x00\x50":
                client.sendall(bytes([byte]))
            back = threading.Thread(target=pump, args=(server, client), daemon=True)
            back.start()
            pump(client, server, read)
            back.join(10)


def pump(source: socket.socket, target: socket.socket, read=None) -> None:
    """Copy until either end closes, and tell the other."""
    with contextlib.suppress(OSError):
        while data := (read.read1(65536) if read else source.recv(65536)):
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)
