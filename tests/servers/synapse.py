"""Synapse: a Matrix server; people talk in rooms that anybody may read, or only members."""

import contextlib
import json
import secrets
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tests.servers.running import PYTHON, free_port, running
from tests.servers.web import ask, tell

SERVER_NAME = "ward.example"


@dataclass(frozen=True)
class Account:
    """Somebody who can write."""

    user: str
    token: str


@dataclass(frozen=True)
class Synapse:
    """A Matrix server and what people do there."""

    url: str
    """Its address, without a slash at the end."""

    def join(self, name: str) -> Account:
        """Open an account."""
        wish = {"username": name, "password": secrets.token_hex(16), "auth": {"type": "m.login.dummy"}}
        answer = tell(f"{self.url}/_matrix/client/v3/register", wish).json()
        return Account(answer["user_id"], answer["access_token"])

    def room(self, account: Account, name: str, *, readable: bool = True) -> str:
        """Open a public room and give its id; its history is for everybody, or for members."""
        rule = {"history_visibility": "world_readable" if readable else "joined"}
        state = [{"type": "m.room.history_visibility", "state_key": "", "content": rule}]
        wish = {"preset": "public_chat", "visibility": "public", "name": name, "room_alias_name": name}
        return str(self._ask(account, "createRoom", wish | {"initial_state": state})["room_id"])

    def say(self, account: Account, room: str, content: dict[str, Any]) -> str:
        """Send a message and give its event id."""
        call = f"rooms/{quote(room, safe='')}/send/m.room.message/{secrets.token_hex(8)}"
        return str(self._ask(account, call, content, method="PUT")["event_id"])

    def upload(self, account: Account, content: bytes, media_type: str, name: str) -> str:
        """Keep a file and give its mxc address."""
        headers = {"Authorization": f"Bearer {account.token}", "Content-Type": media_type}
        answer = ask(f"{self.url}/_matrix/media/v3/upload?filename={name}", data=content, headers=headers)
        return str(answer.json()["content_uri"])

    def redact(self, account: Account, room: str, event: str) -> None:
        """Take a message away."""
        call = f"rooms/{quote(room, safe='')}/redact/{quote(event, safe='')}/{secrets.token_hex(8)}"
        self._ask(account, call, {}, method="PUT")

    def _ask(self, account: Account, call: str, wish: dict[str, Any], *, method: str = "POST") -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {account.token}", "Content-Type": "application/json"}
        data = json.dumps(wish).encode()
        answer = ask(f"{self.url}/_matrix/client/v3/{call}", data=data, headers=headers, method=method)
        read: dict[str, Any] = answer.json()
        return read


@contextlib.contextmanager
def synapse_running(folder: Path) -> Iterator[Synapse]:
    """Run an empty Synapse that talks to no other server and limits nobody's pace."""
    url = f"http://127.0.0.1:{(port := free_port())}"
    often = "{per_second: 1000, burst_count: 1000}"
    (folder / "homeserver.yaml").write_text(
        f"server_name: {SERVER_NAME}\n"
        "report_stats: false\n"
        f"listeners: [{{port: {port}, type: http, bind_addresses: [127.0.0.1], resources: [{{names: [client]}}]}}]\n"
        f"database: {{name: sqlite3, args: {{database: {folder}/homeserver.db}}}}\n"
        f"media_store_path: {folder}/media\n"
        f"signing_key_path: {folder}/signing.key\n"
        f"registration_shared_secret: {secrets.token_hex(16)}\n"
        f"macaroon_secret_key: {secrets.token_hex(16)}\n"
        "enable_registration: true\n"
        "enable_registration_without_verification: true\n"
        "federation_domain_whitelist: []\n"
        "trusted_key_servers: []\n"
        "room_list_publication_rules: [{action: allow}]\n"
        f"rc_message: {often}\nrc_registration: {often}\n"
        f"rc_login: {{address: {often}, account: {often}}}\n"
    )
    command = [str(PYTHON), "-m", "synapse.app.homeserver", "--config-path", str(folder / "homeserver.yaml")]
    subprocess.run([*command, "--generate-keys"], check=True, capture_output=True, cwd=folder)
    with running(command, url=f"{url}/_matrix/client/versions", log=folder / "log", folder=folder):
        yield Synapse(url)
