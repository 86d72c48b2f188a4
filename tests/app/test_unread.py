"""Promises 4 and 5: what could not be read is told, and kept until it can be."""

import io
import zipfile
from pathlib import Path

import pytest

from tests.app.installation import export, install
from tests.people import PEOPLE

pytestmark = pytest.mark.slow


def test_a_page_with_an_unreadable_member_is_kept_and_could_not_be_told(private_path: Path):
    """A readable letter beside a broken member is no all-clear: the page waits, sealed, to be tried again."""
    spillwatch = install(private_path)
    spillwatch.change(decoding={"ocr": False}, evidence={"screenshot": False})
    spillwatch.run("enrol", str(export(PEOPLE, private_path / "export.csv")), ok=[0])
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("letter.txt", "nothing to see here, only the weather of last week")
        archive.writestr("photo.png", b"\x89PNG\r\n\x1a\n" + b"\0" * 200)
    mixed = private_path / "mixed.zip"
    mixed.write_bytes(packed.getvalue())
    told = spillwatch.run("check", str(mixed), ok=[2]).out
    assert "could not read" in told
    assert "1 pages" in spillwatch.run("quarantined", ok=[0]).out
