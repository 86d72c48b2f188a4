"""The identifier kinds: one file each, found by its name. A new kind is a new file here."""

import importlib
import pkgutil
from collections.abc import Mapping
from functools import cache
from typing import cast

from matchers.kinds.kind import Kind


@cache
def kinds() -> Mapping[str, Kind]:
    """Return every kind by name."""
    names = [module.name for module in pkgutil.iter_modules(__path__) if module.name != "kind"]
    found = {name: cast(Kind, importlib.import_module(f"{__name__}.{name}")) for name in sorted(names)}
    if len({kind.CODE for kind in found.values()}) != len(found):
        raise TypeError("two identifier kinds have the same CODE")
    return found


@cache
def by_code() -> Mapping[int, str]:
    """Return kind names by the code that postings carry."""
    return {kind.CODE: name for name, kind in kinds().items()}
