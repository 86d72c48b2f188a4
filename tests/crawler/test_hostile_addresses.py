"""No forbidden address is ever connected to, counted by the sockets that listen there, in a network of its own.

The name server lies, the public web server redirects anywhere, and what nobody may reach listens on the usual ports.
Each layer is tried with the other switched off.
"""

from pathlib import Path
from urllib.parse import quote

import pytest

from tests.crawler.crawls import ask, can_isolate, check, network, site
from tests.crawler.hostile_world import FORBIDDEN, NAMES, NEVER_PUBLIC, PUBLIC, in_hostile_world
from tests.crawler.test_safety import SPELLINGS
from tests.needs import require

LAW_OFF = "import crawler.safety; crawler.safety.UrlLaw.check = lambda self, url: None\n"
RESOLVER_OFF = "import crawler.resolver; crawler.resolver.is_public = lambda address: True\n"
LAYERS = [pytest.param("", id="both layers"), pytest.param(LAW_OFF, id="resolver alone")]
pytestmark = pytest.mark.slow
OURS = site("", robots="ignore: no server here is asked for robots.txt")
LITERALS = [f"[{address}]" if ":" in address else address for address in FORBIDDEN]


@pytest.fixture(autouse=True)
def _namespaces():
    """Nothing here runs where no network namespace can be made."""
    require(can_isolate(), "no network namespace can be made here (unshare -r -n)")


def reached(folder: Path) -> list[str]:
    """Return the forbidden addresses that were connected to."""
    return (folder / "reached").read_text(encoding="utf-8").splitlines()


def asked(folder: Path) -> list[str]:
    """Return the requests that the public server got."""
    return (folder / "asked").read_text(encoding="utf-8").splitlines()


def many(urls, folder, prelude="", role="item", **changes):
    """Ask for every URL, one after another, in the hostile world; return what became of each."""
    rules = network(max_pages=10_000, max_pages_per_host=10_000, timeout=4.0, **changes)
    told = ask(
        f"[await told(fetcher.get(u, {role!r})) for u in {list(urls)!r}]",
        rules, folder, site=OURS, prelude=prelude, within=in_hostile_world(folder),
    )  # fmt: skip
    return told.result


def variations(host):
    """Return ways of writing a URL around a host: ports, paths, schemes, case, users, brackets, dots."""
    return [
        f"http://{host}/", f"https://{host}/", f"HTTP://{host}/x", f"http://{host}:80/", f"http://{host}:443/",
        f"http://{host}:/", f"http://{host}:22/", f"http://{host}:6379/", f"http://{host}:8080/", f"http://{host}:00080/",
        f"http://{host}?x", f"http://{host}#x", f"http://{host}./", f"http://{host}\\@example.org/",
        f"http://example.org@{host}/", f"http://example.org:80@{host}:80/", f"http://example.org%40{host}/",
        f"http://{host}%2e/", f"http:{host}/", f"http:/{host}/", f"http:///{host}/", f"//{host}/",
        f" http://{host}/", f"http://{host}\t/", f"http://{host}%0a/", f"ftp://{host}/", f"file://{host}/etc/passwd",
        f"gopher://{host}:6379/_INFO", f"data://{host}/,x", f"ws://{host}/",
    ]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("prelude", [*LAYERS, pytest.param(RESOLVER_OFF, id="law alone")])
def test_a_thousand_ways_to_write_a_forbidden_address(tmp_path, prelude):
    """Spellings of loopback and every forbidden literal in thirty kinds of URL: 0 connections by either layer alone."""
    urls = [url for host in [*SPELLINGS, *LITERALS] for url in variations(host)]
    result = many(urls, tmp_path, prelude)
    assert len(result) == len(urls) > 1_300
    assert reached(tmp_path) == []


def test_the_sockets_would_notice_and_the_controls_are_fetched(tmp_path):
    """With both layers off the same URLs do connect; and with both on, every public one is fetched."""
    folder = tmp_path / "off"
    many([f"http://{host}/" for host in [*SPELLINGS, *LITERALS]], folder, LAW_OFF + RESOLVER_OFF)
    assert len({line.split()[0] for line in reached(folder)}) >= len(FORBIDDEN) - 2
    names = [f"http://host{n}.example.com/{n}" for n in range(500)]
    literals = [f"http://{PUBLIC}/x", "http://[2606:4700::1111]/x", f"http://{PUBLIC}:80/", "http://例子.example/"]
    folder = tmp_path / "on"
    assert many([*names, *literals], folder) == [200] * 504
    assert reached(folder) == []


@pytest.mark.parametrize("prelude", LAYERS)
def test_what_a_name_leads_to_is_checked_at_every_connection(tmp_path, prelude):
    """Rebinding with a time to live of zero, mixed answers, embedded addresses: only public ones are connected to."""
    result = many([f"http://{name}/" for _ in range(8) for name in NAMES], tmp_path, prelude)
    assert reached(tmp_path) == []
    by_name = {name: set(result[n :: len(NAMES)]) for n, name in enumerate(NAMES)}
    assert all(by_name[name] == {"forbidden-address"} for name in NEVER_PUBLIC)
    assert by_name["mixed.example.org"] == {200}
    assert by_name["rebind.example.org"] >= {200}
    assert any(line.startswith("rebind.example.org") for line in asked(tmp_path))


