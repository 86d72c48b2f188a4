"""What is to be posted of many records, as flat arrays: their terms, conjunctions and running text."""

import itertools
import string
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from matchers import excerpts
from matchers.columns import Cell, Column
from matchers.commonness import Census
from matchers.conjunctions import ALIAS_PARTNERS, ALONE, MARK, MARKED, NAMED, PARTNERS, PUBLIC, days, pairs
from matchers.details import SUPPORT_BITS, Support, TokenSequence, support_mask
from matchers.kernel import Kernel
from matchers.kinds import birth_date
from matchers.kinds.kind import Kind, Term
from matchers.kinds.person_name import is_han

OF_DAYS = frozenset(("visit_day", "department", "birth_date", "age"))
_NO_DIGITS, _NO_LETTERS = (str.maketrans("", "", some) for some in (string.digits, string.ascii_lowercase))


@dataclass(frozen=True, slots=True, eq=False)
class Wanted:
    """Postings of one field that are to be made."""

    field: str
    values: Sequence[bytes]
    """What is evaluated under the field's key."""
    record: NDArray[np.int64]
    tag: NDArray[np.uint64]
    element: NDArray[np.int64]
    kind: NDArray[np.int64]
    weight: NDArray[np.int64]
    """In 1/256 bit."""
    extra: NDArray[np.int64]
    """Offset of a shingle; weight of the name in a conjunction, in 1/256 bit."""
    shingle: bool


