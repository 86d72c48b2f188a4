"""What a scan keeps, remembers and says, against a real server on loopback."""

import gzip
import json
import time
import zlib
from itertools import pairwise

import pytest

from model.page import Reason
from model.scan import SiteState
from tests.crawler.crawls import check, network, scan, site
from tests.crawler.loopback import Loopback, Reply

JSON = {"Content-Type": "application/json"}
HTML = {"Content-Type": "text/html; charset=utf-8"}


def pastes(server, *names, **headers):
    """Serve a bepasty list of these names and a text for each."""
    body = json.dumps({name: {"uri": "", "file-meta": {"filename": f"{name}.txt"}} for name in names})
    server.routes["/apis/rest/items"] = Reply(body, headers=JSON | headers)
    for name in names:
        server.routes[f"/{name}/+download"] = Reply(f"text of {name}")


def bepasty(server, **changes):
    """Return the site."""
    return site("bepasty", options={"root": server.root}, **changes)


def balanced(report):
    """Tell whether listed = fetched + known + failed."""
    return report.listed == report.fetched + report.known + sum(report.failed.values())


def body_of(page):
    """Return the data of a page's body."""
    return next(part.data for part in page.parts if part.provenance == "body")


def test_each_item_is_fetched_once_and_only_what_is_new_later(tmp_path):
    """A second scan fetches the new paste alone and counts the others as known."""
    with Loopback() as server:
        pastes(server, "aaaaaaaa", "bbbbbbbb")
        first = scan(bepasty(server), network(server.host), tmp_path)
        assert [body_of(page) for page in first.sink.kept] == [b"text of aaaaaaaa", b"text of bbbbbbbb"]
        pastes(server, "cccccccc", "aaaaaaaa", "bbbbbbbb")
        server.asked.clear()
        second = scan(bepasty(server), network(server.host), tmp_path)
        assert server.paths() == ["/apis/rest/items", "/cccccccc/+download"]
        assert (second.result.fetched, second.result.known) == (1, 2)
        assert balanced(first.result)
        assert balanced(second.result)
        assert first.sink.kept[0].url == f"{server.root}/aaaaaaaa"


def test_an_unchanged_list_costs_one_conditional_request(tmp_path):
    """The ETag comes back as If-None-Match; 304 counts as known and fetches nothing."""
    with Loopback() as server:
        pastes(server, "aaaaaaaa", ETag='"v1"')
        scan(bepasty(server), network(server.host), tmp_path)
        whole = server.routes["/apis/rest/items"]
        server.routes["/apis/rest/items"] = lambda asked: (
            Reply(status=304) if asked.headers.get("if-none-match") == '"v1"' else whole
        )
        server.asked.clear()
        report = scan(bepasty(server), network(server.host), tmp_path).result
        assert server.paths() == ["/apis/rest/items"]
        assert (report.listed, report.known, report.state) == (1, 1, SiteState.WORKING)


def test_robots_are_obeyed_and_the_refusal_is_visible(tmp_path):
    """Disallowed: nothing is asked for, the report says robots and BLOCKED; an explicit choice is logged."""
    with Loopback() as server:
        pastes(server, "aaaaaaaa")
        server.routes["/robots.txt"] = Reply("User-agent: *\nDisallow: /\n")
        report = scan(bepasty(server), network(server.host), tmp_path).result
        assert server.paths() == []
        assert (report.state, report.failed) == (SiteState.BLOCKED, {Reason.ROBOTS: 1})
        chosen = scan(bepasty(server, robots="ignore: our own server"), network(server.host), tmp_path)
        assert chosen.result.fetched == 1
        assert "robots_ignored" in chosen.output


def test_one_request_at_a_time_with_a_delay(tmp_path):
    """One host never sees two requests at once, and half the delay at least lies between any two."""
    with Loopback() as server:
        pastes(server, "aaaaaaaa", "bbbbbbbb", "cccccccc")
        scan(bepasty(server, delay=0.4), network(server.host), tmp_path)
        times = [asked.at for asked in server.asked]
        assert server.most_parallel == 1
        assert min(later - earlier for earlier, later in pairwise(times)) > 0.19


