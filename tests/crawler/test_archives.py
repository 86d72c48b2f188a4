"""Archives and sitemaps over a real wire, with what a hostile one would send."""

import gzip
import json
from io import BytesIO

import pytest
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

from crawler import archives
from crawler.spiders.commoncrawl import MAX_RECORD, CommonCrawl
from crawler.spiders.sitemap import LARGEST
from model.errors import ConfigError
from model.page import Reason
from model.scan import SiteState
from tests.crawler.crawls import network, scan, site
from tests.crawler.loopback import Loopback, Reply

INDEX = "CC-MAIN-2026-43"


def record(body, packed=False):
    """Return one response record of a WARC file, as its own gzip member."""
    coding = [("Content-Encoding", "gzip")] if packed else []
    head = StatusAndHeaders("200 OK", [("Content-Type", "text/csv; charset=utf-8"), *coding], protocol="HTTP/1.1")
    out = BytesIO()
    writer = WARCWriter(out, gzip=True)
    writer.write_record(
        writer.create_warc_record("https://a.example/w.csv", "response", payload=BytesIO(body), http_headers=head)
    )
    return out.getvalue()


def crawl(server, *records):
    """Serve a crawl that holds these records of a.example in one archive file, and its index."""
    file, lines = b"", []
    for number, data in enumerate(records):
        entry = {
            "urlkey": f"example,a)/{number}",
            "timestamp": "20261001000000",
            "url": f"https://a.example/{number}.csv",
        }
        entry |= {"mime": "text/csv", "status": "200", "digest": f"D{number}", "filename": "crawl-data/x.warc.gz"}
        lines.append(json.dumps(entry | {"offset": str(len(file)), "length": str(len(data))}))
        file += data

    def ranged(asked):
        first, last = (int(text) for text in asked.headers["range"].removeprefix("bytes=").split("-"))
        where = {"Content-Range": f"bytes {first}-{last}/{len(file)}", "Content-Type": "application/octet-stream"}
        return Reply(file[first : last + 1], status=206, headers=where)

    def index(asked):
        return Reply('{"pages": 1}' if "showNumPages" in asked.path else "\n".join(lines))

    server.routes["/collinfo.json"] = Reply(json.dumps([{"id": INDEX}]), headers={"Content-Type": "application/json"})
    server.routes[f"/{INDEX}-index"] = index
    server.routes["/crawl-data/x.warc.gz"] = ranged
    return site("commoncrawl", every=3600.0, options={"domain": "a.example", "root": server.root, "data": server.root})


def test_records_come_out_of_the_archive_by_their_range(tmp_path):
    """Each document is cut out of the file and unpacked twice; the next scan asks only for the list of indexes."""
    with Loopback() as server:
        watched = crawl(server, record(b"bed 4"), record(gzip.compress("唐小满".encode()), packed=True))
        first = scan(watched, network(server.host), tmp_path)
        assert [page.parts[0].data.decode() for page in first.sink.kept] == ["bed 4", "唐小满"]
        assert first.sink.kept[0].parts[0].charset == "utf-8"
        server.asked.clear()
        assert scan(watched, network(server.host), tmp_path).result.state is SiteState.WORKING
        assert [path for path in server.paths() if path != "/robots.txt"] == ["/collinfo.json"]


def test_a_record_that_unpacks_without_end_is_given_up(tmp_path):
    """A bomb inside a record is unpacked up to the limit; the document beside it is kept."""
    bomb = gzip.compress(b"0" * (MAX_RECORD + 10_000_000))
    with Loopback() as server:
        watched = crawl(server, record(bomb, packed=True), record(b"bed 4"))
        done = scan(watched, network(server.host), tmp_path)
        assert [page.parts[0].data for page in done.sink.kept] == [b"bed 4"]
        assert done.result.failed == {Reason.TOO_BIG: 1}


def test_a_sitemap_is_read_over_the_wire(tmp_path):
    """An index leads to a packed sitemap, and that to its pages; an index that has not changed still leads there."""
    with Loopback() as server:
        index = f"<sitemapindex><sitemap><loc>{server.root}/s.gz</loc></sitemap></sitemapindex>"
        pages = f"<urlset><url><loc>{server.root}/a</loc><lastmod>2026-11-20</lastmod></url></urlset>"
        server.routes["/robots.txt"] = Reply(f"User-agent: *\nDisallow: /private\nSitemap: {server.root}/index.xml\n")
        kind = {"Content-Type": "application/gzip", "ETag": '"1"'}
        server.routes["/s.gz"] = lambda asked: (
            Reply(status=304)
            if asked.headers.get("if-none-match")
            else Reply(gzip.compress(pages.encode()), headers=kind)
        )
        server.routes["/index.xml"] = lambda asked: (
            Reply(status=304) if asked.headers.get("if-none-match") else Reply(index, headers={"ETag": '"i"'})
        )
        server.routes["/a"] = Reply("<p>Margaret Holloway</p>", headers={"Content-Type": "text/html"})
        watched = site("sitemap", every=600.0, options={"root": server.root})
        first = scan(watched, network(server.host), tmp_path)
        assert [page.item_id for page in first.sink.kept] == [f"{server.root}/a@2026-11-20"]
        server.asked.clear()
        second = scan(watched, network(server.host), tmp_path)
        assert server.paths()[-2:] == ["/index.xml", "/s.gz"]
        assert (second.result.fetched, second.result.known, second.result.state) == (0, 1, SiteState.WORKING)


def test_a_sitemap_that_unpacks_without_end_is_refused(tmp_path):
    """What is larger than sitemaps may be is a bomb, and unpacked no further."""
    with Loopback() as server:
        server.routes["/sitemap.xml"] = Reply(gzip.compress(b"<" + b" " * (LARGEST + 1_000_000)))
        done = scan(site("sitemap", every=600.0, options={"root": server.root}), network(server.host), tmp_path)
        assert done.result.reason is Reason.BOMB


@pytest.mark.parametrize("options", [{}, {"domain": "https://a.example/"}, {"domain": ["a.example", "*"]}])
def test_only_domains_are_looked_up(options):
    """An option that is no domain is an error that names the site."""
    with pytest.raises(ConfigError, match=r"sites\.here"):
        CommonCrawl(site("commoncrawl", options=options))


def test_a_place_is_read_as_it_was_written():
    """What is kept between scans says the same again."""
    place = archives.Place(list="CC", next="a b%2C", began="20261124120000", done=True)
    assert archives.Place.read(place.text()) == place
    assert archives.Place.read(None) == archives.Place()
