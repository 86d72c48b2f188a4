"""How answers become the parts of a page: whole web pages, and the pictures and files that belong to an item."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from parsel import Selector

from crawler.attachments import MAX_ATTACHMENTS, attachments_of, is_text, is_wanted
from crawler.charset import text_of
from crawler.fetcher import Answer, Fetcher, Wants
from crawler.health import FetchFailed
from crawler.spider import Capture
from model.page import Exchange, Part, Reason

MOST_BYTES = 60_000_000
"""Of all pictures and files of one item."""


@dataclass(slots=True)
class Whole:
    """A capture with its pictures and files. Its repr shows no content."""

    parts: list[Part] = field(repr=False)
    exchanges: list[Exchange] = field(repr=False)
    failed: Counter[Reason]
    """Pictures and files that did not come, by reason."""


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


async def with_attachments(
    fetcher: Fetcher,
    captured: Capture,
    *,
    images: bool = True,
    obey_robots: Callable[[str], bool | None] = lambda _: None,
    headers: Mapping[str, str] | None = None,
) -> Whole:
    """Return the capture with its pictures and files fetched, as far as the caps go; without `images` with none.

    `obey_robots` decides for an address, as in `Wants`; `headers` go with every request.
    """
    whole = Whole(list(captured.parts), list(captured.exchanges), Counter())
    if not images:
        whole.failed.update([Reason.LEFT_ALONE] * len(captured.attachments))
        return whole
    left = MOST_BYTES
    for number, url in enumerate(captured.attachments, 1):
        if number > MAX_ATTACHMENTS or left <= 0:
            whole.failed[Reason.LIMIT] += 1
            continue
        try:
            wants = Wants(left, is_wanted, obey_robots(url))
            answer = await fetcher.get(url, "attachment", headers=headers, wants=wants)
        except FetchFailed as failure:
            whole.failed[failure.reason] += 1
            continue
        left -= len(answer.body)
        whole.parts.append(attachment_part(answer, number))
        whole.exchanges.extend(answer.exchanges)
    return whole


def link_wants(*, images: bool, obey_robots: bool | None) -> Wants:
    """Return what an answer behind a link may be."""
    return Wants(MOST_BYTES, is_wanted if images else is_text, obey_robots)
