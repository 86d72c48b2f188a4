"""How well records link by three fields when nothing but keyed tags may be compared: `python -m benchmarks.linkage`.

FEBRL 4 (Christen 2005; 5,000 people, and 5,000 copies with typing, sound and scanning errors, missing and swapped
values), by given name, surname and postcode, beside what others do with the same pairs: plaintext rapidfuzz, CLKs and
exact hashed values. The thresholds of the others are the best for the truth that they are scored with; ours has none
that was tuned. Also with a quarter of each side left out, and on FEBRL 3. Without the data set, people are invented.

Ours sees 64-bit keyed tags (`matchers.kernel`) of a value, of the value short of any one character, and of its first
and last three and four characters, and knows of two values only whether such tags are equal:

- *Levels* (Winkler 1990): each field agrees exactly, but for one edit (a shared tag short of one character), in a part,
  or not; or one side is missing, which says nothing. Only pairs with two fields that agree are looked at.
- *Weights* (Fellegi and Sunter 1969): how often a level occurs in matches, over how often by chance. Chance is counted
  for each value (Winkler's frequency weights): how many others agree with this record as well or better. The share
  among matches is learnt by expectation and maximisation (Dempster, Laird, Rubin 1977), from no labels.
- *Given name and surname* may have changed places: both readings are added up, with a share that is learnt too.
- *One to one*: no record matches twice, so a pair is judged against every other pair of its records: belief propagation
  on the bipartite graph (Bayati, Shah, Sharma 2008, in its sum-product form), inside each step of the learning.
- *Threshold*: a pair is taken when it is more likely than not, the likeliest pairs first.
"""

import argparse
import csv
import gzip
import hashlib
import hmac
import random
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rapidfuzz import fuzz, process

from matchers.kernel import Kernel

FEBRL = Path(__file__).resolve().parents[1] / ".." / "shared" / "data" / "febrl"
KEY = bytes(range(32))
GIVEN, SURNAME, POSTCODE = FIELDS = ("given_name", "surname", "postcode")
NAME, NUMBER = ("exact", "edit", "part"), ("exact", "edit")
MISSING = -1
FULLEST = 0.99
"""Greatest share of the smaller side that is believed to match before pairs are looked at; 1 would leave no choice."""
CLK_BITS, CLK_HASHES = 1024, 20

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Task:
    """Two lists of people, and which belong together."""

    name: str
    left: Sequence[Mapping[str, str]]
    right: Sequence[Mapping[str, str]]
    truth: Ints
    """Pairs as left × number of right + right, ascending."""

    def column(self, side: Sequence[Mapping[str, str]], field: str) -> list[str]:
        """Return the canonical values of one field."""
        return [re.sub(r"[^0-9a-z]", "", person[field].lower()) for person in side]

    def score(self, taken: Ints) -> tuple[float, float, float]:
        """Return F1, precision and recall of the pairs taken."""
        right = np.isin(taken, self.truth).sum()
        precision, recall = right / max(1, len(taken)), right / len(self.truth)
        return 2 * precision * recall / max(precision + recall, 1e-9), precision, recall


def main() -> None:
    """Link each task in each way, and print a table."""
    parser = argparse.ArgumentParser(description="How well records link by keyed tags of three fields.")
    parser.add_argument("--only-ours", action="store_true", help="leave the others out")
    options = parser.parse_args()
    for number, task in enumerate(tasks()):
        print(f"\n{task.name}: {len(task.left)} x {len(task.right)}, {len(task.truth)} true pairs")
        begun = time.process_time()
        linked = link(task)
        seconds = time.process_time() - begun
        show("keyed tags, learnt without labels", task.score(linked.taken(0.5)), f"{seconds:.1f} s, {linked.told()}")
        best, threshold = best_of(task, linked.pairs, linked.belief)
        show("  with the best threshold for the truth", best, f"threshold {threshold:.2f}")
        if options.only_ours or number:
            continue
        for name, compare in OTHERS.items():
            begun = time.process_time()
            pairs, similarity = compare(task)
            seconds = time.process_time() - begun
            best, threshold = best_of(task, pairs, similarity)
            show(name, best, f"{seconds:.1f} s, best threshold {threshold:.3f}")


def show(name: str, scores: tuple[float, float, float], more: str) -> None:
    """Print one line."""
    print(f"| {name} | {' | '.join(f'{score:.4f}' for score in scores)} | {more} |")


