"""The self-test that installation and `spillwatch doctor` run."""

import pytest

from app import selftest


def test_invented_records_are_recognised() -> None:
    """Each in its disguise, and neither where nothing is shown."""
    assert selftest.recognises()


@pytest.mark.parametrize(
    ("name", "value"),
    [("POSTS", selftest.POSTS[::-1]), ("POSTS", (selftest.CLEAN, selftest.POSTS[1])), ("CLEAN", selftest.POSTS[0])],
    ids=["other", "missed", "false"],
)
def test_a_matcher_that_errs_fails(monkeypatch: pytest.MonkeyPatch, name: str, value: object) -> None:
    """The wrong record, none, or one too many is told."""
    monkeypatch.setattr(selftest, name, value)
    assert not selftest.recognises()
