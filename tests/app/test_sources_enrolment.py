"""`spillwatch enrol` from every source: what was enrolled is found again, and no value is printed."""

import json
import sqlite3
from pathlib import Path

import pytest

from tests.app.installation import Installation, export, install
from tests.people import CANARY, HE_YUNSHU, LIN_MUQING, MARGARET_HOLLOWAY, PEOPLE

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture
def installed(tmp_path: Path) -> Installation:
    """Give an installation without pictures."""
    made = install(tmp_path)
    made.change(decoding={"ocr": False}, evidence={"screenshot": False})
    return made


def found(installed: Installation, text: str) -> str:
    """Check a text and return the reference of the record that its alert names."""
    checked = json.loads(installed.run("check", "-", "--json", stdin=text.encode(), ok=[1]).out)
    (alert,) = [alert for page in checked["pages"] for alert in page["alerts"]]
    return str(json.loads(installed.run("show", alert, "--json", ok=[0]).out)["ref"])


def test_fhir_is_enrolled_and_found(installed, tmp_path):
    """Both telephones and the note of a patient lead to him; a second run changes nothing."""
    patient = {
        "resourceType": "Patient",
        "id": "p-1",
        "name": [{"family": "欧阳", "given": ["鸢翎"]}],
        "telecom": [{"system": "phone", "value": CANARY.phone}, {"system": "phone", "value": HE_YUNSHU.phone}],
    }
    report = {"resourceType": "DiagnosticReport", "subject": {"reference": "Patient/p-1"}, "conclusion": CANARY.note}
    path = tmp_path / "bulk.ndjson"
    path.write_text("\n".join(json.dumps(each) for each in (report, patient, {"resourceType": "Claim"})), "utf-8")
    first = installed.run("enrol", str(path), ok=[0])
    assert "added 1, changed 0, unchanged 0, refused 0" in first.out
    assert "not watched: 1 Claim" in first.out
    assert "unchanged 1" in installed.run("enrol", str(path), ok=[0]).out
    assert found(installed, f"{CANARY.name} {HE_YUNSHU.phone}") == "p-1"
    assert found(installed, f"听说她{CANARY.note[10:80]}") == "p-1"


def test_hl7_is_enrolled_and_found(installed, tmp_path):
    """An admission and a report, framed as they travel; the days of visits count with a name and an age."""
    head = "MSH|^~\\&|HIS|H|RIS|H|20240301||ADT^A01|1|P|2.5\r"
    visit = "|".join(("PV1", "1", "I", *[""] * 7, "呼吸内科", *[""] * 33, "20240301")) + "\r"
    pid = f"PID|1||{CANARY.mrn}^^^H^MR||欧阳^鸢翎||19610807\r"
    path = tmp_path / "feed.hl7"
    path.write_text(f"\x0b{head}{pid}{visit}\x1c\r\x0b{head}{pid}OBX|1|TX|||{CANARY.note}\r\x1c\r", "utf-8", newline="")
    installed.run("enrol", str(path), ok=[0])
    assert found(installed, CANARY.mrn) == CANARY.mrn
    assert found(installed, f"{CANARY.name},女,62岁,2024年3月1日就诊,咳嗽两周") == CANARY.mrn
    assert found(installed, f"2024-03-01 呼吸科 {CANARY.name} 住院") == CANARY.mrn
    assert found(installed, f"听说她{CANARY.note[10:80]}") == CANARY.mrn


def test_a_database_is_enrolled_by_reference(installed, tmp_path):
    """The URL comes from the environment or a file; a password on the command line is refused and not repeated."""
    with sqlite3.connect(tmp_path / "his.db") as database:
        database.execute("CREATE TABLE patients (number text, name text, phone text)")
        database.execute("INSERT INTO patients VALUES (?, ?, ?)", (CANARY.ref, CANARY.name, CANARY.phone))
    database.close()
    reference = installed.folder / "his.url"
    reference.write_text(f"sqlite:///{tmp_path}/his.db")
    reference.chmod(0o600)
    query = "SELECT number AS record_number, name, phone FROM patients"
    ended = installed.run("enrol", "file:his.url", "--query", query, ok=[0])
    assert "added 1" in ended.out
    assert found(installed, f"{CANARY.name} {CANARY.phone}") == CANARY.ref
    refused = installed.run("enrol", "postgresql://clerk:s3cret@127.0.0.1:1/his", "--query", query, ok=[2])
    assert "holds a password" in refused.err
    assert "s3cret" not in refused.out + refused.err + installed.log()
    assert "--query" in installed.run("enrol", f"sqlite:///{tmp_path}/his.db", ok=[2]).err


def test_notes_and_public_figures_join_a_table(installed, tmp_path):
    """`--notes` and `--public-figures` say of the rows what the table does not."""
    people = [CANARY, LIN_MUQING, MARGARET_HOLLOWAY]
    notes = tmp_path / "notes"
    notes.mkdir()
    (notes / f"{CANARY.ref}.txt").write_text(HE_YUNSHU.note, "utf-8")
    (notes / "R-0.txt").write_text("of nobody", "utf-8")
    figures = tmp_path / "vip.csv"
    figures.write_text(f"record_number\n{CANARY.ref}\nR-0\n", "utf-8")
    path = export(people, tmp_path / "export.csv")
    ended = installed.run("enrol", str(path), "--notes", str(notes), "--public-figures", str(figures), ok=[0])
    assert "notes of 1 references are not watched" in ended.out
    assert "1 references of the list of public figures are not in the source" in ended.out
    assert found(installed, f"听说{HE_YUNSHU.note[10:80]}") == CANARY.ref


def test_a_notes_folder_says_its_numbers_and_no_names(installed, tmp_path):
    """A file that cannot be read is named by its number in the order of names; code 1."""
    notes = tmp_path / "notes"
    notes.mkdir()
    (notes / f"{CANARY.ref}.txt").write_text(CANARY.note, "utf-8")
    (notes / f"{CANARY.name}.pdf").write_bytes(b"%PDF-1.4 garbage")
    ended = installed.run("enrol", str(notes), ok=[1])
    assert "row 2, column 'note': the document could not be read" in ended.err
    assert "added 1" in ended.out
    assert CANARY.name not in ended.out + ended.err + installed.log()


def test_a_format_can_be_said(installed, tmp_path):
    """A word that is none is refused; a format that does not fit is an error and not a guess."""
    path = export(PEOPLE[:1], tmp_path / "export.csv")
    assert "is not one of" in installed.run("enrol", str(path), "--format", "word", ok=[2]).err
    assert installed.run("enrol", str(path), "--format", "spreadsheet", ok=[2]).err.count(
        "cannot be read as a workbook"
    )
    assert "added 1" in installed.run("enrol", str(path), "--format", "csv", ok=[0]).out
