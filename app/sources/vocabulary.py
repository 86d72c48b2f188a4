"""The built-in linkage schema of FHIR and HL7: the columns of their records, and what kind each is.

Identifiers are known by their type, a code of HL7 table 0203, which FHIR uses too. `enrolment.fhir.columns` and
`enrolment.hl7.columns` lay others over these.
"""

from collections.abc import Mapping

from app.sources.interface import StandardSchema
from model.record import LinkageColumn, LinkageSchema

IDENTIFIERS: Mapping[str, str] = {
    "MR": "mrn",  # medical record number
    "MRT": "mrn",  # temporary medical record number
    "PI": "mrn",  # patient internal identifier
    "PT": "mrn",  # patient external identifier
    "AN": "mrn",  # account number
    "VN": "mrn",  # visit number
    "HC": "national_id",  # health card number
    "MC": "national_id",  # Medicare number
    "MA": "national_id",  # Medicaid number
    "NH": "national_id",  # national health plan identifier
    "NI": "national_id",  # national unique individual identifier
    "NNCHN": "national_id",  # resident ID of China
    "PPN": "mrn",  # passport number
    "DL": "mrn",  # driver's licence number
    "SS": "national_id",  # Social Security number
    "SB": "national_id",  # social beneficiary identifier
}
SYSTEMS: Mapping[str, str] = {
    "http://hl7.org/fhir/sid/us-ssn": "national_id",
    "https://fhir.nhs.uk/Id/nhs-number": "national_id",
    "urn:oid:2.16.840.1.113883.4.1": "national_id",
}
"""Systems of identifiers that stand without a type."""
ELEMENTS: Mapping[str, str] = {
    "name": "person_name",
    "birth_date": "birth_date",
    "phone": "phone",
    "email": "email",
    "address": "address",
    "note": "note",
    "condition": "note",
    "visit_date": "visit_day",
    "department": "department",
    "sex": "ignore",
    "identifier": "ignore",
    "uuid": "ignore",
}
"""`identifier` is one whose system and type are unknown; `uuid` one that only machines ever write."""


def schema_of(overlaid: StandardSchema) -> LinkageSchema:
    """Return the built-in linkage schema with the operator's columns over it."""
    built_in = {name: LinkageColumn(kind) for name, kind in {**ELEMENTS, **IDENTIFIERS, **SYSTEMS}.items()}
    return LinkageSchema(overlaid.ref or "ref", {**built_in, **overlaid.columns})
