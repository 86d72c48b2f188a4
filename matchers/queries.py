"""What of records stands in a query, before it is sent: stricter than what makes an alert.

A query is refused for every enrolled term that stands in it, however little it weighs: an identifier, a conjunction, a
public figure's name, an excerpt. A name by itself has no posting, by design; but whoever holds the key can ask whether
any record joins the name with one of all birth dates, last digits of telephones, or last characters of numbers there
can be. That is done here, for one name at a time. It is no wider a door than the key itself is (docs/fingerprints.md).

Not seen: the name of a record that has no birth date, telephone, identity or long record number; a name in pinyin,
by nickname, masked or of one word; a name of two characters inside a longer run of Han.
"""

import re
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from functools import cache
from typing import Final

import numpy as np

from matchers.canonical import canonical
from matchers.engine import Engine
from matchers.interface import Evaluator, PostingStore, TagFilter
from matchers.kernel import Kernel
from matchers.kinds.person_name import COMPOUND, SURNAMES
from matchers.postings import walk
from model.page import Passage

SHORTEST_NUMBER: Final = 6
"""Units of a number below which it is no identifier: ports, limits and page sizes are as long."""
FIRST_YEAR: Final = 1900
FARTHEST: Final = 3
"""Words between which given and family name may stand, with particles or middle names."""
MOST_NAMES: Final = 5_000
"""Names tried in one query; a longer one is no query."""
_HAN: Final = "\u3400-\u4dbf\u4e00-\u9fff"


class QueryVetter:
    """Looks for one epoch's records in the words of queries. Holds the evaluator and the kernel, hence the key."""

    def __init__(
        self, engine: Engine, evaluator: Evaluator, kernel: Kernel, members: TagFilter, store: PostingStore
    ) -> None:
        """Take the parts that the engine was made of."""
        self._engine = engine
        self._evaluator = evaluator
        self._kernel = kernel
        self._members = members
        self._store = store

    def names_a_record(self, text: str, own_words: str = "") -> bool:
        """Tell whether an enrolled term or name stands in the text.

        Names that are part of `own_words` (what the operator calls himself) are not looked for by themselves: a
        hospital may be named after somebody.
        """
        if any(self._counts(hit.field, hit.end - hit.start) for hit in self._engine.hits([Passage(text, "query")])):
            return True
        own = canonical(own_words)
        names = [name for name in dict.fromkeys(names_in(text)) if not (own and _stands_in(name, own))]
        return any(self._is_enrolled(name) for name in names[:MOST_NAMES])

    @staticmethod
    def _counts(field: str, length: int) -> bool:
        if field == "keyword_head":
            return False  # the whole phrase has a posting of its own
        return field != "number" or length >= SHORTEST_NUMBER

    def _is_enrolled(self, name: str) -> bool:
        """Tell whether a record joins the name with anything that there can be beside it."""
        tag, block = self._kernel.tags_of("name", [name]), self._kernel.blocks_of("name", [name])[0].tobytes()
        for field, values in beside().items():
            tags = self._kernel.combine("pair", np.repeat(tag, len(values)), self._kernel.tags_of(field, values))
            alive = [values[at] for at in self._members.survivors(tags).tolist()]
            if alive:
                pairs = [block + half.tobytes() for half in self._kernel.blocks_of(field, alive)]
                if any(walk(self._store, self._evaluator.evaluate(f"name+{field}", pairs), 1)):
                    return True
        return False


@cache
def beside() -> dict[str, Sequence[str]]:
    """Return the right fields of conjunctions whose values can be told one by one, with all of these."""
    days = (date.today() - date(FIRST_YEAR, 1, 1)).days + 1  # noqa: DTZ011  a birth date has no zone
    return {
        "birth_date": [f"{date(FIRST_YEAR, 1, 1) + timedelta(day):%Y%m%d}" for day in range(days)],
        "phone_tail": [f"{number:04}" for number in range(10_000)],
        "id_tail": [*(f"{number:04}" for number in range(10_000)), *(f"{number:03}x" for number in range(1_000))],
        "number_tail": [f"{number:05}" for number in range(100_000)],
    }


def names_in(text: str) -> Iterator[str]:
    """Yield everything in a query that may be a person's whole name, in canonical form."""
    folded = canonical(text)
    for run in re.findall(rf"[{_HAN}]+", folded):
        yield from _han_names(run)
    for spaced in re.findall(rf"[{_HAN}](?:[\s·.][{_HAN}]{{1,2}})+", folded):
        yield from _han_names(re.sub(r"[\s·.]", "", spaced))
    words = [word.replace("'", "").replace("-", "") for word in re.findall(r"[^\W\d_]+(?:['-][^\W\d_]+)*", folded)]
    words = [word if len(word) > 1 and word[0] < "\u3400" else "" for word in words]
    for first, one in enumerate(words):
        for other in words[first + 1 : first + 1 + FARTHEST]:
            if one and other:
                yield " ".join(sorted((one, other)))


def _han_names(run: str) -> Iterator[str]:
    """Yield a run of two to four characters, and what is three or four long and begins with a family name."""
    if 2 <= len(run) <= 4:
        yield run
    for size in (3, 4):
        for first in range(len(run) - size + 1):
            name = run[first : first + size]
            if name[0] in SURNAMES or name[:2] in COMPOUND:
                yield name


def _stands_in(name: str, own: str) -> bool:
    return all(part in own for part in name.split(" "))