def test_a_name_server_that_never_answers_costs_one_time_limit(tmp_path):
    """Looking a name up is part of the time for a response, and does not hold up other hosts."""
    told = ask(
        "[asyncio.get_running_loop().time(), await asyncio.gather(told(fetcher.get('http://never.example.org/')),"
        f" told(fetcher.get('http://{PUBLIC}/x'))), asyncio.get_running_loop().time()]",
        network(timeout=2.0), tmp_path, site=OURS, within=in_hostile_world(tmp_path),
    )  # fmt: skip
    start, result, end = told.result
    assert result == ["timeout", 200]
    assert end - start < 4


LOCATIONS = [
    "file:///etc/passwd", "ftp://127.0.0.1/", "data:text/plain,x", "javascript:1", "gopher://127.0.0.1:6379/_x",
    "//127.0.0.1/", "///127.0.0.1/", "/\\127.0.0.1/", "\\\\127.0.0.1\\x", "http:127.0.0.1", "http:/127.0.0.1/",
    "http:\\\\127.0.0.1\\", "http://127.0.0.1:22/", "http://127.0.0.1:6379/", "http://meta.example.org:8080/",
    "http://user:pass@127.0.0.1/", "http://93.184.215.14@127.0.0.1/", "http://93.184.215.14\\@127.0.0.1/",
    "http://93.184.215.14#@127.0.0.1/", "http://93.184.215.14?@127.0.0.1/", "http://127.0.0.1#@93.184.215.14/",
    "\thttp://127.0.0.1/", " http://127.0.0.1/ ", "http://127.0.0.1\t/", "ht\ttp://127.0.0.1/", "http://127.0.0\t.1/",
    "http://127.0.0.1\r", "http://93.184.215.14/\rX-Injected: 1", "http://93.184.215.14/%0d%0aX-Injected:%201",
    "http://93.184.215.14/\r\n X-Injected: 1", "http://127.0.0.1%2f@93.184.215.14/", "http://[::1]:80/", "http://[::1/",
    "http://[::ffff:169.254.169.254]/", "http://[fe80::1%25lo]/", "http://0/", "http://⑯⑨.②⑤④.169.254/",
    "http://169。254。169。254/", "http://[v1.x]/", "http://:80/", "http://", "?", "#", "http://127.0.0.1:99999/",
    "http://%31%32%37.0.0.1/", "http://127.0.0.1%00.example.org/", "http://meta.example.org./", "HTTP://META.EXAMPLE.ORG",
    "http://" + "a" * 300 + ".org/", "http://example.org/" + "x" * 9000,
]  # fmt: skip


@pytest.mark.parametrize("prelude", [*LAYERS, pytest.param(RESOLVER_OFF, id="law alone")])
def test_no_redirect_leads_to_a_forbidden_address(tmp_path, prelude):
    """Schemes, users, tabs, line ends, missing slashes, odd digits, bad names: 0 connections, no header smuggled."""
    targets = [*LOCATIONS, *(f"http://{spelling}/" for spelling in SPELLINGS)]
    if prelude != RESOLVER_OFF:
        targets += [f"http://{name}/" for name in NEVER_PUBLIC]
    else:
        targets = [target for target in targets if ".example.org" not in target.lower() and "localhost" not in target]
    result = many([f"http://{PUBLIC}/to?{quote(target.encode(), safe='')}" for target in targets], tmp_path, prelude)
    assert reached(tmp_path) == []
    assert len(result) == len(targets)
    assert not any(line.endswith("True") for line in asked(tmp_path))
    assert {"internal-error"}.isdisjoint(result)


@pytest.mark.parametrize("prelude", LAYERS)
def test_the_same_verdict_whatever_asks(tmp_path, prelude):
    """First URL, redirect, robots.txt, picture, linked paste, `check`: forbidden, by the same law, 0 connections."""
    rules = network(timeout=4.0, link_hosts={"pinnwand": tuple(NEVER_PUBLIC)})
    ways, page = [], ""
    for name in NEVER_PUBLIC:
        short = name.removesuffix(".example.org")
        page += f'<img src="http://{name}/a.png"><a href="http://{name}/a.pdf">x</a> http://{name}/ABCD2345 '
        ways += [
            f"fetcher.get('http://{name}/')",
            f"fetcher.get('http://{PUBLIC}/to?{quote(f'http://{name}/', safe='')}')",
            f"fetcher.get('http://robots-to-{short}.example.com/', robots='obey')",
            f"fetcher.get('http://{name}/a.png', 'attachment')",
            f"fetcher.get('http://{name}/', method='POST', body=b'x')",
        ]
    told = ask(
        f"[await told(get) for get in ({', '.join(ways)})]",
        rules, tmp_path / "a", site=OURS, prelude=prelude, within=in_hostile_world(tmp_path / "a"),
    )  # fmt: skip
    assert told.result == ["forbidden-address"] * 5 * len(NEVER_PUBLIC)
    world = in_hostile_world(tmp_path / "b")
    whole = check(f"http://{PUBLIC}/page?{quote(page, safe='')}", rules, tmp_path / "b", prelude, within=world)
    assert whole.result.page is not None
    counts = {reason.value: count for reason, count in whole.result.failed.items()}
    assert counts == {"forbidden-address": 3 * len(NEVER_PUBLIC)}
    world = in_hostile_world(tmp_path / "c")
    direct = check(f"http://{NEVER_PUBLIC[0]}/", rules, tmp_path / "c", prelude, within=world).result
    assert (direct.page, direct.reason.value) == (None, "forbidden-address")
    assert [reached(tmp_path / part) for part in "abc"] == [[], [], []]
