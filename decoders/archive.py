"""Archives: zip, tar, gzip, bzip2 and xz; each member becomes a part of its own.

Nothing is ever unpacked to disk, so a member's name is only a name. Bombs are met by limits on what comes out: in
total, per member, and in proportion to what went in; overlapping members of a zip are refused as a whole.
"""

import bz2
import io
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Protocol

from decoders.interface import Found
from decoders.text import readings
from model.errors import DecodeError
from model.page import Part, Passage, Reason

ENTRY_LIMIT = 10_000
RATIO_LIMIT = 200
"""Bytes out per byte in, beyond which it is a bomb …"""
RATIO_FLOOR = 1_000_000
"""… once so many bytes came out."""
MEMBER_LIMIT = 64 * 1024 * 1024
"""Bytes of one member."""
TOTAL_LIMIT = 256 * 1024 * 1024
"""Bytes of all members of one archive."""
CHUNK = 1 << 18
LOCAL_HEADER = 30
"""Bytes before the name in a zip's local file header."""
ZIP_SIGNS = (b"PK\x03\x04", b"PK\x05\x06")
UTF8_NAME, ENCRYPTED = 0x800, 0x1
"""Flags of a zip entry."""


class Inflater(Protocol):
    """What the decompressors of the standard library have in common."""

    @property
    def eof(self) -> bool:
        """Whether the stream has ended."""
        ...

    @property
    def unused_data(self) -> bytes:
        """What follows the stream."""
        ...

    def decompress(self, data: bytes, max_length: int = -1, /) -> bytes:
        """Return at most so many further bytes."""
        ...


class GzipInflater:
    """zlib's decompressor behind the interface of the others."""

    def __init__(self) -> None:
        """Start a stream with a gzip header."""
        self._inner = zlib.decompressobj(zlib.MAX_WBITS | 16)

    @property
    def eof(self) -> bool:
        """Whether the stream has ended."""
        return self._inner.eof

    @property
    def unused_data(self) -> bytes:
        """What follows the stream."""
        return self._inner.unused_data

    def decompress(self, data: bytes, max_length: int = -1, /) -> bytes:
        """Return at most so many further bytes."""
        return self._inner.decompress(self._inner.unconsumed_tail + data, max_length)


STREAMS: dict[bytes, Callable[[], Inflater]] = {
    b"\x1f\x8b": GzipInflater,
    b"BZh": bz2.BZ2Decompressor,
    b"\xfd7zXZ\x00": lzma.LZMADecompressor,
}


class ArchiveDecoder:
    """Reads zip and tar archives and compressed streams."""

    def accepts(self, part: Part) -> bool:
        """Take what begins like one of the formats."""
        return part.data.startswith((*ZIP_SIGNS, *STREAMS)) or is_tar(part.data)

    def decode(self, part: Part) -> Iterator[Found]:
        """Give the names, then each member as a part; a member that cannot be had is an error of its own."""
        if part.data.startswith(ZIP_SIGNS):
            yield from zip_members(part)
        elif is_tar(part.data):
            yield from tar_members(part, part.data)
        else:
            yield from stream_members(part)


def zip_members(part: Part) -> Iterator[Found]:
    """Yield the names and the members of a zip. Raises `DecodeError` for the whole where it cannot be trusted."""
    try:
        archive = zipfile.ZipFile(io.BytesIO(part.data))
        entries = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise DecodeError(Reason.MALFORMED, "the zip archive is broken") from error
    refuse_overlap(entries)
    names = {entry: zip_name(entry) for entry in entries[:ENTRY_LIMIT]}
    comment = readings(archive.comment)[0] if archive.comment else ""
    yield Passage("\n".join((*names.values(), comment)), f"{part.provenance} names")
    left = TOTAL_LIMIT
    for entry, name in names.items():
        if entry.is_dir():
            continue
        if entry.flag_bits & ENCRYPTED:
            yield DecodeError(Reason.ENCRYPTED, "a member of the archive is encrypted")
            continue
        try:
            with archive.open(entry) as stream:
                data, stopped = bounded(stream.read, entry.compress_size, left)
        except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, OSError, EOFError, ValueError, NotImplementedError):
            yield DecodeError(Reason.MALFORMED, "a member of the archive is broken")
            continue
        left -= len(data)
        yield Part(f"{part.provenance}/{name}", "", data, name)
        if stopped is not None:
            yield stopped
    if len(entries) > ENTRY_LIMIT:
        raise DecodeError(Reason.LIMIT, "the archive has more members than are read")


