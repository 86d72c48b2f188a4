"""A leak split over posts raises an alert through the whole line, whatever crashes or runs beside it."""

import dataclasses
import secrets
from collections.abc import Iterator
from datetime import timedelta

import pytest

from app.config import Config, read_config
from app.examine import Examined, Examiner
from app.examiner import forget_traces
from app.remembering import threads_of
from app.stores import Stores
from app.wiring import now, open_examiner, open_stores
from matchers.remembered import TraceKey
from model.errors import StorageError
from model.match import Verdict
from model.page import Page, Part
from storage.traces import TraceStore
from tests.app.installation import Installation, export, install
from tests.app.traces import search, values_of
from tests.people import CANARY, PEOPLE

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
NAME, DATE = f"我同事{CANARY.name}住院了", f"她生于{CANARY.birth_date}"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """Give an installation with everybody enrolled."""
    folder = tmp_path_factory.mktemp("threads")
    folder.chmod(0o700)
    made = install(folder)
    made.change(decoding={"ocr": False}, evidence={"screenshot": False})
    made.run("enrol", str(export(PEOPLE, folder / "export.csv")), ok=[0])
    return made


@pytest.fixture(scope="module")
def config(installed: Installation) -> Config:
    """Give the configuration as the daemon reads it."""
    return read_config(installed.config)


@pytest.fixture
def stores(config: Config) -> Iterator[Stores]:
    """Give the stores, without traces of another test."""
    with open_stores(config) as opened:
        forget_all(opened)
        yield opened


@pytest.fixture(scope="module")
def opened(config: Config) -> Iterator[Examiner]:
    """Give an examiner with its sandbox, which is slow to open."""
    with open_stores(config) as own, open_examiner(config, own) as examiner:
        yield examiner


@pytest.fixture
def examiner(opened: Examiner, stores: Stores) -> Examiner:
    """Give an examiner on this test's stores."""
    return dataclasses.replace(opened, stores=stores)


def forget_all(stores: Stores) -> None:
    """Forget every trace, those that a test dated later too."""
    TraceStore(stores.database, lambda: now() + timedelta(days=365)).forget(0)


def post(
    stores: Stores, text: str, thread: str | None = "thread-8", author: str | None = None, attached: bytes = b""
) -> str:
    """Put a post into the spool as a fetcher does; return its page id."""
    page_id, parts = secrets.token_hex(16), [Part("body", "text/plain", text.encode(), charset="utf-8")]
    if attached:
        parts.append(Part("attachment a.zip", "application/zip", attached, "a.zip"))
    page = Page(page_id, "forum", page_id, "", now(), tuple(parts), (), "listed", None, thread, author)
    stores.pages.keep(page)
    return page_id


def work(examiner: Examiner, owner: str = "one") -> dict[str, Examined]:
    """Examine everything that waits; return what ended, by page id."""
    return {each.page_id: each for each in examiner.examine_due(owner)}


def found(examined: Examined) -> Verdict:
    """Return the verdict, and see that an alert came with it if it is one."""
    assert bool(examined.alerts) is (examined.verdict in (Verdict.LEAK, Verdict.SUSPICIOUS))
    return examined.verdict


def test_the_second_post_of_a_thread_raises_the_alert(installed, stores, examiner):
    """The first says nothing by itself; its trace in the database shows nothing of it."""
    first = post(stores, NAME, "a thread of 7731")
    assert found(work(examiner)[first]) is Verdict.NOTHING
    assert stores.traces.count() == 1
    files = {path.name: path.read_bytes() for path in installed.database.parent.glob("spillwatch.db*")}
    assert search(files, values_of(CANARY) | {"thread": "a thread of 7731"}) == []
    second = post(stores, DATE, "a thread of 7731")
    ended = work(examiner)[second]
    assert found(ended) is Verdict.LEAK
    assert all(element.joined for element in ended.matches[0].elements)
    assert stores.alerts.get(ended.alerts[0]).handle == ended.matches[0].handle


def test_an_author_is_followed_through_threads_and_strangers_are_not(stores, examiner):
    """One name under two threads is one author; "anonymous" is nobody, and so is an author of another site."""
    post(stores, NAME, "t1", "fen")
    stranger, same, other = (
        post(stores, DATE, thread, who) for thread, who in (("t2", "ao"), ("t3", "fen"), (None, None))
    )
    ended = work(examiner)
    assert found(ended[same]) is Verdict.LEAK
    assert {found(ended[page]) for page in (stranger, other)} == {Verdict.NOTHING}
    stores.traces.forget(0)
    for text in (NAME, DATE):
        post(stores, text, None, "Anonymous")
    assert [found(each) for each in work(examiner).values()] == [Verdict.NOTHING] * 2
    assert stores.traces.count() == 0


def test_posts_far_apart_are_not_joined(config, stores, examiner):
    """After `matching.join_days` a post is forgotten; a day earlier it is not."""
    for days, verdict in ((6, Verdict.LEAK), (8, Verdict.NOTHING)):
        forget_all(stores)
        post(stores, NAME)
        work(examiner)
        later = TraceStore(stores.database, lambda days=days: now() + timedelta(days=days))
        second = post(stores, DATE)
        remembrance = dataclasses.replace(examiner.remembrance, store=later)
        assert found(work(dataclasses.replace(examiner, remembrance=remembrance))[second]) is verdict
    assert forget_traces(config, dataclasses.replace(stores, traces=later)) == 1


