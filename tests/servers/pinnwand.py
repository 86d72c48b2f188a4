"""pinnwand: a paste site without a list; a paste is found only through a link from elsewhere."""

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.servers.running import PYTHON, free_port, running
from tests.servers.web import Answer, ask, tell


@dataclass(frozen=True)
class Pinnwand:
    """A pinnwand server and what a visitor can do there."""

    url: str
    """Its address, without a slash at the end."""
    removals: dict[str, str] = field(default_factory=dict)
    """For each paste of this visitor the address that takes it away."""

    def post_text(self, text: str, name: str = "note.txt") -> str:
        """Paste a text and give the address of its page."""
        return self.post_texts({name: text})

    def post_texts(self, texts: dict[str, str]) -> str:
        """Paste several files in one paste (name → text) and give the address of its page."""
        files = [{"name": name, "lexer": "text", "content": text} for name, text in texts.items()]
        answer = tell(f"{self.url}/api/v1/paste", {"expiry": "1day", "files": files}).json()
        self.removals[answer["link"]] = answer["removal"]
        return str(answer["link"])

    def read(self, address: str) -> bytes:
        """Give the first pasted text, as bytes."""
        return ask(address.replace(self.url, f"{self.url}/raw")).body

    def delete(self, address: str) -> Answer:
        """Take a paste away."""
        return ask(self.removals.pop(address))

    def title(self) -> str:
        """Give the title of the front page."""
        found = re.search(r"<title>(.*?)</title>", ask(self.url).body.decode(), re.DOTALL)
        return found[1].strip() if found else ""


@contextlib.contextmanager
def pinnwand_running(folder: Path) -> Iterator[Pinnwand]:
    """Run an empty pinnwand whose database lies in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    url = f"http://127.0.0.1:{(port := free_port())}"
    command = [PYTHON, "-I", Path(__file__).with_name("pinnwand_app.py"), str(port), folder / "pinnwand.db"]
    with running(command, url=url, log=folder / "log"):
        yield Pinnwand(url)
