"""The canonical form of one short text, as the cell of an enrolment file is: `matchers.canonical`, without its arrays.

Most cells hold only characters that become one other character whatever stands beside them; those are looked up in one
string. Any other character, and the text takes the long way. Both answers are the same.
"""

from functools import cache

import numpy as np

from matchers import foldtables
from matchers.canonical import canonical as _fold

_OTHERWISE = "\uffff"
"""Stands in the table where a character is dropped, grows, or depends on its neighbours."""


def canonical(text: str) -> str:
    """Return the text in canonical form."""
    quick = text.translate(_table())
    return quick if not quick or max(quick) < _OTHERWISE else _fold(text)


@cache
def _table() -> str:
    """Return one character for each of the first 65,536."""
    units = foldtables.first_plane().unit.copy()
    codes = np.arange(len(units))
    depends = (units >= foldtables.EXPAND) | ((units >= 0x370) & (units < 0x590)) | ((codes >= 0x370) & (codes < 0x590))
    depends |= foldtables.lookalikes() != 0
    depends |= (codes & 0xF800 == 0xD800) | (units & 0xF800 == 0xD800) | (codes == 0)
    units[depends] = 0xFFFF
    table: str = units.tobytes().decode("utf-16-le")
    return table
