"""Posts lead to what they link to, through a real scan, once, under the law; what is not followed is told."""

import json
import os
import re
import time
from pathlib import Path

import pytest

from model.page import Reason
from model.scan import SiteState
from tests.crawler.crawls import check, network, scan, site
from tests.crawler.loopback import Loopback, Reply
from tests.crawler.test_privatebin import EXPECTED, fragment_of, seal, vector

SAMPLES = Path(__file__).resolve().parents[2] / ".." / "shared" / "samples"
JSON = {"Content-Type": "application/json"}
HTML = {"Content-Type": "text/html; charset=utf-8"}
PNG = {"Content-Type": "image/png"}
NO_CRAWLERS = Reply("User-agent: *\nDisallow: /\n")
BIN = "5b65a01b43987bc2"


def post(server, *texts):
    """Serve a timeline of posts with these texts, the last one the newest."""
    posts = [
        {"id": str(number), "content": text, "url": f"https://social.example.org/@a/{number}", "media_attachments": [],
         "account": {"acct": "ann"}, "created_at": "2026-11-20T10:00:00Z"}
        for number, text in enumerate(texts, 1)
    ]  # fmt: skip
    server.routes["/api/v1/timelines/public"] = Reply(json.dumps(posts[::-1]), headers=JSON)


def read(server, tmp_path, *others, here=None, **changes):
    """Scan the timeline; other servers may be reached, too. The counts must balance."""
    rules = network(server.host, *[other.host for other in others], **changes)
    outcome = scan(here or site("mastodon", options={"root": server.root}), rules, tmp_path)
    report = outcome.result
    assert report is not None, outcome.error
    assert report.listed == report.fetched + report.known + sum(report.failed.values())
    assert report.state is SiteState.WORKING
    return outcome


def linked(outcome):
    """Return the pages that posts led to."""
    return [page for page in outcome.sink.kept if page.why.startswith("linked")]


def told(outcome):
    """Return what the posts say of links that were not followed."""
    parts = [part for page in outcome.sink.kept for part in page.parts if part.provenance == "links not followed"]
    return "\n".join(part.data.decode() for part in parts)


def texts(page):
    """Return what a page holds, by provenance."""
    return {part.provenance: part.data for part in page.parts}


def test_a_privatebin_paste_is_opened_with_the_key_in_its_link(tmp_path):
    """On any host; the answer stays as it was on the wire, the fragment stays here, and robots are decided upon."""
    fragment = EXPECTED["fragment"]
    with Loopback() as square, Loopback() as bin_:
        post(square, f'<p>病历 <a href="{bin_.root}/?{BIN}#{fragment}">here</a></p>')
        bin_.routes["/robots.txt"] = NO_CRAWLERS
        bin_.routes[f"/?{BIN}"] = Reply(json.dumps(vector("paste_v2")), headers=JSON)
        outcome = read(square, tmp_path, bin_)
    (page,) = linked(outcome)
    assert texts(page) == {
        "body (PrivateBin, decrypted)": EXPECTED["plain"]["paste"].encode(),
        "attachment list.csv (PrivateBin, decrypted)": "id,name\n1,示例\n".encode(),
    }
    assert json.loads(page.exchanges[0].body) == vector("paste_v2")
    assert page.url.endswith(f"?{BIN}#{fragment}")
    assert [asked.headers.get("x-requested-with") for asked in bin_.asked] == ["JSONHttpRequest"]
    assert [asked.path for asked in bin_.asked] == [f"/?{BIN}"]
    assert "link_robots_ignored" in outcome.output
    assert fragment not in outcome.output


