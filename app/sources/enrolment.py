"""One enrolment: the source opened, its notes joined, its roll called, and how far it got."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from app.config import Config
from app.secret import resolve
from app.sources.documents import Documents
from app.sources.interface import EnrolmentSettings, Row, Source
from app.sources.notes import COLUMN, NotesFolder, WithNotes
from app.sources.recognition import SECRETS, Format, open_source
from app.sources.roll import Roll, public_figures
from decoders.sandbox import open_sandbox
from model.errors import ConfigError
from model.record import LinkageColumn, LinkageSchema
from storage.foreign import holds_password


class Enrolment:
    """A source on its way into the enroller."""

    def __init__(self, name: str, source: Source, settings: EnrolmentSettings, notes: NotesFolder | None) -> None:
        """Take the source under the name that messages give it, and the notes that join it."""
        self.name = name
        self.source = source
        self._notes = WithNotes(notes) if notes else None
        columns = dict(source.schema.columns)
        if notes and columns.setdefault(COLUMN, LinkageColumn("note")).ignored:
            raise ConfigError(
                f"--notes: the column {COLUMN!r} is `ignore` in config.yaml; nothing of them would be watched"
            )
        self.schema = settings.of_columns(LinkageSchema(source.schema.ref, columns))
        figures = settings.public_figures.file
        self._roll = Roll(source.schema.ref, public_figures(figures, source.schema.ref) if figures else ())

    def rows(self) -> Iterator[Row]:
        """Yield each record once, with its notes and marks, or what is wrong."""
        rows = self._roll.call(self.source.rows())
        yield from self._notes.join(rows) if self._notes else rows

    def following(self, advance: Callable[[int], None]) -> Callable[[int], None]:
        """Return what moves a bar to where the source is, whatever the source counts."""
        shown = 0

        def follow(rows: int) -> None:
            nonlocal shown
            done = self.source.done()
            advance(done - shown)
            shown = done

        return follow

    def remarks(self) -> Sequence[str]:
        """Say what was there and is not watched."""
        return (*self.source.remarks(), *self._roll.remarks(), *(self._notes.remarks() if self._notes else ()))


@contextmanager
def open_enrolment(source: str, config: Config, chosen: Format | None, notes: Path | None) -> Iterator[Enrolment]:
    """Open what a person named as the source: a path, a URL without a password, or a reference to one with.

    Raises `ConfigError` if it cannot be told what it is, or if a password stands in the command line.
    """
    settings, named = config.enrolment, source
    with Documents(lambda: open_sandbox(config.decoding)) as documents:
        folder = NotesFolder(notes, settings.notes, documents) if notes else None
        if chosen in (None, Format.DATABASE) and source.startswith(SECRETS):
            source = resolve(source, config.path.parent)
            chosen = Format.DATABASE
        elif "://" in source and holds_password(source):
            advice = "others see the command line; put the URL into a file and name it as file:PATH, or env:NAME"
            raise ConfigError(f"the URL holds a password: {advice}")
        elif "://" in source:
            named = source.partition("://")[0]
        yield Enrolment(named, open_source(source, settings, documents, chosen), settings, folder)
