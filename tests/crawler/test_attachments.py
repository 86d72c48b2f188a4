"""Pictures and files of a page are found wherever pages put them, and only types that may hold records are fetched."""

import pytest
from parsel import Selector

from crawler.attachments import attachments_of, is_text, is_wanted

BASE = "https://forum.example/t/1"


def found(source):
    """Return the addresses of a page, without what they have in common."""
    urls = attachments_of(Selector(text=source, type="html"), BASE)
    return [url.removeprefix("https://forum.example") for url in urls]


@pytest.mark.parametrize(
    ("source", "urls"),
    [
        ('<img src="/a.png">', ["/a.png"]),
        ('<img src="/a.png"><img src="/a.png#x">', ["/a.png"]),
        ('<img src="data:image/gif;base64,R0" data-src="/a.png">', ["/a.png"]),
        ('<img src="/static/blank.gif" data-original="/a.png">', ["/a.png"]),
        ('<img src="/static/none.gif" file="/data/attachment/a.jpg">', ["/data/attachment/a.jpg"]),
        ('<img src="/shown.png" data-src="/later.png">', ["/later.png", "/shown.png"]),
        ('<img src="/m.png" srcset="/s.png 480w, /l.png 1024w, /m.png 800w">', ["/l.png"]),
        ('<img srcset="/a,b.png 1x, /a,b-2.png 2x">', ["/a,b-2.png"]),
        ('<picture><source srcset="/a.webp 1x"><img src="/a.png"></picture>', ["/a.webp", "/a.png"]),
        ("""<a class="photo" style="width:4px;background-image:url('/p.jpg')"></a>""", ["/p.jpg"]),
        ('<i style="background: #fff url(/q.jpg) no-repeat"></i>', ["/q.jpg"]),
        ('<video src="/v.mp4" poster="/p.jpg"></video>', ["/v.mp4", "/p.jpg"]),
        ('<meta property="og:image" content="/og.png">', ["/og.png"]),
        ('<a href="/list.XLSX?x=1">l</a><a href="/page">p</a><a href="/x.exe">e</a>', ["/list.XLSX?x=1"]),
        ('<object data="/d.pdf"></object><embed src="/e.pdf">', ["/d.pdf", "/e.pdf"]),
        ('<a href="javascript:x.pdf">j</a><img src="file:///etc/a.png">', []),
        ('<img src="http://[broken/a.png"><img src="/ok.png">', ["http://[broken/a.png", "/ok.png"]),
    ],
)
def test_where_pages_keep_their_pictures_and_files(source, urls):
    """Shown, shown later, the largest of a set, in a style, behind a link; what stands in a picture's place is not."""
    assert found(source) == urls


@pytest.mark.parametrize(
    ("media_type", "url", "wanted"),
    [
        ("image/png", "https://a.example/x", True),
        ("text/html", "https://a.example/x", True),
        ("application/pdf", "https://a.example/x.bin", True),
        ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "https://a.example/x", True),
        ("application/octet-stream", "https://a.example/list.xlsx", True),
        ("application/octet-stream", "https://a.example/setup.exe", False),
        ("application/octet-stream", "https://a.example/AbCdEf", True),
        ("", "https://a.example/AbCdEf", True),
        ("video/mp4", "https://a.example/x.png", False),
        ("audio/mpeg", "https://a.example/x.txt", False),
        ("text/css", "https://a.example/x", False),
        ("font/woff2", "https://a.example/x", False),
        ("application/x-msdownload", "https://a.example/x.pdf", False),
    ],
)
def test_types_that_may_hold_records(media_type, url, wanted):
    """The declared type decides; where it says nothing, the name."""
    assert is_wanted(media_type, url) is wanted


def test_text_is_text():
    """Over Tor nothing else is loaded."""
    assert is_text("text/plain", "")
    assert is_text("application/json", "")
    assert not is_text("image/png", "")
    assert not is_text("application/pdf", "")
