"""The main job end to end, on a small site of our own: enrol, one tick of the daemon, alerts, mail, evidence.

Everything lands in one folder. Nothing is left running, nothing leaves the machine.
"""

import shutil
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import resources
from pathlib import Path

from ruamel.yaml import YAML

from app import console, logs
from app.config import Config, read_config
from app.daemon import Daemon
from app.demo.leaks import LEAKS
from app.demo.patients import demo_file
from app.demo.site import DemoSite
from app.enrol import enrol
from app.init import init
from app.sources.delimited import DelimitedSource
from app.stores import Stores
from app.wiring import open_enroller, open_stores, read_keys
from model.alert import Alert
from model.errors import ConfigError

DESCRIPTIONS = ("demo-pastes", "demo-forum")


def play(folder: Path) -> int:
    """Run the demo in the folder (made anew); return 0 if every planted leak and nothing else was found."""
    started = time.monotonic()
    folder = _fresh(folder)
    console.say(f"Spillwatch demo. Everything happens in {folder}, on this machine only.\n")
    made = init(folder)
    patients = folder / "patients.csv"
    patients.write_bytes(demo_file("patients.csv"))
    with DemoSite() as site:
        _configure(made.config, site)
        config = read_config(made.config)
        logs.configure(config.logging)
        with open_stores(config) as stores:
            _enrol(patients, config, stores)
            _tick(config, stores)
            found = _found(config, stores)
            counts = stores.pages.counts()
    missed = _tell_found(found)
    _tell_where(config, found, counts.examined, time.monotonic() - started)
    return 1 if missed else 0


def _fresh(folder: Path) -> Path:
    """Remove an earlier demo; refuse a folder that is something else."""
    folder = folder.absolute()
    if folder.exists() and any(folder.iterdir()):
        if not (folder / "patients.csv").exists() or not (folder / "spillwatch.key").exists():
            raise ConfigError(f"{folder} is not empty and not an earlier demo; choose another with --into")
        shutil.rmtree(folder)
    return folder


def _configure(path: Path, site: DemoSite) -> None:
    """Point the freshly made configuration at the demo's site: what an operator would do with an editor."""
    folder = path.parent / "sites"
    folder.mkdir()
    for name in DESCRIPTIONS:
        text = resources.files("app.demo").joinpath("sites", f"{name}.yaml").read_text("utf-8")
        (folder / f"{name}.yaml").write_text(text, "utf-8")
    yaml = YAML()
    tree = yaml.load(path.read_text("utf-8"))
    tree["network"]["allow"] = [site.address]
    tree["network"]["descriptions"] = "sites"
    tree["sites"] = {
        name: {"use": name, "root": root, "every": "10m", "delay": "0s", "expect": {"items": 1, "within": "1d"}}
        for name, root in zip(DESCRIPTIONS, (site.paste_root, site.forum_root), strict=True)
    }
    with path.open("w", encoding="utf-8") as file:
        yaml.dump(tree, file)


def _enrol(patients: Path, config: Config, stores: Stores) -> None:
    console.say("1. Enrolling a CSV of invented patients as keyed fingerprints")
    enroller = open_enroller(config, read_keys(config, stores))
    report = enrol(DelimitedSource(patients, config.enrolment).rows(), enroller, stores.records)
    console.say(f"   {report.added} records enrolled, {len(report.refused)} refused. None of their values is stored.\n")


def _tick(config: Config, stores: Stores) -> None:
    console.say("2. One tick of the daemon: scan, examine, raise alerts, deliver")
    with _shown(stores):
        reports = Daemon(config, stores, threading.Event()).run_once(list(config.sites.values()))
    for report in reports:
        console.scan(report)
    console.say("")


@contextmanager
def _shown(stores: Stores) -> Iterator[None]:
    """Print what happens every two seconds meanwhile."""
    ended = threading.Event()

    def show() -> None:
        while not ended.wait(2.0):
            counts = stores.pages.counts()
            waiting = counts.queued + counts.leased
            console.say(f"   … {counts.examined} pages examined, {waiting} waiting, {stores.alerts.count()} alerts")

    teller = threading.Thread(target=show, daemon=True)
    teller.start()
    try:
        yield
    finally:
        ended.set()
        teller.join()


def _found(config: Config, stores: Stores) -> dict[str, Alert]:
    """Return the alerts about records by the hospital's reference, as `spillwatch show` tells it."""
    enroller = open_enroller(config, read_keys(config, stores))
    about = [alert for alert in stores.alerts.list() if alert.handle is not None]
    sealed = stores.records.sealed_refs([alert.handle for alert in about if alert.handle])
    return {enroller.reference(sealed[alert.handle]): alert for alert in about if alert.handle}


def _tell_found(found: Mapping[str, Alert]) -> int:
    """Compare with what was planted; return how many went wrong."""
    console.say("3. What was planted, and what was found")
    wrong = 0
    for leak in LEAKS:
        alert = found.get(leak.record_number) if leak.record_number else None
        if leak.record_number is None:
            outcome = "left alone, as it must be"
        elif alert is None:
            outcome = "MISSED"
            wrong += 1
        else:
            outcome = f"{alert.alert_id} {alert.severity}, {alert.verdict}: {', '.join(alert.kinds)}"
        console.say(f"   {leak.shows:66} {outcome}")
    extra = set(found) - {leak.record_number for leak in LEAKS}
    for ref in sorted(extra):
        console.say(f"   FALSE ALARM: {found[ref].alert_id} about {ref}")
    console.say("")
    return wrong + len(extra)


def _tell_where(config: Config, found: Mapping[str, Alert], examined: int, seconds: float) -> None:
    spool = config.alerts.spool
    letters = sorted(spool.folder.glob("*.eml")) if spool else []
    shown = next(iter(found.values()), None)
    here = config.path.parent
    console.say(
        f"{len(config.sites)} sites scanned, {examined} pages examined, {len(found)} alerts, in {seconds:.0f} s."
    )
    console.say(f"E-mails    {len(letters)} in {spool.folder if spool else '-'} (open one: nothing in it leaks)")
    console.say(f"Evidence   {config.evidence.folder} (sealed; who holds {here / 'evidence-identity.txt'} opens it)")
    if shown is not None:
        folder = config.evidence.folder / shown.sightings[0].evidence
        program = Path(sys.executable).with_name("spillwatch")
        console.say(f"Verify it  {program} evidence verify {folder}")
        console.say(f"Look       {program} show {shown.alert_id} --config {config.path}")
