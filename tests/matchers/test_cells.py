"""Short texts fold as long ones do."""

import sys

from hypothesis import given, settings
from hypothesis import strategies as st

from matchers import canonical as long_way
from matchers.cells import canonical


def test_every_character_folds_as_in_a_page() -> None:
    """Alone and between letters, each character there is has the same canonical form on both ways."""
    codes = (*range(0xD800), *range(0xE000, 0x11000), *range(0x1D400, 0x1D800))
    # U+1D26 (a small capital gamma) looks like r on a page that holds Greek or Cyrillic elsewhere, and else does not.
    characters = [chr(code) for code in codes if code != 0x1D26]
    for piece in ("{}", "a{}1", "何{} "):
        texts = [piece.format(character) for character in characters]
        folded, starts = long_way.fold_many(texts)
        ends = [*(starts[1:] - 1).tolist(), len(folded)]
        for text, start, end in zip(texts, starts.tolist(), ends, strict=True):
            assert canonical(text) == folded.units[start:end].tobytes().decode("utf-16-le"), hex(ord(text[0]))


@given(st.text(max_size=80))
@settings(max_examples=400, deadline=None)
def test_any_text_folds_as_in_a_page(text: str) -> None:
    """Whatever a cell holds, lone surrogates and control characters included."""
    assert canonical(text) == long_way.canonical(text)
    assert canonical("".join(map(chr, (0xD800, 0x10FFFF, sys.maxunicode, 0)))) == long_way.canonical(
        "".join(map(chr, (0xD800, 0x10FFFF, sys.maxunicode, 0)))
    )
