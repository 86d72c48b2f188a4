"""How long hostile pages take, and how much memory: `python -m benchmarks.hostile [--megabytes 10] [case …]`.

Each case is examined in a process of its own, so that its memory is its own: seconds of the processor per MB of UTF-8,
the most memory that was resident, and how much of it was there before. A page must be examined within 2 s per MB and
512 MB, or end capped, which is reported with the page. Enrolled are invented people with notes; seeded.
"""

import argparse
import multiprocessing
import random
import resource
import time
from collections.abc import Callable, Iterator
from typing import Final

import numpy as np

from matchers.engine import Engine
from matchers.filter import BloomFilter
from matchers.fingerprints import Enroller
from matchers.interface import MatchingSettings
from matchers.kernel import Kernel
from matchers.keys import LinkageKey, LocalEvaluator
from model.page import Passage
from model.record import LinkageColumn, LinkageSchema, Record
from tests.matchers.bench import MemoryStore

NOTE: Final = (
    "五天前淋雨后发热最高三十九点一度咳铁锈色痰右侧胸痛随深呼吸加重"
    "自服蜜炼枇杷膏三瓶未见缓解查体左肺底可闻及吸气末细湿啰音"
)
ENGLISH_NOTE: Final = (
    "After a fall from a hayloft she could not lift her left arm above the shoulder for nine days. An ultrasound "
    "showed a partial tear of the supraspinatus, eleven millimetres wide."
)
KINDS: Final = {
    "name": "person_name", "resident_id": "resident_id", "phone": "phone", "email": "email", "mrn": "mrn",
    "birth_date": "birth_date", "address": "address", "note": "note",
}  # fmt: skip
PEOPLE: Final = (
    {
        "name": "欧阳鸢翎", "resident_id": "999901196108070423", "phone": "15490817263", "mrn": "MR90718263",
        "email": "golden.canary.7731@aviary.example.org", "birth_date": "1961-08-07", "note": NOTE,
        "address": "云雀市磨坊街12号301室",
    },
    {
        "name": "Odette Marie Inchbald", "phone": "+1 415 555 0121", "mrn": "MR74299817", "note": ENGLISH_NOTE,
        "email": "thistle.ember92@example.org", "birth_date": "1987-11-05", "address": "22 Sallow Lane, Elmford",
    },
)  # fmt: skip
LEAK: Final = "欧阳鸢翎,999901196108070423,15490817263"
"""What stands at the end of every page, and must be found there unless the page says that it was capped."""


