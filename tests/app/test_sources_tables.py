"""Delimited files, workbooks and databases: every row becomes a record, or an error that names row and column."""

import gzip
import sqlite3
import zipfile
from datetime import date
from pathlib import Path
from xml.sax.saxutils import escape

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.sources.database import DatabaseSource
from app.sources.delimited import DelimitedSource
from app.sources.interface import EnrolmentSettings, PublicFigures, Row
from app.sources.spreadsheet import SpreadsheetSource
from app.sources.table import LOST_DIGITS, Table, as_text
from model.errors import ConfigError, EnrolmentError, StorageError
from model.record import LinkageColumn, LinkageSchema, Record, base_column, numbered
from storage.foreign import holds_password, rows_of
from tests.people import CANARY, HE_YUNSHU, SCHEMA

SETTINGS = EnrolmentSettings(SCHEMA.ref, SCHEMA.columns)
HEADER = ("record_number", "name", "resident_id", "phone", "note")
TWO = [HEADER, ("R-1", CANARY.name, CANARY.resident_id, CANARY.phone, "a, b\nc"), ("R-2", HE_YUNSHU.name, "", "", "")]


def written(path: Path, text: str, encoding: str = "utf-8") -> Path:
    """Write a file and return its path."""
    path.write_bytes(text.encode(encoding))
    return path


def workbook(path: Path, *sheets: list[tuple[object, ...]]) -> Path:
    """Write sheets as the smallest XLSX that Excel would open: texts inline, numbers and dates as Excel keeps them."""
    main, rel = "http://schemas.openxmlformats.org/spreadsheetml/2006/main", "http://schemas.openxmlformats.org"
    numbers = range(1, len(sheets) + 1)
    relation = f"{rel}/officeDocument/2006/relationships"
    listed = "".join(f"<sheet name='S{n}' sheetId='{n}' r:id='rId{n}'/>" for n in numbers)
    related = "".join(
        f"<Relationship Id='rId{n}' Type='{relation}/worksheet' Target='worksheets/sheet{n}.xml'/>" for n in numbers
    )
    related += f"<Relationship Id='rId0' Type='{relation}/styles' Target='styles.xml'/>"
    with zipfile.ZipFile(path, "w") as made:
        root = f"<Relationship Id='rId1' Type='{relation}/officeDocument' Target='xl/workbook.xml'/>"
        made.writestr("_rels/.rels", f"<Relationships xmlns='{rel}/package/2006/relationships'>{root}</Relationships>")
        made.writestr(
            "xl/workbook.xml", f"<workbook xmlns='{main}' xmlns:r='{relation}'><sheets>{listed}</sheets></workbook>"
        )
        made.writestr(
            "xl/_rels/workbook.xml.rels",
            f"<Relationships xmlns='{rel}/package/2006/relationships'>{related}</Relationships>",
        )
        made.writestr(
            "xl/styles.xml",
            f"<styleSheet xmlns='{main}'><cellXfs><xf numFmtId='0'/><xf numFmtId='14'/></cellXfs></styleSheet>",
        )
        for number, rows in enumerate(sheets, start=1):
            body = "".join(f"<row>{''.join(map(cell, row))}</row>" for row in rows)
            made.writestr(
                f"xl/worksheets/sheet{number}.xml",
                f"<worksheet xmlns='{main}'><sheetData>{body}</sheetData></worksheet>",
            )
    return path


def cell(value: object) -> str:
    """Write one cell."""
    if isinstance(value, date):
        return f"<c s='1'><v>{(value - date(1899, 12, 30)).days}</v></c>"
    if isinstance(value, (int, float)):
        return f"<c><v>{value!r}</v></c>"
    return f"<c t='inlineStr'><is><t>{escape(str(value))}</t></is></c>" if value else "<c/>"


def read(path: Path, settings: EnrolmentSettings = SETTINGS) -> list[Row]:
    """Read a delimited file."""
    return list(DelimitedSource(path, settings).rows())


def problems(rows: list[Row]) -> list[tuple[int, str, str]]:
    """Give row, column and problem of each error."""
    return [(row.row, row.column, row.problem) for row in rows if isinstance(row, EnrolmentError)]


