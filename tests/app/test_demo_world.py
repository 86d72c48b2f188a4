"""The world of the demo: consistent patients, leaks that are where the truth says, a site with good manners."""

import csv
import io
import json
import re
import socket
from collections import Counter
from collections.abc import Iterator
from datetime import date
from http.client import HTTPConnection, HTTPResponse
from itertools import pairwise
from xml.etree import ElementTree as ET

import pytest
from PIL import Image
from ruamel.yaml import YAML
from stdnum.iso7064 import mod_11_2

from app.demo import leaks, make_patients
from app.demo import story_patients as story
from app.demo.content import Paste, Post, SiteContent, Thread
from app.demo.patients import COLUMNS, demo_file, patients
from app.demo.site import DemoSite
from tests.people import CANARY, HE_YUNSHU, HE_YUNZHANG, LIN_MUQING, LIN_MUQING_NAMESAKE, PEOPLE, SCHEMA

FICTION = re.compile(r"154\d{8}|07700 900\d{3}|(\(\d{3}\) |\d{3}-)555-01\d\d|\+1 \d{3} 555 01\d\d")
RESERVED_MAIL = re.compile(r"[\w.]+@([\w-]+\.)?example\.(com|net|org)")
STORY_NUMBERS = [patient["record_number"] for patient in story.STORY_PATIENTS]


@pytest.fixture(scope="module")
def site() -> Iterator[DemoSite]:
    """Serve the demo's site."""
    with DemoSite() as serving:
        yield serving


def fetch(site: DemoSite, path: str, headers: dict[str, str] | None = None, method: str = "GET") -> HTTPResponse:
    """Return the response to one request, its body read into `.content`."""
    host, _, port = site.address.partition(":")
    connection = HTTPConnection(host, int(port), timeout=10)
    connection.request(method, path, headers=headers or {})
    response = connection.getresponse()
    response.content = response.read()  # type: ignore[attr-defined]
    connection.close()
    return response


def text_of(site: DemoSite, path: str) -> str:
    """Return the text served under the path."""
    response = fetch(site, path)
    assert response.status == 200
    return str(response.content.decode())  # type: ignore[attr-defined]


def resident_id_is_sound(number: str, born: str) -> bool:
    """Tell whether check digit (by another implementation than ours) and birth date fit, in no real division."""
    return mod_11_2.is_valid(number) and number[6:14] == born.replace("-", "") and number.startswith("999")


def test_two_hundred_patients_of_both_languages() -> None:
    """The bundled file has 110 Chinese and 90 English patients, under the header that the schema names."""
    names = [patient.name for patient in patients().values()]
    assert (sum(not name.isascii() for name in names), sum(name.isascii() for name in names)) == (110, 90)
    tree = YAML(typ="safe").load(demo_file("linkage_schema.yaml").decode())["schema"]
    assert (tree["ref"], *tree["columns"]) == COLUMNS


def test_bundled_files_are_what_the_script_writes() -> None:
    """Running the script again would change nothing, so that file and script cannot drift apart."""
    for name, rows in (
        ("patients.csv", make_patients.make_patients()),
        ("patients_bad_rows.csv", make_patients.make_bad_rows()),
    ):
        assert list(csv.DictReader(io.StringIO(demo_file(name).decode(), newline=""))) == rows


def test_nobody_real_can_be_hit() -> None:
    """Every ID is sound in form but of no division, every number and mail address of a range that nobody owns."""
    for patient in patients().values():
        assert FICTION.fullmatch(patient.phone)
        assert not patient.email or RESERVED_MAIL.fullmatch(patient.email)
        assert date.fromisoformat(patient.birth_date).isoformat() == patient.birth_date
        if patient.name.isascii():
            assert patient.resident_id == ""
        else:
            assert resident_id_is_sound(patient.resident_id, patient.birth_date)


