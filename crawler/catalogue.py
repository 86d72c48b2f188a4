"""What `use:` of a site can be: the descriptions and the spiders there are."""

import ast
import pkgutil
from collections.abc import Mapping
from pathlib import Path

from crawler import description, spiders


def uses(folder: Path | None = None) -> Mapping[str, str]:
    """Return name → what it reads, in one line; an operator's description goes before a shipped one."""
    found = {}
    for module in pkgutil.iter_modules(spiders.__path__):
        source = Path(spiders.__path__[0], f"{module.name}.py").read_text("utf-8")
        # Read, not imported: a list of names is no reason to load Scrapy.
        found[module.name] = (ast.get_docstring(ast.parse(source)) or "").partition("\n")[0]
    for name in description.names(folder):
        described = description.load(name, folder)
        if described is not None:
            found[name] = described.about
    return dict(sorted(found.items()))
