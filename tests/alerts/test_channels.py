"""The two ways out, against a real SMTP server with TLS and login, and a real folder."""

import asyncio
import ipaddress
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from alerts.channels.email import EmailChannel
from alerts.channels.spool import SpoolChannel
from alerts.interface import EmailSettings, SpoolSettings
from alerts.mail import HEADERS
from model.errors import DeliveryError
from tests.alerts.captures import NOW
from tests.alerts.test_notice import NOTICE
from tests.servers.running import free_port

USER, PASSWORD = "watcher", "correct horse"
ONE, TWO = "security@hospital.example", "privacy@hospital.example"


@dataclass
class Mailbox:
    """Takes messages as told: `answers` maps a recipient to its SMTP reply, `data` is the reply to the message."""

    answers: dict[str, str] = field(default_factory=dict)
    data: str = "250 OK"
    received: list[tuple[list[str], bytes]] = field(default_factory=list)
    login: list[bool] = field(default_factory=list)

    async def handle_RCPT(self, server, session, envelope, address, options):  # noqa: N802
        """Answer for one recipient."""
        answer = self.answers.get(address, "250 OK")
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server, session, envelope):  # noqa: N802
        """Take or refuse the message."""
        if self.data.startswith("250"):
            self.received.append((list(envelope.rcpt_tos), envelope.original_content))
        return self.data

    def authenticate(self, server, session, envelope, mechanism, data):
        """Check user and password; a refusal is answered by the server (535)."""
        self.login.append(data.login == USER.encode() and data.password == PASSWORD.encode())
        return AuthResult(success=self.login[-1], handled=False)


class ImplicitTls(Controller):
    """The same server, encrypted from the first byte."""

    def factory(self):
        """Serve without STARTTLS: the socket is encrypted already."""
        return SMTP(self.handler, **self.SMTP_kwargs)


@pytest.fixture(scope="session")
def authority(tmp_path_factory) -> Path:
    """Return a folder with a certificate authority, a server certificate by it, and a stranger's authority."""
    folder = tmp_path_factory.mktemp("tls")
    key, certificate = _certificate("Test authority", None)
    (folder / "ca.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    server_key, server = _certificate("127.0.0.1", (key, certificate))
    (folder / "server.pem").write_bytes(
        server.public_bytes(serialization.Encoding.PEM)
        + server_key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    _, stranger = _certificate("Stranger", None)
    (folder / "stranger.pem").write_bytes(stranger.public_bytes(serialization.Encoding.PEM))
    return folder


def _certificate(name: str, issuer):
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer[1].subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=2))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
    )
    signer = issuer[0] if issuer else key
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    builder = builder.add_extension(
        x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
    )
    if issuer:
        address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
        builder = builder.add_extension(x509.SubjectAlternativeName([address]), critical=False)
    else:
        usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
        builder = builder.add_extension(usage, critical=True)
    return key, builder.sign(signer, hashes.SHA256())


@pytest.fixture(params=["starttls", "tls"])
def server(request, authority) -> Iterator[tuple[Mailbox, EmailSettings]]:
    """Return a running mail server and the settings that fit it, once per kind of encryption."""
    mailbox = Mailbox()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(authority / "server.pem")
    common = {"hostname": "127.0.0.1", "port": free_port(), "authenticator": mailbox.authenticate}
    common |= {"auth_required": True, "loop": asyncio.new_event_loop()}
    if request.param == "tls":
        controller = ImplicitTls(mailbox, ssl_context=context, auth_require_tls=False, **common)
    else:
        controller = Controller(mailbox, tls_context=context, require_starttls=True, **common)
    controller.start()
    settings = EmailSettings(
        to=(ONE, TWO),
        sender="spillwatch@hospital.example",
        host="127.0.0.1",
        port=controller.port,
        security=request.param,
        user=USER,
        ca_file=authority / "ca.pem",
    )
    yield mailbox, settings
    controller.stop()


def channel(settings: EmailSettings, password: str | None = PASSWORD) -> EmailChannel:
    """Return the channel under test."""
    return EmailChannel(settings, password=lambda: password, clock=lambda: NOW, seconds=10)


def test_message_arrives_encrypted_and_as_meant(server):
    """Over verified TLS and a login the message arrives once, for all recipients, with the meant headers only."""
    mailbox, settings = server
    channel(settings).deliver(NOTICE)
    [(recipients, sent)] = mailbox.received
    assert recipients == [ONE, TWO]
    read = message_from_bytes(sent, policy=policy.default)
    assert sorted(read.keys()) == sorted(HEADERS)
    assert "SW-0123ABCD" in read.get_body(("html",)).get_content()


def test_reach_sends_nothing(server):
    """The doctor's question connects, verifies and logs in, and sends no message."""
    mailbox, settings = server
    channel(settings).reach()
    assert (mailbox.login, mailbox.received) == ([True], [])


@pytest.mark.parametrize("ca", ["stranger.pem", None])
def test_untrusted_certificate_is_refused(server, authority, ca):
    """A certificate by an authority we do not know ends the connection before login and message."""
    mailbox, settings = server
    with pytest.raises(DeliveryError, match="certificate is not trusted"):
        channel(replace(settings, ca_file=authority / ca if ca else None)).deliver(NOTICE)
    assert (mailbox.login, mailbox.received) == ([], [])


