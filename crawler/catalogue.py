"""What `use:` of a site can be: the descriptions and the spiders there are."""

import importlib
import pkgutil
from collections.abc import Mapping
from pathlib import Path

from crawler import description, spiders


def uses(folder: Path | None = None) -> Mapping[str, str]:
    """Return name → what it reads, in one line; an operator's description goes before a shipped one."""
    found = {}
    for module in pkgutil.iter_modules(spiders.__path__):
        told = importlib.import_module(f"{spiders.__name__}.{module.name}").__doc__ or ""
        found[module.name] = told.partition("\n")[0]
    for name in description.names(folder):
        described = description.load(name, folder)
        if described is not None:
            found[name] = described.about
    return dict(sorted(found.items()))
