"""The wire of one page as a WARC 1.1 file (ISO 28500), written by warcio.

For every exchange one `response` and one `request` record, tied together, with the address that answered; for bytes
that never came over HTTP (a file that a person checked) `resource` records. Bodies stand as received: after transfer
coding, before content coding. What the crawler does not know, the version on the status line, is written as HTTP/1.1,
and the warcinfo record says so.
"""

import io
import re
from collections.abc import Iterable, Sequence
from http import HTTPStatus
from urllib.parse import quote, urlsplit

from warcio.recordloader import ArcWarcRecord
from warcio.statusandheaders import StatusAndHeaders
from warcio.utils import Digester
from warcio.warcwriter import WARCWriter

from alerts.evidence.canonical import utc
from model.page import Exchange, Headers, Page, Part

NOTE = (
    "The status line and the version of the request line are rebuilt; header fields and bodies are as received, "
    "bodies after transfer coding. A field that described the removed transfer coding is kept as "
    "X-Archive-Orig-Transfer-Encoding."
)
UNSAFE_IN_URI = re.compile(r"[\x00-\x20\x7f-\xa0\u2028\u2029]")


class CapturedHeaders(StatusAndHeaders):  # type: ignore[misc]
    """HTTP header fields that are written byte for byte, not percent-encoded where they are not ASCII."""

    def compute_headers_buffer(self, header_filter: object = None) -> None:
        """Set the buffer from the latin-1 text in which the fields were kept."""
        self.headers_buff = self.to_str(header_filter).encode("latin-1", "replace") + b"\r\n"


class Sha256Writer(WARCWriter):  # type: ignore[misc]
    """A WARC writer whose digests are SHA-256."""

    @staticmethod
    def _create_digester() -> Digester:
        return Digester("sha256")


def warc_of(page: Page, software: str) -> bytes:
    """Return the page's exchanges, and the parts that no exchange carried, as one uncompressed WARC file."""
    out = io.BytesIO()
    writer = Sha256Writer(out, gzip=False, warc_version="1.1")
    info = {"software": software, "format": "WARC File Format 1.1", "description": NOTE}
    writer.write_record(writer.create_warcinfo_record("page.warc", info))
    for exchange in page.exchanges:
        _write_exchange(writer, exchange)
    if not page.exchanges:
        _write_parts(writer, page.parts, utc(page.fetched_at))
    return out.getvalue()


def uri_for_header(url: str) -> str:
    """Return the URL with everything escaped that could end or split a header line."""
    return UNSAFE_IN_URI.sub(lambda found: quote(found.group()), url)


def _write_exchange(writer: WARCWriter, exchange: Exchange) -> None:
    told = {"WARC-Date": utc(exchange.started_at)}
    if exchange.peer:
        told["WARC-IP-Address"] = _without_line_ends(exchange.peer)
    status = f"{exchange.status} {_phrase(exchange.status)}".strip()
    fields = CapturedHeaders(status, _wire_fields(exchange.response_headers), protocol="HTTP/1.1")
    url = uri_for_header(exchange.url)
    response = _record(writer, url, "response", exchange.body, fields, told)
    request_fields = list(_wire_fields(exchange.request_headers))
    parts = urlsplit(url)
    if not any(name.lower() == "host" for name, _ in request_fields):
        request_fields.insert(0, ("Host", parts.netloc.rpartition("@")[2]))
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    request_line = f"{_without_line_ends(exchange.method)} {target} HTTP/1.1"
    request = _record(
        writer, url, "request", b"", CapturedHeaders(request_line, request_fields, is_http_request=True), dict(told)
    )
    writer.write_request_response_pair(request, response)


def _write_parts(writer: WARCWriter, parts: Sequence[Part], date: str) -> None:
    for number, part in enumerate(parts):
        media_type = _without_line_ends(part.media_type) or "application/octet-stream"
        record = writer.create_warc_record(
            f"urn:spillwatch:part:{number}",
            "resource",
            payload=io.BytesIO(part.data),
            length=len(part.data),
            warc_content_type=media_type,
            warc_headers_dict={"WARC-Date": date},
        )
        writer.write_record(record)


def _record(
    writer: WARCWriter, url: str, record_type: str, body: bytes, fields: StatusAndHeaders, told: dict[str, str]
) -> ArcWarcRecord:
    return writer.create_warc_record(
        url, record_type, payload=io.BytesIO(body), length=len(body), http_headers=fields, warc_headers_dict=told
    )


def _wire_fields(fields: Headers) -> Iterable[tuple[str, str]]:
    """Give the fields so that a reader does not look for a transfer coding that is gone."""
    for name, value in fields:
        kept = "X-Archive-Orig-Transfer-Encoding" if name.lower() == "transfer-encoding" else name
        yield _without_line_ends(kept), _without_line_ends(value)


def _without_line_ends(text: str) -> str:
    return re.sub(r"[\r\n\0]+", " ", text).strip()


def _phrase(status: int) -> str:
    return next((known.phrase for known in HTTPStatus if known.value == status), "")
