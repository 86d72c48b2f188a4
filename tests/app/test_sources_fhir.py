"""FHIR: patients are put together from bundles, NDJSON and folders, in any order, and nothing unknown is fatal."""

import base64
import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.sources.documents import Documents
from app.sources.fhir import FhirSource
from app.sources.fhir_resources import (
    address_text,
    attachments,
    clinical_values,
    is_public_figure,
    name_text,
    narratives,
    patient_values,
    subject,
)
from app.sources.interface import StandardSchema
from app.sources.json_resources import SMALL
from app.sources.vocabulary import schema_of
from decoders.interface import DecodingSettings
from decoders.sandbox import open_sandbox
from matchers.kinds import kinds
from model.errors import ConfigError, EnrolmentError
from model.record import Record
from tests.people import CANARY, MARGARET_HOLLOWAY

SYNTHEA = Path(__file__).resolve().parents[2] / ".." / "shared/data/synthea_fhir"


@pytest.fixture(scope="module")
def documents() -> Iterator[Documents]:
    """Give what reads documents."""
    with Documents(lambda: open_sandbox(DecodingSettings(ocr=False))) as opened:
        yield opened


def patient(identity: str = "p1", **others: object) -> dict[str, object]:
    """Make CANARY as a Patient."""
    return {
        "resourceType": "Patient",
        "id": identity,
        "identifier": [
            {"type": {"coding": [{"code": "MR"}]}, "system": "urn:hospital", "value": CANARY.mrn},
            {"type": {"coding": [{"code": "NI"}]}, "value": CANARY.resident_id},
            {"system": "urn:portal", "value": "portal-1"},
            {"value": "1484a42d-0eaf-4654-9cbf-6b050a5cd73b"},
        ],
        "name": [{"family": "欧阳", "given": ["鸢翎"]}],
        "telecom": [
            {"system": "phone", "value": CANARY.phone},
            {"system": "phone", "value": "15402200417"},
            {"system": "email", "value": CANARY.email},
            {"system": "fax", "value": "15402200418"},
        ],
        "address": [{"state": "云雀市", "city": "云雀市", "line": ["金丝雀路七十三弄9918号"]}],
        "birthDate": CANARY.birth_date,
        **others,
    }


def condition(of: str, text: str) -> dict[str, object]:
    """Make a Condition of a patient."""
    return {"resourceType": "Condition", "subject": {"reference": of}, "code": {"text": text}, "future": [{"x": 1}]}


def document(of: str, data: bytes, media_type: str = "text/plain; charset=utf-8") -> dict[str, object]:
    """Make a DocumentReference with its document."""
    attachment = {"contentType": media_type, "data": base64.b64encode(data).decode()}
    return {"resourceType": "DocumentReference", "subject": {"reference": of}, "content": [{"attachment": attachment}]}


def bundle(*resources: dict[str, object], url: str = "https://fhir.example.org/{type}/{id}") -> dict[str, object]:
    """Make a bundle."""
    entries = [
        {"fullUrl": url.format(type=each["resourceType"], id=each.get("id", number)), "resource": each}
        for number, each in enumerate(resources)
    ]
    return {"resourceType": "Bundle", "type": "collection", "entry": entries}


def written(path: Path, *trees: object) -> Path:
    """Write JSON, one tree a line."""
    text = "\n".join(json.dumps(tree, ensure_ascii=False) for tree in trees).encode()
    path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)
    return path


def read(path: Path, documents: Documents, **settings: object) -> tuple[list[Record], list[EnrolmentError], FhirSource]:
    """Read a source to its end."""
    held = settings.pop("held", 1_000_000)
    source = FhirSource(path, StandardSchema(**settings), documents, held)
    rows = list(source.rows())
    found = [row for row in rows if isinstance(row, Record)]
    return found, [row for row in rows if isinstance(row, EnrolmentError)], source


