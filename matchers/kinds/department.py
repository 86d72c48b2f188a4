"""Departments and wards of a hospital.

Canonical is the department's Chinese name where it is one of the usual ones, in whatever language or shorthand it is
written; else letters, digits and Han characters without "department of". Rarity: about 30 departments, unevenly
visited: 4 bits. Only in a conjunction with a name and a day of visit, or supporting.
"""

import re
from collections.abc import Iterator

from matchers.canonical import canonical
from matchers.kinds.kind import Found, Grams, Term, compact

CODE = 18
ROLE = "supporting"
GRAMS: tuple[Grams, ...] = ()

_ALSO = {
    "心血管内科": ("心内科", "心脏内科", "cardiology"),
    "呼吸内科": ("呼吸科", "呼吸与危重症医学科", "respiratory medicine", "pulmonology", "respiratory"),
    "消化内科": ("消化科", "gastroenterology"),
    "神经内科": ("神内", "neurology"),
    "内分泌科": ("内分泌与代谢科", "endocrinology"),
    "血液内科": ("血液科", "haematology", "hematology"),
    "肾内科": ("肾脏内科", "肾脏科", "nephrology", "renal medicine"),
    "风湿免疫科": ("风湿科", "rheumatology"),
    "感染科": ("感染性疾病科", "传染科", "infectious diseases", "infectious disease"),
    "肿瘤科": ("肿瘤内科", "oncology"),
    "普外科": ("普通外科", "general surgery"),
    "骨科": ("orthopaedics", "orthopedics", "orthopaedic surgery", "orthopedic surgery"),
    "神经外科": ("神外", "neurosurgery"),
    "心胸外科": ("胸外科", "心脏外科", "cardiothoracic surgery", "thoracic surgery", "cardiac surgery"),
    "泌尿外科": ("泌尿科", "urology"),
    "烧伤整形科": ("整形外科", "烧伤科", "plastic surgery", "burns unit"),
    "妇产科": ("obstetrics and gynaecology", "obstetrics and gynecology", "ob gyn", "obgyn"),
    "产科": ("obstetrics", "maternity"),
    "妇科": ("gynaecology", "gynecology"),
    "儿科": ("小儿科", "paediatrics", "pediatrics"),
    "新生儿科": ("neonatology", "nicu"),
    "眼科": ("ophthalmology",),
    "耳鼻喉科": ("耳鼻咽喉科", "耳鼻咽喉头颈外科", "otolaryngology", "ent"),
    "口腔科": ("牙科", "dentistry", "dental"),
    "皮肤科": ("皮肤性病科", "dermatology"),
    "精神科": ("心理科", "精神心理科", "psychiatry"),
    "急诊科": ("急诊", "急诊室", "急诊医学科", "emergency department", "emergency medicine", "emergency room"),
    "重症医学科": ("重症监护室", "重症监护病房", "icu", "intensive care unit", "intensive care"),
    "麻醉科": ("anaesthesiology", "anesthesiology", "anaesthetics"),
    "康复科": ("康复医学科", "rehabilitation"),
    "中医科": ("traditional chinese medicine",),
    "放射科": ("影像科", "radiology"),
    "生殖医学科": ("生殖中心", "生殖医学中心", "reproductive medicine", "fertility clinic"),
}
_KNOWN = {compact(each): name for name, others in _ALSO.items() for each in (name, *others)}
_LATIN = sorted((each for others in _ALSO.values() for each in others if each[0] < "\u3400"), key=len, reverse=True)
_HAN_END = re.compile(r"[\u4e00-\u9fff](?:科|病区|病房|门诊|中心|诊室)")
_LATIN_NAME = re.compile(
    rf"(?<![a-z])(?:{'|'.join(each.replace(' ', '[ /&-]{1,3}(?:and )?') for each in _LATIN)})(?![a-z])"
)
_AROUND = re.compile(
    r"^(?:department|dept|division|unit|ward)\.?(?: of)?[ :]+|[ ]+(?:department|dept\.?|clinic|ward|unit)$"
)
_HAN_TAIL = re.compile(r"(?<=科)(?:门诊|病房|病区|(?:[一二三四五六七八九十]|\d{1,2})(?:病区|病房|区)?)$")
_MOST_HAN = 12

SHOULD_MATCH = (
    ("心内科", "在心血管内科住院"),
    ("Department of Cardiology", "seen by cardiology today"),
    ("变态反应科", "变态反应科门诊"),
    ("骨科二病区", "骨科"),
    ("ICU", "转入重症医学科"),
)
SHOULD_NOT = (("骨科", "妇科"), ("Cardiology", "cardiologist"))


def canonicalise(value: str) -> str:
    """Return the usual name, or letters, digits and Han characters."""
    folded = _AROUND.sub("", canonical(value).strip())
    kept = _HAN_TAIL.sub("", compact(folded))
    if not kept:
        raise ValueError("not a department: it has no letter")
    return _KNOWN.get(kept, kept)


def terms(canonical: str) -> tuple[Term, ...]:
    """Return the department; it is only searched in conjunctions."""
    return (Term("department", canonical, 4.0),)


def find(text: str) -> Iterator[Found]:
    """Yield what may be departments in folded text: each run of Han characters before an ending, and known names."""
    for match in _HAN_END.finditer(text):
        end = match.end()
        for start in range(end - 2, max(-1, end - _MOST_HAN - 1), -1):
            if not "\u3400" <= text[start] <= "\u9fff":
                break
            yield Found("department", _KNOWN.get(text[start:end], text[start:end]), start, end)
    for match in _LATIN_NAME.finditer(text):
        value = _KNOWN.get(compact(match.group()))
        if value:
            yield Found("department", value, *match.span())
