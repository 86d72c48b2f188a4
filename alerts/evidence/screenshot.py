"""A picture of the captured bytes, as Chromium shows them; the page is never visited a second time.

The browser runs in a child process (`alerts.evidence.browser`) with an environment of its own (no key, no password),
a time limit, and a temporary folder in memory where the machine has one. It gets the captured exchanges and nothing
else. Chromium and playwright are optional: without them there is no picture, and the manifest says why.
"""

import base64
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from model.page import Exchange, Page

BROWSERS = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
MOST_BYTES = 50_000_000
ROLES = ("item", "listing", "image", "attachment")
"""Which exchange is the page itself: the last one of the first of these roles."""


@dataclass(frozen=True, slots=True)
class Rendering:
    """A screenshot, or why there is none."""

    png: bytes | None
    reason: str
    """Empty if made, else a word: `switched-off`, `browser-not-installed`, `nothing-to-render`, `too-big`,
    `type-not-shown`, `timeout` or `crash`."""
    how: Mapping[str, str] = field(default_factory=dict)
    """Browser version and how it was shut in; for the manifest."""


def browser_path() -> Path | None:
    """Return the Chromium of this machine, or None if there is none or playwright is not installed."""
    if importlib.util.find_spec("playwright") is None:
        return None
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    return Path(found) if found else None


def render(page: Page, *, seconds: float = 30.0) -> Rendering:
    """Return the picture of the page's captured bytes, within the seconds, or why there is none."""
    browser = browser_path()
    if browser is None:
        return Rendering(None, "browser-not-installed")
    answers = _answers(page)
    if not answers:
        return Rendering(None, "nothing-to-render")
    if sum(len(answer["body"]) for answer in answers) > MOST_BYTES:
        return Rendering(None, "too-big")
    for answer in answers:
        answer["body"] = base64.b64encode(answer["body"]).decode("ascii")
    memory = Path("/dev/shm")  # noqa: S108
    with tempfile.TemporaryDirectory(prefix="spillwatch-", dir=memory if memory.is_dir() else None) as folder:
        job = json.dumps({"browser": str(browser), "answers": answers, "seconds": seconds * 0.6})
        return _run(job.encode("ascii"), Path(folder), seconds)


def _run(job: bytes, folder: Path, seconds: float) -> Rendering:
    """Run the child, and end it with all its descendants whatever happens."""
    child = subprocess.Popen(
        [sys.executable, "-P", "-m", "alerts.evidence.browser"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={
            "PATH": os.defpath,
            "HOME": str(folder),
            "TMPDIR": str(folder),
            "LANG": "C.UTF-8",
            "PYTHONPATH": str(Path(__file__).parents[2]),
        },
        cwd=folder,
        start_new_session=True,
    )
    try:
        out, _ = child.communicate(job, timeout=seconds)
    except subprocess.TimeoutExpired:
        return Rendering(None, "timeout")
    finally:
        _end(child)
    return _rendering(out)


def _rendering(out: bytes) -> Rendering:
    """Read the child's answer: one line of JSON, then the picture."""
    line, _, png = out.partition(b"\n")
    try:
        told = json.loads(line)
    except ValueError:
        return Rendering(None, "crash")
    how = {name: str(told[name]) for name in ("browser", "sandbox", "network") if name in told}
    if told.get("reason") or not png.startswith(b"\x89PNG\r\n"):
        return Rendering(None, str(told.get("reason") or "crash"), how)
    return Rendering(png, "", how)


def _end(child: "subprocess.Popen[bytes]") -> None:
    """Kill the child and everything it started; Chromium leaves its process group, so descendants are looked up."""
    if child.poll() is None:
        for process in [*_descendants(child.pid), child.pid]:
            try:
                os.kill(process, signal.SIGKILL)
            except ProcessLookupError:
                continue
    child.wait()


def _descendants(root: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            after_name = stat.read_text("utf-8", "replace").rpartition(")")[2].split()
        except OSError:
            continue
        children.setdefault(int(after_name[1]), []).append(int(stat.parent.name))
    found, due = [], [root]
    while due:
        for process in children.get(due.pop(), []):
            found.append(process)
            due.append(process)
    return found


def _answers(page: Page) -> list[dict[str, Any]]:
    """Return what the browser may be told, the page itself first: address, type and content-decoded bytes."""
    if not page.exchanges:
        parts = [(part.media_type or "application/octet-stream", part.charset, part.data) for part in page.parts[:1]]
        return [
            {"url": "http://captured.invalid/", "type": f"{kind}; charset={charset}" if charset else kind, "body": data}
            for kind, charset, data in parts
        ]
    main = _main(page.exchanges)
    if main is None:
        return []
    others = [one for one in page.exchanges if one is not main and one.status == 200]
    answers = []
    for one in [main, *others]:
        body = _decoded(one)
        if body is None and one is main:
            body = next((part.data for part in page.parts if part.provenance == "body"), None)
        if body is not None:
            answers.append({"url": one.url, "type": _field(one, "content-type"), "body": body})
        elif one is main:
            return []
    return answers


def _main(exchanges: Sequence[Exchange]) -> Exchange | None:
    for role in ROLES:
        found = [one for one in exchanges if one.role == role and one.status == 200 and one.body]
        if found:
            return found[-1]
    return None


def _field(exchange: Exchange, wanted: str) -> str:
    return next((value for name, value in exchange.response_headers if name.lower() == wanted), "")


def _decoded(exchange: Exchange) -> bytes | None:
    """Return the body without its content coding; None for a coding that is not read here, or a bomb."""
    coding = _field(exchange, "content-encoding").strip().lower()
    if coding in {"", "identity"}:
        return exchange.body
    if coding not in {"gzip", "x-gzip", "deflate"}:
        return None
    reader = zlib.decompressobj(zlib.MAX_WBITS | 32)
    try:
        body = reader.decompress(exchange.body, MOST_BYTES)
    except zlib.error:
        return None
    return None if reader.unconsumed_tail else body
