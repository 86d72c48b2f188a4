"""Runs a scan or a check in a child process, as the product does, with a sink on disk that survives crashes."""

import ast
import pickle
import socket
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from crawler import pauses
from crawler.interface import NetworkSettings, Sink, SiteSettings, Validators
from crawler.runner import Fetched
from model.page import Page, Reason
from model.scan import Gap, ScanReport

REPOSITORY = Path(__file__).resolve().parents[2]


class Died(Exception):
    """The sink was told to die here."""


@dataclass
class FileSink(Sink):
    """A sink of one file; each call that writes is one transaction. Dies at the Nth call, if told so."""

    path: Path
    die_at: int = 0
    calls: int = 0
    kept: list[Page] = field(default_factory=list)
    seen: dict[str, str] = field(default_factory=dict)
    cursors: dict[str, str] = field(default_factory=dict)
    given: dict[str, Validators] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    waits: int = 0
    """Pages that are said to wait."""

    @classmethod
    def open(cls, path: Path, die_at: int = 0) -> "FileSink":
        """Return the sink as it was last saved."""
        sink = pickle.loads(path.read_bytes()) if path.exists() else cls(path)
        sink.die_at, sink.calls = die_at, 0
        return sink

    def is_new(self, site: str, item_id: str) -> bool:
        """Tell whether the item was neither kept nor given up."""
        self._call()
        return item_id not in self.seen

    def keep(self, page: Page) -> None:
        """Store the page and remember its item."""
        self._call()
        self.kept.append(page)
        self.seen[page.item_id] = "kept"
        self._save("keep")

    def give_up(self, site: str, item_id: str, reason: Reason) -> None:
        """Remember the item as given up."""
        self._call()
        self.seen[item_id] = reason.value
        self._save("give up")

    def cursor(self, site: str, stream: str) -> str | None:
        """Return the saved cursor."""
        self._call()
        return self.cursors.get(stream)

    def save_cursor(self, site: str, stream: str, cursor: str) -> None:
        """Save the cursor."""
        self._call()
        self.cursors[stream] = cursor
        self._save("cursor")

    def keep_many(self, site: str, kept: list[Page], stream: str = "", cursor: str | None = None) -> int:
        """Store the new pages and the cursor at once."""
        self._call()
        new = list({page.item_id: page for page in kept if page.item_id not in self.seen}.values())
        self.kept += new
        self.seen.update((page.item_id, "kept") for page in new)
        if cursor is not None:
            self.cursors[stream] = cursor
        self._save("keep many")
        return len(new)

    def note_gap(self, gap: Gap) -> None:
        """Remember the gap."""
        self._call()
        self.gaps.append(gap)
        self._save("gap")

    def waiting(self, most: int) -> int:
        """Tell how many pages wait: as many as the test says."""
        return min(most, self.waits)

    def validators(self, site: str, stream: str) -> Validators:
        """Return the saved validators."""
        self._call()
        return self.given.get(stream, Validators())

    def save_validators(self, site: str, stream: str, validators: Validators) -> None:
        """Save the validators."""
        self._call()
        self.given[stream] = validators
        self._save("validators")

    def forget_pauses(self) -> None:
        """Let time pass: no list of a site wants to be left alone any more."""
        self.cursors = {stream: text for stream, text in self.cursors.items() if not stream.startswith(pauses.STREAM)}

    def _call(self) -> None:
        self.calls += 1
        if self.calls == self.die_at:
            raise Died

    def _save(self, what: str) -> None:
        self.log.append(what)
        self.path.write_bytes(pickle.dumps(self))


@dataclass
class Outcome:
    """What a crawl in a child process did."""

    result: ScanReport | Fetched | None
    error: str
    sink: FileSink
    output: str
    """Everything the child wrote: its log."""


def scan(site: SiteSettings, network: NetworkSettings, store: Path, die_at: int = 0, prelude: str = "") -> Outcome:
    """Run a scan; `prelude` is Python that the child runs first (a false resolver, say)."""
    return _child({"verb": "run", "site": site, "network": network, "die_at": die_at}, store, prelude)


def check(
    url: str,
    network: NetworkSettings,
    store: Path,
    prelude: str = "",
    robots: str = "ignore: asked",
    within: Sequence[str] = (),
) -> Outcome:
    """Fetch one address as `spillwatch check` does."""
    task = {"verb": "fetch", "url": url, "network": network, "die_at": 0, "robots": robots}
    return _child(task, store, prelude, within)


