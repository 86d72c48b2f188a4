"""Addresses are found however people write them, and ordinary text is not taken for one."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.addresses import Address, addresses
from model.page import Part

KEY = "4wBqpZM9xaSheZzJSMawUKKwhdpChKbZ5eu5ky4Vigw"


def found(text, media_type="text/plain", charset="utf-8"):
    """Return the addresses in a text."""
    data = text.encode(charset)
    return list(addresses([Part("body", media_type, data, charset=charset)]))


def urls(text, media_type="text/plain", charset="utf-8"):
    """Return the addresses in a text that are meant for readers, each once."""
    return list(dict.fromkeys(address.url for address in found(text, media_type, charset) if address.meant))


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("see https://bpa.st/ABCD.", "https://bpa.st/ABCD"),
        ("(https://bpa.st/ABCD)", "https://bpa.st/ABCD"),
        ("[here](https://bpa.st/ABCD), then", "https://bpa.st/ABCD"),
        ("https://host.example/wiki/a_(b)", "https://host.example/wiki/a_(b)"),
        ("看这里：https://bpa.st/ABCD，快", "https://bpa.st/ABCD"),
        ("看https://bpa.st/ABCD。", "https://bpa.st/ABCD"),
        ("（https://bpa.st/ABCD）密码", "https://bpa.st/ABCD"),
        ("「https://bpa.st/ABCD」", "https://bpa.st/ABCD"),
        ("ｈｔｔｐｓ：／／bpa．st／ABCD", "https://bpa.st/ABCD"),
        ("hxxps://bpa.st/ABCD", "https://bpa.st/ABCD"),
        ("hXXp://bpa[.]st/ABCD", "http://bpa.st/ABCD"),
        ("https[:]//bpa[dot]st/ABCD", "https://bpa.st/ABCD"),
        ("h**ps://bpa(.)st/ABCD", "https://bpa.st/ABCD"),
        ("https://bpa【.】st/ABCD", "https://bpa.st/ABCD"),
        ("https://bpa.st/AB\u200bCD", "https://bpa.st/ABCD"),
        (f"https://bin.example/?5b65a01b43987bc2#{KEY}", f"https://bin.example/?5b65a01b43987bc2#{KEY}"),
        ("https://host.example/a?b=1&amp;c=2", "https://host.example/a?b=1&c=2"),
        ("https://例子.example/abc", "https://例子.example/abc"),
        ("x https://xn--fsqu00a.example/abc", "https://xn--fsqu00a.example/abc"),
    ],
)
def test_an_address_is_read_as_it_was_meant(text, url):
    """Punctuation around it, defanging, escapes and invisible characters do not matter; the fragment stays."""
    assert urls(text)[0] == url


@pytest.mark.parametrize(
    ("source", "url"),
    [
        ('<a href="https://bpa.st/ABCD">x</a>', "https://bpa.st/ABCD"),
        ("<p>https://bpa.st/AB<wbr>CD</p><p>next</p>", "https://bpa.st/ABCD"),
        ("<p>https://bpa.st/ABCD<br>EFGH</p>", "https://bpa.st/ABCD"),
        ('<span class="invisible">https://</span><span>bpa.st/AB</span><span>CD</span>', "https://bpa.st/ABCD"),
        ('<a href="//bpa.st/ABCD">x</a>', "https://bpa.st/ABCD"),
        ('<a href="https://bin.example/?5b65a01b43987bc2&#35;k&amp;x=1">x</a>', "https://bin.example/?5b65a01b43987bc2#k&x=1"),
    ],
)  # fmt: skip
def test_addresses_of_a_page_are_targets_and_text(source, url):
    """What a link leads to, and what stands in the text, put together over tags that only style it."""
    assert url in urls(source, "text/html")


def test_a_structured_part_holds_escaped_addresses():
    """JSON escapes slashes and ampersands."""
    text = r'{"a": "https:\/\/host.example\/a?b=1\u0026c=2", "b": 1}'
    assert [address.url for address in found(text, "application/json")] == ["https://host.example/a?b=1&c=2"]
    assert not found(text, "application/json")[0].meant


def test_what_stands_in_the_source_only_is_not_meant_for_readers():
    """A picture or a script of a page is no link; it is found all the same, and marked."""
    source = '<script>var a = "https://bpa.st/ABCD"</script><img src="https://host.example/logo.png">'
    assert urls(source, "text/html") == []
    assert {address.url for address in found(source, "text/html")} == {
        "https://bpa.st/ABCD", "https://host.example/logo.png",
    }  # fmt: skip


@pytest.mark.parametrize(
    "text", ["bpa.st/ABCD", "bpa . st/ABCD", "在 bpa.st/ABCD，", "bpa[.]st/ABCD", "bpa 。 st/ABCD", "www.bpa.st/ABCD"]
)
def test_an_address_without_a_scheme_is_marked_as_such(text):
    """It counts only where the host is a known one."""
    (address,) = found(text)
    assert address.naked
    assert address.url.removeprefix("//").removeprefix("www.") == "bpa.st/ABCD"


@pytest.mark.parametrize(
    "text", ["and/or", "1.2/3", "张三/李四", "a@paste.example/ABCD", "https://", "no links, e.g. this"]
)
def test_ordinary_text_is_no_address(text):
    """Nothing is found in what only looks a little like one."""
    assert found(text) == []


@pytest.mark.parametrize("charset", ["gb18030", "utf-16", "big5"])
def test_addresses_are_found_in_every_charset(charset):
    """The bytes are read as declared."""
    assert urls("看 https://bpa.st/ABCD ，", charset=charset) == ["https://bpa.st/ABCD"]


@given(st.text(alphabet=st.sampled_from("ahtps:/.#?<>&;\\u0[](){}*x。， \u200b%@-\n"), max_size=200))
def test_any_text_can_be_searched(text):
    """Whatever stands there, the search ends and gives absolute addresses."""
    for media_type in ("text/plain", "text/html", "application/json"):
        for address in found(text, media_type):
            assert isinstance(address, Address)
            assert address.url.startswith(("http", "//", "HTTP")) or "://" in address.url


@pytest.mark.parametrize(
    "unit", ["<script>", "<", "a.", "http://", "https://a/b ", "[.", "&amp;", "<b>", "a . ", "(", "\\u0041"]
)
def test_hostile_text_costs_no_more_than_its_length(unit):
    """Two megabytes of anything are searched in a moment."""
    text = "/ " + unit * (2_000_000 // len(unit))
    for media_type in ("text/plain", "text/html"):
        started = time.process_time()
        list(found(text, media_type))
        assert time.process_time() - started < 8.0
