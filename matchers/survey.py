"""What may stand on a page: values of every shape, names near them, and which of them stand near each other."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from matchers import foldtables
from matchers.canonical import Folded
from matchers.compiled import compiled
from matchers.conjunctions import ALONE, MARK, MARKED, NAMED, PARTNERS, PUBLIC
from matchers.interface import TagFilter
from matchers.kernel import Kernel
from matchers.kinds import age, department, licence_plate, person_name
from matchers.scanners import addresses, dates, digits, emails, masks, names, numbers, stated
from matchers.scanners.sink import END, START, TYPO, Sink, empty, put_text

ROOM: Final = 1 << 19
"""Findings of one field in one batch: two for each unit of a large one, and thirty for each of the smallest piece."""
MOST_PAIRS: Final = 1 << 20
"""Conjunctions tried on one batch."""
SLIP_REACH: Final = 80
"""Units within which a number that may be a slip is combined with a name, and anything with what is left of one."""
BARE: Final = frozenset(("surname", "given", "name_mask"))
"""Names of which little is left: they count only close by."""
POST_REACH: Final = 300
"""Units at both ends of a post of a thread in which names are seen that stand near nothing."""
LEFT: Final = tuple(PARTNERS)
RIGHT: Final = tuple(sorted({right for rights in PARTNERS.values() for right in rights}))
FIELDS: Final = tuple(dict.fromkeys((*ALONE, *RIGHT, *LEFT)))


@dataclass(frozen=True, slots=True, eq=False)
class Shapes:
    """Which forms of values are enrolled at all: what nobody has need not be tried."""

    number: NDArray[np.bool_]
    """By letters and digits."""
    phone: NDArray[np.bool_]
    """By digits of the national number."""
    fields: frozenset[str]
    """Of `MARKED`: those of which somebody has a value."""

    @property
    def named(self) -> bool:
        """Tell whether anybody has a name: without, nothing is searched that only says something beside one."""
        return not self.fields.isdisjoint(NAMED.values())


@dataclass(frozen=True, slots=True, eq=False)
class Sighted:
    """What was seen of one field, in arrays of the same length; spans are in units of the batch."""

    field: str
    start: NDArray[np.int32]
    end: NDArray[np.int32]
    form: NDArray[np.int32]
    offset: NDArray[np.int32]
    length: NDArray[np.int32]
    values: NDArray[np.uint16]

    def __len__(self) -> int:
        """Return how many."""
        return len(self.start)

    def within(self, first: int, last: int) -> NDArray[np.intp]:
        """Return the indices of what lies between two units."""
        return np.flatnonzero((self.start >= first) & (self.end <= last))

    def text(self, index: int) -> str:
        """Return one canonical value."""
        at = int(self.offset[index])
        return self.values[at : at + int(self.length[index])].tobytes().decode("utf-16-le", "surrogatepass")

    def texts(self, indices: NDArray[np.intp]) -> list[str]:
        """Return many canonical values."""
        if ((self.values & 0xF800) == 0xD800).any():  # a character of two units somewhere: places differ
            return [self.text(index) for index in indices.tolist()]
        whole = self.values.tobytes().decode("utf-16-le")
        first = self.offset[indices]
        ends = (first + self.length[indices]).tolist()
        return [whole[at:end] for at, end in zip(first.tolist(), ends, strict=True)]


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Which names stand near which other values: indices into both sides."""

    left: str
    right: str
    one: NDArray[np.int32]
    other: NDArray[np.int32]


@dataclass(slots=True, eq=False)
class Survey:
    """Everything that may be on the pages of a batch."""

    folded: Folded
    seen: Mapping[str, Sighted]
    pairs: Sequence[Pairs]
    alone: frozenset[str]
    """Fields that are searched alone."""
    dropped: int = -1
    """The first unit from which on something was left out for want of room; -1: nothing was."""


