"""The invented patients of all tests. Nobody here exists, and nobody real can be hit.

Resident IDs carry a correct check digit (GB 11643) under area codes 999xxx, which are never issued. Chinese mobile
numbers begin with 154, a prefix that no operator was ever given; English ones stand in the ranges kept for fiction
(555-0100 to 555-0199 in North America, 07700 900000 to 900999 in the United Kingdom). Mail domains are the reserved
example domains (RFC 2606).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from model.record import LinkageColumn, LinkageSchema, Record


@dataclass(frozen=True, slots=True)
class Person:
    """One invented patient. Every field is valid in form; an empty field is one the hospital does not know."""

    ref: str
    """The hospital's opaque reference."""
    name: str
    resident_id: str
    """18 characters with a correct check digit, or empty."""
    phone: str
    mrn: str
    email: str
    birth_date: str
    """ISO 8601."""
    address: str
    department: str
    note: str
    """Clinical note, 120 to 400 characters."""

    @property
    def values(self) -> Mapping[str, str]:
        """Return column name → value for every field that is not empty, the reference excepted."""
        return MappingProxyType({name: value for name in COLUMNS if (value := getattr(self, name))})

    @property
    def row(self) -> Mapping[str, str]:
        """Return the whole row as an enrolment file has it: `record_number` first, empty values too."""
        return MappingProxyType({"record_number": self.ref, **{name: getattr(self, name) for name in COLUMNS}})

    def record(self, row: int = 1) -> Record:
        """Return the person as a record read from that row."""
        return Record(ref=self.ref, row=row, values=self.values)


COLUMNS = ("name", "resident_id", "phone", "mrn", "email", "birth_date", "address", "department", "note")
"""The columns of a person, in file order."""

SCHEMA = LinkageSchema(
    ref="record_number",
    columns=MappingProxyType(
        {
            "name": LinkageColumn("person_name"),
            "resident_id": LinkageColumn("resident_id"),
            "phone": LinkageColumn("phone"),
            "mrn": LinkageColumn("mrn"),
            "email": LinkageColumn("email"),
            "birth_date": LinkageColumn("birth_date"),
            "address": LinkageColumn("address"),
            "department": LinkageColumn("department", role="ignore"),
            "note": LinkageColumn("note"),
        }
    ),
)
"""The linkage schema under which these people are enrolled."""

CANARY = Person(
    ref="R-777001",
    name="欧阳鸢翎",
    resident_id="999901196108070423",
    phone="15490817263",
    mrn="MR90718263",
    email="golden.canary.7731@aviary.example.org",
    birth_date="1961-08-07",
    address="云雀市金丝雀路七十三弄9918号鸢羽楼6单元1704室",
    department="变态反应科",
    note=(
        "患者十九日前在鸟舍清扫金丝雀笼具后出现阵发性干咳，夜间平卧时加重，伴右侧第七肋间针刺样疼痛，自服蜜炼枇杷膏"
        "三瓶未见缓解。查体左肺底可闻及吸气末细湿啰音，血清沉淀抗体滴度一比六百四十，弥散量为预计值的百分之五十七点三。"
        "考虑鸟类饲养者肺，嘱其迁出鸟舍，泼尼松每日三十七点五毫克起，四周后复查。"
    ),
)
"""The patient of the canary tests: every field is so distinctive that any trace of it is hers."""