def test_the_operator_can_have_robots_obeyed(tmp_path):
    """Then nothing is fetched where crawlers are not wanted, and the counts say that robots were the reason."""
    with Loopback() as square, Loopback() as bin_:
        post(square, f"{bin_.root}/?{BIN}#{EXPECTED['fragment']}")
        bin_.routes["/robots.txt"] = NO_CRAWLERS
        bin_.routes[f"/?{BIN}"] = Reply(json.dumps(vector("paste_v2")), headers=JSON)
        outcome = read(square, tmp_path, bin_, link_robots="obey")
    assert bin_.paths() == []
    assert outcome.result.failed == {Reason.ROBOTS: 1}
    assert told(outcome).startswith(f"1 not followed\nrobots: {bin_.root}/?{BIN}#")


def test_a_decision_on_robots_is_about_its_host_alone(tmp_path):
    """A redirect to another host meets robots.txt there; so do links of a site whose own robots are ignored."""
    with Loopback() as square, Loopback() as haste, Loopback() as other:
        post(square, f"{haste.root}/abcdefghij {other.root}/list.pdf")
        haste.routes["/robots.txt"] = other.routes["/robots.txt"] = square.routes["/robots.txt"] = NO_CRAWLERS
        haste.routes["/raw/abcdefghij"] = Reply(status=302, headers={"Location": f"{other.root}/elsewhere"})
        other.routes["/elsewhere"] = Reply("not to be read")
        here = site("mastodon", options={"root": square.root}, robots="ignore: our own server")
        outcome = read(square, tmp_path, haste, other, here=here, link_hosts={"haste": (haste.host,)})
    assert haste.paths() == ["/raw/abcdefghij"]
    assert other.paths() == []
    assert outcome.result.failed == {Reason.ROBOTS: 2}


def test_a_password_may_stand_in_the_same_post(tmp_path):
    """It opens the paste; without it the paste is reported as encrypted, and nothing is guessed."""
    link = f"?{BIN}#{EXPECTED['fragment']}"
    with Loopback() as square, Loopback() as bin_:
        bin_.routes[f"/?{BIN}"] = Reply(json.dumps(vector("paste_v2_password")), headers=JSON)
        post(square, f"<p>{bin_.root}/{link}，密码：pass。</p>")
        outcome = read(square, tmp_path / "a", bin_)
        assert texts(linked(outcome)[0])["body (PrivateBin, decrypted)"] == b"with password"
        post(square, f"<p>{bin_.root}/{link}</p>")
        outcome = read(square, tmp_path / "b", bin_)
    assert outcome.result.failed == {Reason.ENCRYPTED: 1}
    assert "encrypted: http" in told(outcome)


def test_burn_after_reading_is_never_opened(tmp_path):
    """The first reader destroys it: it is reported, and the server hears nothing."""
    with Loopback() as square, Loopback() as bin_:
        bin_.routes[f"/?{BIN}"] = Reply(json.dumps(vector("paste_v2")), headers=JSON)
        post(square, f"{bin_.root}/?{BIN}#-{EXPECTED['fragment']}")
        outcome = read(square, tmp_path, bin_)
        by_hand = check(f"{bin_.root}/?{BIN}#-{EXPECTED['fragment']}", network(bin_.host), tmp_path / "check").result
    assert bin_.asked == []
    assert outcome.result.failed == {Reason.LEFT_ALONE: 1}
    assert "left-alone: http" in told(outcome)
    assert (by_hand.page, by_hand.reason) == (None, Reason.LEFT_ALONE)


def test_an_unmarked_paste_that_burnt_is_kept(tmp_path):
    """Its link did not say so; the copy that came is the only one, and the log says what happened."""
    key = os.urandom(32)
    with Loopback() as square, Loopback() as bin_:
        bin_.routes[f"/?{BIN}"] = Reply(json.dumps(seal({"paste": "last words"}, key, burn=1)), headers=JSON)
        post(square, f"{bin_.root}/?{BIN}#{fragment_of(key)}")
        outcome = read(square, tmp_path, bin_)
    assert texts(linked(outcome)[0]) == {"body (PrivateBin, decrypted; deleted by being read)": b"last words"}
    assert "burn_after_reading_was_opened" in outcome.output


