"""The spider of all described sites: session → lists → items → raw."""

import itertools
import os
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from parsel import Selector

from crawler.attachments import MAX_ATTACHMENTS, absolute, attachments_of
from crawler.capture import web_page_capture
from crawler.charset import text_of
from crawler.description import PLACEHOLDER, Description, ListRules, Raw, resolve_options
from crawler.expressions import moment, value, values
from crawler.fetcher import Answer, Fetcher
from crawler.health import FetchFailed, consequence
from crawler.interface import SiteSettings, Validators
from crawler.reading import json_of, read_list, refuse, text_part
from crawler.session import json_bytes, opened, withheld
from crawler.spider import Capture, Item, Listing, SiteSpider, Stream
from crawler.templates import fill, fill_all, list_url, now_text
from model.errors import ConfigError
from model.page import Exchange, Reason

_REFUSED = frozenset(
    [
        Reason.BLOCKED,
        Reason.ROBOTS,
        Reason.LOGIN,
        Reason.GONE,
        Reason.CHANGED,
        Reason.TOO_BIG,
        Reason.BOMB,
        Reason.MALFORMED,
        Reason.FORBIDDEN_ADDRESS,
    ]
)
"""Why a page that a search found will not be had tomorrow either."""


@dataclass(frozen=True, slots=True)
class _Plan:
    """One list at one instance, for one choice of the options that name several things."""

    rules: ListRules
    names: Mapping[str, str]
    prefix: str


