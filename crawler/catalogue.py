"""What `use:` of a site can be: the descriptions, the spiders and the streams there are."""

import ast
import pkgutil
from collections.abc import Mapping
from pathlib import Path

from crawler import description, spiders, streams

ROOM = frozenset({"interface", "runner", "wire", "basin"})
"""What lies in `crawler/streams/` beside the protocols."""


def is_stream(use: str) -> bool:
    """Tell whether a site that uses this sends by itself, and is read by a worker instead of scans."""
    return use in _streams()


def uses(folder: Path | None = None) -> Mapping[str, str]:
    """Return name → what it reads, in one line; an operator's description goes before a shipped one."""
    found = {}
    modules = {module.name: spiders.__path__ for module in pkgutil.iter_modules(spiders.__path__)}
    for name, (folder_,) in (modules | dict.fromkeys(_streams(), streams.__path__)).items():
        # Read, not imported: a list needs none of the libraries that they need.
        told = ast.get_docstring(ast.parse(Path(folder_, f"{name}.py").read_text("utf-8"))) or ""
        found[name] = told.partition("\n")[0]
    for name in description.names(folder):
        described = description.load(name, folder)
        if described is not None:
            found[name] = described.about
    return dict(sorted(found.items()))


def _streams() -> list[str]:
    return [module.name for module in pkgutil.iter_modules(streams.__path__) if module.name not in ROOM]
