"""Whether a site's entry in config.yaml can be used, before anything is asked."""

from crawler.catalogue import is_stream
from crawler.interface import NetworkSettings, SiteSettings
from crawler.runner import spider_for
from crawler.streams.runner import firehose_for


def check(site: SiteSettings, network: NetworkSettings) -> None:
    """Raise ConfigError, which names the site and says what to do, if its entry cannot be used."""
    if is_stream(site.use):
        firehose_for(site)
    else:
        spider_for(site, network)
