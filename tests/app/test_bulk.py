"""Bulk examination: one answer for each line, told without values, threads together and in order."""

import base64
import gzip
import json

import pytest

from app.bulk import BATCH_ITEMS, BulkExaminer, Item, answer, batches, items_in
from matchers.interface import Examination
from matchers.threads import BriefMemory
from model.match import Match, Verdict
from model.page import Decoded, Part, PartOutcome, Passage, Reason
from tests.app.installation import Installation, export, install
from tests.people import HE_YUNSHU, PEOPLE

pytestmark = pytest.mark.timeout(900)
ROW = "，".join(HE_YUNSHU.row.values())


@pytest.fixture(scope="module")
def enrolled(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """Give an installation with everybody enrolled."""
    folder = tmp_path_factory.mktemp("bulk")
    folder.chmod(0o700)
    installed = install(folder)
    installed.change(decoding={"ocr": False})
    installed.run("enrol", str(export(PEOPLE, folder / "export.csv")), ok=[0])
    return installed


def line(item_id: str, text: str, thread_id: str | None = None) -> str:
    """Return one line of the input."""
    return json.dumps({"item_id": item_id, "thread_id": thread_id, "text": text}, ensure_ascii=False) + "\n"


def answers_in(text: str) -> dict[str | None, dict]:
    """Return the answers by item."""
    return {each["item_id"]: each for each in map(json.loads, text.splitlines())}


@pytest.mark.slow
def test_every_line_gets_an_answer_without_values(enrolled, tmp_path):
    """A leak, an encoded leak, an ordinary text, an unreadable line: each is answered; no value is, nothing is kept."""
    lines = [
        line("plain", f"看到一份名单 {ROW}"),
        line("hidden", f"see {base64.b64encode(ROW.encode()).decode()} ok", "t1"),
        line("ordinary", "今天天气不错，去公园走了走。"),
        "not json\n",
        '{"item_id": "textless"}\n',
        "\n",
    ]
    source, out = tmp_path / "feed.jsonl.gz", tmp_path / "answers.jsonl"
    source.write_bytes(gzip.compress("".join(lines).encode()))
    ended = enrolled.run("examine", "--jsonl", str(source), "--out", str(out), ok=[2])
    said = answers_in(out.read_text("utf-8"))
    assert {item: each["verdict"] for item, each in said.items()} == {
        "plain": "leak",
        "hidden": "leak",
        "ordinary": "nothing found",
        None: "could not read",
        "textless": "could not read",
    }
    assert said[None]["line"] == 4
    assert said["textless"]["not_read"] == ["malformed"]
    for item in ("plain", "hidden"):
        best = said[item]["matches"][0]
        assert best["ref"] == HE_YUNSHU.ref
        assert 0.9 <= best["score"] <= 1
        assert {"kinds", "role", "form", "similarity", "passage", "span"} == set(best["elements"][0])
    told = out.read_text("utf-8") + ended.out + ended.err + enrolled.log()
    assert [value for value in HE_YUNSHU.values.values() if value in told] == []
    assert enrolled.alerts() == []
    assert not enrolled.evidence.exists()


@pytest.mark.slow
def test_lines_come_and_go_through_pipes(enrolled):
    """Standard input to standard output; exit code 1 says that something was found."""
    ended = enrolled.run("examine", "--jsonl", "-", stdin=line("a", ROW).encode(), ok=[1], anew=True)
    assert [each["verdict"] for each in answers_in(ended.out).values()] == ["leak"]


@pytest.mark.slow
def test_a_file_that_is_not_there_is_said(enrolled, tmp_path):
    """One line, exit code 2."""
    ended = enrolled.run("examine", "--jsonl", str(tmp_path / "none.jsonl"), ok=[2])
    assert "No such file" in ended.err


def test_threads_stand_together_and_in_order():
    """Items of a thread, however scattered, come in one batch in the order of the file; others do not wait."""
    lines = [
        line(f"i{number}", "x", f"t{number % 7}" if number % 3 == 0 else None) for number in range(3 * BATCH_ITEMS)
    ]
    made = list(batches(items_in(lines)))
    assert sorted(item.line for batch in made for item in batch) == list(range(1, len(lines) + 1))
    assert max(map(len, made)) <= BATCH_ITEMS
    for thread in {item.thread_id for batch in made for item in batch} - {None}:
        holding = [[item.line for item in batch if item.thread_id == thread] for batch in made]
        (found,) = [lines for lines in holding if lines]
        assert found == sorted(found)


def test_a_thread_larger_than_a_batch_is_cut_and_loses_nothing():
    """Nothing is held back for ever."""
    lines = [line(f"i{number}", "x", "t") for number in range(BATCH_ITEMS + 5)]
    assert [len(batch) for batch in batches(items_in(lines))] == [BATCH_ITEMS, 5]


class Failing:
    """An engine that fails over any batch in which one page stands."""

    def examine_many(self, pages, threads, memory):
        """Fail, or find nothing."""
        if [] in pages:
            raise KeyError(0)
        return [Examination((), False) for _ in pages]


def test_a_page_that_breaks_the_engine_costs_itself_only():
    """The batch is examined page by page; the page at fault has no examination, the others have theirs."""
    bulk = BulkExaminer(sandbox=None, engine=Failing(), references=dict)
    found = bulk._match([[Passage("a", "body")], [], [Passage("b", "body")]], [None] * 3, BriefMemory())
    assert [each is None for each in found] == [False, True, False]


@pytest.mark.parametrize(
    ("matches", "outcome", "capped", "verdict", "unread"),
    [
        ([Verdict.LEAK, Verdict.SUSPICIOUS], PartOutcome(0, "read"), False, "leak", None),
        ([Verdict.SUSPICIOUS], PartOutcome(0, "quarantined", Reason.TIMEOUT), False, "suspicious", ["timeout"]),
        ([], PartOutcome(0, "quarantined", Reason.CRASH), True, "could not read", ["crash", "cap-reached"]),
        (None, PartOutcome(0, "read"), False, "could not read", ["internal-error"]),
        ([], PartOutcome(0, "skipped", Reason.TEXT_FREE), False, "nothing found", None),
    ],
)
def test_the_verdict_is_the_worst_and_what_was_not_read_is_said(matches, outcome, capped, verdict, unread):
    """A match outranks what could not be read, which outranks nothing found."""
    handles = [bytes([number]) * 16 for number in range(len(matches or ()))]
    found = tuple(Match(handle, each, 0.9, ()) for handle, each in zip(handles, matches or (), strict=True))
    examination = None if matches is None else Examination(found, capped)
    told = answer(
        Item("i", None, Part("body", "", b"x"), 1),
        Decoded((), (outcome,)),
        examination,
        {handle: f"R-{number}" for number, handle in enumerate(handles)},
    )
    assert (told["verdict"], told.get("not_read")) == (verdict, unread)
    assert [match["ref"] for match in told["matches"]] == [f"R-{number}" for number in range(len(handles))]
