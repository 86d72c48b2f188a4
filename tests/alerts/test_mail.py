"""The message: its headers, its words, and that nothing else can be in it."""

import itertools
import random
from dataclasses import replace
from datetime import timedelta, timezone
from email import message_from_bytes, policy

import pytest

from alerts import words
from alerts.interface import Notice
from alerts.mail import HEADERS, compose, wire
from alerts.triage import problem, triage
from model.alert import Subject
from model.errors import DeliveryError
from tests.alerts.captures import NOW, decoded, element, match, page
from tests.alerts.test_notice import LINE, NOTICE

SENDER = "spillwatch@hospital.example"
TO = ["security@hospital.example", "privacy@hospital.example"]
CHINA = timezone(timedelta(hours=8))

BREAKS = ["\n", "\r", "\r\n", "\n ", "\r\n\t", "\x0b", "\x0c", "\x85", "\u2028", "\0", "%0a", "=?UTF-8?Q?=0A?=",
          "=?utf-8?b?Cg==?=", "=?utf-8?q?=0D=0A?="]  # fmt: skip
TAILS = ["Bcc: x@evil.example", "To: x@evil.example", "Content-Type: text/html", "\nBody", "X: y"]
PAYLOADS = [
    *(f"a{line_end}{tail}" for line_end, tail in itertools.product(BREAKS, TAILS)),
    *(f"{line_end}{tail}" for line_end, tail in itertools.product(BREAKS[:8], TAILS)),
]


def lawful(notice: Notice = NOTICE, language: str = "en", sender: str = SENDER, to=TO):
    """Return the composed message."""
    return compose(notice, sender=sender, to=to, language=language, now=NOW, zone=CHINA)


def bodies(sent: bytes) -> str:
    """Return text and HTML of the bytes."""
    read = message_from_bytes(sent)  # the old policy leaves headers alone, which are not asked for here
    leaves = [part for part in read.walk() if not part.is_multipart()]
    parts = {part.get_content_type(): part.get_payload(decode=True).decode() for part in leaves}
    return parts["text/plain"] + parts["text/html"]


@pytest.mark.parametrize("language", words.LANGUAGES)
def test_headers_are_exactly_the_meant_ones(language):
    """Read by a fresh parser, the message has every header once and no other."""
    read = message_from_bytes(wire(lawful(language=language)), policy=policy.default)
    assert sorted(read.keys()) == sorted(HEADERS)
    assert read["Message-ID"] == f"<{NOTICE.incident}.spillwatch@hospital.example>"
    assert read["References"] == f"<{'cd' * 16}.spillwatch@hospital.example>"
    assert read["Auto-Submitted"] == "auto-generated"
    assert "SW-0123ABCD" in read["Subject"]
    assert words.SEVERITIES[language][NOTICE.severity] in read["Subject"]


def test_a_repeat_has_the_same_message_id():
    """Composed later, the message differs in its date alone."""
    later = compose(NOTICE, sender=SENDER, to=TO, now=NOW + timedelta(days=1), zone=CHINA)
    first, second = wire(lawful()).splitlines(), wire(later).splitlines()
    assert [one[:5] for one, other in zip(first, second, strict=True) if one != other] == [b"Date:"]


@pytest.mark.parametrize("language", words.LANGUAGES)
def test_body_says_what_people_need(language):
    """Text and HTML each name alert, severity, kinds, site, both times and the commands."""
    read = message_from_bytes(wire(lawful(language=language)), policy=policy.default)
    for kind in ("plain", "html"):
        body = read.get_body((kind,)).get_content()
        for needed in (
            "SW-0123ABCD",
            words.SEVERITIES[language][NOTICE.severity],
            words.KINDS[language]["person_name"],
            "paste-site",
            "2026-11-24 00:30:00 UTC",
            "2026-11-24 08:30:00 (+08:00)",
            "spillwatch show SW-0123ABCD",
            "spillwatch acknowledge SW-0123ABCD",
            "spillwatch evidence verify",
        ):
            assert needed in body


def test_nothing_is_loaded_from_elsewhere():
    """The HTML holds no link, no picture, no script and no style sheet."""
    html = message_from_bytes(wire(lawful()), policy=policy.default).get_body(("html",)).get_content().lower()
    for forbidden in ("http:", "https:", "src=", "href=", "url(", "<script", "<style", "<img", "@import"):
        assert forbidden not in html


