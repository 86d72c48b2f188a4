"""How fast the sandbox decodes, on one core: pages, text, screenshots, pictures without text.

Run `python -m benchmarks.decode` from the root of the checkout; it prints the table of docs/benchmarks.md.
"""

import io
import random
import time
from collections.abc import Iterator
from pathlib import Path

from PIL import Image, ImageDraw, ImageFilter, ImageFont

from decoders.interface import DecodingSettings, Sandbox
from decoders.sandbox import open_sandbox
from model.page import Part

FONTS = (
    "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf",
    "/usr/share/fonts/truetype/liberation/LiberationSans-Regular.ttf",
)
SEED = 20260101


def seconds_each(sandbox: Sandbox, parts: list[Part]) -> float:
    """Return the wall clock per part."""
    started = time.perf_counter()
    sandbox.decode(parts)
    return (time.perf_counter() - started) / len(parts)


def four_kilobytes(count: int) -> Iterator[Part]:
    """Yield posts of about 4 KB in which nothing is encoded, Chinese and English in turn."""
    chance = random.Random(SEED)
    chinese = ("门诊复查，", "血压正常。", "昨天下雨，", "电话13900001234。")
    english = ("Follow-up ", "in two weeks. ", "It rained ", "at 10:30 ")
    for number in range(count):
        text = "".join(chance.choices(english, k=400) if number % 2 else chance.choices(chinese, k=240))
        yield Part("body", "", text.encode(), charset="utf-8")


def page(megabytes: float) -> bytes:
    """Return a forum page of about that size, with a table, links, attributes and a script."""
    post = (
        "<tr class='row'><td>{n}</td><td><a href='/user/{n}?q=%E5%BC%A0'>user {n}</a></td>"
        "<td><p>门诊<b>复查</b>，血压正常。Follow-up in two weeks, call 1390000{n:04d}.</p><!-- {n} --></td></tr>"
    )
    rows = "".join(post.format(n=number) for number in range(int(megabytes * 1_000_000 / 235)))
    return f"<html><title>t</title><table>{rows}</table><script>var s='\\u5f20';</script></html>".encode()


def screenshot(number: int) -> bytes:
    """Return a screenshot of one megapixel with twenty lines in three columns."""
    font_file = next((font for font in FONTS if Path(font).exists()), None)
    font = ImageFont.truetype(font_file, 22) if font_file else ImageFont.load_default(22)
    picture = Image.new("RGB", (1000, 1000), "white")
    pen = ImageDraw.Draw(picture)
    for row in range(20):
        for column, cell in enumerate((f"Mary Ashdown {row}", f"1390000{number:02d}{row:02d}", "2026-01-01 follow-up")):
            pen.text((30 + column * 320, 20 + row * 48), cell, font=font, fill="black")
    return saved(picture)


def photograph(number: int, size: int) -> bytes:
    """Return a picture without text: soft coloured noise."""
    random.seed(SEED + number)
    noise = Image.effect_noise((size, size), 80).filter(ImageFilter.GaussianBlur(6)).convert("RGB")
    return saved(noise, "JPEG")


def saved(picture: Image.Image, kind: str = "PNG") -> bytes:
    """Return a picture as a file."""
    target = io.BytesIO()
    picture.save(target, kind)
    return target.getvalue()


def main() -> None:
    """Measure and print."""
    with_time = DecodingSettings(workers=1)
    started = time.perf_counter()
    sandbox = open_sandbox(with_time)
    print(f"isolation: {sandbox.level}\n")
    print("| What | Figure |\n|---|---|")
    print(f"| a child starts and locks itself in | {time.perf_counter() - started:.2f} s |")
    small = [Part("body", "text/plain", f"post {number}: 门诊复查".encode()) for number in range(2_000)]
    print(f"| short posts, one by one | {1 / seconds_each(sandbox, small):,.0f} per second |")
    for name, posts in (("short posts", small), ("posts of 4 KB", list(four_kilobytes(2_000)))):
        started = time.perf_counter()
        sandbox.decode_each(posts)
        print(f"| {name}, in batches | {len(posts) / (time.perf_counter() - started):,.0f} per second |")
    source = page(1)
    print(f"| HTML | {len(source) / 1e6 / seconds_each(sandbox, [Part('body', 'text/html', source)] * 5):.1f} MB/s |")
    text = ("患者门诊复查，血压正常。Follow-up in two weeks.\n" * 20_000).encode()
    for coding in ("utf-8", "gb18030"):
        data = text.decode().encode(coding)
        rate = len(data) / 1e6 / seconds_each(sandbox, [Part("body", "text/plain", data)] * 5)
        print(f"| plain text, {coding} | {rate:.1f} MB/s |")
    seconds_each(sandbox, [Part("image", "", screenshot(99))])
    pictures = [Part("image", "", screenshot(number)) for number in range(5)]
    print(f"| screenshot of 1 megapixel, 60 cells | {seconds_each(sandbox, pictures):.2f} s |")
    for size in (320, 1000):
        plain = [Part("image", "", photograph(number, size)) for number in range(10)]
        print(f"| picture without text, {size} × {size} | {1 / seconds_each(sandbox, plain):.1f} per second |")
    sandbox.close()


if __name__ == "__main__":
    main()
