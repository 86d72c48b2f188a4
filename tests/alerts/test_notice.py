"""The law of messages and the JSON of the outbox."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.interface import Notice, NoticeLine
from alerts.notice import notice_from_json, notice_to_json
from model.alert import Severity, Subject
from model.errors import DeliveryError
from model.match import Verdict
from tests.alerts.captures import NOW

LINE = NoticeLine("SW-0123ABCD", Severity.HIGH, Verdict.LEAK, ("person_name", "phone"), 0.9, 2)
NOTICE = Notice("ab" * 16, Subject.RECORD, Severity.HIGH, "paste-site", NOW, (LINE,), 1, "bepasty", ("cd" * 16,))
HOSTILE = ["钟离未央", "a\nBcc: x@x.example", "=?UTF-8?Q?=0A?=Bcc: x", "", " ", "A" * 100, "x@y", "../../etc", None, 7]
FIELDS = ["incident", "subject", "severity", "first_seen", "lines", "total"]
LINE_FIELDS = ["alert_id", "severity", "score", "sightings", "risen"]


def test_json_gives_the_notice_back():
    """What is written to the outbox is read as the same notice."""
    assert notice_from_json(notice_to_json(NOTICE)) == NOTICE


@given(st.integers(0, 10**6), st.sampled_from(Severity), st.floats(0, 1), st.sampled_from([None, *Verdict]))
def test_json_gives_any_lawful_notice_back(total, severity, score, verdict):
    """Every lawful notice survives the outbox."""
    line = replace(LINE, severity=severity, score=score, verdict=verdict, sightings=total)
    notice = replace(NOTICE, lines=(line,), total=total + 1)
    assert notice_from_json(notice_to_json(notice)) == notice


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("value", [one for one in HOSTILE if one != 7])
def test_unlawful_field_is_refused_by_name(field, value):
    """A field that is not of its form is refused; the error names the field and not the value."""
    with pytest.raises(DeliveryError, match=field) as caught:
        notice_to_json(replace(NOTICE, **{field: value}))
    assert not (isinstance(value, str) and len(value) > 3 and value in str(caught.value))


@pytest.mark.parametrize("value", ["钟离未央", "a\nBcc: x", "-x", "A", "x" * 65, "a b", None, 7])
@pytest.mark.parametrize("field", ["site", "site_class"])
def test_unlawful_site_is_refused(field, value):
    """A site's name is the operator's short word or nothing is sent."""
    with pytest.raises(DeliveryError, match="site"):
        notice_to_json(replace(NOTICE, **{field: value}))


@pytest.mark.parametrize("field", LINE_FIELDS)
@pytest.mark.parametrize("value", ["钟离未央", "SW-0123ABCI", "SW-0123ABCD\n", -1, float("nan"), 2.5, []])
def test_unlawful_line_is_refused(field, value):
    """A line is held to the same law."""
    with pytest.raises(DeliveryError):
        notice_to_json(replace(NOTICE, lines=(replace(LINE, **{field: value}),)))


@pytest.mark.parametrize("kind", ["钟离未央", "Phone", "a b", "a\n", "", "1x", "x" * 41, None])
def test_unlawful_kind_is_refused(kind):
    """A kind is a file name of ours, never text."""
    with pytest.raises(DeliveryError, match="kinds"):
        notice_to_json(replace(NOTICE, lines=(replace(LINE, kinds=(kind,)),)))


@pytest.mark.parametrize(
    "change",
    [
        lambda tree: tree.pop("site"),
        lambda tree: tree.update(text="x"),
        lambda tree: tree.update(version=2),
        lambda tree: tree.update(first_seen="2026-11-24T00:00:00"),
        lambda tree: tree.update(first_seen=5),
        lambda tree: tree.update(lines={}),
        lambda tree: tree.update(lines=[7]),
        lambda tree: tree.update(severity=["high"]),
        lambda tree: tree["lines"][0].update(excerpt="x"),
        lambda tree: tree["lines"][0].update(verdict="certain"),
        lambda tree: tree["lines"][0].update(kinds="phone"),
        lambda tree: tree["lines"][0].update(risen=1),
        lambda tree: tree.update(total=0),
    ],
)
def test_json_that_is_not_exactly_a_notice_is_refused(change):
    """Missing, unknown and misshapen fields of an outbox row are refused."""
    tree = json.loads(notice_to_json(NOTICE))
    change(tree)
    with pytest.raises(DeliveryError):
        notice_from_json(json.dumps(tree))


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "7"])
def test_no_json_is_refused(text):
    """An outbox row that holds no notice at all is refused."""
    with pytest.raises(DeliveryError):
        notice_from_json(text)
