"""Parts of invented clinical notes. A pattern is filled with one choice per `{slot}`; digits come from `{n:low-high}`.

Choices are kept shorter than a shingle, so that what two notes share is mostly boilerplate, as in a real hospital.
"""

from collections.abc import Mapping


def listed(text: str) -> tuple[str, ...]:
    """Return the words written one after another, parted by `、` or `;`."""
    return tuple(choice.strip() for choice in text.replace("、", ";").split(";"))


CHINESE_PATTERNS: tuple[tuple[str, ...], ...] = (
    (
        "患者{n:2-29}{span}前{trigger}后出现{place}{symptom}，{course}，{relief}。",
        "{place}{symptom}{n:2-19}{span}，{trigger}后加重{n:1-9}天，{course}，伴{second}。",
        "因{trigger}出现{second}{n:2-40}小时来诊，此前{n:2-11}{span}已有{place}{symptom}，{relief}。",
        "{n:2-15}{span}来反复{place}{symptom}，每{unit}发作{n:2-9}次，{course}，近日{trigger}后又添{second}。",
    ),
    (
        "查体：体温{n:35-39}.{n:1-9}度，脉搏{n:58-128}次，血压{n:92-186}/{n:50-108}，{sign}。",
        "心率{n:55-131}次，呼吸{n:14-29}次，{sign}，{sign2}。",
        "体重{n:41-97}.{n:1-9}公斤，血压{n:92-186}/{n:50-108}，{sign2}，余无特殊。",
    ),
    (
        "{test}{n:3-480}.{n:1-9}，{test2}{n:11-960}，{image}提示{finding}{n:3-48}毫米。",
        "{image}见{finding}约{n:4-60}×{n:3-48}毫米，{test}{n:3-480}.{n:1-9}。",
        "复查{test2}由{n:500-990}降至{n:11-480}，{test}{n:3-480}.{n:1-9}，{image}未见{finding}增大。",
    ),
    (
        "予{drug}{n:1-9}粒每日{n:1-4}次，{drug2}{n:5-90}毫克{when}，{advice}。",
        "停{drug}，改用{drug2}{n:5-90}毫克{when}，{n:2-28}天后{advice}。",
        "{when}给{drug2}{n:5-90}毫克，合用{drug}{n:3-21}天，{advice}。",
    ),
    (
        "{history}，{habit}。",
        "{habit}，{history}，{family}。",
        "{family}，{habit}。",
        "",
    ),
    (
        "病情变化及治疗方案已向患者及家属交代清楚，表示理解并签字。",
        "既往无高血压、糖尿病、冠心病病史，否认药物及食物过敏史。",
        "嘱低盐低脂饮食，注意休息，如有不适及时随诊。",
        "",
        "",
    ),
)
"""One pattern of each group makes a note. The last group is boilerplate shared by many notes."""

