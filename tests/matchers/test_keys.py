"""The linkage key: what it parses, what it hides, and that its uses are apart."""

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from matchers.keys import LinkageKey, LocalEvaluator
from model.errors import KeyUnusable

KEY = LinkageKey(bytes(range(32)))


def test_text_and_hex_give_the_same_key() -> None:
    """A key is read back from what it wrote, and from hex."""
    assert LinkageKey.parse(KEY.text() + "\n") == KEY
    assert LinkageKey.parse(bytes(range(32)).hex()) == KEY


@pytest.mark.parametrize("text", ["", "short", "é" * 43, "0" * 63, "A" * 43])
def test_what_is_no_key_is_refused_without_being_named(text: str) -> None:
    """Anything else raises KeyUnusable, and the message does not repeat it."""
    with pytest.raises(KeyUnusable) as caught:
        LinkageKey.parse(text)
    assert not text or text not in str(caught.value)


def test_the_key_does_not_show_itself() -> None:
    """Neither repr nor str nor pickle gives the key away."""
    assert KEY.text() not in repr(KEY) + str(KEY) + repr(LocalEvaluator(KEY))
    with pytest.raises(TypeError):
        pickle.dumps(KEY)


def test_every_use_has_its_own_key() -> None:
    """All derived keys differ, and differ by epoch where they should."""
    derived = [
        KEY.kernel_key(), KEY.kernel_key(2), KEY.ref_key(), KEY.ref_tag_key(), KEY.content_tag_key(),
        KEY.erasure_key(), KEY.spool_seed(), KEY.field_key("phone"), KEY.field_key("email"), KEY.field_key("phone", 2),
    ]  # fmt: skip
    assert len(set(derived)) == len(derived)
    assert all(len(each) == 32 for each in derived)


def test_another_key_is_noticed() -> None:
    """The check tag accepts the key that made it and no other."""
    KEY.require(KEY.check_tag())
    with pytest.raises(KeyUnusable):
        LinkageKey.generate().require(KEY.check_tag())


@given(st.binary(max_size=40), st.binary(max_size=40))
def test_y_depends_on_key_field_and_value(one: bytes, other: bytes) -> None:
    """Equal key, field and value give equal y; any difference gives another."""
    evaluator = LocalEvaluator(KEY)
    first, second = evaluator.evaluate("phone", [one, other])
    assert (first == second) == (one == other)
    assert evaluator.evaluate("email", [one])[0] != first
    assert LocalEvaluator(LinkageKey(bytes(range(1, 33)))).evaluate("phone", [one])[0] != first
