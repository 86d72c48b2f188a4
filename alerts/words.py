"""The vocabulary of messages: every word a message may show, in English and Chinese.

A kind or reason that is not listed here is shown by its own name, which is a file name of `matchers/kinds/` or a word
of `model.page.Reason`.
"""

from collections.abc import Mapping

from model.alert import Severity, Subject
from model.match import Verdict

LANGUAGES = ("en", "zh")

SEVERITIES: Mapping[str, Mapping[Severity, str]] = {
    "en": {
        Severity.CRITICAL: "critical",
        Severity.HIGH: "high",
        Severity.MEDIUM: "medium",
        Severity.LOW: "low",
    },
    "zh": {Severity.CRITICAL: "紧急", Severity.HIGH: "高", Severity.MEDIUM: "中", Severity.LOW: "低"},
}

VERDICTS: Mapping[str, Mapping[Verdict, str]] = {
    "en": {Verdict.LEAK: "leak", Verdict.SUSPICIOUS: "suspicious"},
    "zh": {Verdict.LEAK: "泄露", Verdict.SUSPICIOUS: "疑似泄露"},
}

HEADLINES: Mapping[str, Mapping[Subject, str]] = {
    "en": {
        Subject.RECORD: "A record has appeared on the internet",
        Subject.SITE: "A site is not being watched as it should",
        Subject.SYSTEM: "Spillwatch itself needs attention",
    },
    "zh": {
        Subject.RECORD: "互联网上出现了本机构的记录",
        Subject.SITE: "有网站未能正常监测",
        Subject.SYSTEM: "Spillwatch 本身需要处理",
    },
}

HEADLINES_MANY: Mapping[str, str] = {
    "en": "Several records have appeared on one page",
    "zh": "同一页面上出现了多条本机构的记录",
}

HEADLINES_RISEN: Mapping[str, str] = {
    "en": "A known leak has become graver",
    "zh": "已知泄露的严重程度上升",
}

SUBJECTS: Mapping[str, Mapping[Subject, str]] = {
    "en": {Subject.RECORD: "record alert", Subject.SITE: "site alert", Subject.SYSTEM: "system alert"},
    "zh": {Subject.RECORD: "记录警报", Subject.SITE: "网站警报", Subject.SYSTEM: "系统警报"},
}

