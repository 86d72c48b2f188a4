"""The one table: which links lead on, how each is opened, and which are reported instead.

Ids are only ever taken from links. `tested` says how sure a row is: `from memory` rows were checked against nothing
but what people write about these places; they fail with a reason, never silently.
"""

from string import ascii_lowercase

from crawler.attachments import FILES
from crawler.resolvers import files, pages, privatebin, telegraph
from crawler.resolvers.interface import Refusal, Resolver
from model.page import Reason

NOT_RESERVED = (
    r"(?!(?:about|account|admin|api|archive|assets|browse|contact|css|documents|download|faq|favicon\.ico|help|history|"
    r"js|langs|languages|legal|login|logout|new|paste|plans|pricing|privacy|raw|register|removal|robots\.txt|search|"
    r"settings|signin|signup|static|terms|tools|trending|upload|user|what)(?:[/.]|$))"
)
"""Paths of the sites themselves: never an item."""
SINGLE = "ignore: one paste that a post links to is a reader's request; robots.txt there speaks to crawlers"
API = "ignore: an API that the site offers to programs, asked for one linked item"
LOGIN, SCRIPT = (
    Refusal(Reason.LOGIN, "needs an account, an extraction code typed into a form, or both"),
    Refusal(Reason.UNSUPPORTED, "is shown by a program in the browser"),
)
ONCE = Refusal(Reason.LEFT_ALONE, "is deleted by the first who opens it")
_RECORDS = "|".join(sorted(FILES))
_PICTURES = r"(?i:jpe?g|png|gif|webp|bmp|tiff?|heic|avif)"