def ask(
    expression: str,
    network: NetworkSettings,
    store: Path,
    *,
    site: SiteSettings | None = None,
    prelude: str = "",
    within: Sequence[str] = (),
) -> Outcome:
    """Evaluate an expression over `fetcher` inside a crawl; `told(get)` in it gives the status, or the reason."""
    task = {"verb": "ask", "expression": expression, "site": site or quick(), "network": network, "die_at": 0}
    outcome = _child(task, store, prelude, within)
    if outcome.error:
        raise AssertionError(outcome.error)
    return outcome


ISOLATED = ("unshare", "-r", "-n", "sh", "-c", 'ip link set lo up && exec "$@"', "isolated")
"""A command before another: it then runs in a network of its own, where there is nothing but loopback."""


def can_isolate(*more: str) -> bool:
    """Tell whether a network of its own can be made for a process on this machine."""
    try:
        return subprocess.run([*ISOLATED, "true", *more], check=False, capture_output=True, timeout=20).returncode == 0
    except OSError:
        return False


def quick() -> SiteSettings:
    """Return a site without delay, for requests that no spider makes."""
    return SiteSettings(name="here", use="", every=60.0, delay=0.0)


def network(*hosts: str, **changes) -> NetworkSettings:
    """Return settings that allow these loopback hosts and wait for nothing long."""
    return replace(NetworkSettings(contact="security@example.org", allow=hosts, timeout=5.0), **changes)


def site(use: str, **changes) -> SiteSettings:
    """Return a site without delay."""
    return replace(SiteSettings(name="here", use=use, every=60.0, delay=0.0), **changes)


def listener() -> socket.socket:
    """Return a listening socket that nobody accepts from: `connections` counts who came."""
    sock = socket.create_server(("127.0.0.1", 0))
    sock.setblocking(False)
    return sock


def connections(sock: socket.socket) -> int:
    """Return how many connections wait at a listening socket."""
    count = 0
    while True:
        try:
            sock.accept()[0].close()
        except BlockingIOError:
            return count
        count += 1


def _child(task: dict, store: Path, prelude: str, within: Sequence[str] = ()) -> Outcome:
    store.mkdir(parents=True, exist_ok=True)
    (store / "task").write_bytes(pickle.dumps(task))
    (store / "result").unlink(missing_ok=True)
    code = (
        f"import sys; sys.path.insert(0, {str(REPOSITORY)!r})\n{prelude}\nfrom tests.crawler.crawls import main; main()"
    )
    done = subprocess.run(
        [*within, sys.executable, "-c", code, str(store)],
        capture_output=True,
        text=True,
        timeout=300,
        cwd=store,
        check=False,
    )
    output = done.stdout + done.stderr
    if not (store / "result").exists():
        raise AssertionError(f"the child ended with {done.returncode}:\n{output}")
    result, error = pickle.loads((store / "result").read_bytes())
    return Outcome(result, error, FileSink.open(store / "sink"), output)


def _asked(task: dict) -> object:
    """Evaluate the expression of a task inside a crawl (in the child)."""
    import asyncio

    from crawler.health import FetchFailed
    from crawler.runner import crawl

    async def told(request) -> object:
        try:
            return (await request).status
        except FetchFailed as failure:
            return failure.reason.value

    async def story(fetcher) -> object:
        names = {"fetcher": fetcher, "told": told, "asyncio": asyncio, "crawler": fetcher.crawler}
        names |= sys.modules["__main__"].__dict__.get("NAMES", {})
        code = compile(task["expression"], "<asked>", "eval", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        result = eval(code, names)
        return await result if asyncio.iscoroutine(result) else result

    return crawl(task["site"], task["network"], story)


def main() -> None:
    """Do what the task file says (in the child)."""
    from crawler.runner import fetch, run

    store = Path(sys.argv[1])
    task = pickle.loads((store / "task").read_bytes())
    sink = FileSink.open(store / "sink", task["die_at"])
    result, error = None, ""
    try:
        if task["verb"] == "run":
            result = run(task["site"], task["network"], sink, datetime.now(UTC))
        elif task["verb"] == "ask":
            result = _asked(task)
        else:
            result = fetch(task["url"], task["network"], sink, robots=task["robots"])
    except Exception as failure:  # noqa: BLE001 - told to the test
        error = type(failure).__name__ + ": " + str(failure)
    (store / "result").write_bytes(pickle.dumps((result, error)))
