"""Joining pieces in bounded memory loses nothing, repeats nothing, and gives the same order each time."""

from collections.abc import Iterator
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from app.sources.joining import MOST_NOTES, Joiner, Piece, Whole
from model.errors import EnrolmentError
from model.record import Record

KEYS = st.sampled_from([f"k{number}" for number in range(9)])
PIECES = st.lists(st.tuples(KEYS, st.text("abc", max_size=300), st.booleans()), max_size=40)


def joined(
    pieces: list[tuple[str, str, bool]], held: int, ends: frozenset[int] = frozenset()
) -> tuple[list[object], Joiner]:
    """Join pieces; after those numbered in `ends` the records of what came since the last end are whole."""

    def read(joiner: Joiner) -> Iterator[Piece | Whole | EnrolmentError]:
        since: list[str] = []
        for number, (key, text, bad) in enumerate(pieces, start=1):
            since.append(key)
            values = [("note", text)] if joiner.wants(key) else []
            problems = (EnrolmentError(number, key, "bad"),) if bad and joiner.wants(key) else ()
            yield Piece(2 * number, key, values, number, key, problems=problems)
            if number in ends:
                yield Whole(2 * number + 1, list(dict.fromkeys(since)))
                since.clear()
        yield EnrolmentError(0, "", "unkeyed")

    joiner = Joiner(read, held)
    rows = [
        (row.ref, dict(row.values)) if isinstance(row, Record) else (row.row, row.column, row.problem)
        for row in joiner.rows()
    ]
    return rows, joiner


@given(PIECES, st.integers(500, 4_000), st.data())
def test_a_bound_changes_nothing_but_the_order(pieces, held, data):
    """The same records and the same errors as with all the memory there is, whether records end early or late."""
    # A record that was given as whole has no later piece: so do the bundles of FHIR.
    last = {key: number for number, (key, _, _) in enumerate(pieces, start=1)}
    first = {key: number for number, (key, _, _) in reversed(list(enumerate(pieces, start=1)))}
    possible = [at for at in range(1, len(pieces) + 1) if all(not first[key] <= at < last[key] for key in last)]
    ends = frozenset(data.draw(st.lists(st.sampled_from(possible)))) if possible else frozenset()
    unbounded, _ = joined(pieces, 1 << 40, ends)
    bounded, _ = joined(pieces, held, ends)
    assert sorted(bounded, key=repr) == sorted(unbounded, key=repr)
    assert joined(pieces, held, ends)[0] == bounded


def test_readings_grow_with_what_is_held():
    """Ten times the bound is read some ten times; one patient larger than the bound is still given."""
    pieces = [(f"k{number}", "x" * 1_000, False) for number in range(1_000)]
    readings = [joined(pieces, held)[1].readings for held in (1 << 30, 400_000, 100_000)]
    assert readings[0] == 1
    assert all(before < after for before, after in pairwise(readings))
    assert readings[2] <= 40
    assert ("k0", {"note": "x" * 10_000}) in joined([("k0", "x" * 10_000, False)], 500)[0]


def test_very_many_notes_stand_in_the_last():
    """Two hundred notes are fifty columns, and every note is in one of them."""
    rows, _ = joined([("k0", f"note {number}", False) for number in range(200)], 1 << 30)
    ((_, values),) = [row for row in rows if len(row) == 2]
    assert len(values) == MOST_NOTES
    assert "\n".join(values.values()).split("\n") == [f"note {number}" for number in range(200)]