def test_everything_of_a_patient_is_in_his_record(tmp_path, documents):
    """Several telephones, identifiers by type, terms as one list, a document as a note; what is unknown is counted."""
    report = {
        "resourceType": "DiagnosticReport",
        "subject": {"reference": "Patient/p1"},
        "conclusion": "右肺下叶见片状影",
    }
    visit = {
        "resourceType": "Encounter",
        "subject": {"reference": "Patient/p1"},
        "period": {"start": "2024-03-01T08:00:00Z"},
    }
    path = written(
        tmp_path / "x.json",
        bundle(
            condition("https://fhir.example.org/Patient/p1/_history/2", "鸟类饲养者肺"),
            patient(),
            condition("Patient/p1", "慢性咳嗽"),
            document("Patient/p1", CANARY.note.encode()),
            report,
            visit,
            {"resourceType": "Claim", "patient": {"reference": "Patient/p1"}},
            condition("Patient/nobody", "x"),
            condition("Group/1", "x"),
        ),
    )
    (record,), errors, source = read(path, documents)
    assert errors == []
    assert record.ref == "p1"
    assert dict(record.values) == {
        "name": CANARY.name,
        "MR": CANARY.mrn,
        "NI": CANARY.resident_id,
        "phone": CANARY.phone,
        "phone#2": "15402200417",
        "email": CANARY.email,
        "address": "云雀市金丝雀路七十三弄9918号",
        "birth_date": CANARY.birth_date,
        "note": CANARY.note,
        "note#2": "右肺下叶见片状影",
        "visit_date": "2024-03-01",
        "condition": "鸟类饲养者肺\n慢性咳嗽",
    }
    said = " ".join(source.remarks())
    for part in ("1 Claim", "1 Condition of no patient", "1 patients are referred to", "urn:portal (1)"):
        assert part in said
    assert CANARY.name not in said


def test_the_reference_is_the_identifier_that_the_operator_names(tmp_path, documents):
    """By system or by type; a patient without it is an error, and is not known by another number instead."""
    other = patient("p2", identifier=[{"system": "urn:portal", "value": "portal-2"}])
    path = written(tmp_path / "x.ndjson", patient(), other)
    for wanted in ("urn:hospital", "MR"):
        (record,), (error,), _ = read(path, documents, ref=wanted)
        assert record.ref == CANARY.mrn
        assert error.row == 2
    assert [record.ref for record in read(path, documents)[0]] == ["p1", "p2"]


@pytest.mark.parametrize("name", ["x.json", "x.json.gz", "x.ndjson", "x.ndjson.gz", "x"])
def test_every_packing_gives_the_same(tmp_path, documents, name):
    """A bundle, the same a line, an array, and one resource a line; gzip or not; known by content where unnamed."""
    resources = [condition("Patient/p1", "慢性咳嗽"), patient()]
    expected = [dict(record.values) for record in read(written(tmp_path / "e.ndjson", *resources), documents)[0]]
    assert len(expected) == 1
    trees: list[tuple[object, ...]] = [(bundle(*resources),), tuple(resources), (resources,)]
    for tree in trees[: 3 if "ndjson" not in name else 2]:
        assert [dict(record.values) for record in read(written(tmp_path / name, *tree), documents)[0]] == expected


