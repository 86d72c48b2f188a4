"""The eight patients of `patients.csv` about whom the demo tells a story, written by hand, and their record numbers."""

EXACT_ROW = "R-204417"
"""Stands as an exact CSV row in a paste."""
SPACED_ID = "R-318852"
"""Named in a forum post with a spaced-out, full-width resident ID."""
MASKED_ROW = "R-127730"
"""Stands in a table with stars in the middle of every value."""
CHINESE_NOTE = "R-440916"
"""An excerpt of the note is retold in a forum post, without name or number."""
ENGLISH_NOTE = "R-583301"
"""An excerpt of the note stands in a paste, with typing errors."""
RECORD_SCREEN = "R-661208"
"""Photographed: a picture of the record is the only content of a forum post."""
CHINESE_NAMESAKE = "R-259074"
"""Somebody else of this name won a race: must not alert."""
ENGLISH_NAMESAKE = "R-870635"
"""Somebody else of this name baked a cake: must not alert."""

RECORD_SCREEN_TEXT = (
    "患者40天前在外地连续熬夜拍摄后出现上腹部隐痛，进食后两小时加重，夜间常被痛醒，伴反酸、嗳气。"
    "自服铝碳酸镁片可暂时缓解。3天前庆功宴饮用烈酒后解柏油样黑便4次，每次约150克，伴头晕、乏力、心悸，"
    "无呕血及晕厥。外院查血红蛋白78克，大便潜血强阳性，为进一步诊治收入我科。"
)
"""Present illness as it is drawn in `record_screen.png`: the beginning of that patient's note."""

STORY_PATIENTS: tuple[dict[str, str], ...] = (
    {
        "record_number": EXACT_ROW,
        "name": "骆书晴",
        "birth_date": "1978-06-03",
        "sex": "female",
        "department": "肾内科",
        "note": (
            "三周前晨起发现眼睑浮肿，随后双小腿按压留痕，尿中泡沫久置不散。24小时尿蛋白定量6.8克，血浆白蛋白21克，"
            "总胆固醇9.7。肾穿刺示足突广泛融合，免疫荧光阴性，符合微小病变。泼尼松50毫克晨起顿服，联用骨化三醇，"
            "已告知满月脸及股骨头坏死风险。其在幼儿园任教，嘱流感季避免带班。"
        ),
    },
    {
        "record_number": SPACED_ID,
        "name": "卫长庚",
        "birth_date": "1964-11-26",
        "sex": "male",
        "department": "消化内科",
        "note": (
            "体检发现肝右叶占位一周。慢性乙型肝炎三十年，未规律抗病毒。甲胎蛋白1280，增强磁共振示S6段4.1厘米结节，"
            "动脉期明显强化、门脉期廓清。肝功能A级，无门脉癌栓。多学科讨论建议腹腔镜肝段切除，患者要求先参加女儿"
            "婚礼，定于下月十二日入院，期间恩替卡韦每晚一片不得中断。"
        ),
    },
    {
        "record_number": MASKED_ROW,
        "name": "顾念慈",
        "birth_date": "1989-02-17",
        "sex": "female",
        "department": "生殖医学科",
        "note": (
            "婚后四年未避孕未孕，月经周期35至90天。双侧卵巢各见十余枚小卵泡，睾酮偏高，胰岛素释放高峰延迟。"
            "丈夫精液向前运动精子百分之二十八。来曲唑促排两周期未见优势卵泡，第三周期加用小剂量尿促性素，"
            "十五日上午监测卵泡18毫米，予扳机。情绪低落，已转介心理门诊。"
        ),
    },
    {
        "record_number": CHINESE_NOTE,
        "name": "康砚秋",
        "birth_date": "1971-09-08",
        "sex": "male",
        "department": "精神心理科",
        "note": (
            "半年前公司破产后逐渐不愿出门，凌晨三点即醒，反复计算欠款数目，自觉连累妻儿，两次独自到水库边徘徊。"
            "近十天几乎不进食，体重减轻九公斤，问话需等待许久才低声回答。汉密尔顿抑郁量表三十一分。"
            "已与其胞弟签署看护协议，药品由家人保管，文拉法辛由七十五毫克起，八次改良电休克排在周一三五上午。"
        ),
    },
    {
        "record_number": ENGLISH_NOTE,
        "name": "Imogen Thackeray-Wells",
        "birth_date": "1983-08-30",
        "sex": "female",
        "department": "Addiction Medicine",
        "note": (
            "Came by herself after her licence was suspended. Drinks a litre of vodka most days since the bakery "
            "closed, shakes until ten in the morning, and hides bottles in the greenhouse so that her daughters do "
            "not find them. Two withdrawal fits in May. Gamma GT 912, platelets 88. Wants an inpatient detox before "
            "the custody hearing on the twentieth; thiamine given, chlordiazepoxide by the tapering chart."
        ),
    },
    {
        "record_number": RECORD_SCREEN,
        "name": "梁疏桐",
        "birth_date": "1992-05-21",
        "sex": "male",
        "department": "消化内科",
        "note": RECORD_SCREEN_TEXT
        + "入院后胃镜示十二指肠球部前壁溃疡，底覆薄白苔，予埃索美拉唑静脉泵入，输注红细胞2单位，幽门螺杆菌阳性。",
    },
    {
        "record_number": CHINESE_NAMESAKE,
        "name": "季知远",
        "birth_date": "1956-03-29",
        "sex": "male",
        "department": "泌尿外科",
        "note": (
            "排尿等待、尿线变细五年，夜间起床四五次。近日受凉后完全尿不出，下腹胀痛难忍，导尿引出九百二十毫升。"
            "前列腺重约七十八克，特异抗原6.3，残余尿量多。留置尿管一周，坦索罗辛与非那雄胺同服，"
            "拔管失败则行激光剜除，术前须停服银杏叶制剂十日，由长子陪同。"
        ),
    },
    {
        "record_number": ENGLISH_NAMESAKE,
        "name": "Rosalind Pemberfield",
        "birth_date": "1949-01-12",
        "sex": "female",
        "department": "Rheumatology",
        "note": (
            "Ten weeks of aching across both shoulders and hips, cannot lift the kettle before eleven. ESR 84, no "
            "scalp tenderness, temporal pulses full. Prednisolone 15 mg brought relief within two days, which settles "
            "the diagnosis for now. Bone protection added; she will cut down by 1 mg a month and keep a card in her "
            "handbag."
        ),
    },
)
"""Fields that matter for the story; `make_patients.py` adds ID, telephone, number, mail and address."""
