"""The leaks planted on the demo's site, and the truth about them: where each stands and whose record it shows."""

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass

from app.demo import story_patients as story
from app.demo.content import Paste, Post, SiteContent, Thread
from app.demo.pastes import ORDINARY_PASTES
from app.demo.patients import COLUMNS, Patient, demo_file, patients
from app.demo.threads import ORDINARY_THREADS


@dataclass(frozen=True, slots=True)
class PlantedLeak:
    """One thing on the site that an honest watcher must find, or must leave alone."""

    key: str
    """A short name for reports."""
    place: str
    """Path on the site: `/p/ID` for a paste, `/forum/t/ID` for a thread."""
    record_number: str | None
    """Whose record it shows; None where it is only a namesake and no alert may be raised."""
    shows: str
    """What is to be seen, told without values."""


LEAKS = (
    PlantedLeak("exact row", "/p/q7xm2c", story.EXACT_ROW, "a row of the export, among rows of strangers"),
    PlantedLeak("spaced id", "/forum/t/4107", story.SPACED_ID, "name, and resident ID in spaced full-width digits"),
    PlantedLeak("masked row", "/p/h3vd9k", story.MASKED_ROW, "name, telephone and resident ID behind stars"),
    PlantedLeak("chinese note", "/forum/t/4112", story.CHINESE_NOTE, "two sentences of the clinical note, no name"),
    PlantedLeak("english note", "/p/z8wf4t", story.ENGLISH_NOTE, "part of the clinical note, typed with errors"),
    PlantedLeak("record screen", "/forum/t/4118", story.RECORD_SCREEN, "a picture of the record and no word of text"),
    PlantedLeak("chinese namesake", "/forum/t/4120", None, "another man of that name won a race"),
    PlantedLeak("english namesake", "/p/b5kr7n", None, "another woman of that name baked a cake"),
)
"""The ground truth of the demo."""

STRANGERS = (
    ("褚墨白", "999231198107159310", "15460023117", "MR00127745", "", "1981-07-15", "枫眠县磨坊街12号", "骨科"),
    ("樊听澜", "999411199304228127", "15471130926", "MR00127751", "", "1993-04-22", "雁回市豆蔻路5号", "皮肤科"),
    ("游若谷", "999061195510036613", "15488402213", "MR00127768", "", "1955-10-03", "鹿鸣区采石弄90号", "眼科"),
    ("宁照野", "999771197012309914", "15499017780", "MR00127782", "", "1970-12-30", "临汐市听雨巷41号", "普外科"),
)
"""Invented people who are not enrolled: the other rows of leaked tables."""

EXCERPT_ZH = (
    "凌晨三点即醒，反复计算欠款数目，自觉连累妻儿，两次独自到水库边徘徊。"
    "近十天几乎不进食，体重减轻九公斤，问话需等待许久才低声回答。"
)
"""The part of the Chinese note that is retold."""
EXCERPT_EN = (
    "Drinks a litre of vodka most days since the bakery closed, shakes until ten in the morning, and hides bottles in "
    "the greenhouse so that her daughters do not find them. Two withdrawal fits in May."
)
"""The part of the English note that is typed again."""


