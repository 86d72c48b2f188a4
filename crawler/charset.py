"""Text of lists and pages for reading their structure. What is matched are the raw bytes, in the decoders."""

import codecs
import re

from crawler.fetcher import Answer


def text_of(answer: Answer, encoding: str = "auto") -> str:
    """Return the body as text: as told, as declared, as the page says itself, as UTF-8, else as GB18030."""
    return text_in(answer.body, answer.charset, encoding)


def text_in(data: bytes, declared: str | None, encoding: str = "auto") -> str:
    """Return bytes as text, by the same rule."""
    meta = re.search(rb"charset\s*=\s*[\"']?([\w-]{2,30})", data[:2048])
    candidates = [
        encoding if encoding != "auto" else None,
        declared,
        meta.group(1).decode("ascii") if meta else None,
        "utf-8-sig",
    ]
    for name in candidates:
        if name and is_text_codec(name):
            try:
                return data.decode("gb18030" if name.lower() in {"gbk", "gb2312"} else name)
            except UnicodeDecodeError:
                continue
    try:
        return data.decode("gb18030")
    except UnicodeDecodeError:
        return data.decode("utf-8", "replace")


def is_text_codec(name: str) -> bool:
    """Tell whether a declared charset is one: Python also knows codecs like `zlib` and `rot13` by name."""
    try:
        found = codecs.lookup(name)
    except (LookupError, ValueError):
        return False
    return bool(getattr(found, "_is_text_encoding", True)) and found.name not in {"idna", "punycode", "undefined"}