class GenericSpider(SiteSpider):
    """Reads a site as its description says."""

    def __init__(self, site: SiteSettings, description: Description) -> None:
        """Resolve options; raises ConfigError if one is unknown or missing."""
        super().__init__(site)
        self.description = description
        self.cookies = description.cookies
        self.attachment_headers = description.attachment_headers
        self.profile = description.profile
        self.settings = resolve_options(description, site)
        self.cost, self.budget = description.cost, _money(self.settings.get("budget", 0), site.name)
        self.plans = dict(self._plans())
        self.given: dict[str, str] = {}
        """What the session gave, once it is open."""
        self.shut: FetchFailed | None = None
        """Why there is no session: a refused login is not tried again for the next list."""

    async def streams(self, fetcher: Fetcher) -> AsyncIterator[Stream]:
        """Yield each list of each instance, for each value of the options that are lists."""
        for name, plan in self.plans.items():
            cursor = plan.rules.cursor
            yield Stream(
                name=name,
                cursor=cursor.kind,
                overlap=cursor.overlap,
                keep=cursor.keep,
                backfill=self.description.backfill,
                conditional=self.description.conditional
                and not self.description.session
                and not any(word in plan.rules.url for word in ("{cursor", "{now")),
            )

    async def listing(
        self, fetcher: Fetcher, stream: Stream, place: str, cursor: str | None, validators: Validators | None
    ) -> Listing:
        """Fetch and read one page of the list; a session that ran out is opened once more."""
        renewed = False
        while True:
            try:
                if self.description.session and not self.given:
                    renewed = True
                    self.given = await self._opened(fetcher)
                return await self._listing(fetcher, stream, place, cursor, validators)
            except FetchFailed as failure:
                told = self._told(failure)
                if told.reason is not Reason.LOGIN or renewed or not self.description.session:
                    raise told from None
                self.given = {}

    async def _opened(self, fetcher: Fetcher) -> dict[str, str]:
        """Return what the session gives, or raise why it was refused, be it for an earlier list of this scan."""
        if self.shut is None:
            try:
                return await opened(fetcher, self.description.session, self._names({}))
            except FetchFailed as failure:
                self.shut = self._told(failure)
        raise self.shut

    async def _listing(
        self, fetcher: Fetcher, stream: Stream, place: str, cursor: str | None, validators: Validators | None
    ) -> Listing:
        plan = self.plans[stream.name]
        rules = plan.rules
        names = self._names(plan.names) | {"cursor": self._cursor(rules, cursor), "now": now_text(fetcher.now())}
        post = rules.method == "POST"
        url = list_url(rules.url, names) if post or not place else place
        headers, secret = self._headers(names)
        body, kind = _body(rules, names, place)
        if body:
            headers["Content-Type"] = kind
        answer = await fetcher.get(
            url, "listing", method=rules.method, headers=headers, secret_headers=secret, body=body,
            validators=validators,
        )  # fmt: skip
        answer = withheld(answer, self._secrets(names))
        if answer.unchanged:
            return Listing(items=(), answer=answer)
        return read_list(
            self.description, rules, answer, names, url, prefix=plan.prefix + fill(rules.prefix, names), place=place
        )

    async def capture(self, fetcher: Fetcher, item: Item, listing: Listing) -> Capture:
        """Return what the list gave of the item, and its raw content if it lies elsewhere."""
        parts = list(item.parts)
        if not item.fields["raw_urls"]:
            return Capture(tuple(parts), listing.answer.exchanges, item.attachments)
        raw = item.fields.get("raw") or Raw(type="html")
        # The list is no evidence of what lies elsewhere, and shows the neighbours.
        exchanges, attachments = list[Exchange](), list(item.attachments)
        published_at, author = None, None
        urls = item.fields["raw_urls"]
        failures = [Reason.LIMIT] * max(len(urls) - MAX_ATTACHMENTS, 0)
        for url in urls[:MAX_ATTACHMENTS]:
            headers, secret = self._headers(self._names({})) if _same_host(url, listing.answer.url) else ({}, ())
            try:
                answer = await fetcher.get(url, "item", headers=headers, secret_headers=secret)
            except FetchFailed as failure:
                told = self._told(failure)
                if self.description.fetch_link and self._is_told_by_list(item, url, listing, told.reason):
                    return Capture(tuple(parts), listing.answer.exchanges, failures=(told.reason,))
                if len(urls) == 1 or not consequence(told.reason).settles:
                    raise told from None
                failures.append(told.reason)
                continue
            refuse(self.description, answer)
            answer = withheld(answer, self._secrets(self._names({})))
            captured = read_raw(raw, answer, item.fields.get("name") or "")
            parts[:0] = captured.parts
            exchanges.extend(answer.exchanges)
            attachments.extend(captured.attachments)
            published_at, author = published_at or captured.published_at, author or captured.author
        if not exchanges:
            raise FetchFailed(failures[-1])
        found = tuple(dict.fromkeys(attachments))
        return Capture(tuple(parts), tuple(exchanges), found, published_at, author, tuple(failures))

    def _is_told_by_list(self, item: Item, url: str, listing: Listing, reason: Reason) -> bool:
        """Tell whether what the list says of a page that cannot be had is to be kept: it may be all that is left.

        A page elsewhere that refuses will refuse tomorrow; one of the site itself is given up only when it is gone.
        """
        if _same_host(url, listing.answer.url):
            return reason is Reason.GONE and any(part.provenance == "body" for part in item.parts)
        return reason in _REFUSED and bool(item.parts)

    def _told(self, failure: FetchFailed) -> FetchFailed:
        """Return the failure as the site's own rules tell it, if they know the refusal."""
        try:
            if failure.refusal is not None:
                refuse(self.description, failure.refusal)
        except FetchFailed as told:
            return told
        return failure

    def _plans(self) -> list[tuple[str, _Plan]]:
        """Return every list to be read, by the name under which its cursor is kept."""
        roots = _several(self.settings.get("root") or "")
        choices = {name: _several(text) for name, text in self.settings.items() if name != "root"}
        many = [name for name, texts in choices.items() if len(texts) > 1]
        found = []
        for root, rules in itertools.product(roots, self.description.lists):
            used = {match.group(1) for match in PLACEHOLDER.finditer(rules.url + str(rules.body or rules.form or ""))}
            varied = [name for name in many if name in used]
            for chosen in itertools.product(*(choices[name] for name in varied)):
                names = {name: texts[0] for name, texts in choices.items() if texts}
                names |= dict(zip(varied, chosen, strict=True)) | {"root": root.rstrip("/")}
                told = [rules.stream, *(f"{name}={text}" for name, text in zip(varied, chosen, strict=True))]
                name = " ".join(["list", urlsplit(root).netloc, *told]).strip()
                prefix = f"{urlsplit(root).netloc}/" if len(roots) > 1 else ""
                found.append((" ".join(name.split()), _Plan(rules, names, prefix)))
        return found

    def _names(self, chosen: Mapping[str, str]) -> dict[str, str]:
        """Return what `{name}` stands for in the description's templates; secrets are read here and kept nowhere."""
        first = {name: (_several(text) or [""])[0] for name, text in self.settings.items()}
        names = {**first, **chosen}
        return {name: revealed(text, self.site.name) for name, text in names.items()} | self.given

    def _cursor(self, rules: ListRules, cursor: str | None) -> str:
        """Return the cursor as an address may carry it."""
        if cursor is None or rules.cursor.kind == "seen":
            return ""
        when = moment(cursor) if rules.cursor.kind == "time" else None
        return (when - timedelta(seconds=rules.cursor.overlap)).isoformat() if when is not None else cursor

    def _secrets(self, names: Mapping[str, str]) -> list[str]:
        """Return what must stand in no evidence: secrets given by reference, and what the session gave."""
        return [names[name] for name in names if name in self.given or is_secret(self.settings.get(name))]

    def _headers(self, names: Mapping[str, str]) -> tuple[dict[str, str], tuple[str, ...]]:
        """Return the description's headers; those that carry a secret or a session are named as secret.

        A header that waits for an option left empty is left out.
        """
        headers, secret = {}, []
        for key, template in self.description.headers.items():
            used = {match.group(1) for match in PLACEHOLDER.finditer(template)}
            if any(names.get(name) == "" for name in used):
                continue
            headers[key] = fill(template, names)
            if used & (self.given.keys() | {name for name, text in self.settings.items() if is_secret(text)}):
                secret.append(key)
        return headers, tuple(secret)


