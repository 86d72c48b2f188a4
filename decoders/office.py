"""Office documents."""

from collections.abc import Iterable

from decoders.interface import Found
from model.page import Part


class OfficeDecoder:
    """Reads nothing yet."""

    def accepts(self, part: Part) -> bool:
        """Take nothing yet."""
        return False

    def decode(self, part: Part) -> Iterable[Found]:
        """Give nothing yet."""
        return ()
