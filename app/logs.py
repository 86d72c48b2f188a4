"""Logs: one past-tense event with fields, as JSON lines; never content.

Other people's libraries may quote what they handle, so of their records only logger and level are kept, and of an
exception only its type and the frames it passed: `SpillwatchError` messages alone are known to be free of content.
"""

import logging
import os
import sys
import traceback
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TextIO

import structlog

from model.errors import ConfigError, SpillwatchError


@dataclass(frozen=True, slots=True)
class LoggingSettings:
    """`logging:` in config.yaml."""

    file: Path | None = None
    """Where events go, one JSON object a line; without it, to standard error."""
    level: str = "info"
    """`debug`, `info`, `warning` or `error`."""


def configure(settings: LoggingSettings | None = None) -> None:
    """Send events where the settings say, from their level on; before the settings are known, to standard error."""
    settings = settings or LoggingSettings(level="warning")
    if settings.level.upper() not in ("DEBUG", "INFO", "WARNING", "ERROR"):
        raise ConfigError(f"logging.level: {settings.level!r} is not debug, info, warning or error")
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _tell_exception,
            structlog.processors.JSONRenderer(ensure_ascii=True),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, settings.level.upper())),
        logger_factory=structlog.WriteLoggerFactory(_file(settings.file)),
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    root.handlers = [_Discreet()]
    root.setLevel(logging.WARNING)
    logging.captureWarnings(capture=True)
    sys.excepthook = _tell_uncaught


def _file(path: Path | None) -> TextIO:
    """Open for appending, line by line, so that several processes can share one file; only its owner can read it."""
    if path is None:
        return sys.stderr
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "a", 1, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"logging.file: {path}: {error.strerror}") from error


def frames(error: BaseException) -> list[str]:
    """Return where an exception passed, innermost last: file, line, function; no message, no locals."""
    return [
        f"{frame.filename}:{frame.lineno} {frame.name}"
        for frame in traceback.extract_tb(error.__traceback__, limit=-12)
    ]


class _Discreet(logging.Handler):
    """Tells that a library said something, not what."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one event, from warnings on."""
        if record.levelno < logging.WARNING:
            return
        structlog.get_logger(record.name).log(
            record.levelno, "library message withheld", logger=record.name, line=record.lineno
        )


def _tell_exception(logger: object, method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    error = event.pop("exc_info", None)
    if error is True:
        error = sys.exc_info()[1]
    if isinstance(error, BaseException):
        event["error"] = type(error).__name__
        event["frames"] = frames(error)
        if isinstance(error, SpillwatchError):
            event["problem"] = str(error)
    return event


def _tell_uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    structlog.get_logger("spillwatch").critical("process stopped by an error", exc_info=error)