@pytest.mark.parametrize("column", ["record_number", "name", "resident_id", "mrn", "email", "note"])
def test_values_are_unique(column: str) -> None:
    """No two patients share a value that should tell them apart."""
    values = [value for patient in patients().values() if (value := getattr(patient, column))]
    assert max(Counter(values).values()) == 1


def test_one_household_shares_a_telephone() -> None:
    """Exactly two patients share a telephone, as in every real export."""
    shared = [n for n in Counter(patient.phone for patient in patients().values()).values() if n > 1]
    assert shared == [2]


@pytest.mark.parametrize(("chinese", "width", "own"), [(True, 10, 0.7), (False, 16, 0.4)])
def test_notes_differ_but_share_boilerplate(chinese: bool, width: int, own: float) -> None:
    """Each note has 120 to 400 characters and enough shingles that fewer than three records share."""
    notes = [patient.note for patient in patients().values() if patient.name.isascii() is not chinese]
    shingles = [[note[start : start + width] for start in range(len(note) - width + 1)] for note in notes]
    records = Counter(shingle for of_note in shingles for shingle in set(of_note))
    assert max(records.values()) >= 10
    for note, of_note in zip(notes, shingles, strict=True):
        assert 120 <= len(note) <= 400
        assert sum(records[shingle] < 3 for shingle in of_note) / len(of_note) >= own


def test_bad_rows_are_bad_where_they_say() -> None:
    """Row 2 has a resident ID of 16 characters, row 4 a day that does not exist, the other three are sound."""
    rows = list(csv.DictReader(io.StringIO(demo_file("patients_bad_rows.csv").decode())))
    wrong_ids = [n for n, row in enumerate(rows, 1) if row["resident_id"] and not mod_11_2.is_valid(row["resident_id"])]
    assert wrong_ids == [2]
    with pytest.raises(ValueError, match="month"):
        date.fromisoformat(rows[3]["birth_date"])
    assert [date.fromisoformat(row["birth_date"]).year for n, row in enumerate(rows) if n != 3]


def test_leaks_name_enrolled_patients_once_each() -> None:
    """Six leaks show six different enrolled patients; two namesakes show none; keys and places are unique."""
    shown = [leak.record_number for leak in leaks.LEAKS if leak.record_number]
    assert len(shown) == len(set(shown)) == 6
    assert set(shown) <= set(patients())
    assert sum(leak.record_number is None for leak in leaks.LEAKS) == 2
    assert len({leak.place for leak in leaks.LEAKS}) == len({leak.key for leak in leaks.LEAKS}) == len(leaks.LEAKS)


def test_strangers_are_not_enrolled() -> None:
    """The other rows of leaked tables belong to nobody in the file."""
    enrolled = {
        value for patient in patients().values() for value in (patient.resident_id, patient.phone, patient.name)
    }
    for name, number, phone, _, _, born, *_ in leaks.STRANGERS:
        assert resident_id_is_sound(number, born)
        assert not {name, number, phone} & enrolled


def test_every_leak_stands_where_the_truth_says(site: DemoSite) -> None:
    """Each place shows what it is said to show."""
    known = patients()
    served = {leak.key: text_of(site, leak.place.replace("/p/", "/raw/")) for leak in leaks.LEAKS}
    row = list(csv.DictReader(io.StringIO(served["exact row"])))[2]
    assert tuple(row.values()) == tuple(getattr(known[story.EXACT_ROW], column) for column in COLUMNS)
    spaced = known[story.SPACED_ID]
    assert spaced.name in served["spaced id"]
    assert spaced.resident_id not in served["spaced id"]
    assert spaced.resident_id in re.sub(r"\s", "", served["spaced id"]).translate(
        {n + 0xFEE0: n for n in range(33, 127)}
    )
    starred = known[story.MASKED_ROW]
    assert f"{starred.phone[:3]}****{starred.phone[-4:]}" in served["masked row"]
    assert not {starred.name, starred.phone, starred.resident_id} & set(served["masked row"].split())
    assert leaks.EXCERPT_ZH in known[story.CHINESE_NOTE].note
    assert leaks.EXCERPT_ZH in served["chinese note"]
    assert known[story.CHINESE_NOTE].name not in served["chinese note"]
    assert "/img/IMG_20261119.png" in served["record screen"]
    assert known[story.CHINESE_NAMESAKE].name in served["chinese namesake"]
    assert known[story.ENGLISH_NAMESAKE].name in served["english namesake"]


