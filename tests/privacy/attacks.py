"""The attacks: each takes loot and everything there is to know about the people, and guesses. None has the key.

Rank matching after Naveed, Kamara, Wright (2015), pattern mining after Christen and others (2018), graph matching
after Vidanage and others (2020), in the strength that equality alone gives them. An attack is judged against what the
same guesses come to when the truth is dealt out at random, so that chance is computed and not supposed.
"""

import random
from collections import Counter, defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tests.privacy.loot import Loot
from tests.privacy.world import Patient

DEALS = 200
"""Times the truth is dealt out at random."""


@dataclass(frozen=True)
class Outcome:
    """How often an attack was right."""

    attack: str
    rate: float
    chance: float
    low: float
    high: float
    """99 % of random deals lie between low and high."""

    @property
    def gain(self) -> float:
        """Return what the attack won over chance."""
        return self.rate - self.chance

    def __str__(self) -> str:
        return f"{self.attack:42} {self.rate:8.3%}  chance {self.chance:.3%} ({self.low:.3%} to {self.high:.3%})"


def judged(attack: str, guesses: Sequence[Hashable], truths: Sequence[Hashable], seed: int = 1) -> Outcome:
    """Return how often the guesses are true, and how often they are when truths are dealt out at random."""
    codes = {value: code for code, value in enumerate(dict.fromkeys([*guesses, *truths]))}
    guessed = np.array([-1 if guess is None else codes[guess] for guess in guesses])
    truth = np.array([codes[value] for value in truths])
    deal = np.random.default_rng(seed)
    rates = [float((guessed == deal.permutation(truth)).mean()) for _ in range(DEALS)]
    low, high = np.quantile(rates, [0.005, 0.995]).tolist()
    return Outcome(attack, float((guessed == truth).mean()), float(np.mean(rates)), low, high)


def everything(loot: Loot, people: Sequence[Patient], seed: int = 1) -> list[Outcome]:
    """Return the outcome of every attack on one stolen database."""
    outcomes = [
        rank_frequency(loot, people),
        token_frequency(loot, people),
        signatures(loot, people, seed),
        insertion_order(loot),
        neighbourhood(loot),
        sizes(loot, seed),
    ]
    return outcomes + [graph(loot, people, known, seed) for known in (1.0, 0.8, 0.2)]


def rank_frequency(loot: Loot, people: Sequence[Patient]) -> Outcome:
    """The commonest cell of a column is the commonest value of an attribute, and so on; the best column counts."""
    best = None
    for column in loot.rows[0]:
        for attribute in people[0].attributes:
            values = [patient.attributes[attribute] for patient in people]
            meaning = _by_rank([row[column] for row in loot.rows], values)
            guesses = [meaning.get(row[column]) for row in loot.rows]
            outcome = judged(f"rank frequency of {attribute}", guesses, [values[owner] for owner in loot.owners])
            best = outcome if best is None or outcome.gain > best.gain else best
    assert best is not None
    return best


def token_frequency(loot: Loot, people: Sequence[Patient]) -> Outcome:
    """The same over the searchable entries: the commonest entry is the commonest value."""
    meaning = _by_rank(loot.tokens, loot.token_values)
    return judged("rank frequency of entries", [meaning.get(token) for token in loot.tokens], loot.token_values)


def signatures(loot: Loot, people: Sequence[Patient], seed: int) -> Outcome:
    """How often each cell of a row occurs, against how often each value of a person does."""
    stolen = _occurrences([list(row.values()) for row in loot.rows])
    known = _occurrences([list(patient.attributes.values()) for patient in people])
    guesses = _paired(stolen, known, seed)
    return judged("co-occurrence signatures", guesses, loot.owners)


def insertion_order(loot: Loot) -> Outcome:
    """The first row is the first person of the export."""
    return judged("order of insertion", range(len(loot.owners)), loot.owners)


def neighbourhood(loot: Loot) -> Outcome:
    """Entries that lie side by side in the file belong to one record."""
    return judged("neighbours in the file", loot.token_owners[:-1], loot.token_owners[1:])