def test_a_paste_that_is_gone_is_given_up(tmp_path):
    """PrivateBin says so with status 200 and its own status; it is asked once."""
    with Loopback() as square, Loopback() as bin_:
        gone = {"status": 1, "message": "Document does not exist, has expired or has been deleted."}
        bin_.routes[f"/?{BIN}"] = Reply(json.dumps(gone), headers=JSON)
        link = f"{bin_.root}/?{BIN}#{EXPECTED['fragment']}"
        post(square, link)
        assert read(square, tmp_path, bin_).result.failed == {Reason.GONE: 1}
        post(square, link, f"again {link}")
        second = read(square, tmp_path, bin_)
    assert len(bin_.paths()) == 1
    assert (second.result.fetched, second.result.known, second.result.failed) == (1, 2, {})


def test_shares_that_need_a_login_are_reported_with_their_code(tmp_path):
    """The post says what a person needs to open them; nobody is asked."""
    with Loopback() as square:
        post(
            square,
            "<p>链接：https://pan.baidu.com/s/1AbCdEfGhIj 提取码: k8d2，备用 https://mega.nz/folder/AbCdEf#k</p>",
        )
        outcome = read(square, tmp_path)
    assert outcome.result.failed == {Reason.LOGIN: 1, Reason.UNSUPPORTED: 1}
    assert told(outcome).splitlines()[0] == "2 not followed"
    assert "login-needed: https://pan.baidu.com/s/1AbCdEfGhIj (百度网盘" in told(outcome)
    assert told(outcome).endswith("codes: k8d2")
    assert "baidu" not in outcome.output


def test_a_telegraph_article_is_unfolded(tmp_path):
    """Its running text goes over tags; its pictures come with it."""
    figure = {"tag": "figure", "children": [{"tag": "img", "attrs": {"src": "/file/x.png"}}]}
    content = [{"tag": "p", "children": ["姓名：张", {"tag": "b", "children": ["三"]}]}, figure]
    result = {"title": "T", "author_name": "A", "content": content}
    with Loopback() as square, Loopback() as telegraph:
        post(square, f"{telegraph.root}/Sample-Page-12-15")
        telegraph.routes["/getPage/Sample-Page-12-15"] = Reply(json.dumps({"ok": True, "result": result}), headers=JSON)
        telegraph.routes["/file/x.png"] = Reply(b"PNG", headers=PNG)
        outcome = read(square, tmp_path, telegraph, link_hosts={"telegraph": (telegraph.host,)})
    (page,) = linked(outcome)
    assert "姓名：张三" in texts(page)["body"].decode()
    assert (texts(page)["title"], texts(page)["author"], texts(page)["image 1"]) == (b"T", b"A", b"PNG")


def test_a_gist_is_every_file_of_it(tmp_path):
    """What the API gives is taken; what it cut short is fetched whole."""
    gist = "6cad326836d38bd3a7ae0123456789ab"
    with Loopback() as square, Loopback() as github:
        files = {
            "a.txt": {"filename": "a.txt", "content": "first", "truncated": False},
            "b.txt": {"filename": "b.txt", "content": "sec", "truncated": True, "raw_url": f"{github.root}/raw/b.txt"},
        }
        github.routes[f"/gists/{gist}"] = Reply(json.dumps({"files": files, "description": "d"}), headers=JSON)
        github.routes["/raw/b.txt"] = Reply("second")
        post(square, f"{github.root}/someone/{gist}")
        outcome = read(square, tmp_path, github, link_hosts={"gist": (github.host,)})
    (page,) = linked(outcome)
    assert [part.data for part in page.parts] == [b"d", b"first", b"sec", b"second"]


