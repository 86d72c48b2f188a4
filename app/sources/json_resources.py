"""Files of FHIR JSON → single resources, as a stream: bundles, arrays, resources, and one of them a line (NDJSON)."""

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import ijson

from app.sources.files import LONGEST_LINE

SMALL = 32 << 20
"""Bytes of a document that is parsed as a whole, five times as fast as piece by piece."""
FIRST_LINE = 1 << 20
LINES = (".ndjson", ".jsonl")
SPACE = b" \t\r\n\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Entry:
    """One resource of a document, or its end."""

    resource: Any = field(repr=False)
    """The resource; None at the end of a document."""
    url: str = field(default="", repr=False)
    """Under which it is referred to within its bundle (`fullUrl`), if it is in one."""


class NotJson(Exception):
    """A document cannot be parsed; its words name the line, if it was one of many."""


def entries(raw: io.BufferedReader, name: str) -> Iterator[Entry | NotJson]:
    """Yield every resource of an open file, and an entry without one at the end of each document.

    A line that cannot be parsed is yielded as `NotJson`, and the others follow; a document that breaks off ends so.
    """
    if name.lower().removesuffix(".gz").endswith(LINES) or _first_line_is_whole(raw):
        yield from _lines(raw)
        return
    head = raw.read(SMALL + 1)
    try:
        if len(head) <= SMALL:
            yield from _document(json.loads(head))
            return
        raw.seek(0)
        inside = "item" if head.lstrip(SPACE)[:1] == b"[" else "entry.item"
        empty = True
        for item in ijson.items(raw, inside, use_float=True):
            empty = False
            yield from _entry(item)
        yield NotJson(f"a document of more than {SMALL >> 20} MB that is no bundle") if empty else Entry(None)
    except (ValueError, RecursionError, ijson.JSONError):
        yield NotJson("not valid JSON, or cut off")


def _lines(raw: io.BufferedReader) -> Iterator[Entry | NotJson]:
    number = 0
    while line := raw.readline(LONGEST_LINE):
        number += 1
        if not line.strip(SPACE):
            continue
        try:
            yield from _document(json.loads(line))
        except (ValueError, RecursionError):
            yield NotJson(f"line {number}: not valid JSON, or longer than {LONGEST_LINE >> 20} MB")


def _first_line_is_whole(raw: io.BufferedReader) -> bool:
    line = raw.readline(FIRST_LINE)
    while line and not line.strip(SPACE):
        line = raw.readline(FIRST_LINE)
    raw.seek(0)
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def _document(document: Any) -> Iterator[Entry]:
    if isinstance(document, dict) and document.get("resourceType") == "Bundle":
        for item in _list(document.get("entry")):
            yield from _entry(item)
    elif isinstance(document, list):
        for resource in document:
            yield Entry({} if resource is None else resource)
    else:
        yield Entry({} if document is None else document)
    yield Entry(None)


def _entry(item: Any) -> Iterator[Entry]:
    """Yield what an entry of a bundle holds: a resource, or a bundle of its own (a batch of searches)."""
    if not isinstance(item, dict):
        return
    resource = item.get("resource", item if "resourceType" in item else None)
    if isinstance(resource, dict) and resource.get("resourceType") == "Bundle":
        for inner in _list(resource.get("entry")):
            if isinstance(inner, dict) and isinstance(inner.get("resource"), dict):
                yield Entry(inner["resource"], str(inner.get("fullUrl", "")))
    elif isinstance(resource, dict):
        yield Entry(resource, str(item.get("fullUrl", "")))


def _list(tree: Any) -> list[Any]:
    return tree if isinstance(tree, list) else []
