"""Descriptions are read strictly, and read recorded answers as they should."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from crawler import description
from crawler.expressions import moment, search, values
from crawler.fetcher import Answer
from crawler.generic import GenericSpider
from crawler.health import FetchFailed
from crawler.interface import SiteSettings
from crawler.reading import read_list
from crawler.templates import list_url
from model.errors import ConfigError
from model.page import Reason

SAMPLES = Path(__file__).resolve().parents[2] / ".." / "shared" / "samples"
ROOT = "https://site.example.org"

GOOD = {"kind": "json", "options": {"root": None}, "list": {"url": "{root}/l", "items": "[]", "id": "id"}}


def write(folder, data, name="mine"):
    """Write a description (JSON is YAML) and return its file."""
    file = folder / f"{name}.yaml"
    file.write_text(json.dumps(data), encoding="utf-8")
    return file


def answer(body, media_type="application/json", url=ROOT + "/list", **headers):
    """Return an answer as the fetcher would."""
    data = body if isinstance(body, bytes) else body.encode()
    pairs = (("Content-Type", media_type), *headers.items())
    return Answer(url=url, status=200, headers=pairs, body=data, exchanges=(), fetched_at=datetime.now(UTC))


@pytest.mark.parametrize("name", description.names())
def test_shipped_descriptions_can_be_read_and_built(name):
    """Each shipped file is valid, says what it is about, and makes a spider once its options are given."""
    read = description.load(name)
    assert read.about
    options = {key: ROOT for key, default in read.options.items() if default is None}
    options |= {"budget": 5.0} if read.cost else {}
    GenericSpider(SiteSettings(name="x", use=name, every=60.0, options=options), read)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"lst": {}}, ["unknown key lst", "'list'"]),
        ({"list": GOOD["list"] | {"titel": "x"}}, ["list.titel", "'title'"]),
        ({"raw": {"ulr": "x"}}, ["raw.ulr", "'url'"]),
        ({"page": {"kind": "page", "parm": "p"}}, ["page.parm", "'param'"]),
        ({"page": "offsett"}, ["page", "'offset'"]),
        ({"kind": "jsn"}, ["kind", "'json'"]),
        ({"cursor": "tim"}, ["cursor", "'time'"]),
        ({"fail": [{"means": "blockd"}]}, ["means", "'blocked'"]),
        ({"fail": [{"statsu": 403, "means": "blocked"}]}, ["statsu", "'status'"]),
        ({"list": {"url": "x"}}, ["list.items"]),
        ({"list": {"items": "[]", "id": "id"}}, ["list.url"]),
    ],
)
def test_mistakes_are_named_with_file_key_and_nearest(tmp_path, change, words):
    """An unknown key or word is an error that names the file, the key and the nearest known one."""
    with pytest.raises(ConfigError) as error:
        description.read(write(tmp_path, GOOD | change))
    assert all(word in str(error.value) for word in ["mine.yaml", *words])


def test_options_are_checked(tmp_path):
    """A missing option and a misspelt one are errors that name the site."""
    read = description.read(write(tmp_path, GOOD))
    with pytest.raises(ConfigError, match="needs the option 'root'"):
        GenericSpider(SiteSettings(name="x", use="mine", every=60.0), read)
    with pytest.raises(ConfigError, match=r"sites\.x: unknown option 'rot'; did you mean 'root'"):
        GenericSpider(SiteSettings(name="x", use="mine", every=60.0, options={"rot": ROOT}), read)


def test_the_operators_description_goes_first(tmp_path):
    """A file in the operator's folder replaces the shipped one of the same name."""
    write(tmp_path, GOOD, "bepasty")
    assert description.load("bepasty", tmp_path).lists[0].items == "[]"
    assert description.load("bepasty").lists[0].items != "[]"
    assert description.load("../bepasty", tmp_path) is None


READS = [
    # description, sample, media type, options, first id, words that some part holds
    ("stikked", "stikked/api_recent.json", "application/json", {}, None, None),
    ("opengist", "opengist/gists_public.json", "application/json", {},
     "8622b297bce54b408e36d546cef8019d", b"LEAK-CANARY"),
    ("gitlab_snippets", "gitlab/snippets_public.json", "application/json", {}, None, None),
    ("discourse", "discourse/posts_latest.json", "application/json", {}, "15", b"holla"),
    ("mastodon", "mastodon/tag_timeline.json", "application/json", {}, None, None),
    ("lemmy", "lemmy/v3_post_list.json", "application/json", {}, "1", "正文".encode()),
    ("lemmy_v4", "lemmy/v4_post_list.json", "application/json", {}, "1", "正文".encode()),
    ("nodebb", "nodebb/recent_posts.json", "application/json", {}, "2", b"LEAK-CANARY"),
    ("reddit_oauth", "reddit/listing_new.json", "application/json", {}, "t3_48fbm9", None),
    ("vk_search", "vk/newsfeed_search.json", "application/json", {}, "-1_1", b"LEAK-CANARY"),
    ("youtube_comments", "youtube/commentThreads.json", "application/json", {}, "Ugx", b"LEAK-CANARY"),
    ("misskey", "misskey/notes_local_timeline.json", "application/json", {}, "af1x2y3z4w", b"LEAK-CANARY"),
    ("hn_algolia", "hn_algolia/search_by_date.json", "application/json", {}, None, None),
    ("stackexchange", "stackexchange/questions.json", "application/json", {}, "1", b"LEAK-CANARY"),
    ("codepad", "codepad/recent.html", "text/html", {}, None, None),
    ("phpbb", "phpbb/feed.atom.xml", "application/atom+xml", {},
     "https://forum.example/viewtopic.php?p=2#p2", b"LEAK-CANARY"),
    ("reddit_rss", "reddit/new.rss.xml", "application/atom+xml", {}, "t3_1abcde0", b"LEAK-CANARY"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "sample", "media_type", "options", "first", "words"), READS)
