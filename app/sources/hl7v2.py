"""HL7 v2 messages (ADT, ORU, MDM …): the patients they are about, joined from all messages of one or many files."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from app.sources.documents import Documents, Unreadable, from_base64
from app.sources.files import reading, unnamed
from app.sources.hl7_messages import Segment, messages, nth, segments
from app.sources.interface import StandardSchema
from app.sources.joining import HELD, Joiner, Piece, Whole
from app.sources.standard import StandardSource
from app.sources.table import standing_yes
from app.sources.vocabulary import IDENTIFIERS
from model.errors import ConfigError, EnrolmentError
from model.record import LinkageSchema

DAY = re.compile(r"(\d{4})(\d{2})(\d{2})")
HAN = re.compile(r"[\u3400-\u9fff]")
TEXT_TYPES = ("TX", "FT")
LONG_STRING = 20
"""Characters from which an observation of type ST is a text and not a value."""
MEDIA_TYPES = {"PDF": "application/pdf", "HTML": "text/html", "XML": "text/xml", "RTF": "application/rtf"}
UNTYPED = "PI"
"""What an identifier of PID-3 without a type is: the patient's number in the sending hospital."""


class Hl7Source(StandardSource):
    """The patients of messages."""

    def __init__(self, path: Path, settings: StandardSchema, documents: Documents, held: int = HELD) -> None:
        """Take the file or folder, what reads documents, and the bytes that may be held for joining."""
        super().__init__(path, settings, documents, held)
        self._number = 0

    def remarks(self) -> Sequence[str]:
        """Say what is not watched, and how often the files were read."""
        lines = [f"not watched: {count} {what}" for what, count in sorted(self._passed_over.items())]
        return lines + self._read_again()

    def _pieces(self, joiner: Joiner) -> Iterator[Piece | Whole | EnrolmentError]:
        self._progress.start_again()
        self._number = 0
        for number, path in enumerate(self._files, start=1):
            try:
                with reading(path, self._progress) as raw:
                    for message in messages(raw):
                        self._number += 1
                        yield from self._message(message, joiner)
            except ConfigError as error:
                if len(self._files) == 1:
                    raise
                which = f"file {number} of {len(self._files)} in order of name"
                yield EnrolmentError(self._number, "", f"{which}: {unnamed(error, path)}")

    def _message(self, message: bytes, joiner: Joiner) -> Iterator[Piece | EnrolmentError]:
        try:
            told = segments(message)
        except ValueError as problem:
            yield EnrolmentError(self._number, "MSH", str(problem))
        else:
            yield from self._patients(told, joiner)

    def _patients(self, message: list[Segment], joiner: Joiner) -> Iterator[Piece | EnrolmentError]:
        """Yield a piece for each PID of a message; what follows it, up to the next, is about that patient."""
        starts = [index for index, segment in enumerate(message) if segment.name == "PID"]
        if not starts:
            self._pass_over("messages without a patient (PID)", joiner)
            return
        for start, end in zip(starts, [*starts[1:], len(message)], strict=True):
            ref = self._reference(message[start])
            if not ref:
                yield EnrolmentError(self._number, "PID-3", "no identifier that is the reference")
            elif joiner.wants(ref):
                yield self._piece(ref, message[start:end], joiner)

    def _reference(self, pid: Segment) -> str:
        identifiers = [pid.components(repetition) for repetition in pid.repetitions(3)]
        for wanted in [self._wanted] if self._wanted else ["MR", ""]:
            for parts in identifiers:
                if wanted in ("", nth(parts, 5), nth(parts, 4), nth(parts, 4).partition(" ")[0]):
                    return nth(parts, 1)
        return ""

    def _piece(self, ref: str, group: Sequence[Segment], joiner: Joiner) -> Piece:
        piece = Piece(self._number, ref, row=self._number, ref=ref)
        values = list(_person(group[0], self._schema))
        lines = []
        for segment in group[1:]:
            if segment.name == "PV1":
                values += _visit(segment)
                piece.public_figure = piece.public_figure or _is_important(segment)
            elif segment.name == "DG1":
                values.append(("condition", segment.first(4) or segment.first(3, 2)))
            elif segment.name == "NTE":
                lines.append(segment.text(3))
            elif segment.name == "OBX":
                lines.append(self._observed(segment, piece, joiner))
        values.append(("note", "\n".join(line for line in lines if line)))
        piece.values = [(name, text) for name, text in values if text and not self._schema.columns[name].ignored]
        return piece

    def _observed(self, obx: Segment, piece: Piece, joiner: Joiner) -> str:
        """Return the text of an observation, documents included; empty for a number or a code."""
        kind = obx.first(2)
        if kind in TEXT_TYPES:
            return obx.text(5)
        if kind == "ST":
            text = obx.text(5)
            return text if len(text) > LONG_STRING else ""
        if kind == "RP":
            self._pass_over("documents that stand elsewhere (by reference)", joiner)
        if kind == "ED" and not self._schema.columns["note"].ignored:
            return self._document(obx, piece)
        return ""

    def _document(self, obx: Segment, piece: Piece) -> str:
        parts = obx.components(obx.raw(5))
        media_type = MEDIA_TYPES.get(nth(parts, 3).upper(), "text/plain" if nth(parts, 2).upper() == "TEXT" else "")
        try:
            data = from_base64(nth(parts, 5)) if nth(parts, 4).upper() == "BASE64" else nth(parts, 5).encode()
            return self._documents.text(data, media_type)
        except Unreadable as error:
            piece.problems += (EnrolmentError(self._number, "OBX-5", str(error)),)
            return ""

    def _pass_over(self, what: str, joiner: Joiner) -> None:
        if joiner.share.first:
            self._passed_over[what] += 1