CHINESE_CHOICES: Mapping[str, tuple[str, ...]] = {
    "span": listed("天、周、个月、年"),
    "unit": listed("天、周、月"),
    "trigger": listed(
        """
        搬运花盆、淋雨骑车、吃火锅、通宵打牌、爬山、清理鱼塘、与邻居争吵、喝冰豆浆、长途驾车、采摘杨梅、
        打羽毛球、粉刷墙壁、晒被褥、吃隔夜菜、泡温泉、换季、搬家、停药、久站看戏、给孙子洗澡、剧烈咳嗽、
        吃柿子、服用减肥茶、挖竹笋、夜班、参加马拉松、吹空调、宴席饮酒
        """
    ),
    "place": listed(
        """
        左膝、右肩、上腹部、胸骨后、颈后、双下肢、右侧腰部、左耳、足跟、咽部、下腹、左侧面颊、右手指节、
        双眼、脐周、左前胸、尾骨、头顶、右踝、牙龈、舌根、左腋下、会阴、背部
        """
    ),
    "symptom": listed(
        """
        胀痛、刺痛、麻木、灼热感、隐痛、肿胀、瘙痒、酸软、搏动样痛、紧缩感、出血、异物感、抽动、僵硬、红斑、
        发凉、绞痛、蚁走感、乏力、水疱
        """
    ),
    "course": listed(
        """
        晨起明显、平卧时减轻、夜间痛醒、向后背放射、活动后缓解、饭后尤甚、呈阵发性、逐渐加重、时轻时重、
        阴雨天明显、弯腰时加剧、持续不缓解、午后最重、说话多时明显、遇冷诱发、深吸气时加重
        """
    ),
    "relief": listed(
        """
        自贴膏药无效、口服止痛片稍好、热敷后减轻、未予诊治、社区输液三天未愈、针灸五次略有好转、卧床后缓解、
        喝姜汤无用、外院按胃炎治疗、推拿后反而加重、含服药物可止、停食一餐即好、冰敷后肿退、药店购药效差
        """
    ),
    "second": listed(
        """
        低热盗汗、恶心纳差、心慌手抖、视物模糊、尿频尿痛、头晕耳鸣、声音嘶哑、大便变细、皮肤瘀点、口干多饮、
        夜尿四次、关节晨僵、体重下降、嗳气反酸、失眠多梦、步态不稳、咳少量白痰、手足冰凉、脱发、流清涕
        """
    ),
    "sign": listed(
        """
        双肺呼吸音清、右下肺少许湿啰音、心尖部二级杂音、麦氏点轻压痛、肝肋下两指、甲状腺二度肿大、
        扁桃体充血、直腿抬高试验阳性、腹软无压痛、移动性浊音可疑、膝关节浮髌试验阳性、巩膜轻度黄染、
        颈软无抵抗、眼睑苍白、肾区叩痛、双踝凹陷性水肿
        """
    ),
    "sign2": listed(
        """
        皮肤无皮疹、浅表淋巴结未及、四肢肌力五级、左侧巴氏征阴性、足背动脉搏动弱、杵状指不明显、齿龈红肿、
        鼓膜完整、舌红少苔、腱反射减弱、眼底视盘清、指鼻试验稳准、脊柱侧弯、拇指屈曲受限、乳突无压痛
        """
    ),
    "test": listed(
        """
        尿酸、空腹血糖、总胆红素、血沉、铁蛋白、促甲状腺素、降钙素原、白细胞、肌酸激酶、同型半胱氨酸、
        甲胎蛋白、癌胚抗原、血钾、甘油三酯、类风湿因子、维生素D
        """
    ),
    "test2": listed(
        """
        血小板、谷丙转氨酶、肌酐、D二聚体、淀粉酶、碱性磷酸酶、尿蛋白、脑钠肽、免疫球蛋白E、乳酸脱氢酶、
        补体C3、抗链球菌溶血素、叶酸、胱抑素、血红蛋白、谷氨酰转肽酶
        """
    ),
    "image": listed(
        """
        胸部CT、腹部超声、腰椎磁共振、胃镜、心脏彩超、颈动脉超声、膝关节平片、肠镜、泌尿系CT、乳腺钼靶、
        甲状腺超声、鼻窦CT、骨密度、冠脉造影、眼底照相、头颅磁共振
        """
    ),
    "finding": listed(
        """
        低回声结节、斑片影、条索影、囊性灶、糜烂面、钙化灶、积液带、息肉样隆起、骨赘、充盈缺损、低密度影、
        强回声光团、增厚带、撕裂信号、狭窄段、陈旧灶
        """
    ),
    "drug": listed(
        """
        复方甘草片、铝碳酸镁片、甲钴胺、血府逐瘀胶囊、双歧杆菌、氨溴索、碳酸钙片、柳氮磺吡啶、蒲地蓝、
        地奥司明、骨化三醇、多潘立酮、谷维素、复方丹参片、非布司他、桉柠蒎
        """
    ),
    "drug2": listed(
        """
        阿托伐他汀、缬沙坦、泮托拉唑、左氧氟沙星、塞来昔布、加巴喷丁、美托洛尔、二甲双胍、呋塞米、氯雷他定、
        坦索罗辛、利伐沙班、舍曲林、甲泼尼龙、阿莫西林、孟鲁司特
        """
    ),
    "when": listed("睡前服、晨起空腹、早餐后、隔日一次、每晚一次、每日两次、饭中嚼服、必要时"),
    "advice": listed(
        """
        带片来门诊、复查肝肾功、转康复科训练、预约增强扫描、记录血压日记、抽血看药物浓度、请营养科会诊、
        评估手术指征、停药前先来电、做睡眠监测、复查胃镜、家属学会翻身拍背、拆线后再洗澡、改为轮椅出行、
        查幽门螺杆菌、看皮肤科
        """
    ),
    "history": listed(
        """
        七年前切除胆囊、幼时患过麻疹、曾因肾结石碎石、十二年前剖宫产、对磺胺过敏、右腕骨折史、曾患带状疱疹、
        早年做过阑尾手术、有过一次输血、戴起搏器三年、双侧白内障术后、青霉素皮试阳性、乙肝携带二十年、
        痛风九年
        """
    ),
    "habit": listed(
        """
        每日吸烟半包、嗜食腌菜、以养蜂为业、退休前教音乐、独居三楼、常年开货车、每晚饮黄酒二两、
        在面粉厂上班、种大棚蔬菜、喜浓茶、当过水手、业余学陶艺、每天快走五公里、做裁缝三十年、经营小书店、
        轮班看守水闸
        """
    ),
    "family": listed(
        """
        父亲患青光眼、母亲有糖尿病、兄长死于脑出血、妹妹同样症状、祖母活到九十七岁、家中两人吸烟、
        独子在外地、姐姐切过甲状腺、舅舅有血友病、女儿陪同就诊、丈夫代述病史、邻居送来急诊
        """
    ),
}

