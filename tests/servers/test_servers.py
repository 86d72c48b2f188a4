"""Each real server starts, takes a post, gives it back and forgets it; all of them on loopback only."""

import smtplib
import ssl
import struct
import urllib.error
import zlib
from email.message import EmailMessage

import psutil
import pytest

from tests.servers.web import ask

TEXT = "出院小结：患者于三日前受凉后出现咳嗽，予对症处理。An ordinary note, by nobody."


def png(width: int = 8, height: int = 8) -> bytes:
    """Draw a small white picture."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = (b"\0" + b"\xff" * width) * height
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


@pytest.mark.server
def test_bepasty_takes_a_text_and_a_picture_and_lists_both(bepasty):
    """What was pasted is listed for everyone, comes back byte for byte, and goes when deleted."""
    text = bepasty.post_text(TEXT, "note.txt")
    picture = bepasty.post_file(png(), "form.png", "image/png")
    assert {text, picture} <= set(bepasty.listed())
    assert bepasty.read(text).decode() == TEXT
    assert bepasty.read(picture) == png()
    assert b"note.txt" in ask(f"{bepasty.url}/+list").body
    bepasty.delete(text)
    assert text not in bepasty.listed()
    assert picture in bepasty.listed()


@pytest.mark.server
def test_pinnwand_gives_a_paste_to_who_knows_its_address(pinnwand):
    """A paste comes back by its address and is gone after its removal."""
    address = pinnwand.post_texts({"a.txt": TEXT, "b.txt": "second"})
    assert pinnwand.read(address).decode() == TEXT
    page = ask(address).body.decode()
    assert "受凉" in page
    assert "second" in page
    pinnwand.delete(address)
    with pytest.raises(urllib.error.HTTPError, match="404"):
        ask(address)


@pytest.mark.server
def test_pinnwand_does_not_slow_a_test_down(pinnwand):
    """Many pastes in a row are all taken."""
    assert len({pinnwand.post_text(f"{TEXT} {number}") for number in range(20)}) == 20


@pytest.mark.server
@pytest.mark.timeout(180)
def test_the_data_server_keeps_posts_and_pictures(pds):
    """An account posts Chinese text and a picture; anyone can list both; a deleted post is gone."""
    account = pds.join("nurse")
    plain = pds.post(account, TEXT)
    with_picture = pds.post(account, "see picture", picture=png(), alt="一张空白的表格")
    assert account.did in pds.accounts()
    posts = {post["uri"]: post["value"] for post in pds.posts(account.did)}
    assert posts[plain]["text"] == TEXT
    image = posts[with_picture]["embed"]["images"][0]
    assert image["alt"] == "一张空白的表格"
    assert pds.picture(account.did, image["image"]["ref"]["$link"]) == png()
    pds.delete(account, plain)
    assert plain not in {post["uri"] for post in pds.posts(account.did)}


@pytest.mark.server
@pytest.mark.timeout(180)
def test_real_servers_listen_on_loopback_only(bepasty, pinnwand, pds):
    """Nothing that a fixture started can be reached from another machine."""
    children = psutil.Process().children(recursive=True)
    listening = [
        connection.laddr
        for child in children
        for connection in child.net_connections(kind="inet")
        if connection.status == psutil.CONN_LISTEN
    ]
    assert len(listening) >= 4
    assert {address.ip for address in listening} <= {"127.0.0.1", "::1"}


def trusting(mail_server) -> ssl.SSLContext:
    """Trust the authority of the tests and nobody else."""
    return ssl.create_default_context(cafile=str(mail_server.authority))


def letter() -> EmailMessage:
    """Write a mail."""
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "watch@clinic.example", "officer@clinic.example", "测试"
    message.set_content("nothing happened\n.\n")
    return message


def test_mail_arrives_over_starttls_with_a_login(mail_server):
    """The mail is kept as it came over the wire, Chinese subject and lone dot included."""
    with smtplib.SMTP(mail_server.host, mail_server.port, timeout=10) as client:
        client.starttls(context=trusting(mail_server))
        client.login(mail_server.user, mail_server.password)
        client.send_message(letter())
    (received,) = mail_server.received
    assert received.encrypted
    assert received.recipients == ("officer@clinic.example",)
    assert received.message()["Subject"] == "测试"
    assert received.message().get_content().splitlines() == ["nothing happened", "."]


def test_mail_arrives_over_tls_from_the_first_byte(mail_server):
    """The other port speaks TLS at once."""
    with smtplib.SMTP_SSL(mail_server.host, mail_server.tls_port, context=trusting(mail_server), timeout=10) as client:
        client.login(mail_server.user, mail_server.password)
        client.send_message(letter())
    assert [mail.encrypted for mail in mail_server.received] == [True]


def test_mail_is_refused_without_tls_login_or_trust(mail_server):
    """No TLS: 530. A wrong password: 535. An authority nobody trusts: no connection. Nothing arrives."""
    with smtplib.SMTP(mail_server.host, mail_server.port, timeout=10) as client:
        with pytest.raises(smtplib.SMTPException, match="530"):
            client.sendmail("a@clinic.example", ["b@clinic.example"], b"x")
        client.starttls(context=trusting(mail_server))
        with pytest.raises(smtplib.SMTPAuthenticationError):
            client.login(mail_server.user, "wrong")
    client = smtplib.SMTP(mail_server.host, mail_server.port, timeout=10)
    with client, pytest.raises(ssl.SSLCertVerificationError):
        client.starttls(context=ssl.create_default_context())
    assert mail_server.received == []


def test_mail_can_be_refused_on_demand(mail_server):
    """A test can make the server refuse the next mail for now."""
    mail_server.refusals.append("451 try later")
    with smtplib.SMTP_SSL(mail_server.host, mail_server.tls_port, context=trusting(mail_server), timeout=10) as client:
        client.login(mail_server.user, mail_server.password)
        with pytest.raises(smtplib.SMTPDataError, match="451"):
            client.send_message(letter())
        client.send_message(letter())
    assert len(mail_server.received) == 1
