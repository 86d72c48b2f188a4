"""Invented words for a run without public data: names, ordinary posts, diagnoses, hospitals."""

import itertools
from collections.abc import Iterator

from app.demo.make_patients import FIRST_NAMES, LAST_NAMES

COMMON_FIRST = (
    "Robert", "William", "Elizabeth", "Margaret", "Katherine", "James", "Thomas", "Michael", "Rebecca", "Susan",
    "Edward", "Richard", "Patricia", "Jennifer", "Christopher", "Anthony", "Deborah", "Barbara", "Samuel", "Andrew",
)  # fmt: skip
"""First names that have short forms."""
STEMS = (
    "Ash",
    "Birch",
    "Crow",
    "Dun",
    "Elm",
    "Fern",
    "Gors",
    "Hather",
    "Ivel",
    "Kest",
    "Lark",
    "Mill",
    "Nether",
    "Oxen",
)
ENDS = ("bourne", "combe", "cotter", "field", "gate", "hurst", "ley", "mere", "stead", "thwaite", "wick", "worth")
DIAGNOSES = {
    "zh": ("胃溃疡", "甲状腺癌", "抑郁症", "乙型肝炎", "帕金森病", "肺癌", "梅毒", "双相障碍", "白血病", "脑梗死"),
    "en": ("breast cancer", "bipolar disorder", "hepatitis C", "leukaemia", "Parkinson's disease", "bowel cancer",
           "depression", "a stroke", "HIV infection", "epilepsy"),
}  # fmt: skip
HOSPITALS = {
    "zh": ("云雀市第一人民医院", "青榆医学院附属医院", "白芦县中医院", "雁回市中心医院"),
    "en": ("Marshwick General Hospital", "St Osyth's Infirmary", "Port Tansy Medical Center"),
}
DOCTORS = {
    "zh": ("主治医师：秦牧之", "住院医师：卫澜亭", "主任医师：阮伯年", "记录者：沈疏影"),
    "en": ("Dr Leopold Gainsby, Consultant Physician", "Signed: Dr Harriet Mossgrave", "Dictated by Dr Oswin Pell"),
}
BOILERPLATE = {
    "zh": ("病情变化及治疗方案已向患者及家属交代清楚，表示理解并签字。入院后完善相关检查，监测生命体征，对症支持治疗。",
           "既往无高血压、糖尿病、冠心病病史，否认药物及食物过敏史，否认输血史，预防接种史不详。"),
    "en": ("The plan was discussed with the patient, who understands and agrees. Return sooner if symptoms get worse.",
           "No known drug allergies. Safety net advice given. Copy to general practitioner."),
}  # fmt: skip
POST_PARTS = {
    "zh": (("今天", "昨晚", "周末", "刚才", "上个月"), ("和朋友", "一个人", "带孩子", "陪爸妈", "跟同事"),
           ("去公园散步", "看了一场球", "吃了顿火锅", "排队买电影票", "修好了自行车", "学做红烧肉"),
           ("，天气真好", "，有点累", "，人太多了", "，下次还来", "，花了不少钱", "，没想到下雨了"),
           ("。", "！", "，大家觉得呢？", "……", "，推荐给你们。")),
    "en": (("Today", "Last night", "This weekend", "Just now", "On Monday"), (" we", " I", " my sister", " our team"),
           (" went hiking", " fixed the old bike", " watched the game", " tried a new ramen place",
            " painted the fence", " finally finished that book", " missed the bus"),
           (" and it was great", " but the queue was long", " despite the rain", " again", " for the first time"),
           (".", "!", " lol", ", any tips?", ". Would do it again.")),
}  # fmt: skip


def first_names() -> list[str]:
    """Return English first names, those with short forms included."""
    return [*FIRST_NAMES, *COMMON_FIRST]


def last_names() -> list[str]:
    """Return English last names."""
    return [*LAST_NAMES, *(stem + end for stem in STEMS for end in ENDS)]


def posts(language: str) -> Iterator[str]:
    """Yield all ordinary posts of a language."""
    return ("".join(parts) for parts in itertools.product(*POST_PARTS[language]))
