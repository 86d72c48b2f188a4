"""How fast the kernel folds, tags and looks up, beside the plain way, in one run: `python -m benchmarks.kernel`.

Processor seconds of one core, best of interleaved rounds, so that a busy machine disturbs both sides alike. Read the
ratios; the absolute figures belong to the machine. Text: the development bench when it lies beside the checkout,
otherwise invented sentences. Seeded; under three minutes.
"""

import argparse
import gzip
import hashlib
import hmac
import json
import random
import re
import time
import unicodedata
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from matchers import foldtables
from matchers.canonical import LINEBREAK, SEPARATOR, canonical, fold, fold_many, without
from matchers.characters import simplified
from matchers.filter import BloomFilter
from matchers.kernel import Kernel
from matchers.passages import compact

FEED = Path(__file__).resolve().parents[1] / ".." / "shared" / "data" / "bench_dev" / "feed.jsonl.gz"
KEY = bytes(range(32))
PIECES = (
    "患者三日前无明显诱因出现发热，最高体温38.9℃，", "伴咳嗽、咳痰；", "既往高血压病史10年。", "电话：138 0013 8000\n",
    "the patient was seen in clinic on 2023-11-20, ", "chart number 00-4471-92; ", "no known allergies. ",
    "謝謝大家😀\n",
)  # fmt: skip

Figure = tuple[str, float, str]


