"""Every error that Spillwatch raises on purpose.

SpillwatchError
├── ConfigError          the configuration cannot be used: names the key and the line
├── KeyUnusable          the linkage key is missing, malformed, too open, or not the one used before
├── EnrolmentError       a row cannot be fingerprinted: names the row and the column, never the value
├── SiteError            one site failed; the others go on
│   ├── Blocked          the site refuses us (403, 429, captcha, robots)
│   └── Unrecognised     the page no longer looks as described
├── DecodeError          a part could not be read: carries a reason of `model.page.Reason`
├── EvidenceError        evidence could not be written, opened or verified
├── DeliveryError        a message was not accepted; it stays in the outbox
└── StorageError         the database cannot be used, or refused a write
    ├── Superseded       another process holds the lease: this one must stop writing
    └── Outrun           another post of the thread ended meanwhile: this one must be examined again

A message says what happened, where, and what to do now. It never carries a value, a page's text,
a crawled URL or a file name from a page: those are what the product keeps from spreading.
"""


class SpillwatchError(Exception):
    """The root: whatever a door may show to a person in one line."""


class ConfigError(SpillwatchError):
    """The configuration cannot be used."""


class KeyUnusable(SpillwatchError):
    """The linkage key is missing, malformed, readable by others, or not the one used before."""


class EnrolmentError(SpillwatchError):
    """A row cannot be fingerprinted."""

    def __init__(self, row: int, column: str, problem: str) -> None:
        """Name the row (1 = first data row), the column and the problem; never the value."""
        super().__init__(f"row {row}, column {column!r}: {problem}")
        self.row = row
        self.column = column
        self.problem = problem

    def __reduce__(self) -> tuple[type["EnrolmentError"], tuple[int, str, str]]:
        """Travel between processes as what it was made of."""
        return type(self), (self.row, self.column, self.problem)


class SiteError(SpillwatchError):
    """One site failed; the others go on."""


class Blocked(SiteError):
    """The site refuses us."""


class Unrecognised(SiteError):
    """The page no longer looks as described."""


class DecodeError(SpillwatchError):
    """A part of a page could not be read; `reason` says why."""

    def __init__(self, reason: str, message: str) -> None:
        """Take the reason (a value of `model.page.Reason`) and a message without content."""
        super().__init__(message)
        self.reason = reason


class EvidenceError(SpillwatchError):
    """Evidence could not be written, opened or verified."""


class DeliveryError(SpillwatchError):
    """A message was not accepted by its channel; it stays in the outbox."""


class StorageError(SpillwatchError):
    """The database cannot be used, or refused a write."""


class Superseded(StorageError):
    """Another process holds the lease: this one must stop writing."""


class Outrun(StorageError):
    """Another post of the same thread was examined at the same time, and the two were not joined yet."""