def records(rows: list[Row]) -> list[Record]:
    """Give the records."""
    return [row for row in rows if isinstance(row, Record)]


CSV = 'record_number,name,phone,note\nR-1,欧阳鸢翎,15490817263,"咳嗽, 发热\n夜间"\n\n,,,\nR-2,何云舒,,\n'


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
@pytest.mark.parametrize("delimiter", [",", "\t", ";"])
@pytest.mark.parametrize("packed", [False, True])
def test_exports_are_read_in_every_coding_and_dress(tmp_path, encoding, delimiter, packed):
    """Byte order mark, GB18030, quotes with line breaks, other delimiters, gzip; empty rows count and give nothing."""
    data = CSV.replace(",", delimiter).replace(f"咳嗽{delimiter} ", "咳嗽, ").encode(encoding)
    path = tmp_path / "export.csv"
    path.write_bytes(gzip.compress(data) if packed else data)
    source = DelimitedSource(path, SETTINGS)
    assert [(row.ref, row.row, dict(row.values)) for row in records(list(source.rows()))] == [
        ("R-1", 1, {"name": "欧阳鸢翎", "phone": "15490817263", "note": "咳嗽, 发热\n夜间"}),
        ("R-2", 4, {"name": "何云舒"}),
    ]
    assert source.done() == source.total() == path.stat().st_size


@pytest.mark.parametrize(
    ("line", "column", "says"),
    [
        ("R-1,x", "record_number", "fewer fields"),
        ("R-1,x,y,z,too much", "record_number", "more fields"),
        (",x,15490817263,", "record_number", "the reference is empty"),
        ("R-1,,,", "record_number", "no column to be fingerprinted has a value"),
        ("R-1,张三,1.54908E+11,", "phone", "more than 15 digits"),
    ],
)
def test_a_bad_row_is_named_and_the_next_one_is_read(tmp_path, line, column, says):
    """Row and column, never the value; good rows around it are read."""
    path = written(tmp_path / "x.csv", f"record_number,name,phone,note\nR-0,a name,,\n{line}\nR-9,b name,,\n")
    rows = read(path)
    ((row, named, problem),) = problems(rows)
    assert (row, named) == (2, column)
    assert says in problem
    assert [record.ref for record in records(rows)] == ["R-0", "R-9"]


def test_quotes_that_never_close_are_an_error_and_not_an_end(tmp_path):
    """What follows an open quote is lost to the row, and the row is reported."""
    rows = read(written(tmp_path / "x.csv", 'record_number,name\nR-0,a name\nR-1,"open\nR-2,b name\n'))
    assert [record.ref for record in records(rows)] == ["R-0"]
    assert problems(rows)[0][0] == 2
    assert "quotes" in problems(rows)[0][2]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "no column 'record_number'"),
        (b"record_number,blood_group\nR-1,x\n", "blood_group"),
        (b"record_number,name\n\xff\xff\xff", "neither UTF-8 nor GB18030"),
        (b"record_number\nR-1\n", "none of the columns"),
        (gzip.compress(b"record_number,name\n" + bytes(range(48, 58)) * 9999, mtime=0)[:60], "cut off"),
    ],
)
def test_a_file_that_is_no_export_is_refused(tmp_path, data, says):
    """One error says what is wrong with it."""
    path = tmp_path / "export.csv"
    path.write_bytes(data)
    with pytest.raises(ConfigError, match=says):
        read(path)


def test_a_column_that_stands_twice_is_read_twice(tmp_path):
    """The second telephone of a row is `phone#2`, and both are of the kind of `phone`."""
    (record,) = records(
        read(written(tmp_path / "x.csv", "record_number,phone,phone,phone\nR-1,15490817263,,15402200417\n"))
    )
    assert dict(record.values) == {"phone": "15490817263", "phone#3": "15402200417"}
    assert SETTINGS.column("phone#3") == SCHEMA.columns["phone"]


