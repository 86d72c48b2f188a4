"""Messages as `.eml` files in a folder: for machines without a mail server, and for looking at what would be sent."""

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from alerts.interface import Channel, Notice, SpoolSettings
from alerts.mail import compose, wire
from model.errors import DeliveryError

FOLDER_MODE = 0o700
FILE_MODE = 0o600


def _now() -> datetime:
    return datetime.now(UTC)


class SpoolChannel(Channel):
    """Writes each message once, as a file that only its owner can read."""

    name = "spool"

    def __init__(self, settings: SpoolSettings, *, clock: Callable[[], datetime] = _now) -> None:
        """Write into the folder of the settings; it is made when the first message comes."""
        self._settings = settings
        self._clock = clock

    def deliver(self, notice: Notice) -> None:
        """Write `<incident>.eml`; a message that is there already (same incident, same Message-ID) is left alone.

        Raises `DeliveryError` if the folder cannot be written.
        """
        settings = self._settings
        now = self._clock()
        content = wire(compose(notice, sender=settings.sender, to=settings.to, language=settings.language, now=now))
        try:
            settings.folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
            _write_once(settings.folder / f"{notice.incident}.eml", content)
        except OSError as err:
            reason = os.strerror(err.errno) if err.errno else "unknown"
            raise DeliveryError(f"the mail folder cannot be written ({reason}); see `alerts: spool: folder:`") from err


def _write_once(path: Path, content: bytes) -> None:
    """Make the file appear whole and on the disk, unless it is there."""
    if path.exists():
        return
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, FILE_MODE)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
