"""Loops that run as machine code: numba's compiler behind one door.

Compiled code is cached beside the module and shared by processes; docs/adr/0004-compiled-loops.md says what it costs.
"""

from collections.abc import Callable
from typing import Any, Final, TypeVar, cast

import numba
from numba import types

Function = TypeVar("Function", bound=Callable[..., object])

_NJIT: Final[Any] = numba.njit
"""numba's own annotations leave out some of the keywords that its manual gives."""

INTEGER: Final = types.int64
UNITS: Final = types.Array(types.uint16, 1, "C", readonly=True)
"""Code units that the function does not write; an array that may be written is taken as well."""


def compiled(function: Function) -> Function:
    """Return the function as machine code, compiled at its first call; it sees arrays and numbers only."""
    return cast(Function, _NJIT(cache=True, nogil=True, no_cfunc_wrapper=True)(function))


def inner(function: Function) -> Function:
    """Return the function as machine code for compiled functions alone: no way in from Python is made for it."""
    made = _NJIT(cache=True, nogil=True, no_cpython_wrapper=True, no_cfunc_wrapper=True)(function)
    return cast(Function, made)


def inlined(function: Function) -> Function:
    """Return a few lines that are copied into the compiled functions that call them."""
    return cast(Function, _NJIT(cache=True, inline="always")(function))


def within(*arguments: Any) -> Callable[[Function], Function]:
    """Return a decorator for what compiled functions call often: compiled once, for arguments of these types.

    Without types numba compiles anew for each mixture of integers of 32 and 64 bits. There is no way in from Python.
    """
    made = _NJIT(arguments, cache=True, nogil=True, no_cpython_wrapper=True, no_cfunc_wrapper=True)
    return cast(Callable[[Function], Function], made)


def tuple_of(kind: type, *arrays: Any) -> Any:
    """Return numba's type of a named tuple of these arrays."""
    return cast(Any, types.NamedTuple)(arrays, kind)


def array_of(kind: Any, dimensions: int = 1) -> Any:
    """Return numba's type of an array in one piece."""
    return types.Array(kind, dimensions, "C")
