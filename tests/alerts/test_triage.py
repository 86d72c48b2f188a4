"""Severity, sightings and the one message about a page."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.notice import MOST_LINES
from alerts.triage import new_alert_id, problem, severity_of, triage
from model.alert import Alert, Severity, Subject
from model.match import Verdict
from tests.alerts.captures import NOW, PAGE_ID, element, match

NOTE = element("note", role="passage", form="excerpt")
NAME_AND_BIRTH = element("person_name", "birth_date", role="conjunction")
ID, MASKED_ID = element("resident_id"), element("resident_id", form="masked")
LEAK, SUSPICIOUS = Verdict.LEAK, Verdict.SUSPICIOUS

SEVERITIES = [
    # verdict, elements, records on the page, severity
    (LEAK, (NOTE, NAME_AND_BIRTH), 1, Severity.CRITICAL),
    (LEAK, (NOTE, MASKED_ID), 1, Severity.CRITICAL),
    (LEAK, (NOTE,), 1, Severity.HIGH),
    (LEAK, (ID,), 1, Severity.HIGH),
    (LEAK, (NAME_AND_BIRTH,), 9, Severity.HIGH),
    (LEAK, (ID,), 10, Severity.CRITICAL),
    (LEAK, (MASKED_ID,), 1, Severity.MEDIUM),
    (LEAK, (MASKED_ID,), 10, Severity.HIGH),
    (SUSPICIOUS, (MASKED_ID,), 1, Severity.MEDIUM),
    (SUSPICIOUS, (NOTE,), 1, Severity.MEDIUM),
    (SUSPICIOUS, (NAME_AND_BIRTH,), 1, Severity.LOW),
    (SUSPICIOUS, (NAME_AND_BIRTH,), 10, Severity.MEDIUM),
    (LEAK, (NOTE, NAME_AND_BIRTH), 10_000, Severity.CRITICAL),
]


def told(*matches, page_id=PAGE_ID, known=None):
    """Triage one page with these matches."""
    return triage(
        page_id=page_id,
        site="paste-site",
        seen_at=NOW,
        published_at=None,
        matches=matches,
        open_alerts=known or {},
        evidence="2026/11/x",
    )


def after(alert: Alert, update) -> Alert:
    """Return the alert as the database holds it after the update."""
    return replace(
        alert,
        kinds=update.kinds,
        score=update.score,
        severity=update.severity,
        verdict=update.verdict,
        last_seen=update.last_seen,
        sightings=(*alert.sightings, update.sighting) if update.sighting else alert.sightings,
    )


@pytest.mark.parametrize(("verdict", "elements", "records", "severity"), SEVERITIES)
def test_severity_follows_the_table(verdict, elements, records, severity):
    """The severity is the one of the table in docs/alerts.md."""
    assert severity_of(match(1, *elements, verdict=verdict), records) is severity


def test_one_page_makes_one_notice_for_all_its_records():
    """Seventy records on one page are seventy alerts, one incident, one message with fifty lines and the count."""
    raised = told(*(match(number) for number in range(70)))
    assert len({alert.alert_id for alert in raised.new}) == 70
    assert {alert.incident for alert in raised.new} == {raised.notice.incident}
    assert (len(raised.notice.lines), raised.notice.total) == (MOST_LINES, 70)


def test_incident_depends_on_the_page_alone():
    """The same page gives the same incident again, another page another one."""
    again = told(match(1)).notice.incident
    assert told(match(1)).notice.incident == again
    assert told(match(1), page_id="f" * 32).notice.incident != again


def test_another_page_is_a_sighting_and_no_message():
    """A second page about the same record adds a sighting to the open alert and stays quiet."""
    alert = told(match(1)).new[0]
    raised = told(match(1), page_id="f" * 32, known={alert.handle: alert})
    assert raised.new == ()
    assert raised.notice is None
    assert [update.sighting.page_id for update in raised.sightings] == ["f" * 32]


def test_the_same_page_again_changes_nothing():
    """Triage of a page that is a sighting already has no effect."""
    alert = told(match(1)).new[0]
    raised = told(match(1), known={alert.handle: alert})
    assert (raised.new, raised.sightings, raised.notice) == ((), (), None)


def test_a_rise_is_told_once_and_in_the_same_thread():
    """Suspicious that becomes a leak is told again, following the first message; the same rise never twice."""
    alert = told(match(1, NAME_AND_BIRTH, verdict=SUSPICIOUS, score=0.7)).new[0]
    first = told(match(1, NOTE, ID), page_id="e" * 32, known={alert.handle: alert})
    line = first.notice.lines[0]
    assert (line.risen, line.severity, line.verdict, line.sightings) == (True, Severity.CRITICAL, LEAK, 2)
    assert first.notice.follows == (alert.incident,)
    assert first.notice.incident != alert.incident
    assert told(match(1, NOTE, ID), page_id="e" * 32, known={alert.handle: alert}).notice == first.notice
    risen = after(alert, first.sightings[0])
    assert told(match(1, NOTE, ID), page_id="d" * 32, known={alert.handle: risen}).notice is None


def test_nothing_ever_sinks():
    """A weaker sighting lowers neither severity, verdict, score nor kinds of the alert."""
    alert = told(match(1, NOTE, ID)).new[0]
    weak = match(1, NAME_AND_BIRTH, verdict=SUSPICIOUS, score=0.6)
    raised = told(weak, page_id="e" * 32, known={alert.handle: alert})
    update = raised.sightings[0]
    assert (update.severity, update.verdict, update.score) == (alert.severity, LEAK, 0.97)
    assert set(alert.kinds) <= set(update.kinds)
    assert raised.notice is None


def test_two_matches_of_one_record_are_one_alert():
    """Matches of the same record on one page are joined."""
    raised = told(match(1, NAME_AND_BIRTH, verdict=SUSPICIOUS, score=0.6), match(1, ID))
    assert len(raised.new) == 1
    assert (raised.new[0].verdict, raised.new[0].kinds) == (LEAK, ("birth_date", "person_name", "resident_id"))


def test_no_matches_no_message():
    """A page without matches raises nothing."""
    raised = told()
    assert (raised.new, raised.sightings, raised.notice) == ((), (), None)


def test_site_problem_is_one_alert_while_it_lasts():
    """The same trouble of a site is told once; a new reason word is told again in the same thread."""
    first = problem(Subject.SITE, "paste-site", ["blocked"], seen_at=NOW)
    alert = first.new[0]
    assert (first.notice.severity, first.notice.lines[0].kinds) == (Severity.MEDIUM, ("blocked",))
    same = problem(Subject.SITE, "paste-site", ["blocked"], seen_at=NOW, open_alert=alert)
    assert (same.new, same.notice) == ((), None)
    more = problem(Subject.SITE, "paste-site", ["silent"], seen_at=NOW, open_alert=alert)
    assert more.notice.follows == (alert.incident,)
    assert more.sightings[0].kinds == ("blocked", "silent")


def test_system_problem_is_high():
    """Trouble of the system itself is high, and needs no site."""
    assert problem(Subject.SYSTEM, "", ["internal-error"], seen_at=NOW).notice.severity is Severity.HIGH


@given(st.lists(st.integers(0, 5), max_size=30))
def test_any_order_of_pages_gives_one_alert_per_record(records):
    """However pages about records follow each other, every record has one open alert with all its sightings."""
    known: dict[bytes, Alert] = {}
    for number, record in enumerate(records):
        raised = told(match(record), page_id=f"{number:032x}", known=known)
        known |= {alert.handle: alert for alert in raised.new}
        by_id = {alert.alert_id: alert for alert in known.values()}
        for update in raised.sightings:
            known[by_id[update.alert_id].handle] = after(by_id[update.alert_id], update)
    assert len(known) == len(set(records))
    assert sum(len(alert.sightings) for alert in known.values()) == len(records)


def test_alert_ids_are_crockford_and_random():
    """Ten thousand ids are different and free of letters that are misread."""
    ids = {new_alert_id() for _ in range(10_000)}
    assert len(ids) == 10_000
    assert not set("ILOU") & set("".join(one[3:] for one in ids))
