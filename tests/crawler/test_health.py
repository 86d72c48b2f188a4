"""The failure table: what each known refusal means, and how long the site is left alone after it."""

from datetime import timedelta

import pytest

from crawler import pauses
from crawler.health import CONSEQUENCES, DAY, HOUR, MINUTE, Action, FetchFailed, consequence, diagnose
from crawler.interface import SiteSettings
from model.page import Reason
from tests.crawler.crawls import network, scan, site
from tests.crawler.loopback import Loopback, Reply
from tests.storage.conftest import NOON

ASKED = "https://site.example/list"
JSON, HTML = {"Content-Type": "application/json"}, {"Content-Type": "text/html"}


@pytest.mark.parametrize(
    ("status", "headers", "url", "body", "reason"),
    [
        (429, {}, ASKED, "", Reason.RATE_LIMITED),
        (403, {"X-RateLimit-Remaining": "0"}, ASKED, "", Reason.RATE_LIMITED),
        (403, {"X-RateLimit-Remaining": "10"}, ASKED, "", Reason.BLOCKED),
        (403, {"Server": "snooserv"}, ASKED, "<title>Blocked</title> whoa there, pardner!", Reason.BLOCKED),
        (403, {"cf-mitigated": "challenge"}, ASKED, "", Reason.CHALLENGE),
        (403, {}, ASKED, "<div class=cf-chl-widget>", Reason.CHALLENGE),
        (200, {}, ASKED, "<title>Just a moment...</title>", Reason.CHALLENGE),
        (200, {}, ASKED, "<p>Just a moment, said the doctor</p>", None),
        (432, {}, ASKED, "", Reason.SESSION),
        (200, {}, "https://passport.weibo.com/visitor/visitor?entry=miniblog", "", Reason.SESSION),
        (200, {}, "https://login.sina.com.cn/signup", "", Reason.LOGIN),
        (200, {}, ASKED, "<title>百度安全验证</title>", Reason.CAPTCHA),
        (200, {}, "https://wappass.baidu.com/static/captcha/tuxing.html", "", Reason.CAPTCHA),
        (200, {}, "https://weixin.sogou.com/antispider/?from=x", "", Reason.CAPTCHA),
        (200, {}, "https://sec.douban.com/b?r=x", "", Reason.CAPTCHA),
        (200, {}, "https://accounts.douban.com/passport/login", "", Reason.LOGIN),
        (200, {}, "https://www.zhihu.com/account/unhuman?type=x", "", Reason.CAPTCHA),
        (461, {"Verifytype": "102"}, ASKED, "", Reason.CAPTCHA),
        (471, {}, ASKED, "", Reason.CAPTCHA),
        (200, {}, "https://forum.example/login", "", Reason.LOGIN),
        (200, {}, "https://forum.example/register/", "", Reason.LOGIN),
        (403, {}, ASKED, '{"error_type":"not_logged_in"}', Reason.LOGIN),
        (401, {}, ASKED, "", Reason.LOGIN),
        (422, {}, ASKED, "This method requires an authenticated user", Reason.LOGIN),
        (400, {}, ASKED, '{"error":{"code":"LTL_DISABLED"}}', Reason.LOGIN),
        (200, {}, "https://t.me/somechannel", "", Reason.LOGIN),
        (200, {}, "https://t.me/s/somechannel", "", None),
        (404, {}, ASKED, "", Reason.GONE),
        (410, {}, ASKED, "", Reason.GONE),
        (400, {}, ASKED, '{"error":"CursorTooOld"}', Reason.GAP),
        (400, {}, ASKED, "", Reason.CHANGED),
        (500, {}, ASKED, "", Reason.SERVER),
        (304, {}, ASKED, "", None),
    ],
)
def test_each_known_refusal_has_its_meaning(status, headers, url, body, reason):
    """By status, header, where redirects ended, title and body; ordinary pages that quote the same words pass."""
    found = diagnose(status, tuple(headers.items()), url, ASKED, "text/html", body.encode())
    assert found is reason


def test_every_reason_of_a_fetch_has_a_row():
    """A reason of the crawler that the table does not know would pass as an ordinary failure."""
    of_others = {Reason.TEXT_FREE, Reason.DUPLICATE, Reason.ENCRYPTED, Reason.OVERRUN, Reason.NOT_RUN}
    assert set(Reason) - of_others == set(CONSEQUENCES)
    assert consequence(Reason.GONE).settles
    assert consequence(Reason.GONE).action is Action.SETTLE


