"""Running text of many records at once gives what each text gives by itself."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from matchers import excerpts, passages
from matchers.canonical import HAN, fold
from matchers.kernel import Kernel
from matchers.kinds import kinds

KERNEL = Kernel(b"k" * 32)
TEXT = st.text(st.sampled_from("赵钱孙李热咳痛号楼 abcdefgh0123456789，。-\n"), max_size=80)


def _compact(text):
    return passages.compact(fold(text))


def _winnowed(text, grams):
    """Return tag → start: the smallest tag of every window, the first of equal ones."""
    tags, starts = passages.shingles(KERNEL, _compact(text), grams)
    if not len(tags):
        return {}
    views = np.lib.stride_tricks.sliding_window_view(tags, min(grams.window, len(tags)))
    chosen = np.unique(views.argmin(axis=1) + np.arange(len(views)))
    return {int(tags[at]): int(starts[at]) for at in reversed(chosen)}


@given(st.lists(TEXT, min_size=1, max_size=6))
@settings(max_examples=60, deadline=None)
def test_shingles_of_many_texts(texts):
    """Tags, places and characters of each text, for every sort of shingle; nothing crosses a border."""
    many = excerpts.stream(texts)
    for kind in kinds().values():
        for grams in kind.GRAMS:
            found = excerpts.shingles(KERNEL, many, grams)
            for number, text in enumerate(texts):
                mine = found.text == number
                made = dict(zip(found.tags[mine].tolist(), found.offset[mine].tolist(), strict=True))
                assert made == _winnowed(text, grams)
                units = _compact(text).units
                for offset, value in zip(found.offset[mine].tolist(), found.values[mine], strict=True):
                    assert value.tobytes() == units[offset : offset + grams.size].tobytes()


@given(st.lists(TEXT, min_size=1, max_size=6))
@settings(max_examples=40, deadline=None)
def test_token_sequences_of_many_texts(texts):
    """Width and tokens under each record's salt."""
    salts = np.arange(1, len(texts) + 1, dtype=np.uint64)
    made = excerpts.sequences(KERNEL, excerpts.stream(texts), salts)
    for text, salt, (width, tokens) in zip(texts, salts.tolist(), made, strict=True):
        stream = _compact(text)
        assert width == (2 if 3 * int(((stream.classes & HAN) != 0).sum()) >= len(stream.units) else 3)
        assert tokens.tolist() == passages.tokens(KERNEL, stream.units, width, salt).tolist()
