"""The main job end to end, on a small site of our own: enrol, one tick of the daemon, alerts, mail, evidence.

Everything lands in one folder. Nothing is left running, nothing leaves the machine.
"""

import shutil
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import resources
from pathlib import Path

from ruamel.yaml import YAML

from alerts.evidence.verify import verify
from app import console
from app.config import Config, read_config
from app.daemon import Daemon
from app.demo.leaks import LEAKS
from app.demo.site import DemoSite
from app.enrol import enrol
from app.init import init
from app.rows import count_rows, read_rows
from app.stores import Stores
from app.wiring import open_enroller, open_stores, read_key
from model.alert import Alert, Subject
from model.errors import ConfigError

SITES = ("demo-pastes", "demo-forum")


def play(folder: Path) -> int:
    """Run the demo in the folder (made anew); return 0 if every planted leak and nothing else was found."""
    started = time.monotonic()
    folder = _fresh(folder)
    console.say(f"Spillwatch demo: everything happens in {folder}\n")
    patients = folder / "patients.csv"
    patients.write_bytes(resources.files("app.demo").joinpath("patients.csv").read_bytes())
    made = init(folder)
    with DemoSite() as site:
        _configure(made.config, site)
        config = read_config(made.config)
        with open_stores(config) as stores:
            _enrol(patients, config, stores)
            _tick(config, stores)
            found = stores.alerts.list(None)
            counts = stores.pages.counts()
            handles = {stores_ref: alert for alert in found for stores_ref in _refs(alert, config, stores)}
    return _tell(folder, config, found, handles, counts.examined, time.monotonic() - started)


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
    yaml = YAML()
    tree = yaml.load(path.read_text("utf-8"))
    tree["network"]["allow"] = [site.address]
    tree["sites"] = {
        SITES[0]: {"use": "demo-pastes", "root": site.paste_root, "every": "10m", "delay": "0s"},
        SITES[1]: {"use": "demo-forum", "root": site.forum_root, "every": "10m", "delay": "0s"},
    }
    with path.open("w", encoding="utf-8") as file:
        yaml.dump(tree, file)


def _enrol(patients: Path, config: Config, stores: Stores) -> None:
    enroller = open_enroller(config, read_key(config, stores), stores)
    with console.progress("1. enrolling records as keyed fingerprints", count_rows(patients), "rows") as advance:
        report = enrol(read_rows(patients, config.enrolment), enroller, stores.records, advance)
    console.say(f"   {report.added} records enrolled, {len(report.refused)} refused; no value of them is stored\n")


def _tick(config: Config, stores: Stores) -> None:
    console.say("2. one tick of the daemon: scan, examine, alert, deliver")
    with _progress_shown(stores):
        reports = Daemon(config, stores, threading.Event()).run_once(list(config.sites.values()))
    for report in reports:
        console.scan(report)
    console.say("")