# Tasks


def tasks() -> list[Task]:
    """Return FEBRL 4, FEBRL 4 with a third of each side alone, and FEBRL 3; invented people where they are missing."""
    if not FEBRL.is_dir():
        print("FEBRL is not beside this checkout: invented names with made errors instead; figures do not compare")
        return [invented(5000, 31)]
    left, right = febrl("dataset4a"), febrl("dataset4b")
    whole = task("FEBRL 4", left, right)
    three = febrl("dataset3")
    originals = [person for person in three if person["rec_id"].endswith("-org")]
    copies = [person for person in three if person["rec_id"].endswith("-dup-0")]
    chooser = random.Random(31)
    some, others = chooser.sample(left, 3750), chooser.sample(right, 3750)
    return [whole, task("FEBRL 4, a quarter left out on each side", some, others), task("FEBRL 3", originals, copies)]


def febrl(name: str) -> list[dict[str, str]]:
    """Return the people of one file."""
    with gzip.open(FEBRL / f"{name}.csv.gz", "rt", encoding="ascii") as file:
        return list(csv.DictReader(file, skipinitialspace=True))


def task(name: str, left: Sequence[Mapping[str, str]], right: Sequence[Mapping[str, str]]) -> Task:
    """Return the task of finding who is whom; the number in `rec_id` tells."""
    numbers = {person["rec_id"].split("-")[1]: index for index, person in enumerate(left)}
    owners = [numbers.get(person["rec_id"].split("-")[1]) for person in right]
    pairs = [owner * len(right) + index for index, owner in enumerate(owners) if owner is not None]
    return Task(name, left, right, np.sort(np.array(pairs, np.int64)))


def invented(count: int, seed: int) -> Task:
    """Return invented people and copies of them with up to three errors."""
    chooser = random.Random(seed)
    syllables = [consonant + vowel for consonant in "bcdfghjklmnprstvwz" for vowel in "aeiou"]

    def names(number: int) -> list[str]:
        return ["".join(chooser.choices(syllables, k=chooser.randint(2, 4))) for _ in range(number)]

    given, family = names(400), names(2000)
    rank = [1 / (1 + place) for place in range(2000)]
    left, right = [], []
    for number in range(count):
        person = {
            "rec_id": f"rec-{number}-org",
            GIVEN: chooser.choices(given, rank[:400])[0],
            SURNAME: chooser.choices(family, rank)[0],
            POSTCODE: str(chooser.randint(2000, 3999)),
        }
        left.append(person)
        right.append(spoilt(person, chooser) | {"rec_id": f"rec-{number}-dup-0"})
    chooser.shuffle(right)
    return task("invented people", left, right)


def spoilt(person: Mapping[str, str], chooser: random.Random) -> dict[str, str]:
    """Return the person as somebody in a hurry would write it down."""
    copy = dict(person)
    for _ in range(chooser.randint(0, 3)):
        field = chooser.choice(FIELDS)
        value, place = copy[field], chooser.randrange(max(1, len(copy[field])))
        letter = chooser.choice("0123456789" if field == POSTCODE else "abcdefghijklmnopqrstuvwxyz")
        copy[field] = chooser.choice(
            [value[:place] + letter + value[place + 1 :], value[:place] + value[place + 1 :], value[:place] + letter
             + value[place:], value[:place] + value[place + 1 : place + 2] + value[place : place + 1]
             + value[place + 2 :]]
        )  # fmt: skip
    if chooser.random() < 0.05:
        copy[GIVEN], copy[SURNAME] = copy[SURNAME], copy[GIVEN]
    if chooser.random() < 0.05:
        copy[GIVEN] = ""
    return copy


# Ours


def tags(values: Sequence[str], levels: Sequence[str]) -> dict[str, tuple[Ints, NDArray[np.uint64]]]:
    """Return for each level whose tag it is, and the tag; nothing else of the values is used afterwards."""
    kernel = Kernel(KEY)
    parts: dict[str, list[tuple[int, str]]] = {level: [] for level in levels}
    for index, value in enumerate(values):
        if not value:
            continue
        shorter = {value[:place] + value[place + 1 :] for place in range(len(value))} - {""}
        parts["exact"].append((index, value))
        parts["edit"] += [(index, text) for text in sorted({value, *shorter})]
        if "part" in parts and len(value) >= 4:
            parts["part"] += [(index, text) for k in (3, 4) for text in (f"<{value[:k]}", f"{value[-k:]}>")]
    return {
        level: (np.array([index for index, _ in found]), kernel.tags_of(f"name {level}", [text for _, text in found]))
        for level, found in parts.items()
    }


