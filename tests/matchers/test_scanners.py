"""What is seen on a page, however it is written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from matchers.scanners.sink import FORMS
from tests.matchers.surveys import survey, values

ID = "99990119850314110"

SEEN = [
    ("resident_id", ID, "身份证号999901198503141104，女"),
    ("resident_id", ID, "９９９９０１ １９８５０３１４ １１０４"),
    ("resident_id", ID, "9999-0119-8503-1411-04"),
    ("resident_id", ID, "9 9 9 9 0 1 1 9 8 5 0 3 1 4 1 1 0 4"),
    ("resident_id", ID, "999901\n198503\n> 141104"),
    ("resident_id", ID, "<b>99</b>9901<i>1985</i>0314<span class='c1'>1104</span>"),
    ("resident_id", ID, "9😀9😀9😀9😀0😀1😀1😀9😀8😀5😀0😀3😀1😀4😀1😀1😀0😀4"),
    ("resident_id", ID, "九九九九零一一九八五零三一四一一零四"),
    ("resident_id", ID, "玖玖玖玖零壹壹玖捌伍零叁壹肆壹壹零肆"),
    ("resident_id", ID, "9999O1l985O3l4llO4"),
    ("resident_id", ID, "女40岁99990119850314110415402200417"),
    ("resident_id", ID, "999901850314110"),
    ("resident_id", ID, "999901198503141704 one digit changed"),
    ("resident_id", ID, "99990119850314114 one digit lost"),
    ("resident_id", ID, "9999011985031411104 one digit too many"),
    ("resident_id", ID, "999901198503411104 two digits swapped"),
    ("phone", "15402200417", "电话:15402200417"),
    ("phone", "15402200417", "+86 154-0220-0417"),
    ("phone", "15402200417", "0086154 0220 0417转12"),
    ("phone", "15402200417", "幺五四零二二零零四幺七"),
    ("phone", "15402200417", "１５４０２２００４１７"),
    ("phone", "7700900123", "07700 900123"),
    ("phone", "7700900123", "+44 (0)7700 900 123"),
    ("phone", "4155550121", "(415) 555-0121"),
    ("phone", "4155550121", "1-415-555-0121"),
    ("phone", "2155550121", "12155550121"),
    ("phone", "4155550121", "+.1.4.1.5.5.5.5.0.1.2.1"),
    ("phone_tail", "0417", "154****0417"),
    ("phone_tail", "0417", "(***) ***-0417"),
    ("phone_tail", "0417", "+** (***) ***0-417"),
    ("phone_mask", "1540417", "154 **** 0417"),
    ("phone_mask", "1540417", "154●●●●0417"),
    ("phone_mask", "1540417", "154xxxx0417"),
    ("id_mask", "9991104", "999***********1104"),
    ("id_tail", "1104", "***-**-1104"),
    ("id_tail", "1104", "***1104"),
    ("id_start", "99990119850314", "99990119850314****"),
    ("number", "mr20417733", "病历号 MR20417733"),
    ("number", "b8726732", "B872/6732"),
    ("number", "930055729", "930-055-729"),
    ("number", "zy77669742", "ZY 77669742"),
    ("number", "zy77669742", "卡号ＺＹ７７６６９７４２"),
    ("number", "ab12cd34", "token AB12CD34 here"),
    ("email", "he.yunshu@example.com", "He.Yunshu@Example.com。"),
    ("email", "he.yunshu@example.com", "he.yunshu (at) example [dot] com"),
    ("email", "he.yunshu@example.com", "he.yunshu at example dot com"),
    ("email", "he.yunshu@example.com", "he[dot]yunshu[at]example[dot]com"),
    ("email", "he.yunshu@example.com", "he.yunshu#at#example.com"),
    ("email", "he.yunshu@example.com", "ｈｅ．ｙｕｎｓｈｕ＠ｅｘａｍｐｌｅ．ｃｏｍ"),
    ("email", "he.yunshu@example.com", "emailhe.yunshu@example.com"),
    ("email", "he.yunshu@example.com", "> write to he.yun\n> shu@example.com"),
    ("birth_date", "19850314", "生于1985年3月14日"),
    ("birth_date", "19850314", "85年3月14号"),
    ("birth_date", "19850314", "一九八五年三月十四日"),
    ("birth_date", "19850314", "3月14日生，1985年"),
    ("birth_date", "19850314", "14.03.1985"),
    ("birth_date", "19850314", "3/14/85"),
    ("birth_date", "19850314", "85.03.14"),
    ("birth_date", "19850314", "March 14, 1985"),
    ("birth_date", "19850314", "14th of Mar 1985"),
    ("birth_date", "19850314", "14-MAR-85"),
    ("birth_date", "19850314", "1985 Mar 14"),
    ("birth_date", "19850314", "19850314"),
    ("birth_date", "19850314", "1985-03-14T00:00:00"),
    ("birth_date", "19850314", ID + "4"),
    ("name", "何云舒", "姓名：何云舒，女"),
    ("name", "何云舒", "何 云 舒"),
    ("name", "何云舒", "何雲舒"),
    ("name", "欧阳鸢翎", "患者欧阳鸢翎男45岁"),
    ("name", "inchbald odette", "Inchbald, Odette"),
    ("name", "inchbald odette", "ODETTE M. INCHBALD"),
    ("name", "inchbald odette", "Odette\nInchbald"),
    ("pinyin", "heyunshu", "He Yunshu"),
    ("pinyin", "heyunshu", "Yunshu He"),
    ("pinyin", "heyunshu", "HE YUN SHU"),
    ("pinyin", "heyunshu", "heyunshu"),
    ("pinyin", "heyunshu", "Hé Yún-Shū"),
    ("initial", "o|inchbald", "O. Inchbald"),
    ("initial", "o|inchbald", "Inchbald O"),
    ("initial", "o|inchbald", "O***** Inchbald"),
    ("initial", "i|odette", "Odette I*******"),
    ("name_mask", "何|舒", "何*舒"),
    ("name_mask", "何|舒", "何某舒"),
    ("name_mask", "欧阳|翎", "欧阳*翎"),
    ("name_mask", "id oe", "O****e I******d"),
    ("surname", "何", "何某某"),
    ("surname", "何", "何**"),
    ("given", "云舒", "*云舒"),
    ("name", "fionn orourke", "Fionn O’Rourke"),
    ("name", "priya raghunathancole", "Priya Raghunathan-Cole"),
    ("plate", "京a12345", "京A·12345"),
    ("age_day", "45|20240313", "45岁，2024年3月13日入院"),
    ("department_day", "骨科|20240313", "2024-03-13 骨科"),
    ("address_part", "坛城镇", "蒙城县坛城镇凰桥村"),
    ("address_part", "工贸大道76", "住工贸大道 76 号"),
    ("address_part", "90210", "Elmford, CA 90210"),
]
UNSEEN = [
    ("resident_id", "order 123456789012345678"),
    ("birth_date", "1985年13月14日"),
    ("birth_date", "31.02.1985"),
    ("email", "we look at example and more"),
    ("name", "。，！？"),
]
AROUND = " 1985-03-14 "
"""A date: names are looked for near something else only."""


@pytest.mark.parametrize(("field", "value", "text"), SEEN)
def test_a_value_is_seen(field: str, value: str, text: str) -> None:
    """However it is written, the canonical value is among what was seen, alone and within a text."""
    if field in ("name", "pinyin", "initial", "name_mask", "surname", "given"):
        text += AROUND
    assert value in values(text, field)
    assert value in values("今天天气不错，\n" + text + "\n大家出来走走吧。", field)


@pytest.mark.parametrize(("field", "text"), UNSEEN)
def test_nothing_is_seen(field: str, text: str) -> None:
    """What cannot be a value of the field is not."""
    assert values(text, field) == set()


PIECES = st.sampled_from(
    ["0", "1", "19", "1985", "*", "x", "X", "@", " at ", " dot ", ".", "-", "/", "\n", "<b>", "</b>", "年", "月", "日",
     "号", "张", "三", "某", "欧阳", "壹", "〇", "Jan", "march", "odette", "J.", "😀", "\0", "\ud800", "é", "ß", "+86 ",
     "(", ")"]
)  # fmt: skip


@given(st.lists(PIECES, max_size=60).map("".join))
def test_spans_lie_within_the_text(text: str) -> None:
    """Whatever the text, every span lies inside it, is not empty, and its form has a name."""
    found = survey(text)
    for seen in found.seen.values():
        for index in range(len(seen)):
            assert 0 <= seen.start[index] < seen.end[index] <= len(found.folded)
            assert int(seen.form[index]) < len(FORMS)
            assert seen.text(index)
    for pair in found.pairs:
        assert len(pair.one) == len(pair.other)
        assert not len(pair.one) or pair.one.max() < len(found.seen[pair.left])
        assert not len(pair.other) or pair.other.max() < len(found.seen[pair.right])


def test_far_apart_is_not_together() -> None:
    """A name and a date are a pair within the window only."""
    near = survey("何云舒" + "，" * 150 + "1985-03-14")
    far = survey("何云舒" + "，" * 250 + "1985-03-14")
    assert any(pair.left == "name" and pair.right == "birth_date" for pair in near.pairs)
    assert not far.pairs


def test_want_of_room_is_told() -> None:
    """What does not fit into the sinks is told by the first unit that was left out."""
    assert survey("1 " * 100).dropped == -1
    assert 0 < survey("1 " * 60_000).dropped < 120_000
