"""Onion hosts are reached through the operator's Tor and nothing else is; only text comes that way."""

import gzip
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from crawler.health import FetchFailed
from crawler.safety import UrlLaw
from crawler.tor import is_onion, proxy_address
from model.errors import ConfigError
from model.page import Reason
from tests.crawler.crawls import ISOLATED, ask, can_isolate, check, connections, listener, network, site
from tests.crawler.loopback import Loopback, Reply
from tests.crawler.socks import Proxy
from tests.needs import require
from tests.servers.running import free_port

ONION = "a" * 55 + "d.onion"
OTHER = "b" * 55 + "d.onion"
HTML = {"Content-Type": "text/html; charset=utf-8"}
NAMES_ASKED = """
import socket
real = socket.getaddrinfo
def asked(host, *args, **kwargs):
    print("LOOKED UP", host)
    return real(host, *args, **kwargs)
socket.getaddrinfo = asked
"""
SHORT = "import crawler.middlewares; crawler.middlewares.TOR_TIMEOUT = 2.0\n"
LAW_OFF = "import crawler.safety; crawler.safety.UrlLaw.check = lambda self, url: None\n"
NO_FILES = ("-f", "none", "--ignore-missing-torrc", "--defaults-torrc", "none")


def looked_up(output):
    """Return the names that a child asked its resolver for."""
    return {line.removeprefix("LOOKED UP ") for line in output.splitlines() if line.startswith("LOOKED UP ")}


def leads(server, *hosts):
    """Return where the proxy leads: each host to the loopback server."""
    return dict.fromkeys(hosts, int(server.host.rpartition(":")[2]))


@pytest.mark.parametrize(
    ("host", "good"),
    [
        (ONION, True),
        ("www." + ONION, True),
        ("a.b-c.d_e." + ONION, True),
        ("a" * 16 + ".onion", False),
        ("a" * 57 + ".onion", False),
        ("a" * 55 + "1.onion", False),
        ("-." + ONION, False),
        ("." + ONION, False),
        ("a" * 64 + "." + ONION, False),
        (".".join(["a" * 60] * 4) + "." + ONION, False),
        (ONION + "\n", False),
        ("onion", False),
    ],
)
def test_what_an_onion_host_looks_like(host, good):
    """Version 3 addresses and names below them; the URL law refuses all of them without Tor."""
    assert is_onion(host) is good
    with pytest.raises(FetchFailed):
        UrlLaw([]).check(f"http://{host}/")


def test_the_proxy_is_given_by_address():
    """A name would have to be looked up; a wrong entry is an error of the configuration."""
    assert proxy_address("127.0.0.1:9050") == ("127.0.0.1", 9050)
    assert proxy_address("[::1]:9050") == ("::1", 9050)
    assert proxy_address("") is None
    for wrong in ("tor:9050", "127.0.0.1", "socks5://127.0.0.1:9050", "127.0.0.1:x"):
        with pytest.raises(ConfigError, match=r"network\.tor"):
            proxy_address(wrong)


@pytest.mark.parametrize("users", [True, False], ids=["with users", "without"])
def test_an_onion_page_comes_through_the_proxy(tmp_path, users):
    """By name, with a circuit of its own, robots first, without our contact; nothing is looked up."""
    with Loopback() as server, Proxy({}, users=users) as proxy:
        proxy.leads = leads(server, ONION, "www." + OTHER)
        server.routes["/page"] = Reply("text", headers={"Content-Type": "text/plain"})
        told = ask(
            f"[await fetcher.get('http://{ONION.upper()}/page'), await fetcher.get('http://{ONION}/page'),"
            f" await fetcher.get('http://www.{OTHER}/page')]",
            network(tor=proxy.address), tmp_path, prelude=NAMES_ASKED,
        )  # fmt: skip
        assert [answer.body for answer in told.result] == [b"text"] * 3
        assert [(w.kind, w.host, w.port) for w in proxy.wanted] == [(3, ONION, 80), (3, "www." + OTHER, 80)]
        assert [w.user for w in proxy.wanted] == ([ONION, "www." + OTHER] if users else ["", ""])
        assert [asked.path for asked in server.asked] == ["/robots.txt", "/page", "/page", "/robots.txt", "/page"]
        assert server.asked[0].headers["host"].lower() == ONION
        assert all("example.org" not in str(asked.headers) for asked in server.asked)
        assert all(e.peer is None for answer in told.result for e in answer.exchanges)
        assert looked_up(told.output) == set()


