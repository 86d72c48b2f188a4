"""A fetcher without a network: everything of the real one but the downloader."""

from types import SimpleNamespace

from scrapy.settings import Settings

from crawler.fetcher import Fetcher
from crawler.pace import Pace


class Offline(Fetcher):
    """Subclass it and give it a `_download` that answers."""

    def __init__(self) -> None:
        pace = Pace(max_requests=1000, max_per_host=1000, max_bytes=10**9, max_seconds=600.0)
        settings = Settings({"SPILLWATCH_ROBOTS": "obey"})
        super().__init__(SimpleNamespace(settings=settings, get_extension=lambda _: pace))