def test_a_bundle_too_large_for_one_piece_is_streamed(tmp_path, documents):
    """Above the bound the entries come one by one, and cut off in the middle it is an error and not an end."""
    padding = {"resourceType": "Claim", "filler": "x" * (SMALL // 8)}
    large = json.dumps(bundle(patient(), *[padding] * 8, condition("Patient/p1", "慢性咳嗽"))).encode()
    assert len(large) > SMALL
    path = tmp_path / "large.json"
    path.write_bytes(large)
    (record,), errors, _ = read(path, documents)
    assert (record.values["condition"], errors) == ("慢性咳嗽", [])
    path.write_bytes(large[:-100])
    (record,), (error,), _ = read(path, documents)
    assert "cut off" in str(error)
    assert "name" in record.values


def test_a_broken_line_is_one_error(tmp_path, documents):
    """The lines around it are read; a file is named by its place in the order, since its name may be a patient's."""
    path = tmp_path / f"{CANARY.name}.ndjson"
    path.write_bytes(
        json.dumps(patient("a")).encode() + b"\n{broken\n\n[1, null]\n" + json.dumps(patient("b")).encode()
    )
    found, (error,), source = read(tmp_path, documents)
    assert [record.ref for record in found] == ["a", "b"]
    assert "file 1 of 1" in str(error)
    assert "line 2" in str(error)
    assert CANARY.name not in str(error)
    assert "2 things without a resourceType" in " ".join(source.remarks())


def test_a_damaged_file_of_a_folder_costs_only_itself(tmp_path, documents):
    """It is named by its place; alone, it is the source that cannot be read."""
    whole = gzip.compress(b"\n".join(json.dumps(patient(f"p{number}")).encode() for number in range(500)))
    (tmp_path / f"{CANARY.name}.ndjson.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ConfigError, match="cut off"):
        read(tmp_path, documents)
    written(tmp_path / "z.ndjson", patient("z"))
    found, (error,), _ = read(tmp_path, documents)
    assert "z" in {record.ref for record in found}
    assert "cut off" in str(error)
    assert CANARY.name not in str(error)


def test_a_folder_is_joined_across_its_files(tmp_path, documents):
    """As a bulk export has it: Condition.ndjson comes before Patient.ndjson."""
    written(
        tmp_path / "Condition.ndjson.gz", *[condition(f"Patient/p{number}", f"term {number}") for number in range(40)]
    )
    written(tmp_path / "Patient.ndjson", *[patient(f"p{number}") for number in range(40)])
    found, errors, source = read(tmp_path, documents)
    assert errors == []
    assert {record.ref: record.values["condition"] for record in found} == {f"p{n}": f"term {n}" for n in range(40)}
    assert source.done() == source.total()


def test_own_patients_of_a_bundle_are_given_at_its_end(tmp_path, documents):
    """`urn:uuid:` holds within one bundle: nothing waits for the other files, however small the bound."""
    for number in range(6):
        key = f"00000000-0000-4000-8000-00000000000{number}"
        resources = (condition(f"urn:uuid:{key}", f"term {number}"), patient(key))
        written(tmp_path / f"{number}.json", bundle(*resources, url="urn:uuid:{id}"))
    found, errors, source = read(tmp_path, documents, held=3_000)
    assert errors == []
    assert [record.values["condition"] for record in found] == [f"term {number}" for number in range(6)]
    assert len(source.remarks()) == 1


def test_a_small_bound_reads_again_and_gives_the_same(tmp_path, documents):
    """What does not fit waits for another reading: nothing is lost, nothing twice, errors once, order the same."""
    notes = [document(f"Patient/p{n % 30}", f"note {n} ".encode() * 50) for n in range(90)]
    bad = document("Patient/p7", b"\xff\xff\xff")
    path = written(tmp_path / "x.ndjson", *notes[:50], bad, *[patient(f"p{n}") for n in range(30)], *notes[50:])
    whole, errors, _ = read(path, documents)
    again, errors_again, source = read(path, documents, held=20_000)
    assert {record.ref: dict(record.values) for record in again} == {
        record.ref: dict(record.values) for record in whole
    }
    assert len(again) == len(whole) == 30
    assert [str(error) for error in errors_again] == [str(error) for error in errors]
    assert "neither UTF-8 nor GB18030" in str(errors[0])
    assert "times" in source.remarks()[-1]
    assert [record.ref for record in read(path, documents, held=20_000)[0]] == [record.ref for record in again]


def test_documents_are_read_in_the_sandbox(tmp_path, documents):
    """HTML becomes text; one that cannot be read is an error, and the patient is enrolled without it."""
    path = written(
        tmp_path / "x.ndjson",
        patient(),
        document("Patient/p1", b"<p>" + CANARY.note.encode() + b"</p>", "text/html"),
        document("Patient/p1", b"%PDF-1.7 garbage", "application/pdf"),
        {
            "resourceType": "DocumentReference",
            "subject": {"reference": "Patient/p1"},
            "content": [{"attachment": {"url": "b"}}],
        },
    )
    (record,), (error,), source = read(path, documents)
    assert CANARY.note in record.values["note"]
    assert (error.column, "could not be read" in error.problem) == ("DocumentReference", True)
    assert "documents that stand elsewhere" in " ".join(source.remarks())


def test_a_wrong_value_is_left_out_and_told(tmp_path, documents):
    """A telephone `none` does not cost the patient."""
    broken = patient(telecom=[{"system": "phone", "value": "none"}, {"system": "phone", "value": CANARY.phone}])
    (record,), (error,), _ = read(written(tmp_path / "x.ndjson", broken), documents)
    assert record.values["phone#2"] == CANARY.phone
    assert "phone" not in record.values
    assert (error.row, error.column) == (1, "phone")


def test_names_and_addresses_are_written_as_their_script_does():
    """Family first and no blank in Chinese, given first in Latin."""
    assert name_text({"family": "欧阳", "given": ["鸢翎"]}) == "欧阳鸢翎"
    assert name_text({"family": "Holloway", "given": ["Margaret", "A."], "prefix": ["Dr"]}) == "Margaret A. Holloway"
    assert name_text({"text": MARGARET_HOLLOWAY.name, "family": "x"}) == MARGARET_HOLLOWAY.name
    western = {"line": ["14 Larkspur Terrace"], "city": "Fenwick Hollow", "postalCode": "0"}
    assert address_text(western) == "14 Larkspur Terrace, Fenwick Hollow, 0"


def test_the_built_in_schema_names_kinds_that_exist():
    """A kind that is renamed must be renamed here too."""
    assert {column.kind for column in schema_of(StandardSchema()).columns.values()} - {*kinds(), "ignore"} == set()


def test_public_figures_are_marked_as_the_standard_has_it():
    """A security label CEL, or the courtesy VIP of an encounter."""
    assert is_public_figure({"meta": {"security": [{"code": "CEL"}]}})
    assert is_public_figure({"hospitalization": {"specialCourtesy": [{"coding": [{"code": "VIP"}]}]}})
    assert not is_public_figure({"meta": {"security": [{"code": "R"}]}})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["name", "identifier", "telecom", "subject", "reference", "code", "text", "note", "content",
                         "attachment", "section", "div", "status", "period", "start", "coding", "family", "given"]),
        inner,
        max_size=4,
    ),
    max_leaves=12,
)  # fmt: skip