@pytest.mark.parametrize("name", ["github_gist/gist_single.json", "telegraph/getPage.json"])
def test_recorded_answers_are_read(tmp_path, name):
    """The shared recordings, where they are there."""
    sample = SAMPLES / name
    if not sample.exists():
        pytest.skip("the shared samples are not here")
    with Loopback() as square, Loopback() as there:
        kind = "gist" if "gist" in name else "telegraph"
        address, asked = (
            ("/u/6296732", "/gists/6296732") if kind == "gist" else ("/Sample-Page-12-15", "/getPage/Sample-Page-12-15")
        )
        there.routes[asked] = Reply(sample.read_bytes(), headers=JSON)
        post(square, there.root + address)
        outcome = read(square, tmp_path, there, link_hosts={kind: (there.host,)})
    (page,) = linked(outcome)
    assert len(page.parts) >= 2


def test_raw_content_may_stand_behind_its_page(tmp_path):
    """slexy: the page names the raw address with a token; without it the layout has changed, and that is told."""
    with Loopback() as square, Loopback() as slexy:
        slexy.routes["/view/s2AbCd"] = Reply('<a href="/raw/s2AbCdTOKEN">raw</a>', headers=HTML)
        slexy.routes["/raw/s2AbCdTOKEN"] = Reply("the text")
        slexy.routes["/view/s2Other"] = Reply("<p>a new look</p>", headers=HTML)
        post(square, f"{slexy.root}/view/s2AbCd {slexy.root}/view/s2Other")
        outcome = read(square, tmp_path, slexy, link_hosts={"slexy": (slexy.host,)})
    assert [texts(page)["body"] for page in linked(outcome)] == [b"the text"]
    assert outcome.result.failed == {Reason.CHANGED: 1}


def test_a_shortener_is_asked_once_where_it_leads(tmp_path):
    """Its target is not opened on its behalf; the table decides, and the next post that uses it asks nobody."""
    with Loopback() as square, Loopback() as short, Loopback() as haste:
        short.routes["/abc"] = Reply(status=301, headers={"Location": f"{haste.root}/abcdefghij"})
        short.routes["/def"] = Reply(status=301, headers={"Location": f"{haste.root}/about.html"})
        short.routes["/ghi"] = Reply(
            f'<meta http-equiv="refresh" content="0;url={haste.root}/klmnopqrst">', headers=HTML
        )
        short.routes["/jkl"] = Reply(status=301, headers={"Location": f"{short.root}/abc"})
        haste.routes["/raw/abcdefghij"] = haste.routes["/raw/klmnopqrst"] = Reply("behind")
        hosts = {"shorteners": (short.host,), "haste": (haste.host,)}
        all_four = " ".join(f"{short.root}/{name}" for name in ("abc", "def", "ghi", "jkl"))
        post(square, all_four)
        first = read(square, tmp_path, short, haste, link_hosts=hosts)
        post(square, all_four, f"again {short.root}/abc {short.root}/def {short.root}/ghi")
        read(square, tmp_path, short, haste, link_hosts=hosts)
    assert [page.url for page in linked(first)] == [f"{haste.root}/abcdefghij", f"{haste.root}/klmnopqrst"]
    assert first.result.failed == {Reason.LIMIT: 1}
    assert short.paths() == ["/abc", "/def", "/ghi", "/jkl"]
    assert haste.paths() == ["/raw/abcdefghij", "/raw/klmnopqrst"]


def test_links_beyond_the_limits_are_counted_and_told(tmp_path):
    """Five of one host; the others are failed as cap-reached, with their addresses for people."""
    with Loopback() as square, Loopback() as haste:
        names = [f"abcdefghi{letter}" for letter in "abcdefgh"]
        for name in names:
            haste.routes[f"/raw/{name}"] = Reply(name)
        post(square, " ".join(f"{haste.root}/{name}" for name in names))
        outcome = read(square, tmp_path, haste, link_hosts={"haste": (haste.host,)})
    assert len(linked(outcome)) == 5
    assert outcome.result.failed == {Reason.LIMIT: 3}
    assert all(f"{haste.root}/{name}" in told(outcome) for name in names[5:])


