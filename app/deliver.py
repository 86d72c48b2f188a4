"""DELIVER: outbox → channels; retried until accepted."""

from collections.abc import Mapping
from datetime import datetime

import structlog

from alerts.channels.email import EmailChannel
from alerts.channels.spool import SpoolChannel
from alerts.interface import Channel
from alerts.notice import notice_from_json
from app.config import Config
from app.secret import resolve
from model.errors import DeliveryError
from storage.outbox import Outbox

log = structlog.get_logger(__name__)


def open_channels(config: Config) -> Mapping[str, Channel]:
    """Return the channels by name; secrets are resolved only when one is used to deliver."""
    channels: dict[str, Channel] = {}
    if config.alerts.email:
        reference, folder = config.alerts.email.password, config.path.parent
        channels["email"] = EmailChannel(
            config.alerts.email, password=lambda: resolve(reference, folder) if reference else None
        )
    if config.alerts.spool:
        channels["spool"] = SpoolChannel(config.alerts.spool)
    return channels


def deliver_due(outbox: Outbox, channels: Mapping[str, Channel], now: datetime) -> tuple[int, int]:
    """Hand over every message that is due; return how many were accepted and how many failed.

    A message whose channel is no longer configured stays in the outbox and counts as failed: removing a channel
    must not swallow what was on its way.
    """
    accepted = failed = 0
    while messages := outbox.due(now):
        for message in messages:
            try:
                if message.channel not in channels:
                    raise DeliveryError(f"the channel {message.channel} is not configured any more")
                channels[message.channel].deliver(notice_from_json(message.notice))
            except DeliveryError as error:
                failed += 1
                again = outbox.failed(message.message_id, now, "not-accepted")
                log.error(
                    "message not accepted", channel=message.channel, problem=str(error), again_at=again.isoformat()
                )
            else:
                accepted += 1
                outbox.accepted(message.message_id, now)
                log.info("message accepted", channel=message.channel, incident=message.incident)
    return accepted, failed