class Surveyor:
    """Makes surveys; keeps the room that they need. One per process."""

    def __init__(self, shapes: Shapes, window: int) -> None:
        """Look for these shapes; combine weak values within so many units."""
        self._shapes = shapes
        self._reach = window // 2
        self._sinks: dict[str, Sink] = {}

    def survey(self, folded: Folded, posts: NDArray[np.int64] | None = None) -> Survey:
        """Return the candidates of a batch.

        `posts` has the first and the last unit of each post that may be a part of a thread: there names are seen that
        stand near nothing, and numbers that were cut.
        """
        sinks = self._emptied()
        reading = self._readings(folded, sinks)
        if "email" in self._shapes.fields:
            emails.find_emails(folded.units, folded.classes, sinks["email"])
        self._by_text(folded, sinks)
        pairs, full = self._beside(folded, reading, posts, sinks) if self._shapes.named else ([], False)
        seen = {name: _sighted(name, sinks[name]) for name in FIELDS}
        if PUBLIC in self._shapes.fields:
            seen[PUBLIC] = replace(seen["name"], field=PUBLIC)
        dropped = [int(sink.filled[2]) for sink in sinks.values() if sink.filled[2] >= 0] + ([0] if full else [])
        alone = ALONE | {PUBLIC} if PUBLIC in self._shapes.fields else ALONE
        return Survey(folded, seen, pairs, alone, min(dropped, default=-1))

    def dates(self, survey: Survey) -> Sighted:
        """Return the dates of a batch; where nobody has a name they were not looked for until now."""
        if self._shapes.named:
            return survey.seen["birth_date"]
        folded, sinks = survey.folded, {name: empty(ROOM) for name in FIELDS}
        for reading in self._read(folded):
            numbers.find_resident_ids(folded.units, folded.classes, reading, *(sinks[name] for name in _RESIDENT))
            dates.find_compact_dates(reading, sinks["birth_date"])
        parts = dates.read_parts(folded.units, folded.classes)
        dates.find_dates(folded.units, folded.classes, parts, sinks["birth_date"])
        return _sighted("birth_date", sinks["birth_date"])

    def _read(self, folded: Folded) -> tuple[digits.Digits, digits.Digits]:
        """Return both readings of the digits of a batch."""
        units, classes = folded.units, folded.classes
        return digits.plain(units, classes), digits.disguised(units, classes, foldtables.soft_digits())

    def _readings(self, folded: Folded, sinks: Mapping[str, Sink]) -> digits.Digits | None:
        """Find what is written in digits, if anybody has such a thing; return their plain reading."""
        shapes = self._shapes
        if not (shapes.named or "resident_id" in shapes.fields or shapes.phone.any() or shapes.number.any()):
            return None
        readings = self._read(folded)
        for reading in readings:
            self._numbers(folded, reading, sinks)
        if shapes.number.any():
            numbers.find_tokens(folded.units, folded.classes, shapes.number, sinks["number"], sinks["number_tail"])
        return readings[0]

    def _beside(
        self, folded: Folded, reading: digits.Digits | None, posts: NDArray[np.int64] | None, sinks: Mapping[str, Sink]
    ) -> tuple[list[Pairs], bool]:
        """Find what only says something beside a name, and names beside it; return which stand near each other."""
        units, classes = folded.units, folded.classes
        assert reading is not None
        if posts is not None:
            cut = (sinks[name] for name in _CUT)
            numbers.find_cut_numbers(reading, posts[:, 0].copy(), posts[:, 1].copy(), *cut)
        parts = dates.read_parts(units, classes)
        dates.find_dates(units, classes, parts, sinks["birth_date"])
        stated.find_stated(
            units, classes, reading, *(sinks[name] for name in ("phone_tail", "id_tail", "number_tail", "id_area"))
        )
        masks.find_masks(units, classes, *(sinks[name] for name in _MASKED))
        if "address_part" in self._shapes.fields:
            addresses.find_address_parts(units, classes, reading, sinks["address_part"])
        self._by_date(folded, sinks)
        near = np.zeros(len(folded) + 1, np.bool_)
        for name in RIGHT:
            sink = sinks[name]
            _mark(sink.row(START), sink.row(END), self._reach, near)
        if PUBLIC in self._shapes.fields:
            near[:] = True
        for first, last in posts if posts is not None else ():
            near[first : min(last, first + POST_REACH)] = True
            near[max(first, last - POST_REACH) : last] = True
        self._names(folded, near[:-1], sinks)
        return self._pairs(folded, {name: _sighted(name, sinks[name]) for name in FIELDS})

    def names(self, folded: Folded, starts: NDArray[np.int32], ends: NDArray[np.int32], reach: int) -> Sighted:
        """Return the whole names within reach of the spans."""
        near = np.zeros(len(folded) + 1, np.bool_)
        _mark(starts, ends, reach, near)
        sinks = {name: empty(len(folded) + 1024) for name in LEFT}
        self._names(folded, near[:-1], sinks)
        return _sighted("name", sinks["name"])

    def looks_for(self, name: str) -> bool:
        """Tell whether somebody has a value of the field, one of `MARKED`."""
        return name in self._shapes.fields

    def _emptied(self) -> dict[str, Sink]:
        """Return an empty sink for each field."""
        for name in FIELDS:
            if name not in self._sinks:
                self._sinks[name] = empty(ROOM)
            self._sinks[name].filled[:] = (0, 0, -1)
        return self._sinks

    def _numbers(self, folded: Folded, reading: digits.Digits, sinks: Mapping[str, Sink]) -> None:
        """Find what is written in digits."""
        if not len(reading.at):
            return
        units, classes, shapes = folded.units, folded.classes, self._shapes
        if shapes.number.any():
            numbers.find_numbers(units, classes, reading, shapes.number, sinks["number"], sinks["number_tail"])
        if shapes.named or "resident_id" in shapes.fields:
            numbers.find_resident_ids(units, classes, reading, *(sinks[name] for name in _RESIDENT))
        if shapes.phone.any():
            numbers.find_phones(units, classes, reading, shapes.phone, *(sinks[name] for name in _PHONE))
        if shapes.named:
            dates.find_compact_dates(reading, sinks["birth_date"])

    def _by_text(self, folded: Folded, sinks: Mapping[str, Sink]) -> None:
        """Find plates, which few hospitals enrol."""
        if "plate" in self._shapes.fields:
            for each in licence_plate.find(_one_per_unit(folded.units)):
                _put(sinks["plate"], each.start, each.end, each.value)

    def _by_date(self, folded: Folded, sinks: Mapping[str, Sink]) -> None:
        """Find days of visit with an age or a department, which few hospitals enrol."""
        wanted = self._shapes.fields & {"age_day", "department_day"}
        if wanted:
            text = _one_per_unit(folded.units)
            days = [
                (int(seen.start[index]), int(seen.end[index]), seen.text(index))
                for seen in (_sighted("birth_date", sinks["birth_date"]),)
                for index in range(len(seen))
            ]
            for field, kind in (("age_day", age), ("department_day", department)):
                for each in kind.find(text) if field in wanted and days else ():
                    for start, end, day in days:
                        if max(start, each.start) - min(end, each.end) <= self._reach:
                            span = min(start, each.start), max(end, each.end)
                            _put(sinks[field], *span, f"{each.value}|{day}")

    def _names(self, folded: Folded, near: NDArray[np.bool_], sinks: Mapping[str, Sink]) -> None:
        """Find names where something is near."""
        units, classes = folded.units, folded.classes
        kinds = names.NameSinks(*(sinks[name] for name in names.NameSinks._fields))
        if NAMED[True] in self._shapes.fields:
            names.find_han_names(units, classes, near, surnames(), kinds.name)
            names.find_masked_han(units, classes, near, surnames(), kinds)
        pinyin, latin = (name in self._shapes.fields for name in ("pinyin", NAMED[False]))
        if not (pinyin or latin):
            return
        words = names.read_words(units, classes, near)
        names.find_latin_names(classes, words, pinyin, latin, kinds)
        if latin:
            names.find_masked_latin(units, classes, words, kinds)

    def _pairs(self, folded: Folded, seen: Mapping[str, Sighted]) -> tuple[list[Pairs], bool]:
        """Return who stands near whom in one text, and whether there were too many."""
        room = MOST_PAIRS
        owner = np.cumsum(folded.classes == 0, dtype=np.int32)
        found: list[Pairs] = []
        order = {name: np.argsort(seen[name].start, kind="stable").astype(np.int32) for name in LEFT}
        for left, rights in PARTNERS.items():
            if not len(seen[left]):
                continue
            starts = seen[left].start.take(order[left])
            for right in rights:
                other = seen[right]
                if not len(other):
                    continue
                whole = SLIP_REACH if left in BARE else self._reach
                whole = SLIP_REACH if right == "address_part" else whole
                reach = np.where(other.form == TYPO, np.int32(SLIP_REACH), np.int32(whole))
                low = np.searchsorted(starts, other.start - reach)
                high = np.searchsorted(starts, other.end + reach, side="right")
                total = int((high - low).sum())
                if total > room:
                    return found, True
                if not total:
                    continue
                room -= total
                one, two = _spread(low, high, owner.take(starts), owner.take(other.start), total)
                found.append(Pairs(left, right, order[left].take(one), two))
        return found, False


