"""Places whose content is a web page, or stands behind a link on one."""

import re
from collections.abc import Sequence
from urllib.parse import urljoin

from parsel import Selector

from crawler.attachments import absolute, attachments_of
from crawler.charset import text_of
from crawler.health import FetchFailed
from crawler.resolvers.interface import Link, Opener, Reader
from crawler.spider import Capture
from model.page import Part, Reason

HTML = frozenset({"text/html", "application/xhtml+xml"})


async def read_page(opener: Opener, link: Link, post: Sequence[Part]) -> Capture:
    """Return a web page as it is, with the addresses of its pictures and files."""
    answer = await opener.get(link.content_url)
    pictures: tuple[str, ...] = ()
    if answer.media_type in HTML:
        pictures = attachments_of(Selector(text=text_of(answer) or " ", type="html"), answer.url)
    return Capture((answer.part("body"),), answer.exchanges, pictures)


async def read_picture_page(opener: Opener, link: Link, post: Sequence[Part]) -> Capture:
    """Return the page around a picture, and the picture that it names as its own."""
    answer = await opener.get(link.content_url)
    if answer.media_type not in HTML:
        return Capture((answer.part("body"),), answer.exchanges)
    named = Selector(text=text_of(answer) or " ", type="html").xpath(
        "//meta[@property='og:image' or @name='twitter:image']/@content"
    )
    pictures = absolute(named.getall(), answer.url)
    if not pictures:
        raise FetchFailed(Reason.CHANGED, "the page names no picture")
    return Capture((answer.part("body"),), answer.exchanges, pictures[:1])


def with_files(pattern: str) -> Reader:
    """Return a reader of pastes that may hold several files, which their page links to as the pattern's group says."""

    async def read_with_files(opener: Opener, link: Link, post: Sequence[Part]) -> Capture:
        """Return the page, with the addresses of its files; a file that has no page of its own alone."""
        try:
            page = await opener.get(link.url.partition("#")[0])
        except FetchFailed as failure:
            if failure.reason is not Reason.GONE:
                raise
            raw = await opener.get(link.content_url)
            return Capture((raw.part("body"),), raw.exchanges)
        return Capture((page.part("body"),), page.exchanges, absolute(re.findall(pattern, text_of(page)), page.url))

    return read_with_files


def behind(pattern: str) -> Reader:
    """Return a reader of places whose raw content is linked on the item's page, where the pattern's group finds it."""

    async def read_behind(opener: Opener, link: Link, post: Sequence[Part]) -> Capture:
        """Return the content behind the page."""
        page = await opener.get(link.url.partition("#")[0])
        found = re.search(pattern.replace("{id}", re.escape(link.id)), text_of(page))
        if found is None:
            raise FetchFailed(Reason.CHANGED, "the page does not link to its raw content any more")
        raw = await opener.get(urljoin(page.url, found[1]))
        return Capture((raw.part("body"),), (*page.exchanges, *raw.exchanges))

    return read_behind
