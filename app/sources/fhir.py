"""FHIR R4 as JSON: bundles, NDJSON of a bulk export, or folders of them, gzip or not; resources joined to patients."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from app.sources import fhir_resources as fhir
from app.sources.documents import Documents, Unreadable, from_base64
from app.sources.files import reading, unnamed
from app.sources.interface import StandardSchema
from app.sources.joining import HELD, Joiner, Piece, Whole
from app.sources.json_resources import Entry, NotJson, entries
from app.sources.standard import StandardSource
from model.errors import ConfigError, EnrolmentError

TOLD = 12
"""Kinds of resources and systems of identifiers named in the remarks."""


class FhirSource(StandardSource):
    """The patients of resources; a bundle's own patients are whole as soon as it ends."""

    def __init__(self, path: Path, settings: StandardSchema, documents: Documents, held: int = HELD) -> None:
        """Take the file or folder, what reads documents, and the bytes that may be held for joining."""
        super().__init__(path, settings, documents, held)
        self._place = self._patients = 0
        self._own: list[str] = []
        self._unknown: Counter[str] = Counter()

    def remarks(self) -> Sequence[str]:
        """Say which resources and identifiers are not watched, and how often the files were read."""
        said = [f"{count} {what}" for what, count in self._passed_over.most_common(TOLD)]
        lines = [f"not watched: {', '.join(said)}"] if said else []
        if self._unknown:
            systems = ", ".join(f"{system} ({count})" for system, count in self._unknown.most_common(TOLD))
            lines.append(f"identifiers not watched; name those to be watched under enrolment: fhir: columns: {systems}")
        if self._joiner.strays:
            lines.append(f"{self._joiner.strays} patients are referred to and not in the source")
        return lines + self._read_again()

    def _pieces(self, joiner: Joiner) -> Iterator[Piece | Whole | EnrolmentError]:
        self._progress.start_again()
        self._place = self._patients = 0
        for number, path in enumerate(self._files, start=1):
            self._own = []
            try:
                with reading(path, self._progress) as raw:
                    for entry in entries(raw, path.name):
                        self._place += 1
                        if isinstance(entry, NotJson):
                            yield EnrolmentError(self._patients, "", f"{self._which(number)}: {entry}")
                        elif entry.resource is None:
                            yield Whole(self._place, self._own)
                            self._own = []
                        elif (piece := self._piece(entry, joiner)) is not None:
                            yield piece
            except ConfigError as error:
                if len(self._files) == 1:
                    raise
                yield EnrolmentError(self._patients, "", f"{self._which(number)}: {unnamed(error, path)}")

    def _which(self, number: int) -> str:
        """Name a file of a folder without its name, which may be that of a patient."""
        return f"file {number} of {len(self._files)} in order of name"

    def _piece(self, entry: Entry, joiner: Joiner) -> Piece | None:
        resource = entry.resource
        kind = resource.get("resourceType") if isinstance(resource, dict) else None
        if kind == "Patient":
            return self._patient(resource, entry.url, joiner)
        if kind not in fhir.TERMS:
            self._pass_over(str(kind or "things without a resourceType")[:40], joiner)
            return None
        key = fhir.subject(resource)
        if not key:
            self._pass_over(f"{kind} of no patient", joiner)
            return None
        if not joiner.wants(key):
            return Piece(self._place, key)
        piece = Piece(self._place, key, self._watched(fhir.clinical_values(resource)))
        piece.public_figure = fhir.is_public_figure(resource)
        self._read_documents(resource, piece, joiner)
        return piece

    def _patient(self, patient: Mapping[str, Any], url: str, joiner: Joiner) -> Piece | None:
        self._patients += 1
        own = url.startswith("urn:uuid:")
        key = fhir.patient_key(url) if own else fhir.first(patient, "id") or fhir.patient_key(url)
        if not key:
            self._pass_over("Patient without an id", joiner)
            return None
        if own:
            self._own.append(key)
        if not joiner.wants(key):
            return Piece(self._place, key)
        values = list(fhir.patient_values(patient, self._schema))
        if joiner.share.since <= self._place:
            self._note_unknown(patient)
        ref = fhir.reference_of(patient, self._wanted, url)
        figure = fhir.is_public_figure(patient)
        return Piece(self._place, key, self._watched(values), self._patients, ref, figure)

    def _read_documents(self, resource: Mapping[str, Any], piece: Piece, joiner: Joiner) -> None:
        """Add the texts of a resource's attachments and narratives, or why they could not be read."""
        if self._schema.columns["note"].ignored:
            return
        for attachment in fhir.attachments(resource):
            data = fhir.first(attachment, "data")
            if not data:
                self._pass_over("documents that stand elsewhere (by URL)", joiner)
                continue
            media_type, _, parameters = fhir.first(attachment, "contentType").lower().partition(";")
            charset = parameters.partition("charset=")[2].strip(' "') or None
            try:
                text = self._documents.text(from_base64(data), media_type.strip(), charset=charset)
                piece.values.append(("note", text))
            except Unreadable as error:
                piece.problems += (EnrolmentError(self._patients, str(resource["resourceType"]), str(error)),)
        for narrative in fhir.narratives(resource):
            try:
                piece.values.append(("note", self._documents.text(narrative.encode(), "text/html", charset="utf-8")))
            except Unreadable as error:
                piece.problems += (EnrolmentError(self._patients, f"{resource['resourceType']}.text", str(error)),)

    def _watched(self, values: Iterator[tuple[str, str]] | Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
        return [(name, value) for name, value in values if not self._schema.columns[name].ignored]

    def _note_unknown(self, patient: Mapping[str, Any]) -> None:
        for identifier in fhir.at(patient, "identifier"):
            if fhir.identifier_column(identifier, self._schema) in ("identifier", "uuid"):
                named = fhir.first(identifier, "system") or fhir.first(identifier, "type.coding.code")
                self._unknown[named or "without a system"] += 1

    def _pass_over(self, what: str, joiner: Joiner) -> None:
        if joiner.share.first:
            self._passed_over[what] += 1