def test_links_take_at_most_half_of_a_scan(tmp_path):
    """What a site lists is not crowded out by what it links to."""
    with Loopback() as square, Loopback() as one, Loopback() as two:
        for server in (one, two):
            for letter in "abcd":
                server.routes[f"/raw/abcdefghi{letter}"] = Reply(letter)
        post(square, " ".join(f"{server.root}/abcdefghi{letter}" for server in (one, two) for letter in "abcd"))
        hosts = {"haste": (one.host, two.host)}
        outcome = read(square, tmp_path, one, two, link_hosts=hosts, max_pages=10)
    assert len(one.paths()) + len(two.paths()) == 5
    assert outcome.result.failed == {Reason.LIMIT: 3}


def test_a_dead_host_is_not_asked_again_and_again(tmp_path):
    """After two timeouts the rest of its links fail without waiting."""
    with Loopback() as square, Loopback() as haste:
        for letter in "abcd":
            haste.routes[f"/raw/abcdefghi{letter}"] = Reply(stream=lambda file: time.sleep(3))
        post(square, " ".join(f"{haste.root}/abcdefghi{letter}" for letter in "abcd"))
        outcome = read(square, tmp_path, haste, link_hosts={"haste": (haste.host,)}, timeout=1.0)
    assert outcome.result.failed == {Reason.TIMEOUT: 4}
    assert {asked.path[-1] for asked in haste.asked} == {"a", "b"}


def test_links_are_followed_no_further(tmp_path):
    """What a linked paste links to is not opened, but its page tells of it."""
    with Loopback() as square, Loopback() as haste, Loopback() as other:
        haste.routes["/raw/abcdefghij"] = Reply(f"more at {other.root}/klmnopqrst")
        post(square, f"{haste.root}/abcdefghij")
        outcome = read(square, tmp_path, haste, other, link_hosts={"haste": (haste.host, other.host)})
    assert other.asked == []
    assert outcome.result.failed == {Reason.LIMIT: 1}
    assert f"cap-reached: {other.root}/klmnopqrst" in texts(linked(outcome)[0])["links not followed"].decode()


def test_a_direct_link_to_a_file_is_followed_on_any_host(tmp_path):
    """By its extension in the text; robots are obeyed there."""
    with Loopback() as square, Loopback() as files, Loopback() as closed:
        files.routes["/a/list.xlsx"] = Reply(b"PK", headers={"Content-Type": "application/octet-stream"})
        closed.routes["/robots.txt"] = NO_CRAWLERS
        post(square, f"<p>see {files.root}/a/list.xlsx and {closed.root}/b.pdf and {files.root}/page.html</p>")
        outcome = read(square, tmp_path, files, closed)
    assert [texts(page) for page in linked(outcome)] == [{"body": b"PK"}]
    assert files.paths() == ["/a/list.xlsx"]
    assert outcome.result.failed == {Reason.ROBOTS: 1}


def test_bodies_of_other_types_are_left_at_their_headers(tmp_path):
    """A film behind a picture's name is not downloaded."""
    sent = []

    def film(file):
        for _ in range(4_000):
            file.write(b"x" * 65_536)
            sent.append(1)

    with Loopback() as square, Loopback() as files:
        files.routes["/a.png"] = Reply(stream=film, headers={"Content-Type": "video/mp4"})
        post(square, f'<p><img src="{files.root}/a.png"></p>')
        outcome = read(square, tmp_path, files, max_bytes=100_000_000)
    assert outcome.result.failed == {Reason.UNSUPPORTED: 1}
    assert len(sent) < 200


