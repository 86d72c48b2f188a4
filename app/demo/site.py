"""A small paste-and-forum site on loopback, with the manners of an ordinary one: lists, feeds, ETag, Last-Modified.

/robots.txt             everything is allowed
/                       the newest pastes, HTML           /forum/             thread list, HTML
/recent                 the same as JSON                  /forum/t/ID         a thread with its posts
/raw/ID                 a paste as text/plain             /forum/feed.atom    the newest threads (RFC 4287)
/p/ID                   a paste as HTML                   /img/NAME           pictures of posts
"""

import hashlib
import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from functools import partial
from html import escape
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

from app.demo.content import Paste, Post, SiteContent, Thread
from app.demo.leaks import demo_content

HTML = "text/html; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Resource:
    """What is served under one path."""

    media_type: str
    body: bytes
    modified: datetime

    @property
    def etag(self) -> str:
        """Return a strong validator: equal bodies, equal tags."""
        return f'"{hashlib.sha256(self.body).hexdigest()[:20]}"'


class DemoSite:
    """The site as a context manager: serves on a free loopback port inside `with`, and is gone after it."""

    def __init__(self, content: SiteContent | None = None, port: int = 0) -> None:
        """Take the content (the demo's own if None) and a port (0: any free one)."""
        self._content = content
        self._port = port
        self._server: ThreadingHTTPServer | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        """Begin to serve."""
        self._server = _Server(("127.0.0.1", self._port), _Handler)
        root = f"http://127.0.0.1:{self._server.server_port}"
        self._server.resources = pages(self._content or demo_content(), root, datetime.now(UTC))
        serve = partial(self._server.serve_forever, poll_interval=0.05)
        self._thread = threading.Thread(target=serve, name="demo site", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop serving and free the port."""
        if self._server is not None and self._thread is not None:
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()
        self._server = self._thread = None

    @property
    def address(self) -> str:
        """Return `host:port`."""
        if self._server is None:
            raise RuntimeError("the demo site is not running; use it inside `with DemoSite() as site:`")
        return f"127.0.0.1:{self._server.server_port}"

    @property
    def paste_root(self) -> str:
        """Return the address of the paste site, without a slash at the end."""
        return f"http://{self.address}"

    @property
    def forum_root(self) -> str:
        """Return the address of the forum, without a slash at the end."""
        return f"http://{self.address}/forum"


def pages(content: SiteContent, root: str, now: datetime) -> Mapping[str, Resource]:
    """Return path → resource for the whole site as it stands at that time."""
    now = now.replace(microsecond=0)
    made = {"/robots.txt": Resource("text/plain", b"User-agent: *\nDisallow:\n", now)}
    for paste in content.pastes:
        born = now - timedelta(minutes=paste.minutes_ago)
        made[f"/raw/{paste.paste_id}"] = Resource("text/plain; charset=utf-8", paste.text.encode(), born)
        made[f"/p/{paste.paste_id}"] = Resource(HTML, _paste_page(paste).encode(), born)
    for thread in content.threads:
        said = now - timedelta(minutes=thread.minutes_ago)
        made[f"/forum/t/{thread.thread_id}"] = Resource(HTML, _thread_page(thread).encode(), said)
    for name, picture in content.images.items():
        made[f"/img/{name}"] = Resource("image/png", picture, now)
    made["/"] = Resource(HTML, _paste_list(content.pastes).encode(), now)
    made["/recent"] = Resource("application/json", _recent(content.pastes, root, now).encode(), now)
    made["/forum/"] = made["/forum"] = Resource(HTML, _thread_list(content.threads).encode(), now)
    feed = _atom(content.threads, root, now).encode()
    made["/forum/feed.atom"] = Resource("application/atom+xml; charset=utf-8", feed, now)
    return made


def _document(title: str, inside: str) -> str:
    """Return an HTML page with the site's head and foot."""
    return (
        f'<!doctype html>\n<html lang="zh"><head><meta charset="utf-8"><title>{escape(title)}</title></head>\n<body>\n'
        '<nav><a href="/">Pastes</a> <a href="/forum/">Forum</a></nav>\n'
        f"{inside}\n<footer>Lantern Board, a place for odds and ends</footer>\n</body></html>\n"
    )


def _paste_page(paste: Paste) -> str:
    """Return a paste as people see it."""
    head = f'<h1>{escape(paste.title)}</h1><p><a href="/raw/{paste.paste_id}">raw</a> {escape(paste.syntax)}</p>'
    return _document(paste.title, f'{head}\n<pre class="paste">{escape(paste.text)}</pre>')


def _paste_list(pastes: tuple[Paste, ...]) -> str:
    """Return the list of pastes as people see it."""
    lines = (f'<li><a href="/p/{paste.paste_id}">{escape(paste.title)}</a></li>' for paste in pastes)
    return _document("Recent pastes", '<ul class="pastes">\n' + "\n".join(lines) + "\n</ul>")


def _recent(pastes: tuple[Paste, ...], root: str, now: datetime) -> str:
    """Return the list of pastes as programs read it."""
    items = [
        {
            "id": paste.paste_id,
            "title": paste.title,
            "syntax": paste.syntax,
            "created": (now - timedelta(minutes=paste.minutes_ago)).isoformat(),
            "url": f"{root}/p/{paste.paste_id}",
            "raw": f"{root}/raw/{paste.paste_id}",
        }
        for paste in pastes
    ]
    return json.dumps(items, ensure_ascii=False, indent=1)


def _post(number: int, post: Post) -> str:
    """Return one post of a thread."""
    said = "".join(f"<p>{escape(paragraph)}</p>" for paragraph in post.text.split("\n\n") if paragraph)
    picture = f'<p><img src="/img/{escape(post.image)}" alt=""></p>' if post.image else ""
    author = f'<span class="author">{escape(post.author)}</span>'
    return f'<article class="post" id="post-{number}">{author}<div class="text">{said}{picture}</div></article>'


def _thread_page(thread: Thread) -> str:
    """Return a thread as people see it."""
    posts = "\n".join(_post(number, post) for number, post in enumerate(thread.posts, 1))
    return _document(thread.title, f"<h1>{escape(thread.title)}</h1>\n{posts}")


def _thread_list(threads: tuple[Thread, ...]) -> str:
    """Return the list of threads as people see it."""
    lines = (
        f'<li class="thread"><a href="/forum/t/{thread.thread_id}">{escape(thread.title)}</a> '
        f'<span class="count">{len(thread.posts)}</span></li>'
        for thread in threads
    )
    return _document("Forum", '<ul class="threads">\n' + "\n".join(lines) + "\n</ul>")


def _atom(threads: tuple[Thread, ...], root: str, now: datetime) -> str:
    """Return the feed of threads; each entry carries its first post."""
    entries = []
    for thread in threads:
        link = f"{root}/forum/t/{thread.thread_id}"
        updated = (now - timedelta(minutes=thread.minutes_ago)).isoformat()
        first = escape(_post(1, thread.posts[0]).replace('src="/', f'src="{root}/'))
        entries.append(
            f"<entry><id>{link}</id><title>{escape(thread.title)}</title>"
            f'<link rel="alternate" href="{link}"/><updated>{updated}</updated>'
            f"<author><name>{escape(thread.posts[0].author)}</name></author>"
            f'<content type="html">{first}</content></entry>'
        )
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<feed xmlns="http://www.w3.org/2005/Atom">'
        f"<id>{root}/forum/</id><title>Lantern Board</title><updated>{now.isoformat()}</updated>\n"
        + "\n".join(entries)
        + "\n</feed>\n"
    )


