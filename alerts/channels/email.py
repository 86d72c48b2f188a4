"""E-mail over SMTP: STARTTLS (RFC 3207) or implicit TLS (RFC 8314), certificate verified, login if configured."""

import os
import smtplib
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TypeVar

import structlog

from alerts.interface import Channel, EmailSettings, Notice
from alerts.mail import compose, wire
from model.errors import DeliveryError

Answer = TypeVar("Answer")

SECONDS = 30.0

log = structlog.get_logger(__name__)


def _now() -> datetime:
    return datetime.now(UTC)


def _no_password() -> str | None:
    return None


class EmailChannel(Channel):
    """Sends each message to all recipients over one verified connection."""

    name = "email"

    def __init__(
        self,
        settings: EmailSettings,
        *,
        password: Callable[[], str | None] = _no_password,
        clock: Callable[[], datetime] = _now,
        seconds: float = SECONDS,
    ) -> None:
        """Take the settings, and how to get the password when one is needed (it is never kept)."""
        self._settings = settings
        self._password = password
        self._clock = clock
        self._seconds = seconds
        self._accepted: dict[str, set[str]] = {}

    def deliver(self, notice: Notice) -> None:
        """Send the notice; returning means the server took it for every recipient.

        After a partial refusal a repeat goes only to those who were refused, as long as this process lives.
        Raises `DeliveryError` with the number of refusals and the SMTP codes, never a server's words or an address.
        """
        settings = self._settings
        now = self._clock()
        sent = wire(compose(notice, sender=settings.sender, to=settings.to, language=settings.language, now=now))
        accepted = self._accepted.setdefault(notice.incident, set())
        due = [address for address in settings.to if address not in accepted]
        with _session(settings, self._password, self._seconds) as server:
            refused = _send(server, settings.sender, due, sent)
        accepted.update(address for address in due if address not in refused)
        if refused:
            raise DeliveryError(
                f"{len(refused)} of {len(settings.to)} recipients were refused (SMTP {_codes(refused)}); "
                "it stays in the outbox; see `alerts: email: to:`"
            )
        del self._accepted[notice.incident]

    def reach(self) -> None:
        """Connect, verify the certificate and log in, without sending; for `spillwatch doctor`.

        Raises `DeliveryError` saying which step failed.
        """
        with _session(self._settings, self._password, self._seconds) as server:
            code = _step("greeting", server.noop)[0]
        if code != 250:
            raise DeliveryError(f"the mail server does not answer as one (SMTP {code})")


@contextmanager
def _session(settings: EmailSettings, password: Callable[[], str | None], seconds: float) -> Iterator[smtplib.SMTP]:
    """Give a connection that is encrypted, verified and logged in; it is closed whatever happens."""
    if settings.security not in {"starttls", "tls"}:
        raise DeliveryError("`alerts: email: security:` must be starttls or tls; there is no plain")
    context = _context(settings)
    server = _step("connection", lambda: _connected(settings, context, seconds))
    try:
        if settings.security == "starttls":
            _step("STARTTLS", lambda: server.starttls(context=context))
        if settings.user is not None:
            _log_in(server, settings.user, password())
        yield server
    finally:
        server.close()


def _connected(settings: EmailSettings, context: ssl.SSLContext, seconds: float) -> smtplib.SMTP:
    if settings.security == "tls":
        return smtplib.SMTP_SSL(settings.host, settings.port, timeout=seconds, context=context)
    return smtplib.SMTP(settings.host, settings.port, timeout=seconds)


def _log_in(server: smtplib.SMTP, user: str, password: str | None) -> None:
    if password is None:
        raise DeliveryError("there is a user but no password; set `alerts: email: password:`")
    _step("login", lambda: server.login(user, password))


def _send(server: smtplib.SMTP, sender: str, to: list[str], sent: bytes) -> Mapping[str, int]:
    """Hand the bytes over; return address → SMTP code of those that were refused."""

    def send() -> Mapping[str, tuple[int, bytes]]:
        try:
            return server.sendmail(sender, to, sent)
        except smtplib.SMTPRecipientsRefused as err:
            return err.recipients

    refused = {address: code for address, (code, _) in _step("message", send).items()}
    try:
        server.quit()
    except (smtplib.SMTPException, OSError) as err:
        # A server that hangs up after accepting has accepted.
        log.debug("mail server hung up", kind=type(err).__name__)
    return refused


def _step(what: str, action: Callable[[], Answer]) -> Answer:
    """Return what the action returns; whatever it raises becomes a `DeliveryError` in our own words."""
    try:
        return action()
    except ssl.SSLCertVerificationError as err:
        raise DeliveryError(
            f"the mail server's certificate is not trusted (check {err.verify_code}); nothing was sent; see `ca_file:`"
        ) from err
    except ssl.SSLError as err:
        raise DeliveryError(
            f"no encrypted connection to the mail server at {what}; see `security:` and `port:`"
        ) from err
    except smtplib.SMTPNotSupportedError as err:
        raise DeliveryError(
            f"the mail server does not offer {what}; nothing was sent; see `security:` and `port:`"
        ) from err
    except smtplib.SMTPResponseException as err:
        raise DeliveryError(f"the mail server refused the {what} (SMTP {err.smtp_code}); nothing was accepted") from err
    except smtplib.SMTPException as err:
        raise DeliveryError(
            f"the mail server failed at the {what} ({type(err).__name__}); nothing was accepted"
        ) from err
    except OSError as err:
        reason = os.strerror(err.errno) if err.errno and err.errno > 0 else type(err).__name__
        raise DeliveryError(
            f"the mail server cannot be reached at the {what} ({reason}); see `host:`, `port:`"
        ) from err


def _context(settings: EmailSettings) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=str(settings.ca_file) if settings.ca_file else None)
    except (OSError, ssl.SSLError) as err:
        raise DeliveryError("the file of `alerts: email: ca_file:` is not a readable PEM certificate") from err
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _codes(refused: Mapping[str, int]) -> str:
    return ", ".join(str(code) for code in sorted(set(refused.values())))