_MASKED: Final = ("phone_tail", "phone_mask", "phone_head", "id_tail", "id_mask", "id_start", "id_area", "number_tail")


_RESIDENT: Final = ("resident_id", "id_tail", "id_mask", "birth_date")
_PHONE: Final = ("phone", "phone_head", "phone_tail", "phone_mask")
_CUT: Final = ("phone_tail", "id_tail", "number_tail")


def _sighted(name: str, sink: Sink) -> Sighted:
    """Return what a sink holds, without copying."""
    start, end, form, offset, length = sink.spans[:, : sink.filled[0]]
    return Sighted(name, start, end, form, offset, length, sink.values[: sink.filled[1]])


def _put(sink: Sink, start: int, end: int, value: str) -> None:
    """Note a value found in text."""
    units = np.frombuffer(value.encode("utf-16-le", "surrogatepass"), np.uint16)
    put_text(sink, start, end, units)


def _one_per_unit(units: NDArray[np.uint16]) -> str:
    """Return the units as a string of the same length; halves of pairs become U+FFFD, which no kind contains."""
    surrogate = (units & 0xF800) == 0xD800
    return np.where(surrogate, np.uint16(0xFFFD), units).tobytes().decode("utf-16-le")


@compiled
def _mark(starts: NDArray[np.int32], ends: NDArray[np.int32], reach: int, near: NDArray[np.bool_]) -> None:
    """Mark the units within reach of the spans."""
    done = 0
    for index in range(len(starts)):
        first = max(0, starts[index] - reach)
        last = min(len(near), ends[index] + reach)
        if first >= done or starts[index] < done - 2 * reach:
            for place in range(first, last):
                near[place] = True
        else:
            for place in range(done, last):
                near[place] = True
        done = max(done, last)


