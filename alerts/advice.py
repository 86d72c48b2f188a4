"""What people can do about a site that is not watched as it should be, in English and Chinese."""

from collections.abc import Iterable, Mapping

ADVICE: Mapping[str, Mapping[str, str]] = {
    "en": {
        "rate-limited": "Nothing to do: it is asked again more rarely. If it lasts, make `every:` or `delay:` longer.",
        "blocked": "It is asked again after a while, longer each time. Look at it in a browser from this network; if "
        "it refuses that too, ask its operators, or watch it by another way (an API, a search site).",
        "captcha": "It wants a person, and Spillwatch never solves captchas. Sign in with a browser and renew the "
        "cookie in config.yaml, or take the site out.",
        "challenge": "It wants a browser, and Spillwatch never pretends to be one. Use the site's API or feed if it "
        "has one, or take the site out.",
        "no-access": "Register this machine's address with the site, as its terms say.",
        "login-needed": "Give an account's token or cookie in config.yaml (by reference), if the site's terms permit "
        "it, or take the site out.",
        "session-ended": "A new visitor session is asked for by itself. If it lasts, give a cookie of your own.",
        "layout-changed": "Run `spillwatch doctor` and look at the site: its description must be adapted. Until then "
        "nothing of it is watched.",
        "gone": "The list is not there any more. Look whether the site has moved, and correct its address.",
        "robots": "Its robots.txt forbids it. Ask its operators, or write down in `robots:` why it is permitted.",
        "network": "Check this machine's network and name service; the site may also be down.",
        "timeout": "The site is slow or down. It is asked again; if it lasts, make `network.timeout` longer.",
        "server-error": "The site has a fault of its own. It is asked again.",
        "forbidden-address": "Its name leads to an address inside your network. If that is meant, put it under "
        "`network.allow`.",
        "stream-gap": "Posts between the gap's two ends were never seen. Search the site for them by hand.",
        "query-names-a-record": "No request was made. Take the name, number or text out of the site's options in "
        "config.yaml: `spillwatch scan` says which option.",
        "silent": "Look at the site: has it really so little new? If so, lower `expect:`; if not, its description must "
        "be adapted.",
        "slow": "Scan it more rarely (`every:`), or less of it.",
        "overrun": "Scan it more rarely (`every:`), or less of it.",
        "crash": "Look at the log, and at the memory of this machine.",
        "misconfigured": "No request was made. Run `spillwatch doctor`: it says what is wrong with the entry.",
        "paused": "Wait: `spillwatch sites` says until when. Changing its entry in config.yaml lifts the pause.",
        "too-early": "Nothing to do: it is asked again a little later.",
        "too-big": "Ask for a shorter list, or raise `network.max_bytes`.",
        "bomb": "It answers what unpacks without end. Take the site out.",
        "malformed": "Look whether its options are written right; it may also answer what breaks the rules of HTTP.",
        "type-not-supported": "Look whether the address is the right one: it answers in a type that is not read.",
        "cap-reached": "Look which limit it was (redirects, `network.max_…`, `budget:`), and narrow your "
        "words, scan more often, or raise the limit.",
        "internal-error": "A fault of Spillwatch: report it, with the log line.",
    },
    "zh": {
        "rate-limited": "无需处理：系统会降低访问频率。若持续出现，请调大 `every:` 或 `delay:`。",
        "blocked": "系统会稍后再试，间隔逐次加长。请在本网络用浏览器查看；若同样被拒，"
        "请联系网站，或改用其他途径（接口、搜索）。",
        "captcha": "网站要求真人操作，本系统绝不破解验证码。"
        "请用浏览器登录后更新 config.yaml 中的 cookie，或移除该网站。",
        "challenge": "网站要求真实浏览器，本系统绝不伪装。请改用其接口或订阅源，或移除该网站。",
        "no-access": "请按网站条款登记本机地址。",
        "login-needed": "若网站条款允许，请在 config.yaml 中以引用方式提供令牌或 cookie；否则移除该网站。",
        "session-ended": "系统会自动申请新的访客会话。若持续出现，请提供自己的 cookie。",
        "layout-changed": "请运行 `spillwatch doctor` 并查看网站：其描述文件需要修改，在此之前该网站未受监测。",
        "gone": "列表已不存在。请查看网站是否迁移，并更正地址。",
        "robots": "网站的 robots.txt 不允许。请联系网站，或在 `robots:` 中写明许可依据。",
        "network": "请检查本机网络与域名解析；网站也可能已停机。",
        "timeout": "网站缓慢或停机，系统会再试；若持续出现，请调大 `network.timeout`。",
        "server-error": "网站自身故障，系统会再试。",
        "forbidden-address": "该域名指向内部网络地址。若确属需要，请列入 `network.allow`。",
        "stream-gap": "缺口期间的内容未被查看，请人工到网站检索。",
        "query-names-a-record": "未发出任何请求。"
        "请从 config.yaml 该网站的选项中删去姓名、号码或文字；`spillwatch scan` 会指出是哪一项。",
        "silent": "请查看网站是否确实少有新内容。若是，请调低 `expect:`；若否，其描述文件需要修改。",
        "slow": "请降低扫描频率（`every:`）或减少范围。",
        "overrun": "请降低扫描频率（`every:`）或减少范围。",
        "crash": "请查看日志与本机内存。",
        "misconfigured": "未发出任何请求。请运行 `spillwatch doctor`，它会指出条目的问题。",
        "paused": "请等待：`spillwatch sites` 会显示恢复时间。修改 config.yaml 中该网站的条目可立即解除。",
        "too-early": "无需处理：稍后会再次获取。",
        "too-big": "请缩短列表，或调大 `network.max_bytes`。",
        "bomb": "网站返回的内容可无限解压，请移除该网站。",
        "malformed": "请检查该网站的选项；网站的回应也可能不符合 HTTP 规范。",
        "type-not-supported": "请检查地址是否正确：返回的内容类型无法读取。",
        "cap-reached": "请查看达到的是哪一项上限（重定向、`network.max_…`、`budget:`、网站自身上限），"
        "并缩小检索词、提高扫描频率或调高上限。",
        "internal-error": "属 Spillwatch 故障，请附日志行报告。",
    },
}
"""What to do about a site, by the word of its reason (or of its state, where there is no reason)."""


def advice(kinds: Iterable[str], language: str) -> tuple[str, ...]:
    """Return what to do about these reason words, each advice once; nothing for words that need none."""
    return tuple(dict.fromkeys(ADVICE[language][kind] for kind in kinds if kind in ADVICE[language]))
