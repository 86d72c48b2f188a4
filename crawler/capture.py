"""How answers become the parts of a page: attachments, linked pastes, whole web pages."""

import re
from urllib.parse import urljoin

from parsel import Selector

from crawler.attachments import attachments_of
from crawler.charset import text_of
from crawler.fetcher import Answer, Fetcher
from crawler.health import FetchFailed
from crawler.links import Link
from crawler.spider import Capture
from model.page import Part, Reason

MAX_FILES = 20


def attachment_part(answer: Answer, number: int) -> Part:
    """Return a fetched picture or file as a part of its page."""
    if answer.media_type.startswith("image/"):
        return answer.part(f"image {number}")
    return answer.part(f"attachment {answer.file_name}" if answer.file_name else f"attachment {number}")


def web_page_capture(answer: Answer) -> Capture:
    """Return a web page, or any file, with the addresses of its pictures and files."""
    links: tuple[str, ...] = ()
    if answer.media_type in {"text/html", "application/xhtml+xml"}:
        links = attachments_of(Selector(text=text_of(answer) or " ", type="html"), answer.url)
    return Capture(parts=(answer.part("body"),), exchanges=answer.exchanges, attachments=links)


async def linked_capture(fetcher: Fetcher, link: Link) -> Capture:
    """Fetch the paste behind a link: its content, or its page and every file the page offers."""
    if not link.resolver.page_too:
        answer = await fetcher.get(link.content_url)
        return Capture(parts=(answer.part("body"),), exchanges=answer.exchanges)
    try:
        page = await fetcher.get(link.url)
    except FetchFailed as failure:
        if failure.reason is not Reason.GONE:
            raise
        raw = await fetcher.get(link.content_url)
        return Capture(parts=(raw.part("body"),), exchanges=raw.exchanges)
    parts, exchanges = [page.part("body")], list(page.exchanges)
    files = dict.fromkeys(re.findall(link.resolver.files, text_of(page)))
    for file in list(files)[:MAX_FILES]:
        answer = await fetcher.get(urljoin(page.url, file))
        parts.append(answer.part(f"attachment {answer.file_name}"))
        exchanges.extend(answer.exchanges)
    return Capture(parts=tuple(parts), exchanges=tuple(exchanges))
