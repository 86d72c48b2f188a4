"""Posts of the AT Protocol (Bluesky and others) as items: what a data server lists and what a firehose brings."""

import json
from typing import Any

from crawler.generic import text_part
from model.page import Part

POSTS = "app.bsky.feed.post"
"""The collection of posts."""


def post_parts(post: dict[str, Any], whole: bytes = b"") -> tuple[Part, ...]:
    """Return a post's text, and all of it as JSON (alt texts, facets, embeds); `whole` is its JSON, if at hand."""
    text = post.get("text")
    record = (
        Part("record", "application/json", whole, charset="utf-8")
        if whole
        else text_part("record", json.dumps(post, ensure_ascii=False), "application/json")
    )
    return (*([text_part("body", text)] if isinstance(text, str) and text else []), record)


def blobs(node: Any) -> list[str]:
    """Return the content ids of every blob in a record, however deep it is embedded."""
    if isinstance(node, list):
        return [cid for entry in node for cid in blobs(entry)]
    if not isinstance(node, dict):
        return []
    reference = node.get("ref")
    if node.get("$type") == "blob" and isinstance(reference, dict) and isinstance(reference.get("$link"), str):
        return [reference["$link"]]
    return [cid for entry in node.values() for cid in blobs(entry)]


def thread(post: dict[str, Any]) -> str | None:
    """Return the address of the post that began the thread."""
    reply = post.get("reply")
    root = reply.get("root") if isinstance(reply, dict) else None
    uri = root.get("uri") if isinstance(root, dict) else None
    return uri if isinstance(uri, str) else None
