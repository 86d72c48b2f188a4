"""The table of resolvers: which links it knows, what it asks for, and what it leaves alone."""

import re
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.interface import NetworkSettings
from crawler.links import Table, item_id, table
from crawler.resolvers.interface import OBEY
from crawler.resolvers.table import RESOLVERS
from model.errors import ConfigError
from model.page import Part, Reason

KEY = "4wBqpZM9xaSheZzJSMawUKKwhdpChKbZ5eu5ky4Vigw"
GIST = "6cad326836d38bd3a7ae0123456789ab"

LEADS = [
    ("https://bpa.st/ABCD", "https://bpa.st/raw/ABCD"),
    ("https://bpa.st/raw/ABCD", "https://bpa.st/raw/ABCD"),
    ("https://hst.sh/abcdefghij.txt", "https://hst.sh/raw/abcdefghij"),
    ("https://pastebin.com/AbCd1234", "https://pastebin.com/raw/AbCd1234"),
    ("http://pastebin.com/raw/AbCd1234", "http://pastebin.com/raw/AbCd1234"),
    ("https://dpaste.org/AbCd", "https://dpaste.org/AbCd/raw"),
    ("https://dpaste.org/AbCd/slim", "https://dpaste.org/AbCd/raw"),
    ("https://dpaste.com/ABCD12345", "https://dpaste.com/ABCD12345.txt"),
    ("https://pastes.dev/AbCdEfGh", "https://api.pastes.dev/AbCdEfGh"),
    ("https://rentry.co/my-Page_1", "https://rentry.co/my-Page_1"),
    ("https://telegra.ph/Sample-Page-12-15", "https://api.telegra.ph/getPage/Sample-Page-12-15?return_content=true"),
    ("https://telegra.ph/Sample-Page-12-15-2", "https://api.telegra.ph/getPage/Sample-Page-12-15-2?return_content=true"),
    ("https://telegra.ph/file/0123456789abcdef.jpg", "https://telegra.ph/file/0123456789abcdef.jpg"),
    ("https://paste.ee/p/AbCdE", "https://paste.ee/r/AbCdE"),
    ("https://justpaste.it/ab1cd", "https://justpaste.it/ab1cd"),
    ("https://controlc.com/0123abcd", "https://controlc.com/0123abcd"),
    (f"https://gist.github.com/someone/{GIST}", f"https://api.github.com/gists/{GIST}"),
    (f"https://gist.github.com/{GIST}#file-a-txt", f"https://api.github.com/gists/{GIST}"),
    (f"https://gist.githubusercontent.com/u/{GIST}/raw/a.txt", f"https://gist.githubusercontent.com/u/{GIST}/raw/a.txt"),
    ("https://gitlab.com/-/snippets/123456", "https://gitlab.com/api/v4/snippets/123456/raw"),
    ("https://paste.debian.net/1234567/", "https://paste.debian.net/plain/1234567"),
    ("https://paste.debian.net/hidden/0123abcd/", "https://paste.debian.net/plainh/0123abcd"),
    ("https://slexy.org/view/s2AbCdEfGh", "https://slexy.org/view/s2AbCdEfGh"),
    ("https://ideone.com/AbCdEf", "https://ideone.com/plain/AbCdEf"),
    ("http://codepad.org/AbCd1234", "http://codepad.org/AbCd1234/raw.txt"),
    ("https://0x0.st/AbCd.txt", "https://0x0.st/AbCd.txt"),
    ("https://0x0.st/s/secret1/AbCd.txt", "https://0x0.st/s/secret1/AbCd.txt"),
    ("https://transfer.sh/get/AbCdEf/list.xlsx", "https://transfer.sh/AbCdEf/list.xlsx"),
    ("https://files.catbox.moe/abc123.jpg", "https://files.catbox.moe/abc123.jpg"),
    ("https://tmpfiles.org/1234567/a.zip", "https://tmpfiles.org/dl/1234567/a.zip"),
    ("https://pixeldrain.com/u/AbCd1234", "https://pixeldrain.com/api/file/AbCd1234"),
    ("https://i.imgur.com/AbCdEfG.jpeg", "https://i.imgur.com/AbCdEfG.jpeg"),
    ("https://imgur.com/AbCdEfG", "https://imgur.com/AbCdEfG"),
    ("https://i.ibb.co/AbCdEf/pic.png", "https://i.ibb.co/AbCdEf/pic.png"),
    ("https://i.postimg.cc/AbCdEf12/pic.png", "https://i.postimg.cc/AbCdEf12/pic.png"),
    ("https://i.redd.it/abcdefgh12345.jpg", "https://i.redd.it/abcdefgh12345.jpg"),
    ("https://wx1.sinaimg.cn/mw690/0012abcdgy1habc.jpg", "https://wx1.sinaimg.cn/large/0012abcdgy1habc.jpg"),
    ("https://pbs.twimg.com/media/AbCdEfGhIjK?format=jpg&name=small", "https://pbs.twimg.com/media/AbCdEfGhIjK?format=jpg&name=small"),
    (
        "https://mmbiz.qpic.cn/sz_mmbiz_jpg/AbCdEfGhIjKlMnOpQrStUv/640?wx_fmt=jpeg",
        "https://mmbiz.qpic.cn/sz_mmbiz_jpg/AbCdEfGhIjKlMnOpQrStUv/640?wx_fmt=jpeg",
    ),
    ("https://unknown.example/files/list%20a.xlsx?dl=1", "https://unknown.example/files/list%20a.xlsx?dl=1"),
    (f"https://any.example/?5b65a01b43987bc2#{KEY}", "https://any.example/?5b65a01b43987bc2"),
    (f"https://any.example/bin/?pasteid=5b65a01b43987bc2#{KEY}", "https://any.example/bin/?5b65a01b43987bc2"),
    ("https://t.co/AbCdEf1234", "https://t.co/AbCdEf1234"),
]  # fmt: skip

