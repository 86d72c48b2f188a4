"""Text that a page has in common with a note counts by how surprising it is and by the company it keeps."""

import random
import time
from collections.abc import Sequence

import numpy as np
import pytest

from matchers import commonness, excerpts
from matchers.commonness import Census, Commonness
from matchers.compare import agreements
from matchers.kernel import Kernel
from matchers.kinds import note
from matchers.quotations import FEWEST_NOTES
from model.match import Verdict
from model.page import Passage
from model.record import LinkageColumn, LinkageSchema, Record
from tests.matchers.bench import Bench

SCHEMA = LinkageSchema("ref", {"note": LinkageColumn("note")})
CHARACTERS = "陶窑蜂巢船桨钟表琴弦磨坊茶园渡口石桥竹林灯塔麦田羊圈酒坛渔网绳索瓦罐木梯铜铃"
SOUNDS = ("ba", "de", "fi", "go", "hu", "ka", "le", "mi", "no", "pu", "ra", "se", "ti", "vo", "zu")
HABIT = "患者自发病以来神志清楚精神可饮食睡眠尚可大小便正常近期体重无明显变化"
ADVICE = "thank you for the kind referral of this pleasant patient who was seen in the clinic today"


def han(chooser: random.Random, count: int) -> str:
    """Return Han text that nobody else has."""
    return "".join(chooser.choices(CHARACTERS, k=count))


def latin(chooser: random.Random, count: int) -> str:
    """Return words in an order that nobody else has."""
    return " ".join("".join(chooser.choices(SOUNDS, k=chooser.randint(1, 4))) for _ in range(count))


@pytest.fixture(scope="module")
def hospital() -> tuple[Bench, list[str]]:
    """Enrol notes that all hold the same two phrases and otherwise nothing in common."""
    chooser = random.Random(11)
    notes = []
    for number in range(FEWEST_NOTES + 100):
        if number % 2:
            notes.append(f"{han(chooser, 60)}。{HABIT if number % 20 == 1 else ''}。{han(chooser, 60)}。")
        else:
            notes.append(f"{latin(chooser, 30)}. {ADVICE if number % 20 == 0 else ''}. {latin(chooser, 30)}.")
    return Bench.enrol(SCHEMA, [Record(f"R-{row}", row, {"note": text}) for row, text in enumerate(notes)]), notes


@pytest.mark.parametrize(
    ("row", "start", "length", "verdict"),
    [(3, 10, 20, Verdict.LEAK), (3, 5, 40, Verdict.LEAK), (5, 60, 50, Verdict.LEAK), (4, 12, 80, Verdict.LEAK)],
)
@pytest.mark.parametrize(
    "around", ["", "今天天气不错，大家出来走走吧。\nwhat a match last night\n"], ids=["alone", "in a post"]
)
def test_an_excerpt_is_found(
    hospital: tuple[Bench, list[str]], row: int, start: int, length: int, verdict: Verdict, around: str
) -> None:
    """Twenty Han or eighty Latin characters that nobody else has are a leak of that record alone."""
    bench, notes = hospital
    found = bench.found(around + notes[row][start : start + length] + "\n" + around)
    assert {ref: match.verdict for ref, match in found.items()} == {f"R-{row}": verdict}


@pytest.mark.parametrize("phrase", [HABIT, ADVICE, HABIT + "。" + ADVICE])
def test_what_many_notes_hold_identifies_nobody(hospital: tuple[Bench, list[str]], phrase: str) -> None:
    """The template of the hospital, alone or on a page of its own, is no match of anybody."""
    bench, _ = hospital
    assert bench.found(phrase) == {}
    assert bench.found(f"听说{phrase}吗") == {}


def test_an_excerpt_among_the_trades_own_phrases_needs_more_text(hospital: tuple[Bench, list[str]]) -> None:
    """A short run within a stranger's medical text is a coincidence; a long one is not."""
    bench, notes = hospital
    short, long = notes[3][20:36], notes[3][2:120]
    assert "R-3" in bench.found(f"听说{short}真的吗")
    assert bench.found(f"{HABIT}{short}{HABIT}") == {}
    assert "R-3" in bench.found(f"{HABIT}{long}{HABIT}")


