"""What Scrapy's exceptions mean, in the words of the house."""

from scrapy.exceptions import (
    CannotResolveHostError,
    DownloadCancelledError,
    DownloadConnectionRefusedError,
    DownloadFailedError,
    DownloadTimeoutError,
    NotSupported,
    ResponseDataLossError,
    UnsupportedURLSchemeError,
)
from twisted.internet.error import ConnectError, ConnectionClosed

from crawler.health import FetchFailed
from crawler.pace import Stopped
from crawler.tor import SocksRefused
from model.page import Reason


def failure_of(error: Exception) -> FetchFailed | None:
    """Return the failure that an exception of the downloader stands for; None if it is a fault of our own."""
    match error:
        case FetchFailed():
            return error
        case Stopped():
            return error.failure
        case DownloadTimeoutError():
            return FetchFailed(Reason.TIMEOUT)
        case CannotResolveHostError():
            return FetchFailed(_why_unresolved(str(error)))
        case DownloadCancelledError():
            return FetchFailed(Reason.TOO_BIG, "larger than network.max_bytes")
        case UnsupportedURLSchemeError() | NotSupported():
            return FetchFailed(Reason.FORBIDDEN_ADDRESS)
        case SocksRefused():
            return FetchFailed(Reason.NETWORK, str(error))
        case (
            DownloadConnectionRefusedError()
            | DownloadFailedError()
            | ResponseDataLossError()
            | ConnectError()
            | ConnectionClosed()
            | OSError()
        ):
            return FetchFailed(Reason.NETWORK, f"the connection failed ({type(error).__name__})")
        case ValueError() | TypeError():
            return FetchFailed(Reason.MALFORMED, f"Scrapy cannot use the address ({type(error).__name__})")
        case _:
            return None


def _why_unresolved(message: str) -> Reason:
    """Tell an address that we refuse from a name that does not exist; Twisted's message names the host."""
    from twisted.internet import reactor

    refused: set[str] = reactor.nameResolver.refused
    return Reason.FORBIDDEN_ADDRESS if any(host in message for host in refused) else Reason.NETWORK
