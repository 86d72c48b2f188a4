"""Scans of servers that nobody here wrote: bepasty, pinnwand and the AT Protocol data server."""

import zlib

import pytest

from crawler.interface import SiteSettings
from tests.crawler.crawls import check, network, scan, site

pytestmark = pytest.mark.server


def host(server):
    """Return host:port of a server."""
    return server.url.removeprefix("http://")


def test_bepasty_gives_new_pastes_and_files_once(bepasty, tmp_path):
    """Text and binary files arrive as posted; the next scan brings only what is new."""
    here = site("bepasty", options={"root": bepasty.url})
    bepasty.post_text("病历 first", "one.txt")
    bepasty.post_file(b"\x89PNG\r\n\x1a\n" + zlib.compress(b"x"), "two.png", "image/png")
    scan(here, network(host(bepasty)), tmp_path)
    bepasty.post_text("third", "three.txt")
    outcome = scan(here, network(host(bepasty)), tmp_path)
    bodies = {part.data for page in outcome.sink.kept for part in page.parts if part.provenance == "body"}
    assert {"病历 first".encode(), b"third"} <= bodies
    assert any(part.media_type == "image/png" and part.name == "two.png" for p in outcome.sink.kept for part in p.parts)
    assert outcome.result.fetched == 1


def test_a_post_leads_to_an_unlisted_paste(pds, pinnwand, tmp_path):
    """A post on the data server links to a pinnwand paste of two files: both come, with the post's picture."""
    account = pds.join("crawled")
    address = pinnwand.post_texts({"a.txt": "unlisted 一", "b.txt": "unlisted 二"})
    address = pinnwand.url + "/" + address.rsplit("/", 1)[1]
    for number in range(3):
        pds.post(account, f"ordinary {number}")
    pds.post(account, f"look {address}", picture=b"\x89PNG picture", alt="a screen")
    here: SiteSettings = site("atproto_pds", options={"root": pds.url})
    rules = network(host(pds), host(pinnwand), link_hosts={"pinnwand": (host(pinnwand),)})
    first = scan(here, rules, tmp_path)
    linked = [page for page in first.sink.kept if page.why.startswith("linked")]
    data = {part.data for page in linked for part in page.parts}
    assert {"unlisted 一".encode(), "unlisted 二".encode()} <= data
    assert any(part.data == b"\x89PNG picture" for page in first.sink.kept for part in page.parts)
    pds.post(account, "later")
    assert scan(here, rules, tmp_path).result.fetched == 1


def test_a_post_leads_to_an_unlisted_file(pds, bepasty, tmp_path):
    """A post links to a file on bepasty: its bytes come, whatever they are."""
    account = pds.join("filer")
    address = bepasty.post_file(b"PK\x03\x04 not really", "list.xlsx", "application/octet-stream")
    pds.post(account, f"下载 {address}，快")
    rules = network(host(pds), host(bepasty), link_hosts={"bepasty": (host(bepasty),)})
    outcome = scan(site("atproto_pds", options={"root": pds.url}), rules, tmp_path)
    (page,) = [page for page in outcome.sink.kept if page.why.startswith("linked") and host(bepasty) in page.url]
    assert [(part.name, part.data) for part in page.parts] == [("list.xlsx", b"PK\x03\x04 not really")]


def test_an_unlisted_paste_can_be_checked_by_hand(pinnwand, tmp_path):
    """`check` of a paste's address fetches its files, too."""
    address = pinnwand.url + "/" + pinnwand.post_text("by hand").rsplit("/", 1)[1]
    rules = network(host(pinnwand), link_hosts={"pinnwand": (host(pinnwand),)})
    page = check(address, rules, tmp_path).result.page
    assert any(part.data == b"by hand" for part in page.parts)
