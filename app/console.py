"""What people read at a terminal, and JSON for machines. References, kinds, counts and times only."""

import dataclasses
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, TextColumn, TimeRemainingColumn
from rich.progress import Task as ProgressTask
from rich.text import Text

if TYPE_CHECKING:  # what is printed was made by its room: nothing is imported to print it, least of all for --help
    from app.check import Checked
    from app.doctor import Finding
    from app.sites import SiteLine
    from crawler.profile import Profile
    from model.alert import Alert
    from model.page import Reason
    from model.scan import ScanReport
    from storage.coverage import Coverage
    from storage.records import RecordCounts

_out = Console(highlight=False, soft_wrap=True)
_err = Console(stderr=True, highlight=False, soft_wrap=True)
WELL = ("working", "never scanned")
MARKS = {True: "[green]ok  [/]", None: "[yellow]note[/]", False: "[red]BAD [/]"}


def say(line: str) -> None:
    """Print a line as it is."""
    _out.print(line, markup=False)


def complain(line: str) -> None:
    """Print a line to standard error."""
    _err.print(f"spillwatch: {line}", markup=False)


def data(tree: Any) -> None:
    """Print JSON."""
    print(json.dumps(tree, ensure_ascii=False, indent=2, default=str))


def epochs(counts: "RecordCounts") -> None:
    """Print how many records are of which epoch, while there are several."""
    for epoch, records in sorted(counts.by_epoch.items()) if len(counts.by_epoch) > 1 else ():
        say(f"  epoch {epoch}: {records} records")


class _Rate(ProgressColumn):
    """Shows rows per second."""

    def render(self, task: ProgressTask) -> Text:
        """Return the rate, once there is one."""
        return Text(f"{task.speed:,.0f}/s" if task.speed else "")


@contextmanager
def progress(what: str, total: int | None, unit: str) -> Iterator[Callable[[int], None]]:
    """Show a bar with rate and time left; yields what moves it. Where there is no terminal, a line in the end.

    Without a total it only counts.
    """
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TextColumn(unit), _Rate(), TimeRemainingColumn())
    with Progress(*columns, console=_err) as bar:
        task = bar.add_task(what, total=total)
        yield lambda steps: bar.advance(task, steps)


def scan(report: "ScanReport") -> None:
    """Print what one scan covered."""
    failed = ", ".join(f"{count} {reason}" for reason, count in sorted(report.failed.items())) or "none"
    state = report.state if report.reason is None else f"{report.state} ({report.reason})"
    state += f", left alone until {_local(report.paused_until)}" if report.paused_until else ""
    sum_of = f"{report.fetched} fetched + {report.known} known + failed: {failed}"
    say(f"{report.site}: {state}; {report.listed} listed = {sum_of}")


def checked(target: str, outcome: "Checked", evidence: Path, *, as_json: bool) -> None:
    """Print the verdict on one target."""
    if as_json:
        data(_checked_tree(outcome, evidence))
        return
    say(f"{target}: {outcome.verdict}")
    for reason in outcome.unread:
        say(f"  not read: {reason}")
    for page in outcome.pages:
        for match in page.matches:
            found = ", ".join(
                f"{'+'.join(element.kinds)} ({element.form}{', with another post' if element.joined else ''})"
                for element in match.elements
            )
            say(f"  {match.verdict}, score {match.score:.2f}: {found}")
        for alert_id in page.alerts:
            say(f"  alert {alert_id}; see: spillwatch show {alert_id}")
        if page.evidence:
            say(f"  evidence: {evidence / page.evidence}")


def _checked_tree(outcome: "Checked", evidence: Path) -> dict[str, Any]:
    pages = [
        {
            "page": page.page_id,
            "verdict": page.verdict,
            "alerts": list(page.alerts),
            "evidence": str(evidence / page.evidence) if page.evidence else None,
            "matches": [
                {
                    "verdict": match.verdict,
                    "score": round(match.score, 4),
                    "elements": [
                        {"kinds": list(element.kinds), "role": element.role, "form": element.form}
                        for element in match.elements
                    ],
                }
                for match in page.matches
            ],
        }
        for page in outcome.pages
    ]
    return {"verdict": outcome.verdict, "not_read": list(outcome.unread), "pages": pages}


def alerts(found: "Sequence[Alert]", *, as_json: bool) -> None:
    """Print a line for each alert."""
    if as_json:
        data([_alert_tree(alert) for alert in found])
        return
    for alert in found:
        what = f"{alert.verdict} {alert.score:.2f}" if alert.verdict else f"{alert.subject} problem"
        say(
            f"{alert.alert_id}  {alert.severity:8}  {alert.status:12}  {alert.first_seen:%Y-%m-%d %H:%M}Z  "
            f"{what:15}  {alert.site or '-'}  {', '.join(alert.kinds)}"
        )
    say(f"{len(found)} alerts")


def alert(found: "Alert", ref: str, evidence: Path, *, as_json: bool) -> None:
    """Print one alert with its sightings."""
    if as_json:
        data(_alert_tree(found) | {"ref": ref or None})
        return
    say(f"{found.alert_id}: {found.severity} {found.verdict or found.subject}, {found.status}")
    if ref:
        say(f"  record       {ref}")
    say(f"  found        {', '.join(found.kinds)}" + (f" (score {found.score:.2f})" if found.verdict else ""))
    say(f"  first seen   {_local(found.first_seen)}")
    say(f"  last seen    {_local(found.last_seen)}")
    for sighting in found.sightings:
        published = f", published {_local(sighting.published_at)}" if sighting.published_at else ""
        say(f"  sighting     {sighting.site}, {_local(sighting.seen_at)}{published}")
        if sighting.evidence:
            say(f"    evidence   {evidence / sighting.evidence}")
            say(f"    verify     spillwatch evidence verify {evidence / sighting.evidence}")


