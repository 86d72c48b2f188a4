"""HL7 v2: messages in every framing are told apart, and the patients in them are put together."""

import base64
import gzip
import io
import json
from pathlib import Path

import pytest

from app.sources.documents import Documents
from app.sources.hl7_messages import messages, segments
from app.sources.hl7v2 import Hl7Source
from app.sources.interface import StandardSchema
from model.errors import EnrolmentError
from model.record import LinkageColumn, Record
from tests.people import CANARY, HE_YUNSHU, MARGARET_HOLLOWAY

SHARED = Path(__file__).resolve().parents[2] / ".." / "shared/data/hl7v2/messages.jsonl.gz"
MSH = "MSH|^~\\&|HIS|H|RIS|H|20240301||ORU^R01|1|P|2.5"
VISIT = "|".join(("PV1", "1", "I", *[""] * 7, "呼吸", *[""] * 5, "V", *[""] * 2, "ZY77669742", *[""] * 24, "20240301"))
PERSON = "|".join(
    (
        f"PID|1||{CANARY.mrn}^^^H^MR~{CANARY.resident_id}^^^GOV^NI||欧阳^鸢翎||19610807|F|||金丝雀路9918号^^云雀市|",
        f"^PRN^PH^{CANARY.email}~{CANARY.phone}^PRN^CP",
        "^WPN^PH^^86^154^02200417",
    )
)
ADT = f"{MSH}\rEVN|A01\r{PERSON}\r{VISIT}\rDG1|1||J67.2^鸟类饲养者肺^I10\r"
REPORT = "OBX|1|TX|CT||右肺下叶见片状影\\.br\\考虑炎症 \\T\\ 复查\rOBX|2|NM|WBC||11.2\rNTE|1||电话已告知\r"
ORU = f"{MSH}\rPID|1||{CANARY.mrn}^^^H^MR||欧阳^鸢翎\r{REPORT}"
OTHER = f"{MSH}\rPID|1||{HE_YUNSHU.mrn}^^^H^MR||何^云舒\r"


def read(path: Path, **settings: object) -> tuple[list[Record], list[EnrolmentError], Hl7Source]:
    """Read a source to its end; plain documents only."""
    source = Hl7Source(path, StandardSchema(**settings), Documents(lambda: pytest.fail("no sandbox is needed here")))
    rows = list(source.rows())
    found = [row for row in rows if isinstance(row, Record)]
    return found, [row for row in rows if isinstance(row, EnrolmentError)], source


PLAIN = f"{ADT}{ORU}{OTHER}"
FRAMES = {
    "carriage returns": PLAIN,
    "line feeds": PLAIN.replace("\r", "\n"),
    "both": PLAIN.replace("\r", "\r\n"),
    "blank lines": f"{ADT}\r\r{ORU}\r\r{OTHER}",
    "mllp": "".join(f"\x0b{message}\x1c\r" for message in (ADT, ORU, OTHER)),
    "batch": f"FHS|^~\\&\rBHS|^~\\&\r{ADT}{ORU}{OTHER}BTS|3\rFTS|1\r",
    "a broken line": PLAIN.replace("片状影", "\n片状影"),
}


@pytest.mark.parametrize("frame", FRAMES)
@pytest.mark.parametrize("coding", ["utf-8", "gb18030"])
@pytest.mark.parametrize("chunk", [7, 1 << 20])
def test_messages_are_told_apart_in_every_frame(tmp_path, monkeypatch, frame, coding, chunk):
    """Two patients, one of them in two messages: his values are joined."""
    monkeypatch.setattr("app.sources.hl7_messages.CHUNK", chunk)
    path = tmp_path / "feed.hl7"
    path.write_bytes(FRAMES[frame].encode(coding))
    (canary, other), errors, source = read(path)
    assert errors == []
    values = dict(canary.values)
    text = values.pop("note").replace(" 片", "片")
    assert text == "右肺下叶见片状影\n考虑炎症 & 复查\n电话已告知"
    assert values == {
        "MR": CANARY.mrn,
        "NI": CANARY.resident_id,
        "name": CANARY.name,
        "birth_date": CANARY.birth_date,
        "department": "呼吸",
        "visit_date": "2024-03-01",
        "address": "云雀市金丝雀路9918号",
        "email": CANARY.email,
        "phone": CANARY.phone,
        "phone#2": "+86 15402200417",
        "VN": "ZY77669742",
        "condition": "鸟类饲养者肺",
    }
    assert (canary.ref, canary.row, canary.public_figure) == (CANARY.mrn, 1, True)
    assert (other.ref, other.row, other.public_figure) == (HE_YUNSHU.mrn, 3, False)
    assert source.done() == source.total()


