"""Office documents: everything in their XML, not only the body; sheets with each row on a line; old binary ones too.

Libraries for these formats read the body and lose headers, footers, comments and text boxes, so for documents of the
zip kind all XML is read, whatever its part is called. Pictures and embedded files become parts of their own.
"""

import io
import re
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from html import unescape

import python_calamine

from decoders.archive import zip_members
from decoders.interface import Found
from decoders.text import plausibility
from model.errors import DecodeError
from model.page import Part, Passage, Reason

OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
ENCRYPTED_STREAM = "EncryptedPackage".encode("utf-16-le")
TOKEN = re.compile(r"<(/?)(?:[\w.-]+:)?([\w.-]+)[^>]*?(/?)>|([^<]+)")
INLINE = frozenset(["t", "r", "delText", "instrText", "span", "a", "s", "hyperlink", "ins", "del", "rt", "text"])
"""Elements in which text stands without ending a line."""
CELL, ROW = frozenset(("tc", "table-cell")), frozenset(("tr", "table-row"))
BREAKS = frozenset(("br", "cr", "line-break"))
SHEETS = re.compile(r"xl/(?:worksheets/|sharedStrings|styles|theme|calcChain|_rels)")
EXACT_DIGITS = 10**15
"""Numbers from here on have lost digits in a spreadsheet."""
RUN_LENGTH = 4
"""Characters of a run of text worth keeping in an old binary document."""
WIDE_RUN = re.compile(r"[\t\r\n\x20-\x7e\u00a0-\u024f\u2010-\u2030\u3000-\u30ff\u4e00-\u9fff\uff00-\uffef]{4,}")
NARROW_RUN = re.compile(rb"[\t\r\n\x20-\x7e]{8,}")
ROW_LIMIT = 200_000


class OfficeDecoder:
    """Reads DOCX, XLSX, PPTX, ODT, ODS, ODP, XLS, and what can be had of DOC and PPT."""

    def accepts(self, part: Part) -> bool:
        """Take zips that hold an office document, and compound files."""
        if part.data.startswith(OLE):
            return True
        zipped = part.data.startswith(b"PK\x03\x04")
        return zipped and (b"[Content_Types].xml" in part.data or b"opendocument" in part.data[:200])

    def decode(self, part: Part) -> Iterator[Found]:
        """Give sheets row by row, then all other XML as text, then the files inside."""
        if part.data.startswith(OLE):
            yield from read_compound(part)
            return
        is_workbook = b"xl/workbook" in part.data or b"opendocument.spreadsheet" in part.data[:200]
        sheets = list(read_sheets(part)) if is_workbook else []
        yield from sheets
        for found in zip_members(part):
            if not isinstance(found, Part):
                yield found
            elif found.name.endswith((".xml", ".rels", ".vml")):
                if not (sheets and SHEETS.match(found.name)):
                    yield Passage(xml_text(found.data.decode("utf-8", "replace")), found.provenance)
            else:
                yield found


def xml_text(source: str) -> str:
    """Return the text in office XML: a paragraph or a table row per line, runs of one paragraph joined."""
    pieces: list[str] = []
    cells = 0
    after_text = False
    for closing, name, empty, text in TOKEN.findall(source):
        if text:
            pieces.append(unescape(text))
            after_text = True
            continue
        if name in CELL and not empty:
            cells += -1 if closing else 1
        if name == "tab" or (name in CELL and closing):
            pieces.append(" | " if name in CELL else "\t")
        elif name in ROW and closing:
            pieces.append("\n")
        elif name in BREAKS or (closing and (name in ("p", "h") or (after_text and name not in INLINE))):
            pieces.append(" " if cells else "\n")
        # Properties of the next run close before its text: only what closes right after text can end a line.
        after_text = after_text and bool(closing) and name in INLINE
    lines = (line.strip(" |") for line in "".join(pieces).split("\n"))
    return "\n".join(line for line in lines if line.strip())


def read_sheets(part: Part) -> Iterator[Passage]:
    """Yield each sheet of a workbook, hidden ones too, one row per line; nothing if it cannot be opened so."""
    try:
        workbook = python_calamine.load_workbook(io.BytesIO(part.data))
        names = workbook.sheet_names
    except (python_calamine.CalamineError, OSError, ValueError):
        return
    for name in names:
        try:
            rows = workbook.get_sheet_by_name(name).to_python(nrows=ROW_LIMIT)
        except (python_calamine.CalamineError, ValueError):
            continue
        lines = (" | ".join(filter(None, map(cell_text, row))) for row in rows)
        yield Passage("\n".join((name, *(line for line in lines if line))), f"{part.provenance} sheet {name}")


def cell_text(value: object) -> str:
    """Return a cell as a person reads it; a number too long for a spreadsheet both in full and as stored."""
    if isinstance(value, float):
        if not value.is_integer():
            return repr(value)
        return f"{int(value)}" if abs(value) < EXACT_DIGITS else f"{Decimal(repr(value)):f} ({value!r})"
    if isinstance(value, datetime):
        return value.isoformat(" ") if value.time() != datetime.min.time() else value.date().isoformat()
    return value.isoformat() if isinstance(value, date) else str(value)


def read_compound(part: Part) -> Iterator[Found]:
    """Yield what an old binary document holds: sheets, or the runs of text in its bytes."""
    if ENCRYPTED_STREAM in part.data:
        raise DecodeError(Reason.ENCRYPTED, "the document is encrypted")
    sheets = list(read_sheets(part))
    yield from sheets
    if sheets:
        return
    runs = [run for start in (0, 1) for run in WIDE_RUN.findall(part.data[start:].decode("utf-16-le", "replace"))]
    wide = "\n".join(run for run in runs if len(run) >= RUN_LENGTH and plausibility(run) > 0.8)
    narrow = "\n".join(run.decode("ascii") for run in NARROW_RUN.findall(part.data))
    if not wide and not narrow:
        raise DecodeError(Reason.UNSUPPORTED, "no text found in the compound file")
    yield Passage(f"{wide}\n{narrow}".replace("\r", "\n"), f"{part.provenance} (runs of text)")