def test_recorded_answers_are_read(name, sample, media_type, options, first, words):
    """Every entry of a recorded list has an id and an address; nothing is unreadable."""
    file = SAMPLES / sample
    if not file.exists():
        pytest.skip("the shared samples are not here")
    read = description.load(name)
    names = {"root": ROOT, "q": "x", **options}
    listing = read_list(read, read.lists[0], answer(file.read_bytes(), media_type), names, ROOT)
    assert listing.items
    assert listing.unreadable == 0
    assert all(item.item_id and item.url.startswith("http") for item in listing.items)
    assert first is None or listing.items[0].item_id == first
    assert words is None or any(words in part.data for part in listing.items[0].parts)
    if "time" in read.lists[0].fields:
        assert all(item.published_at is not None for item in listing.items)


@pytest.mark.parametrize("name", sorted({row[0] for row in READS}))
@pytest.mark.parametrize("body", ["<html><p>new</p></html>", '{"data": {"nodes": []}}', "nothing"])
def test_a_changed_layout_is_noticed(name, body):
    """A page unlike the description is a change, never an empty list."""
    read = description.load(name)
    with pytest.raises(FetchFailed) as failure:
        read_list(read, read.lists[0], answer(body, "text/html"), {"root": ROOT, "q": "x"}, ROOT)
    assert failure.value.reason is Reason.CHANGED


def test_an_entry_without_an_id_is_counted(tmp_path):
    """One unreadable entry among others is counted; if all are, the layout has changed."""
    read = description.read(write(tmp_path, GOOD))
    listing = read_list(read, read.lists[0], answer('[{"id": 1}, {"no": 2}]'), {"root": ROOT}, ROOT)
    assert (len(listing.items), listing.unreadable) == (1, 1)
    with pytest.raises(FetchFailed):
        read_list(read, read.lists[0], answer('[{"no": 1}]'), {"root": ROOT}, ROOT)


@pytest.mark.parametrize(
    ("page", "headers", "expected"),
    [
        ({"kind": "page", "param": "p"}, {}, ROOT + "/l?x=1&p=2"),
        ({"kind": "offset", "param": "o", "start": 0}, {}, ROOT + "/l?x=1&o=2"),
        ({"kind": "token", "param": "t", "from": "[0].t"}, {}, ROOT + "/l?x=1&t=abc"),
        ({"kind": "before_id", "param": "b", "from": "min"}, {}, ROOT + "/l?x=1&b=9"),
        ({"kind": "before_id", "param": "b", "from": "max"}, {}, ROOT + "/l?x=1&b=10"),
        ("link_header", {"Link": '<https://o.example.org/n?a=1,2>; rel="next", <x>; rel="prev"'}, "https://o.example.org/n?a=1,2"),
        ("none", {}, None),
    ],
)  # fmt: skip
def test_pagers(tmp_path, page, headers, expected):
    """Each pager says where the list goes on; ids are compared as numbers."""
    read = description.read(write(tmp_path, GOOD | {"page": page}))
    given = answer('[{"id": 10, "t": "abc"}, {"id": 9}]', **headers)
    listing = read_list(read, read.lists[0], given, {"root": ROOT}, ROOT + "/l?x=1")
    assert listing.next == expected


def test_addresses_wait_for_their_cursor():
    """A parameter that holds only a cursor is left out until there is one; options are quoted."""
    template = "{root}/a?q={q}&since={cursor}&at={cursor|epoch}"
    assert list_url(template, {"root": ROOT, "q": "病历 x", "cursor": ""}) == ROOT + "/a?q=%E7%97%85%E5%8E%86+x"
    later = list_url(template, {"root": ROOT, "q": "x", "cursor": "2026-11-20T00:00:00+00:00"})
    assert later == ROOT + "/a?q=x&since=2026-11-20T00%3A00%3A00%2B00%3A00&at=1795132800"


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-20T10:00:00Z",
        "Fri, 20 Nov 2026 10:00:00 GMT",
        "1795168800",
        "1795168800000",
        "2026-11-20T18:00:00+08:00",
    ],
)
def test_times_are_read_in_utc(text):
    """ISO, mail and epoch times, with any offset, are one moment."""
    assert moment(text) == datetime(2026, 11, 20, 10, tzinfo=UTC)


