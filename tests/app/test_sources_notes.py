"""Notes as files, what a source is recognised by, and the roll of references."""

import gzip
import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.sources.documents import Documents
from app.sources.interface import EnrolmentSettings, NotesSettings
from app.sources.notes import NotesFolder, NotesSource, WithNotes
from app.sources.recognition import Format, open_source, recognised
from app.sources.roll import Roll, public_figures
from decoders.interface import DecodingSettings
from decoders.sandbox import open_sandbox
from model.errors import ConfigError, EnrolmentError
from model.record import Record
from tests.people import CANARY, HE_YUNSHU, LIN_MUQING, MARGARET_HOLLOWAY, SCHEMA

WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"


@pytest.fixture(scope="module")
def documents() -> Iterator[Documents]:
    """Give what reads documents."""
    with Documents(lambda: open_sandbox(DecodingSettings(ocr=False))) as opened:
        yield opened


def docx(text: str) -> bytes:
    """Make a Word document of one paragraph."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr(
            "word/document.xml",
            f"<w:document xmlns:w='{WORD}'><w:body><w:p><w:r><w:t>{text}</w:t></w:r></w:p></w:body></w:document>",
        )
    return made.getvalue()


def pdf(text: str) -> bytes:
    """Make a PDF of one line."""
    stream = f"BT /F1 12 Tf 20 100 Td ({text}) Tj ET".encode()
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 2000 200]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>",
        b"<</Length %d>>stream\n%s\nendstream" % (len(stream), stream),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    ]
    made, places = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, start=1):
        places.append(len(made))
        made += b"%d 0 obj%s endobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    start = len(made)
    return made + b"xref\n0 6\n0000000000 65535 f \n%strailer<</Size 6/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % (
        table,
        start,
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give a folder with the notes of three people, one of them with two."""
    made = tmp_path / "notes"
    (made / "ward 3").mkdir(parents=True)
    (made / f"{CANARY.ref}.txt").write_text(CANARY.note, "gb18030")
    (made / "ward 3" / f"{HE_YUNSHU.ref}.docx").write_bytes(docx(HE_YUNSHU.note))
    (made / f"{MARGARET_HOLLOWAY.ref}.pdf").write_bytes(pdf(MARGARET_HOLLOWAY.note))
    (made / f"{MARGARET_HOLLOWAY.ref}.discharge.txt").write_text("Discharged on the fourth.", "utf-8")
    (made / ".hidden").write_text("not a note", "utf-8")
    return made


def test_a_folder_of_notes_is_a_source(folder, documents):
    """Text, Word and PDF; two files of one reference are one record with two notes; the order is that of the names."""
    source = NotesSource(NotesFolder(folder, NotesSettings(), documents))
    rows = [row for row in source.rows() if isinstance(row, Record)]
    assert [row.ref for row in rows] == [MARGARET_HOLLOWAY.ref, CANARY.ref, HE_YUNSHU.ref]
    notes = {row.ref: row.values for row in rows}
    assert notes[CANARY.ref] == {"note": CANARY.note}
    assert HE_YUNSHU.note in notes[HE_YUNSHU.ref]["note"]
    assert notes[MARGARET_HOLLOWAY.ref]["note"] == "Discharged on the fourth."
    assert MARGARET_HOLLOWAY.note in " ".join(notes[MARGARET_HOLLOWAY.ref]["note#2"].split())
    assert source.done() == source.total() == 4


def test_a_pattern_finds_the_reference_in_the_path(folder, documents):
    """Files whose path holds none are errors that do not name them."""
    source = NotesSource(NotesFolder(folder, NotesSettings(r"ward \d/R-(\d+)"), documents))
    rows = list(source.rows())
    assert [row.ref for row in rows if isinstance(row, Record)] == [HE_YUNSHU.ref.removeprefix("R-")]
    errors = [str(row) for row in rows if isinstance(row, EnrolmentError)]
    assert len(errors) == 3
    assert CANARY.ref not in " ".join(errors)
    for bad in ("(", "no group"):
        with pytest.raises(ConfigError, match="notes: ref"):
            NotesFolder(folder, NotesSettings(bad), documents)


def test_a_note_that_cannot_be_read_is_an_error(folder, documents):
    """A broken PDF, an empty text and one in no coding: by number of the file, with the reason."""
    (folder / "A-1.pdf").write_bytes(b"%PDF-1.4 garbage")
    (folder / "A-2.txt").write_bytes(b"\xff\xff\xff")
    rows = list(NotesSource(NotesFolder(folder, NotesSettings(), documents)).rows())
    errors = [row for row in rows if isinstance(row, EnrolmentError)]
    assert [(error.row, error.column) for error in errors] == [(1, "note"), (2, "note")]
    assert [row.ref for row in rows if isinstance(row, Record)][1:] == [CANARY.ref, HE_YUNSHU.ref]


