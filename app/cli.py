"""The command line: doors that parse, call a story and print. Run `spillwatch --help`.

A command imports what it uses when it is called: matching, crawling and the database take a second or two to import,
which nobody should wait for who asks for a list.
"""

import dataclasses
import getpass
import json
import os
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import structlog
import typer

from app import child, console, logs
from model.errors import SpillwatchError

if TYPE_CHECKING:
    from app.config import Config
    from app.stores import Stores

Word = TypeVar("Word", bound=StrEnum)

app = typer.Typer(
    help="Spillwatch watches the internet for leaked records without being able to read them.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
evidence_app = typer.Typer(help="Verify and open what was kept.", no_args_is_help=True)
app.add_typer(evidence_app, name="evidence")
sites_app = typer.Typer(help="List the sites, or try one.")
app.add_typer(sites_app, name="sites")

log = structlog.get_logger(__name__)
ConfigPath = Annotated[Path, typer.Option("--config", "-c", envvar="SPILLWATCH_CONFIG", help="The configuration.")]
HERE = Path("config.yaml")
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
EXIT = {"nothing found": 0, "leak": 1, "suspicious": 1, "could not read": 2}


def main() -> None:
    """Run the command line; an error is one line and exit code 2: 1 has a meaning of its own."""
    child.leave_no_core()
    logs.configure()
    try:
        app()
    except SpillwatchError as error:
        console.complain(str(error))
        sys.exit(2)
    except Exception:
        log.critical("stopped by an unforeseen error", exc_info=True)
        console.complain("stopped by an unforeseen error, which is a mistake in Spillwatch; the log says where")
        sys.exit(2)


@app.command()
def init(into: Annotated[Path, typer.Option(help="Folder for the three files.")] = Path()) -> None:
    """Write a commented config.yaml, a linkage key and an evidence identity."""
    from app.init import init as make

    made = make(into)
    console.say(f"wrote {made.config}, {made.key} and {made.identity}")
    console.say(
        f"keep a sealed copy of {made.key.name} elsewhere; move {made.identity.name} to the privacy officer's machine"
    )
    console.say("next: fit config.yaml to your export and your sites, then: spillwatch doctor")


@app.command()
def enrol(
    source: Annotated[
        str,
        typer.Argument(help="A file, a folder, or a database: its URL, or env:NAME or file:PATH where the URL stands."),
    ],
    config: ConfigPath = HERE,
    format_: Annotated[
        str | None, typer.Option("--format", help="csv, spreadsheet, database, fhir, hl7 or notes; else recognised.")
    ] = None,
    query: Annotated[str | None, typer.Option(help="The query for a database.")] = None,
    notes: Annotated[
        Path | None, typer.Option(help="A folder of notes named after the references, to join the records.")
    ] = None,
    public_figures: Annotated[
        Path | None, typer.Option(help="References of public figures: one a line, or a CSV with your reference column.")
    ] = None,
) -> None:
    """Enrol records as keyed fingerprints. Enrolling the same source again changes nothing, and goes on if broken off.

    Exit code 0: every row is enrolled; 1: some rows were refused (they are listed by row and column, never by value).
    """
    from app.enrol import enrol as enrol_rows
    from app.sources.enrolment import open_enrolment
    from app.sources.recognition import Format
    from app.wiring import note_enrolment, open_enroller, open_records, read_keys

    settings, stores_of = _open(config)
    chosen = _word(Format, format_) if format_ else None
    settings = dataclasses.replace(settings, enrolment=settings.enrolment.with_given(query, public_figures))
    with stores_of as stores, open_enrolment(source, settings, chosen, notes) as opened:
        with (
            console.progress("enrolling", opened.source.total(), opened.source.unit) as advance,
            _alone(stores, "enrolment"),
        ):
            keys = read_keys(settings, stores)  # not before: a rotation may have begun until now
            enroller = open_enroller(dataclasses.replace(settings, enrolment=opened.schema), keys)
            with open_records(settings, enroller, stores) as records:
                report = enrol_rows(opened.rows(), enroller, records, opened.following(advance))
        note_enrolment(stores, enroller, report.added + report.changed + report.unchanged)
        counts = stores.records.count()
    for refused in report.refused[:100]:
        console.complain(f"{opened.name}: {refused}")
    if len(report.refused) > 100:
        console.complain(f"{opened.name}: … and {len(report.refused) - 100} more rows refused")
    for remark in opened.remarks():
        console.say(remark)
    console.say(
        f"added {report.added}, changed {report.changed}, unchanged {report.unchanged}, refused {len(report.refused)}"
    )
    for column, count in sorted(enroller.slips.items()):
        console.complain(
            f"{opened.name}: column {column!r}: {count} values look mistyped; enrolled as they stand, or left out"
        )
    console.say(f"{counts.records} records are watched for")
    console.epochs(counts)
    raise typer.Exit(1 if report.refused else 0)


@app.command()
def erase(
    refs: Annotated[
        list[str] | None, typer.Argument(help="Your references; without any, one per line on standard input.")
    ] = None,
    config: ConfigPath = HERE,
) -> None:
    """Erase records by reference; no plaintext is needed. Exit code 1 if one was not enrolled."""
    from app.enrol import erase as erase_refs
    from app.wiring import open_enroller, open_records, read_keys

    settings, stores_of = _open(config)
    wanted = refs or [line.strip() for line in sys.stdin if line.strip()]
    with stores_of as stores, _alone(stores, "enrolment"):
        enroller = open_enroller(settings, read_keys(settings, stores))
        with open_records(settings, enroller, stores) as records:
            erased, unknown = erase_refs(wanted, enroller, records)
        stores.database.scrub()
    console.say(f"erased {erased}, not enrolled {len(unknown)}")
    raise typer.Exit(1 if unknown else 0)


@app.command()
def records(config: ConfigPath = HERE, as_json: AsJson = False) -> None:
    """Say how many records are watched for, and of which epochs of the linkage key."""
    _, stores_of = _open(config)
    with stores_of as stores:
        counts = stores.records.count()
    told = {"records": counts.records, "postings": counts.postings, "by_epoch": dict(counts.by_epoch)}
    if as_json:
        console.data(told)
        return
    console.say(f"{counts.records} records, {counts.postings} postings")
    console.epochs(counts)


@app.command()
def rotate(
    make_key: Annotated[Path | None, typer.Option(help="Write a new linkage key into this new file; no more.")] = None,
    remaining: Annotated[bool, typer.Option("--remaining", help="List records that have not moved yet.")] = False,
    finish: Annotated[bool, typer.Option("--finish", help="Forget the old epoch, once it is empty.")] = False,
    config: ConfigPath = HERE,
) -> None:
    """Begin a new epoch of the linkage key; enrolling the export again moves the records to it.

    Without a new key the epoch is derived from the present one. If the key may be in other hands: --make-key FILE,
    let linkage_key refer to the new file and previous_linkage_key to the old one, then rotate.
    """
    from app import rotate as story

    if make_key is not None:
        story.make_key(make_key)
        console.say(f"wrote {make_key}; keep a sealed copy elsewhere. In config.yaml, let linkage_key refer to it and")
        console.say("previous_linkage_key to the present key; then: spillwatch rotate")
        return
    settings, stores_of = _open(config)
    with stores_of as stores:
        if remaining:
            for ref in story.remaining(settings, stores):
                console.say(ref)
            return
        with _alone(stores, "enrolment"):
            if finish:
                console.say(f"everything is of epoch {story.finish(settings, stores)}; the old one is forgotten")
                console.say("take previous_linkage_key out of config.yaml, if it is there, and destroy the old key")
                return
            begun = story.begin(settings, stores)
    console.say(f"epoch {begun.epoch} has begun, derived from " + ("a new key" if begun.new_key else "the same key"))
    console.say("next: spillwatch enrol with the whole export; then: spillwatch rotate --finish")


@app.command()
def kinds() -> None:
    """List the identifier kinds that a column can be."""
    from matchers.kinds import kinds as all_kinds

    for name, kind in all_kinds().items():
        summary = (kind.__doc__ or "").partition("\n")[0]
        console.say(f"{name:14} {summary}")


@app.command()
def scan(
    sites: Annotated[list[str] | None, typer.Argument(help="Names from config.yaml; all without any.")] = None,
    config: ConfigPath = HERE,
    for_: Annotated[
        str, typer.Option("--for", help="How long a stream is read the first time, and at most: 30s, 5m.")
    ] = "60s",
) -> None:
    """Scan sites once, examine what was fetched, deliver the alerts. Exit code 1 if a site failed.

    A stream is read until it has caught up with the present. A site whose query holds something of an enrolled record
    is not asked at all.
    """
    from app.daemon import Daemon
    from app.vet import refusal
    from model.page import Reason

    seconds = _seconds(for_, "--for")
    settings, stores_of = _open(config)
    chosen = {name: settings.site(name) for name in sites} if sites else settings.sites
    if not chosen:
        raise SpillwatchError(f"{config}: no sites to scan; describe one under sites:")
    stopping = child.told_to_stop()
    with stores_of as stores:
        before = stores.alerts.count()
        reports = Daemon(settings, stores, stopping).run_once(list(chosen.values()), stream_seconds=seconds)
        for report in reports:
            console.scan(report)
            if report.reason is Reason.QUERY:
                verdict = stores.queries.of(report.site)
                console.complain(refusal(report.site, verdict.refused if verdict else ()))
            if report.reason is Reason.MISCONFIGURED:
                console.complain(f"{report.site}: no request was made; what is wrong with its entry: spillwatch doctor")
        console.say(f"{stores.alerts.count() - before} new alerts; see: spillwatch alerts")
    raise typer.Exit(1 if any(report.state != "working" for report in reports) else 0)


@app.command()
def watch(config: ConfigPath = HERE) -> None:
    """Be the daemon: scan on schedule, examine, alert. SIGTERM ends it gracefully."""
    from app.daemon import Daemon

    settings, stores_of = _open(config)
    stopping = child.told_to_stop()
    with stores_of as stores:
        Daemon(settings, stores, stopping).run()


@app.command()
def check(
    targets: Annotated[list[str], typer.Argument(help="URLs, files, or - for standard input.")],
    config: ConfigPath = HERE,
    as_json: AsJson = False,
) -> None:
    """Check URLs or files now, with the safety of the spiders; evidence is kept if something is found.

    Exit code 0: nothing found; 1: a leak, or something suspicious; 2: could not tell.
    """
    from app.check import WORST_FIRST
    from app.check import check as check_one
    from app.wiring import open_examiner

    settings, stores_of = _open(config)
    verdicts = set()
    with stores_of as stores, open_examiner(settings, stores) as examiner:
        for target in targets:
            checked = check_one(target, settings, stores, examiner)
            verdicts.add(checked.verdict)
            console.checked(target, checked, settings.evidence.folder, as_json=as_json)
    raise typer.Exit(EXIT[next(verdict for verdict in WORST_FIRST if verdict in verdicts)])


@app.command()
def examine(
    jsonl: Annotated[str, typer.Option(help='Lines {"item_id", "thread_id", "text"}; gzip is read; - for stdin.')],
    out: Annotated[str, typer.Option(help="File for the answers, one line for each item; - for stdout.")] = "-",
    config: ConfigPath = HERE,
) -> None:
    """Examine texts in bulk, for benches and archives: answers only, no alerts, no evidence, nothing stored.

    Exit code 0: nothing found; 1: a leak, or something suspicious; 2: something could not be read.
    """
    from app.bulk import open_answers, open_lines
    from app.wiring import open_bulk

    settings, stores_of = _open(config)
    verdicts: Counter[str] = Counter()
    with (
        stores_of as stores,
        open_bulk(settings, stores) as bulk,
        open_lines(jsonl) as lines,
        open_answers(out) as answers,
    ):
        for answer in bulk.examine(lines):
            verdicts[answer["verdict"]] += 1
            answers.write(json.dumps(answer, ensure_ascii=False) + "\n")
    if out != "-":
        console.say(", ".join(f"{count} {verdict}" for verdict, count in verdicts.most_common()) or "no items")
    raise typer.Exit(max((EXIT[verdict] for verdict in verdicts), default=0))


@app.command("alerts")
def list_alerts(
    status: Annotated[str | None, typer.Option(help="open, acknowledged, confirmed or false-alarm.")] = None,
    config: ConfigPath = HERE,
    as_json: AsJson = False,
) -> None:
    """List alerts, newest first."""
    from model.alert import Status

    wanted = _word(Status, status) if status else None
    _, stores_of = _open(config)
    with stores_of as stores:
        console.alerts(stores.alerts.list(wanted), as_json=as_json)


@app.command()
def show(alert_id: str, config: ConfigPath = HERE, as_json: AsJson = False) -> None:
    """Show one alert: which record (your reference), what was found, where, since when, and the evidence."""
    from app.wiring import open_enroller, read_keys

    settings, stores_of = _open(config)
    with stores_of as stores:
        alert = stores.alerts.get(alert_id)
        ref = ""
        if alert.handle is not None:
            sealed = stores.records.sealed_refs([alert.handle]).get(alert.handle)
            enroller = open_enroller(settings, read_keys(settings, stores))
            ref = enroller.reference(sealed) if sealed else "(erased since)"
        console.alert(alert, ref, settings.evidence.folder, as_json=as_json)


@app.command()
def acknowledge(alert_id: str, config: ConfigPath = HERE, by: Annotated[str, typer.Option(help="Who.")] = "") -> None:
    """Say that somebody has taken the alert on."""
    from storage.moments import utc_now

    _, stores_of = _open(config)
    with stores_of as stores:
        stores.alerts.acknowledge(alert_id, by or _login(), utc_now())
    console.say(f"{alert_id} acknowledged")


@app.command()
def close(
    alert_id: str,
    as_: Annotated[str, typer.Option("--as", help="confirmed or false-alarm.")],
    config: ConfigPath = HERE,
    by: Annotated[str, typer.Option(help="Who.")] = "",
) -> None:
    """Close an alert as confirmed or false-alarm."""
    from model.alert import Status
    from storage.moments import utc_now

    status = _word(Status, as_)
    if status not in (Status.CONFIRMED, Status.FALSE_ALARM):
        raise SpillwatchError("--as must be confirmed or false-alarm")
    _, stores_of = _open(config)
    with stores_of as stores:
        stores.alerts.close(alert_id, status, by or _login(), utc_now())
    console.say(f"{alert_id} closed as {status}")


@sites_app.callback(invoke_without_command=True)
def sites(
    context: typer.Context,
    every_use: Annotated[bool, typer.Option("--all", help="Also list everything that a site can use.")] = False,
    config: ConfigPath = HERE,
    as_json: AsJson = False,
) -> None:
    """List the configured sites: what they need, how they stand and since when, what they gave, when they are next."""
    if context.invoked_subcommand is not None:
        sources = [context.get_parameter_source(name) for name in ("config", "as_json", "every_use")]
        if any(source is not None and source.name == "COMMANDLINE" for source in sources):
            raise SpillwatchError(f"write the options behind the verb: spillwatch sites {context.invoked_subcommand} …")
        return
    from app.sites import site_lines
    from crawler.catalogue import NOT_BUILT, uses
    from storage.moments import utc_now

    settings, stores_of = _open(config)
    with stores_of as stores:
        lines = site_lines(settings, stores, utc_now())
    known = uses(settings.network.descriptions)
    console.sites(lines, known, NOT_BUILT, every_use=every_use, as_json=as_json)


@sites_app.command("try")
def try_one(
    name: Annotated[str, typer.Argument(help="A site of config.yaml, or a name that `use:` may have.")],
    option: Annotated[
        list[str] | None, typer.Option("--option", "-o", help="key=value: an option, terms=accepted, robots=ignore: …")
    ] = None,
    most: Annotated[int, typer.Option(help="Entries to look at.")] = 10,
    config: ConfigPath = HERE,
    as_json: AsJson = False,
) -> None:
    """Fetch one page of a site's first list and show what is recognised. Nothing is kept, no link is followed.

    Exit code 0: the list and its entries can be read; 1: something cannot; 2: the site cannot be asked as described.
    """
    from app import logs, trying
    from app.config import read_config

    settings = read_config(config)
    logs.configure(settings.logging)
    told = trying.try_site(trying.site_to_try(settings, name, option or []), settings, most)
    if as_json:
        console.data(told)
    else:
        trying.show(told)
    raise typer.Exit(0 if trying.succeeded(told) else 1)


@app.command()
def coverage(
    since: Annotated[str, typer.Option(help="How far back: 6h, 1d, 4w.")] = "1d",
    config: ConfigPath = HERE,
    as_json: AsJson = False,
) -> None:
    """Say what became of everything scheduled: examined, known before, waiting, quarantined or failed, and why.

    Exit code 0: every item is accounted for; 1: some are not (a page was lost, or a scan counted wrong).
    """
    start = datetime.now(UTC) - timedelta(seconds=_seconds(since, "--since"))
    settings, stores_of = _open(config)
    with stores_of as stores:
        found = stores.pages.coverage(start, {name: site.every for name, site in settings.sites.items()})
    console.coverage(found, since, as_json=as_json)
    raise typer.Exit(1 if any(site.difference for site in found) else 0)


@app.command()
def quarantined(
    retry: Annotated[bool, typer.Option("--retry", help="Examine them again, after an upgrade, say.")] = False,
    config: ConfigPath = HERE,
) -> None:
    """List pages that could not be examined; they are kept, sealed, until they can."""
    _, stores_of = _open(config)
    with stores_of as stores:
        kept = stores.pages.quarantined()
        for page in kept:
            console.say(f"{page.page_id}  {page.site}  {page.reason}  {page.fetched_at:%Y-%m-%d %H:%M}Z")
        if retry:
            stores.pages.requeue([page.page_id for page in kept])
    console.say(f"{len(kept)} pages" + (", queued again; the daemon or the next scan examines them" if retry else ""))


@app.command()
def doctor(config: ConfigPath = HERE) -> None:
    """Look whether everything is in place. Exit code 1 if something does not work."""
    from app.config import read_config
    from app.doctor import examine_installation

    settings = read_config(config)
    bad = False
    for finding in examine_installation(settings):
        console.finding(finding)
        bad = bad or finding.ok is False
    raise typer.Exit(1 if bad else 0)


@app.command()
def demo(into: Annotated[Path, typer.Option(help="Folder to work in.")] = Path("demo")) -> None:
    """Show one leak's whole way, from a CSV of invented patients to the alert mail."""
    from app.demo.story import play

    raise typer.Exit(play(into))


@evidence_app.command("verify")
def verify_evidence(path: Path) -> None:
    """Verify a folder of evidence, or all below a folder. Needs no key, no database, no configuration.

    Exit code 0: everything is as it was captured; 1: something is not.
    """
    from alerts.evidence.verify import verify

    below = [manifest.parent for manifest in sorted(path.glob("[0-9]*/[0-9]*/[!.]*/manifest.json"))]
    bad = 0
    for folder in below or [path]:
        verification = verify(folder)
        bad += not verification.ok
        if below:
            console.say(f"{folder}: {'ok' if verification.ok else 'BAD'}")
        for line in () if below else verification.lines:
            console.say(line)
        for problem in verification.problems:
            console.complain(problem)
    raise typer.Exit(1 if bad else 0)


@evidence_app.command("open")
def open_evidence(
    path: Path,
    into: Annotated[Path, typer.Option(help="New folder for the content.")],
    identity: Annotated[Path, typer.Option(help="File with the age identity.")] = Path("evidence-identity.txt"),
) -> None:
    """Decrypt the content of a snapshot with the identity; the opening is written into the custody log."""
    from alerts.evidence.verify import open_evidence as unseal

    for name in unseal(path, identity, into, actor=_login(), now=datetime.now(UTC)):
        console.say(str(name))


def _open(path: Path) -> "tuple[Config, AbstractContextManager[Stores]]":
    from app.config import read_config
    from app.stores import open_stores

    settings = read_config(path)
    logs.configure(settings.logging)
    return settings, open_stores(settings)


@contextmanager
def _alone(stores: "Stores", what: str) -> Iterator[None]:
    """Hold the lease of this name meanwhile: two enrolments at once would get in each other's way."""
    from app import owner

    lease = owner.take(stores.leases, what, 3600.0)
    if lease is None:
        raise SpillwatchError(f"another {what} is running on this database; wait for it to end")
    try:
        yield
    finally:
        stores.leases.release(lease)


def _seconds(text: str, option: str) -> float:
    """Return a length of time in seconds."""
    from app.config import SECONDS

    try:
        return float(text[:-1]) * SECONDS[text[-1]]
    except (ValueError, KeyError, IndexError) as error:
        raise SpillwatchError(f"{option} takes a length of time such as 30s, 6h, 1d") from error


def _word(words: type[Word], text: str) -> Word:
    try:
        return words(text)
    except ValueError as error:
        raise SpillwatchError(f"{text!r} is not one of: {', '.join(words)}") from error


def _login() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return f"uid {os.getuid()}"


if __name__ == "__main__":
    main()