def _person(pid: Segment, schema: LinkageSchema) -> Iterator[tuple[str, str]]:
    for number in (3, 2, 4):
        for repetition in pid.repetitions(number):
            parts = pid.components(repetition)
            yield _identifier_column(parts, number, schema), nth(parts, 1)
    for repetition in pid.repetitions(5):
        yield "name", _name(pid.components(repetition, own=True))
    yield "birth_date", _day(pid.first(7))
    yield "sex", pid.first(8)
    for repetition in pid.repetitions(11):
        yield "address", _address(pid.components(repetition))
    for number in (13, 14):
        for repetition in pid.repetitions(number):
            yield from _telecom(pid.components(repetition))
    for number, column in ((18, "AN"), (19, "SS"), (20, "DL")):
        yield column, pid.first(number)


def _identifier_column(parts: list[str], number: int, schema: LinkageSchema) -> str:
    """Return the column of an identifier: its authority, if config.yaml names that, or its type."""
    authority, kind = nth(parts, 4), nth(parts, 5)
    for name in (authority, authority.partition(" ")[0], kind):
        if name in schema.columns and (name == kind or name not in IDENTIFIERS):
            return name
    return UNTYPED if number == 3 and not kind else "identifier"


def _name(parts: list[str]) -> str:
    family, given, others = (nth(parts, number) for number in (1, 2, 3))
    if HAN.search(family + given):
        return family + given
    return " ".join(part for part in (given, others, family) if part)


def _address(parts: list[str]) -> str:
    street, other, city, state, code = (nth(parts, number) for number in range(1, 6))
    if HAN.search(street + city):
        return "".join(dict.fromkeys((state, city, street, other)))
    return ", ".join(part for part in (street, other, city, state, code) if part)


def _telecom(parts: list[str]) -> Iterator[tuple[str, str]]:
    """Yield what an XTN holds: its e-mail address, or its number as written, or put together from its pieces."""
    written, kind, mail = nth(parts, 1), nth(parts, 3), nth(parts, 4)
    for text in (mail, written):
        if "@" in text:
            yield "email", text
            return
    if kind in ("FX", "BP", "Internet", "X.400"):
        return
    country, area, local = (nth(parts, number) for number in (5, 6, 7))
    pieces = (f"+{country} " if country and local else "") + area + local
    yield "phone", written or nth(parts, 12) or pieces


def _visit(pv1: Segment) -> Iterator[tuple[str, str]]:
    yield "VN", pv1.first(19)
    yield "department", pv1.first(10)
    yield "visit_date", _day(pv1.first(44))
    yield "visit_date", _day(pv1.first(45))


def _is_important(pv1: Segment) -> bool:
    """Tell whether PV1-16, the VIP indicator, says so; hospitals have their own words, and a few that mean no."""
    mark = pv1.first(16)
    return bool(mark) and standing_yes(mark) is not False


def _day(text: str) -> str:
    match = DAY.match(text)
    return "-".join(match.groups()) if match else ""