ENGLISH_PATTERNS: tuple[tuple[str, ...], ...] = (
    (
        "{n:2-29} {span} of {symptom} after {trigger}, {course}.",
        "Seen with {symptom} that began {n:2-19} {span} ago while {trigger}; {course}.",
        "{opening} {symptom} for {n:2-24} {span}, {course}, first noticed {trigger}.",
    ),
    (
        "Pulse {n:54-131}, blood pressure {n:92-188}/{n:52-108}, {sign}.",
        "Temp {n:35-39}.{n:1-9}, {sign}, oxygen saturation {n:88-99} on air.",
        "Weight {n:43-119} kg, {sign}, {sign2}.",
    ),
    (
        "{test} {n:3-480}, {image} shows {finding} of {n:3-58} mm.",
        "{image}: {finding}, {n:3-58} x {n:3-48} mm. {test} was {n:3-480}.",
        "{test} down from {n:300-900} to {n:3-290}; {image} without {finding}.",
    ),
    (
        "Began {drug} {n:5-400} mg {when}, then {advice}.",
        "Stopped {drug2} because of {effect}, now {drug} {n:5-400} mg {when}; {advice}.",
        "{drug} to {n:5-400} mg {when} with {drug2} cover, {advice} in {n:2-12} weeks.",
    ),
    ("{habit}.", "{habit} and {family}.", "{history}; {habit}."),
    (
        "The plan was discussed with the patient, who understands and agrees.",
        "No known drug allergies. Safety net advice given.",
        "Copy to general practitioner. Return sooner if symptoms get worse.",
        "",
        "",
    ),
)
"""One pattern of each group makes a note. The last group is boilerplate shared by many notes."""