def test_nothing_of_an_onion_page_leads_to_the_clear_net_through_the_proxy(tmp_path):
    """No picture of it is fetched, near or far; a paste it links to is fetched directly, never through the proxy."""
    with Loopback() as server, Loopback() as clear, Proxy() as proxy:
        proxy.leads = leads(server, ONION)
        server.routes["/page"] = Reply(
            f'<img src="/near.png"><img src="{clear.root}/far.png"><a href="{clear.root}/list.csv">x</a>'
            f'<a href="{clear.root}/ABCD2345">paste</a>', headers=HTML,
        )  # fmt: skip
        clear.routes["/ABCD2345"] = Reply("<p>paste</p>", headers=HTML)
        rules = network(clear.host, tor=proxy.address, link_hosts={"pinnwand": (clear.host,)})
        outcome = check(f"http://{ONION}/page", rules, tmp_path, NAMES_ASKED + SHORT)
        assert outcome.result.page is not None
        assert outcome.result.failed == {Reason.UNSUPPORTED: 3}
        assert [w.host for w in proxy.wanted] == [ONION]
        assert clear.paths() == ["/ABCD2345"]
        assert server.paths() == ["/page"]
        assert len(outcome.result.linked) == 1
        assert looked_up(outcome.output) <= {"127.0.0.1"}


def test_no_redirect_leads_from_one_net_to_the_other(tmp_path):
    """A hidden service that sends us to the clear net would learn who asks; the way back is closed too."""
    with Loopback() as server, Proxy() as proxy, listener() as sock:
        port = sock.getsockname()[1]
        proxy.leads = leads(server, ONION, OTHER)
        server.routes["/out"] = Reply(status=302, headers={"Location": f"http://127.0.0.1:{port}/"})
        server.routes["/in"] = Reply(status=302, headers={"Location": f"http://{ONION}/page"})
        server.routes["/on"] = Reply(status=302, headers={"Location": f"http://{OTHER}/page"})
        server.routes["/page"] = Reply("x")
        told = ask(
            f"[await told(fetcher.get(u)) for u in ('http://{ONION}/out', '{server.root}/in', 'http://{ONION}/on')]",
            network(server.host, f"127.0.0.1:{port}", tor=proxy.address), tmp_path,
        )  # fmt: skip
        assert told.result == ["forbidden-address", "forbidden-address", 200]
        assert connections(sock) == 0
        assert server.paths().count("/page") == 1


@pytest.mark.parametrize("prelude", ["", LAW_OFF], ids=["both layers", "law off"])
def test_without_the_setting_an_onion_host_is_refused_and_never_looked_up(tmp_path, prelude):
    """First URL, redirect, picture: forbidden, and no resolver hears of it."""
    with Loopback() as server:
        server.routes["/away"] = Reply(status=302, headers={"Location": f"http://{ONION}/"})
        told = ask(
            f"[await told(fetcher.get(u, r)) for u, r in (('http://{ONION}/', 'item'), ('{server.root}/away', 'item'),"
            f" ('http://{ONION}/x.png', 'image'), ('http://short.onion/', 'item'))]",
            network(server.host), tmp_path, prelude=NAMES_ASKED + prelude,
        )  # fmt: skip
        assert {*told.result} <= {"forbidden-address", "type-not-supported"}, told.result
        assert told.result[0] == "forbidden-address"
        assert looked_up(told.output) <= {"127.0.0.1"}


