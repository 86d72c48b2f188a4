"""Silence is never success: what the line itself suffers from becomes an alert of its own."""

from collections.abc import Sequence
from datetime import datetime

import structlog

from alerts import triage
from alerts.notice import notice_to_json
from app.stores import Stores
from model.alert import Subject
from storage.database import Transaction

log = structlog.get_logger(__name__)


def report_problem(
    stores: Stores,
    channels: Sequence[str],
    subject: Subject,
    site: str,
    reasons: Sequence[str],
    at: datetime,
    *,
    site_class: str = "",
) -> None:
    """Raise (or renew) the alert about a site or the system, in a transaction of its own."""
    with stores.database.transaction() as tx:
        raised = report_within(tx, stores, channels, subject, site, reasons, at, site_class=site_class)
    log.warning("problem reported", subject=subject, site=site, reasons=list(reasons), told=raised)


def report_within(
    tx: Transaction,
    stores: Stores,
    channels: Sequence[str],
    subject: Subject,
    site: str,
    reasons: Sequence[str],
    at: datetime,
    *,
    site_class: str = "",
) -> bool:
    """The same inside the caller's transaction; tell whether people get a message."""
    known = stores.alerts.open_problem(tx, subject, site)
    raised = triage.problem(subject, site, reasons, seen_at=at, open_alert=known, site_class=site_class)
    return write(tx, stores, channels, raised, at)


def write(tx: Transaction, stores: Stores, channels: Sequence[str], raised: triage.Triage, at: datetime) -> bool:
    """Store what triage decided, and the message about it, in the caller's transaction."""
    for alert in raised.new:
        stores.alerts.raise_alert(tx, alert)
    for update in raised.sightings:
        stores.alerts.update(tx, update)
    if raised.notice is None:
        return False
    for channel in channels:
        stores.outbox.add(tx, raised.notice.incident, channel, notice_to_json(raised.notice), at)
    return True