REPORTED = [
    (f"https://any.example/?5b65a01b43987bc2#-{KEY}", Reason.LEFT_ALONE),
    ("https://file.io/AbCdEf", Reason.LEFT_ALONE),
    ("https://hastebin.com/share/abcdefghij", Reason.LOGIN),
    ("https://pan.baidu.com/s/1AbCdEfGhIj-kl?pwd=ab12", Reason.LOGIN),
    ("https://pan.baidu.com/share/init?surl=AbCdEf", Reason.LOGIN),
    ("https://pan.quark.cn/s/0123456789ab", Reason.LOGIN),
    ("https://www.alipan.com/s/AbCdEfGhIjK", Reason.LOGIN),
    ("https://www.123pan.com/s/abcd-EFGH", Reason.LOGIN),
    ("https://wwt.lanzoux.com/iAbCdEf", Reason.UNSUPPORTED),
    ("https://gofile.io/d/AbCdEf", Reason.UNSUPPORTED),
    ("https://mega.nz/file/AbCdEfGh#key", Reason.UNSUPPORTED),
    ("https://mega.nz/#!AbCdEfGh!key", Reason.UNSUPPORTED),
    ("https://netcut.cn/somename", Reason.UNSUPPORTED),
    ("https://docs.qq.com/sheet/AbCdEfGhIj", Reason.LOGIN),
]

LEFT = [
    "https://pastebin.com/", "https://pastebin.com/login", "https://pastebin.com/settings", "https://pastebin.com/archive",
    "https://bpa.st/", "https://bpa.st/ABCD1890", "https://hst.sh/about.md", "https://dpaste.org/about/", "https://dpaste.org/history",
    "https://rentry.co/login", "https://rentry.co/what", "https://telegra.ph/", "https://telegra.ph/api",
    "https://gist.github.com/someone", "https://gist.github.com/discover", "https://ideone.com/signup",
    "https://any.example/?5b65a01b43987bc2", f"https://any.example/?5b65a01b43987b#{KEY}",
    f"https://any.example/?5b65a01b43987bc2#{KEY[:30]}", "https://any.example/?5b65a01b43987bc2#section",
    "https://any.example/robots.txt", "https://any.example/page.html", "https://any.example/",
    "https://notpastebin.com/AbCd1234", "https://pastebin.com.example/AbCd1234", "https://sinaimg.cn.example/large/x",
    "ftp://pastebin.com/AbCd1234x", "https://imgur.com/user/someone", "https://pan.baidu.com/", "https://t.co/",
]  # fmt: skip


def links(text, media_type="text/plain", **changes):
    """Return the links in a text."""
    return Table(NetworkSettings(**changes)).find([Part("body", media_type, text.encode(), charset="utf-8")])


@pytest.mark.parametrize(("url", "content"), LEADS)
def test_a_link_leads_to_where_its_content_lies(url, content):
    """Each form of address asks for exactly one place."""
    (link,) = links(f"see {url} here")
    assert (link.content_url, link.resolver.refusal) == (content, None)


@pytest.mark.parametrize(("url", "reason"), REPORTED)
def test_a_link_that_is_not_opened_is_known_all_the_same(url, reason):
    """Logins, scripts and what destroys itself are refused with a reason."""
    (link,) = links(f"see {url} here")
    assert link.resolver.refusal.reason is reason
    assert link.url == url


@pytest.mark.parametrize("url", LEFT)
def test_other_addresses_are_left(url):
    """Front pages, reserved paths, look-alikes and ordinary pages lead nowhere."""
    assert links(url) == ()


