"""The way to .onion hosts: a SOCKS5 client (RFC 1928, 1929) as a Twisted endpoint, and the law for what may go there.

Names are sent to the proxy and never looked up here. Only what `TorRoute.check` lets pass is sent at all: it is the
second layer behind `UrlLaw`, as the resolver is for the clear net.
"""

import re
from collections.abc import Callable
from ipaddress import ip_address
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP6ClientEndpoint, wrapClientTLS
from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import IProtocolFactory, IStreamClientEndpoint
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.iweb import IAgentEndpointFactory
from zope.interface import implementer  # type: ignore[import-untyped]

from crawler.health import FetchFailed
from model.errors import ConfigError
from model.page import Reason

TIMEOUT = 120.0
"""Seconds for one response over Tor, building a circuit included."""
CONNECT_SECONDS = 10.0
"""Seconds for the connection to the proxy itself, which is near."""

MAX_NAME = 253
FILES = frozenset({"attachment", "image"})
"""Roles of requests that never go over Tor: what hidden services offer as pictures may not be possessed."""

_ONION = re.compile(r"(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z2-7]{56}\.onion")
_REPLIES = {
    1: "general failure", 2: "not allowed", 3: "network unreachable", 4: "host unreachable", 5: "connection refused",
    6: "expired", 7: "command not supported", 8: "address type not supported", 0xF0: "onion service not found",
    0xF1: "onion service descriptor invalid", 0xF2: "introduction failed", 0xF3: "rendezvous failed",
    0xF4: "client authorisation missing", 0xF5: "client authorisation wrong", 0xF6: "onion address invalid",
    0xF7: "introduction timed out",
}  # fmt: skip
"""RFC 1928 §6, and Tor's own codes (proposal 304)."""


class SocksRefused(Exception):
    """The proxy did not make the connection."""


def is_onion(host: str) -> bool:
    """Tell whether a host, as `safety.plain` returns it, is a version 3 onion address, or a name below one."""
    return len(host) <= MAX_NAME and _ONION.fullmatch(host) is not None


def proxy_address(text: str) -> tuple[str, int] | None:
    """Return the address and port of `network.tor`, None if there is none; raises ConfigError.

    Only an IP address will do: a name would have to be looked up, and lead to a private address past the resolver.
    """
    if not text:
        return None
    host, _, port = text.rpartition(":")
    try:
        return str(ip_address(host.strip("[]"))), int(port)
    except ValueError:
        raise ConfigError("network.tor must be the address of a SOCKS5 proxy, such as 127.0.0.1:9050") from None


class TorRoute:
    """Which hosts go over Tor, and which of them may."""

    def __init__(self, proxy: tuple[str, int] | None, *, everything: bool, is_host: Callable[[str], bool]) -> None:
        """Take the proxy, whether also the clear net is reached through it, and what a host may look like."""
        self.proxy = proxy
        self.everything = everything
        self.is_host = is_host

    def carries(self, host: str) -> bool:
        """Tell whether requests to this host go over Tor, permitted or not."""
        return self.everything or host.endswith(".onion") or host == "onion"

    def check(self, host: str) -> None:
        """Raise FetchFailed unless this host may be asked for over Tor."""
        if self.proxy is None:
            raise FetchFailed(Reason.FORBIDDEN_ADDRESS, "onion hosts are only reached through network.tor")
        if not (is_onion(host) or (self.everything and "onion" not in host.split(".")[-1:] and self.is_host(host))):
            raise FetchFailed(Reason.FORBIDDEN_ADDRESS, "not a host that is asked for over Tor")


@implementer(IAgentEndpointFactory)
class TorEndpoints:
    """Gives Twisted's HTTP client its endpoints: always the proxy, whatever the URL."""

    def __init__(self, reactor: Any, route: TorRoute, https: Any) -> None:
        self.reactor = reactor
        self.route = route
        self.https = https

    def endpointForURI(self, uri: Any) -> Any:  # noqa: N802 - Twisted's name
        """Return the endpoint that reaches the host of a URI through the proxy."""
        host = uri.host.decode("ascii").lower()
        self.route.check(host)
        assert self.route.proxy is not None
        endpoint: Any = Socks5Endpoint(self.reactor, self.route.proxy, host, uri.port)
        if uri.scheme == b"https":
            return wrapClientTLS(self.https.creatorForNetloc(uri.host, uri.port), endpoint)
        return endpoint


@implementer(IStreamClientEndpoint)
class Socks5Endpoint:
    """Connects to a host by name through a SOCKS5 proxy."""

    def __init__(self, reactor: Any, proxy: tuple[str, int], host: str, port: int) -> None:
        self.reactor = reactor
        self.proxy = proxy
        self.host = host
        self.port = port

    def connect(self, factory: Any) -> Deferred[Any]:
        """Return a Deferred of the protocol that the factory built, connected to the host."""
        connected: Deferred[Any] = Deferred(lambda _: handshake.give_up())
        handshake = _Handshake(self.host, self.port, factory, connected)
        kind = TCP6ClientEndpoint if ":" in self.proxy[0] else TCP4ClientEndpoint
        once: Any = _Once(handshake)
        reaching = kind(self.reactor, *self.proxy, timeout=CONNECT_SECONDS).connect(once)
        handshake.reaching = reaching
        reaching.addErrback(handshake.failed)
        return connected