def with_typing_errors(text: str, every: int = 44) -> str:
    """Return the text with two neighbouring letters swapped or one dropped about every so many characters."""
    letters = list(text)
    for number, position in enumerate(range(every // 2, len(letters) - 2, every)):
        while not (letters[position].isalpha() and letters[position + 1].isalpha()):
            position -= 1  # noqa: PLW2901 - step back to the nearest pair inside a word
        if number % 2:
            letters[position] = ""
        else:
            letters[position], letters[position + 1] = letters[position + 1], letters[position]
    return "".join(letters)


def full_width(digits: str) -> str:
    """Return the ASCII characters as full-width ones, an ideographic space after every third."""
    wide = [chr(ord(sign) + 0xFEE0) for sign in digits]
    return "\u3000".join("".join(wide[start : start + 3]) for start in range(0, len(wide), 3))


def masked(patient: Patient) -> str:
    """Return the patient as a table shows people whose middle was starred out."""
    return _masked(patient.name, patient.phone, patient.resident_id)


def _masked(name: str, phone: str, number: str) -> str:
    """Return first and last of the name, 3 and 4 digits of the telephone, 6 and 4 of the ID."""
    return f"{name[0]}*{name[-1]}\t{phone[:3]}****{phone[-4:]}\t{number[:6]}********{number[-4:]}"


def csv_rows(rows: Iterable[Sequence[str]]) -> str:
    """Return the rows as CSV under the header of the export."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(rows)
    return text.getvalue()


def planted_pastes() -> tuple[Paste, ...]:
    """Return the pastes that hold leaks, and the English namesake."""
    known = patients()
    exact = known[story.EXACT_ROW]
    rows = [(f"R-0000{number}", *stranger, "复诊取药，无特殊。") for number, stranger in enumerate(STRANGERS, 11)]
    rows.insert(2, astuple(exact))
    table = [_masked(name, phone, number) for name, number, phone, *_ in STRANGERS]
    table.insert(1, masked(known[story.MASKED_ROW]))
    note = with_typing_errors(EXCERPT_EN)
    cake = known[story.ENGLISH_NAMESAKE].name
    return (
        Paste("q7xm2c", "export_part2.csv", "csv", csv_rows(rows), 21),
        Paste("h3vd9k", "名单（已打码）", "text", "姓名\t电话\t证件号\n" + "\n".join(table) + "\n", 33),
        Paste(
            "z8wf4t", "what my flatmate typed up at work", "text", f"cant believe they write this down:\n\n{note}\n", 47
        ),
        Paste("b5kr7n", "Village show results", "text", _show_results(cake), 52),
    )


def _show_results(name: str) -> str:
    """Return a village show at which somebody of that name, aged 23, bakes."""
    return (
        "Stonecombe village show, Saturday\n\nVictoria sponge\n"
        f"1. {name} (23, Young Farmers)\n2. Dot Hazelrigg\n3. A. Plumtree\n\n"
        "Heaviest marrow: 31.4 kg, the Bellweather twins\nBest in show: Biscuit, a whippet\n"
    )


def planted_threads() -> tuple[Thread, ...]:
    """Return the threads that hold leaks, and the Chinese namesake."""
    known = patients()
    spaced, runner = known[story.SPACED_ID], known[story.CHINESE_NAMESAKE]
    return (
        Thread(
            "4107",
            "这个人欠钱不还",
            (
                Post(
                    "路过的风", f"大家小心{spaced.name}，证件号 {full_width(spaced.resident_id)} ，电话关机一个月了。"
                ),
                Post("木头人", "别在网上发别人证件，会惹麻烦的。"),
            ),
            18,
        ),
        Thread(
            "4112",
            "听在医院上班的朋友说的",
            (
                Post("小道消息", f"某老板现在惨了，朋友在里面上班，病历上写着：{EXCERPT_ZH}大家看看就好。"),
                Post("南瓜饼", "这种话也能往外传？"),
            ),
            26,
        ),
        Thread("4118", "……", (Post("匿名用户0731", "", image="IMG_20261119.png"),), 12),
        Thread(
            "4120",
            "周日城市半程马拉松成绩",
            (
                Post(
                    "跑团阿杰",
                    f"海堰市半程马拉松男子二十岁组：第一名{runner.name}（2004年生，海堰大学），1小时09分44秒。",
                ),
            ),
            39,
        ),
    )


def demo_content() -> SiteContent:
    """Return the whole site: ordinary pastes and threads with the leaks among them, the newest first."""
    return SiteContent(
        pastes=tuple(sorted((*ORDINARY_PASTES, *planted_pastes()), key=lambda paste: paste.minutes_ago)),
        threads=tuple(sorted((*ORDINARY_THREADS, *planted_threads()), key=lambda thread: thread.minutes_ago)),
        images={"IMG_20261119.png": demo_file("record_screen.png"), "menu_board.png": demo_file("menu_board.png")},
    )
