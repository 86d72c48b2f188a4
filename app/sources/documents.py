"""Notes as documents → text: read by the decoders' sandbox, never in this process."""

import base64
from collections.abc import Callable
from types import TracebackType

from app.sources.files import decoded
from decoders.interface import Sandbox
from model.page import Part

PLAIN = ("text/plain", "text/x-hl7-text+xml")


class Unreadable(Exception):
    """A document could not be read; its words are one of the fixed reasons and nothing of the document."""


def from_base64(text: str) -> bytes:
    """Return the bytes of a document that stands within a message; raises `Unreadable`."""
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except ValueError:
        raise Unreadable("the document is not valid base64") from None


class Documents:
    """Reads documents; the sandbox is started with the first that needs it."""

    def __init__(self, opened: Callable[[], Sandbox]) -> None:
        """Take what opens the sandbox."""
        self._open = opened
        self._sandbox: Sandbox | None = None

    def __enter__(self) -> "Documents":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._sandbox is not None:
            self._sandbox.close()
            self._sandbox = None

    def text(self, data: bytes, media_type: str = "", name: str = "", charset: str | None = None) -> str:
        """Return the text of a document: plain text as it is, all else as the decoders read it.

        The decoders give plain text in every plausible coding; here it must be right, so it is decoded strictly.
        Raises `Unreadable` with a reason.
        """
        if media_type in PLAIN or (not media_type and name.lower().endswith((".txt", ".text", ".md"))):
            try:
                return decoded(data, charset)
            except ValueError as error:
                raise Unreadable(str(error)) from None
        if self._sandbox is None:
            self._sandbox = self._open()
        found = self._sandbox.decode([Part("document", media_type, data, name)])
        text = "\n".join(passage.text for passage in found.passages)
        bad = sorted({str(outcome.reason) for outcome in found.outcomes if outcome.state == "quarantined"})
        if bad:
            raise Unreadable(f"the document could not be read: {', '.join(bad)}")
        if not text.strip():
            raise Unreadable("no text was found in the document")
        return text