def test_retention_and_public_figures_come_from_columns(tmp_path):
    """`retain_until` reads days in their usual forms; a mark that is neither yes nor no is an error."""
    settings = EnrolmentSettings(
        "record_number", SCHEMA.columns, retain_until="until", public_figures=PublicFigures(column="vip")
    )
    lines = ["2031-02-28,是", "2031年2月28日,0", "20310228,", ",yes", "2031-02-30,no", "2031-02-28,perhaps"]
    text = "record_number,name,until,vip\n" + "".join(f"R-{n},a name,{line}\n" for n, line in enumerate(lines))
    rows = read(written(tmp_path / "x.csv", text), settings)
    last = date(2031, 2, 28)
    assert [(row.retain_until, row.public_figure) for row in records(rows)] == [
        (last, True),
        (last, False),
        (last, False),
        (None, True),
    ]
    assert [(row, column) for row, column, _ in problems(rows)] == [(5, "until"), (6, "vip")]


def test_a_workbook_is_read_as_it_would_be_written(tmp_path):
    """Numbers without .0, dates as ISO 8601; a resident ID kept as a number has lost digits and is refused."""
    born = date(1961, 8, 7)
    rows: list[tuple[object, ...]] = [
        ("record_number", "name", "birth_date", "phone", "resident_id"),
        ("R-1", "欧阳鸢翎", born, 15490817263, "999901196108070423"),
        ("R-2", "何云舒", "1985-03-14", "", 999912198503142114),
        ("", "", "", "", ""),
        (4711, "林慕青", "", 15406613390.0, ""),
    ]
    source = SpreadsheetSource(workbook(tmp_path / "x.xlsx", rows, []), SETTINGS)
    found = list(source.rows())
    assert [(record.ref, dict(record.values)) for record in records(found)] == [
        (
            "R-1",
            {
                "name": "欧阳鸢翎",
                "birth_date": "1961-08-07",
                "phone": "15490817263",
                "resident_id": "999901196108070423",
            },
        ),
        ("4711", {"name": "林慕青", "phone": "15406613390"}),
    ]
    assert problems(found) == [(2, "resident_id", LOST_DIGITS)]
    assert source.done() == source.total() == 4


def test_which_sheet_is_meant_must_be_plain(tmp_path):
    """Two sheets with rows: one must be named."""
    rows: list[tuple[object, ...]] = [("record_number", "name"), ("R-1", "欧阳鸢翎")]
    path = workbook(tmp_path / "x.xlsx", rows, rows[:1])
    with pytest.raises(ConfigError, match=r"S1, S2.*enrolment: sheet:"):
        SpreadsheetSource(path, SETTINGS)
    named = EnrolmentSettings("record_number", SCHEMA.columns, sheet="S1")
    assert len(records(list(SpreadsheetSource(path, named).rows()))) == 1
    with pytest.raises(ConfigError, match="no sheet 'S9'"):
        SpreadsheetSource(path, EnrolmentSettings("record_number", SCHEMA.columns, sheet="S9"))


def test_what_is_no_workbook_is_refused(tmp_path):
    """Bytes behind the name of a workbook."""
    with pytest.raises(ConfigError, match="cannot be read as a workbook"):
        SpreadsheetSource(written(tmp_path / "x.xlsx", "PK\x03\x04 nothing"), SETTINGS)