class Drafts:
    """The terms of a batch of records. Every step is done for all of them at once, column by column."""

    def __init__(self, kernel: Kernel, rows: Sequence[Sequence[Cell]], public: Sequence[bool]) -> None:
        """Take the rows apart; `public` says which are of public figures."""
        self._kernel = kernel
        self._names: dict[str, int] = {}
        self._parts: list[_Part] = []
        self._size = 0
        self._alone: dict[str, list[tuple[int, bytes]]] = defaultdict(list)
        self._marks: dict[str, list[int]] = defaultdict(list)
        self._texts: dict[Kind, list[tuple[int, int, str]]] = defaultdict(list)
        taken = [self._take(column, cells, public) for column, cells in _columns(rows)]
        self._take_days(taken)
        for texts in self._texts.values():
            texts.sort(key=itemgetter(0))
        none = np.zeros(0, np.int64)
        first = _Part(none, none, none, none, np.zeros(0), np.zeros((0, 16), np.uint8))
        record, field, element, kind, weight, blocks = map(np.concatenate, zip(first, *self._parts, strict=True))
        order = np.argsort(record, kind="stable")  # a record's terms stand together, in the order of its columns
        self._place = np.empty(len(order), np.int64)
        self._place[order] = np.arange(len(order))
        self._record, self._field = record[order], field[order]
        self._element, self._kind = element[order], kind[order]
        self._weight = np.rint(256 * weight[order]).astype(np.int64)
        self._blocks = blocks[order]
        self._tags = self._blocks.view(np.uint64)[:, 0].copy()

    def _take(self, column: Column, cells: Sequence[tuple[int, Cell]], public: Sequence[bool]) -> "_Taken":
        """Take one column of all records."""
        if column.kind.GRAMS:
            self._texts[column.kind] += [(number, column.element, value) for number, (_, value, _) in cells]
        held = [(number, each) for number, (_, _, reading) in cells for each in reading.values]
        made = [column.kind.terms(canonical) for _, canonical in held]
        terms = list(itertools.chain.from_iterable(made))
        record = np.repeat([number for number, _ in held], list(map(len, made))).astype(np.int64)
        self._note(column, terms, record, alone=column.role == "primary")
        if any(public):
            named = [
                (place, term) for place, term in enumerate(terms) if term.field == "name" and public[record[place]]
            ]
            figures = [Term(PUBLIC, term.value, term.weight) for _, term in named]
            self._note(column, figures, record[[place for place, _ in named]], alone=True)
        return _Taken(column, terms, record)

    def _note(self, column: Column, terms: Sequence[Term], record: NDArray[np.int64], *, alone: bool) -> None:
        """Take the terms of one column, each of its record."""
        if not terms:
            return
        fields, texts, weights, aliases = zip(*terms, strict=True)
        for name in dict.fromkeys(fields):
            self._names.setdefault(name, len(self._names))
        field = np.fromiter(map(self._names.__getitem__, fields), np.int64, len(fields))
        blocks = np.empty((len(terms), 16), np.uint8)
        kind = np.full(len(terms), column.kind.CODE)
        for number in np.unique(field).tolist():
            at = np.flatnonzero(field == number)
            name = fields[at[0]]
            some = [texts[place] for place in at.tolist()]
            blocks[at] = self._kernel.blocks_of(name, some)
            if name == "birth_date":
                kind[at] = birth_date.CODE
            searched = alone and (name in ALONE or name == PUBLIC)
            if searched:
                self._alone[name] += zip((at + self._size).tolist(), map(str.encode, some), strict=True)
            self._mark(name, some, record[at].tolist(), numbered=searched)
        element = np.full(len(terms), column.element)
        field = 2 * field + np.array(aliases, np.int64)
        self._parts.append(_Part(record, field, element, kind, np.array(weights, np.float64), blocks))
        self._size += len(terms)

    def _mark(self, name: str, texts: Sequence[str], records: Sequence[int], *, numbered: bool) -> None:
        """Take the marks of the terms of one field."""
        if name in MARKED:
            self._marks[name] += records
        elif name in ("name", "initial"):
            for number, text in zip(records, texts, strict=True):
                self._marks[NAMED[is_han(text)]].append(number)
        elif name == "phone":
            for number, text in zip(records, texts, strict=True):
                self._marks[f"phone:{len(text)}"].append(number)
        elif name == "number" and numbered:
            for number, text in zip(records, texts, strict=True):
                self._marks[number_mark(text)].append(number)

    def _take_days(self, taken: Sequence["_Taken"]) -> None:
        """Take what days of visit make with an age or a department."""
        if "visit_day" not in self._names:
            return
        of_days: dict[int, list[tuple[Term, Column]]] = defaultdict(list)
        for column, terms, record in taken:
            for number, term in zip(record.tolist(), terms, strict=True):
                if term.field in OF_DAYS:
                    of_days[number].append((term, column))
        made: dict[str, tuple[Column, list[Term], list[int]]] = {}
        for number, held in of_days.items():
            for term, index in days([term for term, _ in held]):
                column = held[index][1]
                some = made.setdefault(column.name, (column, [], []))
                some[1].append(term)
                some[2].append(number)
        for column, terms, numbers in made.values():
            self._note(column, terms, np.array(numbers, np.int64), alone=False)

    def wanted(self) -> list[Wanted]:
        """Return the postings of terms and conjunctions."""
        return [*(self._alone_of(name) for name in self._alone), *self._pairs()]

    def _alone_of(self, name: str) -> Wanted:
        places = self._place[[place for place, _ in self._alone[name]]]
        order = np.argsort(places)
        at, values = places[order], [self._alone[name][index][1] for index in order.tolist()]
        return self._wanted(name, values, at, self._tags[at], np.zeros(len(at), np.int64))

    def _pairs(self) -> list[Wanted]:
        """Return the conjunctions, by field."""
        names = [name for name in self._names for _ in range(2)]
        partners = np.zeros((len(names), len(names)), np.bool_)
        for one, number in self._names.items():
            for alias, fields in enumerate((PARTNERS.get(one, ()), ALIAS_PARTNERS)):
                known = [2 * self._names[field] for field in fields if field in self._names]
                partners[2 * number + alias, known] = True
        lefts, others = pairs(self._record, self._field, self._tags.view(np.int64), partners)
        sort = self._field[lefts] * len(names) + self._field[others]
        order = np.argsort(sort, kind="stable")
        made = []
        for chosen in np.split(order, np.flatnonzero(np.diff(sort[order])) + 1) if len(order) else ():
            left, right = lefts[chosen], others[chosen]
            name = f"{names[self._field[left[0]]]}+{names[self._field[right[0]]]}"
            tags = self._kernel.combine("pair", self._tags[left], self._tags[right])
            data = np.concatenate([self._blocks[left], self._blocks[right]], axis=1).tobytes()
            values = [data[at : at + 32] for at in range(0, len(data), 32)]
            made.append(self._wanted(name, values, right, tags, self._weight[left]))
        return made

    def _wanted(
        self, name: str, values: Sequence[bytes], at: NDArray[np.int64], tags: NDArray[np.uint64],
        extra: NDArray[np.int64],
    ) -> Wanted:  # fmt: skip
        return Wanted(
            name, values, self._record[at], tags, self._element[at], self._kind[at], self._weight[at], extra, False
        )

    def excerpts(
        self, salts: NDArray[np.uint64], census: Census
    ) -> tuple[list[Wanted], dict[int, list[TokenSequence]]]:
        """Return the postings of running text, and the token sequences of each record that has some; count phrases."""
        wanted: list[Wanted] = []
        sequences: dict[int, list[TokenSequence]] = defaultdict(list)
        for kind, texts in self._texts.items():
            many = excerpts.stream([value for _, _, value in texts])
            record, element = (np.array([each[part] for each in texts], np.int64) for part in (0, 1))
            for grams in kind.GRAMS:
                made = excerpts.shingles(self._kernel, many, grams)
                size, data = made.values.shape[1], made.values.tobytes()
                values = [data[at : at + size] for at in range(0, len(data), size)]
                same = np.full(len(values), kind.CODE), np.full(len(values), round(256 * grams.weight))
                place = made.text
                self._marks[grams.field] += np.unique(record[place]).tolist()
                wanted.append(
                    Wanted(grams.field, values, record[place], made.tags, element[place], *same, made.offset, True)
                )
            if not kind.GRAMS[0].digit:
                census.add(self._kernel, many.compact)
                for index, (width, tokens) in enumerate(excerpts.sequences(self._kernel, many, salts[record])):
                    sequences[int(record[index])].append(TokenSequence(int(element[index]), width, tokens))
        return wanted, sequences

    def marks(self) -> tuple[NDArray[np.int64], NDArray[np.uint64]]:
        """Return record and filter tag of each mark."""
        records = [np.unique(np.array(some, np.int64)) for some in self._marks.values()]
        tags = np.repeat(self._kernel.tags_of(MARK, list(self._marks)), [len(some) for some in records])
        return np.concatenate([np.zeros(0, np.int64), *records]), tags

    def support(self, salts: NDArray[np.uint64]) -> dict[int, list[Support]]:
        """Return the supporting tags of each record: the first value of each field that has them."""
        found: dict[int, list[Support]] = defaultdict(list)
        for name in SUPPORT_BITS:
            at = np.flatnonzero(self._field == 2 * self._names.get(name, -1))
            record, first = np.unique(self._record[at], return_index=True)
            at = at[first]
            tags = self._kernel.combine("support", self._tags[at], salts[record]) & support_mask(name)
            parts = (record, tags, self._kind[at], self._weight[at])
            for number, tag, kind, weight in zip(*(part.tolist() for part in parts), strict=True):
                found[number].append(Support(name, tag, kind, weight))
        return found


