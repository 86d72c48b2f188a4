"""What can stand on the demo's site: pastes, threads, posts. The ordinary ones are in `pastes.py` and `threads.py`."""

from collections.abc import Mapping
from dataclasses import dataclass, field

MENU_BOARD = (
    "半月茶馆 Half Moon Tea House",
    "茉莉花茶　18　　Jasmine tea",
    "桂花乌龙　22　　Osmanthus oolong",
    "核桃酥　　12　　Walnut crisp",
    "冰镇酸梅汤　15　Iced plum drink",
    "周三打烊　Closed on Wednesdays",
)
"""The lines drawn in `menu_board.png`."""


@dataclass(frozen=True, slots=True)
class Paste:
    """One public paste."""

    paste_id: str
    title: str
    syntax: str
    """`text`, `python`, `csv` and the like, for show."""
    text: str
    minutes_ago: int = 60
    """Age when the site starts."""


@dataclass(frozen=True, slots=True)
class Post:
    """One post in a thread."""

    author: str
    text: str
    """Plain text; an empty line parts paragraphs."""
    image: str = ""
    """Name of a picture under `/img/`, shown below the text."""


@dataclass(frozen=True, slots=True)
class Thread:
    """A forum thread and its posts, the oldest first."""

    thread_id: str
    title: str
    posts: tuple[Post, ...]
    minutes_ago: int = 60
    """Age of the last post when the site starts."""


@dataclass(frozen=True, slots=True)
class SiteContent:
    """Everything the site serves."""

    pastes: tuple[Paste, ...]
    threads: tuple[Thread, ...]
    images: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    """File name → PNG bytes."""
