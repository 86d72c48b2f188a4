"""Secrets by reference: `env:NAME`, `file:PATH`, `keyring:SERVICE/USER`."""

import os
import stat
from pathlib import Path

from model.errors import ConfigError, KeyUnusable


def resolve(reference: str, folder: Path) -> str:
    """Return the secret that the reference names; paths are relative to `folder`.

    Raises `ConfigError` if it is not a reference or nothing is there, `KeyUnusable` if a file is readable by others.
    """
    scheme, _, name = reference.partition(":")
    if scheme == "env" and name:
        return _from_environment(name)
    if scheme == "file" and name:
        return _from_file(folder / name)
    if scheme == "keyring" and "/" in name:
        return _from_keyring(*name.split("/", 1))
    raise ConfigError(
        "a secret must be a reference: env:NAME, file:PATH or keyring:SERVICE/USER; never the secret itself"
    )


def environment_without(*references: str | None) -> dict[str, str]:
    """Return this process's environment without the variables that the references name: for keyless children."""
    hidden = {reference.removeprefix("env:") for reference in references if reference and reference.startswith("env:")}
    return {name: value for name, value in os.environ.items() if name not in hidden}


def _from_environment(name: str) -> str:
    value = os.environ.get(name)
    if not value:
        raise ConfigError(f"the environment variable {name} is not set; config.yaml refers to it as env:{name}")
    return value


def _from_file(path: Path) -> str:
    try:
        mode = path.stat().st_mode
        text = path.read_text("utf-8").strip()
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}; config.yaml refers to it as file:") from error
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise KeyUnusable(f"{path} can be read by others (mode {stat.S_IMODE(mode):04o}). Run: chmod 600 {path}")
    return text


def _from_keyring(service: str, user: str) -> str:
    try:
        import keyring  # an extra of the operator's choice: headless servers have no keyring
    except ImportError as error:
        raise ConfigError("keyring: needs the package 'keyring' in Spillwatch's environment; or use file:") from error
    value = keyring.get_password(service, user)
    if value is None:
        raise ConfigError(f"the keyring holds nothing for service {service!r} and user {user!r}")
    return str(value)
