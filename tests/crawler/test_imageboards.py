"""An imageboard over the real wire: asked slowly, and only for what changed."""

import json
from datetime import UTC, datetime
from email.utils import format_datetime
from itertools import pairwise

import pytest

from tests.crawler.crawls import network, scan, site
from tests.crawler.loopback import Loopback, Reply

SECOND = 1795168800


@pytest.fixture
def board():
    """Give a server with one board of three threads, which answers conditional requests."""
    with Loopback() as server:
        server.threads = {number: [number] for number in (1, 2, 3)}
        server.changed = dict.fromkeys(server.threads, SECOND)

        def index(asked):
            newest = format_datetime(datetime.fromtimestamp(max(server.changed.values()), UTC), usegmt=True)
            if asked.headers.get("if-modified-since") == newest:
                return Reply(status=304)
            rows = [{"no": number, "last_modified": at} for number, at in server.changed.items()]
            head = {"Content-Type": "application/json", "Last-Modified": newest}
            return Reply(json.dumps([{"page": 0, "threads": rows}]), headers=head)

        def thread(asked):
            number = int(asked.path.rsplit("/", 1)[1].removesuffix(".json"))
            posts = [{"no": no, "com": f"post {no}", "time": SECOND} for no in server.threads[number]]
            return Reply(json.dumps({"posts": posts}), headers={"Content-Type": "application/json"})

        server.routes["/b/threads.json"] = index
        server.routes |= {f"/b/res/{number}.json": thread for number in server.threads}
        yield server


def test_only_what_changed_is_asked_for_and_slowly(board, tmp_path):
    """Nothing changed: one conditional request. One thread changed, one was pruned: two more. Never two in a second."""
    here, law = site("vichan", options={"root": board.root, "boards": "b"}), network(board.host)
    assert scan(here, law, tmp_path).result.fetched == 3
    first = len(board.paths())
    assert scan(here, law, tmp_path).result.fetched == 0
    assert board.paths()[first:] == ["/b/threads.json"]
    board.threads[2].append(20)
    board.changed[4] = board.changed[2] = SECOND + 60
    third = scan(here, law, tmp_path)
    assert (third.result.fetched, third.result.known, third.result.state.value) == (1, 1, "working")
    assert board.paths()[first + 1 :] == ["/b/threads.json", "/b/res/2.json", "/b/res/4.json"]
    times = [asked.at for asked in board.asked if asked.path != "/robots.txt"][:first]
    assert min(later - earlier for earlier, later in pairwise(times)) >= 0.95
    assert board.most_parallel == 1
