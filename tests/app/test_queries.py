"""Promise 3: no site is ever asked about a patient. Requests carry the operator's words and nothing enrolled."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote, unquote_plus

import pytest
from ruamel.yaml import YAML

from app import vet
from app.config import read_config
from app.wiring import open_stores
from model.errors import SpillwatchError
from tests.app.installation import Installation, export, install
from tests.people import CANARY, HE_YUNSHU

pytestmark = pytest.mark.slow
HOSPITAL = "鹿鸣医院 病历"


class Search(ThreadingHTTPServer):
    """A search site that keeps whatever it was asked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[str] = []


class _Handler(BaseHTTPRequestHandler):
    server: Search

    def do_GET(self):
        self.server.asked.append(f"{unquote_plus(self.path)}\n{self.headers}")
        body = b"User-agent: *\nDisallow:\n"
        if not self.path.startswith("/robots"):
            text = f"{CANARY.name} {CANARY.resident_id}"
            body = json.dumps([{"id": "1", "text": text, "url": "https://example.org/1"}]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format, *args):  # noqa: A002
        pass


@pytest.fixture
def search() -> Iterator[Search]:
    """Give the running search site."""
    server = Search()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def watching(folder: Path, search: Search, q: object = HOSPITAL) -> Installation:
    """Install Spillwatch for that site, with these words in its query."""
    spillwatch = install(folder)
    (spillwatch.folder / "sites").mkdir()
    (spillwatch.folder / "sites/search.yaml").write_text(
        "about: a search site\nkind: json\noptions: {root: null, q: null}\n"
        'list: {url: "{root}/search?q={q}", items: "[]", id: id, text: text, link: url}\n',
        "utf-8",
    )
    address = f"127.0.0.1:{search.server_port}"
    spillwatch.change(
        network={"allow": [address], "descriptions": "sites"},
        evidence={"screenshot": False},
        sites={"search": {"use": "search", "root": f"http://{address}", "q": q, "every": "10m", "delay": "0s"}},
    )
    return spillwatch


def ask(spillwatch: Installation, q: object) -> None:
    """Write other words into the query."""
    entry = YAML().load(spillwatch.config.read_text("utf-8"))["sites"]["search"]
    spillwatch.change(sites={"search": {**entry, "q": q}})


def test_requests_carry_the_operators_words_only(private_path: Path, search: Search):
    """While a leak is found twice over, every request holds the hospital's name and no value of the patient."""
    spillwatch = watching(private_path, search)
    spillwatch.run("enrol", str(export([CANARY], private_path / "export.csv")), ok=[0])
    spillwatch.run("scan", ok=[0])
    spillwatch.run("scan", ok=[0])
    assert any(HOSPITAL in asked for asked in search.asked)
    for asked in search.asked:
        for value in CANARY.values.values():
            assert value.lower() not in asked.lower()
    assert len(spillwatch.alerts()) == 1


def test_an_enrolled_value_in_a_query_is_refused(private_path: Path, search: Search):
    """Nothing leaves; scan, log, alert and coverage say so and never what it was; own words are asked for again."""
    spillwatch = watching(private_path, search, f"病历 {CANARY.phone}")
    spillwatch.run("enrol", str(export([CANARY], private_path / "export.csv")), ok=[0])
    told = spillwatch.run("scan", ok=[1])
    assert search.asked == []
    assert "search: not asked" in told.err
    assert "'q'" in told.err
    assert "queries refused" in spillwatch.log()
    (alert,) = json.loads(spillwatch.run("alerts", "--json").out)
    assert (alert["subject"], alert["severity"]) == ("site", "high")
    assert "query-names-a-record" in alert["kinds"]
    covered = json.loads(spillwatch.run("coverage", "--json", ok=[0]).out)["sites"]
    assert [site["failed"] for site in covered] == [{"query-names-a-record": 1}]
    for printed in [*spillwatch.printed, spillwatch.log().encode(), spillwatch.database.read_bytes()]:
        assert CANARY.phone.encode() not in printed


def test_own_words_are_asked_for_again(private_path: Path, search: Search):
    """A name in a list of words is refused too; once it is taken out, the site is asked."""
    spillwatch = watching(private_path, search, [HOSPITAL, f"病历 {CANARY.name}"])
    spillwatch.run("enrol", str(export([CANARY], private_path / "export.csv")), ok=[0])
    assert "'q[2]'" in spillwatch.run("scan", ok=[1]).err
    assert search.asked == []
    ask(spillwatch, HOSPITAL)
    spillwatch.run("scan", ok=[0])
    assert len(search.asked) > 0


def test_queries_are_examined_again_after_each_enrolment_and_not_before(private_path: Path, search: Search):
    """The verdict holds while nothing changes; words that were the operator's own may become a patient's."""
    spillwatch = watching(private_path, search, f"病历 {HE_YUNSHU.name}")
    spillwatch.run("enrol", str(export([CANARY], private_path / "one.csv")), ok=[0])
    config = read_config(spillwatch.config)
    with open_stores(config) as stores:
        assert vet.refused(config, config.site("search"), stores) == ()
        first = stores.queries.of("search")
        assert vet.refused(config, config.site("search"), stores) == ()
        assert stores.queries.of("search") == first
        spillwatch.run("enrol", str(export([CANARY, HE_YUNSHU], private_path / "both.csv")), ok=[0])
        assert vet.refused(config, config.site("search"), stores) == ("q",)
        assert stores.queries.of("search").vetted_at > first.vetted_at


def test_no_site_is_asked_while_its_queries_cannot_be_examined(private_path: Path, search: Search):
    """Without the linkage key nobody can tell what a query holds: then it is not sent."""
    spillwatch = watching(private_path, search)
    spillwatch.run("enrol", str(export([CANARY], private_path / "export.csv")), ok=[0])
    (spillwatch.folder / "spillwatch.key").rename(spillwatch.folder / "elsewhere")
    config = read_config(spillwatch.config)
    with open_stores(config) as stores, pytest.raises(SpillwatchError, match="no site is asked"):
        vet.require(config, config.site("search"), stores)


def test_everything_a_site_may_send_is_examined(private_path: Path, search: Search):
    """Options however deep, numbers, quoted words, the operator's descriptions; not secrets by reference."""
    spillwatch = watching(private_path, search, ["one", {"two": [quote("三三"), 44]}])
    entry = YAML().load(spillwatch.config.read_text("utf-8"))["sites"]["search"]
    spillwatch.change(sites={"search": {**entry, "token": "env:TOKEN"}})
    config = read_config(spillwatch.config)
    told = list(vet.texts(config, config.site("search")))
    assert {("q[1]", "one"), ("q[2].two[1]", "三三"), ("q[2].two[2]", "44"), ("q[2]", "two")} <= set(told)
    assert any(name == "description.list.url" for name, _ in told)
    assert all("TOKEN" not in text for _, text in told)
