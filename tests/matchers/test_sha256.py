"""The bulk HMAC gives what the standard library gives."""

import hmac

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matchers.sha256 import Keys, hmac_each

KEY = st.binary(min_size=32, max_size=32)


@given(KEY, st.lists(st.binary(max_size=200), max_size=40))
@settings(max_examples=60, deadline=None)
def test_one_key_any_lengths(key, messages):
    """Messages of any lengths, blocks and numbers under one key."""
    found = [row.tobytes() for row in hmac_each(key, messages)]
    assert found == [hmac.digest(key, message, "sha256") for message in messages]


@given(st.lists(KEY, max_size=20), st.integers(0, 200), st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_a_key_for_each_message(keys, size, draw):
    """Each message under a key of its own, the last group not full."""
    messages = [draw.randbytes(size) for _ in keys]
    rows = np.frombuffer(b"".join(keys), np.uint8).reshape(-1, 32)
    found = Keys.each(rows).hmac(np.frombuffer(b"".join(messages), np.uint8).reshape(len(keys), size))
    assert [row.tobytes() for row in found] == [
        hmac.digest(key, message, "sha256") for key, message in zip(keys, messages, strict=True)
    ]


@pytest.mark.parametrize("size", [0, 1, 55, 56, 63, 64, 119, 120, 128])
def test_lengths_at_the_borders_of_blocks(size):
    """Padding that just fits and that just does not."""
    message = bytes(range(size))
    assert hmac_each(b"k" * 32, [message])[0].tobytes() == hmac.digest(b"k" * 32, message, "sha256")


def test_wrong_sizes_are_refused():
    """A key of another length, or fewer keys than messages."""
    with pytest.raises(ValueError, match="32 bytes"):
        Keys.one(b"short")
    with pytest.raises(ValueError, match="as many"):
        Keys.each(np.zeros((2, 32), np.uint8)).hmac(np.zeros((3, 5), np.uint8))


def test_keys_do_not_show_themselves():
    """The repr holds no state."""
    assert repr(Keys.one(b"k" * 32)) == "Keys(one)"
