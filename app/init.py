"""INIT: a commented config.yaml, a linkage key and an evidence identity, in a folder of your own."""

import os
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import pyrage

from matchers.keys import LinkageKey
from model.errors import ConfigError

CONFIG, KEY, IDENTITY = "config.yaml", "spillwatch.key", "evidence-identity.txt"


@dataclass(frozen=True, slots=True)
class Installation:
    """The files that `init` made."""

    config: Path
    key: Path
    identity: Path


def init(folder: Path) -> Installation:
    """Write the three files into the folder; refuse if one of them is there already.

    The key and the identity are made with mode 0600. Nothing is overwritten: a lost key cannot be made again.
    """
    made = Installation(folder / CONFIG, folder / KEY, folder / IDENTITY)
    for path in (made.config, made.key, made.identity):
        if path.exists():
            raise ConfigError(f"{path} is there already; nothing was written. Choose another folder with --into")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    identity = pyrage.x25519.Identity.generate()
    template = resources.files("app").joinpath(CONFIG).read_text("utf-8")
    empty = "recipients: []"
    filled = f'recipients: ["{identity.to_public()}"]'
    if template.count(empty) != 1:
        raise ConfigError(
            "the packaged config.yaml has no place for the evidence recipient: the installation is damaged"
        )
    write_secret(made.key, LinkageKey.generate().text() + "\n")
    write_secret(made.identity, f"# opens the evidence: age -d -i {IDENTITY} content.age | tar x\n{identity}\n")
    made.config.write_text(template.replace(empty, filled), "utf-8")
    return made


def write_secret(path: Path, text: str) -> None:
    """Write a new file that only its owner can read; fail if it exists."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
