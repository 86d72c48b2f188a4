import zlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from model.errors import StorageError
from model.page import Exchange, Page, Part
from storage import sealing
from storage.sealing import KeyPair, keypair_from, seal, unseal
from tests.storage.conftest import NOON, page

KEYS = keypair_from(b"k" * 32)

texts = st.text(max_size=30)
maybe = st.none() | texts
blobs = st.binary(max_size=300) | st.sampled_from([b"same", b"again"])
zones = st.sampled_from([UTC, timezone(timedelta(hours=8)), timezone(timedelta(hours=-3, minutes=-30))])
moments = st.datetimes(timezones=zones)
headers = st.lists(st.tuples(texts, texts), max_size=3).map(tuple)
parts = st.builds(Part, texts, texts, blobs, texts, maybe)
exchanges = st.builds(
    Exchange, texts, texts, headers, st.integers(100, 599), headers, blobs, moments, moments, texts, maybe
)
whole_pages = st.builds(
    Page,
    page_id=texts,
    site=texts,
    item_id=texts,
    url=texts,
    fetched_at=moments,
    parts=st.lists(parts, max_size=4).map(tuple),
    exchanges=st.lists(exchanges, max_size=3).map(tuple),
    why=texts,
    published_at=st.none() | moments,
    thread_id=maybe,
    author=maybe,
)


@settings(deadline=None)
@given(whole_pages)
def test_every_page_comes_back_as_it_was(whole):
    """Sealing and unsealing loses nothing of any page."""
    assert unseal(seal(whole, KEYS.public), KEYS.private) == whole


def test_a_sealed_page_shows_nothing():
    """Neither text nor site nor id of the page stands in the sealed bytes, and no two seals are alike."""
    one = page(text="张伟 110101199003070000 " * 50)
    sealed = seal(one, KEYS.public)
    for shown in (one.page_id, one.site, one.item_id, "张伟", "1101"):
        assert shown.encode() not in sealed
    assert sealed != seal(one, KEYS.public)


def test_another_key_opens_nothing():
    """Only the private half of the key it was sealed to opens a page."""
    with pytest.raises(StorageError, match="another linkage key"):
        unseal(seal(page(), KEYS.public), keypair_from(b"o" * 32).private)


@given(place=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_a_flipped_bit_is_noticed(place, bit):
    """A damaged payload is refused, wherever the damage is."""
    sealed = bytearray(seal(replace(page(), page_id="0" * 32), KEYS.public))
    sealed[place % len(sealed)] ^= 1 << bit
    # X25519 ignores the top bit of a public key; the key derivation, bound to the bytes, does not.
    with pytest.raises(StorageError):
        unseal(bytes(sealed), KEYS.private)


def test_a_truncated_payload_is_refused():
    """A cut page is refused at every length."""
    sealed = seal(page(), KEYS.public)
    for length in (0, 5, 39, 41, 60, len(sealed) - 1):
        with pytest.raises(StorageError):
            unseal(sealed[:length], KEYS.private)


def test_equal_blobs_are_kept_once():
    """A body that stands in the exchange and in the part costs its bytes once."""
    body = bytes(KEYS.public[index % 32] ^ (index * 7919 >> 8) & 255 for index in range(30_000))
    once = replace(page(), parts=(Part("body", "", body),))
    twice = replace(once, exchanges=(Exchange("u", "GET", (), 200, (), body, NOON, NOON, "item"),))
    assert len(sealing._serialise(twice)) - len(sealing._serialise(once)) < 500


def test_a_bomb_does_not_inflate(monkeypatch):
    """A payload that says it is small, or that is larger than allowed, is refused before it fills the memory."""

    def forged(size: int, raw: bytes) -> bytes:
        payload = size.to_bytes(8, "big") + zlib.compress(raw, 1)
        ephemeral = X25519PrivateKey.generate()
        own = ephemeral.public_key().public_bytes_raw()
        shared = ephemeral.exchange(X25519PrivateKey.from_private_bytes(KEYS.private).public_key())
        key, nonce = sealing._derive(shared, own, KEYS.public)
        return sealing.MAGIC + own + sealing.AESGCM(key).encrypt(nonce, payload, sealing.MAGIC)

    with pytest.raises(StorageError, match="size it says"):
        unseal(forged(10, b"0" * 50_000_000), KEYS.private)
    with pytest.raises(StorageError, match="larger than allowed"):
        unseal(forged(1 << 40, b"0" * 1000), KEYS.private)
    monkeypatch.setattr(sealing, "MAX_BYTES", 1000)
    with pytest.raises(StorageError, match="too large"):
        seal(page(text="x" * 2000), KEYS.public)


def test_keys_come_from_their_seed():
    """The same seed gives the same pair; the repr tells nothing of the private half."""
    assert keypair_from(b"k" * 32) == KEYS
    assert keypair_from(b"k" * 31 + b"l") != KEYS
    assert KEYS.private.hex() not in repr(KEYS)
    assert repr(KeyPair(b"\x01" * 32, b"\x02" * 32)) == f"KeyPair(public={'02' * 32})"
    with pytest.raises(ValueError, match="32 bytes"):
        keypair_from(b"short")


def test_times_keep_their_zone():
    """A time published in another zone keeps its offset: evidence shows it as the site did."""
    at = datetime(2026, 3, 1, 8, tzinfo=timezone(timedelta(hours=8)))
    back = unseal(seal(replace(page(), published_at=at), KEYS.public), KEYS.private)
    assert back.published_at is not None
    assert back.published_at.utcoffset() == timedelta(hours=8)