@implementer(IProtocolFactory)
class _Once(Factory):
    """A factory of one protocol that exists already."""

    noisy = False

    def __init__(self, protocol: Protocol) -> None:
        self.protocol_made = protocol

    def buildProtocol(self, addr: Any) -> Protocol:  # noqa: N802 - Twisted's name
        return self.protocol_made


class _Handshake(Protocol):
    """Speaks SOCKS5 until the proxy has connected, then hands the transport to the protocol it was for.

    The name of the host is also the user name: Tor then uses a circuit for each host (`IsolateSOCKSAuth`), so that two
    sites cannot see that the same client asks. A proxy that knows no users chooses to do without.
    """

    transport: Any

    def __init__(self, host: str, port: int, factory: Any, outcome: Deferred[Any]) -> None:
        self.host = host.encode("ascii")
        self.port = port
        self.factory = factory
        self.outcome = outcome
        self.reaching: Deferred[Any] | None = None
        self.inner: Any = None
        self.buffer = b""
        self.expect: Callable[[], bool] = self._method

    def connectionMade(self) -> None:  # noqa: N802 - Twisted's name
        """Offer both ways: without a user, and with one."""
        self.transport.write(b"\x05\x02\x00\x02")

    def dataReceived(self, data: bytes) -> None:  # noqa: N802 - Twisted's name
        """Read an answer of the proxy, or pass bytes on once it is connected."""
        if self.inner is not None:
            self.inner.dataReceived(data)
            return
        self.buffer += data
        while self.expect():
            pass

    def connectionLost(self, reason: Failure = connectionDone) -> None:  # noqa: N802 - Twisted's name
        """Tell whoever waits, or whoever was connected."""
        if self.inner is not None:
            self.inner.connectionLost(reason)
        else:
            self.failed(Failure(ConnectionLost("the proxy hung up")))  # type: ignore[no-untyped-call]

    def failed(self, reason: Failure) -> None:
        """Tell that there will be no connection."""
        if not self.outcome.called:
            self.outcome.errback(reason)

    def give_up(self) -> None:
        """Let go of the proxy, whatever it is doing."""
        if self.transport is not None:
            self.transport.abortConnection()
        elif self.reaching is not None:
            self.reaching.cancel()

    def _method(self) -> bool:
        """Read which way the proxy chose."""
        if len(self.buffer) < 2:
            return False
        version, method = self.buffer[0], self.buffer[1]
        self.buffer = self.buffer[2:]
        if version != 5 or method not in {0, 2}:
            return self._refuse("speaks no SOCKS5 that we know")
        if method == 2:
            user = self.host[-255:]
            self.transport.write(b"\x01" + bytes([len(user)]) + user + b"\x01-")
            self.expect = self._admitted
        else:
            self._ask()
        return True

    def _admitted(self) -> bool:
        """Read whether the user is welcome (RFC 1929)."""
        if len(self.buffer) < 2:
            return False
        status, self.buffer = self.buffer[1], self.buffer[2:]
        if status != 0:
            return self._refuse("refuses its user")
        self._ask()
        return True

    def _ask(self) -> None:
        """Ask for the host by name."""
        self.transport.write(b"\x05\x01\x00\x03" + bytes([len(self.host)]) + self.host + self.port.to_bytes(2, "big"))
        self.expect = self._answer

    def _answer(self) -> bool:
        """Read whether the proxy has connected."""
        if len(self.buffer) < 5:
            return False
        sizes = {1: 4, 3: 1 + self.buffer[4], 4: 16}
        if self.buffer[0] != 5 or self.buffer[1] != 0 or self.buffer[3] not in sizes:
            return self._refuse(_REPLIES.get(self.buffer[1], "answers what is not SOCKS5"))
        length = 4 + sizes[self.buffer[3]] + 2
        if len(self.buffer) < length:
            return False
        self.buffer = self.buffer[length:]
        if self.outcome.called:
            self.transport.abortConnection()
            return False
        self.inner = self.factory.buildProtocol(self.transport.getPeer())
        self.inner.makeConnection(self.transport)
        self.outcome.callback(self.inner)
        if self.buffer:
            rest, self.buffer = self.buffer, b""
            self.inner.dataReceived(rest)
        return False

    def _refuse(self, why: str) -> bool:
        self.failed(Failure(SocksRefused(f"the proxy of network.tor: {why}")))  # type: ignore[no-untyped-call]
        self.transport.abortConnection()
        return False
