"""Which pictures and files belong to a page of HTML."""

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


def attachments_of(selector: Selector, base: str) -> tuple[str, ...]:
    """Return the addresses of pictures and allow-listed files of a page, in order, each once."""
    found = selector.xpath("//img/@src | //img/@data-src | //video/@poster | //object/@data | //embed/@src").getall()
    found += selector.xpath("//source/@src | //*[@property='og:image']/@content").getall()
    found += [link for link in selector.xpath("//a/@href").getall() if is_file(link)]
    return absolute(found, base)


def is_file(link: str) -> bool:
    """Tell whether an address ends like a file that may hold records."""
    try:
        path = urlsplit(link).path
    except ValueError:
        return False
    return "." in path and path.rsplit(".", 1)[-1].lower() in FILES


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