PASTES: tuple[Resolver, ...] = (
    Resolver(
        "pinnwand",
        ("bpa.st",),
        rf"/(?:show/|raw/)?{NOT_RESERVED}(?P<id>[A-Z2-7]{{2,64}})/?",
        content="/raw/{id}",
        read=pages.with_files(r'href="(/raw/[A-Z2-7]{2,64})"'),
        tested="real server",
    ),
    Resolver(
        "bepasty", (), r"/(?P<id>[A-Za-z0-9]{8})(?:/|/\+[a-z]+)?", content="/{id}/+download", tested="real server"
    ),
    Resolver(
        "haste",
        ("haste.zneix.eu", "hastebin.skyra.pw", "hst.sh"),
        rf"/(?:raw/|share/)?{NOT_RESERVED}(?P<id>[A-Za-z0-9]{{6,16}})(?:\.\w{{1,10}})?/?",
        content="/raw/{id}",
        robots=SINGLE,
        tested="sample",
    ),
    Resolver(
        "toptal hastebin",
        ("hastebin.com", "www.hastebin.com"),
        rf"/(?:raw/|share/)?{NOT_RESERVED}(?P<id>\w{{6,16}})(?:\.\w{{1,10}})?",
        refusal=Refusal(Reason.LOGIN, "answers only to holders of its API key, since 2023"),
        tested="documented",
    ),
    Resolver(
        "toptal hastebin (old)",
        ("www.toptal.com",),
        r"/developers/hastebin/(?:raw/)?(?P<id>\w{6,16})(?:\.\w{1,10})?",
        refusal=Refusal(Reason.LOGIN, "answers only to holders of its API key, since 2023"),
        tested="documented",
    ),
    Resolver(
        "pastebin",
        ("pastebin.com", "www.pastebin.com"),
        rf"/(?:raw/|dl/)?{NOT_RESERVED}(?P<id>[A-Za-z0-9]{{8}})",
        content="/raw/{id}",
        tested="documented",
    ),
    Resolver(
        "dpaste",
        ("dpaste.org", "dpaste.de"),
        rf"/{NOT_RESERVED}(?P<id>[A-Za-z0-9]{{4,20}})(?:/(?:raw|slim))?/?",
        content="/{id}/raw",
        tested="documented",
    ),
    Resolver(
        "dpaste.com", ("dpaste.com",), rf"/{NOT_RESERVED}(?P<id>[A-Za-z0-9]{{4,12}})(?:\.txt)?/?", content="/{id}.txt"
    ),
    Resolver(
        "bytebin",
        ("pastes.dev", "api.pastes.dev", "bytebin.lucko.me"),
        rf"/{NOT_RESERVED}(?P<id>[A-Za-z0-9]{{4,20}})",
        content="/{id}",
        elsewhere={"pastes.dev": "https://api.pastes.dev"},
        tested="documented",
    ),
    Resolver(
        "rentry",
        ("rentry.co", "rentry.org", "rentry.la"),
        rf"/{NOT_RESERVED}(?P<id>[A-Za-z0-9_-]{{2,100}})/?(?:raw|pdf|png)?",
        content="/{id}",
        read=pages.read_page,
        tested="documented",
    ),
    Resolver(
        "telegraph pictures",
        ("telegra.ph", "te.legra.ph", "graph.org"),
        r"/(?P<id>file/[\w-]{5,64}\.\w{2,5})",
        content="/{id}",
        meant_only=True,
    ),
    Resolver(
        "telegraph",
        ("telegra.ph", "te.legra.ph", "graph.org"),
        r"/(?!file/|api(?:/|$))(?P<id>[^/?#]{3,256}-\d\d-\d\d(?:-\d{1,6})?)/?",
        content="/getPage/{id}?return_content=true",
        read=telegraph.read,
        robots=API,
        tested="sample",
        elsewhere={
            "telegra.ph": "https://api.telegra.ph",
            "te.legra.ph": "https://api.telegra.ph",
            "graph.org": "https://api.graph.org",
        },
    ),
    Resolver(
        "paste.ee",
        ("paste.ee", "pastee.dev", "www.paste.ee"),
        r"/(?:p|r|d)/(?P<id>[A-Za-z0-9]{4,12})(?:/\d{1,3})?/?",
        content="/r/{id}",
    ),
    Resolver(
        "justpaste.it",
        ("justpaste.it", "jpst.it"),
        rf"/{NOT_RESERVED}(?P<id>[A-Za-z0-9_-]{{3,64}})(?:/pdf)?/?",
        content="/{id}",
        read=pages.read_page,
    ),
    Resolver(
        "controlc",
        ("controlc.com", "pastelink.net"),
        rf"/{NOT_RESERVED}(?P<id>[A-Za-z0-9_-]{{5,64}})/?",
        content="/{id}",
        read=pages.read_page,
    ),
    Resolver(
        "gist",
        ("gist.github.com",),
        r"/(?:[A-Za-z0-9-]{1,39}/)?(?P<id>[0-9a-f]{20,40}|\d{1,9})(?:/[0-9a-f]{40})?(?:/raw.{0,300})?/?",
        content="/gists/{id}",
        elsewhere={"gist.github.com": "https://api.github.com"},
        read=files.read,
        robots=API,
        tested="sample",
    ),
    Resolver(
        "github raw",
        ("gist.githubusercontent.com", "raw.githubusercontent.com"),
        r"/(?P<id>[^/]{1,39}/[^/]{1,100}/.{3,500})",
        content="/{id}",
        tested="documented",
    ),
    Resolver(
        "gitlab snippet",
        ("gitlab.com",),
        r"/(?:-/|(?:[\w.-]{1,100}/){1,8}(?:-/)?)?snippets/(?P<id>\d{1,12})/?(?:raw.{0,300})?",
        content="/api/v4/snippets/{id}/raw",
        robots=API,
        tested="documented",
    ),
    Resolver(
        "opengist",
        (),
        r"/(?!(?:api|assets|login|register|settings|all|search)/)(?P<id>[\w.-]{1,64}/(?:[0-9a-f]{32}|[\w.-]{2,128}))/?",
        content="/{id}.json",
        read=files.read,
        tested="documented",
    ),
    Resolver(
        "paste.debian.net",
        ("paste.debian.net",),
        r"/(?:plain/)?(?P<id>\d{4,12})/?",
        content="/plain/{id}",
        tested="documented",
    ),
    Resolver(
        "paste.debian.net (hidden)",
        ("paste.debian.net",),
        r"/(?:hidden|plainh)/(?P<id>[0-9a-f]{6,16})/?",
        content="/plainh/{id}",
        tested="documented",
    ),
    Resolver(
        "slexy",
        ("slexy.org", "www.slexy.org"),
        r"/(?:view|raw)/(?P<id>\w{4,32})",
        read=pages.behind(r'href="(/raw/{id}\w{0,64})"'),
        content="/view/{id}",
        tested="documented",
    ),
    Resolver(
        "ideone",
        ("ideone.com", "www.ideone.com"),
        rf"/(?:plain/)?{NOT_RESERVED}(?P<id>[A-Za-z0-9]{{5,8}})",
        content="/plain/{id}",
        tested="documented",
    ),
    Resolver(
        "codepad",
        ("codepad.org", "www.codepad.org"),
        rf"/{NOT_RESERVED}(?P<id>[A-Za-z0-9]{{8}})(?:/raw.{{0,10}})?",
        content="/{id}/raw.txt",
        tested="sample",
    ),
    Resolver("microbin files", (), r"/file/(?P<id>[\w-]{2,64})", content="/file/{id}", tested="documented"),
    Resolver("microbin", (), r"/(?:upload|p|raw)/(?P<id>[\w-]{2,64})", content="/raw/{id}", tested="documented"),
    Resolver(
        "stikked",
        ("paste.scratchbook.ch",),
        r"/view/(?:raw/)?(?P<id>[0-9a-f]{8})",
        content="/view/raw/{id}",
        tested="documented",
    ),
    Resolver(
        "text services",
        ("termbin.com", "ix.io", "sprunge.us", "clbin.com", "paste.rs", "paste.c-net.org"),
        rf"/{NOT_RESERVED}(?P<id>[A-Za-z0-9]{{3,16}})(?:\.\w{{1,8}})?",
        content="/{id}",
    ),
)
"""Places for text."""