def test_what_is_not_listed_is_counted():
    """Twenty more alerts than lines are a number and a command."""
    assert "20" in bodies(wire(lawful(replace(NOTICE, total=21))))


def test_a_kind_without_a_word_is_shown_by_its_name():
    """A new kind needs no new vocabulary to be told."""
    assert "donor_card" in bodies(wire(lawful(replace(NOTICE, lines=(replace(LINE, kinds=("donor_card",)),)))))


def test_languages_have_the_same_vocabulary():
    """Every word exists in English and in Chinese."""
    for table in (words.KINDS, words.LABELS, words.SEVERITIES, words.VERDICTS, words.HEADLINES, words.SUBJECTS):
        assert set(table["en"]) == set(table["zh"])


@pytest.mark.parametrize("where", ["sender", "to", "site", "site_class", "alert_id", "kinds", "incident", "follows"])
def test_header_injection_is_refused(where):
    """Each of more than a hundred payloads, in each field that could carry one, is refused before it is composed."""
    for payload in PAYLOADS:
        changed = {
            "sender": lambda text: lawful(sender=text),
            "to": lambda text: lawful(to=[text]),
            "alert_id": lambda text: lawful(replace(NOTICE, lines=(replace(LINE, alert_id=text),))),
            "kinds": lambda text: lawful(replace(NOTICE, lines=(replace(LINE, kinds=(text,)),))),
            "follows": lambda text: lawful(replace(NOTICE, follows=(text,))),
        }.get(where, lambda text: lawful(replace(NOTICE, **{where: text})))
        with pytest.raises(DeliveryError):
            changed(payload)


@pytest.mark.parametrize("payload", PAYLOADS)
def test_a_header_that_slips_in_does_not_leave(payload):
    """Even past the composer: a message that reads differently from what was meant never becomes bytes to send."""
    message = lawful()
    del message["Subject"]
    try:
        message["Subject"] = payload
    except ValueError:
        return  # this Python refuses it by itself
    try:
        sent = wire(message)
    except (DeliveryError, ValueError):
        return
    read = message_from_bytes(sent, policy=policy.default)
    assert sorted(read.keys()) == sorted(HEADERS)
    assert "evil.example" not in str(read["To"])


def test_an_added_header_does_not_leave():
    """A header that is not in the list of headers is refused, and so is a doubled one."""
    message = lawful()
    message["Bcc"] = "x@evil.example"
    with pytest.raises(DeliveryError, match="headers"):
        wire(message)
    doubled = lawful()
    doubled["X-Spillwatch-Incident"] = "0" * 32
    with pytest.raises(DeliveryError, match="headers"):
        wire(doubled)


def test_four_hundred_and_more_payloads_were_tried():
    """The table is as large as it claims to be."""
    assert len(PAYLOADS) * 8 >= 500


def test_content_never_reaches_a_message():
    """2,000 notices made from hostile pages hold no four characters of the page that the same notice without it lacks.

    The strongest form: the bytes do not depend on the page's text at all.
    """
    source = random.Random(7)
    alphabet = "赵钱孙李周吴郑王冯陈褚卫蒋沈韩杨朱秦尤许何吕施张孔曹严华金魏陶姜" + "qzxvjk0123456789"
    for number in range(1_000):
        text = "".join(source.choices(alphabet, k=120))
        shown = page(f"{number:032x}", text=text)
        read = decoded(text)
        found = match(number, element("person_name", "phone", role="conjunction"), element("note"))
        raised = triage(
            page_id=shown.page_id,
            site=shown.site,
            seen_at=NOW,
            published_at=None,
            matches=[found],
            open_alerts={},
            evidence="2026/11/x",
            new_id=lambda: "SW-00000000",
        )
        trouble = problem(Subject.SITE, shown.site, ["blocked"], seen_at=NOW, new_id=lambda: "SW-00000000")
        for notice in (raised.notice, trouble.notice):
            sent = wire(lawful(notice, "zh" if number % 2 else "en"))
            told = sent.decode() + bodies(sent)
            incident = notice.incident
            grams = {read.passages[0].text[at : at + 4] for at in range(len(text) - 3)}
            assert not any(gram in told.replace(incident, "") for gram in grams if not gram.isdigit())
