"""Posts of the AT Protocol (Bluesky and others) as items: what a data server lists and what a firehose brings."""

import json
from typing import Any

from crawler.reading import text_part
from model.page import Part

POSTS = "app.bsky.feed.post"
"""The collection of posts."""


def post_parts(post: dict[str, Any]) -> tuple[Part, ...]:
    """Return a post as one part, the text first, then all the rest of it (alt texts, facets, embeds)."""
    ordered = {"text": post["text"], **post} if "text" in post else post
    return (text_part("body", json.dumps(ordered, ensure_ascii=False, separators=(",", ":")), "application/json"),)


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