def main() -> None:
    """Measure and print a table of name, figure and unit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--characters", type=int, default=4_000_000, help="length of the text")
    parser.add_argument("--rounds", type=int, default=5, help="interleaved rounds")
    options = parser.parse_args()
    source, texts = corpus(options.characters)
    print(f"text: {source}, {len(texts)} posts, {sum(map(len, texts)):,} characters; {options.rounds} rounds")
    figures = [
        *start_up(),
        *folding(texts, options.rounds),
        *tagging(texts, options.rounds),
        *shingling(texts, options.rounds),
        *looking_up(options.rounds),
    ]
    for name, value, unit in figures:
        print(f"| {name} | {value:.3g} | {unit} |")


def corpus(characters: int) -> tuple[str, list[str]]:
    """Return where the text is from and posts of so many characters, shuffled by a fixed seed."""
    chooser = random.Random(20)
    if FEED.exists():
        with gzip.open(FEED, "rt", encoding="utf-8") as lines:
            posts = [str(json.loads(line)["text"]) for line in lines]
        source = "development bench"
    else:
        posts = ["".join(chooser.choices(PIECES, k=chooser.randint(3, 60))) for _ in range(4000)]
        source = "invented sentences"
    texts: list[str] = []
    while characters > 0:
        texts.append(chooser.choice(posts))
        characters -= len(texts[-1])
    return source, texts


def nanoseconds(ways: dict[str, tuple[Callable[[], object], int]], rounds: int) -> list[Figure]:
    """Return processor nanoseconds per item of each way; each is called once per round, in turn."""
    best = dict.fromkeys(ways, float("inf"))
    for _ in range(rounds):
        for name, (call, items) in ways.items():
            begun = time.process_time()
            call()
            best[name] = min(best[name], (time.process_time() - begun) / items * 1e9)
    return [(name, value, "ns") for name, value in best.items()]


def ratio(name: str, figures: Sequence[Figure], slow: str, fast: str) -> Figure:
    """Return how many times faster one way was than another."""
    values = {figure: value for figure, value, _ in figures}
    return name, values[slow] / values[fast], "x"


def start_up() -> list[Figure]:
    """Return what building the tables costs a process once."""
    steps: list[tuple[str, Callable[[], object]]] = [
        ("tables: traditional to simplified", simplified),
        ("tables: every character", foldtables.table),
        ("compiled pass: from its cache, or compiled anew", lambda: fold("a")),
    ]
    figures = []
    for name, build in steps:
        begun = time.process_time()
        build()
        figures.append((name, (time.process_time() - begun) * 1e3, "ms"))
    return figures


def folding(texts: Sequence[str], rounds: int) -> list[Figure]:
    """Return fold against the classic chain, per character, on posts of all kinds and on those in Chinese."""
    invisible = re.compile("[\u200b-\u200f\u202a-\u202e\u2060\ufeff\u00ad]")
    table = str.maketrans(simplified())

    def chain(some: Sequence[str]) -> None:
        for text in some:
            lower = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
            invisible.sub("", lower).translate(table)

    def one_by_one(values: Sequence[str]) -> None:
        for value in values:
            canonical(value)

    def batches(some: Sequence[str]) -> None:
        for first in range(0, len(some), 64):
            fold_many(some[first : first + 64])

    chinese = [text for text in texts if sum(c > "\u2e80" for c in text[:200]) * 2 > len(text[:200])]
    lengths = {"": sum(map(len, texts)), ", Chinese": sum(map(len, chinese))}
    figures: list[Figure] = []
    for label, some in (("", texts), (", Chinese", chinese)):
        ways: dict[str, tuple[Callable[[], object], int]] = {
            f"classic chain{label}, per character": (partial(chain, some), lengths[label]),
            f"fold_many of 64 posts each{label}, per character": (partial(batches, some), lengths[label]),
        }
        if not label:
            long = "\n".join(some)
            ways["fold of each post, per character"] = (lambda: [fold(text) for text in texts], lengths[""])
            ways["fold of one long text, per character"] = (partial(fold, long), len(long))
            whole, _ = fold_many(texts)
            ways["without separators, per unit"] = (partial(without, whole, SEPARATOR | LINEBREAK), len(whole))
            values = [text[:10] for text in texts]
            ways["canonical of 10 characters, per value"] = (partial(one_by_one, values), len(values))
        measured = nanoseconds(ways, rounds)
        slow, fast = f"classic chain{label}, per character", f"fold_many of 64 posts each{label}, per character"
        figures += [*measured, ratio(f"fold_many against the chain{label}", measured, slow, fast)]
    return figures


def tagging(texts: Sequence[str], rounds: int) -> list[Figure]:
    """Return tags of windows of digits and Latin letters against loops of keyed hashes."""
    kernel = Kernel(KEY)
    generator = np.random.default_rng(21)
    digits = generator.integers(48, 58, 1_000_000).astype(np.uint16)
    every = np.arange(len(digits) - 40)
    sizes = generator.integers(8, 17, len(every))
    some = np.sort(generator.choice(every, len(every) // 10, replace=False))
    page, _ = fold_many(texts)
    starts = np.flatnonzero(page.classes[:-8])
    han, latin = (
        compact(fold_many([t for t in texts if (sum(c > "\u2e80" for c in t) * 2 > len(t)) is chinese])[0])
        for chinese in (True, False)
    )
    every_han, every_latin = np.arange(len(han) - 7), np.arange(len(latin) - 15)
    encryptor, blocks = Cipher(algorithms.AES(bytes(16)), modes.ECB()).encryptor(), bytes(1 << 17)  # noqa: S305
    room = bytearray(len(blocks) + 16)
    text = digits.astype(np.uint8).tobytes()
    few = range(100_000)

    def blake() -> None:
        for start in few:
            hashlib.blake2b(text[start : start + 16], digest_size=8, key=KEY).digest()

    def mac() -> None:
        for start in few:
            hmac.digest(KEY, text[start : start + 16], "sha256")

    ways: dict[str, tuple[Callable[[], object], int]] = {
        "tags, 16 digits at every index": (lambda: kernel.tags("f", digits, every, 16), len(every)),
        "tags, 8 to 16 digits at every index": (lambda: kernel.tags("f", digits, every, sizes), len(every)),
        "tags, 11 digits at a tenth of the indices": (lambda: kernel.tags("f", digits, some, 11), len(some)),
        "tags, 18 digits at a tenth of the indices": (lambda: kernel.tags("f", digits, some, 18), len(some)),
        "tags, 8 units of mixed pages at every index": (lambda: kernel.tags("f", page.units, starts, 8), len(starts)),
        "shingles of a page, 8 Han at every index": (
            partial(kernel.tags, "f", han.units, every_han, 8),
            len(every_han),
        ),
        "shingles of a page, 16 Latin at every index": (
            partial(kernel.tags, "f", latin.units, every_latin, 16),
            len(every_latin),
        ),
        "AES of the blocks alone, per block": (lambda: encryptor.update_into(blocks, room), len(blocks) // 16),
        "keyed blake2b, loop": (blake, len(few)),
        "HMAC-SHA256, loop": (mac, len(few)),
    }
    measured = nanoseconds(ways, rounds)
    dense = "tags, 16 digits at every index"
    return [
        *measured,
        ratio("tags against keyed blake2b", measured, "keyed blake2b, loop", dense),
        ratio("tags against HMAC-SHA256", measured, "HMAC-SHA256, loop", dense),
    ]


def shingling(texts: Sequence[str], rounds: int) -> list[Figure]:
    """Return winnowed shingles per unit of text, and how many are kept per 1,000 units."""
    kernel = Kernel(KEY)
    folded, _ = fold_many(texts)
    stream = without(folded, SEPARATOR | LINEBREAK)
    kept, _ = kernel.shingles("f", stream.units, 12, 9)
    ways: dict[str, tuple[Callable[[], object], int]] = {
        f"shingles of {k} units, w = {w}, per unit": (
            partial(kernel.shingles, "f", stream.units, k, w), len(stream)
        )
        for k, w in ((8, 8), (12, 9), (24, 9))
    }  # fmt: skip
    return [*nanoseconds(ways, rounds), ("shingles kept, k = 12, w = 9", 1000 * len(kept) / len(stream), "per 1,000")]


def looking_up(rounds: int) -> list[Figure]:
    """Return look-ups of random tags, the share that passes wrongly, and bytes per tag, at three sizes."""
    generator = np.random.default_rng(22)
    queries = generator.integers(0, 2**64, 2_000_000, dtype=np.uint64)
    filters = {n: BloomFilter.build(generator.integers(0, 2**64, n, dtype=np.uint64)) for n in (10**5, 10**6, 10**7)}
    ways: dict[str, tuple[Callable[[], object], int]] = {
        f"look-up among {n:,} tags": (partial(filters[n].survivors, queries), len(queries)) for n in filters
    }
    few = queries[:200_000].tolist()
    plain = set(generator.integers(0, 2**64, 10**6, dtype=np.uint64).tolist())
    ways["look-up in a Python set of 1,000,000"] = (lambda: [tag in plain for tag in few], len(few))
    figures = nanoseconds(ways, rounds)
    for n, members in filters.items():
        wrong = len(members.survivors(queries)) / len(queries)
        figures.append((f"strangers that pass among {n:,}", 100 * wrong, "%"))
        figures.append((f"bytes per tag among {n:,}", members.words.nbytes / n, "bytes"))
    return figures


if __name__ == "__main__":
    main()