@pytest.fixture(params=["sqlite", "postgresql"])
def hospital(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Give the URL of a hospital's database with a table `patients` of 2,500 rows."""
    rows = [(f"R-{n}", f"name {n}", f"154{n:08}", date(1950 + n % 50, 1 + n % 12, 1 + n % 28)) for n in range(2500)]
    make = "CREATE TABLE patients (record_number text, name text, phone text, birth_date date)"
    if request.param == "sqlite":
        with sqlite3.connect(tmp_path / "his.db") as database:
            database.execute(make)
            plain = [(*row[:3], row[3].isoformat()) for row in rows]
            database.executemany("INSERT INTO patients VALUES (?, ?, ?, ?)", plain)
        database.close()
        return f"sqlite:///{tmp_path}/his.db"
    url = str(request.getfixturevalue("postgres_url"))
    with psycopg.connect(url.replace("+psycopg", "")) as server:
        server.execute(make)
        with server.cursor() as cursor:
            cursor.executemany("INSERT INTO patients VALUES (%s, %s, %s, %s)", rows)
    return url


def queried(url: str, query: str) -> list[Row]:
    """Read a query."""
    return list(DatabaseSource(url, EnrolmentSettings("record_number", SCHEMA.columns, query=query)).rows())


def test_a_query_is_a_table(hospital):
    """Rows in the query's order, dates as ISO 8601; colons and percent signs in the query are the query's own."""
    query = "SELECT * FROM patients WHERE name LIKE 'name%' AND '12:30' <> ':x' ORDER BY record_number;"
    rows = queried(hospital, query)
    assert len(records(rows)) == len(rows) == 2500
    assert rows[0].ref == "R-0"
    assert dict(rows[0].values) == {"name": "name 0", "phone": "15400000000", "birth_date": "1950-01-01"}


def test_only_reading_queries_are_let_through(hospital):
    """A query that does not begin as a reading one is refused; one that hides a write, by the database."""
    for query in ("DELETE FROM patients", "DROP TABLE patients", "-- SELECT\nUPDATE patients SET name = ''"):
        with pytest.raises(StorageError, match="must begin with SELECT"):
            queried(hospital, query)
    writing = "WITH gone AS (DELETE FROM patients RETURNING *) SELECT * FROM gone"
    with pytest.raises(StorageError) as caught:
        queried(hospital, writing)
    assert "name 1" not in str(caught.value)
    assert len(queried(hospital, "SELECT record_number, name FROM patients")) == 2500


def test_a_database_is_opened_and_never_made(tmp_path):
    """A SQLite file that is not there stays away; a broken URL, a missing driver and a wrong column are said."""
    with pytest.raises(StorageError, match="the source: "):
        queried(f"sqlite:///{tmp_path}/none.db", "SELECT 1")
    assert not (tmp_path / "none.db").exists()
    for url, says in (("no url", "cannot be read"), ("sqlite://", "names no file"), ("noise+none://h/d", "driver")):
        with pytest.raises(StorageError, match=says):
            queried(url, "SELECT 1")
    with pytest.raises(ConfigError, match="needs a query"):
        DatabaseSource("sqlite:///x", SETTINGS)


def test_a_server_that_does_not_answer_is_named_without_its_password():
    """Nothing of the URL is in the message."""
    with pytest.raises(StorageError) as caught, rows_of("postgresql://clerk:s3cret@127.0.0.1:1/his", "SELECT 1"):
        pass
    assert "cannot be reached" in str(caught.value)
    assert "s3cret" not in str(caught.value)
    assert "clerk" not in str(caught.value)


def test_passwords_in_urls_are_seen():
    """A URL that cannot be read is taken to hold one."""
    assert holds_password("postgresql://clerk:s3cret@127.0.0.1/his")
    assert holds_password("://")
    assert not holds_password("postgresql://clerk@127.0.0.1/his")


@pytest.mark.parametrize(
    ("given_value", "text"),
    [(None, ""), (True, "yes"), (3, "3"), (3.0, "3"), (3.5, "3.5"), (float("nan"), ""), (" a ", "a")],
)
def test_cells_become_text(given_value, text):
    """As a person would write them."""
    assert as_text(given_value) == text


def test_what_has_no_writing_is_refused():
    """A picture in a column that is watched is an error of that row; in a column that is not, nobody minds."""
    schema = {"name": LinkageColumn("person_name"), "photo": LinkageColumn("ignore")}
    table = Table(["r", "name", "photo"], EnrolmentSettings("r", schema), "here")
    assert table.row(1, ["R-1", b"\xff", ""]).column == "name"
    assert dict(table.row(1, ["R-1", "a name", b"\xff"]).values) == {"name": "a name"}


@given(st.lists(st.tuples(st.sampled_from(["phone", "note", "a#2"]), st.text()), max_size=12))
def test_numbering_loses_nothing(values):
    """Every value stands under a name of its own, and the schema knows each name."""
    schema = LinkageSchema("ref", {name: LinkageColumn(name) for name in ("phone", "note", "a#2")})
    found = numbered(values)
    assert sorted(found.values()) == sorted(value for _, value in values)
    assert all(schema.column(name) for name in found)
    assert base_column("phone#12") == "phone"
    assert base_column("#2") == "#2"
    assert base_column("room #b") == "room #b"
