"""What is to be posted of many records, as flat arrays: their terms, conjunctions and running text."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

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

ALIAS = "~"
"""Stands behind the field of a further spelling of a name while conjunctions are made: it has fewer partners."""
OF_DAYS = frozenset(("visit_day", "department", "birth_date", "age"))


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
    """The terms of a batch of records. Every step is done for all of them at once."""

    def __init__(self, kernel: Kernel, rows: Sequence[Sequence[Cell]], public: Sequence[bool]) -> None:
        """Take the rows apart; `public` says which are of public figures."""
        self._kernel = kernel
        self._fields: dict[str, int] = {}
        self._terms: dict[str, dict[str, int]] = {}
        self._flat: list[int] = []
        """Record, field, term, element and kind of every term of every record: numbers, for which nobody collects."""
        self._weights: list[float] = []
        self._alone: dict[str, tuple[list[int], list[bytes]]] = defaultdict(lambda: ([], []))
        self._marks: dict[tuple[int, str], None] = {}
        self._texts: dict[Kind, list[tuple[int, int, str]]] = defaultdict(list)
        self._count = 0
        for number, row in enumerate(rows):
            self._take(number, row, public=public[number])
        flat = np.array(self._flat, np.int64).reshape(-1, 5)
        self._record, self._field, self._term, self._element, self._kind = flat.T.copy()
        self._weight = np.rint(256 * np.array(self._weights, np.float64)).astype(np.int64)
        self._blocks = self._evaluated()
        self._tags = self._blocks.view(np.uint64)[:, 0].copy()

    def _take(self, number: int, row: Sequence[Cell], *, public: bool) -> None:
        """Take one record."""
        of_days: list[tuple[Term, Column]] = []
        for column, value, reading in row:
            for canonical in reading.values:
                for term in column.kind.terms(canonical):
                    self._note(number, column, term, alone=column.role == "primary")
                    if term.field in OF_DAYS:
                        of_days.append((term, column))
                    if public and term.field == "name":
                        self._note(number, column, Term(PUBLIC, term.value, term.weight), alone=True)
            if column.kind.GRAMS:
                self._texts[column.kind].append((number, column.element, value))
        for term, index in days([term for term, _ in of_days]):
            self._note(number, of_days[index][1], term, alone=False)

    def _note(self, number: int, column: Column, term: Term, *, alone: bool) -> None:
        """Take one term."""
        name, text, weight, alias = term
        some = self._terms.setdefault(name, {})
        place = some.get(text)
        if place is None:
            place = some[text] = self._count
            self._count += 1
        if name in MARKED:
            self._marks[number, name] = None
        elif name in ("name", "initial"):
            self._marks[number, NAMED[is_han(text)]] = None
        elif name == "phone":
            self._marks[number, f"phone:{len(text)}"] = None
        if alone and (name in ALONE or name == PUBLIC):
            at, values = self._alone[name]
            at.append(len(self._weights))
            values.append(text.encode())
            if name == "number":
                self._marks[number, number_mark(text)] = None
        field = self._fields.setdefault(name + ALIAS if alias else name, len(self._fields))
        code = birth_date.CODE if name == "birth_date" else column.kind.CODE
        self._flat += (number, field, place, column.element, code)
        self._weights.append(weight)

    def _evaluated(self) -> NDArray[np.uint8]:
        """Return the kernel's block of every distinct term, by its number."""
        blocks = np.empty((self._count, 16), np.uint8)
        for name, some in self._terms.items():
            blocks[list(some.values())] = self._kernel.blocks_of(name, list(some))
        return blocks

    def wanted(self) -> list[Wanted]:
        """Return the postings of terms and conjunctions."""
        return [*(self._alone_of(name) for name in self._alone), *self._pairs()]

    def _alone_of(self, name: str) -> Wanted:
        places, values = self._alone[name]
        at = np.array(places, np.int64)
        return self._wanted(name, values, at, self._tags[self._term[at]], np.zeros(len(at), np.int64))

    def _pairs(self) -> list[Wanted]:
        """Return the conjunctions, by field."""
        names = [name.removesuffix(ALIAS) for name in self._fields]
        partners = np.zeros((len(names), len(names)), np.bool_)
        for one, number in self._fields.items():
            for other in ALIAS_PARTNERS if one.endswith(ALIAS) else PARTNERS.get(one, ()):
                if other in self._fields:
                    partners[number, self._fields[other]] = True
        lefts, others = pairs(self._record, self._field, self._term, partners)
        sort = self._field[lefts] * len(names) + self._field[others]
        order = np.argsort(sort, kind="stable")
        made = []
        for chosen in np.split(order, np.flatnonzero(np.diff(sort[order])) + 1) if len(order) else ():
            left, right = lefts[chosen], others[chosen]
            name = f"{names[self._field[left[0]]]}+{names[self._field[right[0]]]}"
            left_term, right_term = self._term[left], self._term[right]
            tags = self._kernel.combine("pair", self._tags[left_term], self._tags[right_term])
            data = np.concatenate([self._blocks[left_term], self._blocks[right_term]], axis=1).tobytes()
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
                self._marks |= dict.fromkeys((number, grams.field) for number in np.unique(record[place]).tolist())
                wanted.append(
                    Wanted(grams.field, values, record[place], made.tags, element[place], *same, made.offset, True)
                )
            if not kind.GRAMS[0].digit:
                for number in range(len(texts)):
                    census.add(self._kernel, many.text(number))
                for index, (width, tokens) in enumerate(excerpts.sequences(self._kernel, many, salts[record])):
                    sequences[int(record[index])].append(TokenSequence(int(element[index]), width, tokens))
        return wanted, sequences

    def marks(self) -> tuple[NDArray[np.int64], NDArray[np.uint64]]:
        """Return record and filter tag of each mark."""
        record = np.array([number for number, _ in self._marks], np.int64)
        return record, self._kernel.tags_of(MARK, [value for _, value in self._marks])

    def support(self, salts: NDArray[np.uint64]) -> dict[int, list[Support]]:
        """Return the supporting tags of each record: the first value of each field that has them."""
        found: dict[int, list[Support]] = defaultdict(list)
        for name in SUPPORT_BITS:
            at = np.flatnonzero(self._field == self._fields.get(name, -1))
            record, first = np.unique(self._record[at], return_index=True)
            at = at[first]
            tags = self._kernel.combine("support", self._tags[self._term[at]], salts[record]) & support_mask(name)
            parts = (record, tags, self._kind[at], self._weight[at])
            for number, tag, kind, weight in zip(*(part.tolist() for part in parts), strict=True):
                found[number].append(Support(name, tag, kind, weight))
        return found


def number_mark(value: str) -> str:
    """Return the mark of a record number: how many letters and digits it has."""
    digits = sum(character in "0123456789" for character in value)
    letters = sum("a" <= character <= "z" for character in value)
    return f"number:{letters}:{digits}"