def test_the_declared_coding_counts(tmp_path):
    """MSH-18 says it: a Latin-1 name is not taken for GB18030."""
    path = tmp_path / "x.hl7"
    text = f"{MSH}||||||8859/1\rPID|1||MR61042259^^^H^MR||Hölloway^Märgaret\r"
    path.write_bytes(text.encode("latin-1"))
    assert read(path)[0][0].values["name"] == "Märgaret Hölloway"


def test_the_reference_is_the_identifier_that_the_operator_names(tmp_path):
    """By type or by authority; a message without it is an error by its number."""
    path = tmp_path / "x.hl7"
    path.write_text(ADT + OTHER, "utf-8")
    for wanted in ("NI", "GOV"):
        (record,), (error,), _ = read(path, ref=wanted)
        assert record.ref == CANARY.resident_id
        assert (error.row, error.column) == (2, "PID-3")


def test_columns_can_be_laid_over_the_built_in_ones(tmp_path):
    """An authority gets a kind of its own, and a column can be ignored."""
    path = tmp_path / "x.hl7"
    path.write_text(ADT, "utf-8")
    columns = {"GOV": LinkageColumn("resident_id"), "condition": LinkageColumn("ignore")}
    (record,), _, _ = read(path, columns=columns)
    assert record.values["GOV"] == CANARY.resident_id
    assert "condition" not in record.values


def test_documents_in_observations_are_read(tmp_path):
    """OBX of type ED, base64; one that is not base64 is an error and no end; a reference is counted."""
    good = base64.b64encode(MARGARET_HOLLOWAY.note.encode()).decode()
    observations = f"OBX|1|ED|x||^TEXT^^Base64^{good}\rOBX|2|ED|x||^TEXT^^Base64^!\rOBX|3|RP|x||elsewhere\r"
    path = tmp_path / "x.hl7"
    path.write_text(ADT + observations, "utf-8")
    (record,), (error,), source = read(path)
    assert record.values["note"] == MARGARET_HOLLOWAY.note
    assert error.column == "OBX-5"
    assert "1 documents that stand elsewhere" in source.remarks()[0]


def test_two_patients_of_one_message_are_two(tmp_path):
    """What follows a PID is about that patient."""
    path = tmp_path / "x.hl7"
    second = OTHER.split("\r")[1]
    path.write_text(f"{ORU}{second}\rOBX|1|TX|CT||第二位患者的报告\r", "utf-8")
    first, other = read(path)[0]
    assert "第二位" not in first.values["note"]
    assert other.values["note"] == "第二位患者的报告"


def test_what_is_no_message_is_one_error(tmp_path):
    """Noise before and a message in no coding: each an error by number; a message without a patient is counted."""
    path = tmp_path / "x.hl7"
    bad = OTHER.encode().replace("何".encode(), b"\xff\xff")
    path.write_bytes(b"noise\r" + bad + f"{MSH}\rEVN|A01\r".encode() + ADT.encode())
    (record,), errors, source = read(path)
    assert record.ref == CANARY.mrn
    assert [(error.row, error.column) for error in errors] == [(1, "MSH"), (2, "MSH")]
    assert "1 messages without a patient" in source.remarks()[0]


def test_a_message_without_end_is_refused_and_not_held(monkeypatch):
    """Above the bound only a mark is kept, and the next message is read."""
    monkeypatch.setattr("app.sources.hl7_messages.LONGEST_LINE", 1_000)
    first, second = messages(io.BytesIO((ADT + "OBX|1|TX|||x\r" * 200 + OTHER).encode()))
    with pytest.raises(ValueError, match="longer than"):
        segments(first)
    assert segments(second)[1].first(3) == HE_YUNSHU.mrn


def test_example_messages_of_the_standard_are_read(tmp_path):
    """139 messages of many types, if the public data is here: each is a record's, or an error, or counted."""
    if not SHARED.exists():  # not part of the repository: CI may lack it
        pytest.skip("the public HL7 messages are not on this machine")
    path = tmp_path / "all.hl7"
    lines = gzip.decompress(SHARED.read_bytes()).decode().splitlines()
    texts = [json.loads(line)["text"] for line in lines]
    path.write_text("\n\n".join(text for text in texts if "|ED|" not in text), "utf-8", newline="")
    found, errors, _ = read(path)
    assert len(found) >= 15
    assert not [error for error in errors if error.column in ("MSH", "PID-3")]
