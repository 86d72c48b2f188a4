"""A notice as an e-mail message, and the bytes that may leave.

Composed from the typed notice alone: fixed words, references, numbers and times. Before the bytes leave they are parsed
again by two readers that share no code with the composer, and every header must be one that was meant, once, with the
value that was meant: a newline hidden in an encoded word (CVE-2024-6923) would show as a header too many.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from email import policy
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.parser import BytesParser
from email.utils import format_datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from alerts import words
from alerts.advice import advice
from alerts.interface import Notice, NoticeLine
from alerts.notice import require_lawful
from model.alert import Severity, Subject
from model.errors import DeliveryError

ADDRESS = re.compile(r"[A-Za-z0-9][A-Za-z0-9._%+-]{0,63}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,200}[A-Za-z0-9])?")
HEADERS = (
    "From",
    "To",
    "Subject",
    "Date",
    "Message-ID",
    "In-Reply-To",
    "References",
    "Auto-Submitted",
    "X-Auto-Response-Suppress",
    "Importance",
    "X-Spillwatch-Incident",
    "X-Spillwatch-Severity",
    "X-Spillwatch-Subject",
    "X-Spillwatch-Alerts",
    "MIME-Version",
    "Content-Type",
)
"""Every header a message may carry; two of them only where they apply."""

COLOURS: Mapping[Severity, str] = {
    Severity.CRITICAL: "#a4161a",
    Severity.HIGH: "#c2410c",
    Severity.MEDIUM: "#8a6100",
    Severity.LOW: "#3f5a73",
}

ENVIRONMENT = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=select_autoescape(("html.jinja",)),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)


def compose(
    notice: Notice,
    *,
    sender: str,
    to: Sequence[str],
    language: str = "en",
    now: datetime,
    zone: tzinfo | None = None,
) -> EmailMessage:
    """Return the message about a notice, text and HTML, in `en` or `zh`.

    `zone` is the local time shown beside UTC; None means this machine's. Message-ID, References and MIME boundary
    come from the incident alone, so a repeat is recognised as one.
    Raises `DeliveryError` naming the field that is not lawful.
    """
    require_lawful(notice)
    _require_addresses(sender, to)
    if language not in words.LANGUAGES:
        raise DeliveryError("not sent: the language is not one of en, zh; see `language:` of the channel")
    message = EmailMessage(policy=policy.SMTP)
    for name, value in _headers(notice, sender, to, language, now).items():
        message[name] = value
    told = _told(notice, language, zone)
    message.set_content(ENVIRONMENT.get_template("notice.txt.jinja").render(told), charset="utf-8", cte="base64")
    message.add_alternative(
        ENVIRONMENT.get_template("notice.html.jinja").render(told), subtype="html", charset="utf-8", cte="base64"
    )
    message.set_boundary(f"=-spillwatch-{notice.incident}")
    return message


def wire(message: EmailMessage) -> bytes:
    """Return the bytes of the message, once two fresh readings of them found exactly the headers that were meant.

    Raises `DeliveryError` if a header is new, lost, doubled or different.
    """
    meant = [(name, str(message[name])) for name in HEADERS if name in message]
    if sorted(name.lower() for name in message) != sorted(name.lower() for name, _ in meant):
        raise _forged()
    sent = message.as_bytes(policy=policy.SMTP)
    expected = sorted((name.lower(), _flat(value)) for name, value in meant)
    read = BytesParser(policy=policy.compat32).parsebytes(sent, headersonly=True)
    parsed = sorted((name.lower(), _decoded(value)) for name, value in read.items())
    if parsed != expected or _names_by_hand(sent) != [name for name, _ in expected]:
        raise _forged()
    return sent


def message_id(incident: str, sender: str) -> str:
    """Return the Message-ID of an incident's message; the same for every attempt."""
    return f"<{incident}.spillwatch@{sender.rpartition('@')[2]}>"


def subject_line(notice: Notice, language: str) -> str:
    """Return the subject: fixed words, the site's name, and the alert's id or the number of alerts."""
    severity = words.SEVERITIES[language][notice.severity]
    what = words.SUBJECTS[language][notice.subject]
    first = notice.lines[0].alert_id
    count = first if notice.total == 1 else f"{first} +{notice.total - 1}"
    where = f" ({notice.site})" if notice.site else ""
    if language == "zh":
        return f"[Spillwatch] {what} {severity}: {count}{where}"
    return f"[Spillwatch] {severity} {what} {count}{where}"