ENGLISH_CHOICES: Mapping[str, tuple[str, ...]] = {
    "opening": listed(
        "Referred with; Back again with; Brought in by a cousin with; Walked in with; Sent from work with"
    ),
    "span": listed("days; weeks; months"),
    "trigger": listed(
        """
        pruning apple trees; a camping weekend; lifting a piano; a bout of flu; moving house;
        a long coach trip; sanding floors; a stag party; dipping sheep; choir practice; a fall on ice;
        changing shifts; weaning the baby; a trip to the coast; starting yoga; an argument; laying paving;
        kayaking
        """
    ),
    "symptom": listed(
        """
        burning feet; right knee swelling; a dry cough; cramping belly pain; tight shoulders;
        a weeping rash; blurred vision; night sweats; ringing in the left ear; palpitations; a stiff neck;
        blood in the stool; dizzy spells; lower back pain; a hoarse voice; numb fingertips; jaw pain;
        heavy periods
        """
    ),
    "course": listed(
        """
        worst before dawn; easing when lying flat; coming in waves; unmoved by ibuprofen;
        waking her at three; gone by lunchtime; slowly climbing; better in warm rooms; set off by stairs;
        after every meal; milder on holiday; spreading to the groin; only while driving;
        sharper on breathing in
        """
    ),
    "sign": listed(
        """
        chest clear; a soft systolic murmur; tender over McBurney's point; spleen just palpable;
        both calves soft; ankle jerks absent; fine crackles at the left base; no neck stiffness;
        pale conjunctivae; a boggy prostate; positive straight leg raise; thyroid smoothly enlarged;
        a healing bite on the forearm
        """
    ),
    "sign2": listed(
        """
        gait broad based; skin without rash; pupils equal; grip weak on the right; no palpable nodes;
        eardrum dull; tongue beefy; reflexes brisk; toes cool; wrist drop absent; gums bleeding
        """
    ),
    "test": listed(
        """
        Ferritin; Uric acid; CRP; Troponin; Faecal calprotectin; Creatinine; Bilirubin; Prolactin; D-dimer;
        Lipase; Vitamin B12; Cortisol; Amylase; Platelets; Urinary albumin; Folate
        """
    ),
    "image": listed(
        """
        Chest film; Abdominal ultrasound; Lumbar MRI; Echocardiogram; Colonoscopy; Sinus CT; Knee film;
        Carotid duplex; Barium swallow; Renal CT; Hand film; Gastroscopy; Thyroid ultrasound
        """
    ),
    "finding": listed(
        """
        a calcified nodule; a simple cyst; patchy shadowing; a sessile polyp; loose body; a disc bulge;
        mucosal thickening; a small effusion; a bright focus; shallow erosions; a spur; old scarring
        """
    ),
    "drug": listed(
        """
        Naproxen; Ramipril; Omeprazole; Sertraline; Allopurinol; Doxycycline; Metformin; Levothyroxine;
        Propranolol; Mesalazine; Topiramate; Furosemide; Montelukast; Clarithromycin; Gabapentin
        """
    ),
    "drug2": listed(
        """
        codeine; atorvastatin; amitriptyline; nifedipine; prednisolone; tamsulosin; citalopram; warfarin;
        methotrexate; trimethoprim; lansoprazole
        """
    ),
    "effect": listed("wheeze; itching; vivid dreams; swollen gums; constipation; a metallic taste; cold hands"),
    "when": listed("at night; twice daily; with breakfast; on alternate days; three times a day; before meals"),
    "advice": listed(
        """
        repeat bloods; physiotherapy; a sleep study; review with films; dietitian to phone;
        a tilt table test; nerve conduction; breath testing; wound check; home pressure diary; podiatry;
        stress echo; an ENT look
        """
    ),
    "history": listed(
        """
        Appendix out at nine; Two stillbirths; Penicillin rash as a child; A pacemaker since spring;
        Shingles last year; Gallstones known; A donor kidney; Polio in infancy; Cataracts done;
        Asthma until twenty
        """
    ),
    "habit": listed(
        """
        Works nights in a bakery; Keeps forty hens; Drives a snow plough; Teaches the cello;
        Smokes six a day; Lives above a fish shop; Retired lighthouse painter; Repairs church organs;
        Swims in the reservoir; Runs a bicycle stall; Drinks cider at weekends; Sorts parcels;
        Restores clocks; Grows dahlias for shows
        """
    ),
    "family": listed(
        """
        a twin with gout; no children; a mother with glaucoma; three brothers abroad; an aunt with lupus;
        a son just adopted; a father lost to stroke; one sister, a nurse; a wife on dialysis
        """
    ),
}
