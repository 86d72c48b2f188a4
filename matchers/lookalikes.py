"""What letters and digits of other scripts look like: a Latin letter, a digit, or either.

Written from the code charts of the Unicode Standard in the spirit of UTS #39; its table is not used. A shape may be
read both ways, Ƨ as an s in a word and as a 2 in a number, so there are two tables; `matchers.canonical` says where a
look counts. Scripts in which nobody writes a patient's data (ancient ones, or of a few thousand readers) get no other
reading: their look-alikes become the Latin letter or the digit at once.
"""

from typing import Final

LETTERS: Final = {
    look: letter
    for letter, looks in {
        # Cyrillic, Greek, Armenian | Hebrew to Ethiopic, Tifinagh, Georgian, Runic | Cherokee, Coptic, Lisu, syllabics
        "a": "АаӔӕΑα" "ᎪⲀⲁꓮᗅᴀ",
        "b": "ВвЬьΒβϐƅ" "ᏏᏴⲂⲃꓐᗷᖯᑲᛒ",
        "c": "СсҪҫϹϲς" "ᏟⲤⲥꓚᑕᑢᙅ",
        "d": "ԀԁԂ" "ᎠᏧꓓꓒᗞᗪᑯᑧ",
        "e": "ЕеҼҽҾҿΕεϵєЄɛ" "ⴹᎬⲈⲉꓰᗴᛖ",
        "f": "ҒғϜϝք" "ꓝᖴᚠ",
        "g": "Ԍԍցɢ" "ᏀᏳꓖᘜ",
        "h": "НнҺһΗհ" "ᎻᏂⲎⲏꓧᕼʜ",
        "i": "ІіΙι" "ᎥⲒⲓꓲƖɪꙆꙇ",
        "j": "ЈјϳյՅ" "Ꭻꓙᒍ",
        "k": "КкΚκ" "ᏦⲔⲕꓗᛕ",
        "l": "ӀӏԼו" "ןاٱǀⵏ١۱ߊᛁᏞᏓⳐⳑꓡᒪꞁʟ",
        "m": "МмΜϺ" "ᎷⲘⲙꓟᗰᙢ",
        "n": "ΝПпηոռղ" "ⲚⲛꓠᑎՈ",
        "o": "ОоΟοσϘՕօ" "סهةەھہഠഃൟംంಂංଠဝዐⵔჿᎾⲞⲟꓳѲΘθ",
        "p": "РрΡρϱϷ" "ƿᏢⲢⲣꓑᑭꝐꝑ",
        "q": "ԚԛզգՔϙ" "ⵕꝖꝗ",
        "r": "гГΓᴦ" "ᎡᏒⲄⲅꓣᖇᚱʀ",
        "s": "ЅѕՏꜱ" "ᏕᏚꓢᔕႽƧƨꙄꙅ",
        "t": "ТтΤτ" "ᎢⲦⲧꓔᛏ",
        "u": "υՍսմ" "ሀꓴᑌ",
        "v": "Ѵѵν" "ᏙᏤⴸꓦᐯ",
        "w": "ԜԝѠѡωϢϣա" "ᎳᏔⲰⲱꓪᗯ",
        "x": "ХхҲҳΧχ" "ⵝᚷⲬⲭꓫ᙭ᕁ",
        "y": "УуҮүΥϒγ" "ყᎩᎽⲨⲩꓬʏ",
        "z": "Ζζ" "ᏃꓜᙆᏛ",
    }.items()
    for look in looks
}  # fmt: skip
"""Letters of the first plane that look like a letter a-z. Capitals are judged as capitals: Ν is an n, ν a v."""

DIGITS: Final = {
    look: digit
    for digit, looks in {
        "2": "ƧƨꙄꙅϨϩᒿꝚꝛꛯᘔշ",
        "3": "ЗзҘҙƷʒӠӡȜȝƐɜꝪꝫⳌⳍვ",
        "4": "Ꮞ",
        "5": "Ƽƽ",
        "6": "бᏮⳒⳓ",
        "8": "Ȣȣଃঃ",
        "9": "ꝮꝯⳊⳋ",
    }.items()
    for look in looks
}
"""Letters of the first plane that look like a digit; those that look like o, i, l, s … are read by that letter."""

NUMERALS: Final = {"৪": "8", "৭": "9", "੧": "9", "੪": "8", "୨": "9", "൭": "9", "௦": "0"}
"""Digits whose shape is that of another digit: they count by their shape among digits of other scripts."""
NUMERAL_SCRIPTS: Final = (0x09E6, 0x0A66, 0x0AE6, 0x0B66, 0x0BE6, 0x0C66, 0x0CE6, 0x0D66, 0x0E50, 0x0ED0, 0x1040)
"""The zeros of the scripts whose digits are read by shape in foreign company; each zero looks like an o as well."""

_DISUSED: Final = {
    "a": "102A0 10300 16F40",
    "b": "10282 102A1 10301 10518",
    "c": "102A2 10302 10415 1043D 1051C 118F2 118E9",
    "d": "10303",
    "e": "10286 10304 118A6 118AE",
    "f": "10287 102A5 118A2 118C2",
    "g": "10402 1042A",
    "h": "102CF",
    "i": "10309 118C3 16F28",
    "l": "1028A 10320 1041B 10443 10526 118A3 118B2 16F16",
    "m": "102B0 1030C 10311",
    "n": "10307 10513",
    "o": "10292 102AB 1030F 10404 1042C 10516 104C2 104EA 118B5 118C8 118D7 118E0 11450",
    "p": "10295",
    "r": "104B4 16F35",
    "s": "10296 10420 10448 118C1 16F3A",
    "t": "10297 102B1 10315 118BC 16F0A",
    "u": "104CE 104F6 118B8 118D8 16F42",
    "v": "1031B 1051D 118A0 118C0 16F08",
    "w": "1170A 1170E 1170F 114C5 118E6 118EF",
    "x": "10290 102B4 10317 10322 10527 118EC",
    "y": "102B2 118A4 118DC 16F43",
    "z": "102F5 118A9 118C4 118E5",
    "2": "16F4F",
    "3": "118CA 16F3B 1D206",
    "4": "118AF",
    "5": "118BB",
    "6": "118D5",
    "7": "104D2 118C6 1D212",
    "8": "1031A 1E8CB",
    "9": "118AC 118CC 118D6",
}
DISUSED: Final = {chr(int(code, 16)): look for look, codes in _DISUSED.items() for code in codes.split()} | {
    "\ua6df": "v", "\ua6ef": "2",
}  # fmt: skip
"""Characters of disused scripts (Carian, Old Italic, Deseret, Warang Citi, Miao, Bamum …) and what they become."""

SIGNS: Final = {
    look: letter
    for letter, looks in {
        "a": "⍺", "e": "℮", "i": "⍳", "p": "⍴", "w": "⍵⨲", "v": "∨⋁", "u": "∪⋃", "|": "│", "l": "∣⏽❘",
        "-": "➖", "x": "⤫⤬⨉", "c": "🝌", "t": "⊤⟙🝨", "s": "\U0001f75c",
    }.items()
    for look in looks
}  # fmt: skip
"""Symbols that stand in for a letter or a stroke."""
