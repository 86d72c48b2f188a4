"""Draws `record_screen.png` (a hospital information system with one record open) and `menu_board.png` (a menu).

Run `python app/demo/make_pictures.py FONT`, FONT being a font file with Chinese glyphs (Noto Sans CJK, for example),
after changing the text; commit what it wrote. The pictures are shipped, so that the demo needs no font.
"""

import sys
from datetime import date
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

if __name__ == "__main__":  # run as a file, the checkout is not on the path
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from app.demo.content import MENU_BOARD
from app.demo.patients import Patient, patients
from app.demo.story_patients import RECORD_SCREEN, RECORD_SCREEN_TEXT

HOSPITAL = "云雀市第三人民医院"
SEEN_ON = date(2026, 11, 18)
WIDTH, HEIGHT = 1100, 750
INK, GREY, LINE, PAPER, BLUE = "#1b1f24", "#5b6470", "#b6c2cf", "#ffffff", "#1f5f9e"


class Sheet:
    """A picture to write on, in one font."""

    def __init__(self, font: Path, size: tuple[int, int], colour: str) -> None:
        """Begin with an empty sheet of that colour."""
        self.image = Image.new("RGB", size, colour)
        self.draw = ImageDraw.Draw(self.image)
        self._font = font

    def write(self, place: tuple[int, int], text: str, size: int = 20, colour: str = INK) -> None:
        """Write one line, its upper left corner at the place."""
        self.draw.text(place, text, font=ImageFont.truetype(str(self._font), size), fill=colour)

    def box(self, corners: tuple[int, int, int, int], fill: str = PAPER) -> None:
        """Draw a framed rectangle."""
        self.draw.rectangle(corners, fill=fill, outline=LINE)


def draw_record_screen(font: Path, patient: Patient) -> Image.Image:
    """Return the window of a hospital information system with the patient's record open; no ID number in sight."""
    sheet = Sheet(font, (WIDTH, HEIGHT), "#e9eef4")
    _draw_frame(sheet)
    born = date.fromisoformat(patient.birth_date)
    age = SEEN_ON.year - born.year - ((SEEN_ON.month, SEEN_ON.day) < (born.month, born.day))
    sex = "男" if int(patient.resident_id[16]) % 2 else "女"
    fields = (
        (("姓名", patient.name), ("性别", sex), ("年龄", f"{age}岁")),
        (("科室", patient.department), ("床号", "17床"), ("入院日期", SEEN_ON.isoformat())),
        (("费别", "自费"), ("主管医师", "***"), ("护理级别", "一级护理")),
    )
    for line, cells in enumerate(fields):
        for column, (label, value) in enumerate(cells):
            left, top = 200 + column * 295, 170 + line * 44
            sheet.box((left, top, left + 110, top + 44), "#dfe8f2")
            sheet.box((left + 110, top, left + 295, top + 44))
            sheet.write((left + 12, top + 9), label, colour=GREY)
            sheet.write((left + 122, top + 8), value, 21)
    _draw_text_area(sheet, 320, "主诉", "反复上腹痛40天，黑便3天。", 1)
    _draw_text_area(sheet, 405, "现病史", RECORD_SCREEN_TEXT, 6)
    return sheet.image


def _draw_frame(sheet: Sheet) -> None:
    """Draw title bar, tabs, menu and status line."""
    sheet.box((0, 0, WIDTH, 44), BLUE)
    sheet.write((16, 9), f"{HOSPITAL}　电子病历系统", 21, PAPER)
    sheet.write((1010, 8), "－  □  ×", 21, PAPER)
    for number, tab in enumerate(("病程记录", "入院记录", "医嘱", "检验结果", "影像报告", "护理记录")):
        left = 190 + number * 130
        sheet.box((left, 60, left + 122, 98), PAPER if number == 1 else "#d3deea")
        sheet.write((left + 20, 66), tab, 19, BLUE if number == 1 else GREY)
    sheet.box((12, 60, 176, 700))
    for number, entry in enumerate(("在院患者", "出院患者", "会诊申请", "手术安排", "病案首页", "知情同意", "打印")):
        sheet.write((34, 82 + number * 46), entry, 19, GREY)
    sheet.box((186, 98, 1090, 700))
    sheet.write((560, 112), "入 院 记 录", 28)
    sheet.write((20, 714), "当前用户：***　　科室工作站 06　　就绪", 17, GREY)


def _draw_text_area(sheet: Sheet, top: int, label: str, text: str, lines: int) -> None:
    """Draw a labelled text area with the text broken into full lines."""
    in_line = 35
    bottom = top + 24 + lines * 42
    sheet.write((202, top), label, 21, BLUE)
    sheet.box((290, top - 6, 1085, bottom))
    for number, start in enumerate(range(0, len(text), in_line)):
        sheet.write((304, top + 2 + number * 40), text[start : start + in_line], 22)


def draw_menu_board(font: Path) -> Image.Image:
    """Return the menu of a tea house that does not exist."""
    sheet = Sheet(font, (640, 420), "#2e3b32")
    for number, line in enumerate(MENU_BOARD):
        sheet.write((48, 36 + number * 56), line, 30, "#f3ead2")
    return sheet.image


def main(font: Path) -> None:
    """Write both pictures beside this file."""
    here = Path(__file__).resolve().parent
    draw_record_screen(font, patients()[RECORD_SCREEN]).save(here / "record_screen.png", optimize=True)
    draw_menu_board(font).save(here / "menu_board.png", optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
