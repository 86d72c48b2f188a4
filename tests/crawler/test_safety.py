"""The law of fetching, layer by layer: addresses, URLs, the resolver, and what really connects."""

import pytest
from twisted.internet.address import IPv4Address

from crawler.health import FetchFailed
from crawler.resolver import PublicOnlyResolver
from crawler.safety import UrlLaw, is_public
from tests.crawler.crawls import check, connections, listener, network, scan, site
from tests.crawler.loopback import Loopback, Reply

PUBLIC = ["93.184.215.14", "1.1.1.1", "8.8.8.8", "2606:4700:4700::1111", "2a00:1450:4001:81b::200e"]
NOT_PUBLIC = [
    "127.0.0.1", "127.255.255.254", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254",
    "100.64.0.1", "192.0.0.192", "168.63.129.16", "192.88.99.1", "224.0.0.1", "239.1.1.1", "240.0.0.1",
    "255.255.255.255", "198.18.0.1", "203.0.113.7", "::", "::1", "::ffff:127.0.0.1", "::ffff:8.8.8.8",
    "::127.0.0.1", "::ffff:0:127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::808:808", "64:ff9b:1::1", "2002:7f00:1::",
    "2002:808:808::", "2001::1", "2001:db8::1", "fc00::1", "fd00:ec2::254", "fe80::1", "fe80::1%eth0", "fec0::1",
    "ff02::1", "100::1", "3fff::1", "2606:4700::5efe:7f00:1", "", "localhost", "1", "0x7f.1",
]  # fmt: skip
SPELLINGS = [
    "127.0.0.1", "127.1", "127.0.1", "2130706433", "0x7f000001", "0x7f.0.0.1", "0177.0.0.1", "017700000001",
    "0", "0.0.0.0", "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]", "[0:0:0:0:0:0:0:1]",
    "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[::ffff:0:127.0.0.1]", "localhost", "LOCALHOST", "localhost.",
    "ip6-localhost", "①②⑦.⓪.⓪.①", "127。0。0。1", "127.0.0.1.", "user@127.0.0.1", "example.org@127.0.0.1",
    "127.0.0.1%00.example.org", "example.org\\@127.0.0.1", "127.0.0\t.1",
]  # fmt: skip


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_pass(address):
    """An ordinary public address may be connected to."""
    assert is_public(address)


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_other_addresses_do_not(address):
    """Private, special, embedding and unreadable addresses may not."""
    assert not is_public(address)


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/", "https://example.org:443/x?y=z", "http://例子.中国/a", "https://xn--fsqu00a.xn--fiqs8s/",
        "http://93.184.215.14/", "http://10.0.0.5:8080/list", "http://10.0.0.5:8080",
    ],
)  # fmt: skip
def test_the_url_law_permits_ordinary_urls(url):
    """Names and public addresses on 80 and 443 pass, and exactly what the operator allowed."""
    UrlLaw(["10.0.0.5:8080"]).check(url)


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd", "ftp://example.org/", "data:text/plain,x", "gopher://example.org/", "http:///x",
        "http://example.org:8080/", "http://example.org:22/", "http://10.0.0.5:8081/", "http://10.0.0.6:8080/",
        "http://10.0.0.5/", "http://user:pw@example.org/", "http://example.org\\@127.0.0.1/", "http://a b.org/",
        "http://example.org/" + "x" * 5000, "http://abc.onion/", "http://router.local/", "http://intranet/",
        "http://example.org:99999/",
    ],
)  # fmt: skip
def test_the_url_law_refuses_the_rest(url):
    """Other schemes, ports, hosts without a dot, user names and endless URLs are refused."""
    with pytest.raises(FetchFailed):
        UrlLaw(["10.0.0.5:8080"]).check(url)


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_the_url_law_refuses_every_spelling_of_loopback(spelling):
    """The first layer alone refuses 31 ways of writing loopback."""
    with pytest.raises(FetchFailed):
        UrlLaw([]).check(f"http://{spelling}/")


LAW_OFF = "import crawler.safety; crawler.safety.UrlLaw.check = lambda self, url: None\n"


def many(urls, tmp_path, prelude=""):
    """Fetch a list of URLs in one child, through a page that embeds them as pictures."""
    pictures = "".join(f'<img src="{url}">' for url in urls)
    with Loopback() as server:
        server.routes["/page"] = Reply(pictures, headers={"Content-Type": "text/html; charset=utf-8"})
        return check(server.root + "/page", network(server.host, max_pages=200), tmp_path, prelude)


@pytest.mark.parametrize("prelude", ["", LAW_OFF], ids=["both layers", "resolver alone"])
def test_no_spelling_of_loopback_is_connected_to(tmp_path, prelude):
    """Counted at a listening socket: no connection, with both layers and with the resolver alone."""
    with listener() as sock:
        port = sock.getsockname()[1]
        for start in (0, 16):
            urls = [f"http://{spelling}:{port}/" for spelling in SPELLINGS[start : start + 16]]
            outcome = many(urls, tmp_path / str(start), prelude)
            assert outcome.error == ""
            assert outcome.result.page is not None
            assert sum(outcome.result.failed.values()) > 5
        assert connections(sock) == 0


