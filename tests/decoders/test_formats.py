"""What each decoder finds in files made by the libraries at hand; every person is invented."""

import base64
import bz2
import gzip
import io
import json
import lzma
import tarfile
import zipfile
from collections.abc import Callable
from urllib.parse import quote

import pytest
from PIL import Image, PngImagePlugin

from model.page import Decoded, Reason

Read = Callable[..., Decoded]
ROW = "姓名：司徒墨涵，电话：13900001234"
NOTE = "患者司徒墨涵，女，35岁，主诉反复发热三天，住院号330188，门诊以肺炎收入院。"


def everything(decoded: Decoded) -> str:
    """Return all text found, passage by passage."""
    return "\n".join(passage.text for passage in decoded.passages)


def zipped(members: dict[str, bytes]) -> bytes:
    """Return a zip archive."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return target.getvalue()


@pytest.mark.parametrize("coding", ["utf-8", "utf-8-sig", "gb18030", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("text", ["司徒墨涵", "患者张伟", "联通", ROW, NOTE, "id,name\n1,Ann\n2,Bob\n3,张伟\n"])
def test_text_is_found_in_every_coding_without_a_label(read: Read, coding: str, text: str) -> None:
    """Short unlabelled text is among the readings, and there are few of them."""
    decoded = read(text.encode(coding), "text/plain")
    assert text in [passage.text for passage in decoded.passages]
    assert len(decoded.passages) <= 4


@pytest.mark.parametrize("text", ["張偉", "病歷 張偉 男 三十五歲", "患者主訴反覆發熱三天"])
def test_text_is_found_in_big5(read: Read, text: str) -> None:
    """Traditional characters in Big5 are found without a label."""
    assert text in everything(read(text.encode("big5"), "text/plain"))


@pytest.mark.parametrize("coding", ["utf-8", "gb18030"])
def test_broken_bytes_never_drop_the_rest(read: Read, coding: str) -> None:
    """A broken byte in the middle costs a character, not the record."""
    data = (NOTE + "\n").encode(coding) + b"\xff\xfe\n" + (ROW + "\n").encode(coding)
    assert ROW in everything(read(data, "text/plain"))


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("<p>张<b>伟</b></p>", "张伟"),
        ("<table><tr><td>张伟</td><td><p>男</p><p>35</p></td></tr><tr><td>x</td></tr></table>", "张伟 | 男 35"),
        ("<div>甲</div>乙<div>丙</div>", "甲\n乙\n丙"),
        ("<img alt='张伟病历'>", "张伟病历"),
        ("<a href='/p?name=%E5%BC%A0%E4%BC%9F'>x</a>", "name=张伟"),
        ("<a href='/p?name=%D5%C5%CE%B0'>x</a>", "name=张伟"),
        ("<!-- 张伟 -->", "张伟"),
        ("<!-- <p>张<i>伟</i></p> -->", "张伟"),
        ('<script>var s = {"n": "\\u5f20\\u4f1f"}</script>', '"张伟"'),
        ('<script type=\'application/ld+json\'>{"name": "张伟", "age": 35}</script>', "name: 张伟\nage: 35"),
        ("<template><p>张<b>伟</b></p></template>", "张伟"),
        ("<noscript><p>张伟</p></noscript>", "张伟"),
        ("<iframe srcdoc='<p>张<b>伟</b></p>'></iframe>", "张伟"),
        ("<ruby>张<rt>zhāng</rt>伟<rt>wěi</rt></ruby>", "张伟"),
        ("<input value='张伟' placeholder='13900001234'>", "张伟\n13900001234"),
        ("<meta name='description' content='张伟'>", "张伟"),
        ("<textarea>张伟\n男</textarea>", "张伟\n男"),
        ("<span>35</span><span>13900001234</span>", "35 13900001234"),
        ("<p>1390000<b>1234</b></p>", "13900001234"),
        ("<p>mail <zhang.wei@example.org> now</p>", "zhang.wei@example.org"),
        ("<p>&#24352;&#x4f1f;</p>", "张伟"),
        ("<title>张伟</title>", "张伟"),
        ("<p>张伟</p><p>cut off <b", "张伟"),
    ],
)
def test_a_page_gives_what_is_shown_and_what_is_not(read: Read, source: str, expected: str) -> None:
    """Every place of a page in which text can stand is read, and words are not torn."""
    assert expected in everything(read(f"<html><body>{source}</body></html>".encode(), "text/html"))


def test_a_page_in_an_undeclared_coding_is_read(read: Read) -> None:
    """GBK without any label, and with a label in the page only."""
    for head in ("", "<meta charset='gb2312'>"):
        assert "患者张伟" in everything(read(f"<html>{head}<p>患者<b>张伟</b></p>".encode("gbk"), "text/html"))


def test_a_picture_in_a_data_url_is_a_part_of_its_own(read: Read) -> None:
    """A picture inside a page ends with an outcome of its own."""
    target = io.BytesIO()
    Image.new("RGB", (80, 80), "white").save(target, "PNG")
    source = f"<p>x</p><img src='data:image/png;base64,{base64.b64encode(target.getvalue()).decode()}'>"
    outcomes = read(source.encode(), "text/html").outcomes
    assert [outcome.reason for outcome in outcomes] == [Reason.TEXT_FREE, None]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"patient": {"name": "张伟", "id": 440304197809126614}}, "name: 张伟\nid: 440304197809126614"),
        ([{"name": "张伟", "age": 35}, {"name": "李娜"}], "name: 张伟\nage: 35"),
        ({"content": "<p>张<b>伟</b></p>"}, "content: 张伟"),
        ({"row": ["张伟", 35, "男"]}, "row: 张伟 | 35 | 男"),
    ],
)
def test_json_gives_keys_and_values_in_lines(read: Read, value: object, expected: str) -> None:
    """The values of one object stand together, numbers keep their digits, HTML in strings is shown."""
    assert expected in everything(read(json.dumps(value).encode(), "application/json"))


def test_lines_of_json_and_broken_json_are_read(read: Read) -> None:
    """Newline-delimited JSON is read line by line; what is not JSON after all is read as text."""
    assert "name: 张伟" in everything(read('{"name":"张伟"}\n{"name":"李娜"}\n'.encode()))
    assert "张伟" in everything(read('{"name": 张伟}'.encode()))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (base64.b64encode(ROW.encode()).decode(), ROW),
        (base64.b64encode(ROW.encode("gbk")).decode(), ROW),
        (base64.urlsafe_b64encode(NOTE.encode()).decode().rstrip("="), NOTE),
        (base64.encodebytes(NOTE.encode()).decode(), NOTE),
        (f"姓名 {base64.b64encode('张伟'.encode()).decode()} 电话 13900001234", "张伟"),
        (ROW.encode().hex(), ROW),
        (quote(ROW), ROW),
        (quote(ROW.encode("gbk")), ROW),
        ("".join(f"&#{ord(letter)};" for letter in ROW), ROW),
        (ROW.encode("unicode_escape").decode(), ROW),
        ("".join(f"\\x{byte:02x}" for byte in ROW.encode()), ROW),
        ("".join(f"={byte:02X}" for byte in ROW.encode()), ROW),
        (base64.b64encode(base64.b64encode(ROW.encode())).decode(), ROW),
        (base64.b64encode(quote(ROW).encode()).decode(), ROW),
        (base64.b64encode(gzip.compress(ROW.encode(), mtime=0)).decode(), ROW),
        (base64.b64encode(zipped({"a.txt": ROW.encode()})).decode(), ROW),
    ],
)
def test_what_is_encoded_is_found(read: Read, text: str, expected: str) -> None:
    """Each encoding, and two of them on top of each other, is undone inside ordinary text."""
    assert expected in everything(read(f"look at this:\n{text}\nthanks".encode(), "text/plain"))


def test_ordinary_text_hides_nothing(read: Read) -> None:
    """Words, numbers, digests and addresses do not decode to more passages."""
    text = (
        f"See https://example.org/a/b?c=d and {'0123456789abcdef' * 4}, call 13900001234. Internationalisation!\n{NOTE}"
    )
    assert len(read(text.encode(), "text/plain").passages) == 1


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_compressed_streams_are_read(read: Read, pack: Callable[[bytes], bytes]) -> None:
    """gzip, bzip2 and xz hold text, or a tar of files."""
    assert ROW in everything(read(pack(ROW.encode())))
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as archive:
        entry = tarfile.TarInfo("../病历/a.txt")
        entry.size = len(ROW.encode())
        archive.addfile(entry, io.BytesIO(ROW.encode()))
    decoded = read(pack(target.getvalue()), provenance="attachment a.tgz")
    assert ROW in everything(decoded)
    assert "attachment a.tgz/../病历/a.txt" in [passage.provenance for passage in decoded.passages]


def test_zips_are_read_three_deep_and_no_deeper(read: Read) -> None:
    """A file in a zip in a zip is found with its provenance; what is nested too deep is said."""
    inner = zipped({"b.txt": ROW.encode("gbk")})
    decoded = read(zipped({"a.zip": inner}), provenance="attachment x.zip")
    assert "attachment x.zip/a.zip/b.txt" in [passage.provenance for passage in decoded.passages if ROW in passage.text]
    for _ in range(4):
        inner = zipped({"again.zip": inner})
    assert Reason.LIMIT in [outcome.reason for outcome in read(inner).outcomes]


def test_an_encrypted_member_is_said_and_the_others_are_read(read: Read) -> None:
    """Encryption of one member is an outcome of its own."""
    data = bytearray(zipped({"secret.txt": b"x" * 30, "open.txt": ROW.encode()}))
    for sign, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(sign) + offset] |= 1
    decoded = read(bytes(data))
    assert Reason.ENCRYPTED in [outcome.reason for outcome in decoded.outcomes]
    assert ROW in everything(decoded)


WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"


def test_a_document_gives_body_header_and_comments(read: Read) -> None:
    """Runs of a paragraph are joined, a table row is one line, and header and comments are read."""
    body = (
        f"<w:document xmlns:w='{WORD}'><w:p><w:r><w:rPr><w:b/></w:rPr><w:t>张</w:t></w:r><w:r><w:t>伟</w:t></w:r></w:p>"
        "<w:tbl><w:tr><w:tc><w:p><w:r><w:t>李娜</w:t></w:r></w:p></w:tc><w:tc><w:p><w:r><w:t>13900001234</w:t></w:r>"
        "</w:p></w:tc></w:tr></w:tbl></w:document>"
    )
    part = "<w:x xmlns:w='{}'><w:p><w:r><w:t>{}</w:t></w:r></w:p></w:x>"
    data = zipped(
        {
            "[Content_Types].xml": b"<Types/>",
            "word/document.xml": body.encode(),
            "word/header1.xml": part.format(WORD, "页眉司徒").encode(),
            "word/comments.xml": part.format(WORD, "批注墨涵").encode(),
        }
    )
    text = everything(read(data, provenance="attachment a.docx"))
    for expected in ("张伟", "李娜  | 13900001234", "页眉司徒", "批注墨涵"):
        assert expected in text


def test_a_workbook_gives_rows_and_long_numbers_as_stored(read: Read) -> None:
    """Rows stand on one line, hidden sheets too; an ID that lost its last digits is given in full and as stored."""
    sheet = (
        "<worksheet xmlns='http://schemas.openxmlformats.org/spreadsheetml/2006/main'><sheetData><row r='1'>"
        "<c r='A1' t='inlineStr'><is><t>张伟</t></is></c><c r='B1'><v>4.403041978091266E17</v></c>"
        "<c r='C1'><v>13900001234</v></c></row></sheetData></worksheet>"
    )
    relations = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    book = (
        f"<workbook xmlns='http://schemas.openxmlformats.org/spreadsheetml/2006/main' xmlns:r='{relations}'><sheets>"
        "<sheet name='病人' sheetId='1' state='hidden' r:id='rId1'/></sheets></workbook>"
    )
    package = "http://schemas.openxmlformats.org/package/2006/relationships"
    links = (
        f"<Relationships xmlns='{package}'><Relationship Id='rId1' Type='{relations}/worksheet' "
        "Target='worksheets/sheet1.xml'/></Relationships>"
    )
    start = (
        f"<Relationships xmlns='{package}'><Relationship Id='rId1' Type='{relations}/officeDocument' "
        "Target='xl/workbook.xml'/></Relationships>"
    )
    data = zipped(
        {
            "[Content_Types].xml": b"<Types/>",
            "_rels/.rels": start.encode(),
            "xl/workbook.xml": book.encode(),
            "xl/_rels/workbook.xml.rels": links.encode(),
            "xl/worksheets/sheet1.xml": sheet.encode(),
        }
    )
    assert "张伟 | 440304197809126600 (4.403041978091266e+17) | 13900001234" in everything(read(data))


def test_pictures_of_english_are_read(read: Read, draw_latin: Callable[..., Image.Image]) -> None:
    """Cells of one row come on one line, in order, marked as read from pixels."""
    target = io.BytesIO()
    draw_latin(["Name\tPhone", "Mary Ashdown\t13900001234", "Peter Quill\t13900005678"]).save(target, "PNG")
    decoded = read(target.getvalue(), "image/png", provenance="image 1")
    assert "Mary Ashdown  13900001234" in decoded.passages[0].text
    assert decoded.passages[0].ocr
    assert decoded.passages[0].provenance == "image 1 (OCR)"


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_turned_pictures_are_read_in_rows(read: Read, draw_latin: Callable[..., Image.Image], degrees: int) -> None:
    """A picture turned by quarter turns gives the same rows."""
    target = io.BytesIO()
    draw_latin(["Mary Ashdown\t13900001234", "Peter Quill\t13900005678"]).rotate(degrees, expand=True).save(
        target, "PNG"
    )
    assert "Mary Ashdown  13900001234" in everything(read(target.getvalue(), "image/png"))


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "GIF", "BMP", "TIFF"])
def test_each_picture_format_is_read(read: Read, draw_latin: Callable[..., Image.Image], kind: str) -> None:
    """Every format of the allow-list gives its text."""
    target = io.BytesIO()
    draw_latin(["Mary Ashdown 13900001234"]).save(target, kind)
    assert "13900001234" in everything(read(target.getvalue()))


def test_pictures_of_chinese_are_read(read: Read, draw_chinese: Callable[..., Image.Image]) -> None:
    """A rendered record in Chinese gives name, age, department and record number."""
    target = io.BytesIO()
    lines = ["姓名：张伟\t性别：男\t年龄：35岁", "科室：呼吸内科\t住院号：330188", "现病史：患者三天前受凉后出现发热"]
    draw_chinese(lines).save(target, "PNG")
    text = everything(read(target.getvalue(), "image/png")).replace(" ", "")
    for expected in ("张伟", "35岁", "呼吸内科", "330188", "患者三天前受凉后出现发热"):
        assert expected in text


def test_the_texts_beside_the_pixels_are_read(read: Read) -> None:
    """PNG text chunks and EXIF are passages; a picture without text ends as text-free."""
    target = io.BytesIO()
    chunks = PngImagePlugin.PngInfo()
    chunks.add_itxt("Comment", ROW)
    exif = Image.Exif()
    exif[0x010E] = "Mary Ashdown"
    Image.new("RGB", (64, 64), "white").save(target, "PNG", pnginfo=chunks, exif=exif)
    decoded = read(target.getvalue(), "image/png")
    assert ROW in everything(decoded)
    assert "Mary Ashdown" in everything(decoded)
    assert decoded.outcomes[-1].reason is Reason.TEXT_FREE


def test_a_scanned_pdf_is_read_and_its_metadata_too(read: Read, draw_latin: Callable[..., Image.Image]) -> None:
    """A page without text is rendered and read."""
    target = io.BytesIO()
    draw_latin(["Mary Ashdown\t13900001234"]).save(target, "PDF", title="Peter Quill")
    text = everything(read(target.getvalue(), "application/pdf", provenance="attachment a.pdf"))
    assert "13900001234" in text
    assert "Peter Quill" in text