@compiled
def _spread(
    low: NDArray[np.int64], high: NDArray[np.int64], left_owner: NDArray[np.int32], right_owner: NDArray[np.int32],
    total: int,
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:  # fmt: skip
    """Return for ranges low:high of the left side each pair of left and right that stand in one text."""
    one = np.empty(total, np.int32)
    other = np.empty(total, np.int32)
    at = 0
    for right in range(len(low)):
        for left in range(low[right], high[right]):
            if left_owner[left] == right_owner[right]:
                one[at] = left
                other[at] = right
                at += 1
    return one[:at].copy(), other[:at].copy()


@cache
def surnames() -> names.Surnames:
    """Return the family names as tables."""
    single, first = np.zeros(0x10000, np.bool_), np.zeros(0x10000, np.bool_)
    for character in person_name.SURNAMES:
        single[ord(character)] = True
    for pair in person_name.COMPOUND:
        first[ord(pair[0])] = True
    compound = np.array(sorted((ord(pair[0]) << 16) | ord(pair[1]) for pair in person_name.COMPOUND), np.uint32)
    return names.Surnames(single, first, compound)


def shapes(kernel: Kernel, tag_filter: TagFilter) -> Shapes:
    """Return which shapes are enrolled, as the marks in the filter tell."""
    number = [(letters, size) for letters in range(numbers.MOST_LETTERS + 1) for size in range(numbers.MOST_DIGITS + 1)]
    fields = sorted(MARKED)
    marks = [*(f"number:{one}:{other}" for one, other in number), *(f"phone:{size}" for size in range(15)), *fields]
    there = np.zeros(len(marks), np.bool_)
    there[tag_filter.survivors(kernel.tags_of(MARK, marks))] = True
    table, phone = there[: len(number)], there[len(number) : len(number) + 15]
    seen = frozenset(name for name, found in zip(fields, there[-len(fields) :].tolist(), strict=True) if found)
    return Shapes(table.reshape(numbers.MOST_LETTERS + 1, numbers.MOST_DIGITS + 1), phone, seen)
