"""How fast a firehose is read: the wire alone, kept sealed, examined, and both at once on the same cores.

`python -m benchmarks.firehose [--posts 30000] [--records 100000] [--cores 2]`. A Jetstream on loopback, in a process
of its own, sends posts of up to 300 characters as fast as it is read; it takes its share of the same cores. The
worker, the examiner and its decoders are those of the product, as processes, with SQLite on disk. Wall clock, and
beside it the processor time that each post took, which other work on the machine changes less.
"""

import argparse
import asyncio
import csv
import json
import os
import random
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import psutil

from app.init import init
from benchmarks.kernel import corpus
from benchmarks.line import rows

ROOT = Path(__file__).resolve().parents[1]
LONGEST = 300
"""Characters of a post on Bluesky."""
AUTHORS = 20_000


def frames(count: int) -> list[str]:
    """Return the frames of so many posts, shaped as Jetstream sends them."""
    _, texts = corpus(count * LONGEST)
    chooser = random.Random(5)
    made = []
    first = int(time.time() * 1e6) - 3_600_000_000
    for number in range(count):
        text = texts[number % len(texts)]
        start = chooser.randrange(max(1, len(text) - LONGEST))
        did = f"did:plc:{chooser.randrange(AUTHORS):024x}"
        record = {
            "$type": "app.bsky.feed.post",
            "createdAt": "2026-05-25T14:23:28.757Z",
            "langs": ["en"],
            "text": text[start : start + LONGEST],
        }
        if number % 3 == 0:
            uri = f"at://did:plc:{chooser.randrange(AUTHORS):024x}/app.bsky.feed.post/{chooser.randrange(10**6):013x}"
            link = {"cid": "bafyreiainko5un5pbcdosvxpbisjnjzemojnry6nsgtdftdgslbu37kxai", "uri": uri}
            record["reply"] = {"parent": link, "root": link}
        commit = {
            "rev": f"3m{number:011x}",
            "operation": "create",
            "collection": "app.bsky.feed.post",
            "rkey": f"3k{number:011x}",
            "record": record,
            "cid": "bafyreicl7rzkxdrm4zz2ehbx52kuk3mvfow6p3gzfys72r5grvskxoswy4",
        }
        event = {"did": did, "time_us": first + number * 100, "kind": "commit", "commit": commit}
        made.append(json.dumps(event, ensure_ascii=False))
    return made


