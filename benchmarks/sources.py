"""How fast each source is read, and in how much memory: the reader alone, and nothing enrolled.

    python benchmarks/sources.py [--scale 1.0] [NAME…]

Writes invented patients in each format into a temporary folder, reads each in a process of its own, and prints
records and megabytes per second of processor time and the largest resident memory. `--scale 0.01` is a quick look.
"""

import argparse
import base64
import json
import multiprocessing
import random
import resource
import sqlite3
import tempfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from app.sources.documents import Documents
from app.sources.interface import EnrolmentSettings
from app.sources.recognition import open_source
from decoders.interface import DecodingSettings
from decoders.sandbox import open_sandbox
from matchers.kinds import kinds
from model.record import LinkageColumn, Record

KINDS = {
    "name": "person_name",
    "resident_id": "resident_id",
    "phone": "phone",
    "mrn": "mrn",
    "email": "email",
    "birth_date": "birth_date",
    "address": "address",
    "department": "ignore",
    "note": "note",
}
COLUMNS = ("record_number", *KINDS)
PHRASES = "患者三日前受凉后咳嗽发热伴胸痛，查体右肺呼吸音低，予抗感染治疗后好转，嘱一周后复查。"
SETTINGS = EnrolmentSettings(
    "record_number",
    {name: LinkageColumn(kind) for name, kind in KINDS.items()},
    query="SELECT * FROM patients",
)


def people(count: int) -> Iterator[tuple[str, ...]]:
    """Invent patients, all different."""
    chance = random.Random(7)
    for number in range(count):
        note = "".join(chance.sample(PHRASES, len(PHRASES))) * 2
        born = f"{1930 + number % 90}-{1 + number % 12:02}-{1 + number % 28:02}"
        yield (
            f"R-{number:07}",
            "欧何林邱沈唐"[number % 6] + "".join(chance.sample(PHRASES, 2)),
            f"999901{born.replace('-', '')}{number % 1000:03}X",
            f"154{number:08}",
            f"MR{number:08}",
            f"p{number}@example.org",
            born,
            f"云雀市金丝雀路{number % 900}号{number % 30}单元{number % 2000}室",
            "呼吸内科",
            note,
        )


def csv_file(folder: Path, count: int) -> str:
    """Write a CSV."""
    path = folder / "patients.csv"
    with path.open("w", encoding="utf-8") as out:
        out.write(",".join(COLUMNS) + "\n")
        out.writelines(",".join(row) + "\n" for row in people(count))
    return str(path)


def workbook(folder: Path, count: int) -> str:
    """Write an XLSX with texts inline."""
    path, main = folder / "patients.xlsx", "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    rel, office = (
        "http://schemas.openxmlformats.org/package/2006/relationships",
        "http://schemas.openxmlformats.org/officeDocument/2006/relationships",
    )
    related = "<Relationships xmlns='{}'><Relationship Id='r1' Type='{}/{}' Target='{}'/></Relationships>"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("_rels/.rels", related.format(rel, office, "officeDocument", "xl/workbook.xml"))
        made.writestr("xl/_rels/workbook.xml.rels", related.format(rel, office, "worksheet", "worksheets/sheet1.xml"))
        made.writestr(
            "xl/workbook.xml",
            f"<workbook xmlns='{main}' xmlns:r='{office}'><sheets><sheet name='S' sheetId='1' r:id='r1'/></sheets>"
            "</workbook>",
        )
        with made.open("xl/worksheets/sheet1.xml", "w") as sheet:
            sheet.write(f"<worksheet xmlns='{main}'><sheetData>".encode())
            for row in (COLUMNS, *people(count)):
                cells = "".join(f"<c t='inlineStr'><is><t>{text}</t></is></c>" for text in row)
                sheet.write(f"<row>{cells}</row>".encode())
            sheet.write(b"</sheetData></worksheet>")
    return str(path)


def database(folder: Path, count: int) -> str:
    """Fill a SQLite database."""
    path = folder / "patients.db"
    with sqlite3.connect(path) as opened:
        opened.execute(f"CREATE TABLE patients ({', '.join(COLUMNS)})")
        opened.executemany("INSERT INTO patients VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", people(count))
    return f"sqlite:///{path}"


def resources(row: tuple[str, ...], reference: str) -> list[dict[str, Any]]:
    """Make a patient with three conditions, a report and a document: the patient last."""
    subject = {"reference": reference.format(row[0])}
    document = {"contentType": "text/plain", "data": base64.b64encode(row[9].encode()).decode()}
    return [
        *(
            {"resourceType": "Condition", "subject": subject, "code": {"text": f"{row[9][n : n + 8]}"}}
            for n in range(3)
        ),
        {"resourceType": "DiagnosticReport", "subject": subject, "conclusion": row[9][:40], "code": {"text": "CT"}},
        {"resourceType": "DocumentReference", "subject": subject, "content": [{"attachment": document}]},
        {
            "resourceType": "Patient",
            "id": row[0],
            "name": [{"text": row[1]}],
            "identifier": [
                {"type": {"coding": [{"code": "MR"}]}, "value": row[4]},
                {"type": {"coding": [{"code": "NI"}]}, "value": row[2]},
            ],
            "telecom": [{"system": "phone", "value": row[3]}, {"system": "email", "value": row[5]}],
            "birthDate": row[6],
            "address": [{"text": row[7]}],
        },
    ]