def test_retry_after_is_obeyed(tmp_path):
    """A short Retry-After is waited for; a long one ends the scan, and the next does not even ask."""
    with Loopback() as server:
        pastes(server, "aaaaaaaa")
        good, refused = server.routes["/aaaaaaaa/+download"], []

        def sometimes(asked):
            refused.append(asked.at)
            return Reply(status=429, headers={"Retry-After": "1"}) if len(refused) == 1 else good

        server.routes["/aaaaaaaa/+download"] = sometimes
        assert scan(bepasty(server), network(server.host), tmp_path / "a").result.fetched == 1
        assert refused[1] - refused[0] >= 1.0
        server.routes["/apis/rest/items"] = Reply(status=429, headers={"Retry-After": "3600"})
        report = scan(bepasty(server), network(server.host), tmp_path / "b").result
        assert (report.state, report.reason) == (SiteState.BLOCKED, Reason.RATE_LIMITED)
        server.asked.clear()
        assert scan(bepasty(server), network(server.host), tmp_path / "b").result.state is SiteState.BLOCKED
        assert server.asked == []


@pytest.mark.parametrize(
    ("reply", "state", "reason"),
    [
        (Reply(status=403), SiteState.BLOCKED, Reason.BLOCKED),
        (Reply(status=401), SiteState.LOGIN, Reason.LOGIN),
        (Reply(status=500), SiteState.FAILING, Reason.SERVER),
        (Reply(status=404), SiteState.CHANGED, Reason.GONE),
        (Reply("<title>Just a moment...</title>", headers=HTML), SiteState.BLOCKED, Reason.CHALLENGE),
        (Reply("<p>a new look</p>", headers=HTML), SiteState.CHANGED, Reason.CHANGED),
        (Reply("[]", headers=JSON), SiteState.FAILING, Reason.INTERNAL),
        (Reply(status=302, headers={"Location": "/login"}), SiteState.LOGIN, Reason.LOGIN),
        (Reply(status=302, headers={"Location": "/apis/rest/items"}), SiteState.FAILING, Reason.MALFORMED),
    ],
)
def test_a_list_that_fails_is_told(tmp_path, reply, state, reason):
    """Each way of refusing has its state and reason; nothing is called working."""
    with Loopback() as server:
        server.routes["/apis/rest/items"] = reply
        server.routes["/login"] = Reply("<form>", headers=HTML)
        report = scan(bepasty(server), network(server.host), tmp_path).result
        assert balanced(report)
        if reason is Reason.INTERNAL:
            assert report.state is not SiteState.WORKING
        else:
            assert (report.state, report.reason) == (state, reason)


def test_what_is_gone_is_given_up_and_what_is_broken_is_asked_again(tmp_path):
    """404 settles an item; 500 does not, and keeps the list from being taken as read."""
    with Loopback() as server:
        pastes(server, "aaaaaaaa", "bbbbbbbb", "cccccccc", ETag='"v1"')
        server.routes["/bbbbbbbb/+download"] = Reply(status=404)
        server.routes["/cccccccc/+download"] = Reply(status=500)
        first = scan(bepasty(server), network(server.host), tmp_path)
        assert first.result.failed == {Reason.GONE: 1, Reason.SERVER: 1}
        assert first.sink.given == {}
        server.routes["/cccccccc/+download"] = Reply("back")
        server.asked.clear()
        second = scan(bepasty(server), network(server.host), tmp_path)
        assert server.paths() == ["/apis/rest/items", "/cccccccc/+download"]
        assert second.sink.given != {}


def statuses(count):
    """Return posts of a Mastodon timeline, newest first."""
    return [
        {
            "id": str(n), "content": f"<p>post {n}</p>", "url": f"https://social.example.org/@a/{n}",
            "account": {"acct": "ann"}, "created_at": "2026-11-20T10:00:00Z", "media_attachments": [],
        }
        for n in range(count, 0, -1)
    ]  # fmt: skip


def timeline(server, posts, size=3):
    """Serve a timeline in pages with a Link header, as Mastodon does: since_id is not kept in the link."""

    def answer(asked):
        from urllib.parse import parse_qs, urlsplit

        query = {key: value[0] for key, value in parse_qs(urlsplit(asked.path).query).items()}
        found = [p for p in posts if int(p["id"]) < int(query.get("max_id", 10**9))]
        found = [p for p in found if int(p["id"]) > int(query.get("since_id", 0))][:size]
        headers = dict(JSON)
        if found:
            headers["Link"] = f'<{server.root}/api/v1/timelines/public?max_id={found[-1]["id"]}>; rel="next"'
        return Reply(json.dumps(found), headers=headers)

    server.routes["/api/v1/timelines/public"] = answer


