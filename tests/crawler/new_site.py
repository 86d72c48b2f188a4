"""`make new-site NAME=…`: a description and its recording to fill in, both with comments, neither over another one."""

import re
import sys
from datetime import UTC, datetime
from pathlib import Path

from crawler import catalogue, description
from model.errors import ConfigError, SpillwatchError
from tests.crawler.recordings import SITES

FILL_IN = "FILL IN"
"""Stands where a person must write; no site passes the tests with it."""

DESCRIPTION = """\
# FILL IN what is marked so, and take away what the site does not need. docs/sites.md explains every key.
about: "FILL IN: what it reads, in a few words"
mode: firehose                # firehose (take all), search (ask with your words), watch list (what you name)
access: open                  # open, key or login
limits: "FILL IN: how much it lets itself be asked, as its documentation says"
terms: "FILL IN: what its terms and robots.txt say of programs; (from memory) if you did not look"
# off: why it is off by default, if it wants a login or its terms forbid programs
tested: {{against: recording, on: {today}}}
every: 300                    # seconds between scans, at least
delay: 2                      # seconds between requests, at least
kind: json                    # html, json, feed or text
options: {{root: null}}         # what config.yaml must (null) or may give; used as {{root}}
# headers: {{Authorization: "Bearer {{token}}"}}     # with an option token: null, given as env:NAME or file:PATH
list:
  url: "{{root}}/FILL-IN/recent"          # also {{cursor}}, {{now}}
  items: entries                        # FILL IN: JMESPath of the entries (CSS for html)
  id: id                                # FILL IN these: the rule of each field on one entry
  title: title
  text: text
  author: author.name
  time: created
  files: "pictures[].url"
page: {{kind: page, param: page, start: 1, more: more}}     # how the list goes on; none, if it does not
cursor: id                    # where the next scan stops: seen, id, time, token
permalink: "{{root}}/FILL-IN/{{id}}"     # the address for people; or list.link
require: entries              # what must stand on a list even when it is empty
# raw: {{url: "{{root}}/raw/{{id}}", type: text}}     # where the content is, if not in the list
# fail: [{{status: 403, re: "try later", means: rate-limited, pause: 600}}]     # refusals that only this site makes
"""

RECORDING = """\
# FILL IN: where the shape comes from (documentation, or what code that reads the site expects), and when you looked.
# Invented people and invented leaks only. A scan's answers are played in any order; what is not asked for is an error.
options: {{root: https://{name}.example}}
scans:
- answers:                              # the first scan: at least two entries, every documented field, an odd one
  - url: https://{name}.example/FILL-IN/recent
    text: |
      {{"entries": [
        {{"id": 12, "title": "Ward list", "text": "Zhang Sanlu, bed 4", "author": {{"name": "mia"}},
         "created": "2026-11-20T10:00:00Z", "pictures": [{{"url": "https://{name}.example/a.png"}}]}},
        {{"id": 9, "title": "你好", "text": "没有别的", "author": null, "created": "2026-11-19T08:30:00Z"}}],
       "more": true}}
  - {{url: "https://{name}.example/a.png", text: "not really a picture", headers: {{Content-Type: image/png}}}}
  finds:
  - {{id: 12, url: "https://{name}.example/FILL-IN/12", at: "2026-11-20T10:00:00Z", author: mia,
     holds: ["Zhang Sanlu, bed 4"], parts: [body, title, author, image 1], attachments: 1}}
  - {{id: 9, at: "2026-11-19T08:30:00Z", author: null, holds: [你好, 没有别的]}}
  cursors: {{list {name}.example: 12}}
- answers:                              # the second one goes on from the first one's cursor, over two pages
  - url: https://{name}.example/FILL-IN/recent
    text: '{{"entries": [{{"id": 14, "text": "later"}}], "more": true}}'
  - url: https://{name}.example/FILL-IN/recent?page=2
    text: '{{"entries": [{{"id": 13, "text": "late"}}, {{"id": 12, "text": "Zhang Sanlu, bed 4"}}], "more": true}}'
  finds: [{{id: 14}}, {{id: 13, holds: [late]}}]
  cursors: {{list {name}.example: 14}}
broken:                                 # over the first answer: a changed layout, and how this site refuses
- {{text: '{{"posts": []}}'}}
- {{text: "FILL IN: its word for too often", status: 429, headers: {{Retry-After: "600"}}, means: rate-limited}}
"""


def make(name: str, descriptions: Path = description.SHIPPED, recordings: Path = SITES) -> tuple[Path, Path]:
    """Write both files and return their paths; raises ConfigError, and writes nothing, if one may not be written."""
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,63}", name):
        raise ConfigError("NAME must be a lower-case word, as it will stand behind `use:`: make new-site NAME=my_site")
    if name in catalogue.NOT_BUILT:
        raise ConfigError(catalogue.unknown(name))
    described, recording = descriptions / f"{name}.yaml", recordings / name / "recording.yaml"
    if catalogue.spider_of_code(name) is not None:
        raise ConfigError(f"crawler/spiders/{name}.py is there already, and one name stands for one site")
    for file in (described, recording):
        if file.exists():
            raise ConfigError(f"{file} is there already; nothing was written")
    recording.parent.mkdir(parents=True, exist_ok=True)
    words = {"name": name, "today": f"{datetime.now(UTC):%Y-%m-%d}"}
    for file, text in ((described, DESCRIPTION), (recording, RECORDING)):
        file.write_text(text.format(**words), encoding="utf-8")
    return described, recording


def left_to_fill_in(file: Path) -> list[str]:
    """Return the places of a file where a person has yet to write."""
    lines = enumerate(file.read_text(encoding="utf-8").splitlines(), 1)
    return [f"{file.name}:{number}: {line.strip()}" for number, line in lines if re.search("FILL[ -]IN", line)]


def main() -> int:
    """Make a site and say what comes next."""
    try:
        files = make(sys.argv[1] if len(sys.argv) > 1 else "")
    except SpillwatchError as error:
        print(f"new-site: {error}", file=sys.stderr)
        return 2
    name = sys.argv[1]
    print(f"wrote {' and '.join(str(file) for file in files)}. Now:")
    print(f"  1. write where they say {FILL_IN} (docs/sites.md has the grammar and the format)")
    print(f"  2. make test ARGS='tests/crawler/test_sites.py -k {name}'")
    print(f"  3. spillwatch sites try {name} --option root=https://… (one page of the real site, kept nowhere)")
    print("  4. make sites-table")
    return 0


if __name__ == "__main__":
    sys.exit(main())