PRIVATEBINS: tuple[Resolver, ...] = (
    Resolver(
        "privatebin burn after reading",
        (),
        query=r"(?:pasteid=)?(?P<id>[0-9a-f]{16})",
        fragment=r"-[1-9A-HJ-NP-Za-km-z]{40,44}(?:&.*)?",
        refusal=ONCE,
        anywhere=True,
        path=r"/.{0,200}",
        tested="real vector",
    ),
    Resolver(
        "privatebin",
        (),
        query=r"(?:pasteid=)?(?P<id>[0-9a-f]{16})(?:&.{0,100})?",
        fragment=r"[1-9A-HJ-NP-Za-km-z]{43,44}(?:&.*)?",
        path=r"(?P<folder>/.{0,200})",
        content="{folder}?{id}",
        read=privatebin.read,
        robots=SINGLE,
        anywhere=True,
        tested="real vector",
    ),
    Resolver(
        "privatebin without a key",
        (),
        query=r"(?:pasteid=)?(?P<id>[0-9a-f]{16})",
        path=r"/.{0,200}",
        refusal=Refusal(Reason.ENCRYPTED, "needs a key of a known format in its link, which this one lacks"),
        tested="documented",
    ),
)
"""PrivateBin is recognised by its links wherever it runs; hosts under `network.link_hosts: privatebin` in all forms."""

FILE_PLACES: tuple[Resolver, ...] = (
    Resolver(
        "0x0",
        ("0x0.st", "envs.sh", "ttm.sh", "x0.at"),
        r"/(?P<id>(?:s/[\w-]{1,64}/)?[\w-]{2,32}\.\w{1,8}(?:\.\w{1,4})?)(?:/.{1,200})?",
        content="/{id}",
        tested="documented",
    ),
    Resolver(
        "transfer.sh",
        ("transfer.sh", "transfer.adminforge.de", "oshi.at"),
        r"/(?:get/)?(?P<id>[A-Za-z0-9]{4,16}/[^/]{1,255})",
        content="/{id}",
    ),
    Resolver("catbox", ("files.catbox.moe", "litter.catbox.moe"), r"/(?P<id>[a-z0-9]{6,16}\.\w{1,8})", content="/{id}"),
    Resolver("pomf", ("pomf2.lain.la", ".uguu.se", "qu.ax"), r"/(?P<id>(?:f/)?[\w-]{4,40}\.\w{1,8})", content="/{id}"),
    Resolver("tmpfiles", ("tmpfiles.org",), r"/(?:dl/)?(?P<id>\d{3,12}/[^/]{1,255})", content="/dl/{id}"),
    Resolver(
        "pixeldrain",
        ("pixeldrain.com",),
        r"/(?:u|api/file)/(?P<id>[A-Za-z0-9]{8})",
        content="/api/file/{id}",
        robots=API,
    ),
    Resolver(
        "opened once",
        (
            "file.io",
            "www.file.io",
            "bashupload.com",
            "onetimesecret.com",
            "eu.onetimesecret.com",
            "privnote.com",
            "temp.sh",
        ),
        r"/(?P<id>.{3,200})",
        refusal=ONCE,
    ),
    Resolver(
        "discord files",
        ("cdn.discordapp.com", "media.discordapp.net"),
        r"/(?:ephemeral-)?attachments/(?P<id>\d+/\d+/[^/]{1,255})",
        meant_only=True,
    ),
)
"""Places for files that answer to a plain request."""

