"""How well excerpts of notes are found, and how seldom other text is taken for one: `python -m benchmarks.passages`.

One half of the notes of the development bench is enrolled (halves by a hash of the record's number; `--half`). Excerpts
are cut from enrolled notes at random places, verbatim and edited (Han by characters, Latin by words: six of ten edits
replace, two insert, two drop), and posted between two pieces of ordinary talk (three of five) or alone. Left out of the
recall: excerpts of which a third stands in three or more notes as well; that is boilerplate. Not to be found: the
notes of the other half, which often quote the same public answer or hospital template as an enrolled one; the
bench's hard items (medical questions of other people, EMR of other patients, templates, rows of others); its ordinary
items. Only the note column is enrolled: no other value can help or disturb. Constants were set on half 0, so read
half 1. Without the bench: invented sentences, which say little about accuracy. Seeded; about three minutes.
"""

import argparse
import csv
import gzip
import hashlib
import io
import json
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from matchers.canonical import canonical
from model.match import Verdict
from model.page import Passage
from model.record import LinkageColumn, LinkageSchema, Record
from tests.matchers.bench import Bench

DATA = Path(__file__).resolve().parents[1] / ".." / "shared" / "data" / "bench_dev"
BATCH = 64
HAN_CUTS = ((20, 0.0), (40, 0.0), (80, 0.0), (160, 0.0), (100, 0.05), (100, 0.1), (100, 0.2), (40, 0.1), (80, 0.1))
LATIN_CUTS = ((80, 0.0), (160, 0.0), (320, 0.0), (100, 0.05), (100, 0.1), (100, 0.2))
TALK = {"zh_weibo", "zh_comment", "zh_review", "zh_news_persons", "zh_wiki", "en_tweet", "en_reddit"}
TEXT_KINDS = ("excerpt_", "paraphrase_", "asr_noise", "embedded_long", "verbatim_post")


@dataclass(frozen=True)
class Material:
    """What is enrolled and what is posted."""

    source: str
    enrolled: dict[str, str]
    """Reference → note."""
    others: list[str]
    """Notes of people who are not enrolled."""
    clean: list[tuple[str, str]]
    """Kind and text of pages without an enrolled person."""
    leaks: list[tuple[str, str, frozenset[str]]]
    """Kind, text and references of the bench's own leaks."""


@dataclass(frozen=True)
class Cut:
    """One posted excerpt."""

    name: str
    ref: str
    page: str


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the development bench")
    parser.add_argument("--half", type=int, choices=(0, 1, 2), default=1, help="which half is enrolled; 2: all")
    parser.add_argument("--seed", type=int, default=1, help="seed of the cuts")
    parser.add_argument("--share", type=float, default=0.35, help="share of the notes from which each cut is taken")
    options = parser.parse_args()
    chooser = random.Random(options.seed)
    material = shared(options.data, options.half) if options.data.exists() else invented(chooser)
    print(f"{material.source}: {len(material.enrolled)} notes enrolled, half {options.half}, seed {options.seed}")
    schema = LinkageSchema("ref", {"note": LinkageColumn("note")})
    rows = [Record(ref, row, {"note": note}) for row, (ref, note) in enumerate(material.enrolled.items(), 1)]
    bench = Bench.enrol(schema, rows)
    verdicts = examiner(bench)
    print("| excerpt | cases | suspicious or leak | leak |\n|---|---|---|---|")
    recall(verdicts, list(cuts(material, chooser, options.share)))
    owned = [(kind, text, refs & material.enrolled.keys()) for kind, text, refs in material.leaks]
    recall(verdicts, [Cut(kind, ref, text) for kind, text, refs in owned for ref in sorted(refs)[:1]])
    print("| other text | pages | false alerts | per 1,000 |\n|---|---|---|---|")
    alarms(verdicts, [("notes of others", text) for text in material.others], material.clean)


Examiner = Callable[[Sequence[str]], list[dict[str, Verdict]]]


def examiner(bench: Bench) -> Examiner:
    """Return what gives the verdicts, by reference, for each text."""
    engine = bench.engine()

    def verdicts(texts: Sequence[str]) -> list[dict[str, Verdict]]:
        answers = []
        for first in range(0, len(texts), BATCH):
            for page in engine.examine_many([[Passage(text, "body")] for text in texts[first : first + BATCH]]):
                answers += [{bench.ref(match.handle): match.verdict for match in page.matches}]
        return answers

    return verdicts


def recall(verdicts: Examiner, some: Sequence[Cut]) -> None:
    """Print for each sort of cut how many were found."""
    found: dict[str, list[Verdict | None]] = defaultdict(list)
    for cut, said in zip(some, verdicts([cut.page for cut in some]), strict=True):
        found[cut.name].append(said.get(cut.ref))
    for name, answers in sorted(found.items()):
        seen = sum(answer is not None for answer in answers)
        sure = sum(answer is Verdict.LEAK for answer in answers)
        print(f"| {name} | {len(answers)} | {seen / len(answers):.1%} | {sure / len(answers):.1%} |")


def alarms(verdicts: Examiner, *groups: Sequence[tuple[str, str]]) -> None:
    """Print for each kind of other text how many pages were taken for a leak."""
    pages: Counter[str] = Counter()
    false: Counter[str] = Counter()
    for group in groups:
        for (kind, _), said in zip(group, verdicts([text for _, text in group]), strict=True):
            total = "all hard items" if kind.startswith("hard_") else "all ordinary items"
            for name in (kind, *([] if kind == "notes of others" else [total])):
                pages[name] += 1
                false[name] += bool(said)
    for name in sorted(pages):
        print(f"| {name} | {pages[name]} | {false[name]} | {1000 * false[name] / pages[name]:.2f} |")


