"""PDF documents: the text of each page, pages that are pictures, attachments and metadata."""

from collections.abc import Iterator

import pypdfium2
import pypdfium2.raw as pdfium

from decoders.image import read_pixels
from decoders.interface import Found
from model.errors import DecodeError
from model.page import Part, Passage, Reason

PAGE_LIMIT = 50
LITTLE_TEXT = 20
"""Characters below which a page is taken for a picture."""
PICTURE_SHARE = 0.2
"""Share of a page covered by one picture, above which the page is read as a picture too."""
RENDERED = 2_000
"""Pixels of the longer side of a rendered page: about 170 dots per inch for A4."""
ATTACHMENT_LIMIT = 64 * 1024 * 1024


class PdfDecoder:
    """Reads PDF."""

    def __init__(self, *, ocr: bool) -> None:
        """Say whether pages without text are rendered and read."""
        self._ocr = ocr

    def accepts(self, part: Part) -> bool:
        """Take what has the sign of a PDF in its first kilobyte, as readers do."""
        return b"%PDF-" in part.data[:1_024]

    def decode(self, part: Part) -> Iterator[Found]:
        """Give metadata, then each page's text or picture, then attachments."""
        document = open_document(part.data)
        try:
            about = document.get_metadata_dict(skip_empty=True)
            yield Passage("\n".join(f"{key}: {value}" for key, value in about.items()), f"{part.provenance} (metadata)")
            for number in range(min(len(document), PAGE_LIMIT)):
                yield from self._read_page(document, number, f"{part.provenance} page {number + 1}")
            yield from attachments(document, part)
            if len(document) > PAGE_LIMIT:
                raise DecodeError(Reason.LIMIT, "the document has more pages than are read")
        finally:
            document.close()

    def _read_page(self, document: pypdfium2.PdfDocument, number: int, provenance: str) -> Iterator[Found]:
        try:
            page = document[number]
            text = page.get_textpage().get_text_range(errors="replace")
            yield Passage(text.replace("\r\n", "\n").replace("\ufffe", ""), provenance)
            if self._ocr and (len(text.strip()) < LITTLE_TEXT or has_large_picture(page)):
                scale = RENDERED / max(*page.get_size(), 1.0)
                yield from read_pixels(page.render(scale=scale).to_pil().convert("RGB"), provenance)
        except pypdfium2.PdfiumError:
            yield DecodeError(Reason.MALFORMED, "a page of the document is broken")


def open_document(data: bytes) -> pypdfium2.PdfDocument:
    """Return a document. Raises `DecodeError`: encrypted or malformed."""
    try:
        return pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        if pdfium.FPDF_GetLastError() == pdfium.FPDF_ERR_PASSWORD or "password" in str(error).lower():
            raise DecodeError(Reason.ENCRYPTED, "the document is encrypted") from error
        raise DecodeError(Reason.MALFORMED, "the document is broken") from error


def has_large_picture(page: pypdfium2.PdfPage) -> bool:
    """Tell whether a picture covers a good part of a page: a scan with a line of text laid over it."""
    width, height = page.get_size()
    for picture in page.get_objects(filter=[pdfium.FPDF_PAGEOBJ_IMAGE], max_depth=3):
        left, bottom, right, top = picture.get_bounds()
        if (right - left) * (top - bottom) >= PICTURE_SHARE * width * height:
            return True
    return False


def attachments(document: pypdfium2.PdfDocument, part: Part) -> Iterator[Found]:
    """Yield the files attached to a document."""
    for index in range(document.count_attachments()):
        try:
            attachment = document.get_attachment(index)
            name = attachment.get_name()
            data = bytes(attachment.get_data())
        except pypdfium2.PdfiumError:
            yield DecodeError(Reason.MALFORMED, "an attachment of the document is broken")
            continue
        if len(data) > ATTACHMENT_LIMIT:
            yield DecodeError(Reason.TOO_BIG, "an attachment of the document is larger than is read")
        else:
            yield Part(f"{part.provenance}/{name}", "", data, name)
