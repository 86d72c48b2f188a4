"""The suite is cut into units that can go to any worker, and the slow ones exist."""

from pathlib import Path

from tests.spreading import SLOWEST_FIRST, rank, unit

ROOT = Path(__file__).resolve().parents[1]


def test_a_file_stays_together_whatever_its_parameters_hold():
    """Colons and brackets in a parameter do not part a file; installations of their own do."""
    assert unit("tests/crawler/test_safety.py::test_it[http://[::1]/]") == "tests/crawler/test_safety.py"
    assert unit("tests/app/test_kill_loop.py::test_one[scan]") == unit("tests/app/test_kill_loop.py::test_two[scan]")
    assert unit("tests/app/test_kill_loop.py::test_one[scan]") != unit("tests/app/test_kill_loop.py::test_one[watch]")


def test_the_slowest_files_are_there():
    """A file that was renamed would lose its place without a word."""
    assert [name for name in SLOWEST_FIRST if not (ROOT / name).is_file()] == []
    assert rank(f"{SLOWEST_FIRST[0]}::test_it") < rank(f"{SLOWEST_FIRST[1]}::test_it") < rank("tests/test_house.py::x")