def test_certificate_of_another_host_is_refused(server):
    """A trusted certificate that names another host is refused too."""
    mailbox, settings = server
    with pytest.raises(DeliveryError, match="certificate is not trusted"):
        channel(replace(settings, host="localhost")).deliver(NOTICE)
    assert mailbox.login == []


def test_wrong_password_is_told_by_code(server):
    """A refused login names the SMTP code and neither user nor password."""
    mailbox, settings = server
    with pytest.raises(DeliveryError, match=r"login \(SMTP 535\)") as caught:
        channel(settings, "wrong secret").deliver(NOTICE)
    assert "wrong secret" not in str(caught.value)
    assert USER not in str(caught.value)
    assert mailbox.received == []


def test_user_without_password_is_refused(server):
    """A user without a password never tries to log in."""
    mailbox, settings = server
    with pytest.raises(DeliveryError, match="no password"):
        channel(settings, None).deliver(NOTICE)
    assert mailbox.login == []


@pytest.mark.parametrize("answer", ["451 钟离未央 try later", "550 钟离未央 never", "452 full"])
def test_refused_message_stays(server, answer):
    """A 4xx or 5xx to the message is an error with the code, never with the server's words."""
    mailbox, settings = server
    mailbox.data = answer.encode("ascii", "replace").decode()
    with pytest.raises(DeliveryError, match=f"SMTP {answer[:3]}") as caught:
        channel(settings).deliver(NOTICE)
    assert not any(word in str(caught.value) for word in ("try later", "never", "full"))


def test_partial_refusal_is_an_error_and_the_repeat_goes_to_the_rest(server):
    """One refused recipient fails the delivery; the repeat reaches only her, with the same Message-ID."""
    mailbox, settings = server
    mailbox.answers = {TWO: "450 busy"}
    sender = channel(settings)
    with pytest.raises(DeliveryError, match=r"1 of 2 recipients were refused \(SMTP 450\)") as caught:
        sender.deliver(NOTICE)
    assert TWO not in str(caught.value)
    mailbox.answers = {}
    sender.deliver(NOTICE)
    assert [recipients for recipients, _ in mailbox.received] == [[ONE], [TWO]]
    assert len({message_from_bytes(sent)["Message-ID"] for _, sent in mailbox.received}) == 1


def test_all_refused_is_an_error(server):
    """When nobody is taken the count and all codes are told."""
    mailbox, settings = server
    mailbox.answers = {ONE: "550 no", TWO: "450 busy"}
    with pytest.raises(DeliveryError, match=r"2 of 2 .*450, 550"):
        channel(settings).deliver(NOTICE)
    assert mailbox.received == []


def test_no_server_is_an_error_that_says_where_to_look():
    """A closed port is a delivery error, quickly."""
    settings = EmailSettings(to=(ONE,), sender=TWO, host="127.0.0.1", port=free_port())
    with pytest.raises(DeliveryError, match="cannot be reached"):
        channel(settings).deliver(NOTICE)


def test_server_without_starttls_gets_nothing():
    """Where STARTTLS is not offered nothing is sent in the clear."""
    mailbox = Mailbox()
    controller = Controller(mailbox, hostname="127.0.0.1", port=free_port())
    controller.start()
    try:
        settings = EmailSettings(to=(ONE,), sender=TWO, host="127.0.0.1", port=controller.port)
        with pytest.raises(DeliveryError, match="does not offer STARTTLS"):
            channel(settings).deliver(NOTICE)
    finally:
        controller.stop()
    assert mailbox.received == []


def test_there_is_no_plain():
    """Any other word than starttls and tls is refused."""
    settings = EmailSettings(to=(ONE,), sender=TWO, host="127.0.0.1", security="plain")
    with pytest.raises(DeliveryError, match="there is no plain"):
        channel(settings).deliver(NOTICE)


def test_spool_writes_once(tmp_path):
    """The same incident a second time leaves the one private file as it is."""
    folder = tmp_path / "a" / "mail"
    times = iter([NOW, NOW + timedelta(days=1)])
    spool = SpoolChannel(SpoolSettings(folder), clock=lambda: next(times))
    spool.deliver(NOTICE)
    [path] = folder.iterdir()
    first = path.read_bytes()
    spool.deliver(NOTICE)
    assert [one.name for one in folder.iterdir()] == [f"{NOTICE.incident}.eml"]
    assert path.read_bytes() == first
    assert (path.stat().st_mode & 0o777, folder.stat().st_mode & 0o777) == (0o600, 0o700)
    assert message_from_bytes(first)["Message-ID"] == f"<{NOTICE.incident}.spillwatch@localhost>"


def test_spool_that_cannot_be_written_is_a_delivery_error(tmp_path):
    """A file where the folder should be is told, without a path."""
    (tmp_path / "mail").write_text("x")
    with pytest.raises(DeliveryError, match="mail folder cannot be written") as caught:
        SpoolChannel(SpoolSettings(tmp_path / "mail")).deliver(NOTICE)
    assert str(tmp_path) not in str(caught.value)