HE_YUNSHU = Person(
    ref="R-770102",
    name="何云舒",
    resident_id="999912198503142114",
    phone="15402200417",
    mrn="MR20417733",
    email="he.yunshu@example.com",
    birth_date="1985-03-14",
    address="青榆市梧桐巷27号院3号楼502室",
    department="呼吸内科",
    note=(
        "五天前淋雨后发热，最高三十九点一度，咳铁锈色痰，右侧胸痛随深呼吸加重。胸片示右下肺大片实变影，"
        "白细胞一万六千四百，C反应蛋白一百二十八。予头孢曲松联合阿奇霉素静滴三天后体温降至正常，痰量减少，"
        "今日要求带药回家，约定下周二复查胸片，吸烟十五年已劝戒。"
    ),
)
HE_YUNZHANG = Person(
    ref="R-770103",
    name="何云章",
    resident_id="99991219850314219X",
    phone="15402200417",
    mrn="MR20417741",
    email="",
    birth_date="1985-03-14",
    address="青榆市梧桐巷27号院3号楼502室",
    department="骨科",
    note=(
        "骑车摔倒后左腕肿痛四小时，拇指侧鼻烟窝压痛明显，握力下降。舟骨位片见腰部细小透亮线，未见移位。"
        "予前臂管型石膏固定于功能位，抬高患肢，两周后拆开复拍，若骨折线增宽则转手外科讨论螺钉内固定。"
        "既往青霉素皮试阳性，已在病历首页标出，止痛选用对乙酰氨基酚。"
    ),
)
"""Shares a telephone with HE_YUNSHU, and the birth date and address too: twins."""

LIN_MUQING = Person(
    ref="R-770104",
    name="林慕青",
    resident_id="999907195309221180",
    phone="15406613390",
    mrn="MR31950284",
    email="linmq53@example.net",
    birth_date="1953-09-22",
    address="白芦县南渡镇柳岸街118号",
    department="内分泌科",
    note=(
        "发现血糖升高二十一年，近三个月足背麻木如着袜套，夜间灼痛难眠。空腹血糖十一点七，糖化血红蛋白百分之九点四，"
        "尿微量白蛋白一百八十六。眼底可见散在微血管瘤。将甘精胰岛素由十六单位加至二十二单位，"
        "加用度洛西汀三十毫克睡前服，嘱每晚检查双足，四周后门诊调药。"
    ),
)
LIN_MUQING_NAMESAKE = Person(
    ref="R-770105",
    name="林慕青",
    resident_id="999933197201050668",
    phone="15408871156",
    mrn="MR31977310",
    email="",
    birth_date="1972-01-05",
    address="石濑市望江路64号2栋1101室",
    department="妇科",
    note=(
        "月经量增多一年，经期由五天延长至十一天，伴血块，爬三层楼即心慌。血红蛋白七十二克每升，"
        "超声提示子宫后壁肌瘤六点三乘五点八厘米，压迫内膜。已签知情同意，拟下月行腹腔镜下肌瘤剔除，"
        "术前口服多糖铁复合物两粒每日一次，复查铁蛋白后再定手术日期。家中有一女，暂无再生育打算。"
    ),
)
"""Bears the same name as LIN_MUQING and is somebody else."""

