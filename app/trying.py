"""`spillwatch sites try`: one page of a site's first list, to see what is recognised. Nothing is kept.

The page is fetched by a keyless child process under the law of the spiders; what to fetch travels through a pipe. Run
as `python -m app.trying CONFIG`, this module is that child.
"""

import dataclasses
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from alerts.advice import advice
from alerts.words import KINDS
from app import child, console, logs, vet
from app.config import Config, read_config
from crawler.interface import SiteSettings
from model.errors import ConfigError, SiteError, SpillwatchError
from model.page import Reason

MOST_SECONDS = 900.0
NEVER = 1e9
"""Seconds between scans of a site that is not scanned: longer than any site may want."""
SETTINGS = ("terms", "robots")
"""What `--option` may also say of a site that does not stand in config.yaml."""


def site_to_try(config: Config, name: str, given: Sequence[str]) -> SiteSettings:
    """Return a site of config.yaml, or one made of a `use:` name, with what the command line says on top.

    Raises ConfigError for an option that is not `key=value`.
    """
    site = config.sites.get(name) or SiteSettings(name=name, use=name, every=NEVER)
    said: dict[str, Any] = {}
    for entry in given:
        key, equals, value = entry.partition("=")
        if not equals or not key.strip():
            raise ConfigError("--option takes key=value, such as --option root=https://paste.example")
        before = said.get(key, [])
        said[key] = value if key not in said else [*(before if isinstance(before, list) else [before]), value]
    options = {**site.options, **{key: value for key, value in said.items() if key not in SETTINGS}}
    terms, robots = str(said.get("terms", site.terms)), str(said.get("robots", site.robots))
    return dataclasses.replace(site, options=options, expect=None, terms=terms, robots=robots)


def try_site(site: SiteSettings, config: Config, most: int) -> dict[str, Any]:
    """Let a child process fetch the page; return what it recognised, with the advice on what went wrong.

    Raises SiteError, and asks for nothing, if the site's options hold something of an enrolled record.
    """
    vet.require_now(config, site)
    process = child.start("app.trying", config, keyless=True, piped=True)
    wish = {"site": dataclasses.asdict(site), "most": most}
    try:
        answer, _ = process.communicate(json.dumps(wish).encode(), timeout=MOST_SECONDS)
    except subprocess.TimeoutExpired:
        return _told(site, {"reason": Reason.TIMEOUT.value, "why": f"no end after {MOST_SECONDS:.0f} s"})
    finally:
        child.stop(process, 1.0)
    if process.returncode != 0:
        raise SiteError("the fetching process ended with an error; its log line above says which")
    trial = json.loads(answer)
    if "error" in trial:
        raise ConfigError(trial["error"])
    return _told(site, trial)


def succeeded(told: Mapping[str, Any]) -> bool:
    """Tell whether the list and every entry that was looked at could be read."""
    return told["reason"] is None and not told["failed"]


def show(told: Mapping[str, Any]) -> None:
    """Print what was recognised, for people."""
    for item in told["items"]:
        console.say(f"{item['id']}  {item['at'] or 'no time'}  {item['author'] or 'no author'}")
        console.say(f"  {item['url']}")
        console.say(f"  {item['parts']} parts, {item['attachments']} attachments; {item['text'] or '(no text)'}")
    if told["reason"] is None:
        looked = len(told["items"]) + sum(told["failed"].values())
        console.say(f"{told['site']} ({told['use']}): {told['listed']} entries on the page, {looked} looked at")
        if not told["listed"]:
            console.say("the list can be read, and is empty: try again when there is something on it")
    for name, rule in told["never_found"].items():
        console.say(f"never found: {name} ({f'described as {rule}' if rule else 'not described'})")
    if told["cost"]:
        console.say(f"this cost {told['cost']:g}, which the budget of the site does not know of")
    for reason in [*([told["reason"]] if told["reason"] else []), *told["failed"]]:
        meaning, now = told["advice"][reason]
        count = told["failed"].get(reason)
        which = f"{count} entries" if count else "the list"
        console.complain(f"{which}: {reason}: {told['why'] or meaning}. {now}")


def _told(site: SiteSettings, trial: Mapping[str, Any]) -> dict[str, Any]:
    """Return the answer of a child, whole, and with what its reasons mean."""
    empty = {"items": [], "listed": 0, "failed": {}, "never_found": {}, "reason": None, "why": "", "cost": 0.0}
    told = {"site": site.name, "use": site.use, **empty, **trial}
    reasons = [*([told["reason"]] if told["reason"] else []), *told["failed"]]
    return told | {"advice": {reason: (KINDS["en"][reason], " ".join(advice([reason], "en"))) for reason in reasons}}


def main() -> None:
    """Be the fetching child: what to fetch on standard input, what was recognised on standard output, as JSON."""
    from crawler.trial import look

    child.end_with_parent()
    child.leave_no_core()
    config = read_config(Path(sys.argv[1]))
    logs.configure(config.logging)
    wish = json.load(sys.stdin)
    site = SiteSettings(**wish["site"])
    try:
        trial = look(site, config.network, wish["most"])
    except SpillwatchError as error:
        json.dump({"error": str(error)}, sys.stdout)
        return
    items = [
        {
            "id": item.item_id,
            "at": item.at.isoformat() if item.at else None,
            "author": item.author,
            "url": item.url,
            "parts": item.parts,
            "attachments": item.attachments,
            "text": item.text,
        }
        for item in trial.items
    ]
    failed = {reason.value: count for reason, count in trial.failed.items()}
    told = {"items": items, "listed": trial.listed, "failed": failed, "never_found": dict(trial.missing)}
    reason = trial.reason.value if trial.reason else None
    json.dump(told | {"reason": reason, "why": trial.why, "cost": trial.cost}, sys.stdout)


if __name__ == "__main__":
    main()
