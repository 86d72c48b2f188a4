"""A paste site on which people go on posting."""

from datetime import UTC, datetime

from app.demo.content import Paste, SiteContent, Thread
from app.demo.site import DemoSite, pages


class GrowingSite(DemoSite):
    """The demo's site with pastes of the test's own, of which the first so many are published."""

    def __init__(self, pastes: tuple[Paste, ...], threads: tuple[Thread, ...] = ()) -> None:
        """Begin with nothing published."""
        super().__init__(SiteContent((), threads))
        self._pastes = pastes
        self._threads = threads

    def publish(self, count: int) -> None:
        """Show the first `count` pastes from now on."""
        content = SiteContent(self._pastes[:count], self._threads)
        self._server.resources = pages(content, self.paste_root, datetime.now(UTC))
