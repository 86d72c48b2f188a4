"""Descriptions are read strictly, and read recorded answers as they should."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from crawler import description
from crawler.attachments import MAX_ATTACHMENTS
from crawler.expressions import moment, search, values
from crawler.fetcher import Answer
from crawler.generic import GenericSpider
from crawler.health import FetchFailed
from crawler.interface import SiteSettings
from crawler.reading import read_list
from crawler.templates import list_url, parameter
from model.errors import ConfigError
from model.page import Reason
from tests.crawler.crawls import FileSink
from tests.crawler.recordings import Recording, played

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
    assert read.profile.about
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
    ("opengist", "opengist/gists_public.json", "application/json", {"api": "api"},
     "8622b297bce54b408e36d546cef8019d@2026-11-21T10:00:00Z", b"LEAK-CANARY"),
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
    ("pastebin_scrape", "pastebin/api_scraping_item.json", "application/json", {}, "0CeaNm8Y", None),
    ("pastebin_archive", "pastebin/archive.html", "text/html", {}, "AbCdEf12", b"LEAK-CANARY"),
    ("github_gists", "github_gist/gists_public_since.json", "application/json", {},
     "69b8a5831b74946db944c5451017fa40@2018-10-02T10:38:40Z", b"flasks.gs"),
    ("searxng", "searxng/search.json", "application/json", {}, "https://example.org/1", b"snippet"),
    ("brave", "brave_search/web.json", "application/json", {}, "https://example.org/1", b"snippet"),
    ("ransomware_live", "ransomware_live/v2_recentvictims.json", "application/json", {}, None, b"Healthcare"),
    ("ransomlook", "ransomlook/api_recent.json", "application/json", {}, None, None),
    ("ahmia", "ahmia/results.html", "text/html", {}, None, None),
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


def test_an_entry_that_cannot_be_computed_is_counted(tmp_path):
    """A sum of a word and nothing leaves out this entry alone, and says so; of all entries, it is a change."""
    read = description.read(write(tmp_path, GOOD | {"list": GOOD["list"] | {"id": "join('|', [a, b])"}}))
    listing = read_list(read, read.lists[0], answer('[{"a": "1", "b": "2"}, {"a": "1"}]'), {"root": ROOT}, ROOT)
    assert ([item.item_id for item in listing.items], listing.unreadable) == (["1|2"], 1)
    with pytest.raises(FetchFailed):
        read_list(read, read.lists[0], answer('[{"a": "1"}]'), {"root": ROOT}, ROOT)


def test_raw_content_may_be_asked_for_some_entries_alone(tmp_path):
    """`raw.when` is true or false in JSON, and a value or none in HTML."""
    whole = {"raw": {"url": "{root}/{id}", "type": "text", "when": "cut"}}
    read = description.read(write(tmp_path, GOOD | whole))
    given = answer('[{"id": 1, "cut": true}, {"id": 2, "cut": false}, {"id": 3}, {"id": 4, "cut": ""}]')
    listing = read_list(read, read.lists[0], given, {"root": ROOT}, ROOT)
    assert [item.fields["raw_urls"] for item in listing.items] == [(ROOT + "/1",), (), (), ()]
    pages = {"kind": "html", "list": {"url": "{root}/l", "items": "li", "id": "a::text"}}
    read = description.read(write(tmp_path, GOOD | pages | {"raw": whole["raw"] | {"when": ".more"}}))
    given = answer("<li><a>1</a><i class=more>…</i></li><li><a>2</a></li>", "text/html")
    listing = read_list(read, read.lists[0], given, {"root": ROOT}, ROOT)
    assert [item.fields["raw_urls"] for item in listing.items] == [(ROOT + "/1",), ()]


@pytest.mark.parametrize("codec", ["utf-8", "gb18030"])
def test_a_refusal_in_chinese_is_understood_in_both_encodings(tmp_path, codec):
    """A pattern of `fail` fits the words however the page writes them."""
    read = description.read(write(tmp_path, GOOD | {"fail": [{"re": "访问.{0,9}频繁", "means": "rate-limited"}]}))
    with pytest.raises(FetchFailed) as failure:
        read_list(read, read.lists[0], answer("您的访问过于频繁".encode(codec)), {"root": ROOT}, ROOT)
    assert failure.value.reason is Reason.RATE_LIMITED


@pytest.mark.parametrize(
    ("page", "headers", "expected"),
    [
        ({"kind": "page", "param": "p"}, {}, ROOT + "/l?x=1&p=2"),
        ({"kind": "offset", "param": "o", "start": 0}, {}, ROOT + "/l?x=1&o=2"),
        ({"kind": "token", "param": "t", "from": "[0].t"}, {}, ROOT + "/l?x=1&t=abc"),
        ({"kind": "before_id", "param": "b", "from": "min"}, {}, ROOT + "/l?x=1&b=9"),
        ({"kind": "before_id", "param": "b", "from": "max"}, {}, ROOT + "/l?x=1&b=10"),
        ("link_header", {"Link": '<https://o.example.org/n?a=1,2>; rel="next", <x>; rel="prev"'}, "https://o.example.org/n?a=1,2"),
        ({"kind": "page", "param": "p", "most": 2}, {}, ROOT + "/l?x=1&p=2"),
        ("none", {}, None),
    ],
)  # fmt: skip
def test_pagers(tmp_path, page, headers, expected):
    """Each pager says where the list goes on; ids are compared as numbers."""
    read = description.read(write(tmp_path, GOOD | {"page": page}))
    given = answer('[{"id": 10, "t": "abc"}, {"id": 9}]', **headers)
    listing = read_list(read, read.lists[0], given, {"root": ROOT}, ROOT + "/l?x=1")
    assert listing.next == expected


@pytest.mark.parametrize(
    ("page", "pages"),
    [
        ({"kind": "page", "param": "p", "most": 3}, ["1", "2", "3"]),
        ({"kind": "page", "param": "p", "start": 0, "most": 2}, ["0", "1"]),
        ({"kind": "page", "param": "p", "most": 1}, ["1"]),
        ({"kind": "offset", "param": "p", "start": 0, "step": 20, "most": 3}, ["0", "20", "40"]),
        ({"kind": "offset", "param": "p", "start": 0, "most": 2}, ["0", "2"]),
    ],
)
def test_a_pager_stops_at_most(tmp_path, page, pages):
    """`most` is how many pages one scan asks for, wherever the numbers begin."""
    read = description.read(write(tmp_path, GOOD | {"page": page}))
    asked, place = ROOT + "/l", page.get("start", 1)
    seen = []
    while asked is not None and len(seen) < 10:
        seen.append(str(place))
        asked = read_list(read, read.lists[0], answer('[{"id": 10}, {"id": 9}]'), {"root": ROOT}, asked).next
        place = parameter(asked, "p") if asked else ""
    assert seen == pages


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


def test_a_digest_changes_with_what_is_written():
    """The mark of a value is the same for the same words, however they are laid out."""
    assert values("text|digest", {"text": "ward  7\n"}) == values("text|digest", {"text": " ward 7"})
    assert values("text|digest", {"text": "ward 7"}) != values("text|digest", {"text": "ward 8"})


FEED = """<feed xmlns="http://www.w3.org/2005/Atom" xml:base="https://site.example.org/a/"><title>t</title><id>f</id>
<entry xml:base="b/"><id>tag:1</id><title>{title}</title><link href="one"/><published>2026-11-20T10:00:00Z</published>
<updated>{updated}</updated><content type="html" xml:base="c/">&lt;img src="p.png"&gt;</content></entry></feed>"""


def feed(title="ward", updated="2026-11-20T10:00:00Z"):
    """Return the only item of a feed."""
    read = description.load("feed")
    body = FEED.format(title=title, updated=updated)
    return read_list(read, read.lists[0], answer(body, "application/atom+xml"), {"url": ROOT}, ROOT).items[0]


def test_an_edited_entry_of_a_feed_is_a_new_one():
    """What was changed later is told by its content; a feed that only stamps its entries anew gives nothing new."""
    later = "2026-11-21T00:00:00Z"
    assert feed().item_id == "tag:1"
    assert feed("bed 4", later).item_id not in {"tag:1", feed("bed 5", later).item_id}
    assert feed("bed 4", later).item_id == feed("bed 4", "2026-11-22T00:00:00Z").item_id


def test_relative_links_of_a_feed_start_from_their_base():
    """xml:base nests; the picture in a body starts from the base of that body."""
    assert feed().url == "https://site.example.org/a/b/one"
    assert feed().attachments == ("https://site.example.org/a/b/c/p.png",)


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
    for fields, expected in (
        ({"id": r"re:.+|sub:s=\d&=>"}, "https://f.example/?t=2"),
        ({}, "https://f.example/?s=1&t=2"),
    ):
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


def test_a_snippet_of_very_many_files_is_read_so_far(tmp_path):
    """The files beyond the limit are counted, and the others kept."""
    files = [{"raw_url": f"{ROOT}/{number}"} for number in range(MAX_ATTACHMENTS + 2)]
    entry = {"id": 1, "created_at": "2026-11-20T00:00:00Z", "web_url": ROOT, "files": files}
    answers = [{"url": f"{ROOT}/api/v4/snippets/public?per_page=100", "text": json.dumps([entry])}]
    answers += [{"url": f"{ROOT}/{number}", "text": "x"} for number in range(MAX_ATTACHMENTS)]
    options = {"use": "gitlab_snippets", "root": ROOT}
    recording = Recording("many", tmp_path, options=options, scans=[{"answers": answers}])
    sink = FileSink(tmp_path / "sink")
    assert played(recording, 0, sink).failed == {Reason.LIMIT: 2}
    assert sum(part.provenance == "body" for part in sink.kept[0].parts) == MAX_ATTACHMENTS


def test_a_secret_in_an_address_is_withheld(tmp_path, monkeypatch):
    """A site that wants its key in the query gets it there, and the evidence does not."""
    monkeypatch.setenv("A_KEY", "s3cret/+")
    rules = {"url": "{root}/l?key={key}", "items": "[]", "id": "id", "text": "text"}
    write(tmp_path, GOOD | {"options": {"root": None, "key": None}, "list": rules})
    answers = [{"url": f"{ROOT}/l?key=s3cret%2F%2B", "text": '[{"id": 1, "text": "x"}]'}]
    options = {"use": "mine", "root": ROOT, "key": "env:A_KEY"}
    recording = Recording("secret", tmp_path, options=options, scans=[{"answers": answers}])
    sink = FileSink(tmp_path / "sink")
    assert played(recording, 0, sink, descriptions=tmp_path).fetched == 1
    (page,) = sink.kept
    assert page.url == page.exchanges[0].url == f"{ROOT}/l?key=(withheld)"