PICTURE_PLACES: tuple[Resolver, ...] = (
    Resolver("imgur", ("i.imgur.com",), rf"/(?P<id>\w{{5,12}}\.(?:{_PICTURES}))", content="/{id}", meant_only=True),
    Resolver(
        "imgur pages",
        ("imgur.com", "www.imgur.com", "m.imgur.com"),
        r"/(?!(?:upload|user|t|r|search|signin|about)(?:/|$))(?P<id>(?:(?:a|gallery)/)?[A-Za-z0-9-]{5,100})",
        content="/{id}",
        read=pages.read_picture_page,
        meant_only=True,
    ),
    Resolver(
        "imgbb", ("i.ibb.co",), rf"/(?P<id>\w{{5,12}}/[^/]{{1,200}}\.(?:{_PICTURES}))", content="/{id}", meant_only=True
    ),
    Resolver(
        "imgbb pages",
        ("ibb.co", "ibb.co.com"),
        rf"/{NOT_RESERVED}(?P<id>\w{{6,12}})",
        content="/{id}",
        read=pages.read_picture_page,
        meant_only=True,
    ),
    Resolver(
        "postimages",
        ("i.postimg.cc", "i.postimg.org"),
        rf"/(?P<id>\w{{6,12}}/[^/]{{1,200}}\.(?:{_PICTURES}))",
        content="/{id}",
        meant_only=True,
    ),
    Resolver(
        "postimages pages",
        ("postimg.cc", "postimg.org"),
        rf"/{NOT_RESERVED}(?P<id>(?:image/)?\w{{6,12}})(?:/\w{{1,20}})?/?",
        content="/{id}",
        read=pages.read_picture_page,
        meant_only=True,
    ),
    Resolver(
        "reddit pictures", ("i.redd.it",), rf"/(?P<id>[\w-]{{8,64}}\.(?:{_PICTURES}))", content="/{id}", meant_only=True
    ),
    Resolver(
        "weibo pictures",
        (".sinaimg.cn",),
        rf"/(?:large|mw\d+|orj\d+|bmiddle|thumb\d+|original|woriginal|oslarge|wap\d+|small|square)/(?P<id>[\w-]{{10,64}}\.(?:{_PICTURES}))",
        content="/large/{id}",
        meant_only=True,
    ),
    Resolver(
        "wechat pictures",
        ("mmbiz.qpic.cn", "mmbiz.qlogo.cn"),
        r"/(?:sz_)?mmbiz(?:_\w{2,5})?/[\w-]{20,200}/\d{1,4}",
        meant_only=True,
    ),
    Resolver("twitter pictures", ("pbs.twimg.com",), r"/media/(?P<id>[\w-]{10,30}(?:\.\w{3,4})?)", meant_only=True),
)
"""Places for pictures."""