def test_later_scans_page_back_to_where_the_last_ended(tmp_path):
    """The first scan reads one page; the second reads every page down to the cursor, and none is missed."""
    with Loopback() as server:
        town = site("mastodon", options={"root": server.root})
        timeline(server, statuses(3))
        scan(town, network(server.host), tmp_path)
        timeline(server, statuses(14))
        outcome = scan(town, network(server.host), tmp_path)
        assert outcome.result.fetched == 11
        assert sorted(int(page.item_id) for page in outcome.sink.kept) == list(range(1, 15))
        page = outcome.sink.kept[-1]
        assert b"post" in body_of(page)
        assert [exchange.role for exchange in page.exchanges] == ["listing"]
        assert page.author == "ann"


def test_a_scan_that_dies_is_made_good_by_the_next(tmp_path):
    """The sink dies in the middle of a real scan; the next one brings every post, and none twice."""
    with Loopback() as server:
        town = site("mastodon", options={"root": server.root})
        timeline(server, statuses(3), size=2)
        scan(town, network(server.host), tmp_path)
        timeline(server, statuses(8), size=2)
        assert scan(town, network(server.host), tmp_path, die_at=8).error.startswith("Died")
        ids = [page.item_id for page in scan(town, network(server.host), tmp_path).sink.kept]
        assert {str(n) for n in range(4, 9)} <= set(ids)
        assert len(ids) == len(set(ids))


def test_a_sink_that_fails_fails_the_run(tmp_path):
    """A storage error is not a site's failure: it is raised to the caller."""
    with Loopback() as server:
        pastes(server, "aaaaaaaa")
        outcome = scan(bepasty(server), network(server.host), tmp_path, die_at=2)
        assert outcome.error.startswith("Died")
        assert outcome.result is None


def test_a_link_to_an_unlisted_paste_leads_there_once(tmp_path):
    """A post that links to a pinnwand instance brings the paste, every file of it, before the post itself."""
    with Loopback() as server:
        paste = f"{server.root}/ABCD2345"
        post = statuses(1)[0] | {"content": f'<p>see <a href="{paste}">here</a> and {paste}</p>'}
        timeline(server, [post])
        server.routes["/ABCD2345"] = Reply(
            '<a href="/raw/ABCD2345">raw</a> <a href="/raw/EFGH5672">raw</a>', headers=HTML
        )
        server.routes["/raw/ABCD2345"] = Reply("first file")
        server.routes["/raw/EFGH5672"] = Reply("second file")
        rules = network(server.host, link_hosts={"pinnwand": (server.host,)})
        outcome = scan(site("mastodon", options={"root": server.root}), rules, tmp_path)
        linked, listed = outcome.sink.kept
        assert linked.why == f"linked from {listed.page_id}"
        assert {b"first file", b"second file"} <= {part.data for part in linked.parts}
        assert server.paths().count("/ABCD2345") == 1
        assert balanced(outcome.result)


def test_pictures_of_an_item_belong_to_its_page(tmp_path):
    """Media attachments and pictures in the text become parts; one that is missing is counted, the page kept."""
    with Loopback() as server:
        media = [{"url": f"{server.root}/m.png", "description": "alt words"}, {"url": f"{server.root}/no.png"}]
        content = f'<p>x<img src="{server.root}/in.jpg"></p>'
        timeline(server, [statuses(1)[0] | {"media_attachments": media, "content": content}])
        server.routes["/m.png"] = Reply(b"PNG", headers={"Content-Type": "image/png"})
        server.routes["/in.jpg"] = Reply(b"JPG", headers={"Content-Type": "image/jpeg"})
        outcome = scan(site("mastodon", options={"root": server.root}), network(server.host), tmp_path)
        (page,) = outcome.sink.kept
        assert {b"PNG", b"JPG"} <= {part.data for part in page.parts}
        assert any(b"alt words" in part.data for part in page.parts)
        assert outcome.result.failed == {Reason.GONE: 1}


def test_a_feed_gives_its_entries_alone(tmp_path):
    """Each entry is a page with its own words, never its neighbour's, and its enclosure."""
    with Loopback() as server:
        entries = "".join(
            f"<item><guid>g{n}</guid><title>t{n}</title><link>{server.root}/{n}</link><description>only-{n}</description>"
            f'<enclosure url="{server.root}/f{n}.pdf" type="application/pdf"/></item>'
            for n in (2, 1)
        )
        server.routes["/rss"] = Reply(
            f'<?xml version="1.0"?><rss version="2.0"><channel><title>x</title>{entries}</channel></rss>',
            headers={"Content-Type": "application/rss+xml"},
        )
        for n in (1, 2):
            server.routes[f"/f{n}.pdf"] = Reply(b"%PDF", headers={"Content-Type": "application/pdf"})
        outcome = scan(site("feed", options={"url": server.root + "/rss"}), network(server.host), tmp_path)
        first = outcome.sink.kept[1]
        assert body_of(first) == b"only-1"
        assert not any(b"only-2" in part.data for part in first.parts)
        assert [part.name for part in first.parts if part.data == b"%PDF"] == ["f1.pdf"]