class _Part(NamedTuple):
    """Terms of one column, as arrays."""

    record: NDArray[np.int64]
    field: NDArray[np.int64]
    """Twice the number of its name, and one more for a further spelling: that has fewer partners."""
    element: NDArray[np.int64]
    kind: NDArray[np.int64]
    weight: NDArray[np.float64]
    blocks: NDArray[np.uint8]
    """The kernel's, one a row."""


class _Taken(NamedTuple):
    """Terms of one column, and the record of each."""

    column: Column
    terms: Sequence[Term]
    record: NDArray[np.int64]


def _columns(rows: Sequence[Sequence[Cell]]) -> list[tuple[Column, list[tuple[int, Cell]]]]:
    """Return the cells by column, in the order of the columns' names, each with the number of its row."""
    found: dict[str, list[tuple[int, Cell]]] = defaultdict(list)
    for number, row in enumerate(rows):
        for cell in row:
            found[cell[0].name].append((number, cell))
    return [(found[name][0][1][0], found[name]) for name in sorted(found)]


def number_mark(value: str) -> str:
    """Return the mark of a record number: how many letters and digits it has."""
    left = value.translate(_NO_DIGITS)
    return f"number:{len(left) - len(left.translate(_NO_LETTERS))}:{len(value) - len(left)}"
