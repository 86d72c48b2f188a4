"""PrivateBin pastes are opened with the key in their link, by a vector that this code did not make and by its own."""

import base64
import json
import os
import zlib
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC

from crawler.health import FetchFailed
from crawler.resolvers.privatebin import ALPHABET, key_of, opened, passwords_in
from model.page import Part, Reason

HERE = Path(__file__).with_name("privatebin")
EXPECTED = json.loads((HERE / "expected.json").read_text("utf-8"))
KEY = key_of(EXPECTED["fragment"])


def vector(name):
    """Return an answer of the server."""
    return json.loads((HERE / f"{name}.json").read_text("utf-8"))


def fragment_of(key):
    """Write a key as it stands in a link."""
    number, letters = int.from_bytes(key, "big"), ""
    while number:
        number, digit = divmod(number, 58)
        letters = ALPHABET[digit] + letters
    return letters


def seal(content, key, password="", *, rounds=1000, burn=0, comment=False, packing="zlib"):
    """Encrypt as the browser does, and return what the server would answer."""
    iv, salt = os.urandom(16), os.urandom(8)
    derived = PBKDF2HMAC(hashes.SHA256(), 32, salt, rounds).derive(key + password.encode())
    spec = [base64.b64encode(iv).decode(), base64.b64encode(salt).decode(), rounds, 256, 128, "aes", "gcm", packing]
    adata = spec if comment else [spec, "plaintext", 0, burn]
    plain = json.dumps(content).encode()
    if packing == "zlib":
        packer = zlib.compressobj(wbits=-15)
        plain = packer.compress(plain) + packer.flush()
    authenticated = json.dumps(adata, separators=(",", ":")).encode()
    sealed = AESGCM(derived).encrypt(iv, plain, authenticated)
    return {"status": 0, "v": 2, "adata": adata, "ct": base64.b64encode(sealed).decode(), "comments": []}


def refused(told, key=KEY, passwords=("",)):
    """Return why a paste is not opened."""
    with pytest.raises(FetchFailed) as failure:
        opened(told, key, passwords)
    return failure.value.reason


def test_the_vector_opens():
    """Text and attachment come out as they went in."""
    text, attached = opened(vector("paste_v2"), KEY, ("",))
    assert text.provenance == "body (PrivateBin, decrypted)"
    assert text.data.decode() == EXPECTED["plain"]["paste"]
    assert (attached.name, attached.media_type, attached.data.decode()) == ("list.csv", "text/csv", "id,name\n1,示例\n")


def test_the_vector_with_a_password_opens_with_it_alone():
    """The key alone does not do, nor a wrong word; the word that fits is found among several."""
    assert refused(vector("paste_v2_password")) is Reason.ENCRYPTED
    assert refused(vector("paste_v2_password"), passwords=("", "wrong")) is Reason.ENCRYPTED
    (text,) = opened(vector("paste_v2_password"), KEY, ("", "wrong", "pass"))
    assert text.data.decode() == EXPECTED["password_plain"]["paste"]


@pytest.mark.parametrize("paste", vector("another_client"), ids=lambda paste: paste["what"])
def test_pastes_of_another_client_open(paste):
    """Made by a Python client of PrivateBin that shares no code with this (privatebin 0.3.0)."""
    text, *attached = opened(paste["answer"], key_of(paste["fragment"]), ("", "密码pw"))
    assert text.data.decode() == "正文 hello"
    assert [(part.name, part.data) for part in attached] == (
        [("l.csv", b"id,name\n")] if paste["what"] == "attachment" else []
    )
    # That client marks no link as burning: only the answer tells, when it is too late.
    assert ("deleted by being read" in text.provenance) is (paste["what"] == "burn")


def test_comments_and_older_attachments_are_read():
    """A single attachment, as before version 2, and what others wrote below."""
    key = os.urandom(32)
    told = seal({"paste": "x", "attachment": "data:text/plain,a%20b", "attachment_name": "n.txt"}, key, packing="none")
    told["comments"] = [seal({"comment": "张三", "nickname": "nn"}, key, comment=True)]
    parts = opened(told, key_of(fragment_of(key)), ("",))
    assert [part.data.decode() for part in parts] == ["x", "a b", "nn\n张三"]


def test_keys_keep_their_leading_zeros():
    """A key that begins with zero bytes is shorter in base58 and 32 bytes all the same."""
    key = b"\0\0" + os.urandom(30)
    assert key_of(fragment_of(key)) == key
    assert key_of("-" + fragment_of(key) + "&x") == key


@pytest.mark.parametrize("fragment", ["0OIl", "z" * 60, "键"])
def test_what_is_no_key_is_refused(fragment):
    """Letters outside the alphabet, and numbers beyond 32 bytes."""
    with pytest.raises(FetchFailed, match="fragment"):
        key_of(fragment)


def test_anything_changed_on_the_way_does_not_open():
    """Ciphertext, parameters and formatter are authenticated."""
    told = vector("paste_v2")
    told["adata"][1] = "markdown"
    assert refused(told) is Reason.ENCRYPTED
    told = vector("paste_v2")
    told["ct"] = "A" + told["ct"][1:]
    assert refused(told) is Reason.ENCRYPTED


@pytest.mark.parametrize(
    ("place", "value"), [(2, 10**12), (2, 0), (3, 8), (4, 8), (5, "des"), (6, "cbc"), (7, "bzip2"), (0, ""), (0, 5)]
)
def test_parameters_that_no_paste_has_are_refused_at_once(place, value):
    """A server cannot make us work for years, nor with a weaker cipher."""
    told = vector("paste_v2")
    told["adata"][0][place] = value
    assert refused(told) is Reason.UNSUPPORTED


@pytest.mark.parametrize("told", [{}, {"data": "{}", "v": 1}, {"adata": [], "ct": ""}, {"adata": [[1]], "ct": 1}])
def test_other_formats_are_refused(told):
    """What is not format 2 is said to be unsupported."""
    assert refused(told) is Reason.UNSUPPORTED


def test_a_bomb_is_not_inflated():
    """Text that grows beyond measure is given up."""
    key = os.urandom(32)
    assert refused(seal({"paste": "x" * 21_000_000}, key), key) is Reason.BOMB


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("密码：abc123，快看", ("abc123",)),
        ("链接 https://x.example 提取码: k8d2", ("k8d2",)),
        ("口令是「芝麻」", ("芝麻",)),
        ("password is hunter2", ("hunter2",)),
        ('pwd="a b"', ("a",)),
        ("pass: one\nPW: two", ("one", "two")),
        ("nothing of the kind", ()),
        (" ".join(f"密码:{number}" for number in range(9)), ("0", "1", "2", "3", "4")),
    ],
)
def test_words_that_stand_as_passwords_are_few(text, words):
    """Only what stands behind such a word, and no more than five."""
    assert passwords_in([Part("body", "text/plain", text.encode(), charset="utf-8")]) == words


def test_passwords_are_found_over_tags():
    """In a page they may be set in bold."""
    part = Part("body", "text/html", "<p>密码：<b>abc</b></p>".encode(), charset="utf-8")
    assert passwords_in([part]) == ("abc",)
