"""`spillwatch sites try`: what it shows of one page, what it points out, and that it keeps and follows nothing."""

import json

import pytest

from app.trying import site_to_try
from model.errors import ConfigError
from tests.app.installation import Installation, install
from tests.crawler.loopback import Loopback, Reply

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
HTML = {"Content-Type": "text/html; charset=utf-8"}
DESCRIPTION = """
about: notes of the test
kind: html
options: {root: null}
list:
  url: "{root}/notes"
  items: li
  id: "a::attr(href)|re:(\\\\d+)"
  title: a
  author: "b.who"
  time: ".when::text"
raw: {url: "{root}/note/{id}", type: html, html: main}
page: {kind: next, css: "a.next::attr(href)"}
"""
NOTES = """<ul><li><a href="/note/2">Ward B</a> <i class=when>2026-11-20T10:00:00Z</i></li>
<li><a href="/note/1">A</a></li></ul>"""


@pytest.fixture
def here(tmp_path):
    """Give an installation with a description of its own, not yet pointed at anything."""
    tmp_path.chmod(0o700)
    installed = install(tmp_path)
    folder = installed.folder / "sites"
    folder.mkdir()
    (folder / "notes.yaml").write_text(DESCRIPTION, encoding="utf-8")
    return installed


@pytest.fixture
def server():
    """Give the site."""
    with Loopback() as running:
        running.routes["/notes"] = Reply(NOTES + '<a class=next href="/notes?p=2">next</a>', headers=HTML)
        body = f"<main><p>床位表：第 4 床 {running.root}/linked/1 <img src='/p.png'></main>"
        running.routes["/note/2"] = Reply(body, headers=HTML)
        running.routes["/note/1"] = Reply("<main>nothing here", headers=HTML)
        yield running


def watch(here: Installation, server: Loopback, **options) -> None:
    """Write the site into config.yaml."""
    here.change(network={"allow": [server.host], "descriptions": "sites"})
    here.change(sites={"mine": {"use": "notes", "root": server.root, "every": "1h", "delay": "0s", **options}})


def test_a_configured_site_shows_what_is_recognised(here, server):
    """Id, time, address, numbers and the beginning of the text; a field without a value anywhere is pointed out."""
    watch(here, server)
    ended = here.run("sites", "try", "mine", ok=[0])
    assert "2  2026-11-20T10:00:00+00:00  no author" in ended.out
    assert "3 parts, 1 attachments; 床位表：第 4 床" in ended.out
    assert "1  no time  no author" in ended.out
    assert "2 entries on the page, 2 looked at" in ended.out
    assert "never found: author (described as b.who)" in ended.out
    assert "never found: time" not in ended.out


def test_nothing_is_kept_and_nothing_is_followed(here, server):
    """One page of the list and what its entries are: no second page, no picture, no link, no row, no state."""
    watch(here, server)
    here.run("sites", "try", "mine", ok=[0])
    assert server.paths() == ["/notes", "/note/2", "/note/1"]
    assert not here.database.exists()
    told = json.loads(here.run("sites", "--json", ok=[0]).out)
    assert told["sites"]["mine"]["state"] == "never scanned"
    assert "床位表" not in here.log()


def test_a_use_name_is_tried_with_options_from_the_command_line(here, server):
    """A site that does not stand in config.yaml; `--most` limits what is looked at; JSON says the same."""
    here.change(network={"allow": [server.host], "descriptions": "sites"})
    ended = here.run("sites", "try", "notes", "-o", f"root={server.root}", "--most", "1", "--json", ok=[0])
    told = json.loads(ended.out)
    assert [item["id"] for item in told["items"]] == ["2"]
    assert (told["listed"], told["reason"], told["failed"]) == (2, None, {})
    assert told["items"][0] | {"url": ""} == {
        "id": "2", "at": "2026-11-20T10:00:00+00:00", "author": None, "url": "", "parts": 3, "attachments": 1,
        "text": told["items"][0]["text"],
    }  # fmt: skip
    assert len(told["items"][0]["text"]) <= 60
    assert server.paths() == ["/notes", "/note/2"]


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (Reply("<p>a new look</p>", headers=HTML), ["layout-changed", "its description must be adapted"]),
        (Reply(status=403), ["blocked", "look at it in a browser"]),
        (Reply(status=401), ["login-needed", "(by reference)"]),
    ],
)
def test_a_failure_says_its_reason_its_meaning_and_what_to_do(here, server, reply, words):
    """Exit code 1, and a line with reason, meaning and advice."""
    watch(here, server)
    server.routes["/notes"] = reply
    ended = here.run("sites", "try", "mine", ok=[1])
    assert all(word.lower() in ended.err.lower() for word in ["the list: ", *words])
    told = json.loads(here.run("sites", "try", "mine", "--json", ok=[1]).out)
    assert told["reason"] == words[0]
    assert told["advice"][words[0]][1]


def test_an_entry_that_fails_is_counted_and_the_others_are_shown(here, server):
    """One document is gone: the other is shown, and the exit code is 1."""
    watch(here, server)
    server.routes["/note/2"] = Reply(status=404)
    ended = here.run("sites", "try", "mine", ok=[1])
    assert "1 entries: gone" in ended.err
    assert "1  no time" in ended.out


def test_what_cannot_be_asked_is_an_error_of_the_configuration(here, server):
    """A place that is not built, a name nobody knows, a missing option, and terms that were not accepted: code 2."""
    watch(here, server)
    assert "is not watched" in here.run("sites", "try", "zhihu", ok=[2]).err
    assert "did you mean 'notes'" in here.run("sites", "try", "nots", ok=[2]).err
    assert "needs the option 'root'" in here.run("sites", "try", "notes", ok=[2]).err
    assert "key=value" in here.run("sites", "try", "notes", "-o", "root", ok=[2]).err
    misplaced = here.run("sites", "--config", str(here.config), "try", "mine", ok=[2])
    assert "write the options behind the verb" in misplaced.err
    assert "off by default" in here.run("sites", "try", "douban_group", "-o", "group=1", ok=[2]).err


def test_the_key_is_not_in_the_process_that_asks(here, server, monkeypatch):
    """The variable that the linkage key is read from is not in the environment of the asking process."""
    watch(here, server)
    monkeypatch.setenv("TRIED_KEY", (here.folder / "spillwatch.key").read_text("utf-8"))
    here.change_top(linkage_key="env:TRIED_KEY")
    (here.folder / "sites/notes.yaml").write_text(
        DESCRIPTION.replace("options: {root: null}", "options: {root: null, secret: env:TRIED_KEY}")
        + 'headers: {X-Secret: "{secret}"}\n',
        encoding="utf-8",
    )
    assert "is not set: TRIED_KEY" in here.run("sites", "try", "mine", ok=[2]).err
    assert server.paths() == []


def test_options_of_the_command_line_go_on_top(here):
    """A repeated option is a list; terms and robots are settings of the site."""
    from app.config import read_config

    given = ["q=a", "q=b", "q=c=d", "terms=accepted", "robots=ignore: asked"]
    site = site_to_try(read_config(here.config), "anything", given)
    assert site.options == {"q": ["a", "b", "c=d"]}
    assert (site.use, site.terms, site.robots) == ("anything", "accepted", "ignore: asked")
    with pytest.raises(ConfigError, match="key=value"):
        site_to_try(read_config(here.config), "anything", ["=x"])
