"""The child process that shows captured bytes in Chromium: `python -m alerts.evidence.browser`.

Reads one job as JSON on standard input; writes one line of JSON and then the PNG. Every request is answered from the
job or refused; scripts, service workers and downloads are off; a proxy that does not exist and, for root, a network
namespace of its own stand behind that.
"""

import base64
import ctypes
import json
import os
import resource
import sys
from typing import Any
from urllib.parse import quote, urldefrag

CLONE_NEWNET = 0x40000000
WIDTH, HEIGHT, TALLEST = 1280, 1600, 12_000


def main() -> None:
    """Do the job of standard input."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    job = json.loads(sys.stdin.buffer.read())
    network = (
        "own namespace, requests answered from the capture"
        if _leave_network()
        else ("requests answered from the capture, everything else refused")
    )
    told, png = _shot(job)
    told["network"] = network
    sys.stdout.buffer.write(json.dumps(told).encode("ascii") + b"\n" + png)
    sys.stdout.buffer.flush()


def _leave_network() -> bool:
    """Move into an empty network namespace where the kernel lets us (root only, so that Chromium's sandbox stays)."""
    if os.geteuid() != 0:
        return False
    return bool(ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET) == 0)


def _shot(job: dict[str, Any]) -> tuple[dict[str, str], bytes]:
    """Return what is told about the browser, and the picture (empty with a reason)."""
    from playwright.sync_api import Error, TimeoutError, sync_playwright  # noqa: A004

    as_root = os.geteuid() == 0
    limit = float(job["seconds"]) * 1000
    answers = {_address(answer["url"]): answer for answer in reversed(job["answers"])}
    first = job["answers"][0]["url"]
    told = {"sandbox": "off, Chromium cannot use it as root" if as_root else "on"}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=job["browser"],
            chromium_sandbox=not as_root,
            proxy={"server": "http://127.0.0.1:9"},
            args=["--disable-background-networking", "--disable-dev-shm-usage", "--force-color-profile=srgb"],
            timeout=limit,
        )
        told["browser"] = f"Chromium {browser.version}"
        context = browser.new_context(
            java_script_enabled=False,
            service_workers="block",
            accept_downloads=False,
            viewport={"width": WIDTH, "height": HEIGHT},
        )
        page = context.new_page()
        shown: list[str] = []
        context.route("**/*", lambda route: _answer(route, answers, page.main_frame, shown))
        try:
            page.goto(first, wait_until="load", timeout=limit)
            page.set_viewport_size({"width": WIDTH, "height": _height(page)})
            png = page.screenshot(timeout=limit)
        except TimeoutError:
            return {**told, "reason": "timeout"}, b""
        except Error:
            return {**told, "reason": "type-not-shown"}, b""
        browser.close()
    return told, png


def _address(url: str) -> str:
    """Return the URL as Chromium asks for it: no fragment, everything that is not ASCII escaped."""
    return quote(urldefrag(url).url, safe="%/:?#[]@!$&'()*+,;=~-._")


def _height(page: Any) -> int:
    """Return the height of the whole document in pixels, within what one picture can hold."""
    box = page.locator("html").bounding_box()
    return max(200, min(int(box["height"]) + 1, TALLEST)) if box else HEIGHT


def _answer(route: Any, answers: dict[str, Any], main_frame: Any, shown: list[str]) -> None:
    """Answer from the capture or refuse; the page itself is loaded once and cannot lead elsewhere."""
    request = route.request
    answer = answers.get(_address(request.url))
    leads_on = request.is_navigation_request() and request.frame == main_frame and shown
    if answer is None or leads_on or request.method != "GET":
        # An aborted navigation leaves the document that stands; a blocked one would show an error page instead.
        route.abort("aborted")
        return
    if request.is_navigation_request():
        shown.append(request.url)
    kind = answer["type"] or "text/plain"
    headers = {"content-type": kind, "x-content-type-options": "nosniff"}
    route.fulfill(status=200, headers=headers, body=base64.b64decode(answer["body"]))


if __name__ == "__main__":
    main()