def refuse_overlap(entries: list[zipfile.ZipInfo]) -> None:
    """Raise `DecodeError` if two members share bytes: that is how a small zip becomes petabytes."""
    placed = sorted(entries, key=lambda entry: entry.header_offset)
    for first, second in pairwise(placed):
        if first.header_offset + LOCAL_HEADER + first.compress_size > second.header_offset:
            raise DecodeError(Reason.BOMB, "members of the zip archive overlap")


def zip_name(entry: zipfile.ZipInfo) -> str:
    """Return a member's name; without the UTF-8 flag it is most often GBK, which the format calls cp437."""
    if entry.flag_bits & UTF8_NAME:
        return entry.filename
    try:
        return readings(entry.filename.encode("cp437"))[0]
    except UnicodeEncodeError:
        return entry.filename


def is_tar(data: bytes) -> bool:
    """Tell whether bytes begin with a tar header."""
    return data[257:262] == b"ustar"


def tar_members(part: Part, data: bytes) -> Iterator[Found]:
    """Yield the names and the regular members of a tar; links and devices have no bytes."""
    names: list[str] = []
    left = TOTAL_LIMIT
    broken: Exception | None = None
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:", encoding="utf-8", errors="surrogateescape") as archive:
            for number, entry in enumerate(archive):
                if number >= ENTRY_LIMIT:
                    yield DecodeError(Reason.LIMIT, "the archive has more members than are read")
                    break
                name = readings(entry.name.encode("utf-8", "surrogateescape"))[0]
                names.append(name)
                stream = archive.extractfile(entry) if entry.isreg() else None
                if stream is None:
                    continue
                content, stopped = bounded(stream.read, len(data), left)
                left -= len(content)
                yield Part(f"{part.provenance}/{name}", "", content, name)
                if stopped is not None:
                    yield stopped
    except (tarfile.TarError, OSError, EOFError, ValueError) as error:
        broken = error
    yield Passage("\n".join(names), f"{part.provenance} names")
    if broken is not None:
        raise DecodeError(Reason.MALFORMED, "the tar archive is broken") from broken


def stream_members(part: Part) -> Iterator[Found]:
    """Yield what a compressed stream holds: the members of a tar, or one part; as far as it can be unpacked."""
    start = next(make for sign, make in STREAMS.items() if part.data.startswith(sign))
    data, error = unpack(part.data, start)
    if is_tar(data):
        yield from tar_members(part, data)
    elif data:
        name = part.name.rpartition(".")[0]
        yield Part(f"{part.provenance} (unpacked)", "", data, name)
    if error is not None:
        raise error


def unpack(data: bytes, start: Callable[[], Inflater]) -> tuple[bytes, DecodeError | None]:
    """Return what a chain of compressed streams holds, and why it is not all of it."""
    output = io.BytesIO()
    inflater, rest = start(), data
    while rest or not inflater.eof:
        try:
            chunk = inflater.decompress(rest, CHUNK)
        except (zlib.error, lzma.LZMAError, OSError, EOFError, ValueError):
            return output.getvalue(), DecodeError(Reason.MALFORMED, "the compressed stream is broken")
        output.write(chunk)
        if error := excess(output.tell(), len(data), MEMBER_LIMIT):
            return output.getvalue(), error
        if inflater.eof:
            rest = inflater.unused_data
            if not rest.strip(b"\x00"):
                break
            inflater = start()
        elif not chunk:
            return output.getvalue(), DecodeError(Reason.MALFORMED, "the compressed stream ends early")
        else:
            rest = b""
    return output.getvalue(), None


def bounded(read: Callable[[int], bytes], packed: int, left: int) -> tuple[bytes, DecodeError | None]:
    """Return what a member holds, and the error that stopped the reading: too large, or out of proportion."""
    output = io.BytesIO()
    while chunk := read(CHUNK):
        output.write(chunk)
        if error := excess(output.tell(), packed, min(left, MEMBER_LIMIT)):
            return output.getvalue(), error
    return output.getvalue(), None


def excess(size: int, packed: int, limit: int) -> DecodeError | None:
    """Return the error for more output than allowed, if it is."""
    if size > RATIO_FLOOR and size > RATIO_LIMIT * max(packed, 1):
        return DecodeError(Reason.BOMB, "unpacked data is out of proportion")
    if size > limit:
        return DecodeError(Reason.TOO_BIG, "unpacked data is larger than is read")
    return None
