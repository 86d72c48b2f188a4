"""config.yaml is read strictly, and every key of it is documented."""

import dataclasses
import typing
from pathlib import Path

import pytest

from app.config import NOT_KEYS, Config, read_config
from app.init import init
from crawler.interface import SiteSettings
from model.errors import ConfigError

ROOT = Path(__file__).resolve().parents[2]
MINIMAL = """\
linkage_key: env:KEY
evidence: {folder: var/evidence, recipients: [age1example]}
enrolment: {ref: number, columns: {name: person_name, ward: ignore}}
"""


def written(folder: Path, text: str) -> Path:
    """Write a configuration and return its path."""
    path = folder / "config.yaml"
    path.write_text(text, "utf-8")
    return path


def test_minimal_configuration_has_defaults_and_absolute_paths(tmp_path):
    """Three keys are enough; every path is seen from the file's folder."""
    config = read_config(written(tmp_path, MINIMAL))
    assert config.evidence.folder == tmp_path / "var/evidence"
    assert config.storage.url == f"sqlite:///{tmp_path}/var/spillwatch.db"
    assert config.enrolment.columns["name"].kind == "person_name"
    assert config.matching.leak == 0.9


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("linkage_kee: env:KEY\n", "config.yaml:1: unknown key 'linkage_kee'; did you mean 'linkage_key'?"),
        (MINIMAL + "matching: {leek: 0.5}\n", "config.yaml:4: unknown key 'matching.leek'; did you mean 'leak'?"),
        (MINIMAL + "matching:\n  leak: high\n", "config.yaml:5: matching.leak: "),
        ("linkage_key: env:KEY\nevidence: {folder: x}\n", "config.yaml:2: evidence.recipients: is missing"),
        (MINIMAL + "sites:\n  Bad Name: {use: feed, every: 1m}\n", "a name is lower case letters"),
        (MINIMAL + "sites:\n  check: {use: feed, every: 1m}\n", "not 'check'"),
        (MINIMAL + "sites:\n  a: {use: feed, every: often}\n", "sites.a.every"),
        (MINIMAL + "sites:\n  a: {use: feed}\n", "sites.a.every: is missing"),
        (MINIMAL + "sites:\n  a: {use: feed, every: 1m, expect: {itms: 1}}\n", "did you mean 'items'?"),
        (MINIMAL + "logging: {level: [\n", "not valid YAML"),
        ("", "expected keys and values"),
    ],
)
def test_bad_configuration_says_what_where_and_what_to_do(tmp_path, text, says):
    """Each mistake is an error with the line and the nearest known key."""
    with pytest.raises(ConfigError) as caught:
        read_config(written(tmp_path, text))
    assert says in str(caught.value)


def test_missing_file_names_the_command_that_makes_one(tmp_path):
    """No configuration is not silently an empty one."""
    with pytest.raises(ConfigError, match="spillwatch init"):
        read_config(tmp_path / "config.yaml")


@pytest.mark.parametrize(("text", "seconds"), [("30s", 30), ("10m", 600), ("6h", 21_600), ("2d", 172_800), ("90", 90)])
def test_lengths_of_time_are_written_with_their_unit(tmp_path, text, seconds):
    """A site's interval is read in seconds."""
    config = read_config(written(tmp_path, MINIMAL + f"sites:\n  a: {{use: feed, every: {text}, url: x}}\n"))
    assert config.sites["a"].every == seconds
    assert config.sites["a"].options == {"url": "x"}


def test_init_writes_a_configuration_that_can_be_read(tmp_path):
    """The shipped template is valid, its secrets are only its owner's, and nothing is overwritten."""
    made = init(tmp_path / "new")
    config = read_config(made.config)
    assert config.evidence.recipients[0].startswith("age1")
    for secret in (made.key, made.identity):
        assert secret.stat().st_mode & 0o077 == 0
    before = made.key.read_bytes()
    with pytest.raises(ConfigError, match="already"):
        init(tmp_path / "new")
    assert made.key.read_bytes() == before


def keys(kind: typing.Any, where: str) -> typing.Iterator[str]:
    """Yield every key below a settings class, dotted."""
    hints = typing.get_type_hints(kind)
    for entry in dataclasses.fields(kind):
        if (kind.__name__, entry.name) in NOT_KEYS | {("SiteSettings", "name"), ("SiteSettings", "options")}:
            continue
        inner = [hints[entry.name], *typing.get_args(hints[entry.name])]
        deeper = next((choice for choice in inner if dataclasses.is_dataclass(choice)), None)
        if deeper is SiteSettings and entry.name == "sites":
            yield from keys(SiteSettings, "sites.NAME.")
        elif deeper is not None and entry.name != "columns":
            yield from keys(deeper, f"{where}{entry.name}.")
        else:
            yield f"{where}{entry.name}"


def test_every_key_is_documented():
    """docs/configuration.md has a row for every key, and none for a key that is gone."""
    page = (ROOT / "docs/configuration.md").read_text("utf-8")
    rows = {line.split("`")[1] for line in page.splitlines() if line.startswith("| `")} - {"sites.NAME.…"}
    assert set(keys(Config, "")) == rows
