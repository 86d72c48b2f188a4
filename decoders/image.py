"""Pictures: the text in their pixels, and the text in their metadata.

Formats are an allow-list, since image libraries read many that nobody posts. Large pictures are made smaller, tall
ones (stitched screenshots) cut into overlapping tiles, so that the engine sees letters of a size it knows.
"""

import io
import warnings
from collections.abc import Iterator

import numpy as np
from PIL import ExifTags, Image, ImageFile, ImageOps, UnidentifiedImageError

from decoders import ocr
from decoders.interface import Found
from model.errors import DecodeError
from model.page import Part, Passage, Reason

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
SIGNS = (b"\x89PNG\r\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a", b"BM", b"II*\x00", b"MM\x00*")
PIXEL_LIMIT = 50_000_000
FRAME_LIMIT = 8
"""Frames of an animation, or pages of a TIFF, that are read."""
WIDEST = 2_000
"""Pixels across, beyond which a picture is made smaller."""
TILE = 1_600
"""Pixels down of one tile."""
OVERLAP = 120
"""Pixels that neighbouring tiles share, so that no line is cut."""
SMALLEST = 12
"""Pixels below which a side holds no letter."""
METADATA_LIMIT = 200_000
"""Characters of metadata."""


class ImageDecoder:
    """Reads JPEG, PNG, WebP, GIF, BMP and TIFF."""

    def __init__(self, *, ocr: bool) -> None:
        """Say whether the pixels are read, or the metadata alone."""
        self._ocr = ocr

    def accepts(self, part: Part) -> bool:
        """Take what begins like one of the formats."""
        webp = part.data[:4] == b"RIFF" and part.data[8:12] == b"WEBP"
        bitmap = part.data[:2] == b"BM" and part.data[6:10] == b"\x00" * 4
        return webp or part.data.startswith(tuple(sign for sign in SIGNS if sign != b"BM")) or bitmap

    def decode(self, part: Part) -> Iterator[Found]:
        """Give metadata, then what is read in each frame; a picture without any text ends as text-free."""
        picture = open_picture(part.data)
        described = metadata(picture)
        if described:
            yield Passage(described, f"{part.provenance} (metadata)")
        if not self._ocr:
            raise DecodeError(Reason.UNSUPPORTED, "reading pictures is switched off")
        any_text = False
        frames = min(getattr(picture, "n_frames", 1), FRAME_LIMIT)
        for number in range(frames):
            name = part.provenance if frames == 1 else f"{part.provenance} frame {number + 1}"
            for passage in read_pixels(frame(picture, number), name):
                any_text = True
                yield passage
        if not any_text:
            raise DecodeError(Reason.TEXT_FREE, "no text in the picture")


def open_picture(data: bytes) -> Image.Image:
    """Return a picture of allowed format and size, not decoded yet. Raises `DecodeError`."""
    ImageFile.LOAD_TRUNCATED_IMAGES = True  # the upper half of a broken picture may hold the name
    Image.MAX_IMAGE_PIXELS = None  # the limit below is ours, and says so
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            picture = Image.open(io.BytesIO(data), formats=FORMATS)
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError) as error:
        raise DecodeError(Reason.MALFORMED, "the picture is broken") from error
    if picture.width * picture.height > PIXEL_LIMIT:
        raise DecodeError(Reason.TOO_BIG, "the picture has more pixels than are read")
    return picture


def frame(picture: Image.Image, number: int) -> Image.Image:
    """Return one frame in colour, upright as its EXIF says, on white where it is transparent."""
    try:
        if number:
            picture.seek(number)
        upright = ImageOps.exif_transpose(picture)
        if upright.mode in ("I;16", "I;16B", "I;16L", "I", "F"):
            upright = Image.fromarray(_to_bytes(np.asarray(upright, dtype=np.float64)))
        if upright.has_transparency_data:
            upright = upright.convert("RGBA")
            return Image.alpha_composite(Image.new("RGBA", upright.size, "white"), upright).convert("RGB")
        return upright.convert("RGB")
    except (OSError, ValueError, SyntaxError, EOFError, IndexError) as error:
        raise DecodeError(Reason.MALFORMED, "the picture is broken") from error


def read_pixels(picture: Image.Image, provenance: str) -> Iterator[Passage]:
    """Give what is written in a picture: rows first, then wrapped cells where columns were found."""
    for number, tile in enumerate(tiles(picture)):
        boxes = ocr.read_upright(tile)
        name = f"{provenance} (OCR)" if number == 0 else f"{provenance} (OCR, tile {number + 1})"
        for text, kind in ((ocr.as_rows(boxes), ""), (ocr.as_columns(boxes), " columns")):
            if text.strip():
                yield Passage(text, name + kind, ocr=True)


def tiles(picture: Image.Image) -> Iterator[ocr.Pixels]:
    """Yield the picture as pixels in one piece, or a tall one in overlapping tiles from top to bottom."""
    if min(picture.size) < SMALLEST:
        return
    wide, tall = picture.size
    stitched = tall > 2.5 * wide and tall > TILE
    shrink = min(1.0, WIDEST / (wide if stitched else max(wide, tall)))
    if shrink < 1.0:
        picture = picture.resize((max(1, int(wide * shrink)), max(1, int(tall * shrink))), Image.Resampling.LANCZOS)
    pixels = np.ascontiguousarray(np.asarray(picture)[:, :, ::-1])
    if not stitched:
        yield pixels
        return
    for top in range(0, max(pixels.shape[0] - OVERLAP, 1), TILE - OVERLAP):
        yield np.ascontiguousarray(pixels[top : top + TILE])


def metadata(picture: Image.Image) -> str:
    """Return the text chunks and EXIF texts of a picture, one per line."""
    found: list[str] = []
    for name, value in picture.info.items():
        if isinstance(value, str):
            found.append(f"{name}: {value}")
        elif isinstance(value, bytes) and name in ("comment", "xmp"):
            found.append(f"{name}: {value.decode('utf-8', 'replace')}")
    try:
        exif = picture.getexif()
        tags = {**exif, **exif.get_ifd(ExifTags.IFD.Exif)}
    except (OSError, ValueError, SyntaxError, KeyError):
        tags = {}
    for number, value in tags.items():
        text = _exif_text(number, value)
        if text:
            found.append(f"{ExifTags.TAGS.get(number, number)}: {text}")
    return "\n".join(found)[:METADATA_LIMIT]


def _exif_text(number: int, value: object) -> str:
    """Return the text in an EXIF value; Windows keeps its own fields as UTF-16, user comments say their coding."""
    if isinstance(value, str):
        return value.strip("\x00 ")
    if not isinstance(value, bytes):
        return ""
    if number in (0x9C9B, 0x9C9C, 0x9C9D, 0x9C9E, 0x9C9F):
        return value.decode("utf-16-le", "replace").strip("\x00 ")
    if value.startswith(b"UNICODE\x00"):
        return value[8:].decode("utf-16", "replace").strip("\x00 ")
    text = value.removeprefix(b"ASCII\x00\x00\x00").decode("utf-8", "replace").strip("\x00 ")
    return text if text.isprintable() else ""


def _to_bytes(values: "np.ndarray[tuple[int, ...], np.dtype[np.float64]]") -> ocr.Pixels:
    """Return 16-bit or floating values stretched over 0 … 255."""
    least, most = float(values.min(initial=0)), float(values.max(initial=0))
    return ((values - least) * (255.0 / max(most - least, 1.0))).astype(np.uint8)