def fhir_lines(folder: Path, count: int) -> str:
    """Write NDJSON as a bulk export does: one file for each kind, nothing near its patient."""
    into = folder / "bulk"
    into.mkdir()
    for row in people(count):
        for each in resources(row, "Patient/{}"):
            with (into / f"{each['resourceType']}.ndjson").open("a", encoding="utf-8", buffering=1 << 16) as out:
                out.write(json.dumps(each, ensure_ascii=False) + "\n")
    return str(into)


def fhir_bundle(folder: Path, count: int) -> str:
    """Write one large bundle."""
    path = folder / "bundle.json"
    with path.open("w", encoding="utf-8") as out:
        out.write('{"resourceType": "Bundle", "entry": [\n')
        for number, row in enumerate(people(count)):
            entries = [{"resource": each} for each in resources(row, "Patient/{}")]
            out.write(("," if number else "") + json.dumps(entries, ensure_ascii=False)[1:-1] + "\n")
        out.write("]}")
    return str(path)


def hl7_messages(folder: Path, count: int) -> str:
    """Write an admission and a report of each patient."""
    path = folder / "feed.hl7"
    head = "MSH|^~\\&|HIS|H|RIS|H|20240301||ADT^A01|1|P|2.5\r"
    with path.open("w", encoding="utf-8", newline="") as out:
        for row in people(count):
            name, born = f"{row[1][0]}^{row[1][1:]}", row[6].replace("-", "")
            pid = f"PID|1||{row[4]}^^^H^MR~{row[2]}^^^G^NI||{name}||{born}|F|||{row[7]}||{row[3]}\r"
            out.write(f"\x0b{head}EVN|A01\r{pid}PV1|1|I\r\x1c\r")
            out.write(f"\x0b{head}{pid}OBX|1|TX|||{row[9]}\rNTE|1||{row[9][:20]}\r\x1c\r")
    return str(path)


def text_notes(folder: Path, count: int) -> str:
    """Write a text file for each patient."""
    into = folder / "notes"
    into.mkdir()
    for row in people(count):
        (into / f"{row[0]}.txt").write_text(row[9], "utf-8")
    return str(into)


def word_notes(folder: Path, count: int) -> str:
    """Write a Word document for each patient."""
    into, main = folder / "words", "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
    into.mkdir()
    for row in people(count):
        with zipfile.ZipFile(into / f"{row[0]}.docx", "w") as made:
            made.writestr("[Content_Types].xml", "<Types/>")
            body = (
                f"<w:document xmlns:w='{main}'><w:body><w:p><w:r><w:t>{row[9]}</w:t></w:r></w:p></w:body></w:document>"
            )
            made.writestr("word/document.xml", body)
    return str(into)


FORMATS = {
    "csv": (csv_file, 1_000_000),
    "workbook": (workbook, 100_000),
    "database": (database, 1_000_000),
    "fhir-ndjson": (fhir_lines, 100_000),
    "fhir-bundle": (fhir_bundle, 100_000),
    "hl7": (hl7_messages, 100_000),
    "text-notes": (text_notes, 10_000),
    "word-notes": (word_notes, 1_000),
}


def measure(source: str, told: Any) -> None:
    """Read a source to its end, in this process."""
    kinds()
    before, start = used(), time.perf_counter()
    with Documents(lambda: open_sandbox(DecodingSettings())) as documents:
        opened = open_source(source, SETTINGS, documents)
        found = sum(isinstance(row, Record) for row in opened.rows())
    seconds, spent = time.perf_counter() - start, used() - before
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    told.put((found, seconds, spent, peak, opened.remarks()))


def used() -> float:
    """Return the processor seconds of this process and of its children that have ended."""
    return sum(
        usage.ru_utime + usage.ru_stime
        for usage in (resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN))
    )


def size(path: str) -> int:
    """Return the bytes of a file or folder."""
    named = Path(path.removeprefix("sqlite:///"))
    files = named.rglob("*") if named.is_dir() else [named]
    return sum(file.stat().st_size for file in files)


def main() -> None:
    """Measure the formats that are named, or all."""
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    arguments.add_argument("names", nargs="*", choices=[*FORMATS, []])
    arguments.add_argument("--scale", type=float, default=1.0)
    given = arguments.parse_args()
    print("source         records      MB   seconds  cpu s  records/cpu s  MB/cpu s  peak MB")
    spawned = multiprocessing.get_context("spawn")
    for name in given.names or FORMATS:
        write, count = FORMATS[name]
        with tempfile.TemporaryDirectory() as folder:
            source = write(Path(folder), max(1, round(count * given.scale)))
            megabytes, told = size(source) / 1e6, spawned.Queue()
            child = spawned.Process(target=measure, args=(source, told))
            child.start()
            found, seconds, spent, peak, remarks = told.get()
            child.join()
        line = f"{name:12} {found:9,} {megabytes:7.1f} {seconds:9.1f} {spent:6.1f} {found / spent:14,.0f}"
        print(f"{line} {megabytes / spent:9.1f} {peak:8}  {'; '.join(remarks)}", flush=True)


if __name__ == "__main__":
    main()