def test_with_join_days_0_nothing_is_remembered(stores, examiner):
    """Off is off."""
    off = dataclasses.replace(examiner, remembrance=dataclasses.replace(examiner.remembrance, days=0))
    for text in (NAME, DATE):
        page_id = post(stores, text)
        assert found(work(off)[page_id]) is Verdict.NOTHING
    assert stores.traces.count() == 0


def test_a_page_examined_again_is_not_joined_with_itself(stores, examiner):
    """A name far above a date in one post stays apart from it, however often the post is looked at."""
    text = NAME + "。" + "今天天气不错。" * 100 + DATE
    page_id = post(stores, text, attached=b"PK\x03\x04 torn")
    for _ in range(2):
        ended = work(examiner)[page_id]
        assert (found(ended), ended.matches) == (Verdict.UNREADABLE, ())
        assert stores.traces.count() == 1
        assert stores.pages.requeue([page_id]) == 1
    work(examiner)
    second = post(stores, DATE)
    assert found(work(examiner)[second]) is Verdict.LEAK


class Breaking(TraceStore):
    """Traces on a disk that is full."""

    def remember(self, tx, site, kept, most):
        """Write, and fail."""
        super().remember(tx, site, kept, most)
        raise StorageError("the disk is full")


def test_a_crash_at_the_end_of_a_page_loses_and_doubles_nothing(stores, examiner):
    """Trace and page end together or not at all."""
    first = post(stores, NAME)
    broken = dataclasses.replace(examiner.remembrance, store=Breaking(stores.database))
    with pytest.raises(StorageError):
        work(dataclasses.replace(examiner, remembrance=broken))
    assert stores.traces.count() == 0
    assert stores.pages.counts().queued == 1
    assert found(work(examiner)[first]) is Verdict.NOTHING
    second = post(stores, DATE)
    with pytest.raises(StorageError):
        work(dataclasses.replace(examiner, remembrance=broken))
    assert stores.traces.count() == 1
    assert found(work(examiner)[second]) is Verdict.LEAK
    assert stores.traces.count() == 2


class Slow:
    """An engine that lets something else happen after its first examination."""

    def __init__(self, engine, meanwhile):
        self.examinations, self._engine, self._meanwhile = 0, engine, meanwhile

    def examine_many(self, pages, threads, memory):
        """Examine, then wait for the other."""
        ended = self._engine.examine_many(pages, threads, memory)
        self.examinations += 1
        if self.examinations == 1:
            self._meanwhile()
        return ended


def test_two_examiners_at_the_same_time_do_not_miss_each_other(stores, examiner):
    """The one that ends last sees that it was outrun, and joins its post with the other's."""
    pages = [post(stores, text) for text in (NAME, DATE)]
    beside: dict[str, Examined] = {}
    slow = Slow(examiner.engine, lambda: beside.update(work(examiner, "two")))
    (leased,) = stores.pages.lease("one", 300, 1, page_ids=pages[:1])
    ended = dataclasses.replace(examiner, engine=slow).examine(leased)
    assert found(beside[pages[1]]) is Verdict.NOTHING
    assert found(ended) is Verdict.LEAK
    assert slow.examinations == 2


def test_traces_of_a_lost_key_are_dropped_and_counted(stores, examiner):
    """A trace that does not open costs a line in the log, never the page."""
    post(stores, NAME)
    work(examiner)
    tag = examiner.remembrance.keys[0].tag("forum\0thread\0thread-8|1")
    (kept,) = stores.traces.recall([tag], 7)
    with stores.database.transaction() as tx:
        stores.traces.remember(tx, "forum", [kept._replace(sealed=kept.sealed[::-1])], 12)
    second = post(stores, DATE)
    assert found(work(examiner)[second]) is Verdict.NOTHING
    assert [each.post for each in stores.traces.recall([tag], 7)] != [kept.post]
    assert stores.traces.count() == 1


def test_traces_of_an_older_epoch_are_found(stores, examiner):
    """While keys are rotated, what was sealed under the older one opens too."""
    post(stores, NAME)
    work(examiner)
    (old,) = examiner.remembrance.keys
    both = dataclasses.replace(examiner.remembrance, keys=(TraceKey(secrets.token_bytes(32)), old))
    second = post(stores, DATE)
    assert found(work(dataclasses.replace(examiner, remembrance=both))[second]) is Verdict.LEAK


def test_an_erased_record_is_not_brought_back(installed, stores, examiner):
    """A trace that names a handle is of no use once the postings are gone."""
    someone = PEOPLE[3]
    assert someone.phone
    first = post(stores, someone.phone)
    handles = {match.handle for match in work(examiner)[first].matches}
    assert handles
    installed.run("erase", someone.ref, ok=[0])
    last = post(stores, f"{someone.name}，{someone.birth_date}")
    with open_examiner(read_config(installed.config), stores) as fresh:
        ended = work(fresh)[last]
    assert not handles & {match.handle for match in ended.matches}


def test_threads_are_named_by_site():
    """The same thread or author on another site is another one."""
    page = Page("0" * 32, "forum", "1", "", now(), (), (), "listed", None, "8", "fen")
    assert threads_of(page) == ("forum\0thread\08", "forum\0author\0fen")
    assert not set(threads_of(page)) & set(threads_of(dataclasses.replace(page, site="board")))
    assert threads_of(dataclasses.replace(page, thread_id=None, author=" 匿名 ")) == ()
