"""The canonical form of a short value, character by character: the same answer as `canonical.fold`, without arrays.

Values of a row have some ten characters; for them the array passes of `canonical` cost more than they save.
"""

import re
from typing import Final

from matchers.characters import fold_character

LONGEST: Final = 48
"""Characters up to which this way is the quicker one."""
_LOOKALIKES: Final = re.compile("[\u0370-\u058f]")


class _Table(dict[int, str]):
    """What each character becomes, asked for once."""

    def __missing__(self, code: int) -> str:
        answer = fold_character(chr(code))
        if len(self) < 1 << 16:
            self[code] = answer
        return answer


_TABLE: Final = _Table()


def fold_short(text: str) -> str | None:
    """Return the canonical form, or None where letters stand that look Latin: they need their neighbours."""
    folded = text.translate(_TABLE)
    return None if not folded.isascii() and _LOOKALIKES.search(folded) else folded
