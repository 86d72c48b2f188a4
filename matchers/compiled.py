"""Loops that run as machine code: numba's compiler behind one door.

Compiled code is cached beside the module and shared by processes; docs/adr/0004-compiled-loops.md says what it costs.
"""

from collections.abc import Callable
from typing import TypeVar, cast

import numba

Function = TypeVar("Function", bound=Callable[..., object])


def compiled(function: Function) -> Function:
    """Return the function as machine code, compiled at its first call; it sees arrays and numbers only."""
    return cast(Function, numba.njit(cache=True, nogil=True)(function))