def test_pictures_of_one_item_have_a_cap_together(tmp_path):
    """What does not fit any more is counted; what came before stays."""
    prelude = "import crawler.capture; crawler.capture.MOST_BYTES = 25_000"
    with Loopback() as square:
        for name in "abc":
            square.routes[f"/{name}.png"] = Reply(name.encode() * 10_000, headers=PNG)
        post(square, "".join(f'<img src="{square.root}/{name}.png">' for name in "abc"))
        here = site("mastodon", options={"root": square.root})
        outcome = scan(here, network(square.host), tmp_path, prelude=prelude)
    (page,) = outcome.sink.kept
    assert [len(part.data) for part in page.parts if part.media_type == "image/png"] == [10_000, 10_000]
    assert outcome.result.failed == {Reason.TOO_BIG: 1}


def test_a_site_may_be_read_as_text_only(tmp_path):
    """Pictures and files are left alone and counted; pastes are followed; a picture behind a link is not loaded."""
    with Loopback() as square, Loopback() as haste:
        haste.routes["/raw/abcdefghij"] = Reply("text")
        haste.routes["/raw/klmnopqrst"] = Reply(b"PNG", headers=PNG)
        post(square, f'<img src="{square.root}/a.png"> {haste.root}/abcdefghij {haste.root}/klmnopqrst')
        here = site("mastodon", options={"root": square.root}, images=False)
        outcome = read(square, tmp_path, haste, here=here, link_hosts={"haste": (haste.host,)})
    assert "/a.png" not in square.paths()
    assert [texts(page)["body"] for page in linked(outcome)] == [b"text"]
    assert outcome.result.failed == {Reason.LEFT_ALONE: 1, Reason.UNSUPPORTED: 1}


def test_a_check_by_hand_uses_the_same_table(tmp_path):
    """A PrivateBin address opens; a page leads on as a post does, and says what it did not follow."""
    fragment = EXPECTED["fragment"]
    with Loopback() as server, Loopback() as bin_:
        bin_.routes["/robots.txt"] = NO_CRAWLERS
        bin_.routes[f"/?{BIN}"] = Reply(json.dumps(vector("paste_v2")), headers=JSON)
        rules = network(server.host, bin_.host)
        direct = check(f"{bin_.root}/?{BIN}#{fragment}", rules, tmp_path / "a").result
        assert b"LEAK-CANARY-0001" in texts(direct.page)["body (PrivateBin, decrypted)"]
        server.routes["/page"] = Reply(
            f'<a href="{bin_.root}/?{BIN}#{fragment}">a</a> https://pan.baidu.com/s/1AbCdEfGhIj', headers=HTML
        )
        page = check(server.root + "/page", rules, tmp_path / "b").result
    assert [sorted(texts(found)) for found in page.linked] == [
        ["attachment list.csv (PrivateBin, decrypted)", "body (PrivateBin, decrypted)"]
    ]
    assert page.failed == {Reason.LOGIN: 1}
    assert "login-needed" in texts(page.page)["links not followed"].decode()


def test_private_addresses_stay_out_of_reach(tmp_path):
    """A link leads nowhere that a site may not lead: the law is one."""
    with Loopback() as square, Loopback() as inside:
        post(square, f"{inside.root}/?{BIN}#{EXPECTED['fragment']} {inside.root}/list.xlsx")
        outcome = read(square, tmp_path)
    assert inside.asked == []
    assert outcome.result.failed == {Reason.FORBIDDEN_ADDRESS: 2}


def test_no_address_and_no_key_is_logged(tmp_path):
    """Whatever becomes of links, the log holds counts and words."""
    with Loopback() as square, Loopback() as bin_:
        bin_.routes[f"/?{BIN}"] = Reply("{broken", headers=JSON)
        post(square, f"{bin_.root}/?{BIN}#{EXPECTED['fragment']} https://mega.nz/file/SECRETID#SECRETKEY")
        outcome = read(square, tmp_path, bin_)
    assert outcome.result.failed == {Reason.CHANGED: 1, Reason.UNSUPPORTED: 1}
    assert not re.search(f"SECRET|{BIN}|{EXPECTED['fragment']}", outcome.output)