def read_raw(raw: Raw, answer: Answer, name: str) -> Capture:
    """Return what one raw answer holds: bytes as received, never decoded by a guess."""
    if raw.gone and _says(raw.gone, answer):
        raise FetchFailed(Reason.GONE)
    if raw.type in {"text", "file"}:
        return Capture(parts=(answer.part("body", name),), exchanges=answer.exchanges)
    document: Any = json_of(answer) if raw.type == "json" else Selector(text=text_of(answer) or " ", type="html")
    html = values(raw.html, document, as_html=True) if raw.html else []
    texts = values(raw.text, document) if raw.text else []
    told = [("title", raw.title), ("author", raw.author)]
    found = [(part, value(rule, document)) for part, rule in told if rule]
    files = values(raw.files, document) if raw.files else []
    inside = [url for body in html for url in attachments_of(Selector(text=body, type="html"), answer.url)]
    whole = web_page_capture(answer)
    attachments = absolute([*files, *inside], answer.url) if raw.files or raw.html else whole.attachments
    return Capture(
        parts=(
            *(text_part("body", text) for text in texts),
            *(text_part("body", text, "text/html") for text in html),
            *(text_part(part, text) for part, text in found if text),
            *whole.parts,
        ),
        exchanges=answer.exchanges,
        attachments=attachments,
        published_at=moment(value(raw.time, document, now=answer.fetched_at)) if raw.time else None,
        author=value(raw.author, document) if raw.author else None,
    )


def _says(pattern: str, answer: Answer) -> bool:
    return re.search(pattern, text_of(answer)[:2000]) is not None


def _body(rules: ListRules, names: Mapping[str, str], place: str) -> tuple[bytes, str]:
    """Return the body of a POST, without the entries that have nothing to say yet, and its media type."""
    template = rules.form if rules.form is not None else rules.body
    if rules.method != "POST" or template is None:
        return b"", ""
    filled = fill_all(template, names)
    if place:
        filled[rules.page.param] = place
    if rules.form is not None:
        return urlencode(filled).encode(), "application/x-www-form-urlencoded"
    return json_bytes(filled), "application/json"


def _several(option: Any) -> list[str]:
    """Return an option as the texts it holds: one, or several."""
    return [str(entry) for entry in option] if isinstance(option, list) else [] if option is None else [str(option)]


def _money(option: Any, site: str) -> float:
    """Return a sum of money as config.yaml gives it."""
    if isinstance(option, bool) or not isinstance(option, (int, float)) or option < 0:
        raise ConfigError(f"sites.{site}.budget must be a sum of money for each month: a number such as 20 or 7.5")
    return float(option)


def _same_host(url: str, other: str) -> bool:
    return urlsplit(url).netloc == urlsplit(other).netloc


def is_secret(option: Any) -> bool:
    """Tell whether an option only says where a secret lies."""
    return isinstance(option, str) and option.startswith(("env:", "file:"))


def revealed(option: str, site: str) -> str:
    """Return a secret that is given by reference: `env:NAME` or `file:PATH`."""
    if not is_secret(option):
        return option
    scheme, _, name = option.partition(":")
    if scheme == "env":
        if name not in os.environ:
            raise ConfigError(f"sites.{site}: the environment variable of an option is not set: {name}")
        return os.environ[name]
    try:
        return Path(name).read_text(encoding="utf-8").strip()
    except OSError as error:
        text = f"sites.{site}: the file of an option cannot be read: {name} ({error.strerror})"
        raise ConfigError(text) from error