def test_without_a_census_the_same_text_counts_for_less() -> None:
    """Too few notes teach nothing: what they do not know to be common weighs less, but twice as many suffice."""
    text = han(random.Random(3), 80)
    bench = Bench.of({"note": ("note", text)})
    assert bench.found(text[20:33]) == {}
    assert [match.verdict for match in bench.found(text[20:44]).values()] == [Verdict.SUSPICIOUS]
    assert [match.verdict for match in bench.found(text[20:54]).values()] == [Verdict.LEAK]


def test_excerpts_far_apart_are_added_up(hospital: tuple[Bench, list[str]]) -> None:
    """Two long pieces of one note on one page weigh more than either."""
    bench, notes = hospital
    first, second = notes[4][5:90], notes[4][100:190]
    talk = latin(random.Random(5), 90)
    alone = [bench.found(each).get("R-4") for each in (first, second)]
    both = bench.found(f"{first} {talk} {second}")["R-4"]
    assert both.score >= max(each.score for each in alone if each)


def test_agreement_counts_only_what_is_worth_something() -> None:
    """Runs are weighed by their tokens' worth; short runs are chance; a wide gap begins another excerpt."""
    same = list(range(100, 130))
    page = [*range(7), *same[:10], 900, *same[11:20], *range(500, 540), *same[20:]]
    worth = [1.0] * len(page)
    first, second = agreements(same, page, 3, worth)
    assert (first.start, first.end, first.fresh) == (7, 27, 19)
    assert first.similarity == pytest.approx(19 / 20)
    assert second.fresh == 10
    assert agreements(same, page, 3, [0.0] * len(page))[0].fresh == 0
    assert agreements(same, [100, 101, 1, 2, 102, 103], 3, [1.0] * 6) == []


def test_a_long_note_keeps_few_shingles_and_those_that_short_ones_keep() -> None:
    """At most so many, spread over the whole text, each of them one that plain winnowing keeps."""
    kernel, grams = Kernel(bytes(range(32))), note.GRAMS[0]
    long = han(random.Random(1), 4000)
    both = excerpts.shingles(kernel, excerpts.stream([long, long[:300]]), grams)
    few, short = (np.sort(both.offset[both.text == number]) for number in (0, 1))
    assert 64 <= len(few) <= excerpts.MOST_SHINGLES
    assert len(short) > 50
    assert set(few[few < 300 - 3 * grams.size].tolist()) <= set(short.tolist())
    assert np.diff(few).max() < 200


def census_of(texts: Sequence[str], kernel: Kernel) -> Census:
    """Return a census of the texts."""
    counted = Census()
    for text in texts:
        counted.add(kernel, excerpts.stream([text]).compact)
    return counted


def test_common_is_what_three_notes_hold() -> None:
    """Two notes do not make a phrase common, repeating it in one note neither; three do; another key knows nothing."""
    kernel, page = Kernel(bytes(range(32))), excerpts.stream([HABIT + ADVICE]).compact
    assert not census_of([HABIT * 5, ADVICE * 5], kernel).commonness().marks(kernel, page).any()
    counted = census_of([HABIT + ADVICE] * 2, kernel)
    assert not counted.commonness().marks(kernel, page).any()
    counted.merge(census_of([HABIT + ADVICE], kernel))
    common = counted.commonness()
    marked = common.marks(kernel, page)
    assert marked[commonness.HAN_GRAM - 1 : len(HABIT)].all()
    assert marked[len(HABIT) + commonness.LATIN_GRAM - 1 :].all()
    assert not common.marks(Kernel(bytes(32)), page).any()
    again = Commonness.from_bytes(common.to_bytes())
    assert again.notes == 3
    assert (again.marks(kernel, page) == marked).all()


@pytest.mark.parametrize("gap", ["", "一", "，天地玄黄宇宙洪荒日月盈昃辰宿列张"])
def test_a_page_of_one_repeated_shingle_is_bounded(hospital: tuple[Bench, list[str]], gap: str) -> None:
    """A page that repeats a few enrolled characters is read within two seconds per megabyte; what it hides is said."""
    bench, notes = hospital
    engine = bench.engine()
    shingle = notes[3][10:23]
    page = (shingle + gap) * (300_000 // (3 * len(shingle + gap))) + "。" * 900 + notes[5][2:50]
    begun = time.process_time()
    found = engine.examine([Passage(page, "body")])
    spent = time.process_time() - begun
    assert found.capped or "R-5" in {bench.ref(match.handle) for match in found.matches}
    assert spent < 2.0 * max(1.0, len(page.encode()) / 1e6)
