"""Label chains: sealed in bulk, opened only by who names the value, measured without walking them."""

import hmac
import secrets

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given, settings
from hypothesis import strategies as st

from matchers.postings import (
    SEALED_BYTES,
    Payload,
    chain_lengths,
    label,
    labels,
    open_sealed,
    seal,
    seal_many,
    walk,
)
from model.errors import KeyUnusable
from tests.matchers.bench import MemoryStore

Y = bytes(range(32))
PAYLOAD = Payload(b"h" * 16, b"k" * 16, bytes(16), 3, 7, 4097, 2**31)


def _rows(values):
    return np.frombuffer(b"".join(values), np.uint8).reshape(len(values), -1)


def _store(lengths):
    """Give a store with chains of these lengths, and their ys."""
    store = MemoryStore()
    ys = [bytes([number + 1]) * 32 for number in range(len(lengths))]
    for y, length in zip(ys, lengths, strict=True):
        for link in range(length):
            made = seal(y, link, PAYLOAD)
            store.labels[made.label] = made.sealed
    return store, ys


@given(st.lists(st.tuples(st.binary(min_size=32, max_size=32), st.integers(0, 2**32 - 1)), min_size=1, max_size=30))
@settings(max_examples=40, deadline=None)
def test_what_is_sealed_in_bulk_opens_one_by_one(links):
    """Each payload under its own y and link; the label is the truncated HMAC of the description."""
    ys, numbers = _rows([y for y, _ in links]), np.array([link for _, link in links])
    payloads = [secrets.token_bytes(56) for _ in links]
    names, sealed = seal_many(ys, numbers, _rows(payloads))
    for (y, link), payload, name, each in zip(links, payloads, names, sealed, strict=True):
        assert name.tobytes() == label(y, link) == hmac.digest(y, b"L" + link.to_bytes(4, "big"), "sha256")[:16]
        assert open_sealed(y, link, each.tobytes()).pack() == payload
    assert (labels(ys, numbers) == names).all()


def test_the_stream_is_that_of_the_description():
    """Counter mode and tag, computed again with the standard library."""
    sealed = seal(Y, 5, PAYLOAD).sealed
    nonce, text, tag = sealed[:16], sealed[16:72], sealed[72:]
    c = (5).to_bytes(4, "big")
    stream = b"".join(hmac.digest(Y, b"S" + c + nonce + bytes([block]), "sha256") for block in (0, 1))
    assert bytes(a ^ b for a, b in zip(text, stream, strict=False)) == PAYLOAD.pack()
    assert tag == hmac.digest(Y, b"T" + c + nonce + text, "sha256")[:16]


def test_sealing_again_shares_nothing_but_the_label():
    """The same link sealed twice: fresh nonce, other text, other tag."""
    one, other = seal(Y, 0, PAYLOAD), seal(Y, 0, PAYLOAD)
    assert one.label == other.label
    assert all(one.sealed[part] != other.sealed[part] for part in (slice(16), slice(16, 72), slice(72, 88)))


@pytest.mark.parametrize("at", range(0, SEALED_BYTES, 7))
def test_a_changed_byte_is_noticed(at):
    """In the nonce, the text or the tag."""
    sealed = bytearray(seal(Y, 1, PAYLOAD).sealed)
    sealed[at] ^= 1
    with pytest.raises(KeyUnusable, match="does not open"):
        open_sealed(Y, 1, bytes(sealed))


@pytest.mark.parametrize(("y", "link"), [(Y, 2), (b"x" * 32, 1)])
def test_another_value_or_place_opens_nothing(y, link):
    """A posting that was moved under another label, or another value."""
    with pytest.raises(KeyUnusable):
        open_sealed(y, link, seal(Y, 1, PAYLOAD).sealed)


def test_a_damaged_size_is_noticed():
    """Neither this form nor the first."""
    with pytest.raises(KeyUnusable):
        open_sealed(Y, 1, b"short")


def test_what_the_first_version_sealed_still_opens():
    """AES-256-GCM under a key of its own; also in a chain with links of the present form."""
    key, nonce = hmac.digest(Y, b"V" + bytes(4), "sha256"), b"n" * 12
    old = nonce + AESGCM(key).encrypt(nonce, PAYLOAD.pack(), label(Y, 0))
    assert open_sealed(Y, 0, old) == PAYLOAD
    store, _ = _store([])
    new = seal(Y, 1, PAYLOAD)
    store.labels = {label(Y, 0): old, new.label: new.sealed}
    assert walk(store, [Y]) == [[PAYLOAD, PAYLOAD]]
    with pytest.raises(KeyUnusable):
        open_sealed(Y, 1, old)


@given(st.lists(st.integers(0, 40), max_size=8), st.integers(1, 50))
@settings(max_examples=25, deadline=None)
def test_chains_are_measured_up_to_their_limit(lengths, longest):
    """Whatever the length; walking finds the same."""
    store, ys = _store(lengths)
    rows = _rows(ys) if ys else np.zeros((0, 32), np.uint8)
    measured = chain_lengths(store, rows, np.full(len(ys), longest))
    assert measured.tolist() == [min(length, longest) for length in lengths]
    assert [len(chain) for chain in walk(store, ys, longest)] == measured.tolist()


def test_a_long_chain_is_measured_in_few_questions():
    """A value of thousands does not cost thousands of questions."""
    store, ys = _store([0])
    store.labels = {name.tobytes(): b"" for name in labels(np.repeat(_rows(ys), 3000, 0), np.arange(3000))}
    asked = []
    store.postings = lambda names: asked.append(len(names)) or {n: b"" for n in names if n in store.labels}
    assert chain_lengths(store, _rows(ys), np.array([4096])).tolist() == [3000]
    assert len(asked) < 40
