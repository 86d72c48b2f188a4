"""What takes long to make is made once, and made again whenever it could be another."""

import os
from pathlib import Path

import numpy as np
import pytest

from matchers.kept import kept


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the folder in which tables are kept."""
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


class Making:
    """Counts how often tables were made."""

    times = 0

    def __call__(self) -> dict[str, np.ndarray]:
        """Make them."""
        self.times += 1
        return {"squares": np.arange(100, dtype=np.uint32) ** 2, "none": np.zeros(0, np.uint8)}


def test_tables_are_made_once(folder, tmp_path):
    """The second process reads what the first one made, value for value and type for type."""
    source, making = tmp_path / "rule.py", Making()
    source.write_text("rule")
    first, second = (kept("test", [source], making) for _ in range(2))
    assert making.times == 1
    assert set(first) == set(second)
    for name, made in first.items():
        assert (second[name] == made).all()
        assert second[name].dtype == made.dtype
    assert [path.suffix for path in folder.iterdir()] == [".npz"]


def test_another_rule_or_another_file_below_makes_them_anew(folder, tmp_path):
    """A changed module, and a file of a package that was replaced by one of the same size, are noticed."""
    source, package, making = tmp_path / "rule.py", tmp_path / "package", Making()
    package.mkdir()
    source.write_text("rule")
    (package / "words.ocd").write_bytes(b"1234")
    kept("test", [source, package], making)
    source.write_text("RULE")
    kept("test", [source, package], making)
    assert making.times == 2
    os.utime(package / "words.ocd", ns=(1, 1))
    kept("test", [source, package], making)
    assert making.times == 3
    kept("test", [source, package], making)
    assert making.times == 3


@pytest.mark.parametrize("left", [b"", b"PK\x03\x04", b"not a table", None])
def test_a_spoiled_file_is_written_again(folder, tmp_path, left):
    """Whatever a crash leaves of the file, the tables are whole; None: half of it."""
    making = Making()
    kept("test", [], making)
    path = next(folder.iterdir())
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2] if left is None else left)
    assert (kept("test", [], making)["squares"] == making()["squares"]).all()
    assert path.read_bytes() == whole


def test_without_a_place_to_write_they_are_made_each_time(tmp_path, monkeypatch):
    """A folder that cannot be made is no reason to stop."""
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "file" / "cache"))
    making = Making()
    for _ in range(2):
        assert len(kept("test", [], making)["squares"]) == 100
    assert making.times == 2
