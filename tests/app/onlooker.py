"""Watches over the shoulder of running commands: their arguments, environments, limits and files of a moment."""

import contextlib
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

MOST_BYTES = 20_000_000


class Onlooker:
    """Collects, until closed, what everybody on the machine could see of the processes that the test started."""

    def __init__(self, *folders: Path) -> None:
        """Watch all descendants of this process and these folders.

        Not /dev/shm: it is memory, and the browser that takes the screenshot must hold the page in memory.
        """
        self._folders = folders
        self._ended = threading.Event()
        self._known: set[tuple[str, int, int]] = set()
        self.seen: dict[str, bytes] = {}
        """What was seen, by where."""
        self.modules: set[str] = set()
        """Python modules that were run as processes."""
        self.core_limits: dict[str, bytes] = {}
        """Module → the core file limit that its process had last."""
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop watching."""
        assert self._thread.is_alive(), "the onlooker fell asleep: what it saw shows nothing"
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.is_set():
            for process in psutil.Process().children(recursive=True):
                with contextlib.suppress(OSError, psutil.Error):
                    self._look_at(Path("/proc") / str(process.pid))
            for path in self._files():
                with contextlib.suppress(OSError):
                    self._read(path, str(path))
            time.sleep(0.02)

    def _look_at(self, process: Path) -> None:
        arguments = (process / "cmdline").read_bytes()
        words = arguments.decode("utf-8", "replace").split("\0")
        module = words[words.index("-m") + 1] if "-m" in words else words[0]
        self.modules.add(module)
        limits = (process / "limits").read_text().splitlines()
        self.core_limits[module] = next(line for line in limits if line.startswith("Max core")).encode()
        if module != "app.cli":  # what the tester typed himself
            self.seen[f"arguments of {module} {hash(arguments)}"] = arguments
        environment = (process / "environ").read_bytes()
        self.seen[f"environment of {module} {hash(environment)}"] = environment
        for opened in (process / "fd").iterdir():
            target = str(opened.readlink())
            if target.endswith(" (deleted)") and target.startswith("/") and not target.startswith(("/memfd", "/dev/")):
                self._read(opened, f"deleted file {target} of {module}")

    def _files(self) -> Iterator[Path]:
        for folder in self._folders:
            for place, _, names in os.walk(folder):  # passes over what vanishes meanwhile
                yield from (Path(place, name) for name in names)

    def _read(self, path: Path, name: str) -> None:
        state = path.stat()
        mark = (name, state.st_mtime_ns, state.st_size)
        if mark in self._known or not path.is_file() or state.st_size > MOST_BYTES:
            return
        self._known.add(mark)
        self.seen[f"{name} at {state.st_mtime_ns}"] = path.read_bytes()
