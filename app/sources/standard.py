"""What the sources of a standard have in common: files of it, a built-in schema, patients told of in many places."""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from app.sources.documents import Documents
from app.sources.files import Progress, files_below
from app.sources.fitness import fit
from app.sources.interface import Row, StandardSchema
from app.sources.joining import HELD, Joiner, Piece, Whole
from app.sources.vocabulary import schema_of
from model.errors import EnrolmentError
from model.record import LinkageSchema


class StandardSource(ABC):
    """The patients of one file, or of all files below a folder."""

    unit = "bytes"

    def __init__(self, path: Path, settings: StandardSchema, documents: Documents, held: int = HELD) -> None:
        """Take the file or folder, what reads documents, and the bytes that may be held for joining."""
        self._files = files_below(path) if path.is_dir() else [path]
        self._wanted = settings.ref
        self._schema = schema_of(settings)
        self._documents = documents
        self._progress = Progress()
        self._joiner = Joiner(self._pieces, held)
        self._passed_over: Counter[str] = Counter()

    @property
    def schema(self) -> LinkageSchema:
        """Return the built-in linkage schema with the operator's columns."""
        return self._schema

    def total(self) -> int | None:
        """Return the size of the files."""
        return sum(path.stat().st_size for path in self._files)

    def done(self) -> int:
        """Return the bytes read; less again when the files are read another time."""
        return self._progress.done

    def rows(self) -> Iterator[Row]:
        """Yield a record for each patient, joined from all that tells of him; as soon as that is known to be all."""
        for row in self._joiner.rows():
            yield from fit(row, self._schema)

    def _read_again(self) -> list[str]:
        """Say how often the files were read, if more than once."""
        if self._joiner.readings < 2:
            return []
        return [f"the files were read {self._joiner.readings} times, to hold no more than the bound in memory"]

    @abstractmethod
    def _pieces(self, joiner: Joiner) -> Iterator[Piece | Whole | EnrolmentError]:
        """Read the files from the beginning."""