class _Server(ThreadingHTTPServer):
    """Threads that serve do not keep the process alive."""

    daemon_threads = True
    resources: Mapping[str, Resource]


class _Handler(BaseHTTPRequestHandler):
    """Answers GET and HEAD from the prepared resources, with conditional requests (RFC 9110, section 13)."""

    protocol_version = "HTTP/1.1"
    server_version = "LanternBoard/1.0"
    timeout = 10
    server: _Server

    def do_GET(self) -> None:
        """Answer with headers and body."""
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        """Answer with headers only."""
        self._answer(with_body=False)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name http.server passes
        """Say nothing: paths of leaks do not belong on the console."""

    def _answer(self, *, with_body: bool) -> None:
        """Send the resource, 304 if the client has it, or 404."""
        resource = self.server.resources.get(self.path.partition("?")[0])
        if resource is None:
            gone = Resource(HTML, _document("Not found", "<h1>Not found</h1>").encode(), datetime.now(UTC))
            self._send(HTTPStatus.NOT_FOUND, gone, with_body=with_body)
        elif self._client_has(resource):
            self._send(HTTPStatus.NOT_MODIFIED, resource, with_body=False)
        else:
            self._send(HTTPStatus.OK, resource, with_body=with_body)

    def _client_has(self, resource: Resource) -> bool:
        """Tell whether the client's validators still hold; If-None-Match goes before If-Modified-Since."""
        if tags := self.headers.get("If-None-Match"):
            known = {tag.strip().removeprefix("W/") for tag in tags.split(",")}
            return "*" in known or resource.etag in known
        since = self.headers.get("If-Modified-Since")
        if since is None:
            return False
        try:
            return resource.modified <= parsedate_to_datetime(since)
        except (TypeError, ValueError):  # RFC 9110, 13.1.3: a date that cannot be read is ignored
            return False

    def _send(self, status: HTTPStatus, resource: Resource, *, with_body: bool) -> None:
        """Send status, headers and, if wanted, the body."""
        self.send_response(status)
        if status is not HTTPStatus.NOT_FOUND:
            self.send_header("ETag", resource.etag)
            self.send_header("Last-Modified", format_datetime(resource.modified, usegmt=True))
        if status is not HTTPStatus.NOT_MODIFIED:
            self.send_header("Content-Type", resource.media_type)
            self.send_header("Content-Length", str(len(resource.body)))
        self.end_headers()
        if with_body:
            self.wfile.write(resource.body)