def test_only_text_comes_over_tor(tmp_path):
    """Pictures, archives and attachments are refused by their header, before the body; false text by its bytes."""
    body = b"\x89PNG\r\n\x1a\n" + b"x" * 60_000_000
    with Loopback() as server, Proxy() as proxy:
        proxy.leads = leads(server, ONION)
        sent = []

        def counted(file):
            for start in range(0, len(body), 65536):
                file.write(body[start : start + 65536])
                sent.append(65536)

        server.routes |= {
            "/a.png": Reply(stream=counted, headers={"Content-Type": "image/png"}),
            "/b.zip": Reply(stream=counted, headers={"Content-Type": "application/zip"}),
            "/c": Reply(b"text", headers={"Content-Disposition": "attachment; filename=c.txt"}),
            "/d": Reply(b"\xff\xd8\xff\xe0JFIF", headers=HTML),
            "/e": Reply(gzip.compress(b"GIF89a" + b"x" * 100), headers=HTML | {"Content-Encoding": "gzip"}),
            "/f": Reply(b"abc\x00\x01", headers={"Content-Type": ""}),
            "/g": Reply('{"a": 1}', headers={"Content-Type": "application/activity+json"}),
            "/h": Reply(b"\xff\xfe" + "文".encode("utf-16-le"), headers=HTML),
            "/i": Reply("病历".encode("gb18030"), headers={"Content-Type": ""}),
            "/j": Reply("<rss/>", headers={"Content-Type": "application/rss+xml"}),
        }
        names = ["a.png", "b.zip", *"cdefghij"]
        told = ask(
            f"[await told(fetcher.get('http://{ONION}/' + n)) for n in {names}] + "
            f"[await told(fetcher.get('http://{ONION}/g', 'attachment'))]",
            network(tor=proxy.address), tmp_path,
        )  # fmt: skip
        unsupported = Reason.UNSUPPORTED.value
        assert told.result == [unsupported] * 6 + [200] * 4 + [unsupported]
        assert sum(sent) < 2 * 40_000_000
        assert server.paths().count("/g") == 1


def test_text_alone_can_be_asked_for_on_the_clear_net_too(tmp_path):
    """`text_only` is a flag of any request."""
    with Loopback() as server:
        server.routes["/a.png"] = Reply(b"\x89PNG", headers={"Content-Type": "image/png"})
        get = f"await told(fetcher.get('{server.root}/a.png', text_only=%s))"
        told = ask(f"[{get % True}, {get % False}]", network(server.host), tmp_path)
        assert told.result == [Reason.UNSUPPORTED.value, 200]


def test_a_site_may_be_read_through_tor_as_a_whole(tmp_path):
    """`via: tor`: also its clear host goes through the proxy, by name, and no connection is made past it."""
    with Loopback() as server, Proxy() as proxy, listener() as sock:
        port = sock.getsockname()[1]
        proxy.leads = leads(server, "leaks.example.org", "127.0.0.1")
        server.routes["/page"] = Reply("x")
        told = ask(
            f"[await told(fetcher.get(u)) for u in ('http://leaks.example.org/page', 'http://127.0.0.1:{port}/',"
            f" 'http://leaks.example.org/page')]",
            network(f"127.0.0.1:{port}", tor=proxy.address), tmp_path, site=site("", via="tor"), prelude=NAMES_ASKED,
        )  # fmt: skip
        assert told.result == [200, "forbidden-address", 200]
        assert [w.host for w in proxy.wanted] == ["leaks.example.org"]
        assert connections(sock) == 0
        assert looked_up(told.output) == set()


def test_via_tor_needs_a_proxy(tmp_path):
    """`via: tor` without `network.tor`, and any other word, is an error of the configuration."""
    for via in ("tor", "vpn"):
        with pytest.raises(AssertionError, match=r"sites\.here\.via"):
            ask("1", network(), tmp_path, site=site("", via=via))