def test_an_at_protocol_server_gives_every_account_and_picture(tmp_path):
    """Accounts and posts over several pages; a blob becomes a picture of its post; then only what is new."""
    with Loopback() as server:
        posts = {"did:plc:a": 5, "did:plc:b": 1}

        def repos(asked):
            if "cursor=2" in asked.path:
                return Reply(json.dumps({"repos": [{"did": "did:plc:b", "active": True}]}), headers=JSON)
            body = {"repos": [{"did": "did:plc:a", "active": True}, {"did": "did:x", "active": False}], "cursor": "2"}
            return Reply(json.dumps(body), headers=JSON)

        def records(asked):
            from urllib.parse import parse_qs, urlsplit

            query = {key: value[0] for key, value in parse_qs(urlsplit(asked.path).query).items()}
            keys = [n for n in range(posts[query["repo"]], 0, -1) if n < int(query.get("cursor", 10**6))][:2]
            blob = {"$type": "blob", "ref": {"$link": "cid1"}, "mimeType": "image/png", "size": 3}
            found = [
                {
                    "uri": f"at://{query['repo']}/app.bsky.feed.post/{n}",
                    "value": {"text": f"post {n}", "createdAt": "2026-11-20T10:00:00Z", "embed": {"image": blob}},
                }
                for n in keys
            ]
            return Reply(json.dumps({"records": found, **({"cursor": str(keys[-1])} if keys else {})}), headers=JSON)

        server.routes["/xrpc/com.atproto.sync.listRepos"] = repos
        server.routes["/xrpc/com.atproto.repo.listRecords"] = records
        server.routes["/xrpc/com.atproto.sync.getBlob"] = Reply(b"PNG", headers={"Content-Type": "image/png"})
        town = site("atproto_pds", options={"root": server.root})
        first = scan(town, network(server.host), tmp_path)
        assert (first.result.fetched, first.result.state) == (6, SiteState.WORKING)
        assert all(any(part.data == b"PNG" for part in page.parts) for page in first.sink.kept)
        posts["did:plc:b"] = 3
        assert scan(town, network(server.host), tmp_path).result.fetched == 2


ENDLESS = zlib.compress(b"\0" * 60_000_000, 9)


def drip(file):
    """Write a byte now and then, for longer than the timeout."""
    for _ in range(60):
        file.write(b"x")
        file.flush()
        time.sleep(0.2)


def flood(file):
    """Write without end."""
    while True:
        file.write(b"x" * 65536)


def stacked(layers):
    """Return a small text under many layers of deflate."""
    body = b"hello"
    for _ in range(layers):
        body = zlib.compress(body)
    return Reply(body, headers={"Content-Encoding": ", ".join(["deflate"] * layers)})


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (Reply(ENDLESS, headers={"Content-Encoding": "deflate"}), Reason.BOMB),
        (Reply(gzip.compress(b"\0" * 60_000_000), headers={"Content-Encoding": "gzip"}), Reason.BOMB),
        (stacked(60), Reason.BOMB),
        (stacked(3), Reason.BOMB),
        (Reply(b"not gzip at all", headers={"Content-Encoding": "gzip"}), Reason.MALFORMED),
        (Reply(b"x", headers={"Content-Encoding": "rot13"}), Reason.UNSUPPORTED),
        (Reply(b"x" * 3_000_000), Reason.TOO_BIG),
        (Reply(stream=flood), Reason.TOO_BIG),
        (Reply(stream=drip), Reason.TIMEOUT),
        (Reply(status=302, headers={"Location": "/x"}), Reason.MALFORMED),
    ],
    ids=[
        "deflate bomb",
        "gzip bomb",
        "60 codings",
        "3 codings",
        "no gzip",
        "unknown",
        "big",
        "endless",
        "drip",
        "circle",
    ],
)
def test_hostile_answers_end_with_a_reason(tmp_path, reply, reason):
    """Bombs, floods, drips and circles end soon, and the reason says what they were."""
    with Loopback() as server:
        server.routes["/x"] = reply
        outcome = check(server.root + "/x", network(server.host, timeout=2.0, max_bytes=2_000_000), tmp_path)
        assert (outcome.error, outcome.result.page) == ("", None)
        assert outcome.result.reason is reason