def serve(count: int) -> None:
    """Be the server: send every post after the cursor, then keep the connection."""
    from aiohttp import web

    made = frames(count)
    times = [json.loads(frame)["time_us"] for frame in made]

    async def subscribe(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        cursor = int(request.query.get("cursor", 0))
        for at, frame in zip(times, made, strict=True):
            if at >= cursor:
                await socket.send_str(frame)
        await asyncio.sleep(3600)
        return socket

    async def run() -> None:
        app = web.Application()
        app.router.add_get("/subscribe", subscribe)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        print(runner.addresses[0][1], sum(len(frame.encode()) for frame in made) // count, times[0], flush=True)
        await asyncio.sleep(36_000)

    asyncio.run(run())


async def wire_alone(root: str, count: int) -> float:
    """Return the seconds that reading all frames takes when nothing is done with them."""
    async with aiohttp.ClientSession() as session, session.ws_connect(f"{root}/subscribe", compress=0) as socket:
        started = time.perf_counter()
        for _ in range(count):
            await socket.receive()
        return time.perf_counter() - started


def installed(folder: Path, root: str, records: int) -> Path:
    """Make an installation with so many records enrolled and the stream as its only site; return its config."""
    made = init(folder / "spillwatch")
    text = made.config.read_text("utf-8").replace("sites: {}", "sites:")
    text = text.replace("allow: []", f'allow: ["{root.partition("//")[2]}"]')
    text = text.replace("screenshot: true", "screenshot: false").replace("follow_links: true", "follow_links: false")
    text += f"  firehose: {{use: jetstream, root: '{root}', spool: 1000000}}\n"
    made.config.write_text(text, "utf-8")
    export = folder / "export.csv"
    with export.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        names = ("name", "resident_id", "phone", "email", "mrn", "birth_date", "address")
        writer.writerow(("record_number", *names))
        for record in rows(records):
            writer.writerow((record.ref, *(record.values[name] for name in names)))
    run(made.config, "app.cli", "enrol", str(export), "--config", str(made.config))
    return made.config


def run(config: Path, module: str, *words: str) -> None:
    """Run a module of the product to its end."""
    done = subprocess.run([sys.executable, "-m", module, *words], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{module} ended with {done.returncode}: {done.stderr[-2000:]}")


@contextmanager
def process(*words: str) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a module beside us until the block ends."""
    child = subprocess.Popen([sys.executable, "-m", *words], cwd=ROOT, stdout=subprocess.DEVNULL)
    try:
        yield child
    finally:
        child.terminate()
        child.wait(120)


def spent(child: "subprocess.Popen[bytes]") -> float:
    """Return the processor seconds of a process and of everything that it started."""
    whole = psutil.Process(child.pid)
    own = whole.cpu_times()
    below = sum(sum(each.cpu_times()) for each in whole.children(recursive=True))
    return float(own.user + own.system + own.children_user + own.children_system + below)


def states(database: Path) -> dict[str, int]:
    """Return how many pages are in which state."""
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=30) as connection:
        return dict(connection.execute("SELECT state, count(*) FROM pages GROUP BY state").fetchall())


def wait_for(database: Path, count: int, ended: Sequence[str], seconds: float) -> float:
    """Return the seconds until so many pages are in these states."""
    started = time.perf_counter()
    while True:
        found = states(database)
        if sum(found.get(state, 0) for state in ended) >= count:
            return time.perf_counter() - started
        if time.perf_counter() - started > seconds:
            raise SystemExit(f"not done after {seconds} s: {found}")
        time.sleep(0.2)


def with_cursor(database: Path, config: Path, first: int) -> None:
    """Save the cursor just before the first post, as if the worker had read until there."""
    program = (
        "import sys; from pathlib import Path; from app.config import read_config; from app.wiring import open_stores\n"
        "with open_stores(read_config(Path(sys.argv[1]))) as stores:\n"
        "    stores.pages.save_cursor('firehose', 'jetstream', sys.argv[2])\n"
    )
    subprocess.run([sys.executable, "-c", program, str(config), str(first)], cwd=ROOT, check=True)


def wipe(database: Path) -> None:
    """Forget every page, item and cursor."""
    with sqlite3.connect(database, timeout=30) as connection:
        for table in ("spool", "part_counts", "pages", "items", "streams", "traces", "stream_gaps"):
            connection.execute(f"DELETE FROM {table}")  # noqa: S608 - names of ours


def measure(posts: int, records: int) -> None:
    """Print the figures."""
    server = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.firehose", "--serve", str(posts)], cwd=ROOT, stdout=subprocess.PIPE
    )
    assert server.stdout is not None
    try:
        port, size, first = (int(word) for word in server.stdout.readline().split())
        root = f"ws://127.0.0.1:{port}"
        print(f"{posts} posts, {size} bytes a frame; {records} records enrolled; {len(os.sched_getaffinity(0))} cores")
        alone = asyncio.run(wire_alone(root, posts))
        told("the wire alone", posts, alone, alone)
        with tempfile.TemporaryDirectory(dir=Path.cwd() / "var" if Path("var").is_dir() else None) as folder:
            config = installed(Path(folder), root, records)
            database = config.parent / "var/spillwatch.db"
            with_cursor(database, config, first)
            with process("app.stream", str(config), "firehose") as worker:
                wait_for(database, 1, ("waiting",), 60)
                begun = spent(worker)
                seconds = wait_for(database, posts, ("waiting",), 600)
                told("kept sealed, nothing examined", posts, seconds, alone, spent(worker) - begun)
            with process("app.examiner", str(config)) as examiner:
                wait_for(database, 1, ("examined",), 120)
                begun = spent(examiner)
                seconds = wait_for(database, posts, ("examined", "quarantined"), 3600)
                told("examined alone", posts, seconds, alone, spent(examiner) - begun)
            print(f"  {states(database)}")
            wipe(database)
            with_cursor(database, config, first)
            with process("app.examiner", str(config)) as examiner:
                time.sleep(30)  # it compiles, opens the filter, starts its decoders
                with process("app.stream", str(config), "firehose") as worker:
                    wait_for(database, 1, ("waiting", "examined"), 60)
                    begun = spent(examiner) + spent(worker)
                    seconds = wait_for(database, posts, ("examined", "quarantined"), 3600)
                    told("kept and examined at once", posts, seconds, alone, spent(examiner) + spent(worker) - begun)
            print(f"  {states(database)}")
    finally:
        server.terminate()
        server.wait()


def told(what: str, posts: int, seconds: float, alone: float, processor: float = 0.0) -> None:
    """Print one line."""
    each = f"{1e3 * processor / posts:.2f} ms of processor a post" if processor else ""
    print(f"| {what} | {posts / seconds:,.0f} posts/s | {alone / seconds:.3f} of the wire | {each} |", flush=True)


def main() -> None:
    """Measure, or be the server."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--posts", type=int, default=30_000)
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--serve", type=int, help="be the server of so many posts (used by the benchmark itself)")
    options = parser.parse_args()
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: options.cores])
    if options.serve:
        serve(options.serve)
        return
    print(f"{datetime.now(UTC):%Y-%m-%d}, Python {sys.version.split()[0]}")
    measure(options.posts, options.records)


if __name__ == "__main__":
    main()
