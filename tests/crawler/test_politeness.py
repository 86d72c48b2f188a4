"""What a site feels of a scan: how often it is asked, how many at once, and whether its wishes are kept."""

import json
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import pairwise

import pytest

from crawler.rates import NO_RESET, is_limit, retry_after, wait
from model.page import Reason
from model.scan import SiteState
from tests.crawler.crawls import ask, network, scan, site
from tests.crawler.loopback import Loopback, Reply

NOW = datetime(2026, 11, 20, 12, 0, 0, tzinfo=UTC)
EPOCH = int(NOW.timestamp())
JSON = {"Content-Type": "application/json"}

WISHES = [
    # status, headers, seconds
    (429, {"Retry-After": "30"}, 30),
    (503, {"Retry-After": "1.5"}, 1.5),
    (429, {"Retry-After": format_datetime(NOW + timedelta(seconds=90), usegmt=True)}, 90),
    (429, {"Retry-After": format_datetime(NOW - timedelta(days=1), usegmt=True)}, 0),
    (200, {"Retry-After": "30"}, 0),
    (200, {"X-RateLimit-Limit": "300", "X-RateLimit-Remaining": "299", "X-RateLimit-Reset": str(EPOCH + 60)}, 0),
    (200, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(EPOCH + 40)}, 40),  # GitHub
    (403, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(EPOCH + 40), "x-ratelimit-used": "60"}, 40),
    (200, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "2026-11-20T12:05:00.000000Z"}, 300),  # Mastodon
    (200, {"x-ratelimit-remaining": "0.0", "x-ratelimit-reset": "277", "x-ratelimit-used": "100"}, 277),  # Reddit
    (200, {"x-ratelimit-remaining": "3.0", "x-ratelimit-reset": "277"}, 0),
    (200, {"x-rate-limit-remaining": "0", "x-rate-limit-reset": str(EPOCH + 900)}, 900),  # X
    (429, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(EPOCH), "X-RateLimit-Reset-After": "2.5"}, 2.5),
    (200, {"RateLimit-Limit": "3000", "RateLimit-Remaining": "0", "RateLimit-Reset": str(EPOCH + 5)}, 5),  # Bluesky
    (200, {"RateLimit-Remaining": "0", "RateLimit-Reset": "12"}, 12),
    (200, {"RateLimit": "limit=100, remaining=0, reset=50"}, 50),
    (200, {"RateLimit": "limit=100, remaining=50, reset=50"}, 0),
    (200, {"RateLimit": '"default";r=0;t=30'}, 30),
    (200, {"RateLimit": '"burst";r=0;t=3, "daily";r=7;t=4000'}, 3),
    (200, {"RateLimit": '"burst";r=10;t=3'}, 0),
    (200, {"X-RateLimit-Remaining": "0"}, NO_RESET),
    (200, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(EPOCH * 1000 + 7000)}, 7),
    (200, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(EPOCH - 7)}, 0),
    (200, {"X-RateLimit-Remaining": "nan", "X-RateLimit-Reset": "inf"}, 0),
    (429, {"Retry-After": "9" * 11}, 7 * 86_400),
    (429, {"Retry-After": "soon"}, 0),
    (429, {}, 0),
]


@pytest.mark.parametrize(("status", "headers", "seconds"), WISHES)
def test_each_way_of_asking_for_rest_is_read(status, headers, seconds):
    """The headers of the platforms, as their documentation shows them."""
    assert wait(status, tuple(headers.items()), NOW) == pytest.approx(seconds, abs=0.01)


def test_a_refusal_that_is_a_rate_limit_is_told_from_a_block():
    """GitHub answers 403 for its primary limit (nothing remains) and its secondary one (Retry-After)."""
    assert is_limit(403, (("X-RateLimit-Remaining", "0"), ("X-RateLimit-Reset", str(int(time.time()) + 100))))
    assert is_limit(403, (("Retry-After", "60"),))
    assert is_limit(429, ())
    assert not is_limit(403, (("X-RateLimit-Remaining", "41"),))
    assert not is_limit(404, (("Retry-After", "60"),))
    assert retry_after("") == 0