SHARES: tuple[Resolver, ...] = (
    Resolver(
        "百度网盘",
        ("pan.baidu.com", "yun.baidu.com"),
        r"/(?:s/|share/|e/|wap/).{0,200}",
        refusal=LOGIN,
        tested="documented",
    ),
    Resolver("夸克网盘", ("pan.quark.cn", "drive.uc.cn", "fast.uc.cn"), r"/s/.{3,200}", refusal=LOGIN),
    Resolver(
        "阿里云盘",
        ("www.alipan.com", "alipan.com", "www.aliyundrive.com", "aliyundrive.com", "alywp.net"),
        r"/(?:s/|t/)?.{5,200}",
        refusal=LOGIN,
    ),
    Resolver(
        "123云盘",
        ("www.123pan.com", "123pan.com", "www.123684.com", "www.123865.com", "www.123912.com", ".123pan.cn"),
        r"/s/.{3,200}",
        refusal=LOGIN,
    ),
    Resolver(
        "蓝奏云",
        (
            "lanzou.com",
            "lanzouyun.com",
            ".lanzou.com",
            ".lanzouyun.com",
            *(f"{dot}lanzou{letter}.com" for letter in ascii_lowercase for dot in ("", ".")),
        ),
        r"/(?:b/|s/)?[\w/-]{5,64}",
        refusal=SCRIPT,
    ),
    Resolver("115网盘", ("115.com", "115cdn.com", "anxia.com"), r"/s/.{5,100}", refusal=LOGIN),
    Resolver("天翼云盘", ("cloud.189.cn",), r"/(?:t/|web/share).{0,200}", refusal=LOGIN),
    Resolver("迅雷云盘", ("pan.xunlei.com",), r"/s/.{5,200}", refusal=LOGIN),
    Resolver("微云", ("share.weiyun.com",), r"/.{5,100}", refusal=LOGIN),
    Resolver(
        "城通网盘", ("url.ctfile.com", "www.ctfile.com", ".ctfile.com"), r"/(?:f|d|file|dir)/.{3,200}", refusal=SCRIPT
    ),
    Resolver("腾讯文档", ("docs.qq.com",), r"/(?:doc|sheet|form|pdf|slide|aio|mind)/.{5,200}", refusal=LOGIN),
    Resolver("石墨文档", ("shimo.im",), r"/(?:docs|sheets|file|files|folder)/.{5,200}", refusal=LOGIN),
    Resolver("飞书", (".feishu.cn",), r"/(?:docx?|docs|sheets|file|wiki|base|minutes)/.{5,200}", refusal=LOGIN),
    Resolver("金山文档", ("www.kdocs.cn", "kdocs.cn"), r"/(?:l|view/l|p)/.{5,200}", refusal=LOGIN),
    Resolver("netcut", ("netcut.cn", "www.netcut.cn"), rf"/(?:p/)?{NOT_RESERVED}[\w-]{{2,64}}", refusal=SCRIPT),
    Resolver(
        "ubuntu pastebin", ("paste.ubuntu.com", "pastebin.ubuntu.com"), r"/(?:p/)?\w{5,16}(?:/plain)?/?", refusal=LOGIN
    ),
    Resolver("gofile", ("gofile.io",), r"/d/.{4,64}", refusal=SCRIPT),
    Resolver("mega", ("mega.nz", "mega.io", "mega.co.nz"), r"/(?:file|folder|embed)/.{6,64}", refusal=SCRIPT),
    Resolver("mega (old)", ("mega.nz", "mega.co.nz"), r"/?", fragment=r"F?!.{8,120}", refusal=SCRIPT),
    Resolver(
        "mediafire", ("www.mediafire.com", "mediafire.com"), r"/(?:file|folder|view|download)/.{5,300}", refusal=SCRIPT
    ),
    Resolver("wetransfer", ("wetransfer.com", "we.tl"), r"/(?:downloads/|t-).{5,300}", refusal=SCRIPT),
    Resolver(
        "google drive",
        ("drive.google.com", "docs.google.com"),
        r"/(?:file|drive|document|spreadsheets|presentation|forms)/.{5,300}|/(?:open|uc)",
        refusal=SCRIPT,
    ),
    Resolver("dropbox", ("www.dropbox.com", "dropbox.com"), r"/(?:s|sh|scl|t)/.{5,300}", refusal=SCRIPT),
    Resolver("onedrive", ("1drv.ms", "onedrive.live.com"), r"/.{1,300}", refusal=SCRIPT),
    Resolver("send", ("send.vis.ee", "send.bitwarden.com"), r"/.{0,200}", fragment=r".{10,200}", refusal=SCRIPT),
)
"""File shares that a polite program cannot open: reported, so that a person can."""

SHORTENERS: tuple[Resolver, ...] = (
    Resolver(
        "shorteners",
        (
            "t.co",
            "bit.ly",
            "j.mp",
            "tinyurl.com",
            "is.gd",
            "v.gd",
            "goo.gl",
            "ow.ly",
            "buff.ly",
            "rb.gy",
            "cutt.ly",
            "shorturl.at",
            "t.ly",
            "reurl.cc",
            "t.cn",
            "dwz.cn",
            "url.cn",
            "suo.im",
            "suo.nz",
            "u.nu",
            "sina.lt",
            "dwz.lc",
        ),
        rf"/{NOT_RESERVED}(?P<id>[\w-]{{3,40}})/?",
        content="/{id}",
        shortens=True,
        robots="ignore: asked once where a posted link leads, as a reader's click would; nothing there is read",
    ),
)
"""Asked once where they lead; the table decides on what they say."""

ANY_FILE = Resolver(
    "file",
    (),
    rf"/(?!(?:robots|humans|ads|security|llms)\.txt$).{{0,1000}}\.(?i:{_RECORDS})",
    anywhere=True,
    meant_only=True,
    tested="documented",
)
"""A direct link to a file of an allow-listed type, wherever it lies."""

RESOLVERS: tuple[Resolver, ...] = (
    *PASTES,
    *PRIVATEBINS,
    *FILE_PLACES,
    *PICTURE_PLACES,
    *SHARES,
    *SHORTENERS,
    ANY_FILE,
)
"""A resolver without hosts waits for instances named under `network.link_hosts`, unless it knows its links anywhere."""
