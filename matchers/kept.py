"""Tables that take long to make, kept beside the modules for the next process, as numba keeps compiled code.

Whoever may write there may change the modules as well, so nothing is signed (docs/adr/0004-compiled-loops.md). A file
is named by everything that its tables were made of, and thus never out of date; one that cannot be read is made anew,
and where nothing can be written, each process makes the tables for itself.
"""

import contextlib
import hashlib
import os
import sys
import unicodedata
import zipfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Tables = Mapping[str, NDArray[Any]]


def kept(name: str, made_of: Iterable[Path], make: Callable[[], Tables]) -> Tables:
    """Return the tables that `make` makes, from the file in which an earlier process kept them.

    `made_of` are the files they are made of, besides Python and its Unicode data; a folder stands for all below it.
    """
    path = _folder() / f"{name}-{_digest(made_of)}.npz"
    try:
        with np.load(path, allow_pickle=False) as file:
            return dict(file)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile):
        tables = make()  # there is none, or it was spoiled when a machine lost its power, say
    with contextlib.suppress(OSError):
        _write(path, tables)
    return tables


def _folder() -> Path:
    own = os.environ.get("NUMBA_CACHE_DIR")
    return Path(own) if own else Path(__file__).parent / "__pycache__"


def _digest(made_of: Iterable[Path]) -> str:
    """Return what names a file: the content of modules, and of folders what is in them, of which size and when."""
    digest = hashlib.sha256(f"{sys.version}\n{unicodedata.unidata_version}\n{np.__version__}".encode())
    for path in made_of:
        if path.is_file():
            digest.update(path.read_bytes())
            continue
        for inner in sorted(path.rglob("*")):
            state = inner.stat()
            if inner.suffix != ".pyc" and inner.is_file():
                digest.update(f"{inner}\n{state.st_size}\n{state.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:32]


def _write(path: Path, tables: Tables) -> None:
    """Write the file whole or not at all: several processes may do so at once."""
    path.parent.mkdir(exist_ok=True)
    unfinished = path.with_name(f"{path.stem}-{os.getpid()}.tmp")
    try:
        with unfinished.open("wb") as file:
            np.savez(file, allow_pickle=False, **tables)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
