"""PDF documents."""

from collections.abc import Iterable

from decoders.interface import Found
from model.page import Part


class PdfDecoder:
    """Reads nothing yet."""

    def __init__(self, *, ocr: bool) -> None:
        """Say whether pages without text are rendered and read."""
        self._ocr = ocr

    def accepts(self, part: Part) -> bool:
        """Take nothing yet."""
        return False

    def decode(self, part: Part) -> Iterable[Found]:
        """Give nothing yet."""
        return ()