QIU_ANRAN = Person(
    ref="R-770106",
    name="邱安然",
    resident_id="999902200111303246",
    phone="15401190088",
    mrn="MR40283316",
    email="anran.qiu@example.org",
    birth_date="2001-11-30",
    address="云雀市书院路9号学生公寓4栋315室",
    department="急诊科",
    note=(
        "晚餐食用凉拌木耳后两小时开始反复呕吐十余次，随后水样便七次，无脓血。到院时血压九十二比五十八，"
        "口唇干燥，皮肤弹性差。血钾二点九，肌酐略高。补液三千毫升并口服氯化钾，留观一夜后呕吐停止，"
        "能进米汤，清晨离院，嘱三日内清淡饮食，如尿少须立即返回。"
    ),
)
SHEN_BOYUAN = Person(
    ref="R-770107",
    name="沈伯渊",
    resident_id="999945194706182270",
    phone="15409937742",
    mrn="MR15880926",
    email="",
    birth_date="1947-06-18",
    address="松台区旧钟楼街31号",
    department="心血管内科",
    note=(
        "近两周夜间憋醒三次，需垫高两个枕头，双踝按之凹陷。心尖部可闻三级吹风样杂音，颈静脉怒张。"
        "脑钠肽两千三百四十，射血分数百分之三十四，房颤心室率一百一十六。予呋塞米四十毫克静推，"
        "沙库巴曲缬沙坦小剂量起始，每日称体重，增重超过两公斤即电话联系病房。"
    ),
)
TANG_XIAOMAN = Person(
    ref="R-770108",
    name="唐小满",
    resident_id="999911199012124139",
    phone="15403325501",
    mrn="MR52209417",
    email="xiaoman.tang@example.com",
    birth_date="1990-12-12",
    address="青榆市东篱小区8幢2单元603室",
    department="神经内科",
    note=(
        "左侧搏动性头痛八年，每月发作四至六次，发作前眼前有锯齿状闪光约二十分钟，伴恶心畏光。"
        "头颅磁共振未见异常。过去半年每周服布洛芬五天以上，考虑合并药物过量性头痛。"
        "停用止痛片，普萘洛尔十毫克每日三次预防，写头痛日记，六周后带日记本来门诊，评估是否换用托吡酯。"
    ),
)
MARGARET_HOLLOWAY = Person(
    ref="R-770201",
    name="Margaret Holloway",
    resident_id="",
    phone="(202) 555-0143",
    mrn="MR61042259",
    email="m.holloway@example.com",
    birth_date="1958-04-19",
    address="14 Larkspur Terrace, Fenwick Hollow",
    department="Cardiology",
    note=(
        "Three weeks of tightness across the chest when carrying shopping uphill, easing within four minutes of rest. "
        "Treadmill test stopped at stage two with 2.1 mm of lateral ST depression. Started bisoprolol 2.5 mg and "
        "aspirin; angiogram booked for the ninth. Her late brother had a bypass at 51. Knows to ring for an ambulance "
        "if pain lasts beyond fifteen minutes."
    ),
)
THEODORE_ASHBY = Person(
    ref="R-770202",
    name="Theodore Ashby",
    resident_id="",
    phone="07700 900271",
    mrn="MR61078830",
    email="theo.ashby@example.net",
    birth_date="1979-10-02",
    address="3 Millrace Cottages, Upper Dunmarsh",
    department="Gastroenterology",
    note=(
        "Fourteen months of loose stools with urgency, worse after bread and beer, and a weight loss of 6.8 kg. Tissue "
        "transglutaminase 214 U/mL, ferritin 9. Duodenal biopsies taken at four sites show subtotal villous atrophy. "
        "Referred to the dietitian for a gluten free diet, iron sulphate once daily, repeat serology in half a year."
    ),
)
PRIYA_RAGHUNATHAN = Person(
    ref="R-770203",
    name="Priya Raghunathan-Cole",
    resident_id="",
    phone="202-555-0187",
    mrn="MR61093316",
    email="priya.rc@example.org",
    birth_date="1991-02-27",
    address="Flat 9, 220 Quillfeather Road, Easterby",
    department="Obstetrics",
    note=(
        "Thirty-one weeks, second pregnancy. Two readings of 152/97 an hour apart, protein creatinine ratio 41, "
        "no headache or visual disturbance, reflexes brisk without clonus. Growth scan on the eighteenth centile. "
        "Labetalol 200 mg twice daily begun, bloods every Tuesday and Friday, told to come in at once for "
        "epigastric pain or reduced movements."
    ),
)
OWEN_PETTIGREW = Person(
    ref="R-770204",
    name="Owen Pettigrew",
    resident_id="",
    phone="07700 900644",
    mrn="MR61120047",
    email="",
    birth_date="1966-07-15",
    address="The Old Forge, Sallow Lane, Marshwick",
    department="Orthopaedics",
    note=(
        "Fell from a hay trailer onto the outstretched right arm. Closed four-part fracture of the proximal humerus "
        "with the head tilted 40 degrees; axillary nerve sensation intact. CT reviewed at the Thursday meeting: "
        "reverse shoulder replacement preferred over plating. Stopped apixaban on the eleventh, last dose 21:00, "
        "haemoglobin 128."
    ),
)

PEOPLE = (
    CANARY,
    HE_YUNSHU,
    HE_YUNZHANG,
    LIN_MUQING,
    LIN_MUQING_NAMESAKE,
    QIU_ANRAN,
    SHEN_BOYUAN,
    TANG_XIAOMAN,
    MARGARET_HOLLOWAY,
    THEODORE_ASHBY,
    PRIYA_RAGHUNATHAN,
    OWEN_PETTIGREW,
)
"""Everyone, CANARY first."""
