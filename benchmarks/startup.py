"""What it costs to start: processor seconds of every process of Spillwatch that has next to nothing to do.

Run `python -m benchmarks.startup [--before CHECKOUT] [--rounds 5]` from the root of the checkout. With another checkout
(`git worktree add ../before COMMIT`) both are measured in turn, with the same Python, each on an installation of its
own. Given is the best of the rounds, the processes that one starts included: `scan` is a scanning child, an examiner
and a decoder. What is compiled once was compiled in a round that is not counted.
"""

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import Path

from ruamel.yaml import YAML

from app.demo.content import Paste, SiteContent
from app.demo.site import DemoSite
from decoders.interface import DecodingSettings

HERE = Path(__file__).resolve().parents[1]
SITE = "demo-pastes"
ROW = {"record_number": "R-1", "name": "欧阳鸢翎", "resident_id": "999901196108070423", "phone": "15490817263"}
NOTHING = "Nobody stands in this text, nor does any number of theirs.\n"


@dataclass(frozen=True)
class Side:
    """A checkout and an installation that it made."""

    name: str
    checkout: Path
    folder: Path

    @property
    def config(self) -> Path:
        """Return the path of its config.yaml."""
        return self.folder / "spillwatch" / "config.yaml"

    def seconds(self, *words: str) -> float:
        """Run a module of this checkout and return the processor seconds of it and of all that it started."""
        process = subprocess.Popen(
            [sys.executable, "-m", *words],
            cwd=self.checkout,
            env={**os.environ, "SPILLWATCH_CONFIG": str(self.config), "PYTHONPATH": str(self.checkout)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        assert process.stderr is not None
        told = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode not in (0, 1):
            sys.exit(f"{self.name}: {' '.join(words)} ended with {process.returncode}:\n{told.decode()}")
        return usage.ru_utime + usage.ru_stime

    def prepare(self, site: DemoSite) -> None:
        """Make the installation, let it watch the site, and write what the commands are given."""
        self.folder.mkdir()
        self.seconds("app.cli", "init", "--into", str(self.config.parent))
        sites = self.config.parent / "sites"
        sites.mkdir()
        described = resources.files("app.demo").joinpath("sites", f"{SITE}.yaml").read_text("utf-8")
        (sites / f"{SITE}.yaml").write_text(described, "utf-8")
        yaml = YAML()
        tree = yaml.load(self.config.read_text("utf-8"))
        tree["network"] = {"allow": [site.address], "descriptions": "sites"}
        tree["sites"] = {SITE: {"use": SITE, "root": site.paste_root, "every": "1s", "delay": "0s"}}
        tree["evidence"]["screenshot"] = False
        with self.config.open("w", encoding="utf-8") as file:
            yaml.dump(tree, file)
        (self.folder / "nothing.txt").write_text(NOTHING, "utf-8")
        with (self.folder / "export.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, [*ROW])
            writer.writeheader()
            writer.writerow(ROW)


def commands(side: Side) -> Iterator[tuple[str, Sequence[str]]]:
    """Yield what is measured: its name, and the module with its arguments."""
    config, command = str(side.config), "app.cli"
    settings = json.dumps({"settings": asdict(DecodingSettings()), "decoders": []})
    yield "`spillwatch --help`", (command, "--help")
    yield "`spillwatch records`", (command, "records")
    yield "`spillwatch alerts`", (command, "alerts")
    yield "`spillwatch sites`", (command, "sites")
    yield "`spillwatch kinds`", (command, "kinds")
    yield "`spillwatch enrol`, one row, unchanged", (command, "enrol", str(side.folder / "export.csv"))
    yield "`spillwatch check`, a line of text", (command, "check", str(side.folder / "nothing.txt"))
    yield "`spillwatch scan`, a site with one paste", (command, "scan")
    yield "the scanning child of it", ("app.scan", config, SITE, "2026-01-01T00:00:00+00:00")
    yield "the examiner of it", ("app.examiner", config, "--once")
    yield "a decoder", ("decoders.worker", settings)


def measured(sides: Sequence[Side], rounds: int) -> Mapping[str, list[float]]:
    """Return for each command the best figure of each side, in their order."""
    best: dict[str, list[float]] = {}
    for number in range(rounds + 1):
        for at, side in enumerate(sides):
            for name, words in commands(side):
                spent = side.seconds(*words)
                row = best.setdefault(name, [float("inf")] * len(sides))
                row[at] = min(row[at], spent) if number else row[at]
    return best


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--before", type=Path, help="another checkout, to be measured beside this one")
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    names = [("before", given.before.resolve())] if given.before else []
    content = SiteContent((Paste("one", "list", "text", NOTHING),), ())
    with tempfile.TemporaryDirectory() as folder, DemoSite(content) as site:
        sides = [Side(name, checkout, Path(folder, name)) for name, checkout in (*names, ("now", HERE))]
        for side in sides:
            side.prepare(site)
        table = measured(sides, given.rounds)
    print("| What | " + " | ".join(side.name for side in sides) + " |" + (" Ratio |" if names else ""))
    print("|---|" + "---|" * (len(sides) + len(names)))
    for name, row in table.items():
        ratio = f" {row[0] / row[1]:.1f} |" if names else ""
        print(f"| {name} | " + " | ".join(f"{figure:.2f} s" for figure in row) + f" |{ratio}")
    print(f"load of the machine: {', '.join(f'{load:.1f}' for load in os.getloadavg())}")


if __name__ == "__main__":
    main()