def _alert_tree(found: "Alert") -> dict[str, Any]:
    return {
        "alert": found.alert_id,
        "subject": found.subject,
        "verdict": found.verdict,
        "severity": found.severity,
        "status": found.status,
        "site": found.site,
        "kinds": list(found.kinds),
        "score": round(found.score, 4),
        "first_seen": found.first_seen.isoformat(),
        "last_seen": found.last_seen.isoformat(),
        "sightings": [
            {"page": seen.page_id, "site": seen.site, "seen_at": seen.seen_at.isoformat(), "evidence": seen.evidence}
            for seen in found.sightings
        ],
    }


def finding(found: "Finding") -> None:
    """Print one line of the doctor."""
    _out.print(MARKS[found.ok], end=" ")
    _out.print(f"{found.what}: {found.says}", markup=False)


def _local(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S}Z"


def sites(
    lines: "Sequence[SiteLine]",
    uses: "Mapping[str, Profile]",
    not_built: Mapping[str, str],
    *,
    every_use: bool,
    as_json: bool,
) -> None:
    """Print how each configured site stands, what a site can use, and what is asked for in vain."""
    if as_json:
        told = {line.site: dataclasses.asdict(line) for line in lines}
        known = {name: dataclasses.asdict(profile) for name, profile in uses.items()}
        data({"sites": told, "uses": known, "not_built": dict(not_built)})
        return
    for line in lines:
        _site(line)
    say(f"{len(lines)} sites configured, {sum(line.state not in WELL for line in lines)} of them not well")
    if not every_use:
        say(f"a site can use {len(uses)} descriptions, spiders and streams; see: spillwatch sites --all")
        return
    for name, profile in uses.items():
        off = "; off by default" if profile.off else ""
        say(f"  {name:18} {profile.about} ({profile.mode}, {profile.access}{off})")
        for text in (profile.off, profile.limits, profile.terms):
            if text:
                say(f"  {'':18} {text}")
    say("what is not watched:")
    for name, why in not_built.items():
        say(f"  {name:18} {why}")


def _site(line: "SiteLine") -> None:
    from alerts.advice import advice

    state = line.state if line.reason is None else f"{line.state} ({line.reason})"
    since = f" since {_local(line.since)}" if line.since else ""
    say(f"{line.site}: {state}{since}")
    needs = f"; access: {line.profile.access}" if line.profile else "; unknown: neither a description nor a spider"
    robots = "robots obeyed" if line.robots == "obey" else f"robots {line.robots}"
    pace = f"every {line.every:.0f} s" if line.every else "as it comes"
    say(f"  {line.use}, {pace}, {robots}{needs}")
    usual = f"{line.usual:g}" if line.usual is not None else "not known yet"
    given = "" if line.items is None else f"; {line.items} new items in the last scan, {usual} in the median of 28 days"
    last = _local(line.last_success) if line.last_success else "never"
    following = f"; next try {_local(line.next_try)}" if line.next_try else ""
    say(f"  last success {last}{given}{following}")
    off = line.profile is not None and line.profile.off and not line.accepted
    if off:
        say("  off by default: it is not asked until its entry says `terms: accepted`")
    for text in (line.profile.off, line.profile.terms) if line.profile else ():
        if text:
            say(f"  note: {text}")
    for text in advice([line.reason or line.state], "en") if line.state not in WELL else ():
        say(f"  do: {text}")
    if line.refused:
        say(f"  these options hold something of an enrolled record: {', '.join(line.refused)}")


def coverage(found: "Sequence[Coverage]", since: str, *, as_json: bool) -> None:
    """Print what became of everything scheduled for each site, and whether the sum is right."""
    if as_json:
        told = [dataclasses.asdict(site) | {"difference": site.difference} for site in found]
        data({"balances": not any(site.difference for site in found), "sites": told})
        return
    for site in found:
        say(
            f"{site.site}: {site.scheduled} scheduled = {site.examined} examined + {site.known} known + "
            f"{site.waiting} waiting + quarantined: {_counted(site.quarantined)} + failed: {_counted(site.failed)}"
            + (f" + {site.in_progress} in progress" if site.in_progress else "")
        )
        skipped = "".join(f", {count} skipped as {reason}" for reason, count in sorted(site.skipped.items()))
        unread = "".join(f", {count} not read: {reason}" for reason, count in sorted(site.unread.items()))
        given_up = f"; never to be fetched: {_counted(site.given_up)}" if site.given_up else ""
        say(f"  {site.scans} scans, {site.kept} pages; parts: {site.read} read{skipped}{unread}{given_up}")
        for gap in site.gaps:
            began = _local(gap.since) if gap.since else "an unknown time"
            say(f"  gap: {began} to {_local(gap.until)}, {gap.reason}, {'filled' if gap.filled else 'NOT filled'}")
        if site.difference:
            complain(f"{site.site}: does not balance: {site.scheduled} scheduled, {site.accounted} accounted for")
    if not found:
        say("nothing was scheduled in this time")
    elif not any(site.difference for site in found):
        total, accounted = sum(site.scheduled for site in found), sum(site.accounted for site in found)
        say(f"it balances: {total} scheduled = {accounted} accounted for, since {since} ago")
    else:
        say("IT DOES NOT BALANCE: what is missing was lost; keep the log and report it")


def _counted(reasons: "Mapping[Reason, int]") -> str:
    return ", ".join(f"{count} {reason}" for reason, count in sorted(reasons.items())) or "none"
