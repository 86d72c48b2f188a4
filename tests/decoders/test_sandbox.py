"""What the sandbox promises, whatever a decoder does."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from decoders.interface import DecodingSettings, Sandbox
from decoders.sandbox import open_sandbox
from model.page import Part, PartOutcome, Reason

HOSTILE = ("tests.decoders.hostile:Misbehaving", "tests.decoders.hostile:Connecting", "tests.decoders.hostile:Reading")
GOOD = Part("body", "text/plain", "住院号 3301".encode())


@pytest.fixture(scope="module")
def hostile() -> Iterator[Sandbox]:
    """Return a sandbox whose decoders misbehave when asked to, with little patience."""
    opened = open_sandbox(DecodingSettings(seconds=1.5, picture_seconds=3.0), decoders=HOSTILE)
    yield opened
    opened.close()


def misbehave(how: str) -> Part:
    """Return a part that makes a decoder misbehave."""
    return Part("trap", "test/misbehave", how.encode())


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("hang", Reason.TIMEOUT),
        ("spin", Reason.TIMEOUT),
        ("die", Reason.CRASH),
        ("lie", Reason.CRASH),
        ("allocate", Reason.TOO_BIG),
        ("raise_error", Reason.CRASH),
        ("shout", Reason.LIMIT),
    ],
)
def test_a_decoder_that_fails_costs_its_part_only(hostile: Sandbox, how: str, reason: Reason) -> None:
    """A hang, crash, lie or flood quarantines one part, keeps what was said before, and leaves its neighbours read."""
    decoded = hostile.decode([GOOD, misbehave(how), GOOD])
    assert [outcome for outcome in decoded.outcomes if outcome.part != 1] == [
        PartOutcome(0, "read"),
        PartOutcome(2, "read"),
    ]
    assert [outcome.reason for outcome in decoded.outcomes if outcome.part == 1] == [reason]
    texts = [passage.text for passage in decoded.passages]
    assert texts.count("住院号 3301") == 2
    assert "said before" in texts


def test_the_key_is_not_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A child gets a few fixed variables and none of the caller's."""
    monkeypatch.setenv("SPILLWATCH_KEY", "secret-of-the-test")
    opened = open_sandbox(DecodingSettings(), decoders=HOSTILE)
    decoded = opened.decode([misbehave("environment")])
    opened.close()
    seen = decoded.passages[1].text
    assert "LC_ALL=C.UTF-8" in seen
    assert "SPILLWATCH" not in seen
    assert "secret-of-the-test" not in seen


def test_no_open_file_of_the_caller_is_inherited(tmp_path: Path) -> None:
    """A database connection or key file that the caller has open is closed in the child."""
    with (tmp_path / "database").open("wb") as held:
        import os

        os.set_inheritable(held.fileno(), True)
        opened = open_sandbox(DecodingSettings(), decoders=HOSTILE)
        decoded = opened.decode([misbehave("descriptors")])
        opened.close()
    assert decoded.passages[1].text == "[]"


def test_no_connection_leaves_the_child(hostile: Sandbox) -> None:
    """Where the level says that there is no network, a listener on loopback is out of reach."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        decoded = hostile.decode([Part("out", "test/connect", str(port).encode())])
    expected = "connected" if "NETWORK OPEN" in hostile.level else "refused"
    assert decoded.passages[0].text.startswith(expected)


def test_no_file_of_the_operator_can_be_read(hostile: Sandbox, tmp_path: Path) -> None:
    """Where the level says that only library files are readable, a key file of the same user is out of reach."""
    key = tmp_path / "key"
    key.write_text("secret")
    decoded = hostile.decode([Part("out", "test/read", str(key).encode())])
    expected = "secret" if "FILES OF THIS USER READABLE" in hostile.level else "refused"
    assert decoded.passages[0].text.startswith(expected)


def test_nothing_is_written_to_disk(hostile: Sandbox) -> None:
    """A decoder cannot leave a file behind."""
    decoded = hostile.decode([misbehave("write")])
    assert decoded.passages[1].text.startswith("refused")
    left = Path("/tmp/spillwatch-left-behind")
    assert not left.exists() or left.read_text() == ""


def test_every_part_has_an_outcome_and_many_parts_outlive_a_child(sandbox: Sandbox) -> None:
    """More parts than one child reads before it is replaced all end as read."""
    decoded = sandbox.decode([GOOD] * 450)
    assert [outcome.part for outcome in decoded.outcomes] == list(range(450))
    assert {outcome.state for outcome in decoded.outcomes} == {"read"}


def test_more_text_than_allowed_is_cut_and_said(sandbox: Sandbox) -> None:
    """The front of an oversized text is given, the rest is quarantined as beyond the limit."""
    decoded = sandbox.decode([Part("body", "text/plain", b"front\n" + b"0123456789 words\n" * 400_000)])
    assert decoded.passages[0].text.startswith("front")
    assert len(decoded.passages[0].text) == 4 * 1024 * 1024
    assert decoded.outcomes == (PartOutcome(0, "quarantined", Reason.LIMIT),)


def test_unknown_bytes_are_skipped_with_a_reason(sandbox: Sandbox) -> None:
    """A format that nobody reads is skipped as such, not called read."""
    decoded = sandbox.decode([Part("file", "application/octet-stream", bytes(range(256)) * 40)])
    assert decoded.outcomes == (PartOutcome(0, "skipped", Reason.UNSUPPORTED),)


def test_small_parts_are_read_together_and_apart(hostile: Sandbox) -> None:
    """Many parts at once give what each alone gives, in order; one that kills the child costs the others nothing."""
    parts = [Part("body", "text/plain", f"住院号 {number}".encode()) for number in range(300)]
    parts[150] = misbehave("die")
    parts[200] = Part("body", "text/plain", b"front " * 100_000)
    decoded = hostile.decode_each(parts)
    assert len(decoded) == 300
    for number, each in enumerate(decoded):
        if number in {150, 200}:
            continue
        assert [passage.text for passage in each.passages] == [f"住院号 {number}"]
        assert each.outcomes == (PartOutcome(0, "read"),)
    assert [outcome.reason for outcome in decoded[150].outcomes] == [Reason.CRASH]
    assert len(decoded[200].passages[0].text) == 600_000