def test_fields_fall_back_and_filter():
    """`||` takes the first with a value; filters follow a bar; a bar in a regular expression stays."""
    from parsel import Selector

    item = Selector(text='<div><a href="/p/12?x">t <b>u</b></a><i class="z"> </i></div>')
    assert values("i.z || a", item) == ["t u"]
    assert values("a::attr(href)|re:/(?:p|q)/(\\d+)", item) == ["12"]
    assert values("xpath://a/@href|strip", item) == ["/p/12?x"]
    assert values('re:href="([^"]+)"', item) == ["/p/12?x"]


def test_a_page_that_spans_ids_may_show_few_of_them(tmp_path):
    """The next page lies below the lowest id; below what was asked for, if nothing lower was shown; and ends at 0."""
    read = description.read(write(tmp_path, GOOD | {"page": {"kind": "before_id", "param": "b", "step": 50}}))

    def following(body, asked):
        return read_list(read, read.lists[0], answer(body), {"root": ROOT}, ROOT + asked).next

    assert following('[{"id": 130}, {"id": 120}]', "/l") == ROOT + "/l?b=120"
    assert following('[{"id": 120}]', "/l?b=120") == ROOT + "/l?b=70"
    assert following("[]", "/l?b=70") == ROOT + "/l?b=20"
    assert following("[]", "/l?b=20") is None
    assert following("[]", "/l") is None


def test_a_list_that_leads_to_itself_ends(tmp_path):
    """A pager that says the same place again is at its end, instead of asking for ever."""
    read = description.read(write(tmp_path, GOOD | {"page": {"kind": "token", "param": "t", "from": "[0].t"}}))
    listing = read_list(read, read.lists[0], answer('[{"id": 1, "t": "a"}]'), {"root": ROOT}, ROOT + "/l?t=a")
    assert listing.next is None


def test_json_is_joined_with_what_stands_beside_its_list():
    """`beside` lets entries see what all share, `having` finds what their ids refer to, in the order of the answer."""
    media = [{"k": "a", "u": 1}, {"k": "b", "u": 2}, {"u": 3}]
    first, second = search("beside(data, media)", {"data": [{"id": 1, "keys": ["b", "a"]}, {"id": 2}], "media": media})
    assert values("having(beside, 'k', keys || `[]`)[].u", first) == ["1", "2"]
    assert values("having(beside, 'k', keys || `[]`)[].u", second) == []


def test_an_entry_of_another_shape_is_counted(tmp_path):
    """An expression that meets another type makes its entry unreadable, and no fault of ours."""
    rules = GOOD["list"] | {"text": "join(' ', texts)"}
    read = description.read(write(tmp_path, GOOD | {"list": rules}))
    body = '[{"id": 1, "texts": ["a"]}, {"id": 2, "texts": null}]'
    listing = read_list(read, read.lists[0], answer(body), {"root": ROOT}, ROOT)
    assert (len(listing.items), listing.unreadable) == (1, 1)
    read = description.read(write(tmp_path, GOOD | {"list": GOOD["list"] | {"items": "values(posts)"}}))
    with pytest.raises(FetchFailed) as failure:
        read_list(read, read.lists[0], answer('{"posts": 7}'), {"root": ROOT}, ROOT)
    assert failure.value.reason is Reason.CHANGED


def test_a_feed_loses_the_session_in_its_addresses(tmp_path):
    """`id` and `link` of a feed's list are filters on what the feed gives; without them it stays as it is."""
    feed = "<rss version='2.0'><channel><item><title>t</title><guid>https://f.example/?s=1&amp;t=2</guid></item></channel></rss>"
    for fields, expected in (({"id": r"re:.+|sub:s=\d&=>"}, "https://f.example/?t=2"), ({}, "https://f.example/?s=1&t=2")):
        read = description.read(write(tmp_path, {"kind": "feed", "list": {"url": "x", **fields}}))
        listing = read_list(read, read.lists[0], answer(feed, "application/rss+xml"), {}, ROOT)
        assert [item.item_id for item in listing.items] == [expected]


def test_a_refusal_is_read_in_its_own_charset(tmp_path):
    """A pattern in Chinese meets a page in GBK."""
    read = description.read(write(tmp_path, GOOD | {"fail": [{"re": "尚未登录", "means": "login-needed"}]}))
    page = '<meta charset="gbk"><p>抱歉，您尚未登录</p>'.encode("gbk")
    with pytest.raises(FetchFailed) as failure:
        read_list(read, read.lists[0], answer(page, "text/html"), {"root": ROOT}, ROOT)
    assert failure.value.reason is Reason.LOGIN
