"""Names become addresses here, and only public ones leave: the layer that DNS rebinding cannot go around.

Twisted asks this resolver for every connection, IP literals included, and connects to the very addresses it gives,
so there is no gap between the check and the use.
"""

from collections.abc import Sequence
from typing import Any

from twisted.internet.interfaces import IHostnameResolver, IHostResolution, IResolutionReceiver
from zope.interface import implementer, provider  # type: ignore[import-untyped]

from crawler.safety import NOT_IN_DNS, UrlLaw, is_public, plain


@implementer(IHostnameResolver)
class PublicOnlyResolver:
    """Resolves as the system does, without a cache, and drops every address that is not public.

    `host:port` pairs of `network.allow` pass as they are.
    """

    def __init__(self, reactor: Any, law: UrlLaw) -> None:
        self.reactor = reactor
        self.law = law
        self.system: Any = reactor.nameResolver
        self.refused: set[str] = set()
        """Hosts that led only to addresses we do not connect to; tells a refusal from a name that does not exist."""

    @classmethod
    def from_crawler(cls, crawler: Any, reactor: Any) -> "PublicOnlyResolver":
        """Build the resolver from the settings of the process."""
        return cls(reactor, UrlLaw(crawler.settings.getlist("SPILLWATCH_ALLOW")))

    def install_on_reactor(self) -> None:
        """Put this resolver in front of every connection of the process."""
        self.reactor.installNameResolver(self)

    def resolveHostName(  # noqa: N802 - Twisted's name
        self,
        resolutionReceiver: IResolutionReceiver,  # noqa: N803 - Twisted's name
        hostName: str,  # noqa: N803 - Twisted's name
        portNumber: int = 0,  # noqa: N803 - Twisted's name
        addressTypes: Sequence[type] | None = None,  # noqa: N803 - Twisted's name
        transportSemantics: str = "TCP",  # noqa: N803 - Twisted's name
    ) -> Any:
        """Resolve a host and pass on only the addresses that may be connected to."""
        receiver = resolutionReceiver
        if plain(hostName).rpartition(".")[2] in NOT_IN_DNS and not self.law.permits(hostName, portNumber):
            return _nothing(receiver, hostName, self.refused)
        if not self.law.permits(hostName, portNumber):
            receiver = _only_public(resolutionReceiver, hostName, self.refused)
        return self.system.resolveHostName(receiver, hostName, portNumber, addressTypes, transportSemantics)


def _nothing(receiver: Any, host: str, refused: set[str]) -> Any:
    """Answer without asking anybody: names such as .onion are not the DNS's (RFC 7686, RFC 6762)."""

    @provider(IHostResolution)
    class Nothing:
        name = host

        @staticmethod
        def cancel() -> None:
            """There is nothing to cancel."""

    refused.add(host)
    receiver.resolutionBegan(Nothing)
    receiver.resolutionComplete()
    return Nothing


def _only_public(receiver: Any, host: str, refused: set[str]) -> Any:
    """Return a receiver that keeps what is not public from the one given."""
    found = {"public": False, "other": False}

    @provider(IResolutionReceiver)
    class OnlyPublic:
        @staticmethod
        def resolutionBegan(resolution: Any) -> None:  # noqa: N802 - Twisted's name
            receiver.resolutionBegan(resolution)

        @staticmethod
        def addressResolved(address: Any) -> None:  # noqa: N802 - Twisted's name
            public = is_public(getattr(address, "host", ""))
            found["public" if public else "other"] = True
            if public:
                receiver.addressResolved(address)

        @staticmethod
        def resolutionComplete() -> None:  # noqa: N802 - Twisted's name
            if found["other"] and not found["public"]:
                refused.add(host)
            receiver.resolutionComplete()

    return OnlyPublic