@pytest.mark.parametrize(
    ("reason", "seconds"),
    [
        (Reason.RATE_LIMITED, [MINUTE, 2 * MINUTE, 4 * MINUTE, 8 * MINUTE, 16 * MINUTE, 32 * MINUTE, HOUR, HOUR]),
        (Reason.BLOCKED, [3 * MINUTE, 6 * MINUTE, 12 * MINUTE]),
        (Reason.CHALLENGE, [6 * HOUR, 12 * HOUR, DAY, 2 * DAY, 4 * DAY, 8 * DAY, 15 * DAY, 15 * DAY]),
        (Reason.CHANGED, [0, 0]),
    ],
)
def test_pauses_grow_to_their_limit(reason, seconds):
    """Doubling each time in a row; what the site itself asks for is never cut short."""
    row = consequence(reason)
    assert [row.pause_after(times) for times in range(1, len(seconds) + 1)] == seconds
    assert row.pause_after(1, 3 * DAY) == 3 * DAY
    assert row.pause_after(2000) == row.longest


class Notes(dict):
    """What is remembered, in a dictionary."""

    def cursor(self, site, stream):
        """Return it."""
        return self.get((site, stream))

    def save_cursor(self, site, stream, cursor):
        """Save it."""
        self[site, stream] = cursor


def test_a_pause_is_remembered_and_lifted():
    """It holds until its time; the next one of the same reason is longer; another reason begins anew; work ends it."""
    forum, notes = SiteSettings("forum", "feed", 60.0, options={"url": "x"}), Notes()
    limited = FetchFailed(Reason.RATE_LIMITED)
    assert pauses.present(forum, notes, NOON) is None
    assert pauses.begin(forum, notes, limited, NOON).until == NOON + timedelta(minutes=1)
    assert pauses.present(forum, notes, NOON + timedelta(seconds=59)).reason is Reason.RATE_LIMITED
    assert pauses.present(forum, notes, NOON + timedelta(seconds=61)) is None
    assert pauses.present(forum, notes, NOON, "another list") is None
    assert pauses.begin(forum, notes, limited, NOON).until == NOON + timedelta(minutes=2)
    assert pauses.begin(forum, notes, FetchFailed(Reason.CAPTCHA), NOON).times == 1
    changed = SiteSettings("forum", "feed", 60.0, options={"url": "x", "cookie": "env:COOKIE"})
    assert pauses.present(changed, notes, NOON) is None
    assert pauses.present(forum, notes, NOON) is not None
    pauses.end(forum, notes)
    assert pauses.begin(forum, notes, limited, NOON).times == 1
    assert pauses.begin(forum, notes, FetchFailed(Reason.CHANGED), NOON) is None
    notes.save_cursor("forum", pauses.STREAM, (NOON + timedelta(hours=1)).isoformat())
    assert pauses.present(forum, notes, NOON).reason is Reason.RATE_LIMITED


def test_a_site_that_is_paused_is_not_asked_and_says_until_when(tmp_path):
    """After a challenge on the second item nothing more is asked, in this scan and in the next; both balance."""
    with Loopback() as server:
        listed = "{" + ",".join(f'"{name * 8}": {{"file-meta": {{}}}}' for name in "abcd") + "}"
        server.routes["/apis/rest/items"] = Reply(listed, headers=JSON)
        server.routes["/aaaaaaaa/+download"] = Reply("text", headers={"Content-Type": "text/plain"})
        server.routes["/bbbbbbbb/+download"] = Reply("<title>Just a moment...</title>", headers=HTML)
        chosen = site("bepasty", options={"root": f"http://{server.host}"})
        report = scan(chosen, network(server.host), tmp_path).result
        assert [path for path in server.paths() if "download" in path] == ["/aaaaaaaa/+download", "/bbbbbbbb/+download"]
        assert (report.listed, report.fetched, report.failed) == (4, 1, {Reason.CHALLENGE: 3})
        assert (report.state.value, report.reason) == ("blocked", Reason.CHALLENGE)
        assert report.paused_until - report.finished_at > timedelta(hours=5.9)
        server.asked.clear()
        again = scan(chosen, network(server.host), tmp_path).result
        assert server.asked == []
        assert (again.listed, again.failed, again.reason) == (1, {Reason.PAUSED: 1}, Reason.CHALLENGE)
        assert again.paused_until == report.paused_until
        changed = scan(
            site("bepasty", options={"root": f"http://{server.host}/"}), network(server.host), tmp_path
        ).result
        assert changed.listed > 1


def test_what_items_lack_is_counted(tmp_path):
    """Texts, authors and times that are missing, the pace of requests, and lists that did not change."""
    with Loopback() as server:
        listed = '{"aaaaaaaa": {"file-meta": {"timestamp-upload": 1767225600}}, "bbbbbbbb": {"file-meta": {}}}'
        server.routes["/apis/rest/items"] = Reply(listed, headers=JSON)
        server.routes["/aaaaaaaa/+download"] = Reply("text", headers={"Content-Type": "text/plain"})
        server.routes["/bbbbbbbb/+download"] = Reply(" ", headers={"Content-Type": "text/plain"})
        report = scan(site("bepasty", options={"root": f"http://{server.host}"}), network(server.host), tmp_path).result
        assert report.measures.taken == 2
        assert report.measures.empty == {"text": 1, "author": 2, "time": 1}
        assert 0 < report.measures.pace < 5
