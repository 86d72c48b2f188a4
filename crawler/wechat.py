"""A WeChat article page: what it holds, and how one that is gone or withheld looks. For the watch list and for links.

Shapes as several open readers parse them, 2026: `#js_content` with lazy pictures (`img[data-src]`), the time only in a
script (`var ct = "unix"`); a page of pictures (`item_show_type` 8) has them as `cdn_url` in a script, its text in
`content_noencode`. A deleted article answers 200 with a notice, a reader who is suspected is led to a captcha.
"""

import html
import re
from urllib.parse import parse_qs, urlsplit

from parsel import Selector, SelectorList

from crawler.attachments import absolute
from crawler.charset import text_of
from crawler.expressions import moment
from crawler.fetcher import Answer
from crawler.health import FetchFailed
from crawler.reading import text_part
from crawler.spider import Capture
from model.page import Reason

HOSTS = ("mp.weixin.qq.com",)
PAUSE = 21_600.0
"""Seconds for which WeChat is left alone once it asks for a captcha."""

_CAPTCHA_ADDRESS = re.compile(r"/mp/(?:wappoc_appmsgcaptcha|verify)|/captcha")
_CAPTCHA = re.compile("环境异常|完成验证后|访问过于频繁|操作频繁|安全验证")
_GONE = re.compile(
    "已被(?:发布者|发送人|作者)删除|内容已被?删除|因违规(?:无法查看|已删除)|(?:内容|链接)已过期|此内容(?:发送失败)?无法查看"
    "|暂时无法查看|涉嫌(?:违反|违规|侵犯)|(?:公众|帐|账)号已?(?:被封禁|注销|迁移)|作者隐私设置"
)
_STRING = r"\s*[:=]\s*(?:JsDecode\()?(?P<quote>['\"])(?P<text>(?:\\.|(?!(?P=quote)).)*)(?P=quote)"
_PICTURE = re.compile(r"(?P<inner>(?:watermark_info|share_cover)\s*:\s*\{\s*)?\bcdn_url" + _STRING)


def article_id(url: str) -> str:
    """Return what names an article, however its address was copied: the short link's word, or account and number."""
    parts = urlsplit(html.unescape(url))
    asked = {key: texts[0] for key, texts in parse_qs(parts.query).items()}
    if parts.path.startswith("/s/"):
        return parts.path[3:].strip("/")
    mid = asked.get("mid") or asked.get("appmsgid")
    if "__biz" in asked and mid:
        return f"{asked['__biz']}/{mid}/{asked.get('idx') or asked.get('itemidx') or '1'}"
    return parts.path + "?" + parts.query


def read_article(answer: Answer) -> Capture:
    """Return an article: text, title, account, time and pictures, with the whole page behind them.

    Raises FetchFailed: `blocked` before a captcha, `gone` where the article was taken away, `layout-changed` else.
    """
    source = text_of(answer)
    document = Selector(text=source or " ", type="html")
    content = document.css("#js_content")
    shared = _said("content_noencode", source)
    title = _first(document, "#activity-name", "meta[property='og:title']::attr(content)")
    title = title or _said("msg_title", source, key=False)
    written = content.xpath("string(.)").get("").strip()
    if not (title or written or shared) or _CAPTCHA_ADDRESS.search(answer.url):
        raise _refusal(answer, document)
    author = _first(document, "#js_name", ".wx_follow_nickname", "meta[name=author]::attr(content)")
    author = author or _said("nick_name", source)
    summaries = (_said("desc", source, key=False), _first(document, "meta[name=description]::attr(content)"))
    when = _said("ct", source, key=False) or _said("create_time", source) or ""
    return Capture(
        parts=(
            *(text_part("body", str(node.get()), "text/html") for node in content if written),
            *(text_part("body", text) for text in dict.fromkeys((shared, *summaries)) if text),
            *(text_part(name, text) for name, text in (("title", title), ("author", author)) if text),
            answer.part("body"),
        ),
        exchanges=answer.exchanges,
        attachments=absolute(_pictures(content, source, document), answer.url),
        published_at=moment(when if when.isdigit() else None),
        author=author,
    )


def _refusal(answer: Answer, document: Selector) -> FetchFailed:
    """Return why there is no article on a page."""
    shown = " ".join(document.xpath("//title//text() | //body//text()[not(parent::script or parent::style)]").getall())
    if _CAPTCHA_ADDRESS.search(answer.url) or _CAPTCHA.search(shown):
        return FetchFailed(Reason.BLOCKED, "WeChat asks for a captcha", pause=PAUSE)
    if _GONE.search(shown):
        return FetchFailed(Reason.GONE, "the article was taken away")
    return FetchFailed(Reason.CHANGED, "nothing on the page looks like an article")


def _pictures(content: SelectorList[Selector], source: str, document: Selector) -> list[str]:
    """Return the pictures of the text, of a page of pictures, or else the one that stands for the article."""
    found = content.xpath(".//img/@data-src | .//img/@src[not(../@data-src)]").getall()
    found += [_plain(match["text"]) for match in _PICTURE.finditer(source) if not match["inner"]]
    return found or document.css("meta[property='og:image']::attr(content)").getall()


def _first(document: Selector, *places: str) -> str | None:
    """Return the text of the first place that has one."""
    for place in places:
        chosen = document.css(place)
        text = (chosen.get("") if "::attr" in place else chosen.xpath("string(.)").get("")).strip()
        if text:
            return text
    return None


def _said(name: str, source: str, *, key: bool = True) -> str | None:
    """Return the first string that a script of the page gives to a variable of that name, or else to a key."""
    found = re.search(rf"(?:\bvar\s+|\bwindow\.){name}{_STRING}", source, re.DOTALL)
    if found is None and key:
        found = re.search(rf"[\s{{,]{name}{_STRING}", source, re.DOTALL)
    return _plain(found["text"]).strip() or None if found else None


def _plain(text: str) -> str:
    r"""Return a string as the script would have it: `\x26`, `\n` and entities undone."""
    undone = re.sub(r"\\x([0-9a-fA-F]{2})|\\u([0-9a-fA-F]{4})", lambda code: chr(int(code[1] or code[2], 16)), text)
    return html.unescape(undone.replace("\\n", "\n").replace("\\/", "/").replace("\\'", "'").replace('\\"', '"'))
