r"""Escapes of program text undone in one pass: `\\u5f20`, `\\x41`, `\\u{5f20}`, `\\n`, `\\/`."""

import re

ESCAPE = re.compile(
    r"""\\(?:u\{([0-9a-fA-F]{1,6})\}|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|x([0-9a-fA-F]{2})|([nrtbf/"'\\`]))"""
)
LETTERS = {"n": "\n", "r": "\n", "t": "\t", "b": " ", "f": " "}
SURROGATES = re.compile("[\ud800-\udbff][\udc00-\udfff]")


def unescape_script(text: str) -> str:
    """Return program text or JSON text with the escapes of its strings undone; everything else stays."""
    if "\\" not in text:
        return text
    plain = ESCAPE.sub(_letter, text)
    return SURROGATES.sub(_pair, plain)


def _letter(found: re.Match[str]) -> str:
    digits = found.group(1) or found.group(2) or found.group(3) or found.group(4)
    if digits is None:
        return LETTERS.get(found.group(5), found.group(5))
    number = int(digits, 16)
    return chr(number) if number <= 0x10FFFF else "\ufffd"


def _pair(found: re.Match[str]) -> str:
    return found.group(0).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
