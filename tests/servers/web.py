"""One HTTP request to a server of the tests, and its answer."""

import json
import urllib.request
from collections.abc import Mapping
from typing import Any, NamedTuple


class Answer(NamedTuple):
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """Read the body as JSON."""
        return json.loads(self.body)


def ask(
    url: str,
    *,
    data: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    method: str | None = None,
) -> Answer:
    """Ask once; an error status raises `urllib.error.HTTPError`."""
    request = urllib.request.Request(url, data=data, headers=dict(headers or {}), method=method)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return Answer(answer.status, answer.headers, answer.read())


def tell(url: str, value: Any, *, headers: Mapping[str, str] | None = None) -> Answer:
    """Post a value as JSON."""
    return ask(url, data=json.dumps(value).encode(), headers={"Content-Type": "application/json", **(headers or {})})
