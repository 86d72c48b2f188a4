"""What `use:` of a site can be: descriptions, spiders and streams, and what will never be there."""

import ast
import importlib
import pkgutil
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crawler import description, spiders, streams
from crawler.profile import Profile, Tested

if TYPE_CHECKING:  # to tell what there is, nothing of Scrapy is loaded until a spider of code is looked at
    from crawler.spider import SiteSpider

_MEMBERS = "ask members to report what they see, and check it by hand: spillwatch check"

NOT_BUILT: Mapping[str, str] = {
    "zhihu": "its API wants a login and a signature made by its own scripts; ask a search engine (searxng, brave) for "
    "site:zhihu.com, and check what it finds by hand",
    "xiaohongshu": "its pages want a login, forged signatures (x-s, xsec_token) and captchas; search there by hand, or "
    "buy a licensed feed",
    "douyin": "its pages want a login, forged signatures (a_bogus, msToken) and captchas; search there by hand, or buy "
    "a licensed feed",
    "kuaishou": "its pages want forged signatures; search there by hand, or buy a licensed feed",
    "toutiao": "its pages want forged signatures; ask a search engine (searxng) for site:toutiao.com",
    "bilibili": "its API wants signatures (wbi); ask a search engine (searxng) for site:bilibili.com",
    "tieba": "since 2026 the pages of a bar want a browser or a forged signature; try tieba_search with a cookie, or "
    "ask a search engine (searxng) for site:tieba.baidu.com",
    "qq": f"groups and spaces are private; {_MEMBERS}",
    "wechat": f"groups and moments are private; {_MEMBERS}. Public articles: wechat_article, wechat_sogou",
    "dingtalk": f"groups are private; {_MEMBERS}",
    "whatsapp": f"groups are private; {_MEMBERS}",
    "discord": "its terms forbid automated reading but by a bot that a server let in; put a bot of your own into "
    f"servers of your own, or {_MEMBERS}",
    "facebook": "its terms forbid automated collection, and most pages want a login; search there by hand, or ask a "
    "search engine (searxng, brave) for site:facebook.com",
    "instagram": "its terms forbid automated collection, and pages want a login; search there by hand, or ask a search "
    "engine (searxng, brave) for site:instagram.com",
    "threads": "its terms forbid automated collection outside its API, which shows strangers' posts to approved "
    "applications only; accounts shared with the fediverse are read by mastodon where a server follows them",
    "tiktok": "its pages want forged signatures, and its API is for approved researchers; search there by hand, or ask "
    "a search engine (searxng, brave) for site:tiktok.com",
    "linkedin": "its terms forbid automated collection, and pages want a login; ask a search engine (searxng, brave) "
    "for site:linkedin.com",
    "websub": "a hub must reach an address of your own from the internet; ask the feed itself (feed, feed_full)",
}
"""What people ask for and will not find, and what to do instead: reading it would mean to solve captchas, to forge
signatures, to break in where a login stands, or to break terms that leave no room."""
ROOM = frozenset({"interface", "runner", "wire", "basin"})
"""What lies in `crawler/streams/` beside the protocols."""


def is_stream(use: str) -> bool:
    """Tell whether a site that uses this sends by itself, and is read by a worker instead of scans."""
    return use in _streams()


def uses(folder: Path | None = None) -> Mapping[str, Profile]:
    """Return name → what an operator should know of it; an operator's description goes before a shipped one."""
    found = {}
    for package in (spiders, streams):
        for module in pkgutil.iter_modules(package.__path__):
            profile = _told(Path(package.__path__[0], f"{module.name}.py"))
            if profile is not None:
                found[module.name] = profile
    for name in description.names(folder):
        described = description.load(name, folder)
        if described is not None:
            found[name] = described.profile
    return dict(sorted(found.items()))


def spider_of_code(use: str) -> "type[SiteSpider] | None":
    """Return the spider in `crawler/spiders/<use>.py`, or None if there is no such file."""
    if use not in {module.name for module in pkgutil.iter_modules(spiders.__path__)}:
        return None
    kind: type[SiteSpider] | None = _profiled(f"{spiders.__name__}.{use}")
    return kind


def unknown(use: str, folder: Path | None = None) -> str:
    """Return why a `use:` cannot be used, and what could be meant."""
    if use in NOT_BUILT:
        return f"{use!r} is not watched: {NOT_BUILT[use]}"
    near = get_close_matches(use, uses(folder), n=1)
    guess = f"; did you mean {near[0]!r}?" if near else ""
    return f"neither a description nor a spider {use!r}{guess} See: spillwatch sites --all"


def _told(file: Path) -> Profile | None:
    """Return what a module of code says of its site, or None; read, not imported: a list needs no libraries."""
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
            names = [target.id for target in node.targets if isinstance(target, ast.Name)]
            if names == ["profile"]:
                return Profile(**{entry.arg: _written(entry.value) for entry in node.value.keywords if entry.arg})
    return None


def _written(node: ast.expr) -> Any:
    if isinstance(node, ast.Call):
        return Tested(*(ast.literal_eval(argument) for argument in node.args))
    return ast.literal_eval(node)


def _profiled(module: str) -> Any:
    """Return the class of a module that says what an operator should know of it, or None."""
    within = vars(importlib.import_module(module)).values()
    kinds = (entry for entry in within if isinstance(entry, type) and entry.__module__ == module)
    return next((kind for kind in kinds if "profile" in vars(kind)), None)


def _streams() -> list[str]:
    return [module.name for module in pkgutil.iter_modules(streams.__path__) if module.name not in ROOM]
