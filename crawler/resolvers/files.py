"""Pastes of several files, told by an API in JSON: Gist, Opengist."""

import base64
import binascii
import json
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urljoin

from crawler.charset import text_of
from crawler.fetcher import Answer
from crawler.health import FetchFailed
from crawler.resolvers.interface import Link, Opener
from crawler.spider import Capture
from model.page import Part, Reason

MOST_FILES = 300
"""As many as GitHub tells of one gist."""


async def read(opener: Opener, link: Link, post: Sequence[Part]) -> Capture:
    """Return every file of the paste as a part; what the API cut short is also fetched whole, as an attachment."""
    answer = await opener.get(link.content_url, headers={"Accept": "application/json"})
    told = tree_of(answer)
    parts, cut = list[Part](), list[str]()
    for name, text in (("title", told.get("title")), ("description", told.get("description"))):
        if isinstance(text, str) and text.strip():
            parts.append(text_part(name, text))
    found = list(_files(told.get("files")))
    if not found:
        raise FetchFailed(Reason.CHANGED, "the paste tells of no files")
    for number, (name, file) in enumerate(found[:MOST_FILES], 1):
        provenance = f"attachment {name}" if name else "body" if len(found) == 1 else f"attachment {number}"
        raw = file.get("raw_url")
        parts.append(Part(provenance, "text/plain", _content(file), name, "utf-8"))
        if file.get("truncated"):
            if not isinstance(raw, str):
                raise FetchFailed(Reason.TOO_BIG, "a file that was cut short, and no address of the whole")
            cut.append(urljoin(link.root, raw))
    return Capture(tuple(parts), answer.exchanges, tuple(cut))


def tree_of(answer: Answer) -> dict[str, Any]:
    """Return the JSON object of an answer, or raise FetchFailed if there is none."""
    try:
        told = json.loads(text_of(answer))
    except (ValueError, RecursionError):
        raise FetchFailed(Reason.CHANGED, "the answer is not JSON") from None
    if not isinstance(told, dict):
        raise FetchFailed(Reason.CHANGED, "the answer is not an object")
    return told


def text_part(provenance: str, text: str, name: str = "") -> Part:
    """Return text that an API told as a part."""
    return Part(provenance, "text/plain", text.encode("utf-8", "replace"), name, "utf-8")


def _files(files: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield name and file, from a mapping (Gist) or a list (older Opengist)."""
    entries = files.items() if isinstance(files, dict) else (("", entry) for entry in files or ())
    for name, file in entries:
        if isinstance(file, dict):
            yield str(file.get("filename") or file.get("name") or name or "")[:255], file


def _content(file: dict[str, Any]) -> bytes:
    content = file.get("content")
    if not isinstance(content, str):
        raise FetchFailed(Reason.CHANGED, "a file without content")
    if file.get("encoding") == "base64":
        try:
            return base64.b64decode(content, validate=True)
        except binascii.Error:
            raise FetchFailed(Reason.MALFORMED, "a file that is not base64") from None
    return content.encode("utf-8", "replace")