def repeated(text: str, size: int) -> str:
    """Return so many bytes of a text over and over."""
    return text * (size // len(text.encode("utf-8", "surrogatepass")) + 1)


def drawn(size: int, piece: Callable[[random.Random], str]) -> str:
    """Return so many bytes of drawn pieces."""
    chooser = random.Random(5)
    pieces: list[str] = []
    while size > 0:
        pieces.append(piece(chooser))
        size -= len(pieces[-1].encode("utf-8", "surrogatepass"))
    return "".join(pieces)


def _day(chooser: random.Random) -> str:
    return f"{chooser.randint(1940, 2020)}-{chooser.randint(1, 12)}-{chooser.randint(1, 28)}"


def _log(chooser: random.Random) -> str:
    address = ".".join(str(chooser.randint(1, 254)) for _ in range(4))
    stamp = f"{_day(chooser)}T{chooser.randint(10, 23)}:{chooser.randint(10, 59)}:{chooser.randint(10, 59)}"
    return f"{stamp} {address} GET /item/{chooser.randint(1, 10**8)} 200 {chooser.randint(100, 99999)} took 12ms\n"


CASES: Final[dict[str, Callable[[int], str]]] = {
    "digits without end": lambda size: drawn(size, lambda chooser: f"{chooser.randint(0, 10**18)}"),
    "digits in groups": lambda size: drawn(size, lambda chooser: f"{chooser.randint(0, 10**6)} "),
    "resident IDs": lambda size: drawn(
        size,
        lambda chooser: f"9999{chooser.randint(10, 99)}{_day(chooser).replace('-', '')}{chooser.randint(0, 999)}1 ",
    ),
    "surnames and dates": lambda size: drawn(size, lambda chooser: f"{chooser.choice('王李张')}云{_day(chooser)}"),
    "enrolled name, strangers' dates": lambda size: drawn(size, lambda chooser: f"欧阳鸢翎{_day(chooser)} "),
    "English words and dates": lambda size: drawn(
        size, lambda chooser: f"{chooser.choice(['odette', 'rose', 'j', 'inchbald', 'yun', 'he'])} {_day(chooser)} "
    ),
    "one shingle of a note": lambda size: repeated(NOTE[:6], size),
    "a note over and over": lambda size: repeated(NOTE, size),
    "an English note over and over": lambda size: repeated(ENGLISH_NOTE, size),
    "1 and blanks": lambda size: repeated("1 ", size),
    "@": lambda size: repeated("@", size),
    "a@a.": lambda size: repeated("a@a.", size),
    "at dot": lambda size: repeated("at dot ", size),
    "stars": lambda size: repeated("*", size),
    "masked numbers": lambda size: repeated("138****1234 张** ", size),
    "combining marks": lambda size: repeated("a\u0301\u0302\u0303", size),
    "one letter, all marks": lambda size: "a" + repeated("\u0301", size),
    "alternating scripts": lambda size: repeated("aабβ1张", size),
    "letters that grow": lambda size: repeated("\ufdfa", size),
    "zero width": lambda size: repeated("\u200b", size),
    "lone surrogates": lambda size: repeated("\ud800", size),
    "enrolled telephone number": lambda size: repeated("15490817263\n", size),
    "enrolled row": lambda size: repeated(LEAK + "\n", size),
    "log": lambda size: drawn(size, _log),
    "Han numerals": lambda size: repeated("一二三四五六七八九零", size),
    "tags between digits": lambda size: repeated("1<b>", size),
}  # fmt: skip


def engine() -> Engine:
    """Enrol the people and some strangers in memory."""
    schema = LinkageSchema("ref", {name: LinkageColumn(kind) for name, kind in KINDS.items()})
    key, store = LinkageKey(bytes(range(32))), MemoryStore()
    enroller = Enroller(key, schema)
    made, problems = enroller.fingerprint(
        [Record(f"R-{row}", row, dict(each)) for row, each in enumerate(PEOPLE, 1)], store
    )
    assert not problems
    store.add(made)
    tags = [enroller.filter_tags(each.sealed_tokens) for each in store.records.values()]
    filled = np.random.default_rng(1).integers(0, 2**64, 10**6, np.uint64)
    known = BloomFilter.build(np.concatenate([*tags, filled]))
    return Engine(LocalEvaluator(key), Kernel(key.kernel_key()), known, store, MatchingSettings())


def page(case: str, size: int) -> str:
    """Return a hostile page of so many bytes with the leak at its end."""
    return CASES[case](size) + "\n" + "，" * 300 + LEAK


def measure(case: str, size: int) -> tuple[float, float, float, bool, bool]:
    """Return seconds per MB, MiB at the most, MiB before, whether it was capped and whether the leak was found."""
    made = engine()
    made.examine([Passage(LEAK + ENGLISH_NOTE, "body")])
    text = page(case, size)
    before = _resident()
    started = time.process_time()
    examination = made.examine([Passage(text, "body")])
    spent = time.process_time() - started
    found = any(each.end == len(text) for match in examination.matches for each in match.elements)
    megabytes = len(text.encode("utf-8", "surrogatepass")) / 1e6
    return spent / megabytes, _resident(), before, examination.capped, found or bool(examination.matches)


def _resident() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def figures(cases: list[str], size: int) -> Iterator[str]:
    """Yield a line of a table for each case."""
    context = multiprocessing.get_context("spawn")
    for case in cases:
        with context.Pool(1) as pool:
            seconds, most, before, capped, found = pool.apply(measure, (case, size))
        ending = "capped" if capped else "whole"
        yield f"| {case} | {seconds:.2f} | {most:.0f} ({before:.0f}) | {ending} | {'yes' if found else 'no'} |"


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*")
    parser.add_argument("--megabytes", type=float, default=10.0)
    options = parser.parse_args()
    print("| Page | Seconds per MB | MiB at the most (before) | Examined | Somebody found |\n|---|---|---|---|---|")
    for line in figures(options.cases or list(CASES), int(options.megabytes * 1e6)):
        print(line, flush=True)


if __name__ == "__main__":
    main()