def test_excerpts_have_the_sizes_told() -> None:
    """The Chinese excerpt has 60 to 100 characters, the English about 200 with an error in 2 to 3 of a hundred."""
    assert 60 <= len(leaks.EXCERPT_ZH) <= 100
    assert leaks.EXCERPT_EN in patients()[story.ENGLISH_NOTE].note
    typed = leaks.with_typing_errors(leaks.EXCERPT_EN)
    pairs = zip(leaks.EXCERPT_EN.split(), typed.split(), strict=True)
    errors = sum(right != wrong for right, wrong in pairs)
    assert 180 <= len(typed) <= 220
    assert 0.02 <= errors / len(leaks.EXCERPT_EN) <= 0.03


def test_ordinary_content_shows_nobody(site: DemoSite) -> None:
    """No name, number or ten characters in a row of a note stand anywhere but at a planted place."""
    planted = {leak.place for leak in leaks.LEAKS}
    content = leaks.demo_content()
    paths = [f"/p/{paste.paste_id}" for paste in content.pastes]
    paths += [f"/forum/t/{thread.thread_id}" for thread in content.threads]
    ordinary = "\n".join(text_of(site, path) for path in paths if path not in planted)
    for patient in patients().values():
        assert not any(value in ordinary for value in (patient.phone, patient.mrn, patient.email) if value)
        assert patient.name not in ordinary
        if not patient.name.isascii():
            assert not any(patient.note[start : start + 10] in ordinary for start in range(len(patient.note) - 9))


def test_namesakes_differ_in_all_but_the_name(site: DemoSite) -> None:
    """The namesakes' posts carry neither birth year, town, telephone, number nor a word of the note."""
    for leak, number in (("/forum/t/4120", story.CHINESE_NAMESAKE), ("/raw/b5kr7n", story.ENGLISH_NAMESAKE)):
        text, patient = text_of(site, leak), patients()[number]
        assert patient.birth_date[:4] not in text
        assert patient.address[:3] not in text
        assert patient.phone not in text


def test_picture_is_drawn_from_the_enrolled_note() -> None:
    """The text drawn in the picture is the beginning of that patient's note, and the picture has its size."""
    patient = patients()[story.RECORD_SCREEN]
    assert patient.note.startswith(story.RECORD_SCREEN_TEXT)
    assert 110 <= len(story.RECORD_SCREEN_TEXT) <= 140
    with Image.open(io.BytesIO(demo_file("record_screen.png"))) as picture:
        assert picture.size == (1100, 750)


def test_picture_reads_well() -> None:
    """The OCR engine reads hospital, name, department and nine tenths of the present illness, and finds no ID."""
    rapidocr = pytest.importorskip("rapidocr")
    with Image.open(io.BytesIO(demo_file("record_screen.png"))) as picture:
        lines = rapidocr.RapidOCR()(picture.convert("RGB")).txts
    patient, read = patients()[story.RECORD_SCREEN], "".join(lines)
    assert patient.name in lines
    assert patient.department in lines
    assert patient.resident_id not in read
    pairs = ["".join(pair) for pair in pairwise(story.RECORD_SCREEN_TEXT)]
    assert sum(pair in read for pair in pairs) / len(pairs) >= 0.9


def test_lists_name_everything(site: DemoSite) -> None:
    """JSON list, thread list and feed name every paste and thread with an address that answers."""
    recent = json.loads(text_of(site, "/recent"))
    assert len(recent) == 44
    assert all(text_of(site, paste["raw"].removeprefix(site.paste_root)) for paste in recent)
    threads = re.findall(r'href="(/forum/t/\d+)"', text_of(site, "/forum/"))
    assert len(threads) == len(set(threads)) == 19
    atom = {"a": "http://www.w3.org/2005/Atom"}
    feed = ET.fromstring(text_of(site, "/forum/feed.atom"))
    links = [link.attrib["href"] for link in feed.iterfind("a:entry/a:link", atom)]
    assert sorted(links) == sorted(site.paste_root + path for path in threads)