@pytest.mark.parametrize(
    "text",
    ["pastebin.com/AbCd1234", "pastebin . com/AbCd1234", "pastebin[.]com/AbCd1234", "hxxps://pastebin[.]com/AbCd1234"],
)
def test_known_hosts_are_known_without_a_scheme(text):
    """Where host and path fit, it is unambiguous."""
    (link,) = links(f"look: {text}，")
    assert link.content_url == "https://pastebin.com/raw/AbCd1234"


def test_unknown_hosts_need_a_scheme():
    """A name with a slash is no address, not even of a file."""
    assert links("files.example/list.xlsx") == ()


def test_pictures_and_files_of_a_page_are_no_links():
    """What a page is made of is not followed as if somebody had linked it; pastes count wherever they stand."""
    page = '<img src="https://i.imgur.com/AbCdEfG.png"><script>"https://pastebin.com/AbCd1234"</script>'
    assert [link.resolver.name for link in links(page, "text/html")] == ["pastebin"]
    assert links('{"avatar": "https://cdn.example/a.png"}', "application/json") == ()


def test_what_is_fetched_already_is_not_followed():
    """A picture that belongs to the item is no link of it."""
    part = Part("body", "text/plain", b"https://cdn.example/a.png", charset="utf-8")
    assert Table(NetworkSettings()).find([part], ["https://cdn.example/a.png"]) == ()


def test_the_same_paste_is_one_item_however_it_is_linked():
    """Views of a paste share the id under which it is remembered."""
    found = links("https://bpa.st/ABCD https://bpa.st/raw/ABCD https://bpa.st/show/ABCD")
    assert len(found) == 1
    key = "3" + KEY[1:]
    two = links(f"https://any.example/?5b65a01b43987bc2#{KEY} https://any.example/?5b65a01b43987bc2#{key}")
    assert len(two) == 2
    assert len({item_id(link) for link in two}) == 1


@pytest.mark.parametrize("host", ["paste.example.org", "10.0.0.5:8080", "例子.example"])
def test_instances_of_the_operator_are_read(host):
    """`network.link_hosts` adds hosts to a resolver, with their port."""
    (link,) = links(f"http://{host}/raw/abcdefghij", link_hosts={"haste": (host,)})
    assert (link.resolver.name, link.content_url.endswith("/raw/abcdefghij")) == ("haste", True)
    assert links("http://10.0.0.5:9999/raw/abcdefghij", link_hosts={"haste": (host,)}) == ()


def test_an_unknown_resolver_is_an_error():
    """A typing error in the configuration is told, not ignored."""
    with pytest.raises(ConfigError, match="no resolver 'hast'"):
        Table(NetworkSettings(link_hosts={"hast": ("a.example",)}))
    with pytest.raises(ConfigError, match="link_robots"):
        Table(NetworkSettings(link_robots="ignore"))


def test_the_operator_decides_on_places_anywhere():
    """PrivateBin and files on unknown hosts can be turned off; known places stay."""
    text = f"https://any.example/?5b65a01b43987bc2#{KEY} https://any.example/a.pdf https://pastebin.com/AbCd1234"
    assert len(links(text)) == 3
    assert [link.resolver.name for link in links(text, link_anywhere=False)] == ["pastebin"]


def test_robots_are_ignored_only_with_a_reason_and_never_if_the_operator_says_so():
    """A decision without words is no decision."""
    decided = [resolver for resolver in RESOLVERS if resolver.robots != OBEY]
    assert decided
    assert all(re.fullmatch(r"ignore: .{20,}", resolver.robots) for resolver in decided)
    assert not any(Table(NetworkSettings()).obeys_robots(resolver) for resolver in decided)
    assert all(Table(NetworkSettings(link_robots="obey")).obeys_robots(resolver) for resolver in RESOLVERS)


def test_the_table_can_be_told_to_people():
    """Each row says where, whether it is opened, what of robots, and against what it was tested."""
    rows = {row.name: row for row in table()}
    assert len(rows) == len(RESOLVERS)
    assert rows["haste"].robots.startswith("ignore: one paste")
    assert rows["百度网盘"].opened.startswith("no: needs an account")
    assert "any host" in rows["privatebin"].hosts
    assert {row.tested for row in rows.values()} <= {
        "real server", "real vector", "sample", "documented", "from memory",
    }  # fmt: skip


HOSTS = sorted({host.lstrip(".") for resolver in RESOLVERS for host in resolver.hosts} | {"a.example", "[::1", ""})


@given(host=st.sampled_from(HOSTS), rest=st.text(alphabet="abC019/-_.?#&=%:@[]!{}\\ 中", max_size=60))
def test_any_address_is_known_or_not(host, rest):
    """Whatever stands behind a host, the table answers; what it asks for carries no fragment and stays at its place."""
    link = Table(NetworkSettings()).resolve(f"https://{host}/{rest}")
    if link is not None:
        asked = urlsplit(link.content_url)
        assert "#" not in link.content_url
        assert asked.netloc == host or asked.netloc.startswith("api.")