def equal(left: tuple[Ints, NDArray[np.uint64]], right: tuple[Ints, NDArray[np.uint64]], count: int) -> Ints:
    """Return the pairs that share a tag, ascending, as left × count + right."""
    order = np.argsort(right[1], kind="stable")
    ordered = right[1][order]
    first = np.searchsorted(ordered, left[1], "left")
    number = np.searchsorted(ordered, left[1], "right") - first
    places = np.arange(number.sum()) - np.repeat(np.cumsum(number) - number, number) + np.repeat(first, number)
    return np.unique(np.repeat(left[0], number) * count + right[0][order][places])


class Comparison:
    """How a field of the left agrees with a field of the right, from equal tags alone."""

    def __init__(self, left: Sequence[str], right: Sequence[str], levels: Sequence[str]) -> None:
        """Find all pairs that agree in some way."""
        self.none = len(levels)
        self._count = len(right)
        self._absent = np.array([not value for value in left]), np.array([not value for value in right])
        self.pairs, self._levels = np.zeros(0, np.int64), np.zeros(0, np.int64)
        ours, theirs = tags(left, levels), tags(right, levels)
        for number, level in enumerate(levels):
            found = np.setdiff1d(equal(ours[level], theirs[level], len(right)), self.pairs, assume_unique=True)
            self.pairs = np.append(self.pairs, found)
            self._levels = np.append(self._levels, np.full(len(found), number))
        order = np.argsort(self.pairs)
        self.pairs, self._levels = self.pairs[order], self._levels[order]
        self._chance = (
            self._by_chance(self.pairs // len(right), len(left), self._absent[1]),
            self._by_chance(self.pairs % len(right), len(right), self._absent[0]),
        )

    def _by_chance(self, owner: Ints, size: int, absent: NDArray[np.bool_]) -> Floats:
        """Return for each level and record the share of the other side that agrees so, the pair itself left out."""
        counts = np.zeros((self.none + 1, size))
        np.add.at(counts, (self._levels, owner), 1)
        present = int((~absent).sum())
        counts[self.none] = present - counts.sum(axis=0)
        return (np.maximum(counts - 1, 0) + 0.5) / present

    def absent(self, pairs: Ints) -> NDArray[np.bool_]:
        """Tell for each pair whether one of the two values is missing."""
        either: NDArray[np.bool_] = self._absent[0][pairs // self._count] | self._absent[1][pairs % self._count]
        return either

    def of(self, pairs: Ints) -> tuple[Ints, Floats]:
        """Return the level of each pair, and how likely it is by chance: the mean of both records' shares."""
        place = np.minimum(np.searchsorted(self.pairs, pairs), len(self.pairs) - 1)
        level = np.where(self.pairs[place] == pairs, self._levels[place], self.none)
        chance = (self._chance[0][level, pairs // self._count] + self._chance[1][level, pairs % self._count]) / 2
        return np.where(self.absent(pairs), MISSING, level), chance


@dataclass(frozen=True)
class Linked:
    """Pairs with how likely each is a match, given all others."""

    pairs: Ints
    belief: Floats
    count: int
    everything: int

    def taken(self, threshold: float) -> Ints:
        """Return the pairs taken, the likeliest first, no record twice."""
        return one_to_one(self.pairs, self.belief, self.count, threshold)

    def told(self) -> str:
        """Return what was looked at and how many matches are expected."""
        share = 100 * len(self.pairs) / self.everything
        return f"{share:.2f} % of pairs looked at, {self.belief.sum():.0f} matches expected"


def link(job: Task) -> Linked:
    """Return the linkage by tags alone."""
    left, right = ({field: job.column(side, field) for field in FIELDS} for side in (job.left, job.right))
    compared = {
        (one, other): Comparison(left[one], right[other], NUMBER if one == POSTCODE else NAME)
        for one, other in ((GIVEN, GIVEN), (SURNAME, SURNAME), (POSTCODE, POSTCODE), (GIVEN, SURNAME), (SURNAME, GIVEN))
    }
    pairs = candidates(compared)
    belief = learn({fields: each.of(pairs) for fields, each in compared.items()}, pairs, len(job.left), len(job.right))
    return Linked(pairs, belief, len(job.right), len(job.left) * len(job.right))


def candidates(compared: Mapping[tuple[str, str], Comparison]) -> Ints:
    """Return the pairs with two fields that agree, or a name that agrees where the other is missing."""
    straight, crossed = [(GIVEN, GIVEN), (SURNAME, SURNAME)], [(GIVEN, SURNAME), (SURNAME, GIVEN)]
    postcode = compared[POSTCODE, POSTCODE].pairs
    found = []
    for one, other in (straight, crossed):
        found += [np.intersect1d(compared[fields].pairs, postcode, assume_unique=True) for fields in (one, other)]
        found.append(np.intersect1d(compared[one].pairs, compared[other].pairs, assume_unique=True))
    for fields, other in (straight, straight[::-1]):
        found.append(compared[fields].pairs[compared[other].absent(compared[fields].pairs)])
    return np.unique(np.concatenate(found))


def learn(seen: Mapping[tuple[str, str], tuple[Ints, Floats]], pairs: Ints, left: int, right: int) -> Floats:
    """Return how likely each pair is a match; shares of levels, swaps and matches are learnt in forty steps."""
    share = {
        GIVEN: np.array([0.7, 0.15, 0.05, 0.1]), SURNAME: np.array([0.7, 0.15, 0.05, 0.1]),
        POSTCODE: np.array([0.8, 0.15, 0.05])
    }  # fmt: skip
    swapped, matches = 0.05, 0.5 * min(left, right)
    belief = np.zeros(len(pairs))
    owners = pairs // right, pairs % right
    messages = np.ones(len(pairs)), np.ones(len(pairs))
    for _ in range(40):
        odds = {  # of each comparison, for a match over chance
            (one, other): np.where(level == MISSING, 1.0, share[one][level] / chance)
            for (one, other), (level, chance) in seen.items()
        }
        straight = (1 - swapped) * odds[GIVEN, GIVEN] * odds[SURNAME, SURNAME] * odds[POSTCODE, POSTCODE]
        crossed = swapped * odds[GIVEN, SURNAME] * odds[SURNAME, GIVEN] * odds[POSTCODE, POSTCODE]
        matches = min(matches, FULLEST * min(left, right))
        prior = matches / ((left - matches) * (right - matches))
        belief, messages = one_match_each(prior * (straight + crossed), owners, (left, right), messages)
        turned = crossed / (straight + crossed)
        for field in FIELDS:
            total = np.full(len(share[field]), 0.5)
            for (one, other), (level, _) in seen.items():
                if one == field:
                    weight = belief if field == POSTCODE else belief * (1 - turned if one == other else turned)
                    total += np.bincount(level[level >= 0], weight[level >= 0], len(total))
            share[field] = total / total.sum()
        matches, swapped = belief.sum(), (belief * turned).sum() / belief.sum()
    return belief


def one_match_each(
    odds: Floats, owners: tuple[Ints, Ints], sizes: tuple[int, int], messages: tuple[Floats, Floats]
) -> tuple[Floats, tuple[Floats, Floats]]:
    """Return how likely each pair is when no record may have two, and the messages to go on from.

    A record tells each of its pairs how free it is of its others: 1 ÷ (1 + their odds, each as free as its other end).
    """
    one, other = messages
    for _ in range(6):
        reached = odds * other
        one = 1 / (1 + np.maximum(np.bincount(owners[0], reached, sizes[0])[owners[0]] - reached, 0))
        reached = odds * one
        other = 1 / (1 + np.maximum(np.bincount(owners[1], reached, sizes[1])[owners[1]] - reached, 0))
    given = odds * one * other
    return given / (1 + given), (one, other)


# Others


def one_to_one(pairs: Ints, scores: Floats, count: int, threshold: float) -> Ints:
    """Return the pairs with at least this score, best first, no record twice."""
    order = np.argsort(-scores, kind="stable")
    order = order[scores[order] >= threshold]
    left, right, taken = set[int](), set[int](), []
    for pair in pairs[order].tolist():
        one, other = divmod(pair, count)
        if one not in left and other not in right:
            left.add(one)
            right.add(other)
            taken.append(pair)
    return np.array(taken, np.int64)


def best_of(job: Task, pairs: Ints, scores: Floats) -> tuple[tuple[float, float, float], float]:
    """Return the best score over all thresholds, told the truth, and the threshold; one to one."""
    taken = one_to_one(pairs, scores, len(job.right), -np.inf)
    reached = scores[np.searchsorted(pairs, taken)]
    ends = np.append(np.flatnonzero(np.diff(reached)), len(reached) - 1)  # equal scores are taken together
    right = np.cumsum(np.isin(taken, job.truth))
    end = ends[np.argmax(2 * right[ends] / (ends + 1 + len(job.truth)))]
    return job.score(taken[: end + 1]), float(reached[end])


def by_exact_tags(job: Task) -> tuple[Ints, Floats]:
    """Compare hashed values: how many of the three are equal, at least two."""
    count = np.zeros(len(job.left) * len(job.right), np.uint8)
    for field in FIELDS:
        left, right = (tags(job.column(side, field), ("exact", "edit"))["exact"] for side in (job.left, job.right))
        count[equal(left, right, len(job.right))] += 1
    pairs = np.flatnonzero(count >= 2)
    return pairs, count[pairs].astype(np.float64)


def by_rapidfuzz(job: Task) -> tuple[Ints, Floats]:
    """Compare the plaintext: the mean of the three fields' `fuzz.ratio`."""
    total = np.zeros((len(job.left), len(job.right)), np.float32)
    for field in FIELDS:
        total += process.cdist(job.column(job.left, field), job.column(job.right, field), scorer=fuzz.ratio) / 3
    return above(total, 40.0)


def by_rapidfuzz_of_the_whole(job: Task) -> tuple[Ints, Floats]:
    """Compare the plaintext: `fuzz.token_sort_ratio` of the three fields in one line, so that swaps cost nothing."""
    left, right = (
        [" ".join(values) for values in zip(*(job.column(side, field) for field in FIELDS), strict=True)]
        for side in (job.left, job.right)
    )
    return above(process.cdist(left, right, scorer=fuzz.token_sort_ratio, dtype=np.float32), 40.0)


def by_clk(job: Task) -> tuple[Ints, Floats]:
    """Compare cryptographic long-term keys (Schnell, Bachteler, Reiher 2011) as clkhash makes them, by their Dice.

    Padded bigrams of the names, single positions of the postcode, twenty bits each of 1,024 by double hashing.
    """
    left, right = (clks(job, side) for side in (job.left, job.right))
    both = left @ right.T
    return above(2 * both / (left.sum(axis=1)[:, None] + right.sum(axis=1)[None, :]), 0.4)


def clks(job: Task, side: Sequence[Mapping[str, str]]) -> NDArray[np.float32]:
    """Return a row of bits for each person."""
    rows = np.zeros((len(side), CLK_BITS), np.float32)
    for field in FIELDS:
        for row, value in zip(rows, job.column(side, field), strict=True):
            for gram in grams(value, positional=field == POSTCODE):
                digest = hmac.digest(KEY + field.encode(), gram.encode(), hashlib.sha256)
                first, step = int.from_bytes(digest[:8], "big"), int.from_bytes(digest[8:16], "big")
                row[[(first + turn * step) % CLK_BITS for turn in range(CLK_HASHES)]] = 1
    return rows


def grams(value: str, *, positional: bool) -> list[str]:
    """Return bigrams with a blank at both ends, or each character with its place."""
    if positional:
        return [f"{place} {letter}" for place, letter in enumerate(value)]
    padded = f" {value} " if value else ""
    return [padded[place : place + 2] for place in range(len(padded) - 1)]


def above(similarity: NDArray[np.float32], least: float) -> tuple[Ints, Floats]:
    """Return the pairs with at least this similarity."""
    flat = similarity.ravel()
    pairs = np.flatnonzero(flat >= least)
    return pairs, flat[pairs].astype(np.float64)


OTHERS: Mapping[str, Callable[[Task], tuple[Ints, Floats]]] = {
    "plaintext, rapidfuzz ratio": by_rapidfuzz,
    "plaintext, rapidfuzz token_sort_ratio": by_rapidfuzz_of_the_whole,
    "CLK, 1,024 bits, Dice": by_clk,
    "exact keyed tags, two or three equal": by_exact_tags,
}


if __name__ == "__main__":
    main()
