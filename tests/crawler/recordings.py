"""Recorded sites: what was asked, what was answered, and what a scan must make of it. docs/sites.md tells the format.

A recording replays through the real scan, spider, failure table and fetcher; only the wire is played. A request that
was not recorded is an error, and so is a recorded answer that nobody asked for.
"""

import asyncio
import dataclasses
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ruamel.yaml import YAML
from scrapy.http import Request, Response

from crawler.fetcher import Answer
from crawler.interface import NetworkSettings, SiteSettings
from crawler.runner import spider_for
from crawler.scan import Scan
from model.page import Exchange
from model.scan import ScanReport
from tests.crawler.crawls import FileSink
from tests.crawler.offline import Offline

SITES = Path(__file__).resolve().parents[1] / "sites"
SAMPLES = Path(__file__).resolve().parents[3] / "shared" / "samples"


class NotRecorded(AssertionError):
    """The spider asked for something that the recording has no answer to."""


@dataclass
class Recording:
    """One `recording.yaml`."""

    name: str
    folder: Path
    options: dict[str, Any] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    """Secrets that options name as `env:…`; they must not stand in any evidence."""
    today: str = "2026-11-24T12:00:00+00:00"
    scans: list[dict[str, Any]] = field(default_factory=list)
    broken: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def read(cls, folder: Path) -> "Recording":
        """Read one; an unknown key is an error."""
        data = YAML(typ="safe").load((folder / "recording.yaml").read_text(encoding="utf-8"))
        return cls(name=folder.name, folder=folder, **data)

    @property
    def site(self) -> SiteSettings:
        """The site as config.yaml would have it."""
        options = dict(self.options)
        return SiteSettings(
            name="here", use=options.pop("use", self.name), every=86_400.0, delay=0.0, terms="accepted", options=options
        )

    def missing(self) -> str:
        """Return the shared sample that is not here, if one is wanted."""
        answers = [answer for scan in self.scans for answer in scan["answers"]]
        wanted = [answer["sample"] for answer in answers if "sample" in answer]
        return next((name for name in wanted if not (SAMPLES / name).exists()), "")


class Recorded(Offline):
    """Plays the answers of one scan."""

    def __init__(self, recording: Recording, answers: list[dict[str, Any]]) -> None:
        super().__init__()
        self.recording = recording
        self.waiting = list(answers)
        self.today = datetime.fromisoformat(recording.today)

    def now(self) -> datetime:
        """Return the moment of the recording."""
        return self.today

    async def get(self, *arguments: Any, **options: Any) -> Answer:
        """Return the answer as of the recording's day."""
        return dataclasses.replace(await super().get(*arguments, **options), fetched_at=self.today)

    async def _download(
        self, url: str, method: str, headers: dict[str, str], body: bytes, meta: dict[str, Any], *_: Any
    ) -> Response:
        """Return the recorded answer to this very request, as the wire middleware would have kept it."""
        for number, answer in enumerate(self.waiting):
            if answer["url"] == url and answer.get("method", "GET") == method and _fits(answer, headers, body):
                if not answer.get("always"):
                    del self.waiting[number]
                break
        else:
            raise NotRecorded(f"{self.recording.name}: not recorded: {method} {url} {body.decode()} {headers}")
        hidden = {name.lower() for name in meta["secret_headers"]}
        shown = tuple((name, "(withheld)" if name.lower() in hidden else text) for name, text in headers.items())
        content = _content(self.recording.folder, answer)
        status, given = answer.get("status", 200), answer.get("headers", {})
        wire = {"Content-Type": _media_type(answer), **given}
        meta["exchanges"].append(
            Exchange(url, method, shown, status, tuple(wire.items()), content, self.today, self.today, meta["role"])
        )
        ended = answer.get("ended_at", url)
        request = Request(url, meta={"over_tor": (urlsplit(url).hostname or "").endswith(".onion")})
        return Response(ended, status=status, headers=wire, body=content, request=request)


def played(
    recording: Recording, number: int, sink: FileSink, *, descriptions: Path | None = None, **changed: Any
) -> ScanReport:
    """Play one scan of a recording into the sink; `changed` goes over its first answer.

    `descriptions` is a folder whose descriptions go before the shipped ones.
    """
    answers = [dict(answer) for answer in recording.scans[number]["answers"]]
    if changed:
        place = next((n for n, answer in enumerate(answers) if answer["url"] == changed.get("url")), 0)
        kept = {key: answers[place][key] for key in ("url", "method", "sent") if key in answers[place]}
        answers[place] = kept | changed | {"always": True}
    fetcher = Recorded(recording, answers)
    network = NetworkSettings(follow_links=False, descriptions=descriptions)
    scan = Scan(recording.site, network, sink, spider_for(recording.site, network), fetcher)
    report = asyncio.run(scan.run(datetime.now(UTC)))
    if not changed and fetcher.waiting:
        raise AssertionError(f"{recording.name}: recorded but not asked for: {[a['url'] for a in fetcher.waiting]}")
    return report


def recordings() -> list[str]:
    """Return the names of all recorded sites."""
    return sorted(file.parent.name for file in SITES.glob("*/recording.yaml"))


def _fits(answer: dict[str, Any], headers: dict[str, str], body: bytes) -> bool:
    """Tell whether a request carried what the recording says it must."""
    sent = answer.get("sent", {})
    return sent.get("body", "") in body.decode() and all(
        headers.get(name) == text for name, text in sent.get("headers", {}).items()
    )


def _content(folder: Path, answer: dict[str, Any]) -> bytes:
    """Return the body: of a file beside the recording, of a shared sample, or as it stands in the recording."""
    if "file" in answer:
        return (folder / answer["file"]).read_bytes()
    if "sample" in answer:
        return (SAMPLES / answer["sample"]).read_bytes()
    return answer.get("text", "").encode(answer.get("charset", "utf-8"))


def _media_type(answer: dict[str, Any]) -> str:
    name = answer.get("file") or answer.get("sample") or ""
    kinds = {".json": "application/json", ".html": "text/html; charset=utf-8", ".xml": "application/xml"}
    kinds |= {".png": "image/png", ".jpg": "image/jpeg"}
    return kinds.get(Path(name).suffix, "application/json" if answer.get("text", " ")[:1] in "[{" else "text/plain")