@given(
    st.dictionaries(
        st.sampled_from(["name", "identifier", "telecom", "address", "code", "note", "text", "section"]), JSON
    )
)
def test_no_shape_makes_the_walk_stumble(tree):
    """Whatever stands where FHIR has something else: it is passed over."""
    assert all(isinstance(value, str) for pair in patient_values(tree, schema_of(StandardSchema())) for value in pair)
    for kind in ("Condition", "Encounter", "DocumentReference", "Composition", "DiagnosticReport"):
        resource = {**tree, "resourceType": kind}
        assert all(isinstance(value, str) for pair in clinical_values(resource) for value in pair)
        assert isinstance(subject(resource), str)
        assert all(isinstance(attachment, dict) for attachment in attachments(resource))
        assert all(isinstance(text, str) for text in narratives(resource))


def test_a_synthea_bundle_is_read(documents):
    """A whole bundle as Synthea made it, if the public data is here."""
    if not SYNTHEA.is_dir():  # not part of the repository: CI may lack it
        pytest.skip("the public data of Synthea is not on this machine")
    (path,) = SYNTHEA.glob("Clemente_*.json.gz")
    (record,), errors, source = read(path, documents)
    assert errors == []
    assert record.values["http://hl7.org/fhir/sid/us-ssn"] == "999-48-8934"
    assert record.values["PPN"] == "X14485831X"
    assert "Immunization" in source.remarks()[0]
