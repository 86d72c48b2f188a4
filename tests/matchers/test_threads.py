"""A leak that is split over posts of one thread or author is found; posts of strangers are not joined."""

import secrets
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from matchers.finding import BATCH
from matchers.interface import Examination
from matchers.remembered import LEAST_BYTES, TraceKey
from matchers.sightings import Evidence
from matchers.threads import MOST_POSTS, MOST_THREADS, BriefMemory, Draft, Half, Trace, pack, unpack
from model.errors import KeyUnusable
from model.match import Verdict
from model.page import Passage
from tests.matchers.bench import Bench
from tests.people import CANARY, HE_YUNSHU, HE_YUNZHANG, SCHEMA

CHATTER = "今天天气不错，大家出来走走吧。"


@pytest.fixture(scope="module")
def bench() -> Bench:
    """Enrol three people."""
    return Bench.enrol(SCHEMA, [each.record(row) for row, each in enumerate((CANARY, HE_YUNSHU, HE_YUNZHANG), 1)])


def together(
    bench: Bench, texts: Sequence[str], threads: Sequence[tuple[str, ...] | None] | None = None
) -> list[Examination]:
    """Examine posts in one call; of one thread unless said otherwise."""
    return bench.engine().examine_many([[Passage(text, "body")] for text in texts], threads or [("t",)] * len(texts))


def apart(bench: Bench, texts: Sequence[str], memory: BriefMemory | None = None) -> list[Examination]:
    """Examine posts of one thread one by one, as the daemon does."""
    engine, kept = bench.engine(), memory or BriefMemory()
    return [engine.examine_many([[Passage(text, "body")]], [("t",)], kept)[0] for text in texts]


def refs(bench: Bench, examination: Examination) -> dict[str, Verdict]:
    """Return the verdict by the reference of the record."""
    return {bench.ref(match.handle): match.verdict for match in examination.matches}


ID = CANARY.resident_id
SPLIT = [
    ("name, then masked telephone", ["我同事欧阳鸢翎住院了", "她电话是154****7263"]),
    ("masked telephone, then name", ["她电话是154****7263", "我同事欧阳鸢翎住院了"]),
    ("name, then birth date", ["欧阳鸢翎", "生于1961年8月7日"]),
    ("name, then record number", ["患者 欧阳鸢翎", "病历号 MR90718263"]),
    ("with chatter between", ["欧阳鸢翎", CHATTER, CHATTER, "生于1961年8月7日"]),
    *((f"ID cut after {cut}", [f"欧阳鸢翎 {ID[:cut]}", f"{ID[cut:]} 就是这个"]) for cut in range(4, 15)),
]


@pytest.mark.parametrize("texts", [case[1] for case in SPLIT], ids=[case[0] for case in SPLIT])
@pytest.mark.parametrize("examined", [together, apart])
def test_a_split_leak_is_found_in_the_post_that_completes_it(bench: Bench, texts: list[str], examined) -> None:
    """None of the posts says enough; the last one, with what came before, does."""
    *before, last = examined(bench, texts)
    assert "R-777001" in refs(bench, last)
    assert all("R-777001" not in refs(bench, each) for each in before)


def test_three_posts_of_one_author(bench: Bench) -> None:
    """Sub-threshold findings of three posts add up."""
    texts = ["欧阳鸢翎", "尾号7263", "生于1961-08-07"]
    found = apart(bench, texts)
    assert refs(bench, found[2])["R-777001"] is Verdict.LEAK
    assert found[2].matches[0].score > max((match.score for match in found[1].matches), default=0.0)


def test_a_post_belongs_to_its_thread_and_to_its_author(bench: Bench) -> None:
    """The second half may come in another thread of the same author, or from another author in the same thread."""
    halves = ["欧阳鸢翎", "生于1961-08-07"]
    joined = [(("t1", "a1"), ("t2", "a1")), (("t1", "a1"), ("t1", "a2"))]
    for keys in joined:
        assert "R-777001" in refs(bench, together(bench, halves, keys)[1])
    assert together(bench, halves, (("t1", "a1"), ("t2", "a2")))[1].matches == ()
    assert together(bench, halves, ("t1", None))[1].matches == ()
    assert together(bench, halves, (None, ()))[1].matches == ()


