"""What a decoder is, and what the sandbox promises."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from model.errors import DecodeError
from model.page import Decoded, Part, Passage

Found = Passage | Part | DecodeError
"""What a decoder gives: text, a further part to be decoded (a member of an archive, a picture in a document),
or the reason why one member could not be read while the others could."""


@dataclass(frozen=True, slots=True)
class DecodingSettings:
    """`decoding:` in config.yaml."""

    workers: int = 1
    """Sandboxed child processes."""
    memory: int = 1_500_000_000
    """Bytes of address space for a worker's own data; the OCR engine alone takes about 700 MB."""
    seconds: float = 15.0
    """Wall clock for one part that is not a picture."""
    picture_seconds: float = 60.0
    """Wall clock for one part that is or holds pictures."""
    ocr: bool = True
    """Read the text in pictures."""


class Decoder(Protocol):
    """Reads one format. One file in this room, one decoder."""

    def accepts(self, part: Part) -> bool:
        """Tell whether the part is this format, by its bytes first and its declared type second."""
        ...

    def decode(self, part: Part) -> Iterable[Found]:
        """Give everything a person or a program could read in the part, piece by piece.

        Raises `model.errors.DecodeError` with a reason where nothing more can be read; what was given before counts.
        """
        ...


class Sandbox(Protocol):
    """Runs decoders away from the key and the network."""

    @property
    def level(self) -> str:
        """Say in words which isolation is active, for `doctor` and the start-up log."""
        ...

    def decode(self, parts: Sequence[Part]) -> Decoded:
        """Decode every part; each part ends as read, skipped or quarantined, whatever it contains."""
        ...

    def decode_each(self, parts: Sequence[Part]) -> list[Decoded]:
        """Decode many small parts that have nothing to do with each other, quicker than one by one.

        Each is a page of its own: its outcomes say part 0, and what one of them does costs none of the others.
        """
        ...

    def close(self) -> None:
        """End the child processes."""
        ...
