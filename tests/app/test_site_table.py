"""docs/sites.md says of every site what the site says of itself."""

from pathlib import Path

import pytest

from app.site_table import BEGIN, END, inserted, tables
from crawler.catalogue import NOT_BUILT, uses
from crawler.profile import Profile, Tested
from model.errors import SpillwatchError

DOCUMENT = Path(__file__).resolve().parents[2] / "docs/sites.md"


def test_the_document_holds_what_the_descriptions_say():
    """After a site was added or changed: make sites-table."""
    document = DOCUMENT.read_text(encoding="utf-8")
    assert document == inserted(document, tables(uses(), NOT_BUILT)), "run: make sites-table"


def test_every_site_has_its_row_and_its_terms():
    """Mode, access, limits, what it was tested against and when; terms and the reason for being off."""
    site = Profile("notes | of a\ntest", "search", "login", "60 in an hour", "ask first", "wants a login", 600.0, 2.5,
                   Tested("recording", "2026-11-24"))  # fmt: skip
    written = tables({"notes": site, "open": Profile("open")}, {"zhihu": "because; instead"})
    row = "| `notes` | notes \\| of a test | search | login | 60 in an hour; at least every 600 s, delay 2.5 s "
    assert row + "| recording | 2026-11-24 |" in written
    assert "| `notes` | ask first | wants a login |" in written
    assert written.count("`open`") == 1
    assert "| zhihu | because; instead |" in written


def test_only_what_stands_between_the_marks_is_replaced():
    """What people wrote stays, and a document without the marks is refused."""
    document = f"before\n{BEGIN}\n\nold\n\n{END}\nafter\n"
    once = inserted(document, "new")
    assert once == f"before\n{BEGIN}\n\nnew\n\n{END}\nafter\n" == inserted(once, "new")
    with pytest.raises(SpillwatchError, match="no place for the tables"):
        inserted("nothing here", "new")
