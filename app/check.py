"""CHECK: a URL, file or standard input → the same line, verdict on the spot.

The address is fetched by a keyless child process under the law of the spiders; it travels through a pipe, so that it
never stands in a process list. Run as `python -m app.check CONFIG`, this module is that child.
"""

import json
import mimetypes
import secrets
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from app import child, logs, owner
from app.config import Config, read_config
from app.stores import Stores, open_stores
from model.errors import SiteError, SpillwatchError
from model.match import Verdict
from model.page import Page, Part, Reason
from storage.moments import utc_now as now

if TYPE_CHECKING:  # the parent examines and the child fetches, and neither imports what the other one does
    from app.examine import Examined, Examiner

SITE = "check"
FETCH_SECONDS = 300.0
WORST_FIRST = (Verdict.LEAK, Verdict.SUSPICIOUS, Verdict.UNREADABLE, Verdict.NOTHING)


@dataclass(frozen=True, slots=True)
class Checked:
    """What became of one thing that a person asked about."""

    verdict: Verdict
    pages: "tuple[Examined, ...]"
    """The page itself and the pastes it links to."""
    unread: tuple[Reason, ...]
    """Why something was not read; empty when everything was."""


def check(target: str, config: Config, stores: Stores, examiner: "Examiner") -> Checked:
    """Return the verdict on a URL, the path of a file, or `-` for standard input."""
    if "://" in target:
        page_ids, reasons = fetch_in_child(target, config)
    else:
        page_ids, reasons = [keep_file(target, stores)], []
    pages = _examine(page_ids, stores, examiner)
    unread = tuple(dict.fromkeys([*reasons, *(reason for page in pages for reason in page.unread)]))
    verdicts = {page.verdict for page in pages} or {Verdict.UNREADABLE}
    verdict = next(verdict for verdict in WORST_FIRST if verdict in verdicts)
    if verdict is Verdict.NOTHING and unread:
        verdict = Verdict.UNREADABLE
    return Checked(verdict, pages, unread)


def fetch_in_child(url: str, config: Config) -> tuple[list[str], list[Reason]]:
    """Fetch in a process that holds no key; return the ids of the pages kept, and why others are missing."""
    process = child.start("app.check", config, keyless=True, piped=True)
    try:
        answer, _ = process.communicate(url.encode(), timeout=FETCH_SECONDS)
    except subprocess.TimeoutExpired:
        return [], [Reason.TIMEOUT]
    finally:
        child.stop(process, 1.0)
    if process.returncode != 0:
        raise SiteError("the fetching process ended with an error; its log line above says which")
    told = json.loads(answer)
    return list(told["pages"]), [Reason(word) for word in told["reasons"]]


def keep_file(target: str, stores: Stores) -> str:
    """Put a file's bytes (or standard input) into the spool as a page; return its id."""
    if target == "-":
        data, name = sys.stdin.buffer.read(), ""
    else:
        path = Path(target)
        try:
            data, name = path.read_bytes(), path.name
        except OSError as error:
            raise SpillwatchError(f"{path}: {error.strerror}") from error
    page_id = secrets.token_hex(16)
    part = Part("body", mimetypes.guess_type(name)[0] or "", data, name)
    page = Page(page_id, SITE, page_id, "", now(), (part,), (), "checked by hand")
    stores.pages.keep(page)
    return page_id


def _examine(page_ids: Sequence[str], stores: Stores, examiner: "Examiner") -> "tuple[Examined, ...]":
    from app.examine import LEASE_SECONDS

    leased = stores.pages.lease(owner.me(), LEASE_SECONDS, len(page_ids), page_ids=page_ids) if page_ids else []
    return tuple(examiner.examine(page) for page in leased)


def main() -> None:
    """Be the fetching child: the address on standard input, page ids and reasons as JSON on standard output."""
    from crawler.runner import fetch

    child.end_with_parent()
    child.leave_no_core()
    config = read_config(Path(sys.argv[1]))
    logs.configure(config.logging)
    url = sys.stdin.read().strip()
    with open_stores(config) as stores:
        fetched = fetch(url, config.network, stores.pages)
    pages = [page.page_id for page in (fetched.page, *fetched.linked) if page is not None]
    reasons = [reason.value for reason in (fetched.reason, *fetched.failed) if reason is not None]
    json.dump({"pages": pages, "reasons": reasons}, sys.stdout)


if __name__ == "__main__":
    main()
