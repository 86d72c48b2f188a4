"""The tables of docs/sites.md, written from the descriptions and spiders themselves.

`python -m app.site_table` prints them, `python -m app.site_table docs/sites.md` puts them between the two marks there.
"""

import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from app import console
from crawler.catalogue import NOT_BUILT, uses
from crawler.profile import Profile
from model.errors import SpillwatchError

BEGIN, END = "<!-- written by `make sites-table` -->", "<!-- end of what `make sites-table` writes -->"


def tables(profiles: Mapping[str, Profile], not_built: Mapping[str, str]) -> str:
    """Return the tables in Markdown: what there is, whose terms are to be read, and what there is not."""
    sites = [
        (f"`{name}`", site.about, site.mode, site.access, _limits(site), site.tested.against, site.tested.on)
        for name, site in profiles.items()
    ]
    terms = [(f"`{name}`", site.terms, site.off) for name, site in profiles.items() if site.terms or site.off]
    absent = [(name, why) for name, why in not_built.items()]
    return "\n\n".join(
        (
            _table(("`use:`", "What it reads", "Mode", "Access", "Limits", "Tested against", "On"), sites),
            "What their terms and robots say, and why some are off until `config.yaml` says `terms: accepted`:",
            _table(("`use:`", "Terms", "Off by default because"), terms),
            "Not read, and what to do instead:",
            _table(("", "Why, and what instead"), absent),
        )
    )


def inserted(document: str, written: str) -> str:
    """Return a document with what stands between the two marks replaced; raises SpillwatchError without them."""
    before, begin, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise SpillwatchError(f"the document has no place for the tables: it must hold {BEGIN} and {END}")
    return f"{before}{BEGIN}\n\n{written}\n\n{END}{after}"


def _limits(site: Profile) -> str:
    """Return how much a site lets itself be asked, with what the spiders keep to in any case."""
    kept = [
        f"{word} {seconds:g} s" for word, seconds in (("every", site.every), ("delay", site.delay)) if seconds
    ]
    return "; ".join(text for text in (site.limits, f"at least {', '.join(kept)}" if kept else "") if text)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *([_cell(text) for text in row] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _cell(text: str) -> str:
    """Return a text as a cell may hold it: on one line, without bars."""
    return " ".join(text.split()).replace("|", "\\|")


def main() -> None:
    """Print the tables, or put them into the document that is named."""
    written = tables(uses(), NOT_BUILT)
    if len(sys.argv) < 2:
        console.say(written)
        return
    document = Path(sys.argv[1])
    document.write_text(inserted(document.read_text(encoding="utf-8"), written), encoding="utf-8")


if __name__ == "__main__":
    main()
