"""What `use:` of a site can be: the descriptions and the spiders there are, and what will never be there."""

import importlib
import pkgutil
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path

from crawler import description, spiders
from crawler.interface import Profile
from crawler.spider import SiteSpider

NOT_BUILT: Mapping[str, str] = {
    "xiaohongshu": "its pages need forged signatures and captchas; search there by hand, or buy a licensed feed",
    "douyin": "its pages need forged signatures and captchas; search there by hand, or buy a licensed feed",
    "zhihu": "its answers need a signature made by its own scripts; ask a search engine (searxng) for site:zhihu.com",
    "qq": "groups and spaces are private; ask members to report what they see, and check it with `spillwatch check`",
    "websub": "a hub must reach an address of yours from the internet; ask the feed itself (feed, feed_full)",
    "discord": "its terms forbid automated reading; put a bot of your own into servers of your own",
}
"""What people ask for and will not find: reading it would mean solving captchas or forging signatures."""


def uses(folder: Path | None = None) -> Mapping[str, Profile]:
    """Return name → what an operator should know of it; an operator's description goes before a shipped one."""
    found = {}
    for module in pkgutil.iter_modules(spiders.__path__):
        kind = spider_of_code(module.name)
        if kind is not None:
            found[module.name] = kind.profile
    for name in description.names(folder):
        described = description.load(name, folder)
        if described is not None:
            found[name] = described.profile
    return dict(sorted(found.items()))


def spider_of_code(use: str) -> type[SiteSpider] | None:
    """Return the spider in `crawler/spiders/<use>.py`, or None if there is no such file."""
    if use not in {module.name for module in pkgutil.iter_modules(spiders.__path__)}:
        return None
    module = importlib.import_module(f"{spiders.__name__}.{use}")
    kinds = (entry for entry in vars(module).values() if isinstance(entry, type) and issubclass(entry, SiteSpider))
    return next((kind for kind in kinds if kind.__module__ == module.__name__ and "profile" in vars(kind)), None)


def unknown(use: str, folder: Path | None = None) -> str:
    """Return why a `use:` cannot be used, and what could be meant."""
    if use in NOT_BUILT:
        return f"{use!r} is not watched: {NOT_BUILT[use]}"
    near = get_close_matches(use, uses(folder), n=1)
    guess = f"; did you mean {near[0]!r}?" if near else ""
    return f"neither a description nor a spider {use!r}{guess} See: spillwatch sites --all"
