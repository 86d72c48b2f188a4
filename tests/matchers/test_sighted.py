"""Values that were seen, as arrays: many at once are the same as one by one."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from matchers.survey import Sighted


@given(st.lists(st.text(st.characters(codec="utf-16-le"), min_size=1, max_size=6), min_size=1, max_size=8), st.data())
def test_many_texts_are_what_each_is(values, data):
    """Any values, characters of two units among them, asked for in any order and more than once."""
    units = [np.frombuffer(value.encode("utf-16-le"), np.uint16) for value in values]
    lengths = np.array([len(each) for each in units], np.int32)
    offsets = np.concatenate([[0], np.cumsum(lengths)[:-1]]).astype(np.int32)
    nothing = np.zeros(len(values), np.int32)
    seen = Sighted("name", nothing, nothing, nothing, offsets, lengths, np.concatenate(units))
    asked = np.array(data.draw(st.lists(st.integers(0, len(values) - 1), max_size=9)), np.intp)
    assert seen.texts(asked) == [values[index] for index in asked] == [seen.text(index) for index in asked]