KINDS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "resident_id": "resident ID number",
        "national_id": "national identity number",
        "passport": "passport number",
        "us_ssn": "Social Security number",
        "uk_nhs": "NHS number",
        "hk_id": "Hong Kong identity card number",
        "macao_id": "Macao identity card number",
        "taiwan_id": "Taiwan identity number",
        "bank_card": "bank card number",
        "licence_plate": "licence plate",
        "keyword": "watched phrase",
        "phone": "phone number",
        "email": "e-mail address",
        "mrn": "medical record number",
        "record_number": "medical record number",
        "admission_number": "admission number",
        "insurance_number": "insurance number",
        "person_name": "name",
        "birth_date": "date of birth",
        "visit_day": "day of visit",
        "age": "age",
        "department": "department",
        "address": "address",
        "hospital": "hospital",
        "note": "clinical text",
        "blocked": "the site refuses us",
        "needs-login": "the site asks for a login",
        "login-needed": "the site asks for a login",
        "changed": "the site has changed its layout",
        "layout-changed": "the site has changed its layout",
        "silent": "fewer new items than expected",
        "failing": "scans fail",
        "robots": "forbidden by robots.txt",
        "rate-limited": "the site slows us down",
        "forbidden-address": "the address is not on the public internet",
        "network": "the network failed",
        "server-error": "the server answers with errors",
        "cap-reached": "more was there than a scan may fetch",
        "left-alone": "something was not opened on purpose",
        "stream-gap": "part of the stream was missed",
        "stream-died": "the process that reads the stream keeps dying",
        "internal-error": "a fault inside Spillwatch",
        "crash": "a part of Spillwatch crashed",
        "timeout": "no answer in time",
        "gone": "what was listed is gone",
        "unread-encrypted": "an encrypted part was not read",
        "unread-too-big": "a part was too big to be read",
        "unread-bomb": "a part unpacks without end and was not read",
        "unread-crash": "a part crashed its decoder and was not read",
        "unread-timeout": "a part took too long and was not read",
        "unread-malformed": "a damaged part was not read",
        "unread-type-not-supported": "a part of an unknown type was not read",
        "unread-cap-reached": "a page held more than could be compared",
        "unread-internal-error": "a page could not be examined",
        "examiner-died": "the examining process keeps dying",
        "enrolment-outdated": "enrol your export again: text is folded otherwise since an upgrade",
        "job-failed": "a scheduled job failed; the log says which",
    },
    "zh": {
        "resident_id": "居民身份证号",
        "national_id": "国民身份号码",
        "passport": "护照号",
        "us_ssn": "美国社会保障号",
        "uk_nhs": "英国 NHS 号码",
        "hk_id": "香港身份证号",
        "macao_id": "澳门身份证号",
        "taiwan_id": "台湾身份证号",
        "bank_card": "银行卡号",
        "licence_plate": "车牌号",
        "keyword": "监测关键词",
        "phone": "电话号码",
        "email": "电子邮箱",
        "mrn": "病案号",
        "record_number": "病案号",
        "admission_number": "住院号",
        "insurance_number": "医保号",
        "person_name": "姓名",
        "birth_date": "出生日期",
        "visit_day": "就诊日期",
        "age": "年龄",
        "department": "科室",
        "address": "住址",
        "hospital": "医院",
        "note": "病历文字",
        "blocked": "网站拒绝访问",
        "needs-login": "网站要求登录",
        "login-needed": "网站要求登录",
        "changed": "网站版式已改变",
        "layout-changed": "网站版式已改变",
        "silent": "新内容少于预期",
        "failing": "扫描失败",
        "robots": "robots.txt 不允许",
        "rate-limited": "网站限制访问频率",
        "forbidden-address": "地址不在公共互联网上",
        "network": "网络故障",
        "server-error": "服务器返回错误",
        "cap-reached": "内容超过单次扫描上限",
        "left-alone": "有内容按规定未打开",
        "stream-gap": "数据流有一段未能读取",
        "stream-died": "读取数据流的进程反复退出",
        "internal-error": "Spillwatch 内部故障",
        "crash": "Spillwatch 的一部分崩溃",
        "timeout": "未在时限内响应",
        "gone": "列出的内容已消失",
        "unread-encrypted": "有加密内容未能读取",
        "unread-too-big": "有内容过大未能读取",
        "unread-bomb": "有内容无限展开，未读取",
        "unread-crash": "有内容使解码器崩溃，未能读取",
        "unread-timeout": "有内容解码超时，未能读取",
        "unread-malformed": "有损坏内容未能读取",
        "unread-type-not-supported": "有未知类型的内容未能读取",
        "unread-cap-reached": "页面内容超过可比对上限",
        "unread-internal-error": "有页面未能检查",
        "examiner-died": "检查进程反复退出",
        "enrolment-outdated": "请重新登记记录：升级后文字归一方式有变",
        "job-failed": "定时任务失败，详见日志",
    },
}

LABELS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "product": "Spillwatch",
        "severity": "Severity",
        "verdict": "Verdict",
        "kinds_record": "What was found",
        "kinds_problem": "What is wrong",
        "alert": "Alert",
        "alerts": "Alerts",
        "sightings": "Seen",
        "sightings_one": "on 1 page",
        "sightings_many": "on {count} pages",
        "site": "Site",
        "system": "Spillwatch",
        "time": "First seen",
        "incident": "Incident",
        "risen": "graver than before",
        "more": "and {count} more, all listed by:",
        "next": "What to do next",
        "show": "See the case",
        "acknowledge": "Say that you are on it",
        "evidence": "Check that the evidence is whole",
        "evidence_note": "the folder is named by `spillwatch show`",
        "close": "Close it",
        "doctor": "Ask Spillwatch what is wrong",
        "law": (
            "This message holds references, counts and times only. No name, number or text of a record, no link and "
            "nothing from the page is ever in it."
        ),
        "separator": ", ",
    },
    "zh": {
        "product": "Spillwatch",
        "severity": "严重程度",
        "verdict": "判断",
        "kinds_record": "发现的要素",
        "kinds_problem": "问题",
        "alert": "警报",
        "alerts": "警报",
        "sightings": "出现",
        "sightings_one": "1 个页面",
        "sightings_many": "{count} 个页面",
        "site": "网站",
        "system": "Spillwatch",
        "time": "首次发现",
        "incident": "事件",
        "risen": "较之前更严重",
        "more": "另有 {count} 条，用以下命令全部列出：",
        "next": "下一步",
        "show": "查看案情",
        "acknowledge": "表明您已接手",
        "evidence": "核验证据是否完整",
        "evidence_note": "文件夹见 `spillwatch show` 的输出",
        "close": "结案",
        "doctor": "检查 Spillwatch 的状态",
        "law": "本邮件只含编号、数量与时间，绝不含记录中的姓名、号码或文字，也不含链接或页面内容。",
        "separator": "、",
    },
}


def kind_word(kind: str, language: str) -> str:
    """Return how a kind or reason is called in the language; the kind's own name if it has no word."""
    return KINDS[language].get(kind, kind)