def pastes(server, *names):
    """Serve a bepasty list of these names and a text for each."""
    listed = {name: {"uri": "", "file-meta": {"filename": f"{name}.txt"}} for name in names}
    server.routes["/apis/rest/items"] = Reply(json.dumps(listed), headers=JSON)
    for name in names:
        server.routes[f"/{name}/+download"] = Reply(f"text of {name}")


def bepasty(server, **changes):
    """Return the site."""
    return site("bepasty", options={"root": server.root}, **changes)


def gaps(server):
    """Return the seconds between requests, in order."""
    return [later.at - earlier.at for earlier, later in pairwise(server.asked)]


def test_parallel_requests_to_one_host_go_one_by_one(tmp_path):
    """Twelve requests at once: one connection works at a time, and half the delay at least lies between any two."""
    with Loopback() as server:
        for n in range(12):
            server.routes[f"/{n}"] = lambda _: time.sleep(0.05) or Reply("x")
        told = ask(
            f"await asyncio.gather(*[fetcher.get('{server.root}/' + str(n)) for n in range(12)])",
            network(server.host),
            tmp_path,
            site=site("", delay=0.2),
        )
        assert told.error == ""
        assert server.most_parallel == 1
        assert min(gaps(server)) > 0.09
        assert sum(gaps(server)) / len(gaps(server)) > 0.15


def test_a_redirected_request_queues_under_its_new_host(tmp_path):
    """Requests that a redirect leads to one host go one by one too, with the delay between them."""
    with Loopback() as server, Loopback() as other:
        far = other.root.replace("127.0.0.1", "localhost")
        for n in range(4):
            server.routes[f"/{n}"] = Reply(status=302, headers={"Location": f"{far}/{n}"})
            other.routes[f"/{n}"] = lambda _: time.sleep(0.1) or Reply("x")
        told = ask(
            f"await asyncio.gather(*[fetcher.get(u) for n in range(4)"
            f" for u in ('{server.root}/' + str(n), '{far}/' + str(n))])",
            network(server.host, f"localhost:{other.host.split(':')[1]}"),
            tmp_path,
            site=site("", delay=0.2),
        )
        assert told.error == ""
        assert len(other.paths()) == 8
        assert other.most_parallel == 1
        assert min(gaps(other)) > 0.09


def test_a_linked_host_has_a_delay_of_its_own(tmp_path):
    """`delay` keeps requests to that host apart, robots.txt included, and no other host."""
    with Loopback() as server, Loopback() as linked:
        far = linked.root.replace("127.0.0.1", "localhost")
        for n in range(3):
            server.routes[f"/{n}"] = linked.routes[f"/{n}"] = Reply("x")
        told = ask(
            f"[(await fetcher.get('{server.root}/%d' % n), await fetcher.get('{far}/%d' % n, delay=0.5))"
            " for n in range(3)]",
            network(server.host, f"localhost:{linked.host.split(':')[1]}"),
            tmp_path,
        )
        assert told.error == ""
        assert min(gaps(linked)) >= 0.5
        assert len(set(map(round, (1000 * gap for gap in gaps(linked))))) > 1


