"""One sandbox for all decoder tests, as the daemon has it; and fonts for pictures of text."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image, ImageDraw, ImageFont

from decoders.interface import DecodingSettings, Sandbox
from decoders.sandbox import open_sandbox
from model.page import Decoded, Part

CJK_FONTS = (
    os.environ.get("SPILLWATCH_TEST_CJK_FONT", ""),
    "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/truetype/wqy/wqy-microhei.ttc",
    "/usr/share/fonts/truetype/wqy/wqy-zenhei.ttc",
    "/usr/share/fonts/truetype/arphic/uming.ttc",
)
LATIN_FONTS = (
    "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf",
    "/usr/share/fonts/truetype/liberation/LiberationSans-Regular.ttf",
)
Draw = Callable[..., Image.Image]


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    """Return a sandbox with the decoders that the product ships."""
    opened = open_sandbox(DecodingSettings())
    yield opened
    opened.close()


@pytest.fixture
def read(sandbox: Sandbox) -> Callable[..., Decoded]:
    """Return a function that decodes one part."""

    def decode(data: bytes, media_type: str = "", *, charset: str | None = None, provenance: str = "body") -> Decoded:
        return sandbox.decode([Part(provenance, media_type, data, charset=charset)])

    return decode


def _first(paths: tuple[str, ...]) -> str | None:
    return next((path for path in paths if path and Path(path).exists()), None)


def _draw(font_file: str, lines: list[str], size: int, width: int) -> Image.Image:
    font = ImageFont.truetype(font_file, size)
    picture = Image.new("RGB", (width, (size * 2) * len(lines) + size), "white")
    pen = ImageDraw.Draw(picture)
    for number, line in enumerate(lines):
        for column, cell in enumerate(line.split("\t")):
            pen.text((size + column * width // 3, size // 2 + number * size * 2), cell, font=font, fill="black")
    return picture


@pytest.fixture(scope="session")
def draw_latin() -> Draw:
    """Return a function that draws lines of English, tabs making columns."""
    font = _first(LATIN_FONTS) or ImageFont.load_default(24).path
    return lambda lines, size=24, width=900: _draw(str(font), lines, size, width)


@pytest.fixture(scope="session")
def draw_chinese() -> Draw:
    """Return a function that draws lines of Chinese, tabs making columns; skip where no font has the characters."""
    font = _first(CJK_FONTS)
    if font is None:
        reason = "no Chinese font: install fonts-noto-cjk, or name one in SPILLWATCH_TEST_CJK_FONT"
        if os.environ.get("SPILLWATCH_REQUIRE_ALL"):
            pytest.fail(reason)
        pytest.skip(reason)
    return lambda lines, size=28, width=900: _draw(font, lines, size, width)
