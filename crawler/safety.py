"""The law of fetching: which addresses may be connected to, which URLs may be asked for, and Scrapy made safe.

Spiders, checks by hand, redirects, robots.txt, images and links obey the same law. Two layers hold it, each alone
enough: `UrlLaw` looks at what is written, the resolver (`crawler/resolver.py`) at what a name leads to.
"""

import os
import re
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any
from urllib.parse import urlsplit

from crawler.health import FetchFailed
from crawler.interface import NetworkSettings, SiteSettings
from model.page import Reason

MAX_REDIRECTS = 5
MAX_CODINGS = 2
"""Stacked content codings: sixty layers of deflate under every size limit still freeze a reactor."""
MAX_URL = 4096
PORTS = {"http": 80, "https": 443}

_REFUSED_NETWORKS = tuple(
    ip_network(text)
    for text in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "168.63.129.16/32", "169.254.0.0/16",
        "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24",
        "192.168.0.0/16", "192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/3",
    )
)  # fmt: skip
"""IANA special-purpose IPv4 registry, and the metadata addresses of clouds that lie in public space."""

_ALLOWED_6 = ip_network("2000::/3")
"""Global unicast; everything else in IPv6 is special."""
_REFUSED_6 = tuple(ip_network(text) for text in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"))
"""Inside global unicast, but special: Teredo and friends, documentation, 6to4 (embeds any IPv4 address)."""


def is_public(address: str) -> bool:
    """Tell whether an IP address is an ordinary public one.

    `ipaddress.is_global` is not enough: it passes NAT64, 6to4, multicast and two metadata addresses. IPv6 that embeds
    an IPv4 address is refused whatever it embeds.
    """
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(parsed, IPv4Address):
        return parsed.is_global and not any(parsed in network for network in _REFUSED_NETWORKS)
    return _is_public_6(parsed)


def _is_public_6(address: IPv6Address) -> bool:
    if address not in _ALLOWED_6 or any(address in network for network in _REFUSED_6):
        return False
    # ISATAP (RFC 5214) embeds IPv4 in the last 32 bits of any prefix.
    return (int(address) >> 32) & 0xFDFFFFFF != 0x00005EFE


class UrlLaw:
    """What a URL may look like. Built once from `network.allow`."""

    def __init__(self, allow: Iterable[str]) -> None:
        """Take `host:port` entries that may be fetched although private or on another port."""
        self.allowed = frozenset(_host_and_port(entry) for entry in allow)

    def permits(self, host: str, port: int) -> bool:
        """Tell whether exactly this host and port were allowed by the operator."""
        return (_plain(host), port) in self.allowed

    def check(self, url: str) -> None:
        """Raise FetchFailed if the URL must not be asked for."""
        if len(url) > MAX_URL or re.search(r"[\x00-\x20\x7f\\]", url):
            raise FetchFailed(Reason.FORBIDDEN_ADDRESS, "the URL holds characters that no URL may hold, or is too long")
        try:
            parts = urlsplit(url)
            host, port = parts.hostname or "", parts.port
        except ValueError:
            raise FetchFailed(Reason.MALFORMED, "the URL cannot be parsed") from None
        if parts.scheme not in PORTS:
            raise FetchFailed(Reason.FORBIDDEN_ADDRESS, "only http and https are fetched")
        if parts.username is not None or parts.password is not None:
            raise FetchFailed(Reason.FORBIDDEN_ADDRESS, "URLs with a user name are not fetched")
        port = PORTS[parts.scheme] if port is None else port
        if self.permits(host, port):
            return
        if port not in PORTS.values():
            raise FetchFailed(Reason.FORBIDDEN_ADDRESS, "only ports 80 and 443, or what network.allow names")
        if not _is_host(host):
            raise FetchFailed(Reason.FORBIDDEN_ADDRESS, "the host is neither a name nor a public address")


def _is_host(host: str) -> bool:
    """Tell whether a host is a public IP literal in plain spelling, or a name that cannot be read as a number."""
    if ":" in host:
        return is_public(host)
    name = _plain(host)
    if re.fullmatch(r"[0-9.]+", name):
        return is_public(name)
    labels = name.split(".")
    if len(labels) < 2 or not all(re.fullmatch(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?", label) for label in labels):
        return False
    # The last label of a public name is never numeric; 0x7f.1 and its like are numbers to a C library.
    return re.fullmatch(r"[0-9]+|0x[0-9a-f]*", labels[-1]) is None and labels[-1] not in {"onion", "local", "internal"}


def _plain(host: str) -> str:
    """Return a host as names are compared: lower case, internationalised labels in ASCII, no final dot."""
    host = host.strip("[]").rstrip(".")
    if not host.isascii():
        try:
            host = host.encode("idna").decode("ascii")
        except UnicodeError:
            return host.lower()
    return host.lower()


def _host_and_port(entry: str) -> tuple[str, int]:
    """Split `host:port` or `[address]:port`."""
    host, _, port = entry.rpartition(":")
    return _plain(host), int(port)


def user_agent(contact: str) -> str:
    """Return who we are, honestly, and whom a site can write to."""
    try:
        number = version("spillwatch")
    except PackageNotFoundError:
        number = "0"
    return f"Spillwatch/{number}" + (f" (+{contact})" if contact else "")


def forget_proxies() -> None:
    """Remove proxy variables of the environment: a proxied request would not pass our resolver."""
    for name in [
        name for name in os.environ if name.lower() in {"http_proxy", "https_proxy", "all_proxy", "ftp_proxy"}
    ]:
        del os.environ[name]


def scrapy_settings(network: NetworkSettings, site: SiteSettings, *, cookies: bool = False) -> dict[str, Any]:
    """Return every Scrapy setting that is not the default, in one place."""
    return {
        # Doors that Scrapy 2.19 opens by default.
        "TELNETCONSOLE_ENABLED": False,
        "REMOTE_CONTROL_ENABLED": False,
        "DOWNLOAD_HANDLERS": {"file": None, "ftp": None, "s3": None, "data": None},
        "HTTPPROXY_ENABLED": False,
        "TWISTED_DNS_RESOLVER": "crawler.resolver.PublicOnlyResolver",
        "DNSCACHE_ENABLED": False,
        "SPILLWATCH_ALLOW": list(network.allow),
        "SPILLWATCH_MAX_REQUESTS": network.max_pages,
        # Limits.
        "DOWNLOAD_VERIFY_CERTIFICATES": True,
        "DOWNLOAD_TIMEOUT": network.timeout,
        "DNS_TIMEOUT": network.timeout,
        "DOWNLOAD_MAXSIZE": network.max_bytes,
        "DOWNLOAD_WARNSIZE": 0,
        "DOWNLOAD_FAIL_ON_DATALOSS": True,
        "REDIRECT_MAX_TIMES": MAX_REDIRECTS,
        "METAREFRESH_ENABLED": False,
        "COOKIES_ENABLED": cookies,
        "REFERER_ENABLED": False,
        # Politeness.
        "USER_AGENT": user_agent(network.contact),
        # On for all; the fetcher says for which requests robots.txt does not bind.
        "ROBOTSTXT_OBEY": True,
        "SPILLWATCH_OBEY_ROBOTS": not site.robots.startswith("ignore"),
        "ROBOTSTXT_USER_AGENT": "Spillwatch",
        "CONCURRENT_REQUESTS": 8,
        "CONCURRENT_REQUESTS_PER_DOMAIN": 1,
        "DOWNLOAD_DELAY": site.delay,
        "RANDOMIZE_DOWNLOAD_DELAY": True,
        "AUTOTHROTTLE_ENABLED": site.delay > 0,
        "AUTOTHROTTLE_START_DELAY": site.delay,
        "RETRY_TIMES": 1,
        "RETRY_HTTP_CODES": [500, 502, 504, 522, 524],
        # Scrapy's own log quotes URLs and bodies.
        "LOG_ENABLED": False,
        "LOG_INSTALL_ROOT_HANDLER": False,
        "STATS_DUMP": False,
        "MEMUSAGE_ENABLED": False,
        "DOWNLOADER_MIDDLEWARES": {
            "crawler.middlewares.LawMiddleware": 10,
            "scrapy.downloadermiddlewares.robotstxt.RobotsTxtMiddleware": None,
            "crawler.middlewares.RobotsMiddleware": 100,
            "scrapy.downloadermiddlewares.httpcompression.HttpCompressionMiddleware": None,
            "crawler.middlewares.DecodingMiddleware": 590,
            "scrapy.downloadermiddlewares.redirect.RedirectMiddleware": None,
            "crawler.middlewares.RedirectMiddleware": 600,
            "crawler.middlewares.WireMiddleware": 990,
        },
    }