def test_the_listening_socket_would_notice(tmp_path):
    """The test above can fail: an allowed address is connected to."""
    with listener() as sock:
        host = f"127.0.0.1:{sock.getsockname()[1]}"
        check(f"http://{host}/", network(host, timeout=1.0), tmp_path)
        assert connections(sock) >= 1


def test_a_redirect_to_a_metadata_address_is_refused(tmp_path):
    """A redirect obeys the same law as a first request, and so does a redirect to another port."""
    with Loopback() as server, listener() as sock:
        server.routes["/a"] = Reply(status=302, headers={"Location": "http://169.254.169.254/latest/meta-data/"})
        server.routes["/b"] = Reply(status=302, headers={"Location": f"http://127.0.0.1:{sock.getsockname()[1]}/"})
        server.routes["/c"] = Reply(status=302, headers={"Location": "file:///etc/passwd"})
        for path in "abc":
            outcome = check(f"{server.root}/{path}", network(server.host), tmp_path / path)
            assert outcome.result.page is None
        assert connections(sock) == 0


REBINDING = """
import socket
real, turn = socket.getaddrinfo, [0]
def rebinding(host, port, *args, **kwargs):
    if host != "rebind.example.org":
        return real(host, port, *args, **kwargs)
    turn[0] += 1
    return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]
socket.getaddrinfo = rebinding
"""


def test_a_name_that_leads_to_loopback_is_not_connected_to(tmp_path):
    """What a name resolves to at the moment of connecting is what counts; the reason is told."""
    with listener() as sock:
        port = sock.getsockname()[1]
        # The port alone is permitted for another host: only the resolver stands between.
        prelude = REBINDING + LAW_OFF
        outcome = check(f"http://rebind.example.org:{port}/", network(timeout=2.0), tmp_path, prelude)
        assert outcome.result.reason is not None
        assert outcome.result.reason.value == "forbidden-address"
        assert connections(sock) == 0


class Listening:
    """Stands for the reactor and its own resolver, and for whoever waits for the answer."""

    def __init__(self):
        self.nameResolver = self
        self.asked, self.heard = [], []

    def resolveHostName(self, receiver, host, *others):  # noqa: N802 - Twisted's name
        """Give a public address and loopback for every name."""
        self.asked.append(host)
        receiver.resolutionBegan(None)
        for address in ("93.184.215.14", "127.0.0.1"):
            receiver.addressResolved(IPv4Address("TCP", address, 80))
        receiver.resolutionComplete()

    def resolutionBegan(self, resolution):  # noqa: N802 - Twisted's name
        """Hear that it began."""
        self.heard.append("began")

    def addressResolved(self, address):  # noqa: N802 - Twisted's name
        """Hear of an address."""
        self.heard.append(address.host)

    def resolutionComplete(self):  # noqa: N802 - Twisted's name
        """Hear that there is no more."""
        self.heard.append("complete")


@pytest.mark.parametrize(
    ("host", "asked", "heard"),
    [
        ("example.org", True, ["93.184.215.14"]),
        ("a" * 56 + ".onion", False, []),
        ("X.ONION.", False, []),
        ("printer.local", False, []),
        ("localhost", False, []),
        ("ours.internal", True, ["93.184.215.14", "127.0.0.1"]),
    ],
)
def test_the_resolver_asks_nobody_for_names_outside_the_dns(host, asked, heard):
    """What is not the DNS's to know does not leave the process, unless the operator listed it; answers are filtered."""
    other = Listening()
    PublicOnlyResolver(other, UrlLaw(["ours.internal:80"])).resolveHostName(other, host, 80)
    assert other.asked == ([host] if asked else [])
    assert other.heard == ["began", *heard, "complete"]


def test_allowing_a_host_does_not_allow_its_neighbour(tmp_path):
    """`host:port` permits exactly this host and port, not another name of the same address."""
    with Loopback() as server:
        server.routes["/x"] = Reply("x")
        other = server.root.replace("127.0.0.1", "localhost")
        assert check(other + "/x", network(server.host), tmp_path).result.page is None
        assert server.asked == []


def test_no_door_is_open_during_a_scan(tmp_path):
    """While a scan runs its process listens nowhere, and only http and https have a handler."""
    prelude = """
import crawler.scan
real = crawler.scan.Scan.run
async def looking(self, due_at):
    from psutil import Process, CONN_LISTEN
    doors = [c for c in Process().net_connections() if c.status == CONN_LISTEN]
    handlers = self.fetcher.crawler.engine.downloader.handlers
    served = [s for s in ("file", "ftp", "s3", "data", "ws", "gopher", "http", "https") if handlers._get_handler(s)]
    print("KINDS", sorted({type(handlers._get_handler(s)).__name__ for s in served}), sorted(handlers._schemes))
    print("DOORS", len(doors), "HANDLERS", served)
    return await real(self, due_at)
crawler.scan.Scan.run = looking
"""
    with Loopback() as server:
        server.routes["/apis/rest/items"] = Reply("{}", headers={"Content-Type": "application/json"})
        rules = network(server.host, tor="127.0.0.1:9050")
        outcome = scan(site("bepasty", options={"root": server.root}), rules, tmp_path, prelude=prelude)
    assert "DOORS 0 HANDLERS ['http', 'https']" in outcome.output
    assert "KINDS ['LawfulHandler'] ['http', 'https']" in outcome.output
