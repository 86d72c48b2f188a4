"""A picture of the captured bytes, as Chromium shows them; the page is never visited a second time."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from model.page import Page


@dataclass(frozen=True, slots=True)
class Rendering:
    """A screenshot, or why there is none."""

    png: bytes | None
    reason: str
    """Empty if made, else a word: `switched-off`, `browser-not-installed`, `nothing-to-render`, `timeout`, `crash`."""
    how: Mapping[str, str] = field(default_factory=dict)
    """Browser version and how it was shut in; for the manifest."""


def render(page: Page, *, seconds: float = 25.0) -> Rendering:
    """Return the picture of the page's captured bytes."""
    return Rendering(None, "browser-not-installed")
