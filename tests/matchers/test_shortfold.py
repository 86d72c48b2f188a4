"""The quick way for short values gives what the arrays give."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from matchers.canonical import canonical, fold
from matchers.shortfold import LONGEST, fold_short
from tests.people import CANARY, HE_YUNSHU, HE_YUNZHANG

ODD = "аΑԱ１²③㈠ﬃ é\u0301ßİıᴀ𝟙𠀀😀\ud800\udc00\0\u200b`〇○—－\r\n\t ﷺ각ㄱｶﾞ㎏龜"


@given(st.text(st.one_of(st.characters(), st.sampled_from(ODD)), max_size=LONGEST))
@example(ODD)
@settings(max_examples=600, deadline=None)
def test_short_values_fold_as_long_ones(text):
    """Any characters, odd ones among them; where the quick way does not know, it says so."""
    assert canonical(text) == fold(text).text
    assert fold_short(text) in (None, fold(text).text)


def test_every_character_of_the_first_planes():
    """One by one, as a value of its own."""
    step = 23
    for code in (*range(0x3400), *range(0x3400, 0x20000, step)):
        assert canonical(chr(code)) == fold(chr(code)).text, hex(code)


@pytest.mark.parametrize("person", [CANARY, HE_YUNSHU, HE_YUNZHANG])
def test_ordinary_values_take_the_quick_way(person):
    """No value of an ordinary row needs the arrays."""
    assert all(fold_short(value) is not None for value in person.record(1).values.values())


def test_lookalikes_are_left_to_the_arrays():
    """A Cyrillic letter in a Latin word is decided by its neighbours."""
    assert fold_short("p\u0430ypal") is None
    assert canonical("p\u0430ypal") == "paypal"