@pytest.mark.parametrize("prelude", ["", LAW_OFF], ids=["both layers", "law off"])
def test_the_proxy_is_never_asked_for_a_private_address(tmp_path, prelude):
    """Even where everything goes over Tor, and with the URL law off, no spelling of loopback is sent to the proxy."""
    from tests.crawler.test_safety import SPELLINGS

    with Proxy() as proxy:
        urls = [f"http://{spelling}/" for spelling in SPELLINGS] + ["http://169.254.169.254/", "http://router/"]
        told = ask(
            f"[await told(fetcher.get(u)) for u in {urls}]",
            network(tor=proxy.address), tmp_path, site=site("", via="tor"), prelude=prelude,
        )  # fmt: skip
        assert proxy.connections == len(proxy.wanted)
        # One of the spellings has a backslash, which Scrapy writes as the path that browsers take it for.
        assert {wanted.host for wanted in proxy.wanted} <= {"example.org"}
        assert {*told.result} <= {"forbidden-address", "malformed", "network"}


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        *[({"code": code}, Reason.NETWORK) for code in (1, 2, 4, 6, 0xF0, 0xF7, 0x99)],
        ({"raw": b"\x05\xff"}, Reason.NETWORK),
        ({"raw": b"HTTP/1.1 400 Bad Request\r\n\r\n"}, Reason.NETWORK),
        ({"raw": b"\x05"}, Reason.NETWORK),
        ({"raw": b"hang"}, Reason.TIMEOUT),
    ],
)
def test_a_proxy_that_does_not_connect_is_told_soon(tmp_path, behaviour, reason):
    """Each refusal ends as a reason; one that says nothing ends with the time limit."""
    with Proxy(**behaviour) as proxy:
        told = ask(
            f"[asyncio.get_running_loop().time(), await told(fetcher.get('http://{ONION}/')),"
            " asyncio.get_running_loop().time()]",
            network(tor=proxy.address), tmp_path, prelude=SHORT,
        )  # fmt: skip
        start, found, end = told.result
        assert found == reason.value
        assert end - start < 4
        assert 1 <= proxy.connections <= 2


def test_https_begins_behind_the_proxy(tmp_path):
    """An https URL is asked for at port 443, and what goes through the tunnel is TLS from the first byte."""
    with socket.create_server(("127.0.0.1", 0)) as server, Proxy({ONION: server.getsockname()[1]}) as proxy:
        heard = []

        def hear():
            for _ in range(2):
                client, _ = server.accept()
                with client:
                    heard.append(client.recv(3))

        threading.Thread(target=hear, daemon=True).start()
        told = ask(f"await told(fetcher.get('https://{ONION}/', robots='ignore: ours'))", network(tor=proxy.address),
                   tmp_path, prelude=SHORT)  # fmt: skip
        assert told.result == Reason.NETWORK.value
        assert {wanted.port for wanted in proxy.wanted} == {443}
        assert heard[0][:2] == b"\x16\x03"


