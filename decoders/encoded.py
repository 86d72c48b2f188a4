"""What is hidden in encodings inside a text: base64, hex, percent signs, entities, escapes, quoted-printable."""

from collections.abc import Iterator

from model.page import Part, Passage


def hidden_in(passage: Passage, budget: int) -> Iterator[Passage | Part]:
    """Yield what stands encoded in a passage, decoded, within a budget of bytes."""
    yield from ()
