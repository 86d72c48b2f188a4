"""An AT Protocol personal data server: accounts, posts with pictures, and a stream of all of it."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from tests.servers.running import INSTALLED, free_port, running
from tests.servers.web import ask, tell

POST = "app.bsky.feed.post"


@dataclass(frozen=True)
class Account:
    """Somebody who posts there."""

    did: str
    """The account's permanent name."""
    handle: str
    token: str

    @property
    def login(self) -> dict[str, str]:
        """Give the header that acts as this account."""
        return {"Authorization": f"Bearer {self.token}"}


@dataclass(frozen=True)
class PersonalDataServer:
    """The server and what its users can do."""

    url: str
    """Its address, without a slash at the end."""
    directory: str
    """The address of the directory (PLC) that knows its accounts."""

    def join(self, name: str) -> Account:
        """Open an account; `name` is the first label of its handle, at most 18 characters."""
        answer = tell(
            f"{self.url}/xrpc/com.atproto.server.createAccount",
            {"handle": f"{name}.test", "email": f"{name}@clinic.test", "password": "only for tests"},
        ).json()
        return Account(answer["did"], answer["handle"], answer["accessJwt"])

    def post(
        self, account: Account, text: str, *, picture: bytes | None = None, alt: str = "", media_type: str = "image/png"
    ) -> str:
        """Post a text, with a picture if one is given; give the post's `at://` address."""
        record: dict[str, Any] = {"$type": POST, "text": text, "createdAt": datetime.now(UTC).isoformat()}
        if picture is not None:
            blob = ask(
                f"{self.url}/xrpc/com.atproto.repo.uploadBlob",
                data=picture,
                headers={"Content-Type": media_type, **account.login},
            ).json()["blob"]
            record["embed"] = {"$type": "app.bsky.embed.images", "images": [{"image": blob, "alt": alt}]}
        answer = tell(
            f"{self.url}/xrpc/com.atproto.repo.createRecord",
            {"repo": account.did, "collection": POST, "record": record},
            headers=account.login,
        )
        return str(answer.json()["uri"])

    def posts(self, did: str) -> list[dict[str, Any]]:
        """Give an account's posts, newest first, as anyone can read them."""
        query = urlencode({"repo": did, "collection": POST, "limit": 100})
        return list(ask(f"{self.url}/xrpc/com.atproto.repo.listRecords?{query}").json()["records"])

    def accounts(self) -> tuple[str, ...]:
        """Give the permanent names of all accounts, as anyone can read them."""
        return tuple(repo["did"] for repo in ask(f"{self.url}/xrpc/com.atproto.sync.listRepos").json()["repos"])

    def picture(self, did: str, cid: str) -> bytes:
        """Give an uploaded picture."""
        return ask(f"{self.url}/xrpc/com.atproto.sync.getBlob?{urlencode({'did': did, 'cid': cid})}").body

    def delete(self, account: Account, address: str) -> None:
        """Take a post away."""
        tell(
            f"{self.url}/xrpc/com.atproto.repo.deleteRecord",
            {"repo": account.did, "collection": POST, "rkey": address.rsplit("/", 1)[1]},
            headers=account.login,
        )


@contextlib.contextmanager
def pds_running(folder: Path) -> Iterator[PersonalDataServer]:
    """Run an empty server whose data lies in `folder`; about five seconds."""
    folder.mkdir(parents=True, exist_ok=True)
    plc, pds = free_port(), free_port()
    home = INSTALLED / "pds"
    command = [INSTALLED / "node", "-r", home / "loopback.cjs", home / "start.mjs", str(plc), str(pds)]
    url = f"http://localhost:{pds}"
    with running(
        command,
        url=f"{url}/xrpc/_health",
        log=folder / "log",
        environment={"TMPDIR": str(folder), "LOG_ENABLED": "false", "NODE_ENV": "test"},
        folder=home,
    ):
        yield PersonalDataServer(url, f"http://localhost:{plc}")
