"""Weibo's visitor over real sockets: the cookie that one answer sets opens the next."""

import json
from urllib.parse import parse_qs

from crawler.description import SHIPPED
from model.page import Reason
from model.scan import SiteState
from tests.crawler.crawls import network, scan, site
from tests.crawler.loopback import Loopback, Reply

JSON = {"Content-Type": "application/json"}
REFUSED = json.dumps({"ok": -100, "msg": "请登录", "url": "https://passport.weibo.com/sso/signin"})


def visitors(server, good=lambda number: True):
    """Serve the visitor system and a search that answers those visitors who are good; return the bodies posted."""
    posted = []

    def visitor(asked):
        posted.append(parse_qs(asked.body.decode()))
        number = len(posted)
        told = {"retcode": 20000000, "data": {"sub": f"sub{number}", "subp": "p", "tid": "t"}}
        return Reply(
            f"window.visitor_gray_callback && visitor_gray_callback({json.dumps(told)});",
            headers={"Content-Type": "text/html", "Set-Cookie": f"SUB=sub{number}; path=/"},
        )

    def search(asked):
        cookie = asked.headers.get("cookie", "")
        number = int(cookie.partition("SUB=sub")[2].partition(";")[0] or 0)
        if not number or not good(number):
            return Reply(REFUSED, headers=JSON)
        post = {"id": f"51{len(server.asked)}", "text": "鹿鸣医院", "created_at": "Sat Nov 21 10:00:00 +0800 2026"}
        return Reply(json.dumps({"ok": 1, "data": {"cards": [{"card_type": 9, "mblog": post}]}}), headers=JSON)

    server.routes["/visitor/genvisitor2"] = visitor
    server.routes["/visitor/visitor"] = Reply('return_back({"retcode":20000000});')
    server.routes["/api/container/getIndex"] = search
    return posted


def weibo(server, folder):
    """Return the shipped description without its delay, at the loopback server, and the network it needs."""
    text = (SHIPPED / "weibo_mobile_search.yaml").read_text(encoding="utf-8")
    (folder / "weibo_mobile_search.yaml").write_text(text.replace("delay: 10", "delay: 0"), encoding="utf-8")
    hosts = dict.fromkeys(("root", "visitor", "long", "long_visitor"), server.root)
    options = {**hosts, "q": "鹿鸣医院"}
    watched = site("weibo_mobile_search", terms="accepted", every=900.0, options=options)
    return watched, network(server.host, descriptions=folder)


def test_a_visitors_cookie_opens_the_search(tmp_path):
    """The cookie that the session set is sent with the list, and the two domains get visitors of their own."""
    with Loopback() as server:
        posted = visitors(server)
        done = scan(*weibo(server, tmp_path), tmp_path / "store")
        assert (done.error, done.result.state, done.result.fetched) == ("", SiteState.WORKING, 1)
        assert posted[0]["cb"] == ["visitor_gray_callback"]
        assert [page.author for page in done.sink.kept] == [None]
        assert server.paths()[2].startswith("/visitor/visitor?a=crossdomain&s=sub2&sp=p&t=t")


def test_a_visitor_who_is_refused_at_once_leaves_the_site_alone(tmp_path):
    """A session opened a moment ago is not opened again for the same refusal, and the next scan asks for nothing."""
    with Loopback() as server:
        posted = visitors(server, good=lambda number: False)
        done = scan(*weibo(server, tmp_path), tmp_path / "store")
        assert len(posted) == 2
        assert (done.result.state, done.result.reason) == (SiteState.LOGIN, Reason.LOGIN)
        server.asked.clear()
        paused = scan(*weibo(server, tmp_path), tmp_path / "store")
        assert server.paths() == []
        assert paused.result.state is not SiteState.WORKING