def test_what_is_known_of_two_threads_is_known_once(bench: Bench) -> None:
    """A post of the same thread and the same author counts as one."""
    halves = ["欧阳鸢翎", "生于1961-08-07"]
    one, both = together(bench, halves, ("t", "t"))[1], together(bench, halves, (("t", "a"), ("t", "a")))[1]
    assert one == both


def test_what_stands_in_another_post_is_told_as_joined(bench: Bench) -> None:
    """The span is one of this post, and the element says that it is not all of it."""
    text = "生于1961-08-07"
    match = apart(bench, ["欧阳鸢翎", text])[1].matches[0]
    assert all(element.joined for element in match.elements)
    assert {text[element.start : element.end] for element in match.elements} == {"1961-08-07"}
    assert not any(element.joined for element in bench.examine("欧阳鸢翎，生于1961-08-07").matches[0].elements)


def test_passages_of_one_post_are_not_joined(bench: Bench) -> None:
    """They may be two readings of one text: what stands far apart in it would come together."""
    text = "欧阳鸢翎。" + CHATTER * 60 + "生于1961-08-07"
    page = [Passage(text, "body"), Passage(text, "body, read otherwise")]
    assert bench.engine().examine_many([page], [("t",)])[0].matches == ()


def test_a_post_longer_than_a_batch_is_one_post(bench: Bench) -> None:
    """Its pieces come in several batches; what it leaves is one trace."""
    memory = BriefMemory()
    long = "欧阳鸢翎。" + CHATTER * (BATCH // len(CHATTER) + 1)
    assert refs(bench, apart(bench, [long, "生于1961-08-07"], memory)[1])
    assert len(memory.recall("t")) == 2


def test_a_leak_is_not_remembered_with_its_record(bench: Bench) -> None:
    """An alert is there already: the handle need not rest in a trace; that of a suspicion does."""
    memory = BriefMemory()
    apart(bench, [CANARY.resident_id + " 欧阳鸢翎"], memory)
    assert memory.recall("t")[0].found == {}
    memory = BriefMemory()
    apart(bench, ["15490817263"], memory)
    assert len(memory.recall("t")[0].found) == 1


def test_after_erasure_a_trace_says_nothing_of_the_record() -> None:
    """A handle in a trace is of no use without a posting of the present page."""
    own = Bench.enrol(SCHEMA, [CANARY.record(1), HE_YUNSHU.record(2)])
    memory = BriefMemory()
    apart(own, ["欧阳鸢翎 15490817263"[5:]], memory)
    record = next(each for each in own.store.records.values() if own.ref(each.handle) == "R-777001")
    (erasure,) = own.enroller.erasures([(record.handle, record.sealed_tokens)], own.store)
    own.store.apply(erasure)
    assert apart(own, ["欧阳鸢翎 1961-08-07", "15490817263"], memory)[1].matches == ()


def test_posts_of_strangers_who_name_namesakes_are_not_joined(bench: Bench) -> None:
    """A name in one post and somebody else's date in another say nothing."""
    assert apart(bench, ["欧阳鸢翎", "生于1990-01-02", "电话 13800001111"])[2].matches == ()


def test_among_many_candidates_a_joined_match_says_less(bench: Bench) -> None:
    """Names in one post and dates in the next meet by chance: the more of them, the less the meeting is worth."""
    strangers = [f"{surname}{given}" for surname in "王李张" for given in ("晓岚", "铎声", "砚秋", "霁月", "帆远")]
    days = [f"生于{year}年{month}月9日" for year in range(1950, 1956) for month in (2, 5)]
    few = together(bench, ["欧阳鸢翎", "生于1961年8月7日"])[-1]
    many = together(bench, ["，".join([*strangers, "欧阳鸢翎"]), "，".join([*days, "生于1961年8月7日"])])[-1]
    assert refs(bench, few) == refs(bench, many)
    assert many.matches[0].score < few.matches[0].score


def test_a_brief_memory_forgets_what_was_silent_longest() -> None:
    """A long run does not grow for ever."""
    memory, trace = BriefMemory(2), Trace((Half("name", b"0" * 16, 0),))
    for thread in ("a", "b", "a", "c"):
        memory.remember(thread, trace)
    assert [len(memory.recall(thread)) for thread in ("a", "b", "c")] == [2, 0, 1]
    for _ in range(MOST_POSTS + 3):
        memory.remember("a", trace)
    assert len(memory.recall("a")) == MOST_POSTS
    assert MOST_THREADS >= 10_000


def test_a_draft_that_is_not_kept_leaves_nothing() -> None:
    """What failed is tried again without its own traces."""
    memory, trace = BriefMemory(), Trace((Half("name", b"0" * 16, 0),))
    draft = Draft(memory)
    draft.remember("t", trace)
    assert draft.recall("t") == [trace]
    assert Draft(memory).recall("t") == []
    draft.keep()
    assert Draft(memory).recall("t") == [trace]


halves = st.tuples(st.sampled_from(["name", "phone_tail"]), st.binary(min_size=16, max_size=16), st.integers(0, 4))
found = st.builds(
    lambda kind, form, similarity, bits, group: Evidence((kind,), "primary", form, similarity, 0, 0, 0, (bits,), group),
    st.sampled_from(["phone", "mrn"]),
    st.sampled_from(["exact", "masked"]),
    st.floats(0, 1),
    st.floats(0, 40),
    st.text(max_size=9),
)
several = st.lists(halves, max_size=9).map(lambda some: tuple(Half(*each) for each in some))
traces = st.builds(
    Trace, several, several,
    st.dictionaries(st.binary(min_size=16, max_size=16), st.lists(found, max_size=3).map(tuple), max_size=4),
)  # fmt: skip


@given(st.lists(traces, max_size=3), st.integers(0, 30))
def test_packed_traces_come_back(some: list[Trace], zeros: int) -> None:
    """Whatever is in them, and with zeros behind."""
    assert unpack(pack(some) + b"\0" * zeros) == some


@given(traces)
def test_sealed_traces_come_back_at_their_place_only(trace: Trace) -> None:
    """Another key, thread or post opens nothing."""
    key, tag = TraceKey(b"k" * 32), b"t" * 16
    post = key.post(tag, "p1")
    sealed = key.seal(tag, post, trace)
    assert key.open(tag, post, sealed) == trace
    for other, place, item in ((TraceKey(b"l" * 32), tag, post), (key, b"u" * 16, post), (key, tag, b"q" * 16)):
        with pytest.raises(KeyUnusable):
            other.open(place, item, sealed)
    with pytest.raises(KeyUnusable):
        key.open(tag, post, sealed[:20])


def test_a_thief_without_the_key_sees_nothing_equal() -> None:
    """The same post in two threads, or twice in one, has no block in common; short and long look alike."""
    key = TraceKey(secrets.token_bytes(32))
    trace = Trace(tuple(Half("name", secrets.token_bytes(16), 0) for _ in range(20)))
    places = [(tag, key.post(tag, "page")) for tag in (key.tag("one"), key.tag("two"))] * 2
    sealed = [key.seal(*place, trace) for place in places]
    blocks = [each[at : at + 16] for each in sealed for at in range(len(each) - 15)]
    assert len(set(blocks)) == len(blocks)
    assert not {half.block for half in trace.left} & set(blocks)
    assert places[0][0] != places[1][0]
    assert places[0][1] != places[1][1]
    sizes = {len(key.seal(*places[0], Trace(trace.left[:count]))) for count in range(21)}
    assert sizes == {LEAST_BYTES + 28}
    assert repr(key) == "TraceKey(…)"
    assert TraceKey(secrets.token_bytes(32)).tag("one") != places[0][0]