def test_notes_join_the_records_of_another_source(folder, documents):
    """After the notes that a row has; notes of nobody are counted."""
    joining = WithNotes(NotesFolder(folder, NotesSettings(), documents))
    rows = list(joining.join([CANARY.record(1), EnrolmentError(2, "x", "y"), LIN_MUQING.record(3)]))
    assert rows[0].values == {**CANARY.values, "note#2": CANARY.note}
    assert isinstance(rows[1], EnrolmentError)
    assert rows[2] == LIN_MUQING.record(3)
    assert joining.remarks() == ("notes of 2 references are not watched: the source has no such record",)


@pytest.mark.parametrize(
    ("name", "data", "expected"),
    [
        ("x.csv", b"a,b", Format.CSV),
        ("x.csv", b"{notes}", Format.FHIR),
        ("export", b"\xef\xbb\xbfa\tb", Format.CSV),
        ("x.txt", b"a\tb", Format.CSV),
        ("x.csv.gz", gzip.compress(b"a,b", mtime=0), Format.CSV),
        ("x.xlsx", b"PK\x03\x04", Format.SPREADSHEET),
        ("export", b"\xd0\xcf\x11\xe0", Format.SPREADSHEET),
        ("x.docx", b"PK\x03\x04", Format.NOTES),
        ("x.pdf", b"%PDF", Format.NOTES),
        ("x.json.gz", gzip.compress(b' \n {"resourceType": "Bundle"}', mtime=0), Format.FHIR),
        ("x.ndjson", b'{"resourceType": "Patient"}', Format.FHIR),
        ("x.dat", b"\x0bMSH|^~\\&|", Format.HL7),
        ("x.hl7", b"FHS|^~\\&|", Format.HL7),
    ],
)
def test_a_file_is_known_by_its_content(tmp_path, name, data, expected):
    """And by its ending where the content does not say."""
    (tmp_path / name).write_bytes(data)
    assert recognised(str(tmp_path / name)) is expected


@pytest.mark.parametrize("named", ["env:HIS_URL", "file:his.url", "postgresql://clerk@127.0.0.1/his", "sqlite:///x.db"])
def test_a_database_is_known_by_its_name(named):
    """A URL, or a reference to one."""
    assert recognised(named) is Format.DATABASE


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["Patient.ndjson.gz", "b/Condition.ndjson"], Format.FHIR),
        (["a.hl7"], Format.HL7),
        (["a.txt", "b.pdf", "noending"], Format.NOTES),
        (["a.txt", "b.json"], "several formats"),
        (["a.json", "b.bin"], "unknown formats"),
        ([], "no files"),
    ],
)
def test_a_folder_is_known_by_its_files(tmp_path, names, expected):
    """All of one format, or it is refused with what to do."""
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    if isinstance(expected, Format):
        assert recognised(str(tmp_path)) is expected
        return
    with pytest.raises(ConfigError, match=f"{expected}.*--format"):
        recognised(str(tmp_path))


def test_what_is_not_there_is_said(tmp_path, documents):
    """A path that is not there, and a folder of tables."""
    settings = EnrolmentSettings(SCHEMA.ref, SCHEMA.columns)
    with pytest.raises(ConfigError, match="No such file"):
        recognised(str(tmp_path / "none.csv"))
    (tmp_path / "a.csv").write_text("x")
    with pytest.raises(ConfigError, match="one by one"):
        open_source(str(tmp_path), settings, documents)


def test_the_roll_is_called_once(tmp_path):
    """The second of a reference is an error wherever it stands; public figures are marked, or counted."""
    path = tmp_path / "vip.txt"
    path.write_text(f"{CANARY.ref}\n\n {LIN_MUQING.ref} \n", "utf-8")
    roll = Roll("record_number", public_figures(path, "record_number"))
    rows = list(roll.call([CANARY.record(1), HE_YUNSHU.record(2), CANARY.record(3)]))
    assert [row.public_figure for row in rows[:2]] == [True, False]
    assert (rows[2].row, "twice" in rows[2].problem) == (3, True)
    assert roll.remarks() == ("1 references of the list of public figures are not in the source",)


def test_a_list_of_public_figures_may_be_a_table(tmp_path):
    """With the reference column, gzip or not; without it, it is refused."""
    path = tmp_path / "vip.csv.gz"
    path.write_bytes(gzip.compress("name,record_number\n欧阳鸢翎,R-777001\n,\n".encode()))
    assert public_figures(path, "record_number") == {"R-777001"}
    with pytest.raises(ConfigError, match="no column 'number'"):
        public_figures(path, "number")
