"""The custody log: every way to tamper with it shows."""

import json
import multiprocessing
from dataclasses import replace
from datetime import timedelta

import pytest

from alerts.evidence.custody import LOG, Action, append, entries, hash_of, line_of, parse_line, verify_chain
from model.errors import EvidenceError
from tests.alerts.captures import NOW, flip

DIGEST = "d" * 64


def write(root, count=6):
    """Write that many entries and return the log."""
    for number in range(count):
        append(root, Action.VIEW, f"{number:032x}", DIGEST, actor="officer 甲", now=NOW + timedelta(minutes=number))
    return root / LOG


def edited(line: bytes, **changes) -> bytes:
    """Return the line with fields changed."""
    return line_of(replace(parse_line(line), **changes))


def rehashed(line: bytes, **changes) -> bytes:
    """Return the line with fields changed and its own hash made to fit."""
    entry = replace(parse_line(line), **changes)
    return line_of(replace(entry, hash=hash_of(entry)))


TAMPERINGS = {
    "edit": lambda lines: [*lines[:2], edited(lines[2], actor="nobody"), *lines[3:]],
    "edit and rehash": lambda lines: [*lines[:2], rehashed(lines[2], actor="nobody"), *lines[3:]],
    "back-date": lambda lines: [*lines[:2], rehashed(lines[2], time="2020-01-01T00:00:00.000000Z"), *lines[3:]],
    "delete the first": lambda lines: lines[1:],
    "delete one": lambda lines: lines[:2] + lines[3:],
    "insert a copy": lambda lines: [*lines[:2], lines[1], *lines[2:]],
    "insert a forged one": lambda lines: [*lines[:2], rehashed(lines[2], sequence=2), *lines[2:]],
    "swap two": lambda lines: [*lines[:2], lines[3], lines[2], *lines[4:]],
    "blank line": lambda lines: [*lines[:2], b"\n", *lines[2:]],
    "white space": lambda lines: [*lines[:2], lines[2].replace(b'":', b'": ', 1), *lines[3:]],
    "other field": lambda lines: [
        *lines[:2],
        json.dumps({**json.loads(lines[2]), "x": 1}).encode() + b"\n",
        *lines[3:],
    ],
    "no JSON": lambda lines: [*lines[:2], b"garbage\n", *lines[3:]],
    "half a line": lambda lines: [*lines[:-1], lines[-1][:40]],
}


def test_untouched_log_is_a_chain(tmp_path):
    """A log that nobody touched has no problems."""
    log = write(tmp_path)
    assert verify_chain(log) == []
    assert [entry.sequence for entry in entries(log)] == list(range(6))
    assert log.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("tampering", TAMPERINGS.values(), ids=TAMPERINGS.keys())
def test_tampering_shows(tmp_path, tampering):
    """Edit, back-date, delete, insert, reorder and reformat are all found."""
    log = write(tmp_path)
    log.write_bytes(b"".join(tampering(log.read_bytes().splitlines(keepends=True))))
    assert verify_chain(log)


def test_every_bit_counts(tmp_path):
    """Each single flipped bit of the log is found."""
    log = write(tmp_path, 3)
    clean = log.read_bytes()
    for bit in range(0, len(clean) * 8, 3):
        flip(log, bit)
        assert verify_chain(log), bit
        flip(log, bit)
    assert log.read_bytes() == clean


def test_cut_off_end_shows_against_a_head_kept_elsewhere(tmp_path):
    """A log without its last entries is still a chain, but not the one whose head somebody noted."""
    log = write(tmp_path)
    head = entries(log)[-1]
    log.write_bytes(b"".join(log.read_bytes().splitlines(keepends=True)[:-1]))
    assert verify_chain(log) == []
    assert verify_chain(log, heads={head.sequence: head.hash})


def test_the_same_capture_is_logged_once(tmp_path):
    """Captures are idempotent; views are not."""
    first = append(tmp_path, Action.CAPTURE, "a" * 32, DIGEST, actor="x", now=NOW)
    again = append(tmp_path, Action.CAPTURE, "a" * 32, DIGEST, actor="x", now=NOW + timedelta(hours=1))
    assert first == again
    append(tmp_path, Action.VIEW, "a" * 32, DIGEST, actor="x", now=NOW)
    append(tmp_path, Action.VIEW, "a" * 32, DIGEST, actor="x", now=NOW)
    assert len(entries(tmp_path / LOG)) == 3


@pytest.mark.parametrize("kept", [1, 40, -1])
def test_unfinished_line_is_taken_out_and_noted(tmp_path, kept):
    """A line that a crash left unfinished is removed by the next entry, and an entry says so."""
    log = write(tmp_path)
    lines = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"".join(lines[:-1]) + lines[-1][:kept])
    assert "unfinished" in verify_chain(log)[0]
    append(tmp_path, Action.EXPORT, "b" * 32, DIGEST, actor="x", now=NOW)
    assert verify_chain(log) == []
    assert [entry.action for entry in entries(log)[-2:]] == [Action.REPAIR, Action.EXPORT]
    assert "taken out" in entries(log)[-2].note


def test_a_log_that_ends_in_something_else_is_not_continued(tmp_path):
    """Nothing is appended after a last line that is no entry."""
    log = write(tmp_path)
    log.write_bytes(log.read_bytes() + b"garbage\n")
    before = log.read_bytes()
    with pytest.raises(EvidenceError, match="not an entry"):
        append(tmp_path, Action.VIEW, "a" * 32, DIGEST, actor="x", now=NOW)
    assert log.read_bytes() == before


@pytest.mark.parametrize(
    ("evidence", "digest", "actor", "note"),
    [("x", DIGEST, "x", ""), ("a" * 32, "d", "x", ""), ("a" * 32, DIGEST, "a\nb", ""), ("a" * 32, DIGEST, "x", "钟离")],
)
def test_only_references_and_plain_words_are_logged(tmp_path, evidence, digest, actor, note):
    """What could carry content is refused."""
    with pytest.raises(EvidenceError):
        append(tmp_path, Action.VIEW, evidence, digest, actor=actor, now=NOW, note=note)
    assert not (tmp_path / LOG).exists()


def _append_many(root, first):
    for number in range(first, first + 25):
        append(root, Action.VIEW, f"{number:032x}", DIGEST, actor="x", now=NOW)


def test_processes_write_one_chain(tmp_path):
    """Four processes at once leave one unbroken chain of all entries."""
    context = multiprocessing.get_context("spawn")
    children = [context.Process(target=_append_many, args=(tmp_path, 100 * number)) for number in range(4)]
    for child in children:
        child.start()
    for child in children:
        child.join()
    assert verify_chain(tmp_path / LOG) == []
    assert len(entries(tmp_path / LOG)) == 100
