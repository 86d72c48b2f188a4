"""Enrolled people are found however they are written, and others are not."""

import pytest

from model.match import Verdict
from model.page import Passage
from model.record import LinkageColumn, LinkageSchema, Record
from tests.matchers.bench import Bench
from tests.people import CANARY, HE_YUNSHU, HE_YUNZHANG, SCHEMA

ENGLISH_NOTE = (
    "After a fall from a hayloft she could not lift her left arm above the shoulder for nine days. An ultrasound "
    "showed a partial tear of the supraspinatus, eleven millimetres wide, and she was sent home with a sling."
)
ENGLISH = Record(
    "R-9001",
    9,
    {
        "name": "Odette Marie Inchbald", "phone": "+1 415 555 0121", "mrn": "MR74299817",
        "email": "thistle.ember92@example.org", "birth_date": "1987-11-05", "address": "22 Sallow Lane, Elmford",
        "note": ENGLISH_NOTE,
    },
)  # fmt: skip
STREET = "青榆市梧桐巷27号院3号楼502室"


@pytest.fixture(scope="module")
def bench() -> Bench:
    """Enrol four people."""
    people = [person.record(row) for row, person in enumerate((CANARY, HE_YUNSHU, HE_YUNZHANG), 1)]
    return Bench.enrol(SCHEMA, [*people, ENGLISH])


LEAKS = [
    ("exact row", "R-777001", ",".join(CANARY.values.values())),
    ("row in another order", "R-777001", "\t".join(reversed(CANARY.values.values()))),
    ("JSON", "R-777001", '{"tel": "15490817263", "xm": "欧阳鸢翎", "sfzh": "999901196108070423"}'),
    ("lines", "R-777001", "姓名：欧阳鸢翎\n电话：15490817263\n住址：云雀市"),
    ("spaced ID", "R-777001", "9999 0119 6108 0704 23"),
    ("full-width ID", "R-777001", "ID９９９９０１１９６１０８０７０４２３号"),
    ("zero width inside", "R-777001", "9999\u200b0119\u200d61080\u20607042\ufeff3"),
    ("Han numerals", "R-777001", "九九九九零一一九六一零八零七零四二三"),
    ("O for 0, l for 1", "R-777001", "9999O1l96108O70423"),
    ("typo in the ID beside the name", "R-777001", "欧阳鸢翎 999901196108070523"),
    ("digit lost from the ID beside the name", "R-777001", "欧阳鸢翎 99901196108070423"),
    ("typo in the date of the ID beside the name", "R-777001", "欧阳鸢翎 999901196109070423"),
    ("masked row", "R-777001", "欧阳*翎，154****7263，999901********0423"),
    ("masked name and phone", "R-770102", "何*舒 154****0417"),
    ("name and phone", "R-770102", "何云舒 15402200417"),
    ("name and phone tail", "R-777001", "欧阳鸢翎，尾号****7263"),
    ("name and birth date", "R-777001", "欧阳鸢翎，生于1961年8月7日"),
    ("traditional characters", "R-770102", "患者何雲舒，出生日期 1985.03.14，發熱"),
    ("name and record number", "R-777001", "歐陽鳶翎的病歷號是 MR-9071-8263"),
    ("e-mail hidden from robots", "R-777001", "golden.canary.7731 (at) aviary [dot] example [dot] org"),
    ("Chinese excerpt of 24", "R-777001", "听说" + CANARY.note[20:44] + "真的吗"),
    ("Chinese excerpt over line ends", "R-777001", "> " + CANARY.note[10:24] + "\n> " + CANARY.note[24:40]),
    ("Chinese excerpt, traditional", "R-777001", "自服蜜煉枇杷膏三瓶未見緩解。查體左肺底可聞及吸氣末細濕囉音"),
    ("English excerpt", "R-9001", ENGLISH_NOTE[36:126]),
    (
        "English excerpt with typos",
        "R-9001",
        (
            "After a fal from a hayloft she could not lift her left arm abvoe the shoulder for nine days. An "
            "ultrasuond showed a partial tear of the supraspinatus, elevn millimetres wide, and she was sent home with "
            "a sling."
        ),
    ),
    ("family name first", "R-9001", "INCHBALD, Odette; DOB 11/05/1987"),
    ("month in words", "R-9001", "Odette Inchbald, born November 5th, 1987"),
]


@pytest.mark.parametrize(("ref", "text"), [case[1:] for case in LEAKS], ids=[case[0] for case in LEAKS])
@pytest.mark.parametrize("around", ["", "今天天气不错，大家出来走走吧。\n"], ids=["alone", "in a post"])
def test_a_leak_is_found(bench: Bench, ref: str, text: str, around: str) -> None:
    """Each of these is a leak of exactly this record; a short excerpt alone is at least worth a look."""
    found = bench.found(around + text + "\n" + around)
    assert ref in found
    assert found[ref].verdict is Verdict.LEAK or set(found[ref].kinds) == {"note"}