def test_a_used_up_quota_is_waited_for_by_everybody(tmp_path):
    """Nothing remains: neither this list nor a parallel one asks before the reset."""
    with Loopback() as server:
        for n in range(4):
            server.routes[f"/{n}"] = Reply("x")
        server.routes["/0"] = lambda _: Reply(
            "x", headers={"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(time.time() + 1.5)}
        )
        told = ask(
            f"await asyncio.gather(*[fetcher.get('{server.root}/%d' % n) for n in range(4)])",
            network(server.host), tmp_path,
        )  # fmt: skip
        assert told.error == ""
        assert server.paths() == ["/0", "/1", "/2", "/3"]
        assert gaps(server)[1] > 1.0
        assert max(gaps(server)[2:]) < 1.0


def test_a_long_reset_ends_the_scan_and_is_told(tmp_path):
    """403 with nothing left is a rate limit, not a block; the pause is the server's, and nothing more is asked."""
    with Loopback() as server:
        reset = str(int(time.time()) + 1800)
        server.routes["/apis/rest/items"] = Reply(
            status=403, headers={"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": reset}
        )
        report = scan(bepasty(server), network(server.host), tmp_path)
        assert (report.result.state, report.result.reason) == (SiteState.BLOCKED, Reason.RATE_LIMITED)
        assert server.paths() == ["/apis/rest/items"]
        until = datetime.fromisoformat(json.loads(report.sink.cursors["paused-until"])["until"])
        assert 1700 < (until - datetime.now(UTC)).total_seconds() <= 1800


def test_backoff_in_the_content_is_kept(tmp_path):
    """`Fetcher.pause` holds the host's next request, and is told to whoever keeps it for the next scan."""
    with Loopback() as server:
        server.routes["/a"] = server.routes["/b"] = Reply("{}", headers=JSON)
        told = ask(
            f"[await fetcher.get('{server.root}/a'), fetcher.pause('{server.host}', 1.2),"
            f" await fetcher.get('{server.root}/b'), fetcher.pause('{server.root}/x', 500)] and fetcher.pauses()",
            network(server.host), tmp_path,
        )  # fmt: skip
        assert gaps(server)[-1] >= 1.2
        assert told.result["127.0.0.1"] == pytest.approx(500, abs=5)


@pytest.mark.parametrize(
    ("robots", "asked", "reason"),
    [
        (Reply(status=404), True, None),
        (Reply(status=401), True, None),
        (Reply(status=403), True, None),
        (Reply("<html>not robots</html>"), True, None),
        (Reply("User-agent: *\nDisallow: /other\n"), True, None),
        (Reply("User-agent: *\nDisallow: /page\n"), False, Reason.ROBOTS),
        (Reply("User-agent: Spillwatch\nDisallow: /\n\nUser-agent: *\nAllow: /"), False, Reason.ROBOTS),
        (Reply(status=500), False, Reason.SERVER),
        (Reply(status=503), False, Reason.SERVER),
        (Reply(status=429, headers={"Retry-After": "100"}), False, Reason.RATE_LIMITED),
        (Reply(stream=lambda file: time.sleep(3)), False, Reason.TIMEOUT),
        (Reply("#" * 1_100_000), False, Reason.TOO_BIG),
        (Reply(status=302, headers={"Location": "http://169.254.169.254/robots.txt"}), False, Reason.FORBIDDEN_ADDRESS),
        (Reply(b"not brotli at all", headers={"Content-Encoding": "br"}), False, Reason.MALFORMED),
    ],
)
def test_robots_txt_decides_also_when_it_cannot_be_had(tmp_path, robots, asked, reason):
    """4xx permits; a rule, an error, silence, a forbidden redirect and a flood forbid (RFC 9309 §2.3.1)."""
    with Loopback() as server:
        server.routes["/robots.txt"] = robots
        server.routes["/page"] = Reply("x")
        told = ask(
            f"[await told(fetcher.get('{server.root}/page')) for _ in range(3)]",
            network(server.host, timeout=1.0), tmp_path,
        )  # fmt: skip
        assert [reason.value] * 3 == told.result if reason else told.result == [200] * 3
        assert server.paths() == (["/page"] * 3 if asked else [])
        fetched = [request.path for request in server.asked].count("/robots.txt")
        assert fetched == (2 if robots.status == 500 else 1)
        if reason and reason is not Reason.RATE_LIMITED:
            assert ("robots_forbid" if reason is Reason.ROBOTS else "robots_unreachable") in told.output


def test_a_dead_host_forbids_and_is_not_called_robots(tmp_path):
    """Nobody listens: the reason is the network, and the log says that robots.txt could not be had."""
    with Loopback() as server:
        host = server.host
    told = ask(f"await told(fetcher.get('http://{host}/page'))", network(host), tmp_path)
    assert told.result == "network"
    assert "robots_unreachable" in told.output


def test_crawl_delay_is_honoured(tmp_path):
    """A short one lies between any two requests; one longer than a scan waits lets one page through and is told."""
    with Loopback() as server:
        server.routes["/robots.txt"] = Reply("User-agent: *\nCrawl-delay: 0.6\n")
        server.routes["/page"] = Reply("x")
        three = f"[await told(fetcher.get('{server.root}/page')) for _ in range(3)]"
        assert ask(three, network(server.host), tmp_path / "a").result == [200] * 3
        assert min(gaps(server)) >= 0.6
        server.routes["/robots.txt"] = Reply("User-agent: *\nCrawl-delay: 600\n")
        server.asked.clear()
        assert ask(three, network(server.host), tmp_path / "b").result == [200, "rate-limited", "rate-limited"]
        assert server.paths() == ["/page"]


def test_robots_may_be_decided_for_one_host_and_no_further(tmp_path):
    """An exception is logged once per host with its reason, and a redirect to another host ends it."""
    with Loopback() as server, Loopback() as other:
        far = other.root.replace("127.0.0.1", "localhost")
        server.routes["/robots.txt"] = other.routes["/robots.txt"] = Reply("User-agent: *\nDisallow: /\n")
        server.routes["/page"] = Reply("x")
        server.routes["/away"] = Reply(status=302, headers={"Location": far + "/page"})
        other.routes["/page"] = Reply("x")
        get = f"await told(fetcher.get('{server.root}/%s', robots=%r))"
        why = "ignore: its API is for this"
        told = ask(
            "[" + ", ".join([get % ("page", why), get % ("page", why), get % ("away", why), get % ("page", "")]) + "]",
            network(server.host, f"localhost:{other.host.split(':')[1]}"), tmp_path,
        )  # fmt: skip
        assert told.result == [200, 200, "robots", "robots"]
        assert other.paths() == []
        assert told.output.count("robots_ignored") == 1
        with pytest.raises(AssertionError, match="robots must be"):
            ask(get % ("page", "no"), network(server.host), tmp_path / "b")


def test_obeying_can_be_asked_for_where_the_site_ignores(tmp_path):
    """The site's exception is the site's: a request to another host can be told to obey."""
    with Loopback() as server:
        server.routes["/robots.txt"] = Reply("User-agent: *\nDisallow: /\n")
        server.routes["/page"] = Reply("x")
        get = f"await told(fetcher.get('{server.root}/page', robots=%r))"
        told = ask(
            f"[{get % ''}, {get % 'obey'}]", network(server.host), tmp_path, site=site("", robots="ignore: our own")
        )
        assert told.result == [200, "robots"]


@pytest.mark.parametrize(
    ("caps", "fetched"),
    [
        ({"max_pages": 4}, 3),
        ({"max_pages_per_host": 3}, 2),
        ({"max_scan_bytes": 2_500}, 3),
        ({"max_scan_time": 0.0}, 0),
    ],
)
def test_every_cap_is_told_and_nothing_is_repeated(tmp_path, caps, fetched):
    """Beyond a cap a scan asks for nothing, says LIMIT, and stays able to go on."""
    with Loopback() as server:
        server.routes["/robots.txt"] = Reply(status=404)
        for n in range(8):
            server.routes[f"/{n}"] = Reply("x" * 1000)
        told = ask(
            f"[await told(fetcher.get('{server.root}/%d' % n)) for n in range(8)]",
            network(server.host, **caps),
            tmp_path,
        )
        kept = [answer for answer in told.result if answer == 200]
        assert told.result[len(kept) :] == ["cap-reached"] * (8 - len(kept))
        assert len(kept) in {fetched, fetched - 1}
        assert len(server.paths()) in {fetched, fetched + 1}
        assert len(server.paths()) == len(set(server.paths()))


def test_a_scan_goes_on_where_a_cap_ended_it(tmp_path):
    """Each scan is short of bytes; together they bring every paste, and none twice."""
    with Loopback() as server:
        names = [f"aaaaaaa{n}" for n in range(6)]
        pastes(server, *names)
        for name in names:
            server.routes[f"/{name}/+download"] = Reply(name * 200)
        rules = network(server.host, max_scan_bytes=4_000)
        reports = [scan(bepasty(server), rules, tmp_path) for _ in range(5)]
        assert reports[0].result.failed[Reason.LIMIT] > 0
        assert len(reports[-1].sink.kept) == 6
        kept = [path for path in server.paths() if "download" in path]
        assert len([path for path in kept if kept.count(path) > 1]) <= 2 * 4  # cut off in the middle, asked again


def test_revalidation_costs_no_body(tmp_path):
    """Ten scans of a list that does not change: one full answer, nine 304."""
    with Loopback() as server:
        pastes(server, "aaaaaaaa")
        whole = server.routes["/apis/rest/items"]
        whole.headers |= {"ETag": '"v1"', "Last-Modified": "Fri, 20 Nov 2026 10:00:00 GMT"}
        server.routes["/apis/rest/items"] = lambda asked: (
            Reply(status=304) if asked.headers.get("if-none-match") == '"v1"' else whole
        )
        for _ in range(4):
            scan(bepasty(server), network(server.host), tmp_path)
        lists = [asked for asked in server.asked if asked.path == "/apis/rest/items"]
        assert [("if-none-match" in asked.headers) for asked in lists] == [False, True, True, True]
        assert all(asked.headers["if-modified-since"] for asked in lists[1:])
        assert server.paths().count("/aaaaaaaa/+download") == 1


def test_forms_and_cookies(tmp_path):
    """A form is posted as forms are; cookies are kept for those who ask, sent to their host alone, and not written."""
    with Loopback() as server, Loopback() as other:
        far = other.root.replace("127.0.0.1", "localhost")
        server.routes["/login"] = Reply("ok", headers={"Set-Cookie": "session=SECRETWORDS; Path=/"})
        server.routes["/page"] = other.routes["/page"] = Reply("x")
        other.routes["/wide"] = Reply("x", headers={"Set-Cookie": "wide=1; Domain=com; Path=/"})
        told = ask(
            f"[await fetcher.get('{server.root}/login', form={{'q': '病历 a&b'}}, cookies=True),"
            f" await fetcher.get('{server.root}/page', cookies=True), await fetcher.get('{server.root}/page'),"
            f" await fetcher.get('{far}/wide', cookies=True), await fetcher.get('{far}/page', cookies=True)]",
            network(server.host, f"localhost:{other.host.split(':')[1]}"), tmp_path, prelude=NAMES_ASKED,
        )  # fmt: skip
        login, page, plain_page = [asked for asked in server.asked if asked.path != "/robots.txt"]
        assert login.body == b"q=%E7%97%85%E5%8E%86+a%26b"
        assert login.headers["content-type"] == "application/x-www-form-urlencoded"
        assert page.headers["cookie"] == "session=SECRETWORDS"
        assert "cookie" not in plain_page.headers
        assert all("cookie" not in asked.headers for asked in other.asked)
        evidence = repr([(e.request_headers, e.response_headers) for a in told.result for e in a.exchanges])
        assert "Set-Cookie" in evidence
        assert "SECRETWORDS" not in evidence
        assert "NAME localhost" in told.output
        assert "publicsuffix" not in told.output


NAMES_ASKED = """
import socket
real = socket.getaddrinfo
def asked(host, *args, **kwargs):
    print("NAME", host)
    return real(host, *args, **kwargs)
socket.getaddrinfo = asked
"""


def test_a_request_keeps_no_cookie_by_itself(tmp_path):
    """A site that sets a cookie sees it no more, over a whole scan."""
    with Loopback() as server:
        pastes(server, "aaaaaaaa", "bbbbbbbb")
        server.routes["/apis/rest/items"].headers |= {"Set-Cookie": "track=1; Path=/"}
        assert scan(bepasty(server), network(server.host), tmp_path).result.fetched == 2
        assert all("cookie" not in asked.headers for asked in server.asked)
