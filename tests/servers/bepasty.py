"""bepasty: a paste site with a public list of texts and files."""

import base64
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.servers.running import INSTALLED, free_port, running
from tests.servers.web import Answer, ask


@dataclass(frozen=True)
class Bepasty:
    """A bepasty server and what a visitor can do there without an account."""

    url: str
    """Its address, without a slash at the end."""

    def post_text(self, text: str, name: str = "note.txt") -> str:
        """Paste a text and give the address of its page."""
        return self.post_file(text.encode(), name, "text/plain")

    def post_file(self, content: bytes, name: str, media_type: str) -> str:
        """Paste a file and give the address of its page; `/+download` below it is the file."""
        answer = ask(
            f"{self.url}/apis/rest/items",
            data=base64.b64encode(content),
            headers={
                "Content-Type": media_type,
                "Content-Filename": name,
                "Content-Range": f"bytes 0-{len(content) - 1}/{len(content)}",
            },
        )
        return f"{self.url}/{answer.headers['Content-Location'].rsplit('/', 1)[1]}"

    def read(self, address: str) -> bytes:
        """Give the pasted bytes."""
        return ask(f"{address}/+download").body

    def listed(self) -> tuple[str, ...]:
        """Give the addresses of all that the public list shows."""
        return tuple(f"{self.url}/{name}" for name in ask(f"{self.url}/apis/rest/items").json())

    def delete(self, address: str) -> Answer:
        """Take a paste away."""
        return ask(f"{self.url}/apis/rest/items/{address.rsplit('/', 1)[1]}/delete", data=b"")


@contextlib.contextmanager
def bepasty_running(folder: Path) -> Iterator[Bepasty]:
    """Run an empty bepasty whose pastes lie in `folder`."""
    pastes = folder / "pastes"
    pastes.mkdir(parents=True)
    settings = folder / "settings.py"
    settings.write_text(
        "SITENAME = 'bepasty.test'\n"
        f"STORAGE_FILESYSTEM_DIRECTORY = {str(pastes)!r}\n"
        "SECRET_KEY = 'only for tests'\n"
        "SESSION_COOKIE_SECURE = False\n"
        "DEFAULT_PERMISSIONS = 'read,create,list,delete'\n"
    )
    url = f"http://127.0.0.1:{(port := free_port())}"
    command = [INSTALLED / "venv" / "bin" / "bepasty-server", "--host", "127.0.0.1", "--port", str(port)]
    with running(command, url=url, log=folder / "log", environment={"BEPASTY_CONFIG": str(settings)}):
        yield Bepasty(url)