def _headers(notice: Notice, sender: str, to: Sequence[str], language: str, now: datetime) -> dict[str, str]:
    """Return the headers in order. MIME-Version and Content-Type come with the content."""
    headers = {
        "From": f"Spillwatch <{sender}>",
        "To": ", ".join(to),
        "Subject": subject_line(notice, language),
        "Date": format_datetime(now.astimezone(UTC)),
        "Message-ID": message_id(notice.incident, sender),
    }
    if notice.follows:
        earlier = [message_id(incident, sender) for incident in notice.follows]
        headers["In-Reply-To"] = earlier[-1]
        headers["References"] = " ".join(earlier)
    headers["Auto-Submitted"] = "auto-generated"
    headers["X-Auto-Response-Suppress"] = "All"
    headers["Importance"] = "high" if notice.severity in {Severity.CRITICAL, Severity.HIGH} else "normal"
    headers["X-Spillwatch-Incident"] = notice.incident
    headers["X-Spillwatch-Severity"] = notice.severity.value
    headers["X-Spillwatch-Subject"] = notice.subject.value
    headers["X-Spillwatch-Alerts"] = str(notice.total)
    return headers


def _told(notice: Notice, language: str, zone: tzinfo | None) -> dict[str, Any]:
    """Return everything the templates may show."""
    label = words.LABELS[language]
    about_record = notice.subject is Subject.RECORD
    return {
        "label": label,
        "language": "zh-CN" if language == "zh" else "en",
        "headline": _headline(notice, language),
        "severity": words.SEVERITIES[language][notice.severity],
        "colour": COLOURS[notice.severity],
        "site": notice.site or label["system"],
        "site_class": notice.site_class,
        "utc": f"{notice.first_seen.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC",
        "local": _local(notice.first_seen, zone),
        "incident": notice.incident,
        "total": notice.total,
        "hidden": notice.total - len(notice.lines),
        "kinds_label": label["kinds_record" if about_record else "kinds_problem"],
        "lines": [_line_told(line, language, about_record) for line in notice.lines],
        "first": notice.lines[0].alert_id,
        "about_record": about_record,
        "advice": () if about_record else advice((kind for line in notice.lines for kind in line.kinds), language),
    }


def _line_told(line: NoticeLine, language: str, about_record: bool) -> dict[str, Any]:
    label = words.LABELS[language]
    seen = label["sightings_one"] if line.sightings == 1 else label["sightings_many"].format(count=line.sightings)
    return {
        "alert_id": line.alert_id,
        "severity": words.SEVERITIES[language][line.severity],
        "colour": COLOURS[line.severity],
        "verdict": words.VERDICTS[language].get(line.verdict, "") if line.verdict else "",
        "kinds": label["separator"].join(dict.fromkeys(words.kind_word(kind, language) for kind in line.kinds)),
        "seen": seen if about_record else "",
        "risen": line.risen,
    }


def _headline(notice: Notice, language: str) -> str:
    if notice.subject is Subject.RECORD and all(line.risen for line in notice.lines):
        return words.HEADLINES_RISEN[language]
    if notice.subject is Subject.RECORD and notice.total > 1:
        return words.HEADLINES_MANY[language]
    return words.HEADLINES[language][notice.subject]


def _local(moment: datetime, zone: tzinfo | None) -> str:
    """Return the local time with its offset, or nothing where local time is UTC."""
    local = moment.astimezone(zone)
    if not local.utcoffset():
        return ""
    offset = f"{local:%z}"
    return f"{local:%Y-%m-%d %H:%M:%S} ({offset[:3]}:{offset[3:5]})"


def _require_addresses(sender: str, to: Sequence[str]) -> None:
    if not ADDRESS.fullmatch(sender):
        raise DeliveryError("not sent: the sender is not a plain mail address; see `sender:` of the channel")
    if not to or not all(ADDRESS.fullmatch(address) for address in to):
        raise DeliveryError("not sent: a recipient is not a plain mail address; see `to:` of the channel")


def _names_by_hand(sent: bytes) -> list[str]:
    """Return the header names of raw bytes, read line by line, sorted; a line that is none makes the list differ."""
    block = sent.partition(b"\r\n\r\n")[0]
    names = []
    for line in re.split(rb"\r\n|\r|\n", block):
        if line[:1] in {b" ", b"\t"}:
            continue
        names.append(line.partition(b":")[0].decode("ascii", "replace").lower())
    return sorted(names)


def _decoded(value: object) -> str:
    return _flat(str(make_header(decode_header(str(value)))))


def _flat(value: str) -> str:
    """Undo folding: a line end and the white space after it is one space."""
    return re.sub(r"\r?\n[ \t]+", " ", value).strip()


def _forged() -> DeliveryError:
    return DeliveryError(
        "not sent: the headers of the composed message are not the ones that were meant; "
        "report this as a fault of Spillwatch (the alert itself is stored and can be shown)"
    )
