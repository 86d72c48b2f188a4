import threading

import pytest

from model.errors import Superseded
from storage.leases import Leases


@pytest.fixture
def leases(database, clock):
    """Give leases on the test's clock."""
    return Leases(database, clock)


def test_one_holder_at_a_time(leases, clock):
    """Held, a lease is refused to others; run out, it is taken over with a higher epoch."""
    first = leases.acquire("daemon", "one", 60)
    assert first.epoch == 1
    assert leases.acquire("daemon", "two", 60) is None
    assert leases.acquire("enrolment", "two", 60).epoch == 1
    assert leases.holder("daemon") == first
    clock.wait(60)
    assert leases.holder("daemon") is None
    second = leases.acquire("daemon", "two", 60)
    assert second.epoch == 2
    with pytest.raises(Superseded):
        leases.renew(first, 60)
    leases.release(first)
    assert leases.holder("daemon") == second


def test_a_renewed_lease_lasts(leases, clock):
    """Renewal moves the end, also a little late when nobody was faster."""
    lease = leases.acquire("daemon", "one", 60)
    for seconds in (50, 59, 70):
        clock.wait(seconds)
        lease = leases.renew(lease, 60)
    assert lease.epoch == 1
    assert leases.acquire("daemon", "two", 60) is None


def test_a_released_lease_is_free(leases):
    """The next holder need not wait, and has a higher epoch."""
    leases.release(leases.acquire("daemon", "one", 60))
    assert leases.holder("daemon") is None
    assert leases.acquire("daemon", "two", 60).epoch == 2


def test_a_dead_owner_can_be_displaced(leases):
    """Only the named owner is displaced."""
    leases.acquire("daemon", "one", 60)
    assert leases.acquire("daemon", "two", 60, displacing="three") is None
    assert leases.acquire("daemon", "two", 60, displacing="one").epoch == 2


def test_a_late_writer_is_noticed(leases, database, clock):
    """A holder that slept through its lease cannot commit what it writes under it."""
    lease = leases.acquire("daemon", "one", 60)
    with database.transaction() as tx:
        leases.check(tx, lease)
    clock.wait(61)
    leases.acquire("daemon", "two", 60)
    with pytest.raises(Superseded, match="took over"), database.transaction() as tx:
        leases.check(tx, lease)


def test_of_many_at_once_one_wins(leases):
    """Whoever asks at the same moment, one gets it."""
    got, start = [], threading.Barrier(8)

    def ask(number):
        start.wait()
        got.append(leases.acquire("daemon", str(number), 60))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 8
    assert sum(lease is not None for lease in got) == 1
