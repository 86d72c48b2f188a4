"""What an operator should know of a site before he watches it."""

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class Tested:
    """`tested:` what a site was run against, and when."""

    against: Literal["", "real server", "recording", "sample"] = ""
    on: str = ""


@dataclass(frozen=True, slots=True)
class Profile:
    """What an operator should know of a site before he watches it."""

    about: str
    mode: Literal["firehose", "search", "watch list"] = "firehose"
    """Take all and match here; ask with words of the operator's; or watch what the operator names."""
    access: Literal["open", "key", "login"] = "open"
    limits: str = ""
    """How much the site lets itself be asked."""
    terms: str = ""
    """What its terms and robots say, for people."""
    off: str = ""
    """Why it is off by default: config.yaml must say `terms: accepted`."""
    every: float = 0.0
    """Seconds between scans that the site wants at least."""
    delay: float = 0.0
    """Seconds between requests that the site wants at least."""
    tested: Tested = field(default_factory=Tested)
