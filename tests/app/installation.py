"""A Spillwatch in a folder of its own, used by its command line as people use it, and a site for it to watch."""

import csv
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from app.demo.site import DemoSite
from tests.app.forked import forking
from tests.people import COLUMNS, Person

ROOT = Path(__file__).resolve().parents[2]
PASTES, FORUM = "demo-pastes", "demo-forum"
PATIENCE = 300.0
"""Seconds after which a command hangs: a machine that does something else as well is slow, and nothing worse."""


@dataclass(frozen=True)
class Ended:
    """What a command said."""

    code: int
    out: str
    err: str


@dataclass
class Installation:
    """What `spillwatch init` made, and everything that commands printed since."""

    folder: Path
    temporary: Path
    """TMPDIR of every command."""
    printed: list[bytes] = field(default_factory=list)
    anew: bool = False
    """Start every command as a shell does, not only those that must be."""

    @property
    def config(self) -> Path:
        """Return the path of config.yaml."""
        return self.folder / "config.yaml"

    @property
    def database(self) -> Path:
        """Return the path of the database."""
        return self.folder / "var/spillwatch.db"

    @property
    def evidence(self) -> Path:
        """Return the evidence root."""
        return self.folder / "var/evidence"

    @property
    def environment(self) -> dict[str, str]:
        """Return the environment of every command."""
        return {**os.environ, "SPILLWATCH_CONFIG": str(self.config), "TMPDIR": str(self.temporary)}

    def start(self, *words: str, **options: Any) -> "subprocess.Popen[bytes]":
        """Start a command and do not wait for it."""
        arguments = [sys.executable, "-m", "app.cli", *words]
        return subprocess.Popen(arguments, cwd=ROOT, env=self.environment, **options)

    def run(self, *words: str, stdin: bytes = b"", ok: Sequence[int] | None = None, anew: bool = False) -> Ended:
        """Run a command to its end, forked from a process that has imported it, or `anew` as a shell does."""
        if anew or self.anew:
            pipe = subprocess.PIPE
            with self.start(*words, stdin=pipe, stdout=pipe, stderr=pipe) as process:
                out, err = process.communicate(stdin, timeout=PATIENCE)
            code = process.returncode
        else:
            code, out, err = forking().run(words, self.environment, stdin, PATIENCE)
        self.printed += [out, err]
        ended = Ended(code, out.decode(), err.decode())
        assert ok is None or ended.code in ok, (words, ended, self.log()[-3000:])
        return ended

    def alerts(self) -> list[dict[str, Any]]:
        """Return the alerts about records, as `alerts --json` tells them."""
        return [alert for alert in json.loads(self.run("alerts", "--json").out) if alert["subject"] == "record"]

    def log(self) -> str:
        """Return the log file."""
        path = self.folder / "var/spillwatch.log"
        return path.read_text("utf-8") if path.exists() else ""

    def configure(self, site: DemoSite, **changes: Mapping[str, Any]) -> None:
        """Point the configuration at a demo site; `changes` are further keys of its sections."""
        folder = self.folder / "sites"
        folder.mkdir(exist_ok=True)
        for name in (PASTES, FORUM):
            text = resources.files("app.demo").joinpath("sites", f"{name}.yaml").read_text("utf-8")
            (folder / f"{name}.yaml").write_text(text, "utf-8")
        own = {
            "network": {"allow": [site.address], "descriptions": "sites"},
            "sites": {
                name: {"use": name, "root": root, "every": "1s", "delay": "0s"}
                for name, root in ((PASTES, site.paste_root), (FORUM, site.forum_root))
            },
        }
        self.change(**own)
        self.change(**changes)

    def change(self, **changes: Mapping[str, Any]) -> None:
        """Write keys of sections into config.yaml, as an operator would with an editor; None takes a key out."""
        yaml = YAML()
        tree = yaml.load(self.config.read_text("utf-8"))
        for section, keys in changes.items():
            merged = {**(tree.get(section) or {}), **keys}
            tree[section] = {key: value for key, value in merged.items() if value is not None}
        with self.config.open("w", encoding="utf-8") as file:
            yaml.dump(tree, file)

    def change_top(self, **keys: str | None) -> None:
        """Write keys at the top of config.yaml; None takes a key out."""
        yaml = YAML()
        tree = yaml.load(self.config.read_text("utf-8"))
        tree.update(keys)
        for name in [name for name, value in keys.items() if value is None]:
            del tree[name]
        with self.config.open("w", encoding="utf-8") as file:
            yaml.dump(tree, file)


def install(folder: Path, *, anew: bool = False) -> Installation:
    """Return a new installation in that folder, which must exist and be empty."""
    temporary = folder / "tmp"
    temporary.mkdir(mode=0o700)
    made = Installation(folder / "spillwatch", temporary, anew=anew)
    made.run("init", "--into", str(made.folder), ok=[0])
    return made


def export(people: Iterable[Person], path: Path) -> Path:
    """Write the people as a hospital exports them; return the path."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ["record_number", *COLUMNS])
        writer.writeheader()
        writer.writerows(dict(person.row) for person in people)
    return path
