"""Whether the words around a name speak of somebody's illness, by public vocabulary in Chinese and English.

Used for records marked as public figures, whose name alone says nothing until it stands in a medical context. Nothing
here comes from a record. Three sorts of words are counted: what names an illness, what tells that a person is or was
treated, and what speaks of illness without a patient (charity, research, a film role).
"""

import re
from dataclasses import dataclass
from typing import Final

REACH: Final = 60
"""Characters on either side of a name that are read; a sentence or two."""

_ILLNESS = re.compile(
    r"[\u4e00-\u9fff](?:炎|癌|瘤|病|症|疹|癣|疝|痔|瘫|痨|疮)|肿物|占位|息肉|结石|囊肿|梗死|梗塞|心梗|脑梗|出血|骨折|感染|骨刺"
    r"|综合征|紊乱|功能不全|衰竭|溃疡|增生|穿孔|栓塞|血栓|肿大|硬化|高血压|高血脂|糖尿|流产|早产|不孕|不育|怀孕|早孕"
    r"|艾滋|hiv|抑郁|焦虑|贫血|畸形|障碍|中风|癫痫|痛风|甲亢|甲减|积液|脱出|撕裂|阳性|转移|化疗|放疗|透析|手术"
    r"|\b\w{3,}(?:itis|oma|omas|emia|aemia|osis|oses|pathy|algia|plegia|ectomy|otomy|rrhea|rrhoea|uria|phobia)\b"
    r"|\b(?:cancer|tumou?rs?|carcinoma|lymphoma|leuk\w+|disease|disorder|syndrome|infections?|failure|fracture\w*"
    r"|diabet\w+|hypertens\w+|stroke|infarct\w*|lesions?|mass|nodule\w*|polyps?|hernia\w*|ulcers?|cysts?|stones?"
    r"|an?eurysm|hiv|aids|std|sti|overdose|pregnan\w+|miscarriage|abortion|depress\w+|bipolar|anxiety|schizo\w+"
    r"|dementia"
    r"|alzheimer\w*|parkinson\w*|epilep\w+|asthma|copd|pneumonia|covid\w*|sepsis|anemi\w+|anaemi\w+|arthr\w+|gout"
    r"|herpes|syphilis"
    r"|cataract\w*|glaucoma|allerg\w+|rhinitis|eczema|psoriasis|lupus|embol\w+|thromb\w+|abscess|effusion|obstruction"
    r"|hemorrh\w+|haemorrh\w+|pain|bleeding|palsy|transplant\w*|dialysis|chemo\w*|surgery)\b"
)
_TREATED = re.compile(
    r"住院|入院|出院|确诊|诊断|病历|病案|病情|病危|检查单|检验单|化验单|报告单|体检|主诉|现病史|既往史|查体|就诊|就医|看病|挂号"
    r"|急诊|门诊|病房|病床|重症|icu|手术|化疗|放疗|抢救|医院|医生|护士|科室|患者|病人|患有|得了|查出|被查|染上|不要外传|内部消息"
    r"|\b(?:admitted|discharged|hospitali[sz]ed|hospital|clinic|ward|icu|er|diagnos\w+|chart|medical records?|ehr|emr"
    r"|mrn"
    r"|test results?|lab results?|biopsy|scan|mri|ct|x-?ray|treated|treatment|being treated|patient|nurse|doctor"
    r"|surgeon"
    r"|surgery|operation|rehab|prescri\w+|medication|has|had|have|suffer\w*|battling|leaked)\b"
)
_TOPIC = re.compile(
    r"公益|慈善|呼吁|关注|基金|捐|宣传|大使|讲座|科普|研究|研发|论文|发表|出席|出演|饰演|扮演|主演|电影|电视剧|角色|小说|纪念|纪念日"
    r"|义诊|医学奖|发明|疫苗研|致敬|志愿|募|倡议|关爱|支持"
    r"|\b(?:charit\w+|fundrais\w+|awareness|ambassador|research\w*|foundation|donat\w+|gala|benefit|campaign\w*"
    r"|spoke at"
    r"|speech|keynote|lecture\w*|conference|stars? (?:as|in)|plays?|played|film|movie|series|novel|author of|studied"
    r"|discover\w+"
    r"|invent\w+|raise money|support\w*|dinner|auction|marathon|documentary)\b"
)
_NARRATIVE = re.compile(
    r"岁|周岁|发热|咳|痛|晕|恶心|呕吐|腹泻|胸闷|气短|乏力|肿|心悸|头痛|出汗|失眠|血压|心率|体温|入院|患者|主诉|天前|月前|年前|加重"
    r"|无明显诱因|mm|cm|mg|ml|次/分|阴性|阳性|未见|given|days? ago|weeks? ago|months? ago|year-old|denies"
    r"|presents?|complain\w*"
    r"|history of"
    r"|fever|cough|nausea|vomit\w*|pain|dizz\w*|bp|pulse|temperature|mg|daily|prescribed"
)


NARRATIVE: Final = 4
"""Different words of a medical history that make a narrative."""
WIDEST: Final = 4 * REACH
"""Characters on either side that are read for a narrative."""


@dataclass(frozen=True, slots=True)
class Context:
    """Counts of different words around a name."""

    illness: int
    treated: int
    topic: int
    narrative: int

    @property
    def bits(self) -> float:
        """Return how much the words say that the person named is a patient; 0 if they speak of something else."""
        if self.narrative >= NARRATIVE and self.treated:
            return 8.0
        if self.illness and (self.topic == 0 or self.treated > self.topic):
            return 4.0 * min(2, self.illness) + 3.0 * min(2, self.treated)
        return 0.0


def around(text: str, start: int, end: int) -> Context:
    """Return the medical context of the span, in folded text."""
    near = text[max(0, start - REACH) : start] + "\n" + text[end : end + REACH]
    far = text[max(0, start - WIDEST) : end + WIDEST]
    return Context(
        _different(_ILLNESS, near), _different(_TREATED, near), _different(_TOPIC, near), _different(_NARRATIVE, far)
    )  # fmt: skip


def _different(pattern: re.Pattern[str], text: str) -> int:
    return len(set(pattern.findall(text)))
