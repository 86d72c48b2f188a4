"""What a described site wants before its lists: a token, a visitor's cookie. Nothing of it is kept or shown."""

import base64
import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from urllib.parse import quote_plus, urlencode

from parsel import Selector

from crawler.charset import text_of
from crawler.description import Step
from crawler.expressions import value
from crawler.fetcher import Answer, Fetcher
from crawler.health import FetchFailed
from crawler.reading import json_of
from crawler.templates import fill, fill_all, list_url
from model.page import Reason

WITHHELD = "(withheld)"


def withheld(answer: Answer, secrets: Iterable[str]) -> Answer:
    """Return the answer without secrets in the addresses that were asked: they are kept as evidence, and shown."""
    asked = " ".join([answer.url, *(exchange.url for exchange in answer.exchanges)])
    found = [text for text in secrets if text and quote_plus(text) in asked]

    def hidden(url: str) -> str:
        for text in found:
            url = url.replace(quote_plus(text), WITHHELD)
        return url

    if not found:
        return answer
    exchanges = tuple(replace(exchange, url=hidden(exchange.url)) for exchange in answer.exchanges)
    return replace(answer, url=hidden(answer.url), exchanges=exchanges)


async def opened(fetcher: Fetcher, steps: tuple[Step, ...], names: Mapping[str, str]) -> dict[str, str]:
    """Make the requests of a session in their order and return the names that they gave.

    Raises FetchFailed with `login-needed` if an answer has not what it should give.
    """
    given: dict[str, str] = {}
    for step in steps:
        answer = await _asked(fetcher, step, {**names, **given})
        given |= _taken(step, answer)
    return given


async def _asked(fetcher: Fetcher, step: Step, names: Mapping[str, str]) -> Answer:
    headers = {key: fill(text, names) for key, text in step.headers.items()}
    if step.basic:
        headers["Authorization"] = "Basic " + base64.b64encode(fill(step.basic, names).encode()).decode()
    body = b""
    if step.form is not None:
        body = urlencode(fill_all(step.form, names)).encode()
        headers["Content-Type"] = "application/x-www-form-urlencoded"
    elif step.body is not None:
        body = json_bytes(fill_all(step.body, names))
        headers["Content-Type"] = "application/json"
    secret = tuple(headers)
    return await fetcher.get(
        list_url(step.url, names), "session", method=step.method, headers=headers, secret_headers=secret, body=body
    )


def _taken(step: Step, answer: Answer) -> dict[str, str]:
    """Return what a step's answer gives; each wanted value must be there."""
    text = text_of(answer)
    source = json_of(answer) if step.kind == "json" else Selector(text=text or " ") if step.kind == "html" else text
    found = {name: value(expression, source) for name, expression in step.take.items()}
    if not all(found.values()):
        raise FetchFailed(Reason.LOGIN, "the site gave no session")
    return {name: text or "" for name, text in found.items()}


def json_bytes(body: object) -> bytes:
    """Return a body as JSON in UTF-8."""
    return json.dumps(body, ensure_ascii=False).encode()
