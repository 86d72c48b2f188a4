"""nostr-relay: a relay of signed notes, with people who write to it."""

import asyncio
import contextlib
import hashlib
import json
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from coincurve import PrivateKey, PublicKeyXOnly

from tests.servers.running import INSTALLED, free_port, running

PROGRAM = INSTALLED / "venv" / "bin" / "nostr-relay"


class Writer:
    """Somebody with a key."""

    def __init__(self) -> None:
        self._secret = secrets.token_bytes(32)
        self.name = PublicKeyXOnly.from_secret(self._secret).format().hex()

    def note(self, text: str, *, at: int = 0, kind: int = 1, tags: list[list[str]] | None = None) -> dict[str, Any]:
        """Return a signed event."""
        created = at or int(time.time())
        signed = [0, self.name, created, kind, tags or [], text]
        digest = hashlib.sha256(json.dumps(signed, ensure_ascii=False, separators=(",", ":")).encode()).digest()
        return {
            "id": digest.hex(),
            "pubkey": self.name,
            "created_at": created,
            "kind": kind,
            "tags": tags or [],
            "content": text,
            "sig": PrivateKey(self._secret).sign_schnorr(digest).hex(),
        }


@dataclass(frozen=True)
class Relay:
    """The relay and what its users can do."""

    host: str
    """host:port."""

    @property
    def url(self) -> str:
        """Its address."""
        return f"ws://{self.host}"

    def publish(self, *events: dict[str, Any]) -> None:
        """Write events to it; each must be accepted."""

        async def write() -> None:
            async with aiohttp.ClientSession() as session, session.ws_connect(self.url) as socket:
                for event in events:
                    await socket.send_json(["EVENT", event])
                    answer = await socket.receive_json(timeout=20)
                    assert answer[:3] == ["OK", event["id"], True], answer

        asyncio.run(write())


@contextlib.contextmanager
def relay_running(folder: Path, *, port: int = 0, most: int = 6000, login: bool = False) -> Iterator[Relay]:
    """Run a relay whose database lies in `folder`: empty, or as it was left there."""
    folder.mkdir(parents=True, exist_ok=True)
    port = port or free_port()
    config = folder / "relay.yaml"
    config.write_text(
        f"""
relay_name: a relay
storage:
  sqlalchemy.url: sqlite+aiosqlite:///{folder}/relay.db
  validators: [nostr_relay.validators.is_not_too_large, nostr_relay.validators.is_signed]
verification: {{nip05_verification: disabled}}
gunicorn: {{bind: "127.0.0.1:{port}", workers: 1, loglevel: warning, reload: false}}
authentication: {{enabled: {str(login).lower()}, valid_urls: ["ws://127.0.0.1:{port}"],
                  actions: {{save: a, query: {"r" if login else "a"}}}}}
message_timeout: 1800
subscription_limit: 32
max_limit: {most}
""",
        "utf-8",
    )
    command = [PROGRAM, "-c", config, "serve"]
    with running(command, url=f"http://127.0.0.1:{port}/", log=folder / "log", folder=folder):
        yield Relay(f"127.0.0.1:{port}")