def test_the_raw_body_is_evidence_and_the_decoded_one_is_read(tmp_path):
    """A body sent as gzip stays gzip in the exchange; the part is decoded; both are what the server meant."""
    with Loopback() as server:
        packed = gzip.compress(b"a text")
        server.routes["/x"] = Reply(packed, headers={"Content-Encoding": "gzip"})
        page = check(server.root + "/x", network(server.host), tmp_path).result.page
        assert page.exchanges[0].body == packed
        assert page.parts[0].data == b"a text"
        assert ("Content-Encoding", "gzip") in page.exchanges[0].response_headers


@pytest.mark.parametrize("charset", ["zlib_codec", "rot13", "idna", "undefined", "gb2312", "nonsense"])
def test_a_wrong_charset_loses_nothing(tmp_path, charset):
    """Whatever charset is declared, the bytes arrive and the scan goes on."""
    with Loopback() as server:
        text = "病历".encode("gb18030")
        server.routes["/x"] = Reply(b"<p>" + text, headers={"Content-Type": f"text/html; charset={charset}"})
        page = check(server.root + "/x", network(server.host), tmp_path).result.page
        assert text in page.parts[0].data
        assert page.parts[0].charset == charset


def test_a_checked_page_comes_with_its_pictures(tmp_path):
    """`check` fetches the page's pictures and linked documents, and follows redirects into the evidence."""
    with Loopback() as server:
        server.routes["/go"] = Reply(status=301, headers={"Location": "/page"})
        server.routes["/page"] = Reply(
            '<img src="/a.png"><a href="list.xlsx">x</a><a href="/other">y</a>', headers=HTML
        )
        server.routes["/a.png"] = Reply(b"PNG", headers={"Content-Type": "image/png"})
        server.routes["/list.xlsx"] = Reply(b"PK", headers={"Content-Type": "application/vnd.ms-excel"})
        page = check(server.root + "/go", network(server.host), tmp_path).result.page
        assert [part.provenance for part in page.parts] == ["body", "image 1", "attachment list.xlsx"]
        assert [exchange.role for exchange in page.exchanges] == ["redirect", "item", "attachment", "attachment"]


def test_the_cap_on_requests_is_visible(tmp_path):
    """What the cap left out is counted as such, and the next scan goes on from there."""
    with Loopback() as server:
        pastes(server, *[f"aaaaaaa{n}" for n in range(8)])
        rules = network(server.host, max_pages=5)
        first = scan(bepasty(server), rules, tmp_path).result
        assert first.failed[Reason.LIMIT] == 8 - first.fetched > 0
        assert balanced(first)
        for _ in range(3):
            last = scan(bepasty(server), rules, tmp_path)
        assert len(last.sink.kept) == 8


def test_logs_name_no_page(tmp_path):
    """Neither a crawled address nor a word of a page is written to the log, also when things fail."""
    with Loopback() as server:
        pastes(server, "secretid")
        server.routes["/secretid/+download"] = Reply("SECRETWORDS", headers={"Content-Encoding": "gzip"})
        outcome = scan(bepasty(server), network(server.host), tmp_path)
        assert "scan_finished" in outcome.output
        assert "secretid" not in outcome.output
        assert "SECRETWORDS" not in outcome.output


def test_a_fault_of_the_spider_is_visible(tmp_path):
    """An exception while reading an item fails that item and the site's state, and names no content."""
    prelude = """
import crawler.generic
def broken(self, answer, name): raise KeyError("SECRETWORDS")
crawler.generic.read_raw = broken
"""
    with Loopback() as server:
        pastes(server, "aaaaaaaa")
        outcome = scan(bepasty(server), network(server.host), tmp_path, prelude=prelude)
        assert outcome.result.failed == {Reason.INTERNAL: 1}
        assert outcome.result.state is SiteState.FAILING
        assert "spider_failed" in outcome.output
        assert "SECRETWORDS" not in outcome.output


def test_proxies_of_the_environment_are_not_used(tmp_path):
    """A proxy variable would carry requests around the resolver: it is removed."""
    with Loopback() as server, Loopback() as proxy:
        pastes(server, "aaaaaaaa")
        prelude = f"import os; os.environ['http_proxy'] = {proxy.root!r}"
        assert scan(bepasty(server), network(server.host), tmp_path, prelude=prelude).result.fetched == 1
        assert proxy.asked == []


def test_the_user_agent_is_honest(tmp_path):
    """Every request names the product and whom to write to."""
    with Loopback() as server:
        pastes(server, "aaaaaaaa")
        scan(bepasty(server), network(server.host), tmp_path)
        agents = {asked.headers["user-agent"] for asked in server.asked}
        assert all(agent.startswith("Spillwatch/") and "+security@example.org" in agent for agent in agents)
