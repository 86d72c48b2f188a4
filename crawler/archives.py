"""What web archives have in common here: captures of documents that were public under a domain of your own.

An archive lists captures by address, not by time, and adds them late. So a scan reads so many pages of its list, the
next one goes on there, and a list read to its end begins anew with what was captured since.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote, urlsplit

from model.errors import ConfigError

DOCUMENTS = (
    r"application/(pdf|msword|rtf|zip|json|xml|sql|vnd\..+|x-(7z|rar|tar|zip|gzip|sqlite|sql|bzip).*|gzip)"
    r"|text/(csv|plain|xml|rtf|tab-separated-values)|message/rfc822"
)
"""Media types that hold records; an operator may name others, or `.*` for pages and pictures too."""
_DOMAIN = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]{2,63}", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Place:
    """How far the list of one domain was read; kept between scans as the archive's stream cursor."""

    list: str = ""
    """Which list: an index of Common Crawl, or since when captures are asked for."""
    next: str = ""
    """Where that list goes on; empty at its beginning."""
    began: str = ""
    """When this reading of it began, 14 digits."""
    done: bool = False
    """Whether it was read to its end."""

    @classmethod
    def read(cls, text: str | None) -> "Place":
        """Return what was saved, or the beginning."""
        return cls(**json.loads(text)) if text else cls()

    def text(self) -> str:
        """Return it for the database."""
        return json.dumps(asdict(self))


def domains(name: str, options: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the domains to be looked up; raises ConfigError if none is given, or one is no domain."""
    given = options.get("domain")
    found = [str(entry) for entry in given] if isinstance(given, list) else [str(given)] if given else []
    if not found:
        raise ConfigError(f"sites.{name}: needs the option 'domain', a domain of your own, or a list of them")
    wrong = next((domain for domain in found if not _DOMAIN.fullmatch(domain)), None)
    if wrong is not None:
        raise ConfigError(f"sites.{name}.domain: {wrong!r} is not a domain such as hospital.example")
    return tuple(found)


def captured_at(stamp: str) -> datetime | None:
    """Return the time of a capture from its 14 digits (UTC), or None if it is none."""
    try:
        return datetime.strptime(stamp, "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return None


def document_name(url: str) -> str:
    """Return the last segment of an address, as a file's name."""
    try:
        return unquote(urlsplit(url).path.rsplit("/", 1)[-1])[:255]
    except ValueError:
        return ""
