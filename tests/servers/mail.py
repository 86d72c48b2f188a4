"""A mail server with TLS and a login, and a certificate authority that only tests trust."""

import contextlib
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.servers.running import free_port

USER = "spillwatch"
PASSWORD = "only for tests"


@dataclass(frozen=True)
class Received:
    """One mail as it arrived."""

    sender: str
    recipients: tuple[str, ...]
    raw: bytes
    """The bytes on the wire, after dot-unstuffing."""
    encrypted: bool
    """Whether it came over TLS."""

    def message(self) -> EmailMessage:
        """Parse it as a mail program does."""
        message = message_from_bytes(self.raw, policy=policy.default)
        assert isinstance(message, EmailMessage)
        return message


@dataclass
class MailServer:
    """A mail server on loopback: STARTTLS on `port`, TLS from the first byte on `tls_port`, both with a login."""

    host: str
    port: int
    tls_port: int
    user: str
    password: str
    authority: Path
    """The certificate authority to trust (PEM)."""
    received: list[Received] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    """Answers to give instead of accepting, one per mail, first in first out: `451 try later`."""


class _Inbox:
    """Keep what arrives, or refuse it when told to."""

    def __init__(self, server: MailServer) -> None:
        self.server = server

    async def handle_DATA(self, smtp: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Take one mail."""
        if self.server.refusals:
            return self.server.refusals.pop(0)
        self.server.received.append(
            Received(
                sender=envelope.mail_from or "",
                recipients=tuple(envelope.rcpt_tos),
                raw=bytes(envelope.content or b""),
                encrypted=session.ssl is not None or smtp.transport.get_extra_info("ssl_object") is not None,
            )
        )
        return "250 kept"


def _authenticate(server: object, session: Session, envelope: Envelope, mechanism: str, data: object) -> AuthResult:
    right = isinstance(data, LoginPassword) and data.login.decode() == USER and data.password.decode() == PASSWORD
    # handled=False lets the server say 535 itself; else a wrong password would leave the client waiting.
    return AuthResult(success=right, handled=False)


def make_authority(folder: Path) -> tuple[Path, Path]:
    """Make a certificate authority and a certificate for localhost; give (authority, certificate with key)."""
    now = datetime.now(UTC)
    authority_key, server_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    authority_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Authority of the tests")])
    server_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    key_of_authority = x509.SubjectKeyIdentifier.from_public_key(authority_key.public_key())

    def certificate(name: x509.Name, public: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(authority_name)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(days=2))
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(key_of_authority), critical=False
            )
        )

    authority = (
        certificate(authority_name, authority_key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(
            x509.KeyUsage(
                digital_signature=True,
                content_commitment=False,
                key_encipherment=False,
                data_encipherment=False,
                key_agreement=False,
                key_cert_sign=True,
                crl_sign=True,
                encipher_only=False,
                decipher_only=False,
            ),
            critical=True,
        )
        .sign(authority_key, hashes.SHA256())
    )
    names: list[x509.GeneralName] = [x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))]
    server = (
        certificate(server_name, server_key.public_key())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    authority_path, server_path = folder / "authority.pem", folder / "server.pem"
    authority_path.write_bytes(authority.public_bytes(pem))
    server_path.write_bytes(
        server_key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + server.public_bytes(pem)
    )
    return authority_path, server_path


@contextlib.contextmanager
def mail_running(folder: Path) -> Iterator[MailServer]:
    """Run a mail server in threads of this process; it forgets everything at the end."""
    authority, certificate = make_authority(folder)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    server = MailServer("localhost", free_port(), free_port(), USER, PASSWORD, authority)
    login: dict[str, Any] = {"authenticator": _authenticate, "auth_required": True, "ident": "spillwatch tests"}
    starttls = Controller(
        _Inbox(server),
        hostname="127.0.0.1",
        port=server.port,
        tls_context=context,
        require_starttls=True,
        **login,
    )
    # Over TLS from the first byte the login needs no STARTTLS, which aiosmtpd cannot know by itself.
    implicit = Controller(
        _Inbox(server),
        hostname="127.0.0.1",
        port=server.tls_port,
        ssl_context=context,
        auth_require_tls=False,
        **login,
    )
    with contextlib.ExitStack() as running:
        for controller in (starttls, implicit):
            controller.start()
            running.callback(controller.stop)
        yield server