def test_a_glued_row_from_a_picture_is_found(bench: Bench) -> None:
    """Cells that OCR glued together, a digit read as a letter: still a leak."""
    assert bench.found("何云舒女40岁99991219850314211415402200417", ocr=True)["R-770102"].verdict is Verdict.LEAK
    assert bench.found("欧阳鸢翎女64岁9999O1196108070423", ocr=True)["R-777001"].verdict is Verdict.LEAK


CLEAN = [
    ("namesake", "何云舒在比赛中得了第一名"),
    ("namesake with another birth date", "何云舒，1990-01-02，13800001111"),
    ("name and city", "何云舒，青榆市人"),
    ("near-miss ID, valid check digit", "999901196108070343"),
    ("near-miss phone", "15490817264"),
    ("near-miss phone with a name of someone else", "李四 15490817264"),
    ("same diagnosis", "考虑鸟类饲养者肺，要紧吗？"),
    ("household address alone", STREET),
    ("masks that say nothing", "何** 999912************"),
    ("birth date alone", "1961-08-07"),
    ("short phrase of a note", "咳铁锈色痰，右侧胸痛"),
    ("other English note", "She fell and hurt her left arm; an ultrasound showed no tear of the tendon at all."),
    ("random numbers", "6221558812340000 6013820100019482 4514617658871234"),
]


@pytest.mark.parametrize("text", [case[1] for case in CLEAN], ids=[case[0] for case in CLEAN])
def test_what_is_no_leak_stays_silent(bench: Bench, text: str) -> None:
    """None of these says anything about an enrolled record."""
    assert bench.found(text) == {}


@pytest.mark.parametrize("text", ["15490817263", "转让号码 154-9081-7263"])
def test_a_telephone_number_alone_is_at_most_suspicious(bench: Bench, text: str) -> None:
    """Numbers stand in advertisements: a person should look, nobody should be woken."""
    assert bench.found(text)["R-777001"].verdict is Verdict.SUSPICIOUS


def test_a_shared_number_leads_to_the_one_who_is_named(bench: Bench) -> None:
    """Twins share telephone, birth date and address: the name decides who leaks."""
    found = bench.found("何云章 15402200417 1985-03-14")
    assert found["R-770103"].verdict is Verdict.LEAK
    assert "R-770102" not in found or found["R-770102"].verdict is Verdict.SUSPICIOUS


def test_a_name_beside_the_address_counts_and_another_does_not(bench: Bench) -> None:
    """Name and house number together are worth a look; the household with another name is not."""
    assert bench.found(f"何云舒，住址{STREET}")["R-770102"].kinds == ("address", "person_name")
    assert "R-770102" not in bench.found(f"李四，住址{STREET}")


def test_spans_point_into_the_original_text(bench: Bench) -> None:
    """Spans count characters of the text as it stood, not as it was folded."""
    text = "😀…①看：９９９９\u200b０１-19610807-0423！"
    (element,) = [each for each in bench.found(text)["R-777001"].elements if each.role == "primary"]
    assert text[element.start : element.end] == "９９９９\u200b０１-19610807-0423"


def test_spans_name_the_passage(bench: Bench) -> None:
    """An element says in which passage it stands."""
    match = bench.found("nothing here", "999901196108070423")["R-777001"]
    assert {element.passage for element in match.elements} == {1}


def test_pages_examined_together_are_examined_apart(bench: Bench) -> None:
    """Bulk gives what one by one gives, page by page."""
    pages = [[Passage(text, "body")] for _, _, text in LEAKS] + [[Passage(text, "body")] for _, text in CLEAN] + [[]]
    engine = bench.engine()
    assert engine.examine_many(pages) == [engine.examine(page) for page in pages]


def test_a_phrase_of_many_records_identifies_nobody() -> None:
    """A template that three records share is no excerpt of any of them; what is a record's own still is."""
    template = "查体神志清楚问答切题双肺呼吸音清未闻及干湿性啰音心律齐各瓣膜听诊区未闻及杂音腹软无压痛反跳痛"
    own = [
        "骑车摔倒后左腕肿痛四小时鼻烟窝压痛握拳时向肘部窜痛两指发麻",
        "夜间磨牙三月伴晨起颞部胀痛咬合异常嚼硬物时耳前弹响左侧更重",
        "误食野菌后视物变形并见小人起舞半日催吐两次补液后渐能辨认家人",
        "拔牙后第五天下唇麻木仍未恢复知觉感饮水自口角漏出说话含混",
    ]
    schema = LinkageSchema("ref", {"note": LinkageColumn("note")})
    records = [Record(f"R-{row}", row, {"note": text + template}) for row, text in enumerate(own, 1)]
    several = Bench.enrol(schema, records)
    assert several.found(template) == {}
    assert set(several.found("网传" + own[1] + template)) == {"R-2"}
    # What is left of the record beside the template is too short to be an excerpt of it.
    assert several.found(own[1][-9:] + template) == {}
