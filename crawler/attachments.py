"""Which pictures and files belong to a page of HTML, and of which types they may be."""

import re
from collections.abc import Iterator
from urllib.parse import urljoin, urlsplit

from parsel import Selector

FILES = frozenset(
    [
        "pdf",
        "doc",
        "docx",
        "xls",
        "xlsx",
        "ppt",
        "pptx",
        "odt",
        "ods",
        "odp",
        "rtf",
        "csv",
        "tsv",
        "txt",
        "md",
        "json",
        "xml",
        "sql",
        "db",
        "log",
        "eml",
        "msg",
        "zip",
        "7z",
        "tar",
        "gz",
        "tgz",
        "bz2",
        "xz",
        "png",
        "jpg",
        "jpeg",
        "gif",
        "webp",
        "bmp",
        "tif",
        "tiff",
        "heic",
    ]
)
"""Extensions of linked files that are fetched with the page."""
MAX_ATTACHMENTS = 20
MEDIA_TYPES = re.compile(
    r"text/(?!css$|javascript$)|image/|message/rfc822$|application/(?:pdf|rtf|json|xml|zip|gzip|x-gzip|x-tar|x-bzip2|"
    r"x-xz|x-7z-compressed|x-rar-compressed|vnd\.rar|msword|x-sqlite3|vnd\.sqlite3|sql|csv|xhtml\+xml|ld\+json|"
    r"vnd\.ms-|vnd\.openxmlformats-|vnd\.oasis\.opendocument\.|x-zip-compressed|dicom)",
)
"""Declared types of pictures and files that may hold records."""
UNDECLARED = frozenset({"", "application/octet-stream", "binary/octet-stream", "application/download"})

_LAZY = ("data-src", "data-original", "data-lazy-src", "data-actualsrc", "data-lazy", "file", "zoomfile")
"""Where pages keep a picture that a script shows when it is scrolled to (`file`: Discuz!)."""
_PLACEHOLDER = re.compile(
    r"^data:|(?:blank|placeholder|loading|lazy|none|spacer|pixel|transparent|1x1)[^/]{0,100}$", re.IGNORECASE
)
_BACKGROUND = re.compile(r"background(?:-image)?\s{0,5}:[^;]{0,200}?url\(\s{0,5}[\"']?([^\"')]{1,2000})", re.IGNORECASE)


def attachments_of(selector: Selector, base: str) -> tuple[str, ...]:
    """Return the addresses of pictures and allow-listed files of a page, in order, each once."""
    found: list[str] = []
    for picture in selector.xpath("//img | //source | //video | //object | //embed"):
        found += _sources(dict(picture.attrib))
    for style in selector.xpath("//*[contains(@style, 'url(')]/@style").getall():
        found += _BACKGROUND.findall(style)
    found += selector.xpath("//*[@property='og:image']/@content").getall()
    found += [link for link in selector.xpath("//a/@href").getall() if is_file(link)]
    return absolute(found, base)


def is_file(link: str) -> bool:
    """Tell whether an address ends like a file that may hold records."""
    try:
        path = urlsplit(link).path
    except ValueError:
        return False
    return "." in path and path.rsplit(".", 1)[-1].lower() in FILES


def is_wanted(media_type: str, url: str) -> bool:
    """Tell by its declared type, or by its name where that says nothing, whether a body may hold records."""
    if media_type in UNDECLARED:
        name = urlsplit(url).path.rsplit("/", 1)[-1]
        return "." not in name or is_file(url)
    return MEDIA_TYPES.match(media_type) is not None


def is_text(media_type: str, url: str) -> bool:
    """Tell whether a body is declared as text."""
    return media_type.startswith("text/") or media_type in {"", "application/json", "application/xhtml+xml"}


def absolute(links: list[str], base: str) -> tuple[str, ...]:
    """Return http addresses, absolute, each once."""
    whole: dict[str, None] = {}
    for link in links:
        try:
            url = urljoin(base, link.strip())
        except ValueError:
            url = link
        if url.lower().startswith(("http://", "https://")):
            whole.setdefault(url.partition("#")[0])
    return tuple(whole)


def _sources(attributes: dict[str, str]) -> Iterator[str]:
    """Yield where one picture lies: what is shown later before what stands in its place, the largest of a set alone."""
    lazy = next((attributes[name] for name in _LAZY if attributes.get(name)), "")
    largest = _largest(attributes.get("srcset") or attributes.get("data-srcset") or "")
    shown = attributes.get("src") or attributes.get("data") or ""
    if lazy:
        yield lazy
    if largest:
        yield largest
    elif shown and not (lazy and _PLACEHOLDER.search(shown)):
        yield shown
    if attributes.get("poster"):
        yield attributes["poster"]


def _largest(candidates: str) -> str:
    """Return the largest picture of a `srcset`: `small.jpg 480w, large.jpg 2x`."""
    best, size = "", -1.0
    for candidate in re.findall(r"[^\s,][^\s]{0,2000}(?:\s+[\d.]{1,8}[wxh])?", candidates)[:50]:
        address, _, told = candidate.strip().rstrip(",").partition(" ")
        try:
            number = float(told.strip()[:-1]) if told.strip() else 1.0
        except ValueError:
            continue
        if number > size:
            best, size = address, number
    return best
