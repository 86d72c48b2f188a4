"""Decoders that misbehave, for the sandbox to survive; named to the worker by the tests."""

import os
import time
from pathlib import Path

from model.page import Part, Passage


class Misbehaving:
    """Does what the part asks for."""

    def accepts(self, part: Part) -> bool:
        """Take what is declared for it."""
        return part.media_type == "test/misbehave"

    def decode(self, part: Part):
        """Give one passage, then hang, die, allocate, spin, write, or say what it can see."""
        yield Passage("said before", part.provenance)
        yield from getattr(self, part.data.decode())()

    def hang(self):
        """Sleep far beyond every limit."""
        time.sleep(3600)
        yield from ()

    def spin(self):
        """Use the processor far beyond every limit."""
        while True:
            pass
        yield from ()

    def die(self):
        """End the process as a crash in native code does."""
        os.abort()
        yield from ()

    def allocate(self):
        """Ask for more memory than there is."""
        yield Passage(str(len(b"x" * 40_000_000_000)), "memory")

    def shout(self):
        """Say more than anybody wants to hear."""
        while True:
            yield Passage("loud " * 200_000, "noise")

    def lie(self):
        """Break the protocol."""
        os.write(1, b"\xff" * 64)
        time.sleep(3600)
        yield from ()

    def environment(self):
        """Say what the environment holds."""
        yield Passage("\n".join(f"{name}={value}" for name, value in os.environ.items()), "environment")

    def descriptors(self):
        """Say how many files are open."""
        yield Passage(str([number for number in range(3, 64) if _is_open(number)]), "descriptors")

    def write(self):
        """Try to leave a file behind."""
        try:
            Path("/tmp/spillwatch-left-behind").write_text("patient")
        except OSError as error:
            yield Passage(f"refused {type(error).__name__}", "write")

    def raise_error(self):
        """Fail as a library does."""
        message = "patient"
        raise ZeroDivisionError(message)
        yield from ()


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


class Connecting:
    """Tries to reach a port on loopback."""

    def accepts(self, part: Part) -> bool:
        """Take what is declared for it."""
        return part.media_type == "test/connect"

    def decode(self, part: Part):
        """Say what came of it."""
        import socket

        try:
            with socket.create_connection(("127.0.0.1", int(part.data)), timeout=2):
                yield Passage("connected", part.provenance)
        except OSError as error:
            yield Passage(f"refused {type(error).__name__}", part.provenance)


class Reading:
    """Tries to read a file of the operator's."""

    def accepts(self, part: Part) -> bool:
        """Take what is declared for it."""
        return part.media_type == "test/read"

    def decode(self, part: Part):
        """Say what came of it."""
        try:
            yield Passage(Path(part.data.decode()).read_text(), part.provenance)
        except OSError as error:
            yield Passage(f"refused {type(error).__name__}", part.provenance)