def test_pproxy_takes_us_there(tmp_path):
    """A proxy that nobody here wrote: it looks the name up itself, and leads to the server behind it."""
    program = shutil.which("pproxy", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    require(program, "pproxy is not installed")
    (tmp_path / "sitecustomize.py").write_text(
        "import socket\nreal = socket.getaddrinfo\n"
        "def mapped(host, *rest, **more):\n"
        "    return real('127.0.0.1' if str(host).endswith('.onion') else host, *rest, **more)\n"
        "socket.getaddrinfo = mapped\n",
        encoding="utf-8",
    )
    with Loopback() as server:
        port = free_port()
        server.routes["/page"] = Reply("text")
        process = subprocess.Popen(
            [str(program), "-l", f"socks5://127.0.0.1:{port}"],
            env=os.environ | {"PYTHONPATH": str(tmp_path)}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            assert wait_for(port)
            here = server.host.rpartition(":")[2]
            told = ask(
                f"await told(fetcher.get('http://{ONION}:{here}/page'))",
                network(f"{ONION}:{here}", tor=f"127.0.0.1:{port}"), tmp_path, prelude=NAMES_ASKED,
            )  # fmt: skip
        finally:
            process.terminate()
            process.wait(10)
        assert told.result == 200
        assert server.paths() == ["/page"]
        assert looked_up(told.output) == set()


def wait_for(port, seconds=10.0):
    """Tell whether somebody listens on a port of loopback before the time is up."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return True
    return False


def tor(folder: Path, *options: str) -> "subprocess.Popen[bytes]":
    """Start the real Tor in a folder of its own."""
    program = shutil.which("tor") or shutil.which("/usr/sbin/tor")
    require(program, "Tor is not installed (Debian: apt install tor)")
    folder.mkdir(mode=0o700)
    return subprocess.Popen(
        [str(program), *NO_FILES, "--DataDirectory", str(folder), *options],
        stdout=(folder / "log").open("wb"), stderr=subprocess.STDOUT,
    )  # fmt: skip


def test_the_real_tor_without_a_network_refuses_cleanly(tmp_path):
    """With DisableNetwork it opens no SOCKS port: the reason is the network, at once, and the scan goes on."""
    port = free_port()
    process = tor(tmp_path / "tor", "--DisableNetwork", "1", "--SocksPort", f"127.0.0.1:{port}")
    try:
        end = time.monotonic() + 20
        while b"DisableNetwork is set" not in (tmp_path / "tor" / "log").read_bytes() and time.monotonic() < end:
            time.sleep(0.1)
        assert process.poll() is None
        told = ask(
            f"[asyncio.get_running_loop().time(), await told(fetcher.get('http://{ONION}/')),"
            " asyncio.get_running_loop().time()]",
            network(tor=f"127.0.0.1:{port}"), tmp_path / "crawl",
        )  # fmt: skip
    finally:
        process.terminate()
        process.wait(10)
    start, found, ended = told.result
    assert found == Reason.NETWORK.value
    assert ended - start < 5


def test_the_real_tor_hears_the_name_and_says_that_it_cannot(tmp_path):
    """In a network of its own, where only loopback is: Tor reads our request, waits for the world, and gives up."""
    program = shutil.which("tor") or shutil.which("/usr/sbin/tor")
    require(program, "Tor is not installed (Debian: apt install tor)")
    require(can_isolate(), "no network namespace can be made here")
    port = free_port()
    prelude = f"""
import atexit, socket, subprocess, time
process = subprocess.Popen(
    [{program!r}, *{NO_FILES}, "--DataDirectory", {str(tmp_path / "tor")!r},
     "--SocksPort", "127.0.0.1:{port}", "--SocksTimeout", "3", "--SafeLogging", "0", "--Log", "info stdout"],
    stdout=open({str(tmp_path / "log")!r}, "wb"), stderr=subprocess.STDOUT)
atexit.register(process.wait)
atexit.register(process.terminate)
for _ in range(200):
    try:
        socket.create_connection(("127.0.0.1", {port}), 1).close()
        break
    except OSError:
        time.sleep(0.1)
"""
    (tmp_path / "tor").mkdir(mode=0o700)
    told = ask(
        f"await told(fetcher.get('http://{ONION}/'))", network(tor=f"127.0.0.1:{port}"), tmp_path / "crawl",
        prelude=prelude + SHORT.replace("2.0", "20.0"), within=ISOLATED,
    )  # fmt: skip
    heard = (tmp_path / "log").read_text(errors="replace")
    assert ONION in heard
    assert "gave up" in heard.lower() or "giving up" in heard.lower() or "socks" in heard.lower()
    assert told.result == Reason.NETWORK.value