def sizes(loot: Loot, seed: int) -> Outcome:
    """A row is the person whose record would be as long; who is left over is paired in order of length."""
    return judged("sizes of sealed parts", _paired(loot.sizes, loot.expected, seed), loot.owners)


def graph(loot: Loot, people: Sequence[Patient], share: float, seed: int) -> Outcome:
    """Propagation over the graph of rows and shared cells, from the commonest values on, knowing a share of the people.

    How common each value is in the whole hospital is known in any case: a cell that occurs as often as one value, and
    as no other cell, is that value. A known person whom the cells identified so far leave one row is linked to it, and
    gives all cells of that row a meaning.
    """
    chance = random.Random(seed)
    known = sorted(chance.sample(range(len(people)), round(share * len(people))))
    columns = dict(zip(people[0].attributes, loot.rows[0], strict=False))
    rows_of: dict[tuple[str, bytes], set[int]] = defaultdict(set)
    for number, row in enumerate(loot.rows):
        for attribute, column in columns.items():
            rows_of[attribute, row[column]].add(number)
    meaning = {
        (attribute, value): cell
        for attribute, column in columns.items()
        for cell, value in _by_number(
            [row[column] for row in loot.rows], [patient.attributes[attribute] for patient in people]
        ).items()
    }
    linked: dict[int, int] = {}
    while True:
        before = len(linked)
        for one in known:
            sets = [rows_of[name, meaning[name, value]] for name, value in people[one].attributes.items()
                    if (name, value) in meaning]  # fmt: skip
            left = set.intersection(*sets) - set(linked) if len(sets) > 1 else set()
            if one not in linked.values() and len(left) == 1:
                (number,) = left
                linked[number] = one
                for name, value in people[one].attributes.items():
                    meaning.setdefault((name, value), loot.rows[number][columns[name]] if name in columns else b"")
        if len(linked) == before:
            break
    rest = [one for one in known if one not in set(linked.values())]
    chance.shuffle(rest)
    numbers = [number for number, owner in enumerate(loot.owners) if owner in set(known)]
    guesses = [linked[number] if number in linked else rest.pop() if rest else None for number in numbers]
    return judged(f"graph matching, {share:.0%} known", guesses, [loot.owners[number] for number in numbers])


def _by_rank(cells: Sequence[bytes], values: Sequence[str]) -> dict[bytes, str]:
    """Return cell → value of the same rank."""
    # Ties are broken by the values' own order: the order in which they were met would be another attack.
    ranked = zip(Counter(sorted(cells)).most_common(), Counter(sorted(values)).most_common(), strict=False)
    return {cell: value for (cell, _), (value, _) in ranked}


def _by_number(cells: Sequence[bytes], values: Sequence[str]) -> dict[bytes, str]:
    """Return cell → value where no other cell and no other value occur as often."""
    of_cells, of_values = _alone(Counter(cells)), _alone(Counter(values))
    return {cell: of_values[number] for number, cell in of_cells.items() if number in of_values}


def _alone(counts: Mapping[Any, int]) -> dict[int, Any]:
    """Return number → the one thing that occurs so often."""
    times = Counter(counts.values())
    return {number: one for one, number in counts.items() if times[number] == 1}


def _occurrences(rows: Sequence[Sequence[Hashable]]) -> list[tuple[int, ...]]:
    counts = Counter(cell for row in rows for cell in row)
    return [tuple(sorted(counts[cell] for cell in row)) for row in rows]


def _paired(stolen: Sequence[tuple[int, ...]], known: Sequence[tuple[int, ...]], seed: int) -> list[int]:
    """Return for each stolen signature a person: one of the same signature, else the next in order."""
    chance = random.Random(seed)
    people: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for number, signature in enumerate(known):
        people[signature].append(number)
    for some in people.values():
        chance.shuffle(some)
    order = chance.sample(range(len(stolen)), len(stolen))
    guesses = {row: people[stolen[row]].pop() for row in order if people.get(stolen[row])}
    rest = sorted((row for row in order if row not in guesses), key=lambda row: stolen[row])
    left = sorted((one for some in people.values() for one in some), key=lambda one: known[one])
    return [guess for _, guess in sorted({**guesses, **dict(zip(rest, left, strict=True))}.items())]
