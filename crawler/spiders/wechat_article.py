"""WeChat articles that the operator names: read again and again, so that an edit is seen and a deletion is told.

Each article is a list of its own with one item, `https://mp.weixin.qq.com/s/…`; `crawler/wechat.py` says how a page is
read. There is no documentation by WeChat. Find articles by hand in WeChat's own search, or with wechat_sogou.
"""

from collections.abc import AsyncIterator
from hashlib import sha256
from typing import ClassVar
from urllib.parse import urlsplit

from crawler.fetcher import Fetcher
from crawler.health import FetchFailed
from crawler.interface import SiteSettings, Validators
from crawler.profile import Profile, Tested
from crawler.spider import Capture, Item, Listing, SiteSpider, Stream
from crawler.wechat import HOSTS, article_id, read_article
from model.errors import ConfigError
from model.page import Reason


class WechatArticle(SiteSpider):
    """Named articles, each with its pictures; a changed text is a new item."""

    options: ClassVar[frozenset[str]] = frozenset({"urls", "hosts"})
    profile = Profile(
        about="WeChat articles that you name, with their pictures; tells when one is changed or taken away (code)",
        mode="watch list",
        limits="one request in 10 s; long addresses (/s?__biz=…) soon lead to a captcha, short ones (/s/…) less",
        terms="WeChat's terms forbid crawling (from memory); this reads single articles whose address you were given.",
        every=3600.0,
        delay=10.0,
        tested=Tested("recording", "2026-11-24"),
    )

    def __init__(self, site: SiteSettings) -> None:
        """Take `urls`, the addresses of articles; `hosts` says where else articles may lie (a mirror, a test)."""
        super().__init__(site)
        named = site.options.get("urls")
        self.urls = [str(url) for url in (named if isinstance(named, list) else [named] if named else [])]
        hosts = {*HOSTS, *(str(host) for host in site.options.get("hosts") or ())}
        if not self.urls:
            raise ConfigError(f"sites.{site.name}: 'wechat_article' needs the option 'urls': addresses of articles")
        for number, url in enumerate(self.urls, 1):
            if urlsplit(url).netloc not in hosts:
                raise ConfigError(f"sites.{site.name}.urls, number {number}: not an address on {' or '.join(hosts)}")
        self.barred: FetchFailed | None = None
        """What WeChat said when it asked for a captcha: no more is asked for in this scan."""

    async def streams(self, fetcher: Fetcher) -> AsyncIterator[Stream]:
        """Yield a list for each article."""
        for name, url in {article_id(url): url for url in self.urls}.items():
            yield Stream(name=f"article {sha256(name.encode()).hexdigest()[:16]}", start=url, conditional=False)

    async def listing(
        self, fetcher: Fetcher, stream: Stream, place: str, cursor: str | None, validators: Validators | None
    ) -> Listing:
        """Return the article as the one item of its list, named by what it says now."""
        if self.barred is not None:
            raise self.barred
        try:
            answer = await fetcher.get(place, "item")
            captured = read_article(answer)
        except FetchFailed as failure:
            if failure.reason is Reason.BLOCKED:
                self.barred = failure
            raise
        text = b"\0".join(part.data for part in captured.parts[:-1]) + "\0".join(captured.attachments).encode()
        item = Item(
            item_id=f"{article_id(place)[:200]}@{sha256(text).hexdigest()[:16]}",
            url=place,
            parts=captured.parts,
            attachments=captured.attachments,
            published_at=captured.published_at,
            author=captured.author,
        )
        return Listing(items=(item,), answer=answer)

    async def capture(self, fetcher: Fetcher, item: Item, listing: Listing) -> Capture:
        """Return the article; the page that was listed is the evidence."""
        return Capture(parts=item.parts, exchanges=listing.answer.exchanges, attachments=item.attachments)
