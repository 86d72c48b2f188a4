"""JSON and newline-delimited JSON: every key and value as `key: value` lines, an object's lines together."""

import json
from collections.abc import Iterator
from decimal import Decimal

from decoders.html import visible_text
from decoders.interface import Found
from decoders.text import looks_like_text, readings
from model.page import Part, Passage

Node = tuple[str, object]


class JsonDecoder:
    """Reads JSON documents and lines of JSON."""

    def accepts(self, part: Part) -> bool:
        """Take what begins and ends like JSON, or is declared so."""
        ends = part.data.replace(b"\x00", b"").strip(b"\xef\xbb\xbf\xff\xfe \t\r\n")
        opens = ends[:1] in (b"{", b"[")
        declared = "json" in part.media_type and opens
        return opens and (declared or ends[-1:] in (b"}", b"]")) and looks_like_text(part.data)

    def decode(self, part: Part) -> Iterator[Found]:
        """Give each plausible reading's lines; text that is not JSON after all is given as it stands."""
        for text in readings(part.data, part.charset):
            try:
                values = list(parse(text))
            except (ValueError, RecursionError):
                yield Passage(text, part.provenance)
            else:
                yield Passage("\n".join(line for value in values for line in lines(value)), part.provenance)


def parse(text: str) -> Iterator[object]:
    """Yield the values of a JSON document, or of each line; numbers keep every digit. Raises `ValueError`."""
    text = text.lstrip("\ufeff \t\r\n")
    try:
        yield json.loads(text, parse_float=Decimal, parse_int=str, strict=False)
    except ValueError:
        rows = [row for row in text.splitlines() if row.strip()]
        if len(rows) < 2:
            raise
        for row in rows:
            yield json.loads(row, parse_float=Decimal, parse_int=str, strict=False)


def lines(value: object) -> Iterator[str]:
    """Yield `key: value` lines in document order, without recursion; an empty line ends an object."""
    waiting: list[Node] = [("", value)]
    while waiting:
        key, node = waiting.pop()
        if isinstance(node, dict):
            waiting.append(("", ""))
            nested = [(str(name), inner) for name, inner in node.items()]
            # Scalars first: what belongs to one record stands together, before what hangs on it.
            nested.sort(key=lambda item: isinstance(item[1], dict | list))
            waiting.extend(reversed(nested))
            if key:
                yield f"{key}:"
        elif isinstance(node, list):
            if all(not isinstance(inner, dict | list) for inner in node):
                yield label(key, " | ".join(scalar(inner) for inner in node))
            else:
                waiting.extend((key, inner) for inner in reversed(node))
        else:
            yield label(key, scalar(node))


def label(key: str, text: str) -> str:
    """Return one line, with its key if it has one."""
    return f"{key}: {text}" if key else text


def scalar(value: object) -> str:
    """Return a value as text; a string that holds HTML as what a browser would show."""
    text = str(value)
    if isinstance(value, str) and "<" in text and ">" in text:
        shown = visible_text(text)
        return shown if shown == text else f"{shown}\n{text}"
    return text