@pytest.mark.parametrize("path", ["/recent", "/forum/", "/forum/feed.atom", "/raw/q7xm2c", "/img/IMG_20261119.png"])
def test_unchanged_resources_answer_304(site: DemoSite, path: str) -> None:
    """A conditional GET with either validator answers 304 without a body; a stale one answers 200."""
    first = fetch(site, path)
    etag, modified = first.headers["ETag"], first.headers["Last-Modified"]
    for headers in ({"If-None-Match": etag}, {"If-None-Match": f'"x", W/{etag}'}, {"If-Modified-Since": modified}):
        again = fetch(site, path, headers)
        assert (again.status, again.content) == (304, b"")  # type: ignore[attr-defined]
    for headers in (
        {"If-None-Match": '"stale"', "If-Modified-Since": modified},
        {"If-Modified-Since": "Mon, 01 Jan 2001 00:00:00 GMT"},
        {"If-Modified-Since": "yesterday"},
    ):
        assert fetch(site, path, headers).status == 200


def test_manners_of_an_ordinary_site(site: DemoSite) -> None:
    """HTTP/1.1; robots allow; HEAD has no body; an unknown path is 404; pictures are PNG."""
    response = fetch(site, "/robots.txt", method="HEAD")
    assert (response.version, response.status, response.content) == (11, 200, b"")  # type: ignore[attr-defined]
    assert text_of(site, "/robots.txt") == "User-agent: *\nDisallow:\n"
    assert fetch(site, "/raw/nobody").status == 404
    assert fetch(site, "/img/menu_board.png").headers["Content-Type"] == "image/png"


def test_markup_in_posts_stays_text() -> None:
    """What people write is escaped in pages and feed."""
    content = SiteContent(
        (Paste("a", "<b>", "text", "<script>1</script>"),), (Thread("1", "&", (Post("<i>", "x<y\n\nz"),)),)
    )
    with DemoSite(content) as site:
        assert "&lt;script&gt;" in text_of(site, "/p/a")
        assert "<p>x&lt;y</p><p>z</p>" in text_of(site, "/forum/t/1")
        ET.fromstring(text_of(site, "/forum/feed.atom"))


def test_site_is_gone_afterwards() -> None:
    """After the `with` block the port is free and the site says that it is not running."""
    with DemoSite() as site:
        host, _, port = site.address.partition(":")
    with pytest.raises(OSError), socket.create_connection((host, int(port)), timeout=1):
        pass
    with pytest.raises(RuntimeError, match="not running"):
        _ = site.address


def test_people_of_the_tests_are_sound() -> None:
    """Valid in form, nobody real, and none of them a patient of the demo."""
    demo = {value for patient in patients().values() for value in (patient.resident_id, patient.phone, patient.mrn)}
    for person in PEOPLE:
        assert not person.resident_id or resident_id_is_sound(person.resident_id, person.birth_date)
        assert FICTION.fullmatch(person.phone)
        assert not person.email or person.email.split("@")[1].endswith(("example.com", "example.net", "example.org"))
        assert 120 <= len(person.note) <= 400
        assert not {person.resident_id, person.phone, person.mrn} - {""} & demo
        assert set(SCHEMA.columns) | {SCHEMA.ref} == set(person.row)
    assert HE_YUNSHU.phone == HE_YUNZHANG.phone
    assert LIN_MUQING.name == LIN_MUQING_NAMESAKE.name
    assert all(getattr(CANARY, column) for column in SCHEMA.columns)
    assert len({person.ref for person in PEOPLE}) == len({person.mrn for person in PEOPLE}) == len(PEOPLE)
