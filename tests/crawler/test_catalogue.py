"""What a `use:` can be, and what is said about what it cannot be."""

import pytest

from crawler import catalogue
from crawler.interface import NetworkSettings, SiteSettings
from crawler.runner import spider_for
from model.errors import ConfigError


@pytest.mark.parametrize("use", sorted(catalogue.NOT_BUILT))
def test_a_site_that_is_not_built_says_why_and_what_to_do(use):
    """`use: zhihu` names the reason and another way, and no site is both built and not built."""
    assert use not in catalogue.uses()
    with pytest.raises(ConfigError) as error:
        spider_for(SiteSettings(name="here", use=use, every=60.0), NetworkSettings())
    told = str(error.value)
    assert told.startswith(f"sites.here.use: {use!r} is not watched: ")
    assert ";" in told
    assert any(way in told for way in ("by hand", "search engine", "report what they see", "of your own", "mastodon"))


def test_what_people_ask_for_is_answered():
    """Every place that the readers of this list ask about has an answer."""
    asked = "zhihu xiaohongshu douyin qq discord facebook instagram tiktok threads linkedin"
    assert set(asked.split()) <= catalogue.NOT_BUILT.keys()


def test_a_misspelt_use_names_the_nearest():
    """An unknown name is an error that guesses."""
    with pytest.raises(ConfigError, match="did you mean 'weibo_search'"):
        spider_for(SiteSettings(name="here", use="weibo_serch", every=60.0), NetworkSettings())


@pytest.mark.parametrize("use", ["weibo_search", "weibo_mobile_search", "tieba_search", "douban_group", "wechat_sogou"])
def test_a_site_that_is_off_says_why_until_its_terms_are_accepted(use):
    """Without `terms: accepted` the note is shown; with it, the next thing missing is an option."""
    with pytest.raises(ConfigError, match="is off by default"):
        spider_for(SiteSettings(name="here", use=use, every=86_400.0), NetworkSettings())
    with pytest.raises(ConfigError, match="needs the option"):
        spider_for(SiteSettings(name="here", use=use, every=86_400.0, terms="accepted"), NetworkSettings())


def test_what_is_read_of_code_is_what_it_says():
    """The profiles that are read from the source are those of the classes."""
    for name in catalogue.uses():
        kind = catalogue.spider_of_code(name)
        assert kind is None or kind.profile == catalogue.uses()[name]
