"""Single FHIR R4 resources → values of a record, by a walk that no shape can make stumble.

What is read stands here as paths; everything else of a resource is left alone. (FHIR R4, hl7.org/fhir/R4.)
"""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from model.record import LinkageSchema

UUID = re.compile(r"(?:urn:uuid:)?[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
HAN = re.compile(r"[\u3400-\u9fff]")
WHOLE_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
SUBJECT = ("subject", "patient")
"""Where a resource refers to its patient."""
CODED = ("text", "coding.display")
"""Where a CodeableConcept says what it means."""
TERMS: Mapping[str, tuple[str, ...]] = {
    "Condition": ("code",),
    "Procedure": ("code", "reasonCode"),
    "AllergyIntolerance": ("code",),
    "MedicationRequest": ("medicationCodeableConcept",),
    "MedicationStatement": ("medicationCodeableConcept",),
    "Encounter": ("reasonCode",),
    "DiagnosticReport": ("conclusionCode",),
    "ClinicalImpression": (),
    "Communication": (),
    "Composition": (),
    "DocumentReference": (),
    "Observation": (),
}
"""Resources that are read, and where their coded terms stand: they become lines of the column `condition`."""
TEXTS: Mapping[str, tuple[str, ...]] = {
    "ClinicalImpression": ("description", "summary"),
    "Communication": ("payload.contentString",),
    "DiagnosticReport": ("conclusion",),
    "DocumentReference": ("description",),
    "Observation": ("valueString",),
}
"""Where free text stands, besides `note.text`: it becomes a `note`."""
ATTACHMENTS: Mapping[str, tuple[str, ...]] = {
    "Communication": ("payload.contentAttachment",),
    "DiagnosticReport": ("presentedForm",),
    "DocumentReference": ("content.attachment",),
}
"""Where documents stand in base64."""
NARRATIVE_DEPTH = 8


def at(tree: Any, path: str) -> list[Any]:
    """Return everything that stands at a dotted path, through lists, however the tree is shaped."""
    found = tree if isinstance(tree, list) else [tree]
    for step in _steps(path):
        deeper: list[Any] = []
        for item in found:
            if isinstance(item, dict) and (inner := item.get(step)) is not None:
                if isinstance(inner, list):
                    deeper += inner
                else:
                    deeper.append(inner)
        if not deeper:
            return deeper
        found = deeper
    return found


def words(tree: Any, path: str) -> list[str]:
    """Return the texts at a path that are not blank."""
    return [text for found in at(tree, path) if isinstance(found, str) and (text := found.strip())]


def first(tree: Any, path: str) -> str:
    """Return the first text at a path, or an empty one."""
    return next(iter(words(tree, path)), "")


@cache
def _steps(path: str) -> tuple[str, ...]:
    return tuple(path.split("."))


def patient_key(reference: str) -> str:
    """Return the key of a patient from a reference to him, or from his fullUrl: `Patient/7` → `7`; empty if none.

    `urn:uuid:` references hold within their bundle only, and an identifier of that kind is nobody else's.
    """
    if reference.startswith("urn:uuid:"):
        return reference.removeprefix("urn:uuid:").lower()
    steps = reference.partition("/_history/")[0].split("/")
    return steps[-1] if len(steps) >= 2 and steps[-2] == "Patient" else ""


def subject(resource: Mapping[str, Any]) -> str:
    """Return the key of the patient whom a resource is about; empty if it is about nobody, or another thing."""
    for path in SUBJECT:
        for reference in words(resource, f"{path}.reference"):
            if key := patient_key(reference):
                return key
    return ""


def reference_of(patient: Mapping[str, Any], wanted: str, url: str) -> str:
    """Return the hospital's reference: the identifier of this system or type, or the resource's own id."""
    if not wanted:
        return first(patient, "id") or patient_key(url)
    for identifier in at(patient, "identifier"):
        if wanted in (first(identifier, "system"), *words(identifier, "type.coding.code")):
            return first(identifier, "value")
    return ""


def patient_values(patient: Mapping[str, Any], schema: LinkageSchema) -> Iterator[tuple[str, str]]:
    """Yield (column, value) of a Patient: names, identifiers, telecom, addresses, birth date, sex."""
    for name in at(patient, "name"):
        if text := name_text(name):
            yield "name", text
    for identifier in at(patient, "identifier"):
        if value := first(identifier, "value"):
            yield identifier_column(identifier, schema), value
    for contact in at(patient, "telecom"):
        column = {"phone": "phone", "sms": "phone", "email": "email"}.get(first(contact, "system"))
        if column and (value := first(contact, "value")):
            yield column, value
    for address in at(patient, "address"):
        if text := address_text(address):
            yield "address", text
    if WHOLE_DAY.match(birth := first(patient, "birthDate")):
        yield "birth_date", birth[:10]
    if sex := first(patient, "gender"):
        yield "sex", sex


def identifier_column(identifier: Any, schema: LinkageSchema) -> str:
    """Return the column of an identifier: its system, its type, or that it is of neither."""
    system = first(identifier, "system")
    for name in (system, *words(identifier, "type.coding.code")):
        if name in schema.columns:
            return "uuid" if UUID.fullmatch(first(identifier, "value")) and name != system else name
    return "uuid" if UUID.fullmatch(first(identifier, "value")) else "identifier"


def name_text(name: Any) -> str:
    """Return a HumanName as it is written in its script."""
    if text := first(name, "text"):
        return text
    given, family = words(name, "given"), first(name, "family")
    if HAN.search(family or "".join(given)):
        return family + "".join(given)
    return " ".join((*given, family)).strip()


def address_text(address: Any) -> str:
    """Return an Address as it is written in its script: from the large to the small in Chinese."""
    if text := first(address, "text"):
        return text
    lines = words(address, "line")
    places = [first(address, step) for step in ("city", "district", "state")]
    if HAN.search("".join((*lines, *places))):
        city, district, state = places
        return "".join(dict.fromkeys((state, city, district, *lines)))
    return ", ".join(part for part in (*lines, *places, first(address, "postalCode")) if part)


def clinical_values(resource: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield (column, value) of a resource about a patient: terms, free text, days of visits, department."""
    kind = str(resource.get("resourceType"))
    for path in TERMS[kind]:
        for concept in at(resource, path):
            if term := next((text for place in CODED if (text := first(concept, place))), ""):
                yield "condition", term
    for path in (*TEXTS.get(kind, ()), "note.text"):
        for text in words(resource, path):
            yield "note", text
    if kind == "Encounter":
        for day in (*words(resource, "period.start"), *words(resource, "period.end")):
            if WHOLE_DAY.match(day):
                yield "visit_date", day[:10]
        for department in words(resource, "serviceType.text"):
            yield "department", department


def attachments(resource: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the attachments of a resource."""
    for path in ATTACHMENTS.get(str(resource.get("resourceType")), ()):
        for attachment in at(resource, path):
            if isinstance(attachment, dict):
                yield attachment


def narratives(resource: Mapping[str, Any]) -> Iterator[str]:
    """Yield XHTML that a person wrote: narratives generated from the data say nothing more than the data."""
    if first(resource, "text.status") in ("additional", "extensions"):
        yield from words(resource, "text.div")
    sections, depth = at(resource, "section"), 0
    while sections and depth < NARRATIVE_DEPTH:
        for section in sections:
            yield from words(section, "text.div")
        sections, depth = at(sections, "section"), depth + 1


def is_public_figure(resource: Mapping[str, Any]) -> bool:
    """Tell whether the record is marked as that of a celebrity, or the patient as one to be treated with courtesy."""
    marks = {*words(resource, "meta.security.code"), *words(resource, "hospitalization.specialCourtesy.coding.code")}
    return bool(marks & {"CEL", "VIP"})