def cuts(material: Material, chooser: random.Random, share: float) -> Iterator[Cut]:
    """Yield excerpts of the enrolled notes, posted."""
    talk = {
        han: [text for kind, text in material.clean if kind in TALK and is_han(text) is han] for han in (True, False)
    }
    pieces = {han: [piece for note in material.enrolled.values() if is_han(note) is han for piece in atoms(note, han)]
              for han in (True, False)}  # fmt: skip
    counts = {
        han: Counter(gram for note in material.enrolled.values() for gram in grams(note, han)) for han in (True, False)
    }
    for ref, note in material.enrolled.items():
        han = is_han(note)
        for length, edits in HAN_CUTS if han else LATIN_CUTS:
            if len(note) < length or chooser.random() > share:
                continue
            start = chooser.randrange(len(note) - length + 1)
            excerpt = note[start : start + length]
            own = grams(excerpt, han)
            if not own or sum(counts[han][gram] >= 3 for gram in own) > len(own) / 3:
                continue
            if edits:
                excerpt = ("" if han else " ").join(edited(atoms(excerpt, han), edits, pieces[han], chooser))
            before, after = chooser.choice(talk[han])[:60], chooser.choice(talk[han])[-60:]
            page = f"{before}\n{excerpt}\n{after}" if chooser.random() < 0.6 else excerpt
            name = f"{'Han' if han else 'Latin'} {length:3d}" + (f", {edits:.0%} edited" if edits else ", verbatim")
            yield Cut(name, ref, page)


def edited(pieces: Sequence[str], rate: float, others: Sequence[str], chooser: random.Random) -> Iterator[str]:
    """Yield the pieces with so many of them replaced, doubled by another, or dropped."""
    for piece in pieces:
        luck = chooser.random() / rate
        if luck < 0.6:
            yield chooser.choice(others)
        elif luck < 0.8:
            yield piece
            yield chooser.choice(others)
        elif luck >= 1:
            yield piece


def atoms(text: str, han: bool) -> list[str]:
    """Return what is edited: characters of Han text, words of Latin text."""
    return list(text) if han else text.split()


def grams(text: str, han: bool) -> set[str]:
    """Return the pieces by which boilerplate is known: 8 Han or 12 Latin characters, letters and digits only."""
    compact = "".join(filter(str.isalnum, canonical(text)))
    size = 8 if han else 12
    return {compact[at : at + size] for at in range(len(compact) - size + 1)}


def is_han(text: str) -> bool:
    """Return whether a third of the text is Han."""
    return 3 * sum("\u4e00" <= character <= "\u9fff" for character in text) >= len(text)


def half_of(name: str) -> int:
    """Return the half to which a record belongs."""
    return hashlib.blake2b(name.encode()).digest()[0] & 1


def lines(path: Path) -> Iterator[dict[str, object]]:
    """Yield the objects of a gzipped file of JSON lines."""
    with gzip.open(path, "rt", encoding="utf-8") as stream:
        yield from map(json.loads, stream)


def shared(folder: Path, half: int) -> Material:
    """Return the development bench, one half enrolled."""
    with gzip.open(folder / "enrol.csv.gz") as packed:
        rows = [row for row in csv.DictReader(io.TextIOWrapper(packed, "utf-8")) if len(row["note"]) >= 12]
    return Material(
        "development bench",
        {row["record_id"]: row["note"] for row in rows if half in (2, half_of(row["record_id"]))},
        [row["note"] for row in rows if half not in (2, half_of(row["record_id"]))],
        [(str(item["kind"]), str(item["text"])) for item in lines(folder / "clean.jsonl.gz")],
        [
            (str(item["kind"]), str(item["text"]), frozenset(map(str, item["record_ids"])))  # type: ignore[call-overload]
            for item in lines(folder / "leaks.jsonl.gz")
            if str(item["kind"]).startswith(TEXT_KINDS)
        ],
    )


SUBJECTS = ("陶匠", "养蜂人", "船夫", "修表匠", "琴师", "the weaver", "the ferryman", "the beekeeper", "the clockmaker")
DEEDS = (
    "在{}登高时踩空，右踝外侧肿痛{}天", "三年前于{}务工，其后每逢阴雨{}日内必头晕", "食用{}的腌菜后腹泻{}次，伴低热",
    "slipped near {} and has not lifted the left arm for {} days", "ate pickles bought at {} and was sick {} times",
    "worked for years at {} and coughs {} times a night",
)  # fmt: skip
PLACES = ("旧码头", "槐花巷", "石磨坊", "北山茶园", "the old harbour", "the upper mill", "the tea garden", "the quarry")


def invented(chooser: random.Random) -> Material:
    """Return invented notes and talk."""

    def sentence(han: bool) -> str:
        some = [
            [each for each in group if is_han(each.replace("{}", "")) is han] for group in (SUBJECTS, DEEDS, PLACES)
        ]
        who, what, where = map(chooser.choice, some)
        text = who + ("" if han else " ") + what.format(where, chooser.randrange(2, 400))
        return text + ("。" if han else ". ")

    def text(count: int) -> str:
        han = chooser.random() < 0.5
        return "".join(sentence(han) for _ in range(count))

    notes = [text(chooser.randrange(2, 9)) for _ in range(800)]
    talk = [("zh_weibo" if is_han(each) else "en_tweet", each) for each in (text(3) for _ in range(400))]
    return Material(
        "invented sentences",
        {f"R-{number}": note for number, note in enumerate(notes[:400])},
        notes[400:],
        talk,
        [],
    )


if __name__ == "__main__":
    main()
